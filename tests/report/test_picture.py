"""A drawing as an SVG file that stands alone."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from nni_strategies.report.picture import picture
from nni_strategies.topology.graph import TopologyGraph


def test_it_is_well_formed_and_needs_nothing_else():
    graph = TopologyGraph.from_edges([(0, 1, "nor_conv_3x3"), (0, 1, "skip_connect")]).canonical()
    text = picture(graph, 'cell "a" <b> of trial 3')
    assert text is not None
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(filter(None, labels)) == ["+", "conv 3×3", "in", "out"]
    style = next(root.iter("{http://www.w3.org/2000/svg}style")).text
    assert style is not None and "svg.cell .conv rect" in style
    assert "var(" not in text  # only browsers know CSS variables
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_dead_cell_has_no_picture():
    assert picture(TopologyGraph.from_edges([(0, 1, "none")]).canonical()) is None
