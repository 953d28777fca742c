"""Where things are: the folder of what must last, the store, the socket by which commands find the service."""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from probe.agent.settings.settings import Settings


def state_folder(settings: Settings, wish: str | None = None) -> Path:
    """Return where the store is: as asked, as configured, systemd's, root's or the user's own."""
    named = wish or settings.agent.state_dir or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/firstline")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "firstline"


def socket_path(settings: Settings, folder: Path) -> Path:
    """Return where commands find the service: as configured, in systemd's runtime folder, else beside the store."""
    if settings.agent.socket:
        return Path(settings.agent.socket)
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(runtime) / "firstline.sock" if runtime else folder / "firstline.sock"


def store_address(settings: Settings, folder: Path) -> str:
    """Return the store's folder, or the address of its PostgreSQL with the password in it: hand it on, never show it."""
    if settings.store.url is None:
        return str(folder)
    parts = urlsplit(settings.store.url)._replace(scheme="postgresql")
    if settings.store.password is not None:
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user}:{quote(settings.store.password.reveal(), safe='')}@{host}")
    return urlunsplit(parts)
