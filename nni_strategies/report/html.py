"""The few pieces of HTML that all sections of the page are made of; every text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from nni_strategies.report.figures import Figure, embed, number


def text(value: Any) -> str:
    """Return any value as escaped text."""
    return escape(number(value))


def figure(drawn: Figure, name: str) -> str:
    """Return the place of a figure, with its data; `name` is read out to those who cannot see it."""
    data = f'<script type="application/json">{embed(drawn)}</script>'
    height = int(drawn["layout"]["height"])
    return f'<div class="figure" role="img" aria-label="{escape(name)}" style="height:{height}px">{data}</div>'


def section(identity: str, title: str, lead: str, *parts: str, long: bool = False) -> str:
    """Return one section; `lead` says in a sentence what it shows."""
    kind = ' class="long"' if long else ""
    said = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{identity}"{kind}><h2>{escape(title)}</h2>{said}{"".join(parts)}</section>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, classes: Sequence[str] = ()) -> str:
    """Return a table of cells that are HTML already; `classes` are those of the columns."""
    kinds = [f' class="{kind}"' if kind else "" for kind in (classes or [""] * len(columns))]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(columns, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{k}>{cell}</td>' for cell, k in zip(row, kinds, strict=True))}</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def chips(configuration: Mapping[str, Any]) -> str:
    """Return a configuration as a row of ``label value`` pairs."""
    pairs = "".join(f"<span><i>{escape(label)}</i>{text(value)}</span>" for label, value in configuration.items())
    return f'<div class="chips mono">{pairs}</div>'


def fold(summary: str, content: str, *, opened: bool = False) -> str:
    """Return content that can be folded away."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{content}</details>"
