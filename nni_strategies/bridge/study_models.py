"""The models of a study's trials: built from configurations, kept alive, and found again when results come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.space import ModelStatus

from nni_strategies.search.searcher import Trial
from nni_strategies.search.study import Study
from nni_strategies.space.from_nni import ModelSpaceView


class StudyModels:
    """Which trial has which model; NNI's engine holds models by weak reference only, so all are kept here.

    Parameters
    ----------
    model_space
        An ``nni.nas`` executable model space.
    view
        The search space the study sees of it.
    """

    def __init__(self, model_space: Any, view: ModelSpaceView) -> None:
        self.view = view
        self._model_space = model_space
        self._models: dict[int, Any] = {}
        self._trials: dict[int, int] = {}  # id of a model -> trial

    def __contains__(self, trial_id: int) -> bool:
        return trial_id in self._models

    def build(self, trial: Trial) -> Any:
        """Return a new model for a trial; raises whatever the model space raises."""
        model = self._model_space.freeze(self.view.sample(trial.configuration))
        self._models[trial.id] = model
        self._trials[id(model)] = trial.id
        return model

    def trial_of(self, model: Any, study: Study) -> int | None:
        """Return the trial a model belongs to: by the model itself, else by its sample; None for another's."""
        known = self._trials.get(id(model))
        if known is None and getattr(model, "sample", None):
            known = study.find(self.view.configuration(model.sample))
        return known

    def with_results(self, trials: Sequence[Trial]) -> Iterator[Any]:
        """Yield the models of trials, each with its own status and final metric."""
        for trial in trials:
            model = self._models[trial.id] if trial.id in self._models else self.build(trial)
            if trial.value is not None:
                model.status, model.metrics.final = ModelStatus.Trained, trial.value
            elif trial.failure is not None:
                model.status = ModelStatus.Failed
            yield model
