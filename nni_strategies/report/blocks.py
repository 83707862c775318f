"""The blocks of an experiment's trials: read as its search read them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.report.best import symbol_path
from nni_strategies.report.records import ExperimentRecord
from nni_strategies.topology.declared import declared
from nni_strategies.topology.topology import Block


def blocks_reader(experiment: ExperimentRecord) -> Callable[[Mapping[str, Any]], Sequence[Block]]:
    """Return what reads the blocks of a configuration; it raises for one that cannot be read.

    That is the function which ``topology`` of the algorithm's configuration names, else the adapter of the model space,
    else what labels say.
    """
    header = experiment.shaping[0] if experiment.shaping else {}
    path = {**experiment.config, **header.get("config", {})}.get("topology")
    if path is not None:
        return lambda configuration: _function(experiment, str(path))(configuration)
    name = symbol_path((experiment.model_space or {}).get("model_symbol", "")).rpartition(".")[2]
    return lambda configuration: declared(configuration, name or None).blocks


def _function(experiment: ExperimentRecord, path: str) -> Any:
    module, _, name = path.partition(":")
    added = [] if experiment.code_directory is None else [str(experiment.code_directory)]
    sys.path += added
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidArgument("topology", path, f"a function that can be imported here: {error}") from error
    finally:
        for folder in added:
            sys.path.remove(folder)
