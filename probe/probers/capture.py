"""Reads a capture file (pcap, pcapng) in a process of its own, which has no secrets, little memory and an end."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from probe import job
from probe.inventory import Node
from probe.observation.capture import CaptureSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome

MOST_ANSWER = 64 << 20  # octets of the child's answer that are read
MOST_WORDS = 2000
SPARE_S = 5.0  # between the child's own end of reading and ours


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to tell of a capture."""

    calls: Annotated[int, Meta(description="calls to tell of, the worst first", ge=1, le=5000)] = 200
    call: Annotated[str, Meta(description="only calls with this in their Call-ID, caller or callee", max_length=200)] = ""
    numbers: Annotated[bool, Meta(description="show numbers in full; otherwise their last 2 to 4 digits are hidden")] = False
    seconds: Annotated[float, Meta(description="stop reading after so long and tell of what was read", ge=1, le=3600)] = 240.0

    @property
    def longest_s(self) -> float:
        """Seconds until the reading is given up."""
        return self.seconds + 2 * SPARE_S


class CaptureProber:
    """Holds nothing: each question is a child process."""

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what the file at the node's address holds; a file that can't be read is `rejected`, a child that fails `broken`."""
        wanted = {**msgspec.structs.asdict(options), "path": node.address or ""}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _START, *_PLACES), stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, cwd="/"
        )
        try:
            answer, words = await _talk(child, msgspec.json.encode(wanted))
        finally:
            if child.returncode is None:
                child.kill()
                await _read_both(child)  # a pipe that is not read to its end would be waited for
                await child.wait()
        return _outcome(child.returncode, answer, words)


# -I: neither the environment nor the working folder decides what is loaded; this room is found where we found it.
_START = "import runpy, sys; sys.path[:0] = sys.argv[1:]; runpy.run_module('probe.capture', run_name='__main__')"
_PLACES = (os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),)


async def _talk(child: Process, request: bytes) -> tuple[bytes, bytes]:
    """Return what the child says on stdout and stderr, as much as is read of it."""
    assert child.stdin is not None
    try:
        child.stdin.write(request)
        await child.stdin.drain()
    except ConnectionError:  # it ended at once; its words say why
        pass
    child.stdin.close()
    answer, words = await _read_both(child)
    await child.wait()
    return answer, words


async def _read_both(child: Process) -> tuple[bytes, bytes]:
    assert child.stdout is not None
    assert child.stderr is not None
    return await asyncio.gather(_all(child, child.stdout, MOST_ANSWER), _all(child, child.stderr, MOST_ANSWER))


async def _all(child: Process, stream: asyncio.StreamReader, most: int) -> bytes:
    """Return what comes, read to the end; a child that says more than `most` octets is ended."""
    parts, size = [], 0
    while part := await stream.read(1 << 16):
        size += len(part)
        if size <= most:
            parts.append(part)
        elif child.returncode is None:
            child.kill()
    return b"".join(parts)


def _outcome(code: int | None, answer: bytes, words: bytes) -> Outcome:
    said = words[-MOST_WORDS:].decode("utf-8", "replace").strip()
    if code == 3:
        return Failure(Kind.DENIED if said == os.strerror(13) else Kind.REJECTED, said)
    if code != 0:
        ended = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return Failure(
            Kind.BROKEN, f"the process that reads the capture ended with {ended}: {said.splitlines()[-1] if said else 'no word'}"
        )
    try:
        return msgspec.json.decode(answer, type=CaptureSample)
    except msgspec.MsgspecError:
        return Failure(Kind.BROKEN, "the process that reads the capture gave no sample")


@asynccontextmanager
async def open() -> AsyncIterator[CaptureProber]:
    """Yield the prober."""
    yield CaptureProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read the name of a file; ValueError when there is none such."""
    if not os.path.isfile(text):
        why = "it is no ordinary file" if os.path.lexists(text) else "there is no such file"
        raise ValueError(f"{text!r}: {why}; TARGET is a capture (pcap, pcapng)")
    return os.path.abspath(text), {}
