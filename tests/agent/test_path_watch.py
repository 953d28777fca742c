"""`check path --watch` at a real terminal, while the path breaks and comes back."""

import fcntl
import importlib.util
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.render.columns import width

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("path_chain", ROOT / "tests/probe/path_chain.py")
assert spec is not None
assert spec.loader is not None
path_chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(path_chain)
FIRSTLINE = str(Path(sys.executable).parent / "firstline")
TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


@pytest.fixture(scope="module")
def chain() -> Iterator[Any]:
    with path_chain.Chain() as made:
        for node in path_chain.NODES:  # one program after another starts anew with what it thinks that a router bears
            made.run(node, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
        yield made


class Screen:
    """What a terminal shows after it was told this: lines, cursor movements up, clearing of a line's and the screen's rest."""

    def __init__(self, columns: int) -> None:
        self.columns, self.lines, self.row, self.draws, self.widest = columns, [""], 0, 0, 0

    def take(self, text: str) -> None:
        for found in TOKEN.finditer(text):
            number, command, moved, words = found.groups()
            if words:
                self.lines[self.row] = self.lines[self.row][: 0 if self.fresh else None] + words
                self.fresh = False
                self.widest = max(self.widest, width(self.lines[self.row]))
            elif moved == "\r":
                self.fresh = True
            elif moved == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif command == "A":
                self.row = max(0, self.row - int(number or 1))
            elif command == "K" and self.fresh:
                self.lines[self.row] = ""
            elif command == "J":
                del self.lines[self.row + 1 :]
                self.lines[self.row] = ""
                self.draws += 1

    fresh = True


def watch(chain: Any, columns: int, language: str) -> tuple[int, int]:
    """Start the command at a terminal of this width; return its process and the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        words = ["check", "path", path_chain.FAR, "--watch", "--every", "0.4", "--count", "3", "--interval-ms", "10", "--wait-ms", "400"]
        marks = ["--edge", "10.0.0.1", "--pop", "10.255.0.2", "--language", language]
        program = ["ip", "netns", "exec", chain._name + "agent", FIRSTLINE, *words, *marks]
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's job in the background has it ignored
        surroundings = {name: value for name, value in os.environ.items() if name != "COLUMNS"}  # it would stand above the terminal
        os.execvpe("ip", program, surroundings | {"TERM": "xterm", "TZ": "UTC"})
    return pid, terminal


def ended(pid: int, terminal: int) -> int:
    """Read on until the command has ended, and return its wait status; one that does not end within 10 s is killed."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            os.close(terminal)
            return status
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:  # it has closed its side
                time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitpid(pid, 0)[1]


@pytest.mark.needs_root
@pytest.mark.needs("ip", "nft")
@pytest.mark.parametrize(("columns", "language"), [(40, "en"), (60, "zh"), (100, "zh")])
def test_block_is_redrawn_in_place_while_the_path_breaks_and_comes_back(chain: Any, columns: int, language: str) -> None:
    pid, terminal = watch(chain, columns, language)
    screen, drawn = Screen(columns), bytearray()

    def until(done: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end, screen.lines
            if select.select([terminal], [], [], 0.5)[0]:
                drawn.extend(os.read(terminal, 65536))
                whole = drawn.rfind(b"\n") + 1 if not drawn.endswith(b"J") else len(drawn)
                screen.take(drawn[:whole].decode())
                del drawn[:whole]

    bad, good = {"en": ("critical", "  ok  "), "zh": ("严重", "正常")}[language]
    try:
        until(lambda: screen.draws >= 2 and good in screen.lines[0])
        steady = [line for line in screen.lines if line]
        chain.nft("pop", f"ip daddr {path_chain.FAR} drop")
        until(lambda: bad in screen.lines[0] and any(line.strip().startswith("3  –") for line in screen.lines))
        broken = [line for line in screen.lines if line]
        chain.heal()
        draws = screen.draws
        until(lambda: screen.draws > draws and good in screen.lines[0])
        after = [line for line in screen.lines if line]
    finally:
        chain.heal()
        os.write(terminal, b"\x03")
        status = ended(pid, terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert screen.widest <= columns
    for block in (steady, broken, after):
        assert block[0].startswith(f"{path_chain.FAR}  path  ")
        assert sum("10.255.0.2" in line for line in block[1:]) == 1  # one block, and nothing of the one before it
        assert sum(line.strip().startswith("1  ") for line in block) == 1
    assert sum(path_chain.FAR in line for line in steady) == 2
    assert after[-1] == steady[-1]
    assert len(after) - len(steady) in {0, 1}  # a narrow one takes a line more for what was before
    assert {"en": "itwasinterrupted", "zh": "此前曾中断"}[language] in "".join(after).replace(" ", "")
    if columns >= 80:
        assert any({"en": "← last answer", "zh": "← 最后应答"}[language] in line for line in broken)
    shown = "".join(broken).replace(" ", "")
    assert {"en": "beforethat3hops", "zh": "此前为3跳"}[language] in shown
