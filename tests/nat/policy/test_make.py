"""Policies by name, and their seeds."""

from __future__ import annotations

import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.policy.make import POLICIES, make_policy
from tests.nat.edge_spaces import nasbench201, two_input_cells
from tests.nat.policy.draws import drawn

SEEDED = ("line_graph", "lstm", "official")


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("view", [nasbench201(), two_input_cells(("conv", "skip", "none"))], ids=["fixed", "chosen"])
def test_all_have_one_interface(name, view):
    logits = make_policy(name, view)(*drawn(view, 7))
    assert logits.shape == (7, view.n_edges, len(view.operations))
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_makes_the_weights_and_leaves_the_global_generator_alone(name):
    view = nasbench201()
    given = drawn(view, 3)
    before = torch.random.get_rng_state()
    first, again, other = (make_policy(name, view, seed)(*given) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("name", SEEDED)
def test_first_weights_have_the_spread_of_pytorchs_own(name):
    policy = make_policy(name, two_input_cells(("conv", "skip", "none")), seed=0, hidden=64)
    for part in policy.modules():
        for weight in part.parameters(recurse=False):
            values = weight.detach()
            if isinstance(part, torch.nn.Embedding):
                assert float(values.std()) == pytest.approx(1.0, abs=0.35)
            else:
                bound = (part.in_features if isinstance(part, torch.nn.Linear) else part.hidden_size) ** -0.5
                assert bound / 3 < float(values.abs().max()) <= bound


@pytest.mark.parametrize("name", ["line_graph", "lstm"])
def test_hidden_is_the_size_of_the_layers(name):
    policy = make_policy(name, nasbench201(), hidden=24)
    assert policy.head.in_features == 24


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'line_graph'") as caught:
        make_policy("linegraph", nasbench201())
    assert caught.value.field == "policy"


def test_no_hidden_units_are_refused():
    with pytest.raises(InvalidArgument, match="hidden"):
        make_policy("lstm", nasbench201(), hidden=0)
