"""What became of one number's calls since a moment, by the records that a switch writes; of the other party nothing is kept."""

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from probe.cdr.layout import Layout, places
from probe.cdr.record import Record, RefusedError, reader
from probe.cdr.tail import Tail

LOOK_S = 3.0  # of reading; a file that needs longer is told of as far as it was read
LEAST_DIGITS = 4  # of a number, from its end: fewer are many numbers
MOST_DIGITS = 11  # compared: what stands before them (+, 00, a country's code) may be written in one place and not in the other
BITE = 4 << 20


class NumberCalls(msgspec.Struct, frozen=True):
    """Calls from and to one number. `causes`: release cause of those that were not answered → calls, the most frequent first.

    `last_at`: when the newest of them ended, seconds since 1970, None without any. `whole`: the records were read to their end.
    """

    attempts: int
    answered: int
    talk_s: float
    causes: dict[str, int]
    last_at: float | None
    whole: bool


def calls_of(path: str, layout: Layout, zone: str, number: str, since: float, now: float) -> NumberCalls:
    """Return what became of a number's calls that ended since `since` (seconds since 1970); blocks, for LOOK_S at most.

    OSError when the file can't be read, ValueError when its header lacks a column or the number has too few digits.
    """
    end = _digits(number)[-MOST_DIGITS:]
    if len(end) < LEAST_DIGITS:
        raise ValueError(f"{number!r} has too few digits")
    tail = Tail(path)
    tail.open(float("inf"), lambda _: None)  # only for the header
    heading = tail.header() if layout.header else None
    tail.close()
    row = None if heading is None else next(iter(csv.reader([heading], delimiter=layout.delimiter)), [])
    where = places(layout, row)
    read = reader(where, layout.delimiter, layout.times, zone)
    parties = [where[field] for field in ("caller", "callee") if field in where]

    def when(line: str) -> float | None:
        try:
            return read(line, now).end
        except RefusedError:
            return None

    tail.open(since, when)
    try:
        return _counted(_records(tail, lambda line: read(line, now) if _is_of(line, parties, layout.delimiter, end) else None), tail, since)
    finally:
        tail.close()


def _records(tail: Tail, read: Callable[[str], Record | None]) -> Iterator[Record]:
    """Yield the records of the number as long as there is time; what can't be read is nobody's."""
    until = time.monotonic() + LOOK_S
    while (lines := tail.more(BITE)) and time.monotonic() < until:
        for octets in lines:
            try:
                call = read(octets.decode().removesuffix("\r"))
            except (RefusedError, UnicodeDecodeError, csv.Error):
                continue
            if call is not None:
                yield call


def _counted(calls: Iterator[Record], tail: Tail, since: float) -> NumberCalls:
    attempts = answered = 0
    talk_s, last_at = 0.0, None
    causes: Counter[str] = Counter()
    for call in calls:
        if call.end < since:
            continue
        attempts += 1
        last_at = max(last_at or 0.0, call.end)
        if call.answered:
            answered += 1
            talk_s += call.talk_s
        else:
            causes[call.cause or "?"] += 1
    return NumberCalls(attempts, answered, talk_s, dict(causes.most_common(5)), last_at, not tail.behind)


def _is_of(line: str, parties: list[int], delimiter: str, end: str) -> bool:
    row = line.split(delimiter) if '"' not in line else next(iter(csv.reader([line], delimiter=delimiter)), [])
    return any(at < len(row) and _same(_digits(row[at]), end) for at in parties)


def _same(digits: str, end: str) -> bool:
    """Tell whether two numbers are one: the shorter one, of at least LEAST_DIGITS, is the end of the other."""
    short, long = sorted((digits[-MOST_DIGITS:], end), key=len)
    return len(short) >= LEAST_DIGITS and long.endswith(short)


def _digits(text: str) -> str:
    """Return the digits of a number without the zeros before them, which are dialled and not part of it."""
    return "".join(one for one in text if one.isascii() and one.isdigit()).lstrip("0")
