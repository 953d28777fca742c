"""Why a whole file can't be used, and why a single row can't: the words that readers give back."""

from typing import Final

from billing_audit.ledger import Note


class Unreadable(Exception):
    """A file that can't be used: its name as given, the line (None: the whole file), what is wrong and the cure as texts to be."""

    def __init__(self, file: str, line: int | None, what: Note, cure: Note) -> None:
        super().__init__(f"{file}:{line}: {what.id}" if line else f"{file}: {what.id}")
        self.file = file
        self.line = line
        self.what = what
        self.cure = cure


def unreadable(file: str, why: str, cure: str, line: int | None = None, **values: str | int) -> Unreadable:
    """Return the error with texts audit.unreadable.<why> and audit.cure.<cure>, both with the same values."""
    return Unreadable(file, line, Note(f"audit.unreadable.{why}", dict(values)), Note(f"audit.cure.{cure}"))


REASONS: Final = (
    "",  # 0: read without a remark
    "time", "no_time", "time_ambiguous", "date_only", "date_turned",
    "number_excel", "number", "duration", "negative_duration",
    "amount", "decimal_doubt", "negative_charge", "amount_large", "rate", "currency", "account",
)  # fmt: skip
"""Flags above 0: the field refuses its row, with the text audit.refused.<reason>."""
FLAG: Final = {reason: number for number, reason in enumerate(REASONS)}
REMARKS: Final = ("", "finer", "minutes_only", "two_digit_year", "number_point_zero")
"""Flags below 0: the field was read, and the file says how often: audit.note.<remark> with `rows`."""
REMARK: Final = {remark: -number for number, remark in enumerate(REMARKS)}


def refusal(why: str, **values: str | int) -> Note:
    """Return the reason of a refused row."""
    return Note(f"audit.refused.{why}", dict(values))
