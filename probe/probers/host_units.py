"""Which systemd units have failed."""

import os
import subprocess
import time
from collections.abc import Sequence

LIST = ("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager", "--full")
EVERY_S = 60.0  # it is a process of its own: about 10 ms
TIMEOUT_S = 2.0
MOST = 50


class Units:
    """Asks systemctl at most once a minute and remembers its answer; it is called in a thread of its own."""

    def __init__(self, command: Sequence[str] = LIST, running: str = "/run/systemd/system") -> None:
        self._command = command
        self._running = running
        self._asked: float | None = None
        self.answer: tuple[str, ...] | str | None = None
        """The failed units (50 at most), or in a text why they can't be told, or None: no systemd here, or not asked yet."""

    def due(self) -> bool:
        """Whether systemd runs here (sd_booted(3)) and was not asked within the minute."""
        if not os.path.isdir(self._running):
            self.answer = None
            return False
        return self._asked is None or time.monotonic() - self._asked >= EVERY_S

    def ask(self) -> None:
        """Ask now."""
        self._asked = time.monotonic()
        try:
            done = subprocess.run(self._command, capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False)
        except (OSError, subprocess.TimeoutExpired) as why:
            self.answer = f"systemctl: {why}"
            return
        if done.returncode:
            self.answer = f"systemctl: {done.stderr.decode('utf-8', 'replace').strip() or done.returncode}"
        else:
            self.answer = parse_units(done.stdout)


def parse_units(raw: bytes) -> tuple[str, ...]:
    """Return the names in the list of `systemctl list-units --plain --no-legend`: the first column."""
    lines = (line.split() for line in raw.decode("utf-8", "replace").splitlines())
    return tuple(fields[0] if fields[0] != "●" else fields[1] for fields in lines if len(fields) > 1)[:MOST]
