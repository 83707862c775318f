"""The doctor's look at NNI: our algorithms' names, and the managers that run on this machine."""

from __future__ import annotations

import importlib
import ipaddress
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nni_strategies.bridge.doctor.finding import Finding, ok
from nni_strategies.nni_manifest import experiments_folder, read_manifest

_SECONDS = 3.0


def check_registered() -> Finding:
    """See whether configs may name our algorithms."""
    from nni.tools.package_utils import get_algo_meta

    from nni_strategies.bridge.register import ALGORITHMS

    known = {name: get_algo_meta(name) for name in ALGORITHMS}
    missing = [name for name, meta in known.items() if meta is None or meta.class_name != ALGORITHMS[name]]
    if missing:
        found = f"configs cannot say `name: {missing[0]}`; className works"
        return Finding("algorithms", "warning", found, "nni_strategies register")
    return ok("algorithms", f"registered: {', '.join(ALGORITHMS)}")


def check_managers(manifest: Path | None = None) -> Iterator[Finding]:
    """Look at every manager that runs: whether the network reaches it, and whether it was started mended.

    Parameters
    ----------
    manifest
        NNI's list of experiments; default: ``~/nni-experiments/.experiment``.
    """
    try:
        experiments = read_manifest(manifest)
        # One that is being started has no process yet, or null.
        started = {name: one for name, one in experiments.items() if one.get("pid") is not None}
        entries = {name: (int(one["pid"]), int(one["port"])) for name, one in started.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        path = manifest or experiments_folder() / ".experiment"
        yield Finding("managers", "problem", f"{path} cannot be read: {error!r}", f"move {path} away")
        return
    running = 0
    for experiment, (pid, port) in entries.items():
        addresses = _listening(pid, port)
        if addresses:
            running += 1
            yield _reach(experiment, port, addresses)
            if not _is_mended(pid):
                found = "started without the mend: web UI rows of concurrent trials show each other's parameters"
                mend = f"nnictl stop {experiment}, then nni_strategies resume {experiment}"
                yield Finding(f"manager {experiment}", "warning", found, mend)
    if not running:
        yield ok("managers", "none runs")


def _listening(pid: int, port: int) -> list[str]:
    """Return the addresses on which process `pid` listens on `port`; none if there is no such process."""
    psutil: Any = importlib.import_module("psutil")
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return []
    return [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN and one.laddr.port == port]


def _is_mended(pid: int) -> bool:
    psutil: Any = importlib.import_module("psutil")
    try:
        return "pairing.js" in str(psutil.Process(pid).environ().get("NODE_OPTIONS", ""))
    except psutil.Error:
        return True  # another user's, or just gone


def _reach(experiment: str, port: int, addresses: list[str]) -> Finding:
    """Knock from outside: at every address of this machine on which the manager listens."""
    check = f"manager {experiment}"
    outside = [address for address in _own(addresses) if _is_served(address, port)]
    if outside:
        found = f"answers anyone who reaches {outside[0]}:{port}, without a password, and shows any file of yours"
        mend = f"nnictl stop {experiment}, then nni_strategies resume {experiment}"
        return Finding(check, "warning", found, mend)
    return ok(check, f"port {port}, for this machine only")


def _own(addresses: list[str]) -> list[str]:
    """Return the addresses beyond loopback that `addresses` stand for."""
    psutil: Any = importlib.import_module("psutil")
    if any(ipaddress.ip_address(address).is_unspecified for address in addresses):
        interfaces = [one for many in psutil.net_if_addrs().values() for one in many]
        addresses = [one.address for one in interfaces if one.family == socket.AF_INET]
    return [address for address in addresses if not ipaddress.ip_address(address).is_loopback]


def _is_served(address: str, port: int) -> bool:
    host = f"[{address}]" if ":" in address else address
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"http://{host}:{port}/", timeout=_SECONDS).close()
    except urllib.error.HTTPError as error:
        return error.code not in (401, 403)
    except OSError:
        return False
    return True
