"""Writes the rows of two bills that could not be read to a CSV file, as they come: all of them, where an audit names the first."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from billing_audit.ledger import Bill, Refused
from reports.audit.words import note_text
from reports.audit.writing import laid_down
from reports.locale.text import Texts

NAME = "refused.csv"
HEAD = ("bill", "file", "line", "field", "text", "why")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet program would take for a formula

Take = Callable[[Bill, Sequence[Refused]], None]


@contextmanager
def refused_rows(path: Path, said: Texts) -> Iterator[Take]:
    """Give what takes refused rows and writes them to `path`, mode 0600; no row, no file: one of an earlier audit is gone.

    After an error nothing is left. UTF-8 with a mark, so that spreadsheet programs read it; a text that would be a formula gets an
    apostrophe in front.
    """
    path.unlink(missing_ok=True)
    with ExitStack() as files:
        writer: Any = None

        def take(bill: Bill, rows: Sequence[Refused]) -> None:
            nonlocal writer
            if writer is None:
                text = TextIOWrapper(files.enter_context(laid_down(path, replace=True)), "utf-8-sig", "backslashreplace", newline="")
                files.callback(text.detach)
                writer = csv.writer(text)
                writer.writerow(HEAD)
            for row in rows:
                told = f"'{row.text}" if row.text.startswith(_FORMULA) else row.text
                writer.writerow((bill.value, row.file, row.line, row.field, told, note_text(row.reason, said)))

        yield take
