"""A running `firstline demo` as a newcomer starts it: without any right, with what it prints read line by line as it comes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

NOBODY = 65534
MARK = "FIRSTLINE_TEST_MARK"
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all", "--no-new-privs")
NO_NAMESPACES = ("unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh")


class Demo:
    """One demo. `words` stand before the program; `lines` are what it has printed so far, each with the time since the
    start; who reads them goes away after so many.
    """

    def __init__(self, folder: Path, words: tuple[str, ...], options: tuple[str, ...], lines: int | None) -> None:
        self.folder = folder
        self.lines: list[tuple[float, str]] = []
        self._mark = f"{folder.name}-{time.monotonic_ns()}"
        program = "from probe.agent.cli import main; main()"
        command = [*words, sys.executable, "-c", program, "demo", "--language", "en", *options]
        paths = os.pathsep.join([str(Path(__file__).parents[2]), *(path for path in sys.path if "site-packages" in path)])
        surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "TMPDIR": str(folder), MARK: self._mark, "COLUMNS": "400"}
        surroundings |= {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
        self._began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings, cwd="/")
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()

    def _read(self, lines: int | None) -> None:
        assert self.process.stdout is not None
        for line in islice(self.process.stdout, lines):
            self.lines.append((time.monotonic() - self._began, line.rstrip("\n")))
        if lines is not None:
            self.process.stdout.close()

    @property
    def text(self) -> str:
        return "\n".join(f"{at:6.1f} {line}" for at, line in self.lines)

    def line(self, pattern: str, within_s: float) -> tuple[float, re.Match[str]]:
        """Return when the first line came that has this in it, and what matched."""
        end = self._began + within_s
        while True:
            for at, line in list(self.lines):
                if found := re.search(pattern, line):
                    return at, found
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.text}"
            assert time.monotonic() < end, f"no {pattern} within {within_s} s:\n{self.text}"
            time.sleep(0.05)

    def line_after_end(self, word: str) -> None:
        """See that it printed this before it ended."""
        self._reader.join(10)
        assert any(word in line for _, line in self.lines), self.text

    def processes(self) -> dict[int, str]:
        """Return every process of this demo: whatever it forks keeps the environment in which it was started."""
        found = {}
        for place in Path("/proc").iterdir():
            if place.name.isdigit():
                try:
                    if f"{MARK}={self._mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                        found[int(place.name)] = (place / "stat").read_text()
                except OSError:
                    continue
        return found

    def folders(self) -> list[Path]:
        return list(self.folder.glob("firstline-demo-*"))

    def gone(self, within_s: float = 15.0, folders: bool = True) -> None:
        """Wait until no process of it is left, and no file."""
        end = time.monotonic() + within_s
        while self.processes() or (folders and self.folders()):
            assert time.monotonic() < end, f"left: {self.processes()} {self.folders()}"
            time.sleep(0.02)

    def end(self) -> None:
        """Kill what is left, so that no test leaves anything behind."""
        self.process.kill()
        self.process.wait(10)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def start_demo() -> Iterator[Callable[..., Demo]]:
    """Give what starts a demo; it needs no right, so root starts it as nobody."""
    made: list[Demo] = []

    def start(*options: str, namespaces: bool = True, lines: int | None = None) -> Demo:
        folder = Path(tempfile.mkdtemp(prefix="firstline-test-", dir="/tmp"))
        unprivileged = os.geteuid() == 0 and namespaces
        if unprivileged:
            os.chown(folder, NOBODY, NOBODY)
        made.append(Demo(folder, () if namespaces and not unprivileged else AS_NOBODY if namespaces else NO_NAMESPACES, options, lines))
        return made[-1]

    yield start
    for demo in made:
        demo.end()
        shutil.rmtree(demo.folder, ignore_errors=True)
