"""What a fit of the mirror stimuli tells: the weights, and whether they make the expert the best block there is.

An expert is *extreme* when some weights give it a higher reward than every other block of the space. Linear rewards on
discounted counts were never found to do that, for any expert, so no fit returns weights without saying so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.irlas.nsc_features import GAMMA, Array, BlockArray, NSCFeatures

_logger = logging.getLogger(__name__)

Verdict = Literal["extreme", "not extreme", "undecided"]

_FORMAT = 1
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Certificate:
    """Between which bounds the largest margin lies that any weights of norm 1 give the expert.

    Parameters
    ----------
    lower
        The largest margin that weights were found for; negative where another block is better.
    upper
        The distance of the expert's counts from the hull of other blocks' counts.
    verdict
        ``extreme`` when the lower bound is above 0, ``not extreme`` when the upper one is 0 but for rounding.
    """

    lower: float
    upper: float
    verdict: Verdict


@dataclass(frozen=True)
class IRLReport:
    """What a fit found.

    Parameters
    ----------
    method
        ``projection``, ``max_margin``, ``max_entropy`` or ``kernel``.
    features
        Name of the features.
    weights
        Of norm 1 where they are linear; round after round for the kernel.
    margin
        F(expert) less the F of the best other block: of the space where it is linear, of those seen for the kernel.
    certificate
        Bounds of the largest margin possible with these features.
    expert_percentile
        How many of the random blocks with other features the expert beats, in percent.
    gaps
        By iteration, the distance between the expert's feature counts and the policy's: of the mixture of responses
        (projection), of the nearest mixture (max margin), of the distribution (maximum entropy); for the kernel the
        expert's distance from the runner-up, 1 - F, by outer round.
    objectives
        By iteration, what was minimised, where that is something else.
    iterations
        How many there were.
    length_offsets
        What is subtracted from w.mu of blocks of length 2..T; empty: nothing.
    gamma
        The discount of the feature counts, where there are any.
    accepted
        False: what was learned did worse and the weights are those before.
    """

    method: str
    features: str
    weights: tuple[float, ...]
    margin: float
    certificate: Certificate
    expert_percentile: float
    gaps: tuple[float, ...]
    iterations: int
    objectives: tuple[float, ...] = ()
    length_offsets: tuple[float, ...] = ()
    gamma: float = GAMMA
    accepted: bool = True

    @property
    def expert_is_extreme(self) -> bool:
        """Whether it is shown that some weights make the expert the best block of the space."""
        return self.certificate.verdict == "extreme"

    def scores(self, blocks: BlockArray) -> Array:
        """Return the linear reward of blocks, less what is subtracted for their length, ``[n]``.

        Raises
        ------
        InvalidArgument
            It is not linear: the kernel's.
        """
        values = NSCFeatures(self.features, self.gamma).counts(blocks) @ np.array(self.weights)
        if self.length_offsets:
            values -= np.array(self.length_offsets)[blocks.lengths - 2]
        return np.asarray(values)

    def warned(self) -> IRLReport:
        """Log a warning unless these weights make the expert the best block; return the report."""
        if self.expert_is_extreme and self.margin > 0:
            return self
        least = "no weights make" if self.certificate.verdict == "not extreme" else "these weights do not make"
        _logger.warning(
            "%s on %s: %s the expert the best block there is (its margin is %.3g); it beats %.2f %% of random blocks",
            self.method,
            self.features,
            least,
            self.margin,
            self.expert_percentile,
        )
        return self

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON types, see :meth:`from_json`."""
        entries = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"format": _FORMAT, **entries, "expert_is_extreme": self.expert_is_extreme}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> IRLReport:
        """Read what :meth:`to_json` returned.

        Raises
        ------
        InvalidArgument
            It is of another format, or damaged.
        """
        if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
            raise InvalidArgument("report", document, f"a report of format {_FORMAT}")
        entries = {name: value for name, value in document.items() if name not in ("format", "expert_is_extreme")}
        refuse_unknown("report", entries, [field.name for field in fields(cls)])
        try:
            certificate = Certificate(**entries.pop("certificate"))
            lists = {name: tuple(value) for name, value in entries.items() if isinstance(value, list)}
            return cls(certificate=certificate, **{**entries, **lists})
        except (KeyError, TypeError) as error:
            raise InvalidArgument("report", dict(document), f"complete: {error!r}") from error


def percentile(expert: float, others: Array) -> float:
    """Return in how many of 100 cases the expert's reward is higher than another's, ties but for rounding excluded."""
    slack = _ROUNDING * max(1.0, abs(expert))
    return 100.0 * float(np.mean(others < expert - slack))
