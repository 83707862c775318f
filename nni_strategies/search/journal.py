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

from nni_strategies.errors import JournalBusy, JournalError, JournalMismatch, shorten

FORMAT = 1

Event = dict[str, Any]

_START = b'{"event":"header"'  # how the first line of every journal starts
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # some network file systems

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
        The file cannot be opened, another process writes it, it is no journal (it is then left as it is), or a line
        other than a torn last one is no event.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.events: list[Event] = []
        self._unwritten: list[str] = []
        self._failing = False
        self._file: IO[bytes] | None = None
        self._good = 0  # bytes of the file that hold whole lines
        self._torn = True  # whether there may be more bytes than those
        if self.path is not None:
            self._open(self.path)

    def _open(self, path: Path) -> None:
        try:
            if path.exists() and not path.is_file():
                raise JournalError(path, None, "is not a regular file")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  # owned until close()
        except OSError as error:
            raise JournalError(path, None, f"cannot be opened: {error.strerror}") from error
        except ValueError as error:  # a path no file system knows
            raise JournalError(path, None, f"cannot be opened: {error}") from error
        try:
            self._lock(path)
            self.events, self._good = read(path)
        except JournalError:
            self.close()
            raise

    def _lock(self, path: Path) -> None:
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalBusy(path, None, "is being written by another process; stop that one first") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise JournalError(path, None, f"cannot be locked: {error.strerror}") from error
            _logger.warning("journal %s cannot be locked on this file system: let one process at a time write it", path)

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
            shown = "; ".join(_differences(self.header, wanted))
            raise JournalMismatch(self.path or "in memory", 1, f"belongs to another search ({shown})")
        return iter(self.events[1:])

    def append(self, event: Event) -> Event:
        """Add an event and make it durable before returning.

        A full disk does not stop a search: the event stays in memory, is reported once, and is written
        with the next one that finds room.

        Returns
        -------
        Event
            The event as a replay will read it: JSON types only.
        """
        line = json.dumps(event, separators=(",", ":"), default=str)
        stored: Event = json.loads(line)
        self.events.append(stored)
        if self._file is not None:
            self._unwritten.append(line)
            self._write()
        return stored

    def _write(self) -> None:
        assert self._file is not None
        data = "".join(text + "\n" for text in self._unwritten).encode()
        try:
            if self._torn:  # what a failed write or a kill left behind
                os.ftruncate(self._file.fileno(), self._good)
            self._torn = True
            written = 0
            while written < len(data):
                written += os.write(self._file.fileno(), data[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            if not self._failing:
                hint = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
                _logger.warning("journal %s cannot be written (%s); the search goes on in memory", self.path, hint)
            self._failing = True
            return
        if self._failing:
            _logger.warning("journal %s can be written again; nothing is missing from it", self.path)
        self._failing = self._torn = False
        self._good += len(data)
        self._unwritten.clear()

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        if self._file is not None:
            if self._unwritten:
                self._write()
            if self._unwritten:
                _logger.warning("journal %s lacks the last %d events", self.path, len(self._unwritten))
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
    if data[: len(_START)].rstrip(b"\0") != _START[: len(data[: len(_START)].rstrip(b"\0"))]:
        raise JournalError(path, 1, f"is not a header: {shorten(data[:60].decode(errors='replace'))}")
    events: list[Event] = []
    for number, line in enumerate(data[:good].split(b"\n")[:-1], start=1):
        try:
            event = json.loads(line)
        except ValueError:
            raise JournalError(path, number, f"is not JSON: {shorten(line.decode(errors='replace'))}") from None
        if not isinstance(event, dict) or "event" not in event:
            raise JournalError(path, number, f"is not an event: {shorten(event)}")
        events.append(event)
    if events and events[0].get("format") != FORMAT:
        raise JournalError(path, 1, f"has format {events[0].get('format')}, this version reads {FORMAT}")
    return events, good


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return a line for each place where two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**new, **old} if new.get(key) != old.get(key)]
        return [line for key in keys for line in _differences(old.get(key), new.get(key), f"{path}.{key}".strip("."))]
    if _labelled(old) and _labelled(new):
        return _differences({x["label"]: x for x in old}, {x["label"]: x for x in new}, path) or [f"{path}: its order"]
    return [f"{path}: was {shorten(old)}, is {shorten(new)}"]


def _labelled(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "label" in item for item in value)
