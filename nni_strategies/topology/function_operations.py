"""Which standard operation a call of a torch function or tensor method is, by its name and arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nni_strategies.topology.module_operations import TRANSPARENT_NAMES, convolution, pool
from nni_strategies.topology.operations import ADD, CONCAT, MUL, is_transparent
from nni_strategies.topology.trace import REDUCTIONS, STACK
from nni_strategies.topology.vocabulary import ATTENTION, IDENTITY, LINEAR, ZERO, other

_REARRANGED = (
    "getattr get getitem view viewas reshape reshapeas permute transpose t swapaxes swapdims movedim moveaxis flatten"
    " unflatten ravel contiguous squeeze unsqueeze chunk split tensorsplit unbind expand expandas repeat tile narrow"
    " select indexselect roll flip pad interpolate upsample channelshuffle to type typeas float half double bfloat16"
    " cpu cuda clone detach data"
)
_POINTWISE = (
    "neg negative abs absolute exp log log1p sqrt rsqrt pow square reciprocal clamp clip clampmin erf sin cos sign"
    " round floor maskedfill nantonum sigmoid tanh softmax logsoftmax normalize"
)
_TRANSPARENT = frozenset(f"{_REARRANGED} {_POINTWISE}".split()) | TRANSPARENT_NAMES
_ZEROS = frozenset(["zeroslike", "newzeros"])
#: Functions whose result has a tensor's shape or type, but nothing of its values.
_NO_DATA = re.compile(r"(empty|ones|full|rand|randn|randint|bernoulli)_?(like)?|new_.*|size|dim|numel|stride|is_.*|len")
_TENSOR_ATTRIBUTES = ("T", "mT", "H", "mH", "data", "real")
_REVERSED = re.compile(r"[ir](add|mul|sub|truediv|matmul)")
_WORDS = {"add": ADD, "mul": MUL, "multiply": MUL, "cat": CONCAT, "concat": CONCAT, "concatenate": CONCAT}


def function_name(function: Any) -> str:
    """Return the bare name of a function, such as ``add`` for ``Tensor.__radd__`` and ``operator.iadd``."""
    name = (function if isinstance(function, str) else getattr(function, "__name__", "")).strip("_")
    found = _REVERSED.fullmatch(name)
    return found[1] if found else name


def carries_data(name: str, arguments: Sequence[Any]) -> bool:
    """Whether the result depends on the values of the tensors, not on their shapes and types alone."""
    if name == "getattr":
        return arguments[1] in _TENSOR_ATTRIBUTES
    return not _NO_DATA.fullmatch(name) or name == "new_zeros"


def operation_of_call(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], n_data: int) -> str:
    """Return the operation of a call.

    Parameters
    ----------
    name
        See :func:`function_name`.
    arguments, keywords
        What was given; weights as tensors.
    n_data
        How many of them depend on the network's input.
    """
    plain = name.replace("_", "")
    if plain in _WORDS:
        if plain.startswith("mul") and n_data == 1:
            return ZERO if any(isinstance(a, (int, float)) and a == 0 for a in arguments) else IDENTITY
        return _WORDS[plain]
    if plain in _ZEROS:
        return ZERO
    if plain in _TRANSPARENT or is_transparent(plain) or (plain in ("sub", "truediv", "div") and n_data == 1):
        return IDENTITY
    if plain == STACK or plain in REDUCTIONS:
        return plain
    if plain in ("linear", "matmul", "einsum", "bmm") and n_data == 1:
        return LINEAR
    if plain == "scaleddotproductattention":
        return ATTENTION
    return _windowed(plain, dict(enumerate(arguments)) | dict(keywords)) or other(plain)


def _windowed(plain: str, given: Mapping[Any, Any]) -> str | None:
    if re.fullmatch(r"conv[123]d", plain):
        weight, groups = given.get("weight", given.get(1)), given.get("groups", given.get(6, 1))
        dilation = given.get("dilation", given.get(5, 1))
        dilations = dilation if isinstance(dilation, (list, tuple)) else (dilation,)
        kernel = tuple(getattr(weight, "shape", ()))[2:]
        return convolution(kernel, weight.shape[1] * groups, groups, dilations) if kernel else None
    if "pool" in plain:
        size = given.get(1)
        return pool(plain, given.get("kernel_size", size), given.get("output_size", size))
    return None
