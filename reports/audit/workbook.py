"""The workbook of an audit: summary, by cause, by day, by prefix, every differing call with both lines, refused rows, methods."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import xlsxwriter

from reports.audit.analysis_sheets import by_cause, by_slice, methods, refused
from reports.audit.call_columns import workbook_columns
from reports.audit.call_sheets import parts_of, pouring, prepare
from reports.audit.sheets import Looks, Sheet
from reports.audit.streamed import fill
from reports.audit.summary_sheet import WIDTHS, summary
from reports.audit.tally import Material, Tally, tally
from reports.audit.writing import laid_down
from reports.locale.text import Texts

DATED: Final = datetime(2000, 1, 1)  # noqa: DTZ001 – a workbook's dates have no zone; the same audit gives the same bytes
OPTIONS: Final = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(path: Path, material: Material, texts: Texts, counted: Tally | None = None, replace: bool = False) -> int:
    """Write the workbook and return how many sheets of calls it has (more than one beyond 1,048,573 calls).

    Memory is bounded by one batch of calls (50,000; of millions 250,000). `AlreadyThere` where the file exists, unless `replace`.
    """
    counted = counted or tally(material.audit, material.calls)
    with laid_down(path, replace) as out:
        return workbook(out, material, texts, counted)


def workbook(out: BinaryIO, material: Material, texts: Texts, counted: Tally) -> int:
    """Write the workbook to a stream; see `write_workbook`."""
    audit, money_of = material.audit, counted.columns
    columns = workbook_columns(money_of, texts)
    parts = parts_of(texts.text("audit.sheet.calls"), counted.batches)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as prepared:  # both 0700/0600 by their makers
        book = opened(prepared, folder, texts.text("audit.book.title"))
        looks = Looks(book, texts, audit.currency)
        summary(Sheet(book, texts.text("audit.sheet.summary"), looks, WIDTHS, landscape=False), audit, texts)
        by_cause(book, looks, audit, texts, parts, columns, counted)
        by_slice(book, looks, audit, texts, "day", counted)
        by_slice(book, looks, audit, texts, "prefix", counted)
        numbers: list[int] = []
        for part in parts:
            title = texts.text("audit.sheet.calls-title", rows=f"{counted.rows:,}", zone=audit.timezone)
            if len(parts) > 1:
                title += " · " + texts.text("audit.sheet.split", part=len(numbers) + 1, parts=len(parts), rows=f"{part.rows:,}")
            prepare(book, looks, part, columns, money_of, title, texts)
            numbers.append(len(book.worksheets()))
        refused(book, looks, audit, texts)
        methods(book, looks, audit, texts)
        book.close()
        prepared.seek(0)
        tasks = {number: pouring(material, texts, part, columns, money_of) for number, part in zip(numbers, parts, strict=True)}
        fill(prepared, out, tasks)
    return len(parts)


def opened(stream: Any, folder: str, title: str) -> Any:
    """Return a new workbook that is written to `stream`, its working files in `folder`."""
    book = xlsxwriter.Workbook(stream, OPTIONS | {"tmpdir": folder})
    book.set_properties({"title": title, "created": DATED})
    return book
