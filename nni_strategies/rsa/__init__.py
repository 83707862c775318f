"""The teacher-guided wing: candidates are judged by how much their inner representation resembles a teacher's.

``build_teacher`` is imported when it is first used: what only reads a teacher loads no builder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_strategies.rsa.build import build_teacher as build_teacher

__all__ = ["build_teacher"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.build"), name)
    globals()[name] = value
    return value
