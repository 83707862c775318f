"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What one check of an installation found.

    Parameters
    ----------
    check
        What was looked at.
    state
        ``"problem"``: experiments will not work before it is mended. ``"warning"``: they work, with the drawback
        that `found` names.
    found
        What was seen, in one line.
    mend
        What to do about it, preferably a command; empty where nothing needs to be done.
    """

    check: str
    state: State
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding that needs no mending."""
    return Finding(check, "ok", found)
