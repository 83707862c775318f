r"""Mirror stimuli for NNI's one-shot strategies: in the loss, in the reward, as a filter.

Differentiable strategies (DARTS, GumbelDARTS, Proxyless) minimise, over the architecture parameters alpha,

    L(alpha) = L_val(w, alpha) - lam S(E_alpha[Psi]),

Psi the one-hop features of the sampled topology. ENAS maximises reward + lam S(sample), RandomOneShot draws samples
with S >= min_score. The paper says that its guidance carries over to differentiable search, not how: the formula is
ours.

A profiler's term goes into the loss as NNI defines it, ``aggregate(loss, scale * nonlinear(E[cost] / baseline - 1))``,
with one difference: it has a gradient. NNI's own penalty is fed plain floats, so that with ``aggregate="add"`` it
changes no architecture parameter, and with ``"mul"`` only the size of the step; and it fails where one candidate
costs 0.0, as an identity does, and another an integer.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.mutable import MutableExpression
from nni.nas.oneshot.pytorch.profiler import ExpectationProfilerPenalty, ProfilerFilter, SampleProfilerPenalty
from nni.nas.oneshot.pytorch.supermodule._expression_utils import traverse_all_options
from nni.nas.profiler import ExpressionProfiler
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot.expected_features import EXPERTS, ExpectedStimuli, Experts, experts_of
from nni_strategies.irlas.one_shot.flow import product, total
from nni_strategies.irlas.one_shot.one_hop import Scalar
from nni_strategies.irlas.one_shot.probabilities import live_probabilities, sample_probabilities, supernet_modules

_NONLINEAR = ("linear", "positive", "negative", "absolute")
_AGGREGATE = ("add", "mul")


class SupernetStimuli:
    """S of a supernet; what penalty, reward and filter share.

    Parameters
    ----------
    experts
        Whatever :func:`~nni_strategies.irlas.given_experts.read_experts` reads but stimuli (translated into the
        operations of each block); histograms too.

    Raises
    ------
    InvalidArgument
        No expert, or an unknown one.
    """

    def __init__(self, experts: Experts = EXPERTS) -> None:
        self._experts = experts_of(experts)
        self._bound: tuple[nn.Module, list[Any], ExpectedStimuli] | None = None

    def bind(self, supernet: nn.Module) -> None:
        """Read off a supernet what its blocks are made of.

        Parameters
        ----------
        supernet
            The result of a strategy's ``mutate_model``.

        Raises
        ------
        InvalidArgument
            A supernet that cannot be read, or experts that do not fit it.
        """
        self._bound = supernet, supernet_modules(supernet), ExpectedStimuli(supernet, self._experts)

    def probabilities(self) -> dict[str, dict[Any, Tensor]]:
        """Return the probabilities of now, with a gradient to the architecture parameters."""
        _, modules, _ = self._binding()
        return live_probabilities(modules)

    def expected(self) -> Scalar:
        """Return S for the probabilities of now, with a gradient to the architecture parameters."""
        _, _, stimuli = self._binding()
        return stimuli.score(self.probabilities())

    def of_sample(self, sample: Mapping[str, Any]) -> float:
        """Return S of one sample."""
        supernet, _, stimuli = self._binding()
        return float(stimuli.score(sample_probabilities(supernet, sample)))

    def _binding(self) -> tuple[nn.Module, list[Any], ExpectedStimuli]:
        if self._bound is None:
            raise InvalidArgument("supernet", None, "bound first: use the IRLAS strategies, or call bind(supernet)")
        return self._bound


class MirrorPenalty(ExpectationProfilerPenalty):  # type: ignore[misc]  # NNI has no types
    """The loss minus lam S, for DARTS, GumbelDARTS and Proxyless, with a gradient to the architecture parameters.

    Parameters
    ----------
    experts
        See :class:`SupernetStimuli`.
    lam
        Weight of S, from 0.
    profiler
        A profiler of NNI with an expression (FlopsProfiler, NumParamsProfiler), or none.
    baseline, scale, nonlinear, aggregate
        Of the profiler's term, as in NNI's ``ProfilerPenalty``.

    Raises
    ------
    InvalidArgument
        Naming the field, the value and what is allowed.
    """

    def __init__(
        self,
        experts: Experts = EXPERTS,
        lam: float = 0.1,
        *,
        profiler: Any = None,
        baseline: float = 1.0,
        scale: float = 1.0,
        nonlinear: str = "linear",
        aggregate: str = "add",
    ) -> None:
        check_weight(lam)
        if profiler is not None and not isinstance(profiler, ExpressionProfiler):
            raise InvalidArgument("profiler", type(profiler).__name__, "an ExpressionProfiler, such as FlopsProfiler")
        if not baseline > 0:
            raise InvalidArgument("baseline", baseline, "a number above 0")
        for name, word, words in (("nonlinear", nonlinear, _NONLINEAR), ("aggregate", aggregate, _AGGREGATE)):
            if word not in words:
                raise InvalidArgument(name, word, f"one of {', '.join(words)}", words)
        super().__init__(profiler, baseline, scale, nonlinear=nonlinear, aggregate=aggregate)
        self.lam = lam
        self.stimuli = SupernetStimuli(experts)

    @property
    def is_idle(self) -> bool:
        """Whether the loss stays what it is."""
        return self.lam == 0 and self.profiler is None

    def bind(self, supernet: nn.Module) -> None:
        """See :meth:`SupernetStimuli.bind`."""
        self.stimuli.bind(supernet)

    def forward(self, loss: Tensor, sample: Any = None) -> tuple[Tensor, dict[str, Any]]:
        """Return the new loss, and what it is made of.

        Parameters
        ----------
        sample
            What NNI exports, floats without a gradient; not used.
        """
        details: dict[str, Any] = {"loss_original": loss}
        shaped = loss
        if self.profiler is not None:
            shaped, costs = super().forward(loss, self.stimuli.probabilities())
            details.update(penalty=costs["penalty"], normalized_penalty=costs["normalized_penalty"])
        score: Any = self.stimuli.expected()
        shaped = shaped - self.lam * score.to(loss)
        return shaped, {**details, "stimuli": score, "loss_final": shaped}


    def profile(self, sample: Mapping[str, Any]) -> Scalar:
        """Return the expected cost under live probabilities."""
        return expected_cost(self.profiler.expression, sample)


def expected_cost(expression: Any, probabilities: Mapping[str, Any]) -> Scalar:
    """Return the expectation of a profiler's expression; sums are taken apart, all else is enumerated."""
    if not isinstance(expression, MutableExpression):
        return float(expression)
    function = getattr(expression, "function", None)
    if function in (operator.add, operator.sub):
        first, *others = (expected_cost(each, probabilities) for each in expression.arguments)
        return function(first, total(others))  # type: ignore[no-any-return]
    return total([product(float(cost), p) for cost, p in traverse_all_options(expression, probabilities)])


class MirrorReward(SampleProfilerPenalty):  # type: ignore[misc]
    """The reward plus lam S, for ENAS: NNI's own penalty would reward cost, as its sign is that of a loss.

    Parameters
    ----------
    experts, lam
        As in :class:`MirrorPenalty`.
    """

    def __init__(self, experts: Experts = EXPERTS, lam: float = 0.1) -> None:
        check_weight(lam)
        # no positive scale, of which ENAS would warn: the sign of S is the right one here
        super().__init__(None, 1.0, 0.0)
        self.lam = lam
        self.stimuli = SupernetStimuli(experts)

    @property
    def is_idle(self) -> bool:
        """Whether the reward stays what it is."""
        return self.lam == 0

    def bind(self, supernet: nn.Module) -> None:
        """See :meth:`SupernetStimuli.bind`."""
        self.stimuli.bind(supernet)

    def forward(self, loss: float, sample: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        """Return the new reward, and what it is made of; NNI calls the reward `loss`."""
        score = self.stimuli.of_sample(sample)
        reward = loss + self.lam * score
        return reward, {"reward_original": loss, "stimuli": score, "reward_final": reward}


class MirrorFilter(ProfilerFilter):  # type: ignore[misc]
    """Lets samples with S >= min_score pass, for RandomOneShot.

    Parameters
    ----------
    min_score
        From S = 0, that of choices all alike, to below 1, an expert's. NNI gives up a search when 100 samples in a
        row do not pass.
    experts
        As in :class:`MirrorPenalty`.
    """

    def __init__(self, min_score: float = 0.0, experts: Experts = EXPERTS) -> None:
        if not -math.inf < min_score < 1.0:
            raise InvalidArgument("min_score", min_score, "a number below 1")
        super().__init__(None)
        self.min_score = min_score
        self.is_idle = False
        self.stimuli = SupernetStimuli(experts)

    def bind(self, supernet: nn.Module) -> None:
        """See :meth:`SupernetStimuli.bind`."""
        self.stimuli.bind(supernet)

    def filter(self, sample: Mapping[str, Any]) -> bool:
        """Say whether a sample passes."""
        return self.stimuli.of_sample(sample) >= self.min_score


def check_weight(lam: Any) -> None:
    """Refuse a lam that is no finite number from 0.

    Raises
    ------
    InvalidArgument
        It is none.
    """
    number = isinstance(lam, (int, float)) and not isinstance(lam, bool)
    if not number or not math.isfinite(lam) or lam < 0:
        raise InvalidArgument("lam", lam, "a number from 0")
