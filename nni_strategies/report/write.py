"""Everything a report writes, from an experiment's id: ``report.html``, ``best.json``, ``best.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.report.best import model_class, write_atomically, write_best
from nni_strategies.report.compare import read_others
from nni_strategies.report.locate import locate
from nni_strategies.report.page import render_page
from nni_strategies.report.records import ExperimentRecord, read_experiment
from nni_strategies.report.teacher_files import find_details
from nni_strategies.report.tree import replayed_tree
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import SearchSpace


@dataclass(frozen=True)
class Report:
    """What was written.

    Parameters
    ----------
    experiment
        The records it was made of.
    page
        ``report.html``.
    best
        ``best.json``, and ``best.py`` for a model space; empty before the first result.
    notes
        What could not be made, and why.
    """

    experiment: ExperimentRecord
    page: Path
    best: tuple[Path, ...]
    notes: tuple[str, ...]


def write_report(
    experiment_id: str,
    *,
    directory: Path | str | None = None,
    output: Path | str | None = None,
    searchers: Mapping[str, type[Searcher]] | None = None,
    compare: Sequence[str] = (),
) -> Report:
    """Write the report of a running or finished experiment.

    Parameters
    ----------
    experiment_id
        NNI's experiment id.
    directory
        Where the experiment is, when not where NNI noted it.
    output
        The folder to write into; ``report/`` in the experiment's folder when None.
    searchers
        Algorithm -> class, to restore what a search has learned from its journal.
    compare
        Ids, folders or journals of experiments to compare it with.

    Raises
    ------
    InvalidArgument
        No experiment has this id, one of `compare` is none or goes the other way, or `output` is no folder and cannot
        be made one.
    DataMissing, JournalError
        The experiment's files cannot be read.
    NNIStrategiesError
        The report cannot be written: the disk is full, or a file in `output` may not be replaced.
    """
    experiment = read_experiment(experiment_id, directory)
    others = read_others(compare, experiment, directory)
    folder = Path(output) if output is not None else locate(experiment_id, directory).directory / "report"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidArgument("output", str(folder), f"a folder, or where one can be made: {problem}") from None
    try:
        return _write(experiment, folder, searchers or {}, others)
    except OSError as error:
        raise NNIStrategiesError(f"the report cannot be written into {folder}: {error.strerror or error}") from error


def _write(
    experiment: ExperimentRecord,
    folder: Path,
    searchers: Mapping[str, type[Searcher]],
    others: Sequence[ExperimentRecord],
) -> Report:
    notes: list[str] = []
    best: list[Path] = []
    if experiment.ranked:
        try:
            best = write_best(experiment, folder)
        except InvalidArgument as error:
            best = [folder / "best.json"]
            notes.append(f"best.py was not written: {error}")
    tree = _tree(experiment, searchers, notes)
    text = render_page(experiment, tree, notes, find_details(experiment), others)
    page = write_atomically(folder / "report.html", text)
    return Report(experiment, page, tuple(best), tuple(notes))


def _tree(
    experiment: ExperimentRecord, searchers: Mapping[str, type[Searcher]], notes: list[str]
) -> dict[str, Any] | None:
    kind = searchers.get(experiment.algorithm)
    if kind is None or not experiment.events or not experiment.finished:
        return None
    try:
        searcher = kind(_space(experiment), kind.Config(**experiment.config))
        return replayed_tree(experiment.events, searcher, experiment.journal)
    except NNIStrategiesError as error:
        notes.append(f"The search tree cannot be shown: {error}")
    except Exception as error:  # a model space may be anybody's code; the rest of the report does not depend on it
        notes.append(f"The search tree cannot be shown: rebuilding the search space raised {error!r}")
    return None


def _space(experiment: ExperimentRecord) -> SearchSpace:
    if experiment.model_space is None:
        return space_from_json(experiment.search_space)
    load_torchvision()
    from nni_strategies.space.from_nni import space_from_model_space

    kind, arguments, keywords = model_class(experiment)
    return space_from_model_space(kind(*arguments, **keywords))
