"""NNI's REST interface, as the tuner and the commands use it: a few calls with time-outs, no proxies."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from nni_strategies.errors import NNIStrategiesError


class RestError(NNIStrategiesError):
    """The NNI manager did not answer, or refused."""


class Rest:
    """The manager of one experiment.

    Parameters
    ----------
    address
        Of the web UI, with the URL prefix where there is one, e.g. ``http://localhost:8080``.
    timeout
        Of one call, in seconds.
    """

    def __init__(self, address: str, *, timeout: float = 10.0) -> None:
        self.address = address.rstrip("/")
        self.timeout = timeout
        # An http_proxy in the environment must not come between a tuner and the manager beside it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def of_channel(cls, channel: str, *, timeout: float = 10.0) -> Rest:
        """Return the manager behind ``NNI_TUNER_COMMAND_CHANNEL`` (``ws://localhost:8080/prefix/tuner``)."""
        return cls("http" + channel.removeprefix("ws").removesuffix("/tuner"), timeout=timeout)

    def get(self, path: str) -> Any:
        """Return what ``/api/v1/nni/<path>`` answers.

        Raises
        ------
        RestError
            The manager is not there, is too slow, or refuses.
        """
        return self._call("GET", path, None)

    def put(self, path: str, body: Any) -> Any:
        """Put `body` to ``/api/v1/nni/<path>``; raises :class:`RestError`."""
        return self._call("PUT", path, body)

    def post(self, path: str, body: Any) -> Any:
        """Post `body` to ``/api/v1/nni/<path>``; raises :class:`RestError`."""
        return self._call("POST", path, body)

    def delete(self, path: str) -> Any:
        """Delete ``/api/v1/nni/<path>``; raises :class:`RestError`."""
        return self._call("DELETE", path, None)

    def _call(self, method: str, path: str, body: Any) -> Any:
        url = f"{self.address}/api/v1/nni/{path.lstrip('/')}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:300]
            raise RestError(f"{method} {url}: {error.code} {error.reason} {detail}") from error
        except (OSError, HTTPException) as error:  # not there, or ended in the middle of its answer
            raise RestError(f"{method} {url}: {getattr(error, 'reason', '') or repr(error)}") from error
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text
