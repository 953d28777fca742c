"""HTTP over a unix socket, as the programs beside the service speak to it."""

import http.client
import socket
from pathlib import Path

PATIENCE_S = 10.0


class UnixConnection(http.client.HTTPConnection):
    """A connection to the socket of a running service."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
