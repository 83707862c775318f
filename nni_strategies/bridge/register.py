"""Our tuners and assessors under names of their own, so that a config can say ``tuner: {name: LaNAS}``.

NNI keeps its list in ``$NNI_CONFIG_DIR``, else beside the virtual environment, else in ``~/.config/nni``, and
rewrites it without a lock: hence a command, not an effect of importing the package. A new virtual environment
starts without it. NNI compares names without case.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from nni_strategies.errors import InvalidArgument

ALGORITHMS: Mapping[str, str] = MappingProxyType(
    {
        "IRLAS": "nni_strategies.irlas.tuner.IRLASTuner",
        "LaNAS": "nni_strategies.lanas.tuner.LaNASTuner",
        "MirrorStimuli": "nni_strategies.irlas.shaped_tuner.MirrorStimuliTuner",
        "NAT": "nni_strategies.nat.tuner.NATTuner",
        "TeacherGuided": "nni_strategies.rsa.assessor.TeacherGuidedAssessor",
    }
)
"""Name in a config -> tuner or assessor class. An algorithm is added here and nowhere else."""


def kind_of(class_name: str) -> str:
    """Return what NNI calls an algorithm of this class, ``tuner`` or ``assessor``."""
    return "assessor" if class_name.endswith("Assessor") else "tuner"


def names_of(kind: str) -> list[str]:
    """Return the names of our algorithms of one kind."""
    return [name for name, class_name in ALGORITHMS.items() if kind_of(class_name) == kind]


def register_algorithms(algorithms: Mapping[str, str] = ALGORITHMS) -> list[str]:
    """Make algorithms available by name; harmless when repeated.

    Returns
    -------
    list[str]
        The names that were new or pointed elsewhere before.

    Raises
    ------
    InvalidArgument
        A name is one of NNI's own, or NNI's list cannot be read or written.
    """
    from nni.tools.package_utils import AlgoMeta, get_algo_meta, register_algo_meta

    changed = []
    for name, class_name in algorithms.items():
        wanted = AlgoMeta(
            name=name,
            alias=None,
            class_name=class_name,
            accept_class_args=True,
            class_args=None,
            validator_class_name=None,
            algo_type=kind_of(class_name),
            is_advisor=False,
            is_builtin=False,
            nni_version=None,
        )
        with nni_lists():
            old = get_algo_meta(name)
        if old is not None and old.is_builtin:
            raise InvalidArgument("name", name, "a name that is none of NNI's own algorithms")
        if old != wanted:
            with nni_lists():
                register_algo_meta(wanted)
            changed.append(name)
    return changed


def unregister_algorithms(algorithms: Mapping[str, str] = ALGORITHMS) -> list[str]:
    """Forget our algorithms' names; return those that were known. Raises as :func:`register_algorithms` does."""
    from nni.tools.package_utils import get_algo_meta, unregister_algo_meta

    known = []
    for name, class_name in algorithms.items():
        with nni_lists():
            old = get_algo_meta(name)
            if old is not None and old.class_name == class_name:
                unregister_algo_meta(old.name)
                known.append(name)
    return known


def config_folder() -> str:
    """Return where NNI keeps its list."""
    from nni.runtime.config import get_config_directory

    return str(get_config_directory())


@contextmanager
def nni_lists() -> Iterator[None]:
    """Turn whatever NNI raises over the folder of its lists, or what is in them, into InvalidArgument."""
    try:
        yield
    except Exception as error:  # OSError, YAMLError, JSON's ValueError, AttributeError for an empty list …
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        allowed = (
            "a folder in which NNI can write and read registered_algorithms.yml and training_services.json (not set: "
            f"that of the virtual environment); {problem}"
        )
        raise InvalidArgument("NNI_CONFIG_DIR", os.environ.get("NNI_CONFIG_DIR"), allowed) from error
