"""Plays a recorded file, or the evidence of a case, and yields what the service would have told, and when."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import msgspec

from checks.correlate import RULES
from checks.proof import Proof
from checks.recording import VERSION, Line, Recording, lines_of
from checks.replay import Misfit, Replay, Told
from checks.verdict import Width

MOST_LINE = 16 * 1024**2  # bytes
MOST_EVIDENCE = 64 * 1024**2  # bytes; a proof has 16 MB, laid out for a person more
_GZIP = b"\x1f\x8b"
_FIRST = b'{"line"'


class ReplayProblem(Exception):
    """It can't be played; the text says where it fails (file:line) and what to do."""


class Run:
    """One file being played. Iterating yields what is told, as it is told; the rest is known when that has ended."""

    def __init__(self, file: str) -> None:
        self.file, self.name = file, "standard input" if file == "-" else file
        self.replay = Replay()
        self.rules = RULES
        self.torn: str | None = None
        self._line = 0

    @property
    def same_rules(self) -> bool:
        """Whether all of it was recorded by the rules at work here."""
        return self.rules == RULES

    def __iter__(self) -> Iterator[Told]:
        """Yield what is told; raises ReplayProblem."""
        try:
            with _opened(self.file) as stream:
                for line in self._lines(stream):
                    if isinstance(line, Recording):
                        self._admit(line)
                    yield from self.replay.take(line)
            yield from self.replay.end()
        except Misfit as why:
            raise self._problem(str(why)) from why
        except (TypeError, OverflowError) as why:  # a time without its zone beside others, one beyond the calendar, an endless period
            raise self._problem(f"times that can't be reckoned with ({why}): the file was changed") from why
        except OSError as why:
            raise ReplayProblem(f"{self.name}: {why.strerror or why}") from why

    def _admit(self, line: Recording) -> None:
        if line.version > VERSION:
            raise self._problem(f"format {line.version} is newer than {VERSION}: replay it with the version that recorded it")
        if line.rules != RULES:
            self.rules = line.rules

    def _lines(self, stream: IO[bytes]) -> Iterator[Line]:
        """Yield the lines of a recording, or those of an evidence, which is one JSON document."""
        first = self._next(stream)
        if not first:
            raise ReplayProblem(f"{self.name}: it is empty; `[agent] recording` in the configuration makes the service write one")
        if first.startswith(_FIRST):
            yield from self._recorded(first, stream)
            return
        rest = self._read(lambda: stream.read(MOST_EVIDENCE))
        try:
            proof = msgspec.json.decode(first + rest, type=Proof)
        except (msgspec.DecodeError, RecursionError) as why:
            raise ReplayProblem(
                f"{self.name}:1: neither a recording nor the evidence of a case ({why}): give a file that `[agent] recording` names, or "
                "what `firstline case explain N --evidence` prints"
            ) from why
        if proof.evidence.width is Width.NONE:
            raise ReplayProblem(f"{self.name}: the case has no evidence that could be played; take a recording")
        agent = proof.verdict.keys[0][0] if proof.verdict.keys else ""
        yield from lines_of(proof.evidence, agent)

    def _recorded(self, text: bytes, stream: IO[bytes]) -> Iterator[Line]:
        decode = msgspec.json.Decoder(Line).decode
        while text:
            try:
                line = decode(text)
            except (msgspec.DecodeError, ValueError, RecursionError) as why:
                if text.endswith(b"\n"):
                    raise self._problem(f"{why}: put the line right, or take it out") from why
                self.torn = f"{self.name}:{self._line}"  # the last one: the service was ended in the middle of it
                return
            yield line
            text = self._next(stream)

    def _next(self, stream: IO[bytes]) -> bytes:
        """Return the next line, b"" after the last; an archive that breaks off ends there."""
        text = self._read(lambda: stream.readline(MOST_LINE))
        self._line += bool(text)
        if len(text) == MOST_LINE:
            raise self._problem(f"the line is longer than {MOST_LINE} bytes: this is no recording")
        return text

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except EOFError:
            self.torn = f"{self.name}:{self._line + 1}"
            return b""
        except (zlib.error, gzip.BadGzipFile) as why:
            raise ReplayProblem(f"{self.name}: the archive is damaged after line {self._line}: {why}; `gzip -t` says more") from why

    def _problem(self, why: str) -> ReplayProblem:
        return ReplayProblem(f"{self.name}:{self._line}: {why}")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """Yield the file's bytes, unpacked where it is an archive; "-" is standard input."""
    with ExitStack() as stack:
        raw: Any = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
        if raw.peek(2)[:2] == _GZIP:
            raw = stack.enter_context(gzip.GzipFile(fileobj=raw))
        yield raw
