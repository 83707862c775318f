"""Where an experiment keeps its files, from its id."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nni_manifest import experiments_folder, read_manifest

SHAPING = "mirror_stimuli*.jsonl"

_ID = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class ExperimentFiles:
    """The files of one experiment.

    Parameters
    ----------
    id
        NNI's experiment id.
    directory
        ``<experimentWorkingDirectory>/<id>``.
    database
        NNI's own SQLite file.
    journal
        Our journal; None when the experiment did not run one of our algorithms.
    shaping
        What a ``MirrorStimuli`` around a strategy kept; None without one.
    """

    id: str
    directory: Path
    database: Path
    journal: Path | None
    shaping: Path | None = None


def locate(experiment_id: str, directory: Path | str | None = None, home: Path | str | None = None) -> ExperimentFiles:
    """Find an experiment's files.

    Parameters
    ----------
    experiment_id
        NNI's experiment id.
    directory
        The experiment's own folder or the one that holds it (``experimentWorkingDirectory``); when None, what NNI
        noted in ``~/nni-experiments/.experiment``.
    home
        The user's home, for another's experiments.

    Raises
    ------
    InvalidArgument
        No experiment has this id; the nearest id is named. Or `directory` cannot be looked into.
    DataMissing
        The experiment is known but its database is gone.
    """
    root = experiments_folder(home)
    known = {} if directory else _registered(root / ".experiment")
    base = Path(directory) if directory else root
    try:
        folders = {path.parent.parent.name: path.parent.parent for path in base.glob("*/db/nni.sqlite")}
        if directory and (base / "db" / "nni.sqlite").exists():
            folders[base.resolve().name] = base
    except OSError as error:
        raise InvalidArgument("directory", str(base), f"a folder that can be read: {error.strerror}") from error
    folders = {**folders, **{name: path for name, path in known.items() if name not in folders}}
    if not _ID.fullmatch(experiment_id) or experiment_id not in folders:
        where = f"the id of an experiment in {base} ({len(folders)} there)"
        raise InvalidArgument("experiment_id", experiment_id, where, folders)
    found = folders[experiment_id]
    database = found / "db" / "nni.sqlite"
    if not database.exists():
        raise DataMissing(f"experiment {experiment_id}: {database} is missing; name its folder with --directory")
    return ExperimentFiles(experiment_id, found, database, find_journal(found), find_journal(found, SHAPING))


def find_journal(directory: Path, pattern: str = "*journal*.jsonl") -> Path | None:
    """Return the journal under an experiment's folder, the latest written of several, or None.

    Trials' own folders (``environments/``, ``trials/``) are not searched.
    """
    places = [directory, *(p for p in directory.glob("*") if p.is_dir() and p.name not in ("environments", "trials"))]
    journals = [path for place in places for path in place.glob(pattern)]
    return max(journals, key=lambda path: path.stat().st_mtime, default=None)


def _registered(path: Path) -> dict[str, Path]:
    with suppress(OSError, ValueError):  # half written: what is in the default folder is found without it
        return {name: Path(str(e["logDir"])) / name for name, e in read_manifest(path).items() if e.get("logDir")}
    return {}
