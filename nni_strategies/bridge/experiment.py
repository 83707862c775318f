"""NasExperiment: NNI's, started mended, with labels in its web UI, and resumable at any moment.

What it adds to ``nni.nas.experiment.NasExperiment``:

* The manager gives trials the right parameters and listens on this machine only (:mod:`nni_strategies.bridge.launch`).
* ``resume()`` works: NNI's own hangs, and starts beside a manager that survived the Python process.
* The checkpoint is written before the manager starts, and in one piece; a :class:`StudyStrategy` keeps its journal
  there. After a ``kill -9`` at any moment ``run_or_resume()`` goes on.
* ``run()`` waits for the last results, and returns False when the search had to give up.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import numpy as np
from nni.experiment import RunMode
from nni.nas.experiment import NasExperiment as NNINasExperiment
from nni.nas.experiment.config import SimplifiedModelFormatConfig
from nni.nas.strategy.base import Strategy
from nni.nas.strategy.middleware import Chain
from nni.nas.utils.serializer import get_default_serializer

from nni_strategies.bridge.access import WebUIAddress, access_for
from nni_strategies.bridge.labelled_space import LabelledModelSpace
from nni_strategies.bridge.launch import DEFAULT_PORT, free_port, mended
from nni_strategies.bridge.manager_process import knows_experiment, stop_managers
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.compat import tolerate_resume
from nni_strategies.errors import InvalidArgument
from nni_strategies.space.from_nni import space_from_model_space

_logger = logging.getLogger(__name__)

_LAST_RESULTS = 10.0  # seconds for events that are under way when the manager calls the experiment done
_POLL = 0.1
_TRIAL_ENTRY = " -m nni_strategies.bridge.nas_trial"


class NasExperiment(NNINasExperiment):  # type: ignore[misc]  # NNI has no types
    """An ``nni.nas`` experiment that survives; the arguments are NNI's.

    Parameters
    ----------
    model_space, evaluator, strategy, config
        As for ``nni.nas.experiment.NasExperiment``. Model space and evaluator function are best defined in a module
        that trials can import: the web UI then shows their names, not bytes.
    id
        Of the experiment; give one to be able to call :meth:`run_or_resume` from a script that may be killed.

    Attributes
    ----------
    mended
        Whether its manager was started mended.
    """

    mended = False

    @property
    def folder(self) -> Path:
        """Where the experiment is kept: ``checkpoint``, ``db``, ``log``, ``trials``."""
        return Path(self._checkpoint_directory).parent

    # -- starting ---------------------------------------------------------------------------------

    def run(self, port: int | None = None, wait_completion: bool = True, debug: bool = False) -> bool | None:
        """Run the experiment; the port is 8080 or the next free one where none is given.

        Returns
        -------
        bool | None
            True when the search came to its end; False when it gave up (too many failures, the manager is gone).

        Raises
        ------
        InvalidArgument
            The search cannot be made of this strategy, model space and configuration; nothing was started.
        """
        self._check()
        result: bool | None = super().run(self._port(port), wait_completion, debug)
        return result

    def resume(self, port: int | None = None, wait_completion: bool = True, debug: bool = False) -> bool | None:
        """Go on with an experiment that was stopped or killed; a manager that is left of it is stopped first.

        Raises
        ------
        InvalidArgument
            It never began, or see :meth:`run`; nothing was started.
        """
        self._check()
        self.check_began()
        tolerate_resume()
        if self._nni_manager_required():
            stop_managers(self.id, self.folder.parent)
        self._set_trial_entry()  # NNI compares the configuration with the one it was started with
        result: bool | None = super().resume(self._port(port), wait_completion, debug)
        return result

    def run_or_resume(self, port: int | None = None, wait_completion: bool = True, debug: bool = False) -> bool | None:
        """Resume the experiment when there is something to resume, else run it."""
        self._check()
        if self._nni_manager_required():
            stop_managers(self.id, self.folder.parent)
        if self.has_checkpoint():
            return self.resume(port, wait_completion, debug)
        if (self.folder / "db").exists():  # NNI was killed while it made its database, and would stumble over it
            (self.folder / "db").rename(self.folder / f"db.incomplete.{time.time_ns()}")
        return self.run(port, wait_completion, debug)

    def _check(self) -> None:
        """Find what cannot work before a manager is started for it."""
        if not isinstance(self.strategy, Strategy):
            raise InvalidArgument("strategy", self.strategy, "an instance of a strategy, such as LaNAS(seed=0)")
        for name in ("trial_concurrency", "max_trial_number"):
            value = getattr(self.config, name, None)
            unset = value is None or value is dataclasses.MISSING  # NNI has its own words and defaults for that
            if not unset and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InvalidArgument(f"config.{name}", value, "a positive integer")
        if (study_strategy := self._study_strategy()) is not None:
            space = space_from_model_space(self.model_space)
            study_strategy.look_at(self.model_space)
            study_strategy.make_searcher(space)
            space.sample_codes(np.random.default_rng(0), 1)  # constraints that nothing satisfies are found here

    def _study_strategy(self) -> StudyStrategy | None:
        """Return the strategy that proposes, where it is one of ours: middlewares may be chained to it."""
        strategy = self.strategy
        while isinstance(strategy, Chain):
            strategy = strategy[0]
        return strategy if isinstance(strategy, StudyStrategy) else None

    def has_checkpoint(self) -> bool:
        """Whether there is an experiment to resume, from its own folder."""
        if not (self.folder / "checkpoint" / "config.json").exists():
            return False
        return not self._nni_manager_required() or knows_experiment(self.folder / "db" / "nni.sqlite", self.id)

    def check_began(self, field: str = "id") -> None:
        """Refuse an id under which there is nothing to resume.

        Parameters
        ----------
        field
            Where the id was given.

        Raises
        ------
        InvalidArgument
            With the nearest id of an experiment that began.
        """
        if not self.has_checkpoint():
            where = self.folder.parent
            names = [folder.name for folder in where.glob("*/") if (folder / "checkpoint" / "config.json").exists()]
            raise InvalidArgument(field, self.id, f"the id of a NAS experiment that began, in {where}", names)

    def start(self, port: int = DEFAULT_PORT, debug: bool = False, run_mode: RunMode = RunMode.Background) -> None:
        """Start the manager, then run the strategy; NNI calls this from :meth:`run` and :meth:`resume`."""
        self._set_trial_entry()
        self.save_checkpoint()  # NNI's first one comes when trials may already run
        super().start(port, debug, run_mode)

    def _run_impl(self, port: int, wait_completion: bool, debug: bool) -> bool | None:
        try:
            result = super()._run_impl(port, wait_completion, debug)
        except Exception:  # refused, a journal of another search for instance: leave no manager behind
            self.stop()
            raise
        return result if result is None else bool(result)

    def _set_trial_entry(self) -> None:
        if self._nni_manager_required():
            given = self.config._trial_command_params or {}
            python = given.get("python", sys.executable)
            if not python.endswith(_TRIAL_ENTRY):
                self.config._trial_command_params = {**given, "python": python + _TRIAL_ENTRY}

    def _port(self, port: int | None) -> int | None:
        return free_port(DEFAULT_PORT) if port is None and self._nni_manager_required() else port

    def _start_nni_manager(
        self,
        port: int,
        debug: bool,
        run_mode: RunMode = RunMode.Background,
        tuner_command_channel: str | None = None,
        tags: list[str] | None = None,
    ) -> None:
        access = access_for(self.config.json())
        address = WebUIAddress(port, None, access["NNI_GUARD_BIND"])
        printed = logging.getLogger("nni.experiment")  # NNI's own: its handler prints to the terminal
        printed.addFilter(address)
        try:
            with mended(port, access):
                super()._start_nni_manager(port, debug, run_mode, tuner_command_channel, tags or [])
        finally:
            printed.removeFilter(address)
        self.mended = True

    def _start_engine_and_strategy(self) -> None:
        if (study_strategy := self._study_strategy()) is not None:
            study_strategy.keep_in(self.folder / "checkpoint" / "journal.jsonl")
        super()._start_engine_and_strategy()

    def executable_model_factory(self, config: Any) -> Any:
        """Convert the model space; the simplified format gets labels."""
        if isinstance(config, SimplifiedModelFormatConfig):
            return LabelledModelSpace.from_model(self.model_space, self.evaluator)
        return super().executable_model_factory(config)

    def _send_space_to_nni_manager(self) -> None:
        space = {}
        for label, mutable in self.model_space.simplify().items():
            try:
                space[label] = mutable.as_legacy_dict()
            except NotImplementedError:  # subsets and constraints: the web UI has no axis for them
                continue
        self.update_search_space(space)

    # -- checkpoints ------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Save the configuration and the (small) state, each in one piece; a failure is logged."""
        folder = self.folder / "checkpoint"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / "part.config.json"
            part.write_text(nni.dump(self.config.json(), indent=2), encoding="utf-8")
            os.replace(part, folder / "config.json")
            if self._engine is not None:
                serializer = get_default_serializer()  # it appends a suffix of its own to the name
                serializer.save(self.state_dict(), folder / "part.state.ckpt")
                os.replace(folder / f"part.state.ckpt{serializer.suffix}", folder / f"state.ckpt{serializer.suffix}")
        except Exception:
            _logger.exception("the checkpoint of experiment %s cannot be saved", self.id)

    # -- ending -----------------------------------------------------------------------------------

    def _wait_completion(self) -> bool:
        try:
            super()._wait_completion()
        except Exception as error:  # whatever a connection raises
            _logger.error("the NNI manager is gone (%s); run_or_resume() with id=%r goes on", error, self.id)
            return False
        if (study_strategy := self._study_strategy()) is None:
            return True
        deadline = time.monotonic() + _LAST_RESULTS
        while study_strategy.in_flight and time.monotonic() < deadline:
            time.sleep(_POLL)
        study_strategy.settle()
        return study_strategy.problem is None

    def stop(self) -> None:
        """Stop the experiment; trials that are cut off are run again by a resume."""
        if (study_strategy := self._study_strategy()) is not None:
            study_strategy.close()
        super().stop()
