"""TG: how much a candidate's layers resemble the teacher's.

For every teacher layer t the best match over the candidate's layers, TG = sum_t w_t max_c sim(t, c), w summing to 1
(Bashivan, Tensen, DiCarlo 2019, 1808.01405; the paper: uniform weights). No order of the layers is enforced; with
``ordered`` a later teacher layer is matched by a candidate layer that is not earlier, the best such assignment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.classes import StimulusClasses
from nni_strategies.rsa.layers import MAX_LAYERS, discover_layers
from nni_strategies.rsa.rdm import correlation_rdm, dead_rows, is_informative
from nni_strategies.rsa.similarity import gram_signature
from nni_strategies.rsa.taps import layer_grams
from nni_strategies.rsa.teacher import Teacher
from nni_strategies.rsa.untouched import BATCH_NORM, as_input, unwrapped

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoreOptions:
    """How a candidate is looked at.

    Parameters
    ----------
    layers
        Of the candidate: ``auto``, ``all``, names or a regular expression.
    max_layers
        Most of them, where found automatically.
    layer_weights
        Of the teacher's layers; uniform when None.
    ordered
        Whether matches have to keep the order of the layers.
    bn
        ``running`` or ``batch`` statistics.
    budget
        Bytes of activations at a time; None takes 512 MB, or a fifth of what is free on the candidate's GPU.
    batch_size
        Stimuli a forward pass; None chooses.

    Raises
    ------
    InvalidArgument
        Numbers that are no positive integers, layers that are no names, statistics that there are not, weights that are
        negative, not finite or all 0.
    """

    layers: str | tuple[str, ...] = "auto"
    max_layers: int = MAX_LAYERS
    layer_weights: tuple[float, ...] | None = None
    ordered: bool = False
    bn: str = "running"
    budget: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.bn not in BATCH_NORM:
            raise InvalidArgument("bn", self.bn, f"one of {list(BATCH_NORM)}", BATCH_NORM)
        for name in ("max_layers", "budget", "batch_size"):
            value, optional = getattr(self, name), name != "max_layers"
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(name, value, "a positive integer" + (", or None" if optional else ""))
        layers, weights = self.layers, self.layer_weights
        if not isinstance(layers, str):
            if not isinstance(layers, (list, tuple)) or not layers or not all(isinstance(x, str) for x in layers):
                raise InvalidArgument("layers", layers, "auto, all, a regular expression or a list of names")
            object.__setattr__(self, "layers", tuple(layers))
        if weights is None:
            return
        numbers = isinstance(weights, (list, tuple)) and all(
            isinstance(w, (int, float)) and not isinstance(w, bool) and math.isfinite(w) and w >= 0.0 for w in weights
        )
        if not numbers or not 0.0 < sum(weights) < math.inf:
            raise InvalidArgument("layer_weights", weights, "a list of numbers of at least 0, not all of them 0")
        object.__setattr__(self, "layer_weights", tuple(weights))


@dataclass(frozen=True)
class ScoreResult:
    """What a candidate scored.

    Parameters
    ----------
    tg
        The teacher-guided score; NaN when no layer of the candidate says anything.
    per_layer
        By teacher layer, the similarity of its best match.
    match
        By teacher layer, the name of that match.
    matrix
        All similarities, ``[n_teacher_layers, n_candidate_layers]``; -inf where a layer says nothing.
    candidate_layers
        Names, in the order of the columns.
    rdms
        The candidate's RDMs, ``[n_candidate_layers, n_pairs]``.
    seconds
        It took.
    approximate
        Layers of which only a sample of units was looked at.
    onehot
        The TG of a teacher that knows the stimuli's classes and nothing else; NaN where they are not known.
    cross_entropy
        Of a classifier on the stimuli; NaN likewise.
    """

    tg: float
    per_layer: dict[str, float]
    match: dict[str, str]
    matrix: Array
    candidate_layers: tuple[str, ...]
    rdms: Array
    seconds: float
    approximate: frozenset[str] = field(default_factory=frozenset)
    onehot: float = math.nan
    cross_entropy: float = math.nan


class TeacherScorer:
    """Scores candidates against one teacher.

    Parameters
    ----------
    teacher
        From :func:`~nni_strategies.rsa.teacher.load_teacher`.
    options
        How candidates are looked at; the defaults when None.
    stimuli
        What a candidate is shown, ``[n_stimuli, ...]``; read from the teacher's file when None.

    Raises
    ------
    InvalidArgument
        The stimuli do not match the teacher's RDMs, or the weights its layers.
    """

    def __init__(
        self, teacher: Teacher, options: ScoreOptions | None = None, *, stimuli: torch.Tensor | None = None
    ) -> None:
        self.teacher = teacher
        self.options = options if options is not None else ScoreOptions()
        self.stimuli = stimuli if stimuli is not None else teacher.spec.stimuli.load()
        group = teacher.spec.group
        shown = teacher.n if group is None else len(group)
        if len(self.stimuli) != shown:
            raise InvalidArgument("stimuli", len(self.stimuli), f"as many as the teacher saw, {shown}")
        self._group = None if group is None else np.array(group)
        self._classes = StimulusClasses.of(teacher.spec) if stimuli is None else None
        weights = self.options.layer_weights or (1.0,) * len(teacher.spec.layers)
        if len(weights) != len(teacher.spec.layers):
            raise InvalidArgument("layer_weights", list(weights), f"one for each of {list(teacher.spec.layers)}")
        self._weights = np.array(weights) / sum(weights)

    def score(self, model: nn.Module) -> ScoreResult:
        """Return a candidate's score; the candidate is left as it was.

        Raises
        ------
        InvalidArgument
            A layer that was asked for is not in the model, or none gives a row a stimulus.
        """
        start, options, model = time.perf_counter(), self.options, unwrapped(model)
        layers = discover_layers(model, as_input(model, self.stimuli[:2]), options.layers, options.max_layers)
        made = layer_grams(
            model, self.stimuli, layers, budget=options.budget, batch_size=options.batch_size, bn=options.bn
        )
        names = tuple(layer.name for layer in layers if layer.name in made.grams)
        if not names:
            allowed = "layers that give as many rows as they are shown stimuli, whatever the batch"
            raise InvalidArgument("layers", [layer.name for layer in layers], allowed)
        signatures, rdms, informative = [], [], []
        for name in names:
            sums = made.grams[name]
            if self._group is not None:
                sums = sums.averaged(self._group)
            rdms.append(correlation_rdm(sums))
            informative.append(is_informative(rdms[-1], dead_rows(sums)))
            signatures.append(gram_signature(sums, self.teacher.spec.method))
        matrix = self.teacher.signatures @ np.stack(signatures).T
        matrix[:, ~np.array(informative)] = -np.inf
        result = self._result(matrix, names, np.stack(rdms), made.approximate)
        if self._classes is not None and result.match:
            alike = np.stack(signatures)[np.array(informative)] @ self._classes.signature
            entropy = self._classes.cross_entropy(made.logits)
            result = replace(result, onehot=float(alike.max()), cross_entropy=entropy)
        return replace(result, seconds=time.perf_counter() - start)

    def _result(self, matrix: Array, names: tuple[str, ...], rdms: Array, approximate: set[str]) -> ScoreResult:
        teacher_layers = self.teacher.spec.layers
        if not np.isfinite(matrix).any():
            return ScoreResult(np.nan, {}, {}, matrix, names, rdms, 0.0, frozenset(approximate))
        chosen = ordered_match(matrix, self._weights) if self.options.ordered else matrix.argmax(axis=1)
        best = matrix[np.arange(len(matrix)), chosen]
        return ScoreResult(
            float(self._weights @ best),
            dict(zip(teacher_layers, best.tolist(), strict=True)),
            {name: names[i] for name, i in zip(teacher_layers, chosen.tolist(), strict=True)},
            matrix,
            names,
            rdms,
            0.0,
            frozenset(approximate),
        )


def ordered_match(matrix: Array, weights: Sequence[float] | Array) -> npt.NDArray[np.intp]:
    """Return for each teacher layer a candidate layer, none earlier than that of the layer before, of highest sum.

    Parameters
    ----------
    matrix
        Similarities ``[n_teacher, n_candidate]``.
    weights
        Of the teacher's layers, ``[n_teacher]``.
    """
    gains = np.asarray(weights)[:, None] * np.where(np.isfinite(matrix), matrix, -1e6)
    total = gains[0]
    came: list[npt.NDArray[np.intp]] = []
    for row in gains[1:]:
        before = np.maximum.accumulate(total)
        reached = np.where(total >= before, np.arange(len(total)), 0)
        came.append(np.maximum.accumulate(reached))
        total = row + before
    chosen = [int(total.argmax())]
    for step in reversed(came):
        chosen.append(int(step[chosen[-1]]))
    return np.array(chosen[::-1])
