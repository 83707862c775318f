"""YAML and JSON without executing anything and without losing a key."""

from __future__ import annotations

import pytest
import yaml

from nni_strategies.bridge.plain_yaml import load_json, load_yaml


@pytest.mark.parametrize("text", ["a: 1\na: 2", "x: {b: 1, b: 1}", "- {'a': 1, a: 2}", "{1: a, 1: b}"])
def test_a_key_that_is_there_twice(text):
    with pytest.raises(yaml.YAMLError, match="is there twice"):
        load_yaml(text)


def test_everything_else_is_read_as_by_safe_load():
    text = "base: &b {x: 1, y: [2, null]}\nuses: {<<: *b, x: 3}\n1: one\n'1': text\nno: 2026-01-01\n"
    assert load_yaml(text) == yaml.safe_load(text)
    assert load_yaml(text)["uses"] == {"x": 3, "y": [2, None]}


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "a: !custom 1", "a: [" * 5000, "a: ["])
def test_what_is_refused(text):
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


def test_json():
    assert load_json('{"a": [{"b": 1}, {"b": 2}]}') == {"a": [{"b": 1}, {"b": 2}]}
    with pytest.raises(ValueError, match="'b' is there twice"):
        load_json('{"a": [{"b": 1, "b": 1}]}')
    with pytest.raises(ValueError):
        load_json("[" * 100_000)
