"""NSC blocks: what is read and refused, and configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.nsc import (
    IRLAS_MOBILE,
    OPERATIONS,
    block_configuration,
    configuration_block,
    loose_ends,
    parse_block,
)
from nni_strategies.topology.nsc_draws import random_blocks


def test_types_by_name_and_by_number_are_one_code():
    by_name = [(1, "conv", 3, 0), (2, "maxpool", 3, 1, None), (3, "concat", "-", 1, 2), (4, "terminal")]
    by_number = [(1, 1, 3, 0, 0), (2, 2, 3, 1, 0), (3, 6, 0, 2, 1), (4, 7, 0, 0, 0)]
    assert parse_block(by_name) == parse_block(by_number) == parse_block(by_name[:-1])
    assert [tuple(layer) for layer in parse_block(by_name)] == by_number
    assert parse_block(parse_block(by_name)) == parse_block(by_name)


def test_the_released_block():
    assert [layer[1:] for layer in IRLAS_MOBILE] == [
        (1, 1, 0, 0), (1, 3, 0, 0), (5, 0, 2, 0), (1, 5, 0, 0), (1, 1, 3, 0), (7, 0, 0, 0),
    ]  # fmt: skip
    assert loose_ends(IRLAS_MOBILE) == (1, 4, 5)


CONV = (1, "conv", 3, 0)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ([], "block = []: at least one operation"),
        ([(1, "conw", 3, 0)], r"block\[1\].type = \"conw\": one of .*; did you mean 'conv'"),
        ([(1, 8, 3, 0)], r"block\[1\].type = 8: one of .*, or 1 to 7"),
        ([(1, True, 3, 0)], r"block\[1\].type = true"),
        ([(2, "conv", 3, 0)], r"block\[1\].index = 2: 1: indices count from 1"),
        ([(1, "conv", 7, 0)], r"block\[1\].kernel = 7: one of \[1, 3, 5\] for conv"),
        ([(1, "maxpool", 5, 0)], r"block\[1\].kernel = 5: one of \[1, 3\] for maxpool"),
        ([(1, "identity", 3, 0)], r"block\[1\].kernel = 3: 0: it has no kernel"),
        ([(1, "conv", 3, 1)], r"block\[1\].pred1 = 1: a node below 1"),
        ([CONV, (2, "conv", 3, -1)], r"block\[2\].pred1 = -1: a node below 2"),
        ([CONV, (2, "conv", 3, 0, 1)], r"block\[2\].pred2 = 1: none: conv reads 1"),
        ([CONV, (2, "add", 0, 1, 2)], r"block\[2\].pred2 = 2: a node below 2"),
        ([CONV, (2, "add", 0, 1, 1)], r"block\[2\].pred2 = 1: another node than pred1: add joins two"),
        ([CONV, (2, "add", 0)], r"block\[2\].pred2 = 0: another node than pred1"),
        ([(1, "terminal")], r"block\[1\].type = \"terminal\": one of .*: nothing comes before"),
        ([(1, "add", 0, 0, 0)], r"block\[1\].type = \"add\": one of"),
        ([CONV, (2, "terminal"), (3, "conv", 3, 1)], r"block\[2\].type = \"terminal\": the last layer only"),
        ([CONV, (2, "terminal", 0, 1)], r"block\[2\].pred1 = 1: none: terminal reads 0"),
        (["conv"], r"block\[1\] = \"conv\": \(index, type, kernel, pred1, pred2\)"),
        ([(1, "conv", 3, 0, 0, 0)], r"block\[1\] = "),
    ],
)
def test_what_is_no_block_is_refused(block: list[Any], message: str):
    with pytest.raises(InvalidArgument, match=message.replace("[]", r"\[\]")):
        parse_block(block)


def test_too_many_operations_are_refused():
    assert len(parse_block([CONV, (2, "conv", 3, 1), (3, "terminal")], most=2)) == 3
    with pytest.raises(InvalidArgument, match="1 to 1 operations"):
        parse_block([CONV, (2, "conv", 3, 1)], most=1)


def test_a_configuration_has_the_labels_of_its_layers():
    assert block_configuration(IRLAS_MOBILE) == {
        "op_1": "conv1", "p1_1": 0, "op_2": "conv3", "p1_2": 0, "op_3": "add", "p1_3": 2, "p2_3": 0,
        "op_4": "conv5", "p1_4": 0, "op_5": "conv1", "p1_5": 3, "op_6": "terminal",
    }  # fmt: skip
    assert "op_6" not in block_configuration(IRLAS_MOBILE, most=5)
    assert configuration_block(block_configuration(IRLAS_MOBILE, most=5)) == IRLAS_MOBILE
    with pytest.raises(InvalidArgument, match="1 to 4 operations"):
        block_configuration(IRLAS_MOBILE, most=4)


def test_random_blocks_survive_a_configuration():
    for block in random_blocks(np.random.default_rng(0), 500):
        assert parse_block(block) == block
        assert configuration_block(block_configuration(block)) == block
        assert configuration_block(block_configuration(block, most=11)) == block


def test_labels_that_are_not_in_use_are_ignored():
    used = block_configuration([CONV, (2, "terminal")])
    assert configuration_block({**used, "p2_1": 0, "op_3": "conv3", "p1_3": 1, "lr": 0.1}) == configuration_block(used)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"op_1": "conw3"}, r"op_1 = \"conw3\": one of .*; did you mean 'conv3'"),
        ({"op_1": 1}, "op_1 = 1: one of"),
        ({"p1_2": 2}, r"block\[2\].pred1 = 2: a node below 2"),
        ({"p1_2": None}, r"block\[2\].pred2 = 0: another node"),
    ],
)
def test_what_is_no_configuration_is_refused(changed: dict[str, Any], message: str):
    configuration = {"op_1": "conv3", "p1_1": 0, "op_2": "add", "p1_2": 1, "p2_2": 0}
    with pytest.raises(InvalidArgument, match=message):
        configuration_block({**configuration, **changed})
    with pytest.raises(InvalidArgument, match="p2_2 = null: a node below 2: the label is missing"):
        configuration_block({label: value for label, value in configuration.items() if label != "p2_2"})


def test_the_operations_are_those_of_the_code():
    assert list(OPERATIONS) == [
        "conv1", "conv3", "conv5", "maxpool1", "maxpool3", "avgpool1", "avgpool3",
        "identity", "add", "concat", "terminal",
    ]  # fmt: skip
