"""Our tuners under a name of their own, so that a config can say ``tuner: {name: LaNAS}``.

NNI keeps its list in ``$NNI_CONFIG_DIR``, else beside the virtual environment, else in ``~/.config/nni``, and
rewrites it without a lock: hence a command, not an effect of importing the package. A new virtual environment
starts without it. NNI compares names without case.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nni_strategies.errors import InvalidArgument

ALGORITHMS: Mapping[str, str] = MappingProxyType({"LaNAS": "nni_strategies.lanas.tuner.LaNASTuner"})
"""Name in a config -> tuner class. An algorithm is added here and nowhere else."""


def register_algorithms(algorithms: Mapping[str, str] = ALGORITHMS) -> list[str]:
    """Make tuners available by name; harmless when repeated.

    Returns
    -------
    list[str]
        The names that were new or pointed elsewhere before.

    Raises
    ------
    InvalidArgument
        A name is one of NNI's own.
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
            algo_type="tuner",
            is_advisor=False,
            is_builtin=False,
            nni_version=None,
        )
        old = get_algo_meta(name)
        if old is not None and old.is_builtin:
            raise InvalidArgument("name", name, "a name that is none of NNI's own algorithms")
        if old != wanted:
            register_algo_meta(wanted)
            changed.append(name)
    return changed


def unregister_algorithms(algorithms: Mapping[str, str] = ALGORITHMS) -> list[str]:
    """Forget our tuners' names; return those that were known."""
    from nni.tools.package_utils import get_algo_meta, unregister_algo_meta

    known = []
    for name, class_name in algorithms.items():
        old = get_algo_meta(name)
        if old is not None and old.class_name == class_name:
            unregister_algo_meta(name)
            known.append(name)
    return known


def config_folder() -> str:
    """Return where NNI keeps its list."""
    from nni.runtime.config import get_config_directory

    return str(get_config_directory())
