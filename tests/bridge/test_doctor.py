"""The doctor: each fault it knows is found and comes with a way to mend it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from nni_strategies.bridge.doctor import checks as doctor
from nni_strategies.bridge.doctor.finding import Finding, ok
from nni_strategies.bridge.doctor.machine import (
    GIB,
    check_data,
    check_disk,
    check_localhost,
    check_node,
    check_writable,
)
from nni_strategies.bridge.doctor.managers import check_managers, check_registered
from nni_strategies.bridge.doctor.packages import check_packages, check_python
from nni_strategies.bridge.register import register_algorithms, unregister_algorithms
from nni_strategies.cli import build

pytestmark = pytest.mark.timeout(60)  # NNI and torch are imported, 5 s on an idle machine

# ---- Python and packages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "state"), [((3, 9, 18), "problem"), ((3, 10, 0), "ok"), ((3, 12, 9), "ok"), ((3, 13, 0), "problem")]
)
def test_python(version, state):
    assert check_python(version).state == state


def packages(requires: dict[str, list[str]], installed: dict[str, str]) -> list[Finding]:
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    def requirements(name: str) -> list[str]:
        version(name)
        return requires[name]

    return list(check_packages(list(requires), requirements, version))


@pytest.mark.parametrize(
    ("requirement", "installed", "found", "mend"),
    [
        ("setuptools<81", {"setuptools": "82.0"}, "82.0, us needs <81 (nnictl imports", "pip install 'setuptools<81'"),
        ("setuptools<81", {}, "not installed, us needs it (nnictl", "pip install 'setuptools<81'"),
        ("typeguard <4.1.3,>=3.0.0", {"typeguard": "4.4.0"}, "4.4.0", "pip install 'typeguard<4.1.3,>=3.0.0'"),
        ("pytorch-lightning>=2.0", {"lightning": "2.5"}, "`lightning` does not count", "'pytorch-lightning>=2.0'"),
        ("torch (==2.13.0)", {"torch": "2.12.1+cpu"}, "2.12.1+cpu, us needs ==2.13.0", "pip install torch==2.13.0"),
    ],
)
def test_a_requirement_that_is_not_met(requirement, installed, found, mend):
    problem, rest = packages({"us": [requirement, "numpy"]}, {"us": "1", "numpy": "2.0", **installed})
    assert problem.state == "problem"
    assert found in problem.found
    assert mend in problem.mend
    assert rest == ok("packages", "1 requirements of us are met")


def test_requirements_that_are_met():
    requires = {"us": ["torch (==2.13.0)", "gym ; extra == 'ppo'", "numpy ; python_version < '3.8'", "Foo_Bar>1"]}
    installed = {"us": "1", "torch": "2.13.0+cpu", "foo-bar": "2.0rc1"}
    assert packages(requires, installed) == [ok("packages", "2 requirements of us are met")]


def test_a_package_that_is_missing_itself():
    assert packages({"nni": []}, {})[0].mend == "pip install nni"


def test_the_packages_of_this_environment_fit():
    assert [finding for finding in check_packages() if finding.state != "ok"] == []


# ---- machine -------------------------------------------------------------------------------------------------


def executable(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_nnis_node_starts():
    assert check_node().state == "ok"
    assert check_node().found.startswith("v")


def test_a_node_that_does_not_start(tmp_path):
    finding = check_node(executable(tmp_path / "node", "echo \"version 'GLIBC_2.28' not found\" >&2; exit 1"))
    assert finding.state == "problem"
    assert "GLIBC_2.28" in finding.found
    assert "glibc 2.28" in finding.mend
    assert check_node(tmp_path / "nowhere").state == "problem"


def test_a_folder_that_can_be_written(tmp_path):
    folder = tmp_path / "not" / "yet"
    assert check_writable("experiments", folder, "") == ok("experiments", str(folder))
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    finding = check_writable("experiments", tmp_path / "file" / "folder", "set HOME")
    assert (finding.state, finding.mend) == ("problem", "set HOME")


@pytest.mark.parametrize(("free", "state"), [(0.1, "problem"), (3, "warning"), (50, "ok")])
def test_disk(tmp_path, free, state):
    assert check_disk(tmp_path / "later", int(free * GIB)).state == state
    assert check_disk(tmp_path / "later").state in ("ok", "warning", "problem")


def test_a_proxy_between_nni_and_its_manager(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert check_localhost().state == "ok"
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert check_localhost().state == "problem"
    assert "no_proxy" in check_localhost().mend
    monkeypatch.setenv("no_proxy", "example.org,localhost")
    assert check_localhost().state == "ok"


def test_data(monkeypatch, tmp_path):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path / "nowhere"))
    assert check_data().state == "problem"
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    assert check_data().state == "warning"
    (tmp_path / "nasbench201").mkdir()
    (tmp_path / "nasbench201" / "nasbench201_all.csv.gz").write_bytes(b"")
    assert check_data() == ok("data", str(tmp_path))


# ---- NNI -----------------------------------------------------------------------------------------------------

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]))
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer((sys.argv[1], 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def manager(folder: Path, host: str, status: int = 200, *, mended: bool = True) -> Iterator[Path]:
    """Run a server that the manifest, whose path this is, calls the manager of experiment `abc`."""
    command = [sys.executable, "-c", SERVER, host, str(status)]
    environment = {**os.environ, "NODE_OPTIONS": "--require /somewhere/pairing.js" if mended else ""}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        entry = {"id": "abc", "pid": process.pid, "port": int(process.stdout.readline()), "status": "RUNNING"}
        (folder / ".experiment").write_text(json.dumps({"abc": entry, "old": {"pid": 2**22 + 1, "port": 8080}}))
        yield folder / ".experiment"
    finally:
        process.kill()
        process.communicate()


def outside() -> str | None:
    """Return an address of this machine beyond loopback; None on a machine without a network."""
    interfaces = [one for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET]
    return next((one.address for one in interfaces if not one.address.startswith("127.")), None)


def test_no_manager_runs(tmp_path):
    none = [ok("managers", "none runs")]
    assert list(check_managers(tmp_path / ".experiment")) == none
    entries = {"old": {"pid": 2**22 + 1, "port": 8080}, "older": {}, "new": {"pid": None}}
    (tmp_path / ".experiment").write_text(json.dumps(entries))
    assert list(check_managers(tmp_path / ".experiment")) == none


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": {"pid": "x", "port": 1}}', '{"a": 3}'])
def test_a_list_of_experiments_that_cannot_be_read(tmp_path, text):
    (tmp_path / ".experiment").write_text(text)
    assert [finding.state for finding in check_managers(tmp_path / ".experiment")] == ["problem"]


def test_a_manager_for_this_machine_only(tmp_path):
    with manager(tmp_path, "127.0.0.1") as manifest:
        (finding,) = check_managers(manifest)
    assert finding.state == "ok"
    assert "this machine only" in finding.found


def test_a_manager_that_the_network_reaches(tmp_path):
    address = outside()
    with manager(tmp_path, "0.0.0.0") as manifest:
        (finding,) = check_managers(manifest)
    if address is None:
        assert finding.state == "ok"
    else:
        assert finding.state == "warning"
        assert f"{address}:" in finding.found
        assert "nni_strategies resume abc" in finding.mend


def test_a_manager_that_asks_the_network_for_a_token(tmp_path):
    with manager(tmp_path, "0.0.0.0", 401) as manifest:
        assert [finding.state for finding in check_managers(manifest)] == ["ok"]


def test_a_manager_that_mixes_up_parameters(tmp_path):
    with manager(tmp_path, "127.0.0.1", mended=False) as manifest:
        reach, mix = check_managers(manifest)
    assert (reach.state, mix.state) == ("ok", "warning")
    assert "each other's parameters" in mix.found


def test_registered_algorithms():
    unregister_algorithms()
    assert check_registered().mend == "nni_strategies register"
    register_algorithms()
    assert check_registered().state == "ok"


# ---- the whole -----------------------------------------------------------------------------------------------


def test_a_check_that_fails_itself_does_not_keep_the_others_from_running():
    def broken() -> Finding:
        raise ImportError("no module named nni")

    findings = list(doctor.run_checks({"a": broken, "b": lambda: ok("b", "fine"), "c": lambda: iter([ok("c", "")])}))
    assert [(finding.check, finding.state) for finding in findings] == [("a", "problem"), ("b", "ok"), ("c", "ok")]
    assert "no module named nni" in findings[0].found


@pytest.mark.parametrize(
    ("state", "exit_code", "summary"),
    [("ok", 0, "Nothing is wrong."), ("warning", 0, "0 to mend, 1 to know"), ("problem", 1, "1 to mend, 0 to know")],
)
def test_the_exit_code_says_whether_something_must_be_mended(monkeypatch, state, exit_code, summary):
    finding = Finding("disk [bold]", state, "0.1 GiB", "delete [something]" if state != "ok" else "")
    monkeypatch.setattr(doctor, "examine", lambda: iter([finding]))
    outcome = CliRunner().invoke(build(), ["doctor"])
    assert outcome.exit_code == exit_code
    assert summary in outcome.output
    assert "disk [bold]" in outcome.output
    assert ("→ delete [something]" in outcome.output) == (state != "ok")


@pytest.mark.slow
def test_this_installation_is_sound():
    findings = list(doctor.examine())
    assert [finding for finding in findings if finding.state == "problem"] == []
    assert {"Python", "packages", "NNI's Node.js", "torchvision", "GPU", "disk"} <= {one.check for one in findings}


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("missing", [["torch"], ["nni", "torch"]], ids="-".join)
def test_a_broken_installation_is_examined_to_the_end(missing):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing})); sys.argv[1:] = ['doctor']\n"
        "from nni_strategies import cli; cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "torch cannot be imported: import of torch halted" in said
    assert ("No module named 'nni.tools'" in said) == ("nni" in missing)
    assert "Traceback" not in done.stderr
    assert "GPU" in done.stdout  # the last check
