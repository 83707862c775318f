"""A cell as an SVG file of its own, which any viewer shows as the report's page does."""

from __future__ import annotations

import re
from importlib import resources

from nni_strategies.report.drawing import draw
from nni_strategies.topology.graph import TopologyGraph

_RULE = re.compile(r"(svg\.cell[^{}]*)\{([^{}]*)\}")
_VARIABLE = re.compile(r"(--[\w-]+):\s*([^;}]+)")


def picture(graph: TopologyGraph, description: str = "") -> str | None:
    """Return the drawing of `graph` as the text of an SVG file; None when nothing arrives at its output."""
    drawn = draw(graph, description)
    if not drawn.startswith("<svg "):
        return None
    style = '<rect width="100%" height="100%" fill="white"/><style>' + "".join(_rules()) + "</style>"
    opened = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return opened.replace(">", f">{style}", 1) + "\n"


def _rules() -> list[str]:
    """Return the page's rules for drawings, with its variables filled in: few viewers but browsers know them."""
    css = resources.files("nni_strategies.report").joinpath("style.css").read_text(encoding="utf-8")
    values = {name: value.strip() for name, value in reversed(_VARIABLE.findall(css))}
    rules = [f"{selector.strip()} {{{' '.join(body.split())}}}" for selector, body in _RULE.findall(css)]
    return [re.sub(r"var\((--[\w-]+)\)", lambda found: values[found[1]], rule) for rule in rules]
