"""NAT for `nnictl`: ``className: nni_strategies.nat.tuner.NATTuner``, or ``name: NAT`` once registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nni_strategies.bridge.class_args import ClassArgs
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.search.study import Study
from nni_strategies.space.search_space import Configuration


class NATTuner(StudyTuner):
    """NAT as an NNI tuner.

    ``classArgs`` are ``optimize_mode``, ``seed``, ``prior``, the fields of
    :class:`~nni_strategies.nat.config.NATConfig`, and ``show``. A tuner sees labels alone: what operations cost,
    ``costs`` says.

    With ``show: true`` NNI's web UI says beside the parameters of each trial which transformation it is: trials get a
    parameter ``_shown`` more, such as ``output of input 2: edge_0_1 conv_3x3 -> skip_connect; MAdds -63 %``, and their
    code has to leave it alone.
    """

    searcher_class: ClassVar[type[Searcher]] = NATSearcher

    def read_args(self, optimize_mode: Any, seed: Any, class_args: Mapping[str, Any]) -> ClassArgs:
        """Read ``show`` too."""
        others = {name: value for name, value in class_args.items() if name != "show"}
        self._show = class_args.get("show", False)
        if not isinstance(self._show, bool):
            raise InvalidArgument("show", self._show, "true or false")
        return super().read_args(optimize_mode, seed, others)

    def shown(self, study: Study, trial: Trial) -> str | None:
        """Return what a trial is for, what it changes, and what that saves.

        Parameters
        ----------
        study
            The search.
        trial
            One that it proposed.
        """
        if not self._show:
            return None
        proposed = (event for event in reversed(study.journal.events) if event["event"] == "proposed")
        remark = next(event["remarks"]["nat"] for event in proposed if event["trial"] == trial.id)
        return transformation_line(remark, trial.configuration)


def transformation_line(remark: Mapping[str, Any], configuration: Configuration) -> str:
    """Return a proposal in a line.

    Parameters
    ----------
    remark
        What the journal says of it, :meth:`~.searcher.NATSearcher.remarks`.
    configuration
        What was proposed.
    """
    if remark["phase"] == "input":
        return f"input {remark['input']}"
    parent = remark["parent"]
    changed = [
        f"{label} {parent[label]} -> {configuration[label]}"
        for label in configuration
        if parent.get(label) != configuration[label]
    ]
    saved = _saved(remark["parent_cost"], remark["cost"])
    name = "query" if remark["phase"] == "query" else f"output of input {remark['input']}"
    return f"{name}: {'; '.join([', '.join(changed) or 'nothing changed', *saved])}"


def _saved(before: Sequence[float], after: Sequence[float]) -> list[str]:
    pairs = zip(("MAdds", "parameters"), before, after, strict=True)
    return [f"{name} {round(100 * (new / old - 1)):+d} %" for name, old, new in pairs if old]
