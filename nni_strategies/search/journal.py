"""The journal: an append-only log of JSON lines, and the only state there is.

Line 1 is the header (format version, space hash, algorithm, config, seed), then one line an event. A line is
flushed and fsynced before anyone acts on it. Replaying it restores a search exactly.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from nni_strategies.errors import JournalError, JournalMismatch, shorten

FORMAT = 1

Event = dict[str, Any]

_logger = logging.getLogger(__name__)


class Journal:
    """A log of events in a file, or in memory.

    Parameters
    ----------
    path
        The file, created with its folder when missing; None keeps the journal in memory.

    Raises
    ------
    JournalError
        The file cannot be opened, another process writes it, or a line other than a torn last one is no event.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.events: list[Event] = []
        self._unwritten: list[str] = []
        self._file: IO[bytes] | None = None
        self._good = 0  # bytes of the file that hold whole lines
        if self.path is not None:
            self._open(self.path)

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  # owned until close()
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(path, None, "is being written by another process; stop that one first") from None
        except OSError as error:
            raise JournalError(path, None, f"cannot be opened: {error.strerror}") from error
        self.events, self._good = read(path)

    @property
    def header(self) -> Event | None:
        """The first line, or None while the journal is empty."""
        return self.events[0] if self.events else None

    def start(self, header: Mapping[str, Any]) -> Iterator[Event]:
        """Write the header of an empty journal, or compare it with the one there is.

        Returns
        -------
        Iterator[Event]
            The events to replay.

        Raises
        ------
        JournalMismatch
            The journal belongs to another search; the message shows every difference.
        """
        wanted = json.loads(json.dumps({"event": "header", "format": FORMAT, **header}))
        if self.header is None:
            self.append(wanted)
        elif self.header != wanted:
            keys = [k for k in {**wanted, **self.header} if wanted.get(k) != self.header.get(k)]
            shown = "; ".join(f"{k}: {_difference(self.header.get(k), wanted.get(k))}" for k in keys)
            raise JournalMismatch(self.path or "in memory", 1, f"belongs to another search ({shown})")
        return iter(self.events[1:])

    def append(self, event: Event) -> None:
        """Add an event and make it durable before returning.

        A full disk does not stop a search: the event stays in memory, is reported once, and is written
        with the next one that finds room.
        """
        line = json.dumps(event, separators=(",", ":"))
        self.events.append(event)
        if self._file is None:
            return
        self._unwritten.append(line)
        data = "".join(text + "\n" for text in self._unwritten).encode()
        try:
            os.ftruncate(self._file.fileno(), self._good)  # what a failed write left behind
            written = 0
            while written < len(data):
                written += os.write(self._file.fileno(), data[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            if len(self._unwritten) == 1:
                hint = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
                _logger.warning("journal %s cannot be written (%s); the search goes on in memory", self.path, hint)
            return
        self._good += len(data)
        self._unwritten.clear()

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read(path: Path | str) -> tuple[list[Event], int]:
    """Read a journal without opening it for writing.

    Returns
    -------
    tuple[list[Event], int]
        The events, and how many bytes hold whole lines: a torn last line is left out.

    Raises
    ------
    JournalError
        Naming the file and the line that is no event, a missing header or an unknown format.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise JournalError(path, None, f"cannot be read: {error.strerror}") from error
    good = data.rfind(b"\n") + 1
    events: list[Event] = []
    for number, line in enumerate(data[:good].splitlines(), start=1):
        try:
            event = json.loads(line)
        except ValueError:
            raise JournalError(path, number, f"is not JSON: {shorten(line.decode(errors='replace'))}") from None
        if not isinstance(event, dict) or "event" not in event:
            raise JournalError(path, number, f"is not an event: {shorten(event)}")
        events.append(event)
    if events and events[0]["event"] != "header":
        raise JournalError(path, 1, "is not a header")
    if events and events[0].get("format") != FORMAT:
        raise JournalError(path, 1, f"has format {events[0].get('format')}, this version reads {FORMAT}")
    return events, good


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [k for k in {**new, **old} if new.get(k) != old.get(k)]
        return ", ".join(f"{k} was {shorten(old.get(k))}, is {shorten(new.get(k))}" for k in keys)
    return f"was {shorten(old)}, is {shorten(new)}"
