"""YAML and JSON as configs should be read: nothing is executed, and no key is given twice.

Both formats' usual readers keep the last of two equal keys: of a parameter that was copied and not renamed, or a
field that was set again further down, one would be lost without a word.
"""

from __future__ import annotations

import json
from typing import Any

import yaml


def load_yaml(text: str) -> Any:
    """Read plain YAML.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, holds a tag, a key twice, or more levels than can be read.
    """
    loader = _PlainLoader(text)
    try:
        return loader.get_single_data()
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    finally:
        loader.dispose()


def load_json(text: str) -> Any:
    """Read JSON.

    Raises
    ------
    ValueError
        It is no JSON, holds a key twice, or more levels than can be read.
    """
    try:
        return json.loads(text, object_pairs_hook=_dictionary)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _PlainLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (key.tag, key.value) in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _dictionary(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found
