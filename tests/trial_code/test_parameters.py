"""Parameters are data: an encoded object is refused before anything of it runs, on both channels NNI has."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nni_strategies.errors import InvalidConfiguration
from trial_code.parameters import decode_plain

# in a trial NNI sends print to trial.log
PROGRAM = "import sys; from trial_code.parameters import next_parameters; print(next_parameters(), file=sys.__stdout__)"


def bomb(trace: Path) -> str:
    """Encode what makes NNI's decoder create the file `trace`."""
    payload = f"cbuiltins\nopen\n(V{trace}\nVw\ntR.".encode()
    encoded = "bytes:" + base64.b64encode(payload).decode()
    return json.dumps({"parameter_id": 0, "parameters": {"x": {"__nni_type__": encoded}}})


def run_with_file(tmp_path: Path, record: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    (tmp_path / "parameter.cfg").write_text(record)
    environment = {
        **os.environ,
        "NNI_PLATFORM": "local",
        "NNI_SYS_DIR": str(tmp_path),
        "NNI_OUTPUT_DIR": str(tmp_path),
        "NNI_TRIAL_JOB_ID": "t",
    }
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def run_with_channel(tmp_path: Path, record: str) -> subprocess.CompletedProcess[str]:
    """Run a trial against an HTTP channel that answers like NNI 3's local training service."""

    class Channel(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"type": "parameter", "parameter": record}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Channel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/env/e/t"
        environment = {
            **os.environ,
            "NNI_PLATFORM": "local",
            "NNI_OUTPUT_DIR": str(tmp_path),
            "NNI_TRIAL_COMMAND_CHANNEL": url,
            "NNI_TRIAL_JOB_ID": "t",
        }
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
        )
        server.shutdown()
    return ran


@pytest.mark.timeout(30)
def test_the_bomb_is_one_to_nni(tmp_path: Path):
    trace = tmp_path / "ran"
    run_with_file(tmp_path, bomb(trace), "import nni; nni.get_next_parameter()")
    assert trace.exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("channel", ["file", "http"])
def test_the_bomb_does_not_go_off_here(tmp_path: Path, channel: str):
    trace = tmp_path / "ran"
    ran = run_with_file(tmp_path, bomb(trace)) if channel == "file" else run_with_channel(tmp_path, bomb(trace))
    assert ran.returncode != 0 and "plain JSON" in ran.stderr
    assert not trace.exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("channel", ["file", "http"])
def test_plain_parameters_arrive(tmp_path: Path, channel: str):
    record = json.dumps({"parameter_id": 3, "parameters": {"cell.edge_0_1": "none", "x": [1, 2.5, None, True]}})
    ran = run_with_file(tmp_path, record) if channel == "file" else run_with_channel(tmp_path, record)
    assert ran.stdout.strip().endswith("{'cell.edge_0_1': 'none', 'x': [1, 2.5, None, True]}"), ran.stderr


@pytest.mark.parametrize("key", ["__nni_type__", "__symbol__", "__instance_type__", "__ndarray__"])
def test_encoded_objects_are_refused_at_any_depth(key: str):
    with pytest.raises(InvalidConfiguration, match=key):
        decode_plain(json.dumps({"parameters": {"a": [{"b": {key: "path:os.system"}}]}}))
