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
    """Return the error with these texts (audit.unreadable.…, audit.cure.…); the values are the first one's."""
    return Unreadable(file, line, Note(why, dict(values)), Note(cure))


REASONS: Final = (
    "",  # 0: read without a remark
    "audit.refused.time",
    "audit.refused.no_time",
    "audit.refused.time_ambiguous",
    "audit.refused.date_only",
    "audit.refused.date_turned",
    "audit.refused.number_excel",
    "audit.refused.number",
    "audit.refused.duration",
    "audit.refused.negative_duration",
    "audit.refused.amount",
    "audit.refused.decimal_doubt",
    "audit.refused.negative_charge",
    "audit.refused.amount_large",
    "audit.refused.currency",
)
"""Flags above 0: the field refuses its row, with this text."""
FLAG: Final = {reason.rpartition(".")[2]: number for number, reason in enumerate(REASONS)}
REMARKS: Final = (
    "",
    "audit.note.finer",
    "audit.note.minutes_only",
    "audit.note.two_digit_year",
    "audit.note.number_point_zero",
    "audit.note.number_grouped",
)
"""Flags below 0: the field was read, and the file says in how many `rows`."""
REMARK: Final = {remark.rpartition(".")[2]: -number for number, remark in enumerate(REMARKS)}


def refusal(why: str, **values: str | int) -> Note:
    """Return the reason of a refused row."""
    return Note(why, dict(values))
