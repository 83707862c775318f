"""The synthetic NASNet objective against its written definition, worked out by hand for simple cells."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from search_spaces.nasnet_synthetic import BUDGET, COSTS, NODES, OPERATIONS, SyntheticNASNet, space


def flat(operation: str) -> dict[str, object]:
    """Both cells alike: every node adds the operation on inputs 0 and 1, so all five are loose ends of depth 1."""
    slots = [(cell, node, slot) for cell in ("normal", "reduce") for node in NODES for slot in range(2)]
    operations = {f"{cell}/op_{node}_{slot}": operation for cell, node, slot in slots}
    return {**operations, **{f"{cell}/input_{node}_{slot}": slot for cell, node, slot in slots}}


@pytest.mark.parametrize("operation", ["skip_connect", "sep_conv_3x3", "conv_7x1_1x7"])
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_flat_cells_have_the_value_of_the_definition(operation, variant):
    objective = SyntheticNASNet(variant)
    gain, late, synergy, wanted = objective._tables
    o = OPERATIONS.index(operation)
    worth = []
    for which in range(2):
        ends = [np.tanh(1.2 * gain[o] * late[which, o, node] + synergy[o, o]) for node in NODES]
        worth.append(np.mean(ends) + 0.3 * max(ends) + 0.1 * np.exp(-((1 - wanted[which]) ** 2) / 4))
    over = max(0.0, 20 * COSTS[operation] - BUDGET)
    expected = 0.65 * worth[0] + 0.35 * worth[1] - 0.1 * over**2
    assert objective(flat(operation)) == pytest.approx(expected, abs=1e-12)


def test_the_space_is_the_hubs():
    assert len(space().parameters) == 40
    assert space().size == 13**20 * (2 * 3 * 4 * 5 * 6) ** 4
    space().validate(flat("conv_1x1"))


def test_variants_differ_while_each_is_the_same_everywhere():
    code = (
        "from search_spaces.nasnet_synthetic import *; import numpy as np;"
        "print(repr(SyntheticNASNet(1)(space().sample(np.random.default_rng(5)))))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    configuration = space().sample(np.random.default_rng(5))
    assert float(elsewhere) == SyntheticNASNet(1)(configuration)
    assert SyntheticNASNet(2)(configuration) != SyntheticNASNet(1)(configuration)
