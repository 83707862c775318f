"""Who has to reach NNI's manager: nobody but this machine, unless worker machines run the trials.

The answer is a handful of variables that `preload/guard.js` reads. What the user set in the environment is left as
it is. For ``trainingService: platform: local`` the manager listens on 127.0.0.1. Remote workers report to the manager
themselves, so for ``platform: remote`` it listens on the address they are told (``nniManagerIp``) too: the machines
of ``machineList`` reach the websockets of the trials, and everybody else needs a token, made up here.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from nni_strategies.bridge.config_file import plain_fields, plain_name
from nni_strategies.errors import InvalidArgument

LOOPBACK = "127.0.0.1"


def access_for(config: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of `preload/guard.js` that an experiment with this config needs.

    Parameters
    ----------
    config
        The experiment's config, as in its YAML file.
    environment
        Where the user may have set such variables already; default: this process's environment.

    Returns
    -------
    dict of str to str
        ``NNI_GUARD_BIND``, and for workers elsewhere ``NNI_GUARD_PEERS`` and ``NNI_GUARD_TOKEN``.

    Raises
    ------
    InvalidArgument
        If workers have to reach the manager and it cannot be known from where, or a machine's name is unknown.
    """
    given = os.environ if environment is None else environment
    services = list(_services(config))
    elsewhere = [service for service in services if _get(service, "platform") != "local"]
    if not elsewhere:
        return {"NNI_GUARD_BIND": given.get("NNI_GUARD_BIND", LOOPBACK)}
    named = [_get(part, "nniManagerIp") for part in (*elsewhere, config)]
    manager = str(next(filter(None, named), None) or _own_address())
    peers = given.get("NNI_GUARD_PEERS")
    if peers is None:
        peers = ",".join(dict.fromkeys([manager, *(host for service in elsewhere for host in _hosts(service))]))
    only_here = ipaddress.ip_address(_resolve("nniManagerIp", manager)).is_loopback
    default = LOOPBACK if only_here else f"{LOOPBACK},{manager}"
    return {
        "NNI_GUARD_BIND": given.get("NNI_GUARD_BIND", default),
        "NNI_GUARD_PEERS": peers,
        "NNI_GUARD_TOKEN": given.get("NNI_GUARD_TOKEN") or secrets.token_urlsafe(16),
    }


class WebUIAddress(logging.Filter):
    """Correct what NNI prints as the web UI's addresses: it names every interface, where nobody listens.

    Parameters
    ----------
    port, url_prefix
        Of the web UI.
    bind
        The addresses that the manager listens on, comma separated, as in ``NNI_GUARD_BIND``.
    """

    def __init__(self, port: int, url_prefix: str | None, bind: str) -> None:
        super().__init__()
        hosts = [host.strip() for host in bind.split(",")]
        path = f"{(url_prefix or '').strip('/')}/".lstrip("/")
        self._message: str | None = None
        if "*" not in hosts:
            self._message = "Web UI: ${CYAN}" + " ".join(f"http://{host}:{port}/{path}" for host in hosts)
        if hosts == [LOOPBACK]:
            tunnel = f"ssh -L {port}:localhost:{port} {socket.gethostname()}"
            self._message = f"{self._message} (from another machine: {tunnel})"

    def filter(self, record: logging.LogRecord) -> bool:
        if self._message is not None and str(record.msg).startswith("Web portal URLs"):
            record.msg = self._message
        return True


def _services(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the training services of a config; a hybrid experiment has several."""
    service = _get(config, "trainingService")
    for one in service if isinstance(service, list) else [service]:
        if isinstance(one, Mapping):
            yield one


def _hosts(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses of the machines of a ``remote`` training service."""
    if _get(service, "platform") != "remote":
        raise InvalidArgument(
            "trainingService.platform",
            _get(service, "platform"),
            "its workers report from addresses that the config does not name: set NNI_GUARD_BIND to the addresses the "
            "manager shall listen on, NNI_GUARD_PEERS to those of the workers (both comma separated)",
        )
    for number, machine in enumerate(_get(service, "machineList") or []):
        if isinstance(machine, Mapping):
            yield _resolve(f"trainingService.machineList[{number}].host", str(_get(machine, "host")))


def _get(fields: Mapping[str, Any], name: str) -> Any:
    return plain_fields(fields).get(plain_name(name))


def _resolve(field: str, host: str) -> str:
    """Return the IPv4 address of `host`."""
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise InvalidArgument(field, host, f"must be the name or the address of a machine ({error})") from None


def _own_address() -> str:
    """Return the address that NNI tells workers when the config has no ``nniManagerIp``: that of the default route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.0", 80))  # sends nothing: it only looks up the route
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
