"""What local trials wrote to stderr: the reason of a failure stands at its end."""

from __future__ import annotations

from pathlib import Path

_READ = 65_536  # bytes from the end of a log: enough for a traceback


def latest_stderr(folder: Path) -> Path | None:
    """Return the file of the latest trial of an experiment's folder that wrote to stderr; None where none did."""
    written = [file for file in folder.glob("environments/*/trials/*/trial.stderr") if file.stat().st_size]
    return max(written, key=lambda file: file.stat().st_mtime, default=None)


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log without reading all of it; none where it cannot be read."""
    try:
        with path.open("rb") as opened:
            opened.seek(max(0, path.stat().st_size - _READ))
            return opened.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def last_words(folder: Path) -> str:
    """Return what the latest local trial that wrote to stderr said last, as the end of a message; else nothing."""
    latest = latest_stderr(folder)
    said = next((line.strip() for line in reversed(last_lines(latest, 50)) if line.strip()), "") if latest else ""
    return f" ({said[:200]!r} in {latest})" if said else ""
