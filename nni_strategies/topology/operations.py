"""Which operation names mean nothing, everything or a sum, whatever the space they come from."""

from __future__ import annotations

import functools
import re

INPUT = "input"
OUTPUT = "output"
ADD = "add"
CONCAT = "concat"
MUL = "mul"

#: Operations that pass on what they get: their node is contracted.
IDENTITY = re.compile(r"iden(tity)?|skip(connect)?|view|reshape|flatten|permute|contiguous|getitem|size")

#: Operations that belong to their producer: their node is contracted as well.
ABSORBED = re.compile(
    r"(batch|layer|group|instance)?norm([123]d)?|bn|relu6?|(leaky|p)relu|elu|gelu|silu|mish|tanh|softmax"
    r"|(h|hard)?(swish|sigmoid)|activation|(alpha)?dropout([123]d)?|droppath|stochasticdepth"
)

#: Operations whose output is zero: whatever only they feed is dead.
ZERO = re.compile(r"none|zero(ize)?|null")

#: Operations that take several inputs in any order; with one input left they are identities.
MERGES = frozenset([ADD, CONCAT, MUL])


def _normal(label: str) -> str:
    return re.sub(r"[_\-. ]", "", label.lower())


@functools.lru_cache(maxsize=1024)  # a search asks for the same few operations again and again
def is_transparent(label: str) -> bool:
    """Whether a node of this operation is contracted in the canonical form."""
    name = _normal(label)
    return bool(IDENTITY.fullmatch(name) or ABSORBED.fullmatch(name))


@functools.lru_cache(maxsize=1024)
def is_zero(label: str) -> bool:
    """Whether this operation gives zero for any input."""
    return bool(ZERO.fullmatch(_normal(label)))


def is_merge(label: str) -> bool:
    """Whether this operation joins any number of inputs."""
    return label in MERGES
