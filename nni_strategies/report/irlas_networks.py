"""Experts beside the best networks of a search, drawn in the same operations, each with S."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import fmean

from nni_strategies.report import html
from nni_strategies.report.blocks import blocks_reader
from nni_strategies.report.drawing import draw, tidy
from nni_strategies.report.irlas import IMITATION, Expert, Guidance
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.topology.topology import Block

_NETWORKS = 3
_BLOCKS = 4  # of one network
_SIGNS = {"add": "+", "concat": "‖", "mul": "×"}  # as they are drawn


def imitation(guided: Guidance, experiment: ExperimentRecord) -> str | None:
    """Return a warning where the best networks are hardly more than copies of the experts."""
    mean = guided.best_stimuli(experiment)
    if mean is None or mean <= IMITATION:
        return None
    return (
        f"Imitation, not search: the ten best networks have S = {mean:.2f} on average, and an expert itself has 1. "
        "A lower lam or beta, or other experts, would look further."
    )


def networks_section(guided: Guidance, experiment: ExperimentRecord) -> str:
    """Return the section."""
    experts = "".join(_expert(one) for one in sorted(guided.experts, key=lambda one: -one.stimuli))
    cards, problem = _best(guided, experiment)
    lead = (
        "S says how much a network resembles the experts. Random networks of this space have 0 on average, the expert "
        "that the others resemble most has 1. Both sides are drawn in the same operations."
    )
    sides = f"<div><h3>Experts</h3>{experts}</div><div><h3>Best networks of this search</h3>{cards}</div>"
    said = "".join(f'<p class="note">{text}</p>' for text in (problem, means(guided, experiment)) if text)
    return html.section(
        "experts", "Experts and best networks", lead, f'<div class="sides">{sides}</div>', said, long=True
    )


def _expert(expert: Expert) -> str:
    head = f"<b>S = {expert.stimuli:.2f}</b><span>{escape(expert.name)}</span>"
    drawing = f'<div class="scroll">{draw(expert.graph, f"block of {expert.name}")}</div>'
    said = f'<p class="note">{translation(expert)}</p>'
    return f'<article class="architecture"><header>{head}</header>{drawing}{said}</article>'


def translation(expert: Expert) -> str:
    """Return how an expert was put into the operations of the space, as HTML."""
    pairs = ", ".join(f"{_word(old)} as {_word(new)}" for old, new in expert.replaced.items())
    said = f"In operations of the space: {pairs}." if pairs else ""
    if expert.unmapped:
        return f"{said} Nothing in the space stands for {expert.unmapped:.0%} of its operations.".strip()
    return said or "The space has all of its operations."


def _word(label: str) -> str:
    return escape(_SIGNS.get(label) or tidy(label))


def _best(guided: Guidance, experiment: ExperimentRecord) -> tuple[str, str]:
    """Return the best distinct networks that have a score, and what could not be drawn."""
    read = blocks_reader(experiment)
    cards: list[str] = []
    seen: list[set[tuple[str, int]]] = []
    problem = ""
    for trial in experiment.ranked:
        if trial.id not in guided.stimuli:
            continue
        try:
            blocks = read(trial.configuration)
        except Exception as error:  # what reads topologies may be anyone's
            problem = problem or f"Trial {trial.id} cannot be drawn: {escape(str(error))}"
            blocks = ()
        made_of = {(block.graph.digest, block.count) for block in blocks}
        if made_of and made_of in seen:
            continue
        seen.append(made_of)
        cards.append(_network(trial, guided.stimuli[trial.id], blocks))
        if len(cards) == _NETWORKS:
            break
    return "".join(cards), problem


def _network(trial: TrialRecord, stimuli: float, blocks: Sequence[Block]) -> str:
    facts = [f"metric {html.text(trial.metric)}", f"trial {trial.id}"]
    if "latency_ms" in trial.metrics:
        facts.append(f"{html.text(trial.metrics['latency_ms'])} ms")
    head = f"<b>S = {stimuli:.2f}</b>" + "".join(f"<span>{fact}</span>" for fact in facts)
    drawn = ""
    for block in blocks[:_BLOCKS]:
        name = f"{block.name}, {block.count} times" if block.count > 1 else block.name
        caption = f"<figcaption>{escape(name)}</figcaption>" if len(blocks) > 1 or block.count > 1 else ""
        picture = draw(block.graph, f"{name} of trial {trial.id}")
        drawn += f'<figure><div class="scroll">{picture}</div>{caption}</figure>'
    rest = len(blocks) - _BLOCKS
    more = f'<p class="note">{rest} more kinds of blocks are not drawn.</p>' if rest > 0 else ""
    body = f'<div class="cells">{drawn}</div>{more}'
    return f'<article class="architecture"><header>{head}</header>{body}</article>'


def means(guided: Guidance, experiment: ExperimentRecord) -> str:
    """Return S on average, of all and of the best, and how many trials could not be scored."""
    scores = list(guided.stimuli.values())
    parts = [f"S is {fmean(scores):.2f} on average over {len(scores):,} trials"] if scores else []
    best = guided.best_stimuli(experiment)
    if best is not None:
        parts.append(f"{best:.2f} over the ten best")
    said = ", ".join(parts) + "." if parts else ""
    if guided.unreadable:
        said += f" The topology of {guided.unreadable:,} trials could not be read; they count as random ones, S = 0."
    return said
