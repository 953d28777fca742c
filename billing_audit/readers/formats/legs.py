"""Records of which one says of another that it is its leg: the leg is folded into its call, a leg whose call never comes is kept."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from billing_audit.ledger import Note
from billing_audit.readers.layout import Folded, Item, Record

WINDOW: Final = 65_536  # legs of one call end, and are written, near each other
SECOND: Final = Note("audit.note.second-leg")


class Legs:
    """Joins legs as they stream by. Bounds: `window` records held back, as many ids of calls and of legs remembered; the oldest go first.

    `named_later`: a call may name its leg after the leg was written, so every record is held back; else only legs that name their call.
    """

    def __init__(self, *, named_later: bool, window: int = WINDOW) -> None:
        self.window = window
        self.named_later = named_later
        self.alone = 0  # legs that were kept as calls
        self._waiting: OrderedDict[str, tuple[Record, str]] = OrderedDict()  # id → record and the call that it says it is a leg of
        self._legs_of: dict[str, list[str]] = {}  # call → its legs among the waiting
        self._calls: OrderedDict[str, None] = OrderedDict()
        self._named: OrderedDict[str, None] = OrderedDict()  # legs that a call has named

    def feed(self, record: Record, leg: str = "", of: str = "") -> Iterator[Item]:
        """Take a record, the id of its leg if it names one, the id of the call that it is a leg of; yield what is settled by it."""
        if record.id in self._named or of in self._calls:
            yield Folded(line=record.line, note=SECOND)
            return
        if leg and leg != record.id:
            self._remember(self._named, leg)
            if (waited := self._waiting.pop(leg, None)) is not None:
                yield Folded(line=waited[0].line, note=SECOND)
        if record.id and not of:
            self._remember(self._calls, record.id)
            for waiting in self._legs_of.pop(record.id, ()):
                if (waited := self._waiting.pop(waiting, None)) is not None:
                    yield Folded(line=waited[0].line, note=SECOND)
        # An id that comes again is another record of the bill and is kept: whether it was billed twice is the audit's question.
        if not record.id or record.id in self._waiting or not (of or self.named_later):
            yield record
            return
        self._waiting[record.id] = (record, of)
        if of:
            self._legs_of.setdefault(of, []).append(record.id)
        while len(self._waiting) > self.window:
            yield self._release()

    def end(self) -> Iterator[Item]:
        """Yield what still waits, and how many legs had no call."""
        while self._waiting:
            yield self._release()
        if self.alone:
            yield Folded(line=0, rows=0, note=Note("audit.note.leg-alone", {"count": self.alone}))

    def _release(self) -> Record:
        _, (record, of) = self._waiting.popitem(last=False)
        if of:
            self.alone += 1
            self._legs_of.pop(of, None)
        return record

    def _remember(self, ids: OrderedDict[str, None], name: str) -> None:
        ids[name] = None
        if len(ids) > self.window:
            ids.popitem(last=False)
