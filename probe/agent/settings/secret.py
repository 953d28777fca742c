"""A secret by reference: where it lies, never what it is."""

import os
import stat
from collections.abc import Mapping
from typing import Literal

import msgspec

from probe.agent.settings.regular import UnreadableError, read_regular

MOST_BYTES = 65_536


class SecretError(Exception):
    """A secret can't be read; the text says why and names the place, never the secret."""


class Secret(msgspec.Struct, frozen=True):
    """A reference: a file, an environment variable, or a systemd credential (systemd.exec(5), LoadCredential=).

    It holds no secret; `reveal` reads it anew each time, so that a changed file is a changed secret without a restart.
    """

    kind: Literal["file", "env", "credential"]
    name: str

    def reveal(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the secret without the newline at its end; SecretError when it is missing, empty, unreadable or open to everyone."""
        if self.kind == "env":
            secret = environ.get(self.name, "")
            if not secret:
                raise SecretError(f"the environment has no {self.name}")
            return secret
        return _read(self.file(environ))

    def file(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the file in which it lies; SecretError when it lies in none."""
        if self.kind == "env":
            raise SecretError('this secret is read from a file: write { file = "…" } or { credential = "…" }')
        if self.kind == "file":
            return self.name
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise SecretError(f'no systemd credentials here; add "LoadCredential={self.name}:FILE" to the unit')
        return os.path.join(folder, self.name)


def _read(file: str) -> str:
    try:
        content, mode = read_regular(file, MOST_BYTES)
    except UnreadableError as why:
        raise SecretError(f"{file}: {why}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        # The group may read: a service's secret is commonly root:firstline 0640.
        raise SecretError(f"{file}: is open to others (mode {mode:04o}); chmod 0600, or 0640 for a group")
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"{file}: is not UTF-8 text") from None
    if not secret:
        raise SecretError(f"{file}: is empty")
    return secret
