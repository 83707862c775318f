"""Finding and stopping the manager that a killed process left, with a stand-in that has a manager's command line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from nni_strategies.bridge.manager_process import find_managers, knows_experiment, stop_managers


@pytest.fixture
def stand_in(tmp_path: Path):
    """A process called ``node`` that ignores everything but a kill."""
    node = tmp_path / "node"
    shutil.copy(os.path.realpath(sys.executable), node)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    home = str(Path(os.path.realpath(sys.executable)).parents[1])
    processes = []

    def start(experiment_id: str, directory: Path):
        options = ["--port", "9", "--experiment-id", experiment_id, "--experiments-directory", str(directory)]
        process = subprocess.Popen(
            [str(node), "-S", "-c", code, *options],
            stdout=subprocess.PIPE,
            env={"PYTHONHOME": home, "LD_LIBRARY_PATH": f"{home}/lib"},
        )
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_only_the_manager_of_this_experiment_in_this_folder_is_found_and_stopped(stand_in, tmp_path):
    ours, folder = stand_in("abc", tmp_path), tmp_path / "elsewhere"
    other, same_name = stand_in("abcd", tmp_path), stand_in("abc", folder)
    assert [process.pid for process in find_managers("abc", tmp_path)] == [ours.pid]
    assert stop_managers("abc", tmp_path) == 1
    assert ours.wait(5) is not None
    assert other.poll() is None
    assert same_name.poll() is None
    assert find_managers("abc", tmp_path) == []
    assert stop_managers("abc", tmp_path) == 0


def test_a_database_without_the_experiment_cannot_be_resumed(tmp_path):
    path = tmp_path / "nni.sqlite"
    assert not knows_experiment(path, "abc")
    path.write_bytes(b"")
    assert not knows_experiment(path, "abc")
    with sqlite3.connect(path) as database:
        database.execute("create table ExperimentProfile (params text, id text)")
    assert not knows_experiment(path, "abc")
    with sqlite3.connect(path) as database:
        database.execute("insert into ExperimentProfile values ('{}', 'abc')")
    assert knows_experiment(path, "abc")
