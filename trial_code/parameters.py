"""The trial's parameters as plain JSON: nothing in them can run code.

`nni.get_next_parameter` decodes ``{"__nni_type__": "bytes:..."}`` by unpickling it and ``{"__symbol__": ...}`` by
calling it, so whoever can post a trial to the experiment's REST server runs what they like in every trial. The
parameters of a search space are JSON; here anything else is refused before NNI's decoder sees it.
"""

from __future__ import annotations

import json
from typing import IO, Any

import nni
from nni.runtime.trial_command_channel import local_legacy

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.nni_database import without_shown


def decode_plain(text: str | None = None, *, fp: IO[str] | None = None) -> Any:
    """Decode JSON, from `text` or from an open file, as `nni.load` would; refuse encoded objects.

    Raises
    ------
    InvalidConfiguration
        A key with two leading underscores (``__nni_type__``, ``__symbol__``, ``__instance_type__`` ...).
    """
    source = text if fp is None else fp.read()
    return json.loads(source or "", object_pairs_hook=_only_plain)


def given_parameters(text: str) -> dict[str, Any]:
    """Return the parameters that a command line gives as JSON.

    Raises
    ------
    InvalidArgument
        No JSON object, or one that is not plain JSON.
    """
    try:
        parameters = decode_plain(text)
    except InvalidConfiguration:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("parameters", text, f"a JSON object ({error})") from None
    if not isinstance(parameters, dict):
        raise InvalidArgument("parameters", parameters, "a JSON object")
    return parameters


def next_parameters() -> dict[str, Any]:
    """Return this trial's parameters; an empty dictionary when it runs without an experiment.

    What a tuner shows beside them in the web UI is no parameter, and left out.

    Raises
    ------
    InvalidConfiguration
        They are not plain JSON.
    """
    # both channels a trial can have look their decoder up by these names: v3 (local, remote), legacy (reuse mode)
    original, nni.load, local_legacy.load = nni.load, decode_plain, decode_plain
    try:
        return dict(without_shown(nni.get_next_parameter() or {}))
    finally:
        nni.load, local_legacy.load = original, original


def _only_plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:
        if key.startswith("__"):
            raise InvalidConfiguration(key, value, "plain JSON: encoded Python objects are not accepted")
    return dict(pairs)
