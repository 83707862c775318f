"""Curves and bands are drawn where their numbers say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from experiments.benchmarks import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"
CURVE = [(1.0, 10.0), (10.0, 1.0), (100.0, 0.1)]


def points(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in element.attrib["points"].split())]


def test_a_curve_lies_on_the_diagonal_of_two_decades():
    root = ElementTree.fromstring(svg.log_curves({"f": {"ours": CURVE}}, "n", "y", (0.1, 10.0)))
    (line,) = root.iter(f"{NAMESPACE}polyline")
    assert points(line) == [(0.0, 0.0), (150.0, 120.0), (300.0, 240.0)]
    assert not list(root.iter(f"{NAMESPACE}polygon"))


def test_a_linear_axis_has_negative_values_too():
    curve = [(1.0, -1.0), (10.0, 1.0), (100.0, 3.0)]
    root = ElementTree.fromstring(svg.log_curves({"f": {"ours": curve}}, "n", "y", (-1, 3), levels=range(-1, 4)))
    (line,) = root.iter(f"{NAMESPACE}polyline")
    assert points(line) == [(0.0, 240.0), (150.0, 120.0), (300.0, 0.0)]
    told = [text.text for text in root.iter(f"{NAMESPACE}text")]
    assert told[1:6] == ["-1", "0", "1", "2", "3"]


def test_a_band_goes_along_its_low_edge_and_back_along_its_high_one():
    band = [(1.0, 1.0, 10.0), (10.0, 0.1, 1.0), (100.0, 0.001, 0.1)]  # the last low one is below what is drawn
    panels, bands = {"f": {"ours": CURVE}}, {"f": {"ours": band}}
    drawn = svg.log_curves(panels, "n", "y", (0.1, 10.0), bands=bands, note="half & half")
    (shape,) = ElementTree.fromstring(drawn).iter(f"{NAMESPACE}polygon")
    assert points(shape) == [(0, 120), (150, 240), (300, 240), (300, 240), (150, 120), (0, 0)]
    assert shape.attrib["fill"] == svg.COLOURS[0] and float(shape.attrib["fill-opacity"]) < 0.2
    assert drawn.index("<polygon") < drawn.index("<polyline")  # below the curves
    assert ">half &amp; half</text>" in drawn


def test_what_is_level_needs_its_two_ends_only():
    level = [(float(n), 1.0, 10.0) for n in range(1, 101)]
    drawn = svg.log_curves({"f": {"ours": CURVE}}, "n", "y", (0.1, 10.0), bands={"f": {"ours": level}})
    (shape,) = ElementTree.fromstring(drawn).iter(f"{NAMESPACE}polygon")
    assert points(shape) == [(0, 120), (300, 120), (300, 0), (0, 0)]


def test_the_first_tick_is_the_left_end():
    drawn = svg.log_curves({"f": {"ours": [(50.0, 1.0), (5000.0, 1.0)]}}, "n", "y", (0.1, 10.0), ticks=(50, 500, 5000))
    (line,) = ElementTree.fromstring(drawn).iter(f"{NAMESPACE}polyline")
    assert points(line) == [(0, 120), (300, 120)]
    assert re.findall(r'<text x="([\d.]+)" y="256" text-anchor="middle">(\d+)<', drawn) == [
        ("0.0", "50"),
        ("150.0", "500"),
        ("300.0", "5000"),
    ]
