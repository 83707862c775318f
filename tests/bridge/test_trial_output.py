"""What trials said last: read from the end of the latest stderr that is not empty."""

from __future__ import annotations

import os

from nni_strategies.bridge.trial_output import last_lines, last_words


def test_last_words(tmp_path):
    assert last_words(tmp_path) == ""
    for number, text in enumerate(["", "first\n", "Traceback\nModuleNotFoundError: No module named 'x'\n\n", ""]):
        trial = tmp_path / "environments" / "local-env" / "trials" / f"t{number}"
        trial.mkdir(parents=True)
        (trial / "trial.stderr").write_text(text)
        os.utime(trial / "trial.stderr", (number, number))
    assert "No module named 'x'" in last_words(tmp_path) and "t2" in last_words(tmp_path)


def test_a_long_log_is_read_from_its_end(tmp_path):
    log = tmp_path / "log"
    log.write_text("x" * 1_000_000 + "\none\ntwo\n")
    assert last_lines(log, 2) == ["one", "two"]
    assert last_lines(tmp_path / "nowhere", 2) == []
