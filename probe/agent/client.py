"""Speaks to a service that runs on this machine, over its unix socket."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0
PLACES = ("/run/firstline/firstline.sock", ".firstline/firstline.sock", "/var/lib/firstline/firstline.sock")
OWN = "firstline/firstline.sock"
FILES = ("firstline.toml", "/etc/firstline/firstline.toml")


class ServiceProblem(Exception):
    """The service is not there, may not be asked, or refused; the text says which and what to do."""


class NoService(ServiceProblem):
    """Nobody answers here: no socket, or that of a service that has ended."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def find_socket(config: str | None = None) -> Path | None:
    """Return where a service listens: as FIRSTLINE_SOCKET or the configuration says, or a usual place; None: nowhere."""
    named = os.environ.get("FIRSTLINE_SOCKET")
    if named:
        return Path(named)
    places = [*_configured(config), *map(Path, PLACES), Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / OWN]
    return next((place for place in (path.expanduser() for path in places) if _is_socket(place)), None)


def _configured(config: str | None) -> list[Path]:
    """Return the socket that the configuration in force names; none when there is no configuration, or it can't be used."""
    if config is None and not os.environ.get("FIRSTLINE_CONFIG") and not any(Path(file).exists() for file in FILES):
        return []
    from probe.agent.places import socket_path, state_folder
    from probe.agent.settings.load import SettingsError, load

    try:
        settings = load(config, secrets=False)
    except SettingsError:
        return []
    return [socket_path(settings, state_folder(settings))]


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


def ask(method: str, path: str, body: dict[str, Any] | None = None, config: str | None = None) -> Any:
    """Return the service's JSON answer; ServiceProblem when there is none or it is an error."""
    text = fetch(method, path, body, config)
    try:
        return json.loads(text) if text else None
    except ValueError as why:
        raise ServiceProblem(f"the service answers with what is no JSON: {text[:200].decode(errors='replace')}") from why


def fetch(method: str, path: str, body: dict[str, Any] | None = None, config: str | None = None) -> bytes:
    """Return the service's answer as it is; errors as `ask`."""
    with _answer(method, path, json.dumps(body).encode() if body is not None else None, config) as answer:
        try:
            return answer.read()
        except (OSError, http.client.HTTPException) as why:
            raise ServiceProblem(f"the service ended before its answer did ({why})") from why


def stream(method: str, path: str, body: bytes | None, config: str | None = None) -> Iterator[bytes]:
    """Return the lines of the service's answer as they come; errors as `ask`, the first of them at once."""
    stack = ExitStack()
    answer = stack.enter_context(_answer(method, path, body, config))

    def lines() -> Iterator[bytes]:
        with stack:
            try:
                yield from answer
            except (OSError, http.client.HTTPException) as why:
                raise ServiceProblem(f"the service ended before its answer did ({why})") from why

    return lines()


@contextmanager
def _answer(method: str, path: str, payload: bytes | None, config: str | None) -> Iterator[http.client.HTTPResponse]:
    place = find_socket(config)
    if place is None:
        raise NoService("no service was found here; start one with `firstline run`, or say which: --config FILE, or FIRSTLINE_SOCKET=PATH")
    connection = _UnixConnection(place)
    try:
        try:
            connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
            answer = connection.getresponse()
            text = answer.read() if answer.status >= 400 else b""
        except PermissionError as why:
            raise ServiceProblem(f"{place}: permission denied; join the group that owns it (usually `firstline`)") from why
        except (FileNotFoundError, ConnectionRefusedError) as why:
            raise NoService(f"no service runs at {place}; start it with `firstline run` or `systemctl start firstline`") from why
        except (OSError, http.client.HTTPException) as why:
            raise ServiceProblem(f"{place}: the service does not answer ({why}); is it running?") from why
        if answer.status >= 400:
            raise ServiceProblem(_reason(text) or f"the service answered {answer.status} {answer.reason}")
        yield answer
    finally:
        connection.close()


def _reason(text: bytes) -> str:
    """Return what an error answer says: its JSON's `error`, or its text."""
    try:
        said = json.loads(text)
    except ValueError:
        return text.decode(errors="replace")[:200]
    return str(said.get("error") or "") if isinstance(said, dict) else ""
