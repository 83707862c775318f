"""A genotype whose output is of other nodes than the space's cells have is refused."""

from __future__ import annotations

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import pytest
from nni.nas.hub.pytorch.nasnet import NDS

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import read_genotype
from nni_strategies.nat.model_space.merges import check_merge

CHAIN = "[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 2), ('skip_connect', 1)]"


def space(merge: str) -> NDS:
    return NDS(["skip_connect", "none"], merge, num_nodes_per_cell=2, width=4, num_cells=3, dataset="cifar")


@pytest.mark.parametrize("merge", ["all", "loose_end"])
@pytest.mark.parametrize(("concat", "kind"), [("[2, 3]", "all"), ("[3]", "loose_end")])
def test_the_output_is_that_of_the_space(merge: str, concat: str, kind: str):
    text = f"Genotype(normal={CHAIN}, normal_concat={concat}, reduce={CHAIN}, reduce_concat={concat})"
    genotype = read_genotype(text, None, "x")
    if merge == kind:
        check_merge(space(merge), genotype)
        return
    with pytest.raises(InvalidArgument, match=f"architecture, concat = .*merge_op '{merge}'"):
        check_merge(space(merge), genotype)


def test_without_concat_nothing_is_said():
    check_merge(space("all"), read_genotype(f"Genotype(normal={CHAIN}, reduce={CHAIN})", None, "x"))
