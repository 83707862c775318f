"""The layers of a teacher beside those of a candidate: which match, and the RDMs of the pairs.

RDMs are drawn as is customary: each dissimilarity as its percentile among all pairs of the layer, so that maps of
layers of different spread have one scale.
"""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
import numpy.typing as npt

from nni_strategies.pairs import n_items, square
from nni_strategies.ranks import average_ranks
from nni_strategies.report import html
from nni_strategies.report.correlation import spearman
from nni_strategies.report.teacher_files import TeacherDetails

Array = npt.NDArray[np.float64]

_LIGHT, _DARK = (0xF4, 0xF8, 0xFC), (0x14, 0x47, 0x7F)
_LEVELS = 64
_MOST_LAYERS = 6
_METHODS = {"cka": "linear CKA", "pearson": "Pearson", "spearman": "Spearman", "rho-a": "rho-a", "cosine": "cosine"}


def details_sections(details: TeacherDetails | None) -> list[str]:
    """Return the sections about one candidate's layers; none without details."""
    return [] if details is None else [_matching(details), _heat_maps(details)]


def _matching(details: TeacherDetails) -> str:
    known = [x for row in details.matrix for x in row if x is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    rows = []
    for name, row in zip(details.teacher_layers, details.matrix, strict=True):
        best = [details.match.get(name) == layer for layer in details.candidate_layers]
        rows.append([escape(name), *(_cell(x, low, high, is_best) for x, is_best in zip(row, best, strict=True))])
    columns = ["teacher ↓   candidate →", *details.candidate_layers]
    listed = html.table(columns, rows, classes=["", *["n"] * len(details.candidate_layers)])
    how = f", by {_METHODS.get(details.method, details.method)}" if details.method else ""
    whose = f"the teacher’s layers and those of {_which(details)}"
    lead = f"How alike {whose} are{escape(how)}. The outlined matches count for TG."
    notes = []
    if any(x is None for row in details.matrix for x in row):
        notes.append("– : the layer says nothing about the stimuli.")
    if details.approximate:
        notes.append(f"Of {', '.join(sorted(details.approximate))} a sample of units was looked at.")
    note = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    return html.section("layers", "Which layers match", lead, f'<div class="matching">{listed}</div>', note)


def _cell(value: float | None, low: float, high: float, best: bool) -> str:
    if value is None:
        return "–"
    share = (value - low) / (high - low) if high > low else 1.0
    ink = "#ffffff" if share > 0.55 else "#1f2933"
    kind = ' class="best" title="best match"' if best else ""
    return f'<span{kind} style="background:{_color(share)};color:{ink}">{value:.2f}</span>'


def _heat_maps(details: TeacherDetails) -> str:
    title = "What teacher and candidate tell apart"
    if details.problem:
        return html.section("rdms", title, f"Not shown for {_which(details)}: {escape(details.problem)}.")
    layers = [name for name in details.teacher_layers if details.match.get(name) in details.candidate_rdms]
    shown = layers[-_MOST_LAYERS:]
    n = _size(details.teacher_rdms[shown[-1]]) if shown else 0
    if not shown:
        return ""
    order = similarity_order(details.teacher_rdms[shown[-1]])
    kept = "" if n == details.n_stimuli else f" of {details.n_stimuli}"
    lead = (
        f"Representational dissimilarity matrices of {n}{kept} stimuli, the teacher’s layers and their matches in "
        f"{_which(details)}. Each dissimilarity is drawn as its percentile in its own map. All have the stimuli in "
        f"one order, by clusters of the teacher’s {escape(shown[-1])}: where the candidate has the teacher’s dark "
        "blocks, it finds the same stimuli alike."
    )
    ramp = '<p class="ramp note">alike, 0 %<i></i>100 %, unlike</p>'
    maps = "".join(_pair(details, name, order) for name in shown)
    stored = "".join(_pair(details, name, np.arange(n)) for name in shown)
    fold = html.fold("In the order the stimuli are stored", f'<div class="rdms">{stored}</div>')
    rest = len(layers) - len(shown)
    note = f'<p class="note">{rest} earlier layers of the teacher are not drawn.</p>' if rest else ""
    return html.section("rdms", title, lead, ramp, f'<div class="rdms">{maps}</div>', fold, note, long=True)


def _pair(details: TeacherDetails, name: str, order: npt.NDArray[np.intp]) -> str:
    match = details.match[name]
    teacher, candidate = details.teacher_rdms[name], details.candidate_rdms[match]
    likeness = spearman(teacher.tolist(), candidate.tolist()).value
    said = "" if likeness is None else f"<span>the maps’ rank correlation {likeness:.2f}</span>"
    drawn = "".join(
        f'<figure><img src="{picture(rdm, order)}" alt="{escape(_alternative(who, layer, rdm))}">'
        f"<figcaption>{escape(who)}: {escape(layer)}</figcaption></figure>"
        for who, layer, rdm in (("teacher", name, teacher), ("candidate", match, candidate))
    )
    return f'<div class="rdm"><h3>{escape(name)}{said}</h3><div>{drawn}</div></div>'


def _alternative(who: str, layer: str, rdm: Array) -> str:
    n = _size(rdm)
    return f"heat map of the RDM of the {who}’s layer {layer}, {n} × {n} stimuli, percentiles"


def _which(details: TeacherDetails) -> str:
    best = "the best" if details.rank == 1 else f"the best that left files, #{details.rank}"
    return f"trial {details.trial.id} ({best})"


def picture(rdm: Array, order: npt.NDArray[np.intp]) -> str:
    """Return the heat map of an RDM ``[n_pairs]`` as a PNG in a data URI, a pixel a pair, dark where alike."""
    from PIL import Image  # read only when a map is drawn

    ranks = square(percentiles(rdm), _size(rdm))[np.ix_(order, order)]
    levels = np.minimum(ranks * _LEVELS, _LEVELS - 1).astype(np.uint8)
    drawn = Image.fromarray(levels)
    drawn.putpalette([part for i in range(_LEVELS) for part in _rgb(1.0 - i / (_LEVELS - 1))])
    file = io.BytesIO()
    drawn.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def percentiles(rdm: Array) -> Array:
    """Return the rank of each dissimilarity ``[n_pairs]`` in 0..1, ties averaged."""
    return average_ranks(rdm) / max(len(rdm) - 1, 1)


def similarity_order(rdm: Array) -> npt.NDArray[np.intp]:
    """Return an order of the stimuli that puts alike ones side by side: the leaves of average linkage, best turned."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    return np.asarray(leaves_list(linkage(rdm, "average", optimal_ordering=True)), dtype=np.intp)


def _size(rdm: Array) -> int:
    n = n_items(len(rdm))
    assert n is not None, "looked at when it was read"
    return n


def _rgb(share: float) -> tuple[int, int, int]:
    """Return the colour of a share of darkness."""
    red, green, blue = (round(light + share * (dark - light)) for light, dark in zip(_LIGHT, _DARK, strict=True))
    return red, green, blue


def _color(share: float) -> str:
    return "#{:02x}{:02x}{:02x}".format(*_rgb(share))
