"""Mirror stimuli: one number that says how much a topology resembles the expert networks.

F(b) is the mean (or the largest) of the similarities (:mod:`.similarity`) of a block b to the experts, m its mean over
2,000 uniform members of the space, and

    S(b) = clip((F(b) - m) / (max_E F(E) - m), -1, 1)

so that a random network has 0 on average and the expert that the others resemble most has 1. An architecture of
several blocks scores the mean over its distinct blocks, weighted by how often they repeat: depth alone raises nothing.

Everything is frozen when the stimuli are fitted, before the first trial, so that a score never changes its meaning.

Deviations from IRLAS (Guo et al., 1812.05285), whose guidance is a linear projection of one expert's encoding learned
by inverse reinforcement learning: the default similarity is bounded and not linear, since under no linear projection of
the measured encodings the expert was the best block there is; there are several experts. The paper's form is an option
(``features="nsc_raw_window"``), with a report on what was learned.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas import linear
from nni_strategies.irlas.irl.report import IRLReport
from nni_strategies.irlas.nsc_features import FEATURES
from nni_strategies.irlas.similarity import (
    MEASURES,
    REDUCES,
    Measure,
    Reduce,
    Similarity,
    WLSimilarity,
    learned_wl,
)
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.graph_json import graph_from_json, graph_to_json
from nni_strategies.topology.topology import Block

__all__ = ["IRL", "MEASURES", "REDUCES", "Measure", "Reduce", "Stimuli"]

Scores = npt.NDArray[np.float64]

#: How weights are learned: ``none`` and ``kernel`` with ``wl``, the others with linear features.
IRL = ("none", "kernel", *linear.METHODS)

_FORMAT = 1
_KEPT = 4096  # blocks whose similarity is known

_Key = tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]


class Stimuli:
    """Frozen mirror stimuli.

    Parameters
    ----------
    experts
        Name -> canonical graph, in the operations of the space.
    reference
        F of uniform members of the space, ``[n_members]``; empty before :meth:`fit`.
    measure
        ``cosine`` of square-root histograms of rounds 0 and 1, or weighted ``jaccard`` of rounds 0 to 2.
    reduce
        ``mean`` or ``max`` over the experts.
    similarity
        What gives F, in place of `measure`.

    Attributes
    ----------
    reports
        What inverse reinforcement learning found, by expert; empty where nothing was learned.

    Raises
    ------
    InvalidArgument
        No expert, or an unknown measure or reduction.
    """

    def __init__(
        self,
        experts: Mapping[str, TopologyGraph],
        reference: Sequence[float] | Scores = (),
        *,
        measure: Measure = "cosine",
        reduce: Reduce = "mean",
        similarity: Similarity | None = None,
    ) -> None:
        if not experts:
            raise InvalidArgument("experts", [], "at least one expert")
        if reduce not in REDUCES:
            raise InvalidArgument("reduce", reduce, f"one of {', '.join(REDUCES)}", REDUCES)
        self.experts = dict(experts)
        self.reduce = reduce
        self._by_expert: Similarity = similarity if similarity is not None else WLSimilarity(experts, measure)
        self.reports: dict[str, IRLReport] = {}
        self._known: OrderedDict[_Key, float] = OrderedDict()
        self.reference = np.sort(np.asarray(reference, dtype=np.float64))

    @classmethod
    def fit(
        cls,
        experts: Mapping[str, TopologyGraph],
        members: Sequence[Sequence[Block]],
        *,
        measure: Measure = "cosine",
        reduce: Reduce = "mean",
        features: str = "wl",
        irl: str = "none",
    ) -> Stimuli:
        """Learn what is to be learned, then freeze the scale on members of the space.

        Parameters
        ----------
        members
            Blocks of uniform draws, ``[n_members][n_blocks]``.
        features
            ``wl``, or one of :data:`~nni_strategies.irlas.nsc_features.FEATURES` for the paper's linear reward.
        irl
            How weights are learned, one of :data:`IRL`; ``kernel`` is of the Jaccard measure, whatever `measure` is.

        Raises
        ------
        InvalidArgument
            No members, or every one resembles the experts alike; features and `irl` that do not go together; an
            expert below the members' average.
        """
        check_features(features, irl)
        graphs = [block.graph for blocks in members for block in blocks]
        reports: dict[str, IRLReport] = {}
        if features != "wl":
            similarity: Similarity = (learned := linear.learned_linear(experts, graphs, features, irl))
            reports = learned.reports
        elif irl == "kernel":
            similarity, reports = learned_wl(experts, graphs)
        else:
            similarity = WLSimilarity(experts, measure)
        bare = cls(experts, reduce=reduce, similarity=similarity)
        values = [bare.similarity_of(blocks) for blocks in members]
        if not values or max(values) - min(values) < 1e-12:
            told = f"such that members of the space differ in it ({len(values)} members, all alike to the experts)"
            raise InvalidArgument("experts", list(experts), told)
        fitted = cls(experts, values, reduce=reduce, similarity=similarity)
        fitted.reports = reports
        if fitted.top <= fitted.mean:
            told = f"such that experts are above a random member: at most {fitted.top:.3g} of {fitted.mean:.3g}"
            raise InvalidArgument("experts", list(experts), told)
        return fitted

    # -- F ----------------------------------------------------------------------------------------

    def similarity(self, graph: TopologyGraph) -> float:
        """Return F of one canonical block."""
        key = graph.labels, graph.predecessors
        if key not in self._known:
            each = self._by_expert.by_expert(graph)
            self._known[key] = max(each) if self.reduce == "max" else sum(each) / len(each)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    def similarity_of(self, blocks: Sequence[Block]) -> float:
        """Return the mean F of an architecture's distinct blocks, weighted by their counts."""
        total = sum(block.count for block in blocks)
        return sum(block.count * self.similarity(block.graph) for block in blocks) / total if total else 0.0

    # -- S ----------------------------------------------------------------------------------------

    @cached_property
    def mean(self) -> float:
        """F of a random member of the space, on average."""
        return float(self.reference.mean()) if self.reference.size else 0.0

    @cached_property
    def top(self) -> float:
        """The highest F of an expert."""
        return max(self.similarity(graph) for graph in self.experts.values())

    @cached_property
    def sd(self) -> float:
        """Standard deviation of S over uniform members of the space."""
        return float(np.std([self.scaled(value) for value in self.reference])) if self.reference.size else 0.0

    def scaled(self, value: float) -> float:
        """Return S of a similarity F."""
        return float(np.clip((value - self.mean) / max(self.top - self.mean, 1e-12), -1.0, 1.0))

    def score(self, graph: TopologyGraph) -> float:
        """Return S in [-1, 1] of one canonical block."""
        return self.scaled(self.similarity(graph))

    def scores(self, graphs: Sequence[TopologyGraph]) -> Scores:
        """Return S of many canonical blocks, ``[n]``."""
        return np.array([self.score(graph) for graph in graphs])

    def normal_score(self, similarity: float | Scores) -> Scores:
        """Return z: where F lies among uniform members of the space, on the scale of a standard normal.

        S puts an expert many standard deviations out. z is the normal quantile of the rank, the middle one of equal
        values, and never beyond what the number of members can tell.
        """
        values = np.asarray(similarity)
        slack, n = 1e-9, len(self.reference)  # equal values may differ by rounding
        below = np.searchsorted(self.reference, values - slack)
        within = np.searchsorted(self.reference, values + slack)
        quantile = ((below + within) / 2 + 0.5) / (n + 1)
        return np.asarray(ndtri(np.clip(quantile, 0.5 / (n + 1), 1 - 0.5 / (n + 1))))

    # -- keeping them -----------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return what defines the stimuli, without the reference: for a journal's header."""
        similarity = self._by_expert.to_json()
        similarity.pop("reports", None)
        return {
            **similarity,
            "reduce": self.reduce,
            "experts": {name: graph_to_json(graph) for name, graph in self.experts.items()},
            "members": len(self.reference),
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON types, see :meth:`from_json`."""
        return {
            "format": _FORMAT,
            "similarity": self._by_expert.to_json(),
            "reduce": self.reduce,
            "experts": {name: graph_to_json(graph) for name, graph in self.experts.items()},
            "reference": [float(value) for value in self.reference],
            "reports": {name: report.to_json() for name, report in self.reports.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Stimuli:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InvalidArgument
            It is of another format, or damaged.
        """
        if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
            raise InvalidArgument("stimuli", document, f"stimuli of format {_FORMAT}")
        try:
            experts = {name: graph_from_json(entry) for name, entry in document["experts"].items()}
            reference = [float(value) for value in document["reference"]]
            given = document["similarity"]
            similarity: Similarity = (
                WLSimilarity(experts, given["measure"], given.get("theta"))
                if given["features"] == "wl"
                else linear.from_json(given)
            )
            read = cls(experts, reference, reduce=document["reduce"], similarity=similarity)
            read.reports = {name: IRLReport.from_json(entry) for name, entry in document["reports"].items()}
            return read
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InvalidArgument):
                raise
            raise InvalidArgument("stimuli", dict(document), f"complete: {error!r}") from error

    def save(self, path: Path | str) -> None:
        """Write everything to a JSON file, in one piece: another search may take it in place of experts."""
        path = Path(path)
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(self.to_json()))
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path | str) -> Stimuli:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InvalidArgument
            A file that cannot be read or is damaged; the message says where.
        """
        try:
            document = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise InvalidArgument("stimuli", str(path), f"a JSON file that can be read: {error}") from None
        return cls.from_json(document)


def check_measure(measure: str, reduce: str) -> None:
    """Refuse an unknown measure or reduction; raises InvalidArgument."""
    if measure not in MEASURES:
        raise InvalidArgument("measure", measure, f"one of {', '.join(MEASURES)}", MEASURES)
    if reduce not in REDUCES:
        raise InvalidArgument("reduce", reduce, f"one of {', '.join(REDUCES)}", REDUCES)


def check_features(features: str, irl: str) -> None:
    """Refuse features or a fit that are unknown or do not go together; raises InvalidArgument."""
    known = ("wl", *FEATURES)
    if features not in known:
        raise InvalidArgument("features", features, f"one of {', '.join(known)}", known)
    if irl not in IRL:
        raise InvalidArgument("irl", irl, f"one of {', '.join(IRL)}", IRL)
    if (features == "wl") != (irl in ("none", "kernel")):
        with_these = ("none", "kernel") if features == "wl" else tuple(linear.METHODS)
        raise InvalidArgument("irl", irl, f"one of {', '.join(with_these)} with features={features!r}", with_these)
