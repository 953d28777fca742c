"""Speaks to a service that runs on this machine, over its unix socket."""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0
PLACES = ("/run/firstline/firstline.sock", ".firstline/firstline.sock")


class ServiceProblem(Exception):
    """The service is not there, may not be asked, or refused; the text says which and what to do."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def find_socket() -> Path | None:
    """Return where a service listens: FIRSTLINE_SOCKET, the system's, or the one of `make run` here; None when nowhere."""
    named = os.environ.get("FIRSTLINE_SOCKET")
    if named:
        return Path(named)
    return next((path for path in map(Path, PLACES) if path.is_socket()), None)


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the service's JSON answer; ServiceProblem when there is none or it is an error."""
    place = find_socket()
    if place is None:
        raise ServiceProblem("no service runs here; start one with `firstline run`, or name its socket with FIRSTLINE_SOCKET")
    connection = _UnixConnection(place)
    try:
        payload = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
        answer = connection.getresponse()
        text = answer.read()
    except PermissionError as why:
        raise ServiceProblem(f"{place}: permission denied; join the group that owns it (usually `firstline`)") from why
    except (OSError, http.client.HTTPException) as why:
        raise ServiceProblem(f"{place}: the service does not answer ({why}); is it running?") from why
    finally:
        connection.close()
    try:
        result = json.loads(text) if text else None
    except ValueError:
        result = {"error": text.decode(errors="replace")[:200]}
    if answer.status >= 400:
        reason = result.get("error") if isinstance(result, dict) else None
        raise ServiceProblem(reason or f"the service answered {answer.status} {answer.reason}")
    return result
