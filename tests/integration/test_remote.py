"""The remote quick start on a real ssh server: its own port, its own keys, nothing of the machine's touched."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from nni_strategies.commands.demo import QUICKSTART
from tests.integration.demo_runs import own_port, processes_of, registered, retrained, run_demo

pytestmark = [pytest.mark.integration, pytest.mark.slow]

REMOTE = QUICKSTART.with_name("remote.yml")
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

SETTINGS = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Server:
    """An ssh server on the loopback interface."""

    port: int
    key: Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if SSHD is None:
        pytest.skip("needs sshd (apt-get install openssh-server)")
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # a root sshd insists on it; Debian makes it when the service starts
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = tmp_path / "sshd_config"
    settings.write_text(SETTINGS.format(port=port, folder=tmp_path))
    with (tmp_path / "sshd.log").open("w") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(settings)], stderr=log)
    try:
        _wait_until_listening(process, port, tmp_path / "sshd.log")
        yield Server(port, tmp_path / "user_key")
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline, pause = time.monotonic() + 15, threading.Event()
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        pause.wait(0.1)


@pytest.mark.timeout(300)
def test_the_quick_start_runs_on_another_machine(tmp_path: Path, server: Server):
    fields = yaml.safe_load(REMOTE.read_text())
    fields["maxTrialNumber"] = 2
    fields["nniManagerIp"] = "127.0.0.1"
    fields["trialCodeDirectory"] = str((REMOTE.parent / fields["trialCodeDirectory"]).resolve())
    fields["tuner"]["codeDirectory"] = str((REMOTE.parent / fields["tuner"]["codeDirectory"]).resolve())
    (machine,) = fields["trainingService"]["machineList"]
    assert set(machine) == {"host", "port", "user", "sshKeyFile", "pythonPath"}  # each is replaced below
    machine.update(
        host="127.0.0.1",
        port=server.port,
        user=getpass.getuser(),
        sshKeyFile=str(server.key),
        pythonPath=str(Path(sys.executable).parent),
    )
    config = tmp_path / "remote.yml"
    config.write_text(yaml.safe_dump(fields))

    run = run_demo("--config", str(config), *own_port(), timeout=280)
    assert run.returncode == 0, run.output
    best = json.loads(run.path("best").read_text())
    assert retrained(best["configuration"]) == best["metric"]
    assert registered(run.experiment)["status"] == "STOPPED"
    assert processes_of(run.experiment) == []


def test_the_remote_file_sets_what_a_dead_machine_needs():
    fields = yaml.safe_load(REMOTE.read_text())
    assert fields["maxTrialDuration"]
    assert fields["trainingService"]["reuseMode"] is True
    assert "password" not in fields["trainingService"]["machineList"][0]
