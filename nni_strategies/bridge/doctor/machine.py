"""The doctor's look at the machine: NNI's Node.js, folders, disk, network of this machine, GPU, data."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from nni_strategies.bridge.doctor.finding import Finding, ok
from nni_strategies.data_folder import VARIABLE, data_folder

GIB = 1 << 30


def check_node(node: Path | None = None) -> Finding:
    """Start the Node.js that NNI brings."""
    if node is None:
        try:
            nni_node = importlib.import_module("nni_node")
        except ImportError:
            mend = "pip install nni==3.0 (an installation from NNI's sources has no Node.js)"
            return Finding("NNI's Node.js", "problem", "not installed", mend)
        node = Path(nni_node.__path__[0]) / "node"
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("NNI's Node.js", "problem", f"does not start: {error}", "pip install --force-reinstall nni==3.0")
    if done.returncode == 0:
        return ok("NNI's Node.js", done.stdout.strip())
    problem = " ".join(done.stderr.split())[:200]
    library = " ".join(platform.libc_ver())
    mend = f"use a system with glibc 2.28 or newer (this one: {library or 'another C library'})"
    return Finding("NNI's Node.js", "problem", f"does not start: {problem}", mend)


def check_writable(check: str, folder: Path, mend: str) -> Finding:
    """Write a file to `folder`, or to the nearest folder above it that exists."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding(check, "problem", f"{folder} cannot be written: {error.strerror or error}", mend)
    return ok(check, str(folder))


def check_disk(folder: Path, free: int | None = None) -> Finding:
    """Look at the space left for experiments in `folder`; `free` in bytes, looked up when it is not given."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    left = shutil.disk_usage(existing).free if free is None else free
    found = f"{left / GIB:.1f} GiB free for {folder}"
    mend = "nnictl experiment delete ID removes an experiment; or set experimentWorkingDirectory to another disk"
    if left < 0.5 * GIB:
        return Finding("disk", "problem", found, mend)
    return Finding("disk", "warning", found, mend) if left < 5 * GIB else ok("disk", found)


def check_localhost() -> Finding:
    """See whether a program on this machine reaches another one under the name ``localhost``, as NNI's parts do."""
    if "http" in getproxies() and not proxy_bypass("localhost"):
        found = "requests to localhost go through the proxy of http_proxy: NNI does not reach its manager"
        return Finding("localhost", "problem", found, "export no_proxy=localhost,127.0.0.1")
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
    except OSError as error:
        return Finding("localhost", "problem", str(error), "name 127.0.0.1 localhost in /etc/hosts")
    return ok("localhost", "reached")


def check_gpu() -> Finding:
    """Say what trials can run on."""
    try:
        import torch
    except Exception as error:  # whatever an import can raise
        return Finding("GPU", "problem", f"torch cannot be imported: {error}", "pip install torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return ok("GPU", ", ".join(names))
    if shutil.which("nvidia-smi"):
        mend = "install a torch built for CUDA, see pytorch.org"
        return Finding("GPU", "warning", f"torch {torch.__version__} does not see the GPU", mend)
    return ok("GPU", f"none: trials run on {os.cpu_count()} CPU cores")


def check_data() -> Finding:
    """Look for the folder of benchmark tables and data sets."""
    folder = data_folder()
    mend = f"export {VARIABLE}=/path/to/data; only benchmarks and table searches need it"
    if not folder.is_dir():
        return Finding("data", "problem" if os.environ.get(VARIABLE) else "warning", f"{folder} is no folder", mend)
    table = folder / "nasbench201" / "nasbench201_all.csv.gz"
    if not table.is_file():
        return Finding("data", "warning", f"{folder} has no {table.relative_to(folder)}", mend)
    return ok("data", str(folder))
