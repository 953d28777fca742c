"""Disputes as files: whatever the notation, the rows and the money are those of the ledgers."""

import csv
import gzip
import io
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from tests.billing_audit.dispute import files
from tests.billing_audit.dispute.files import Style
from tests.billing_audit.dispute.make import make

ROOT = Path(__file__).parents[2]
DISPUTE = make(0, [("rate", "local")], 2500)
PLAIN = Style()


def rows_of(path: Path, style: Style) -> list[dict[str, str]]:
    """Return the rows of one written file by their titles."""
    if style.kind == "xlsx":
        titles, *rows = openpyxl.load_workbook(io.BytesIO(path.read_bytes())).active.iter_rows(
            min_row=4 if style.letterhead else 1, values_only=True
        )
        return [dict(zip(titles, (str(c) for c in row), strict=True)) for row in rows]
    data = gzip.decompress(path.read_bytes()) if style.gzip else path.read_bytes()
    text = data.decode(style.encoding)
    if style.letterhead:
        text = text.split("\n", 2)[2]
    return list(csv.DictReader(io.StringIO(text), delimiter=style.delimiter))


@pytest.mark.parametrize(
    "style",
    [
        PLAIN,
        replace(PLAIN, language="zh", encoding="gb18030", delimiter=";", titles=1),
        replace(PLAIN, language="zh", encoding="utf-16", delimiter="\t", caller="00", callee="8888#"),
        replace(PLAIN, encoding="utf-8-sig", gzip=True, dates="zoned", letterhead=True),
        replace(PLAIN, delimiter=";", comma=True, durations="clock", dates="slashes"),
        replace(PLAIN, dates="epoch_ms", files=3),
        replace(PLAIN, kind="vos", language="zh", encoding="gb18030"),
        replace(PLAIN, kind="xlsx", letterhead=True),
        replace(PLAIN, totals=True),
    ],
)
def test_written_files_hold_the_ledger_whatever_the_notation(style, tmp_path):
    files.write(DISPUTE, tmp_path, {"local": style})
    paths = sorted(p for p in tmp_path.rglob("local*") if p.is_file())
    assert len(paths) == style.files
    rows = [row for path in paths for row in rows_of(path, style)]
    charge = next(title for title in rows[0] if title in files._CHARGES)
    frame = DISPUTE.local
    if style.totals:
        assert int(Decimal(rows.pop()[charge]) * 1_000_000) == frame["charge_micro"].sum()
    assert len(rows) == len(frame)
    assert sum(round(Decimal(row[charge].replace(",", ".")) * 1_000_000) for row in rows) == frame["charge_micro"].sum()


def test_drawn_forms_vary_and_a_wrong_clock_never_names_its_zone():
    late = make(1, [("clock", "customer")], 2500)
    rng = np.random.default_rng(1)
    forms = [files.draw_style(rng, late, "customer") for _ in range(300)]
    assert {form.kind for form in forms} == {"csv", "vos", "xlsx"}
    assert not {"zoned", "epoch_s", "epoch_ms"} & {form.dates for form in forms}
    assert {"zoned", "epoch_s", "epoch_ms"} <= {
        files.draw_style(rng, late, "local").dates for _ in range(300)
    } or late.world.clock.change_ms


def test_command_writes_one_dispute_with_its_truth(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "tests.billing_audit.dispute", "0", tmp_path / "d", "rate/local", "--rows", "2500"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    truth = json.loads((tmp_path / "d" / "truth.json").read_text())
    assert [cause["cause"] for cause in truth["causes"]] == ["rate"]
    assert sum(Decimal(cause["amount"]) for cause in truth["causes"]) == Decimal(truth["difference"])
    assert {"contract.toml", "deck.csv", "outages.csv"} <= {p.name for p in (tmp_path / "d").iterdir()}
