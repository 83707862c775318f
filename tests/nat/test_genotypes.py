"""Genotypes of DARTS's kind: every one that is written comes back, and what NNI's cells cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import DartsGenotype, read_genotype, read_genotypes

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3", "it's \"one\"")
REDUCE = [("a", 0), ("b", 1), ("c", 2), ("d", 1)]
LINE = f"G = Genotype(normal={{}}, normal_concat=[2, 3], reduce={REDUCE}, reduce_concat={{}})"
NORMAL = [("a", 0), ("b", 1), ("c", 0), ("d", 1)]


@st.composite
def cells(draw: st.DrawFn) -> tuple[list[tuple[str, int]], list[int], list[int]]:
    """Edges, all nodes, those that no edge leaves."""
    n_nodes = draw(st.integers(1, 6))
    edges = [(draw(st.sampled_from(OPERATIONS)), draw(st.integers(0, 1 + i // 2))) for i in range(2 * n_nodes)]
    nodes = list(range(2, 2 + n_nodes))
    return edges, nodes, [node for node in nodes if node not in {source for _, source in edges}]


def sample_of(cell: str, edges: list[tuple[str, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, (operation, source) in enumerate(edges):
        found |= {f"{cell}/op_{2 + place // 2}_{place % 2}": operation}
        found |= {f"{cell}/input_{2 + place // 2}_{place % 2}": [source]}
    return found


@given(cells(), cells(), st.booleans(), st.booleans(), st.booleans())
def test_all_forms_of_a_genotype_are_read_and_it_is_written_again(normal, reduce, triples, positional, loose):
    written = []
    for edges, nodes, ends in (normal, reduce):
        told = [(*edge, 2 + place // 2) for place, edge in enumerate(edges)] if triples else edges
        written += [told, ends if loose else nodes]
    names = ("normal", "normal_concat", "reduce", "reduce_concat")
    inner = ", ".join(repr(x) if positional else f"{name}={x!r}" for name, x in zip(names, written, strict=True))
    found = read_genotype(f"import x\nG = x.Genotype({inner})", "G", "--arch")
    assert found.sample == sample_of("normal", normal[0]) | sample_of("reduce", reduce[0])
    assert ("loose_end" if loose else "all") in found.merges
    assert found.concat == {"normal": tuple(written[1]), "reduce": tuple(written[3])}
    assert read_genotype(found.text("H"), "H", "x") == found


def test_it_is_written_with_the_operations_of_another_sample():
    found = read_genotype(LINE.format(NORMAL, [2, 3]), None, "--arch")
    other = {label: "none" if "/op_" in label else value for label, value in found.sample.items()}
    again = read_genotype(found.text("out", other), "out", "x")
    assert again == DartsGenotype(other, found.concat, found.merges)


def test_edges_may_stand_in_any_order_where_they_say_where_they_enter():
    found = read_genotype(LINE.format([("c", 0, 3), ("a", 0, 2), ("d", 1, 3), ("b", 1, 2)], [2, 3]), None, "x")
    assert found == read_genotype(LINE.format(NORMAL, [2, 3]), None, "x")


def test_without_concat_any_merge_will_do_and_null_is_none():
    found = read_genotype("Genotype(normal=[('null', 0), ('a', 1)], reduce=[('a', 0), ('a', 1)])", None, "x")
    assert found.sample["normal/op_2_0"] == "none"
    assert found.merges == {"all", "loose_end"}
    assert "_concat" not in found.text("x")


def test_which_nodes_are_the_output_is_told_apart():
    line = LINE.format(NORMAL, "range(2, 4)")
    with pytest.raises(InvalidArgument, match=r"x, G, reduce_concat = .*\[3\]"):
        read_genotype(LINE.format(NORMAL, [2]), None, "x")
    # of the normal cell both nodes are loose ends; of the reduction cell one
    assert read_genotype(line, None, "x").merges == {"all"}
    assert read_genotype(LINE.format(NORMAL, "[3]"), None, "x").merges == {"loose_end"}
    with pytest.raises(InvalidArgument, match="of the normal cell's kind"):
        read_genotype(LINE.format(REDUCE, [3]), None, "x")


@pytest.mark.parametrize(
    ("normal", "told"),
    [
        ("[]", "x, G, normal = "),
        ("3", "x, G, normal = 3: a list of edges"),
        ("made()", "written out"),
        ("[('a', 0)]", r"node 2 = \"1 edges\": 2"),
        ("[('a', 0), ('b', 1), ('c', 3), ('d', 1)]", r"normal\[2\] = .*here 3"),
        ("[('a', 0), ('b', -1)]", r"normal\[1\]"),
        ("[('a', 0), ('b', True)]", r"normal\[1\]"),
        ("[(7, 0), ('b', 1)]", r"normal\[0\]"),
        ("[('a', 0), ('b', 1, 2, 3)]", r"normal\[1\]"),
        ("['ab', 'cd']", r"normal\[0\]"),
        ("[('a', 0, 2), ('b', 1, 2), ('a', 0, 4), ('b', 1, 4)]", r"node 3 = \"0 edges\""),
        ("[('a', 0, 'b'), ('b', 1, 2)]", r"normal\[0\]"),
        ("[('a', 0, [2]), ('b', 1, 2)]", r"normal\[0\]"),
        ("cell", "without names"),
        ("[('a', 0)] + cell", "without names"),
        ("list(3)", "without names"),
        ("range(10 ** 12)", "written out"),
        ("range(1000000000000)", r"normal\[0\] = 0"),
    ],
)
def test_what_is_no_cell_is_refused(normal: str, told: str):
    with pytest.raises(InvalidArgument, match=told):
        read_genotype(LINE.format(normal, [3]), "G", "x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "assigns none"),
        ("x = 1", "assigns none"),
        ("G = Genotype(", "x = .*Python that assigns genotypes"),
        ("(" * 5000 + "Genotype()", "Python that assigns genotypes"),
        ("G = Genotype(normal=[('a', 0), ('a', 1)])", "x, G, reduce = null: given"),
        ("G = Genotype(normals=[])", "did you mean 'normal'"),
        ("G = Genotype([], [], normal=[])", 'x, G = "normal": each of .* once'),
        ("G = Genotype([], [], [], [], [])", 'x, G = "5 arguments": at most 4'),
        ("G = Genotype(**cell)", 'x, G = "cell"'),
        ("10/06 03:20 PM genotype = Genotype(normal=[])", "without what a log writes before"),
        ("G = Genotype(normal=[])\nG = None", "assigns none"),
        ("G = Genotype(normal=[])\ndel G", "assigns none"),
        ("G = Genotype(normal=[('a', 0), ('a', 1)], normal_concat='ab', reduce=[])", "normal_concat"),
    ],
)
def test_what_holds_no_genotype_is_refused(text: str, told: str):
    for read in (lambda: read_genotypes(text, "x"), lambda: read_genotype(text, None, "x")):
        with pytest.raises(InvalidArgument, match=told):
            read()


CELL = "[('a', 0), ('b', 1)]"
ONE = f"Genotype(normal={CELL}, reduce={CELL})"
OTHER = f"Genotype(normal={CELL}, reduce=[('a', 1), ('b', 0)])"


def test_all_of_a_text_are_found_each_once_in_its_order():
    text = f"B: Genotype = {ONE}\n{OTHER}\nA = C = {OTHER}\nD = C\nB = A\nE: Genotype\n{ONE}\nF = gt.{ONE}"
    found = read_genotypes(text, "x")
    assert [one.name for one in found] == ["", "A", "", "F"]
    assert [one == read_genotype(ONE, None, "x") for one in found] == [False, False, True, True]
    for name in ("A", "B", "C", "D"):
        assert read_genotype(text, name, "x") == found[1]
    with pytest.raises(InvalidArgument, match=r'"4 genotypes": FILE:NAME of one of A, C, D, B, F'):
        read_genotype(text, None, "x")
    with pytest.raises(InvalidArgument, match=r'"2 genotypes": one of a name'):
        read_genotype(f"{ONE}\n{OTHER}", None, "x")


def test_lists_may_be_put_together():
    nodes = "[('a', 0)] + list((('b', 1),)) + [('a', 0), ('b', 1)]"
    found = read_genotype(LINE.format(nodes, "list(range(3, 4))"), None, "x")
    assert found.sample == read_genotype(LINE.format([("a", 0), ("b", 1), ("a", 0), ("b", 1)], [3]), None, "x").sample


def test_what_is_written_can_be_imported_where_nothing_else_is():
    namespace: dict[str, Any] = {}
    exec(read_genotype(LINE.format(NORMAL, [2, 3]), None, "x").text("found"), namespace)
    assert namespace["found"].normal == NORMAL and namespace["found"].reduce_concat == [2, 3]
    exec(read_genotype(ONE, None, "x").text("found"), namespace)
    assert namespace["found"]._fields == ("normal", "reduce")


def test_nothing_is_run(tmp_path):
    line = f"G = Genotype(normal=open({str(tmp_path / 'made')!r}, 'w'), reduce=[])"
    with pytest.raises(InvalidArgument, match="written out"):
        read_genotype(line, None, "x")
    assert not (tmp_path / "made").exists()
