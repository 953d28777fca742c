"""The process that reads one capture: `python -m probe.capture` with a request as JSON on stdin, the sample as JSON on stdout.

Exit code 0: a sample. 3: a sentence on stderr says why there is none. It takes no other input and needs no environment.
"""

import os
import resource
import signal
import sys
import time

import msgspec

MEMORY_BYTES = 600 << 20  # address space; what is held at once is bounded far below
FAILED = 3


class Request(msgspec.Struct, frozen=True):
    """What to read and how much to tell."""

    path: str
    seconds: float
    calls: int
    numbers: bool
    call: str


def main() -> int:
    """Read, and answer; whatever goes wrong is a sentence."""
    request = msgspec.json.decode(sys.stdin.buffer.read(65_536), type=Request)
    _end_with(os.getppid())
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    from probe.capture.reader import NotACapture

    try:
        sys.stdout.buffer.write(_read(request))
    except NotACapture as why:
        return _fail(str(why))
    except OSError as why:
        return _fail(why.strerror or "it can't be read")
    except MemoryError:
        return _fail(f"more than {MEMORY_BYTES >> 20} MiB of memory would be needed")
    return 0


def _read(request: Request) -> bytes:
    import stat

    from probe.capture.analysis import Analysis
    from probe.capture.anomalies import Anomalies
    from probe.capture.reader import Reader
    from probe.capture.result import sample

    with open(request.path, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(0, "it is no ordinary file")
        anomalies = Anomalies()
        reader = Reader(file, anomalies, time.monotonic() + request.seconds)
        found = Analysis(anomalies, request.call)
        found.read(reader.packets())
        return msgspec.json.encode(
            sample(request.path, about.st_size, reader, found, anomalies, request.calls, request.numbers, request.call)
        )


def _end_with(parent: int) -> None:
    """End within a second of the process that asked, however that one ended: nobody else reads the answer."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(FAILED) if os.getppid() != parent else None)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)


def _fail(text: str) -> int:
    sys.stderr.write(text)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
