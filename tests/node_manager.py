"""A Node.js process that looks like NNI's manager, for the tests of what is preloaded into it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import nni_node

from nni_strategies.bridge.launch import PRELOADS, node_options

NODE_FOLDER = Path(nni_node.__path__[0])


def run_manager(folder: Path, program: str, *, mended: bool, preload: str) -> dict[str, object]:
    """Run `program` in a process that looks like NNI's manager and return what it printed."""
    script = folder / "nni_node" / "main.js"
    script.parent.mkdir()
    script.write_text(program)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "NODE_PATH": str(NODE_FOLDER)}
    if mended:
        environment["NODE_OPTIONS"] = node_options("", [path for path in PRELOADS if path.name == preload])
    arguments = f"--port 0 --experiment-id x --action create --experiments-directory {folder} --log-level info"
    command = [NODE_FOLDER / "node", script, *arguments.split(), "--python-interpreter", "python"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
