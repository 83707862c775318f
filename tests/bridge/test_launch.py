"""How a manager is started mended: environment, ports, who may reach it, patience."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nni_node
import pytest

from nni_strategies.bridge.access import WebUIAddress, access_for
from nni_strategies.bridge.launch import (
    MENDED,
    PRELOADS,
    checked_port,
    free_port,
    is_mended,
    mended,
    mended_environment,
    node_options,
)
from nni_strategies.bridge.patience import ManagerNotStarted, _wait_until_listening, patient_start
from nni_strategies.errors import InvalidArgument

pytestmark = pytest.mark.timeout(60)  # NNI is imported, 2 s on an idle machine

NODE = Path(nni_node.__path__[0]) / "node"

# ---- environment ---------------------------------------------------------------------------------------------


def test_the_preloads_are_files_of_the_package():
    assert {"pairing.js", "guard.js"} <= {path.name for path in PRELOADS}
    assert all(path.is_absolute() and path.is_file() for path in PRELOADS)


@pytest.mark.parametrize("name", ["plain", "with space", 'with "quotes"', "with \\ backslash", "ünïcode", "it's"])
def test_node_loads_files_of_folders_with_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    preload, script = folder / "preload.js", folder / "script.js"
    preload.write_text("globalThis.loaded = true;")
    script.write_text("console.log(globalThis.loaded, process.execArgv.length, process.noDeprecation);")
    environment = {"NODE_OPTIONS": node_options("--no-deprecation", [preload])}
    done = subprocess.run([NODE, script], env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["true", "0", "true"]  # and the user's own option is kept


def test_node_options_are_added_once():
    once = node_options("--trace-warnings")
    assert once.startswith("--trace-warnings --require ")
    assert node_options(once) == once


def test_mended_environment_leaves_the_given_one_alone():
    given = {"NNI_GUARD_BIND": "*", "HOME": "/home/someone"}
    changed = mended_environment(given)
    assert given == {"NNI_GUARD_BIND": "*", "HOME": "/home/someone"}
    assert changed == {**given, MENDED: "1", "NODE_OPTIONS": node_options("")}


def test_mended_holds_inside_the_block_only(monkeypatch):
    monkeypatch.setenv("NODE_OPTIONS", "--trace-warnings")
    monkeypatch.delenv("NNI_GUARD_BIND", raising=False)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), mended(access={"NNI_GUARD_BIND": "127.0.0.9"}) as port:
        assert is_mended()
        assert os.environ["NODE_OPTIONS"] == node_options("--trace-warnings")
        assert os.environ["NNI_GUARD_BIND"] == "127.0.0.9"
        assert 1 <= port <= 65534
        raise ZeroDivisionError
    assert dict(os.environ) == before
    assert not is_mended()


def test_asking_whether_the_manager_is_mended_imports_nothing_heavy():
    code = (
        "import sys; from nni_strategies.bridge.launch import is_mended\n"
        "print(is_mended(), {'nni', 'torch', 'yaml'} & {*sys.modules})"
    )
    command, environment = [sys.executable, "-c", code], {**os.environ, MENDED: "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "True set()"


# ---- ports ---------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_and_its_successor_can_be_bound():
    port = free_port()
    for one in (port, port + 1):
        with socket.create_server(("127.0.0.1", one)):
            pass


def test_the_preferred_port_is_passed_over_where_it_is_taken(taken):
    assert free_port(taken) != taken
    preferred = free_port()
    assert free_port(preferred) == preferred


def test_a_port_whose_successor_is_taken_is_not_free(taken):
    assert free_port(taken - 1) not in (taken - 1, taken)


@pytest.mark.parametrize("port", [0, -1, 65535, 70000, True, "8080", 80.5])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(InvalidArgument, match=r"port = .*1 to 65534"):
        checked_port(port)


def test_a_taken_port_is_refused(taken):
    with pytest.raises(InvalidArgument, match=f"port = {taken}: is taken"), mended(taken):
        raise AssertionError("the block must not be entered")


# ---- who may reach the manager -------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [{"platform": "local"}, [{"platform": "local"}], None, "local"])
def test_local_trials_need_nobody_from_outside(service):
    assert access_for({"trainingService": service}, {}) == {"NNI_GUARD_BIND": "127.0.0.1"}


def remote(*hosts: str, **more: str) -> dict[str, object]:
    return {"trainingService": {"platform": "remote", "machineList": [{"host": host} for host in hosts]}, **more}


def test_remote_workers_reach_the_address_they_are_told():
    access = access_for(remote("192.0.2.7", "localhost", nniManagerIp="192.0.2.1"), {})
    assert access["NNI_GUARD_BIND"] == "127.0.0.1,192.0.2.1"
    assert access["NNI_GUARD_PEERS"] == "192.0.2.1,192.0.2.7,127.0.0.1"
    assert len(access["NNI_GUARD_TOKEN"]) >= 20
    assert access["NNI_GUARD_TOKEN"] != access_for(remote("192.0.2.7"), {})["NNI_GUARD_TOKEN"]


def test_field_names_may_be_written_with_underscores():
    service = {"platform": "remote", "machine_list": [{"host": "192.0.2.7"}], "nni_manager_ip": "192.0.2.1"}
    assert access_for({"training_service": service}, {})["NNI_GUARD_PEERS"] == "192.0.2.1,192.0.2.7"


def test_workers_on_this_machine_alone_keep_the_manager_on_loopback():
    assert access_for(remote("127.0.0.1", nniManagerIp="127.0.0.1"), {})["NNI_GUARD_BIND"] == "127.0.0.1"


def test_what_the_user_set_is_kept():
    given = {"NNI_GUARD_BIND": "*", "NNI_GUARD_PEERS": "192.0.2.99", "NNI_GUARD_TOKEN": "sesame"}
    assert access_for(remote("192.0.2.7", nniManagerIp="192.0.2.1"), given) == given
    assert access_for({"trainingService": {"platform": "local"}}, given) == {"NNI_GUARD_BIND": "*"}


def test_a_machine_without_an_address_is_refused():
    with pytest.raises(InvalidArgument, match=r"machineList\[1\].host.*no-such-host.invalid"):
        access_for(remote("127.0.0.1", "no-such-host.invalid", nniManagerIp="127.0.0.1"), {})


def test_workers_from_unknown_addresses_are_refused_until_they_are_named():
    config = {"trainingService": {"platform": "kubeflow"}, "nniManagerIp": "192.0.2.1"}
    with pytest.raises(InvalidArgument, match=r"platform.*kubeflow.*NNI_GUARD_PEERS"):
        access_for(config, {})
    assert access_for(config, {"NNI_GUARD_PEERS": "192.0.2.50"})["NNI_GUARD_PEERS"] == "192.0.2.50"


@pytest.mark.parametrize(
    ("bind", "prefix", "shown"),
    [
        ("127.0.0.1", None, "Web UI: ${CYAN}http://127.0.0.1:8080/ (from another machine: ssh -L 8080:localhost:8080 "),
        ("127.0.0.1, 192.0.2.1", "/my/", "Web UI: ${CYAN}http://127.0.0.1:8080/my/ http://192.0.2.1:8080/my/"),
        ("*", None, "Web portal URLs: http://10.0.0.1:8080"),
    ],
)
def test_the_address_shown_is_one_that_answers(bind, prefix, shown):
    record = logging.makeLogRecord({"msg": "Web portal URLs: http://10.0.0.1:8080"})
    other = logging.makeLogRecord({"msg": "Setting up..."})
    for one in (record, other):
        assert WebUIAddress(8080, prefix, bind).filter(one)
    assert record.getMessage().startswith(shown)
    assert other.getMessage() == "Setting up..."


# ---- patience ------------------------------------------------------------------------------------------------


def test_a_manager_that_ends_while_starting_is_reported_at_once():
    process = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    with pytest.raises(ManagerNotStarted, match="exit code 3"):
        _wait_until_listening(process, free_port())


def test_another_programs_answer_is_not_taken_for_the_managers(taken):
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with pytest.raises(ManagerNotStarted, match=f"did not listen on port {taken}"):
            _wait_until_listening(process, taken, seconds=0.5)
    finally:
        process.communicate(b"\n", timeout=5)


def test_a_slow_manager_is_waited_for():
    port = free_port()
    code = f"import socket, time; time.sleep(0.5); s = socket.create_server(('127.0.0.1', {port})); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    try:
        _wait_until_listening(process, port)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    finally:
        process.communicate(b"\n", timeout=5)


def test_patience_is_taken_back():
    from nni.experiment import launcher, rest

    before = (launcher._start_rest_server, launcher._check_rest_server, rest.timeout)
    with patient_start():
        assert rest.timeout > before[2]
        assert launcher._check_rest_server is not before[1]
    assert (launcher._start_rest_server, launcher._check_rest_server, rest.timeout) == before
