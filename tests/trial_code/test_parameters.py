"""Parameters are data: an encoded object is refused before anything of it runs, on both channels NNI has."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import nni
import pytest
from nni.common import serializer
from nni.runtime import trial_command_channel
from nni.runtime.trial_command_channel import TrialCommandChannel, local_legacy
from nni.runtime.trial_command_channel.v3 import TrialCommandChannelV3

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from trial_code.parameters import decode_plain, given_parameters, next_parameters


def bomb(trace: Path) -> str:
    """Encode what makes NNI's decoder create the file `trace`."""
    payload = f"cbuiltins\nopen\n(V{trace}\nVw\ntR.".encode()
    encoded = "bytes:" + base64.b64encode(payload).decode()
    return json.dumps({"parameter_id": 0, "parameters": {"x": {"__nni_type__": encoded}}})


PLAIN = {"cell.edge_0_1": "none", "x": [1, 2.5, None, True]}


@contextmanager
def server(record: str) -> Iterator[str]:
    """An HTTP channel that answers like NNI 3's local training service; yields its URL."""

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

    with HTTPServer(("127.0.0.1", 0), Channel) as one:
        threading.Thread(target=one.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}/env/e/t"
        one.shutdown()


@pytest.fixture(params=["file", "http"])
def deliver(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes this process a trial that gets a record by one of NNI's two channels."""
    with ExitStack() as servers:

        def start(record: str) -> None:
            channel: TrialCommandChannel
            if request.param == "http":
                channel = TrialCommandChannelV3(servers.enter_context(server(record)))
            else:
                (tmp_path / "parameter.cfg").write_text(record)
                # what NNI reads from the environment when it is imported
                given = {"NNI_PLATFORM": "local", "NNI_SYS_DIR": str(tmp_path), "NNI_OUTPUT_DIR": str(tmp_path)}
                variables = local_legacy.trial_env_vars._replace(**given)
                monkeypatch.setattr(local_legacy, "trial_env_vars", variables)
                channel = local_legacy.LocalLegacyTrialCommandChannel()
            monkeypatch.setattr(trial_command_channel, "_channel", channel)

        yield start


def test_the_bomb_is_one_to_nni(deliver, tmp_path: Path):
    deliver(bomb(tmp_path / "ran"))
    nni.get_next_parameter()
    assert (tmp_path / "ran").exists()


def test_the_bomb_does_not_go_off_here(deliver, tmp_path: Path):
    deliver(bomb(tmp_path / "ran"))
    with pytest.raises(InvalidConfiguration, match="plain JSON"):
        next_parameters()
    assert not (tmp_path / "ran").exists()


def test_plain_parameters_arrive(deliver):
    deliver(json.dumps({"parameter_id": 3, "parameters": PLAIN}))
    assert next_parameters() == PLAIN


def test_what_is_only_shown_is_no_parameter(deliver):
    deliver(json.dumps({"parameter_id": 3, "parameters": {**PLAIN, "_shown": "input 0"}}))
    assert next_parameters() == PLAIN


def test_nnis_decoder_is_itself_again(deliver):
    decoders = nni.load, local_legacy.load
    deliver(json.dumps({"parameter_id": 3, "parameters": PLAIN}))
    next_parameters()
    assert (nni.load, local_legacy.load) == decoders == (serializer.load, serializer.load)


# in a trial NNI sends print to trial.log
PROGRAM = """
import sys
from trial_code.parameters import next_parameters
print(next_parameters(), file=sys.__stdout__, flush=True)
next_parameters()
"""


@pytest.mark.timeout(60)  # NNI is imported
def test_in_a_trials_own_process(tmp_path: Path):
    """As a trial of NNI's: the environment says where the parameters come from. First plain ones, then the bomb."""
    for name, record in (
        ("parameter.cfg", json.dumps({"parameter_id": 3, "parameters": PLAIN})),
        ("parameter_1.cfg", bomb(tmp_path / "ran")),
    ):
        (tmp_path / name).write_text(record)
    environment = {
        **os.environ,
        "NNI_PLATFORM": "local",
        "NNI_SYS_DIR": str(tmp_path),
        "NNI_OUTPUT_DIR": str(tmp_path),
        "NNI_TRIAL_JOB_ID": "t",
        "MULTI_PHASE": "true",  # several records for one trial
    }
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.strip().endswith(str(PLAIN)), ran.stderr
    assert ran.returncode != 0 and "plain JSON" in ran.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("key", ["__nni_type__", "__symbol__", "__instance_type__", "__ndarray__"])
def test_encoded_objects_are_refused_at_any_depth(key: str):
    with pytest.raises(InvalidConfiguration, match=key):
        decode_plain(json.dumps({"parameters": {"a": [{"b": {key: "path:os.system"}}]}}))


def test_a_command_line_gives_a_json_object():
    assert given_parameters(json.dumps(PLAIN)) == PLAIN
    for text in ("{bad", "", "[]", "3", "[" * 100_000):
        with pytest.raises(InvalidArgument, match="a JSON object"):
            given_parameters(text)
    with pytest.raises(InvalidConfiguration, match="plain JSON"):
        given_parameters('{"x": {"__symbol__": "path:os.system"}}')


@pytest.mark.slow
@pytest.mark.timeout(120)  # NNI and torch are imported, by each
@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        ("train_guided_digits.py", ["{bad"], "a JSON object"),
        ("train_guided_digits.py", ["--epochs"], "expected one argument"),
        ("train_guided_digits.py", ["--epochs=x"], "invalid int value"),
        ("train_guided_digits.py", ["--epochs=0"], "a positive integer"),
        ("train_guided_digits.py", ["--epochs", "1", '{"a": 1}'], "a label of the digits cell space"),
        ("train_it.py", ["{bad"], "a JSON object"),
    ],
)
def test_a_bad_command_line_ends_with_two(program, arguments, said, data):
    folder = Path(__file__).resolve().parents[2] / "trial_code"
    ran = subprocess.run([sys.executable, program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr and "Traceback" not in ran.stderr
