"""Follows a switch's file of call records and counts, over the last minutes, what became of the calls."""

import csv
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from probe import job
from probe.cdr.layout import Layout, layout_of, places
from probe.cdr.record import Read, RefusedError, reader
from probe.cdr.tail import Tail
from probe.cdr.window import PEAK_S, Window
from probe.cdr.zone import zone_of
from probe.inventory import Node
from probe.observation.cdr import CdrSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.probers.worker import StuckError, Worker

A_LOOK_S = 2.5  # of reading; what is left then is read at the next look
A_BITE = 4 << 20
MOST_REASONS = 20

_Count = Annotated[int, Meta(ge=1)]
_Prefix = Annotated[str, Meta(pattern=r"^[0-9]{1,15}$")]


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which file, what stands in it, and how it is counted."""

    cdr_file: Annotated[str, Meta(description="file of call records that the switch writes", min_length=1)]
    layout: Annotated[
        Literal["freeswitch", "asterisk", "asterisk-custom", "own"],
        Meta(
            description="form of the file: mod_cdr_csv's, cdr-csv/Master.csv or cdr-custom/Master.csv of Asterisk, or described by columns"
        ),
    ] = "own"
    columns: Annotated[
        dict[str, str],
        Meta(
            description="field = column, by number from 1 or by its name in the header: start, answer, end (times), duration, talk, pdd"
            " (seconds), caller, callee, trunk, customer, cause"
        ),
    ] = msgspec.field(default_factory=dict)
    delimiter: Annotated[str | None, Meta(description="what stands between columns; a comma unless the layout has another")] = None
    header: Annotated[bool | None, Meta(description="whether the first line names the columns")] = None
    times: Annotated[
        str | None,
        Meta(description="how times are written: iso, epoch, epoch-ms, or a form as of strptime; iso unless the layout has another"),
    ] = None
    zone: Annotated[str, Meta(description="time zone of times that name none (IANA); this machine's own when left out")] = ""
    minutes: Annotated[int, Meta(description="length of the window, to a minute", ge=1, le=240)] = 15
    prefixes: Annotated[
        tuple[_Prefix, ...],
        Meta(description="destinations to count by: E.164 prefixes without + or 00; the longest that fits", max_length=500),
    ] = ()
    digits: Annotated[int, Meta(description="without prefixes: so many first digits are the destination; 0 for none", ge=0, le=7)] = 3
    limits: Annotated[dict[str, _Count], Meta(description="calls at once that a trunk may have: trunk = number", max_length=500)] = (
        msgspec.field(default_factory=dict)
    )
    licence: Annotated[_Count | None, Meta(description="calls at once that the switch may have")] = None
    most: Annotated[int, Meta(description="trunks, destinations and customers told of by name, each the busiest first", ge=1, le=200)] = 20

    def __post_init__(self) -> None:
        layout_of(self.layout, self.columns, self.delimiter, self.header, self.times)
        try:
            zone_of(self.zone)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            raise ValueError(f"zone: {self.zone!r} is no time zone of this machine") from None

    @property
    def item(self) -> str:
        """The file."""
        return self.cdr_file


class CdrProber:
    """One follower for each file, in a thread of its own: a file may lie on a network."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._worker = Worker("cdr")
        self._followers: dict[str, Follower] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:  # it is this machine's file
        """Return a CdrSample of the window that ends now; a file that can't be opened is ours to see, not the switch's fault."""
        key = options.item
        follower = self._followers.get(key)
        if follower is None or follower.options != options:
            if follower is not None:
                follower.close()
            follower = self._followers[key] = Follower(options)
        try:
            return await self._worker.run(lambda: follower.look(self._clock()))
        except StuckError as why:
            return Failure(Kind.BROKEN, str(why))

    def close(self) -> None:
        """Close the files, by the thread that reads them."""
        self._worker.close(*(follower.close for follower in self._followers.values()))


class Follower:
    """What was read of one file."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._layout: Layout = layout_of(options.layout, options.columns, options.delimiter, options.header, options.times)
        self._tail = Tail(options.cdr_file)
        self._read: Read | None = None
        self._window = self._new_window()
        self._lines = self._taken = self._older = 0
        self._refused: Counter[str] = Counter()
        self._heading: str | None = None

    def _new_window(self) -> Window:
        options = self.options
        return Window(
            options.minutes * 60.0, options.prefixes, options.digits, options.limits, options.licence, "cause" in self._layout.columns
        )

    def look(self, now: float) -> Outcome:
        """Read what came since the look before, and count; blocks as long as the file system does."""
        try:
            if not self._tail.opened:
                self._open(now)
            self._follow(now)
        except OSError as why:
            self._tail.close()
            return Failure(Kind.DENIED, f"{self.options.cdr_file}: {why.strerror or why}")
        except ValueError as why:
            self._tail.close()
            return Failure(Kind.BROKEN, f"{self.options.cdr_file}: {why}")
        groups, left_out = self._window.groups(now, self.options.most)
        newest = self._window.newest
        return CdrSample(
            self.options.cdr_file,
            self.options.minutes * 60.0,
            groups,
            self._lines,
            self._taken,
            self._older,
            dict(self._refused.most_common(MOST_REASONS)),
            None if newest is None else max(0.0, now - newest),
            self._tail.behind,
            self._tail.rotations,
            self._tail.truncations,
            left_out,
        )

    def _open(self, now: float) -> None:
        self._window = self._new_window()

        def when(line: str) -> float | None:
            try:
                return None if self._read is None else self._read(line, now).end
            except RefusedError:
                return None

        self._tail.open(float("inf"), lambda _: None)  # only for the header
        self._describe()
        self._tail.close()
        self._tail.open(now - max(self.options.minutes * 60.0, PEAK_S), when)

    def _describe(self) -> None:
        options, layout = self.options, self._layout
        heading = self._tail.header() if layout.header else None
        row = None if heading is None else next(iter(csv.reader([heading], delimiter=layout.delimiter)), [])
        self._read = reader(places(layout, row), layout.delimiter, layout.times, options.zone)
        self._heading = heading

    def _follow(self, now: float) -> None:
        until = time.monotonic() + A_LOOK_S
        while True:
            turns = self._tail.rotations + self._tail.truncations
            lines = self._tail.more(A_BITE)
            if self._layout.header and turns != self._tail.rotations + self._tail.truncations:
                with suppress(ValueError):  # a file without its header has the columns of the one before
                    self._describe()
            self._count(lines, now)
            if not self._tail.behind or not lines or time.monotonic() > until:
                return

    def _count(self, lines: list[bytes], now: float) -> None:
        read, heading = self._read, self._heading
        assert read is not None
        for octets in lines:
            try:
                line = octets.decode().removesuffix("\r")
                if not line or (heading is not None and line.removeprefix("\ufeff") == heading):
                    continue
                self._lines += 1
                call = read(line, now)
            except RefusedError as why:
                self._refused[str(why)] += 1
            except UnicodeDecodeError:
                self._lines += 1
                self._refused["encoding"] += 1
            else:
                if self._window.add(call, now):
                    self._taken += 1
                else:
                    self._older += 1

    def close(self) -> None:
        """Close the file."""
        self._tail.close()


@asynccontextmanager
async def open() -> AsyncIterator[CdrProber]:
    """Yield the prober; it keeps its files open and what it counted."""
    prober = CdrProber()
    try:
        yield prober
    finally:
        prober.close()
