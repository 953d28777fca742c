"""One price of a deck as read, and the place of a row that can't be read."""

import msgspec

from billing_audit.ledger import MISSING, Refused
from billing_audit.money import Doubtful


class Entry(msgspec.Struct, frozen=True):
    """A price: MISSING where the row does not say, a MISSING rate means blocked; `ended`: from `from_ms` on the code has no price."""

    prefix: int  # 1 before its digits
    rate_nano: int
    minimum_s: int = MISSING
    increment_s: int = MISSING
    fee_micro: int = MISSING
    free_s: int = MISSING
    from_ms: int = MISSING
    to_ms: int = MISSING
    band: str = ""
    destination: str = ""
    file: int = 0
    line: int = 0
    ended: bool = False
    last_ms: int = MISSING  # until when it holds if the day that `to_ms` begins is its last one

    def price(self) -> tuple[int, ...]:
        """Return what two rows must share to be the same price."""
        return self.rate_nano, self.minimum_s, self.increment_s, self.fee_micro, self.free_s, self.to_ms, self.ended


class Faulty(msgspec.Struct, frozen=True):
    """Where something can't be read: file, line, field, text."""

    file: str
    line: int
    field: str
    text: str

    def refused(self, why: Doubtful) -> Refused:
        """Return the refused row."""
        return Refused(self.file, self.line, self.field, self.text[:200], why.note)
