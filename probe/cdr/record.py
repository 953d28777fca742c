"""One line of a file into one record, strictly: what can't be read is refused with a word for the reason."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import msgspec

from probe.cdr.zone import zone_of

LONGEST_LINE = 8192
LONGEST_NAME = 64
LONGEST_CALL_S = 7 * 86_400.0
AHEAD_S = 120.0  # our choice: clocks differ; what ended later than this is a wrong zone


class Record(msgspec.Struct, gc=False):
    """One call; times are seconds since 1970, `callee` is for the destination only and is kept nowhere."""

    start: float | None
    end: float
    answered: bool
    talk_s: float
    pdd_s: float | None
    callee: str
    trunk: str
    customer: str
    cause: str


class RefusedError(Exception):
    """A line that can't be read; the text is the word for why."""


Read = Callable[[str, float], Record]


def reader(places: dict[str, int], delimiter: str, times: str, zone: str) -> Read:
    """Return what reads a line at a time; it raises RefusedError: long, quotes, columns, time, future, order, duration."""
    moment = _moment(times, zone_of(zone))
    last = max(places.values())
    where = [
        places.get(field, -1) for field in ("start", "answer", "end", "duration", "talk", "pdd", "callee", "trunk", "customer", "cause")
    ]
    start_at, answer_at, end_at, duration_at, talk_at, pdd_at, callee_at, trunk_at, customer_at, cause_at = where

    def read(line: str, now: float) -> Record:
        if len(line) > LONGEST_LINE:
            raise RefusedError("long")
        row = line.split(delimiter) if '"' not in line else _quoted(line, delimiter)
        if len(row) <= last:
            raise RefusedError("columns")
        end = moment(row[end_at], now + AHEAD_S) if end_at >= 0 else None
        start = moment(row[start_at], now + AHEAD_S if end is None else end) if start_at >= 0 else None
        answer = moment(row[answer_at], now + AHEAD_S if end is None else end) if answer_at >= 0 else None
        duration = _seconds(row[duration_at]) if duration_at >= 0 else None
        talk = _seconds(row[talk_at]) if talk_at >= 0 else None
        if end is None and start is not None and duration is not None:
            end = start + duration
        if end is None:
            raise RefusedError("time")
        if end > now + AHEAD_S:
            raise RefusedError("future")
        if (start is not None and start > end) or (answer is not None and answer > end):
            raise RefusedError("order")
        answered = answer is not None if answer_at >= 0 else bool(talk)
        if talk is None:
            talk = end - answer if answer is not None else 0.0
        if talk > LONGEST_CALL_S or (start is not None and end - start > LONGEST_CALL_S):
            raise RefusedError("duration")
        return Record(
            start,
            end,
            answered,
            talk,
            _seconds(row[pdd_at]) if pdd_at >= 0 else None,
            row[callee_at] if callee_at >= 0 else "",
            _channel(row[trunk_at]) if trunk_at >= 0 else "",
            row[customer_at].strip()[:LONGEST_NAME] if customer_at >= 0 else "",
            row[cause_at].strip().upper()[:LONGEST_NAME] if cause_at >= 0 else "",
        )

    return read


def _quoted(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise RefusedError("quotes") from None


def _seconds(text: str) -> float | None:
    """Return a number of seconds; None for an empty field."""
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise RefusedError("duration") from None
    if not 0 <= value <= 1e9:
        raise RefusedError("duration")
    return value


def _moment(times: str, zone: tzinfo) -> Callable[[str, float], float | None]:
    """Return how a time is read, one without zone being of `zone`; None for an empty one: "0000-00-00 00:00:00" and 0 are that too.

    An hour that the clocks go through twice is the second one, unless that is later than can be: than now, for a call's end.
    """
    unit = {"epoch": 1.0, "epoch-ms": 1000.0}.get(times)

    def read(text: str, latest: float) -> float | None:
        text = text.strip()
        if not text or text in ("0", "0000-00-00 00:00:00"):
            return None
        try:
            if unit is not None:
                return _within(float(text) / unit)
            moment = datetime.fromisoformat(text) if times == "iso" else datetime.strptime(text, times)  # noqa: DTZ007  the zone follows
            if moment.tzinfo is not None:
                return _within(moment.timestamp())
            first, second = (moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
            return _within(second if first < second <= latest else first)
        except (ValueError, OverflowError):
            raise RefusedError("time") from None

    return read


def _within(seconds: float) -> float:
    """Return a time that can be one of a call: 1990 … 2100."""
    if not _FIRST < seconds < _LAST:
        raise ValueError
    return seconds


_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1990, 2100))


def _channel(text: str) -> str:
    """Return a trunk's name: of an Asterisk channel "PJSIP/carrier-0000002a" what stands before the number of the call."""
    name, dash, number = text.strip().rpartition("-")
    return (name if dash and len(number) == 8 and "/" in name else text.strip())[:LONGEST_NAME]
