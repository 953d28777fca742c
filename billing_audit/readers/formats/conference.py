"""One record per leg, joined by the conference id that all legs of a call carry: what voice gateways write (CUBE, RADIUS)."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from billing_audit.ledger import Note
from billing_audit.readers.formats.cisco_clock import Reading, offset_s
from billing_audit.readers.formats.rows import NO, YES
from billing_audit.readers.layout import Folded, Item, Record

WAITING: Final = 65_536  # calls of which one leg was seen; beyond it the oldest is given up as a call of one leg
ENDED: Final = 65_536  # conference ids of calls that were given out, to fold a third leg
SECOND: Final = Note("audit.note.second-leg")
FEATURE: Final = Note("audit.note.leg-feature")
ANSWER, ORIGINATE = "answer", "originate"


class Leg(msgspec.Struct):
    """A leg as it was written; `epoch_s`: when the record was made, by the same clock."""

    record: Record
    conference: str
    origin: str  # ANSWER: towards the caller; ORIGINATE: towards the callee; "" not told
    setup: Reading | None
    connect: Reading | None
    disconnect: Reading | None
    epoch_s: int | None = None


class Conferences:
    """Joins the two legs of a call: the leg that answers the caller is the call, the other is folded and gives its trunk.

    Bounds: WAITING calls wait for their other leg, ENDED ids of joined calls are remembered.
    """

    def __init__(self, waiting: int = WAITING) -> None:
        self.most = waiting
        self._waiting: OrderedDict[str, Leg] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.alone = 0
        self.doubtful = 0  # records of a clock that was not synchronised
        self.zones: dict[str, int] = {}  # zone abbreviations that nothing proves → records

    def feed(self, leg: Leg) -> Iterator[Item]:
        """Take a leg; yield what is settled by it."""
        if not leg.conference:
            self.alone += 1
            yield self._call(leg)
            return
        if leg.conference in self._ended:
            yield Folded(line=leg.record.line, note=FEATURE)
            return
        other = self._waiting.pop(leg.conference, None)
        if other is None:
            self._waiting[leg.conference] = leg
            while len(self._waiting) > self.most:
                yield self._alone(self._waiting.popitem(last=False)[1])
            return
        if other.origin == leg.origin and leg.origin:  # a record per feature of the same leg (hold, transfer): the first holds the call
            self._waiting[leg.conference] = other
            yield Folded(line=leg.record.line, note=FEATURE)
            return
        call, second = (leg, other) if leg.origin == ANSWER or other.origin == ORIGINATE else (other, leg)
        call.record.gateway = second.record.gateway or call.record.gateway
        call.record.callee = call.record.callee or second.record.callee
        call.record.caller = call.record.caller or second.record.caller
        self._ended[leg.conference] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)
        yield self._call(call)
        yield Folded(line=second.record.line, note=SECOND)

    def end(self) -> Iterator[Item]:
        """Yield the legs that stayed alone, and what is to be noted."""
        while self._waiting:
            yield self._alone(self._waiting.popitem(last=False)[1])
        if self.alone:
            yield Folded(line=0, rows=0, note=Note("audit.note.leg-alone", {"count": self.alone}))
        if self.doubtful:
            yield Folded(line=0, rows=0, note=Note("audit.note.clock-unsynchronised", {"count": self.doubtful}))
        for zone, count in sorted(self.zones.items()):
            yield Folded(line=0, rows=0, note=Note("audit.note.zone-unproven", {"zone": zone, "count": count}))

    def _alone(self, leg: Leg) -> Record:
        self.alone += 1
        return self._call(leg)

    def _call(self, leg: Leg) -> Record:
        """Return the record with its times: in UTC where the zone is known."""
        readings = [reading for reading in (leg.disconnect, leg.connect, leg.setup) if reading is not None]
        shift = offset_s(readings[0], leg.epoch_s) if readings else None
        if readings and shift is None and (readings[0].zone in self.zones or len(self.zones) < 50):
            self.zones[readings[0].zone] = self.zones.get(readings[0].zone, 0) + 1
        self.doubtful += any(reading.doubtful for reading in readings)
        record = leg.record
        record.start = leg.setup.text(shift) if leg.setup else record.start
        record.answer = leg.connect.text(shift) if leg.connect else record.answer
        record.end = leg.disconnect.text(shift) if leg.disconnect else record.end
        record.answered = YES if record.answer else NO
        return record
