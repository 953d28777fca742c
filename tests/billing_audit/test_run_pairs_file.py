"""Parquet of all pairs: what people read in it, and that the same integers come back; outages from a file."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from billing_audit import outages
from billing_audit.engine import pairs_file
from billing_audit.ledger import MISSING, PAIRS, Names, empty, source_of
from billing_audit.numbers import encode
from billing_audit.outages import Outage

NUMBERS = ("8613812345678", "+4930123456", "0086138", "138****5678", "***", "", "99*13812345678", "hotline", "1", "13800138000")
AMOUNTS = ("rate/company", "clock/undetermined", "unexplained")


def written(rows: int = len(NUMBERS)) -> tuple[io.BytesIO, pd.DataFrame, pd.DataFrame, np.ndarray, Names]:
    names = Names()
    frame = empty(PAIRS, rows)
    random = np.random.default_rng(3)
    frame["caller"] = [encode(NUMBERS[row % len(NUMBERS)], names) for row in range(rows)]
    frame["callee"] = [encode(NUMBERS[-row % len(NUMBERS)], names) for row in range(rows)]
    frame["l_source"] = [source_of(0, 2 + row) if row % 3 else MISSING for row in range(rows)]
    frame["c_source"] = [source_of(1 + row % 2, 9 + row) if row % 5 else MISSING for row in range(rows)]
    for name in ("l_start_ms", "c_start_ms", "l_duration_ms", "l_charge_micro", "c_rate_nano", "l_ring_ms"):
        frame[name] = np.where(random.random(rows) < 0.3, MISSING, random.integers(0, 10**12, rows))
    frame["c_charge_micro"] = random.integers(-(10**15), 10**15, rows)
    frame["l_answered"] = random.integers(0, 2, rows)
    frame["c_gateway"] = np.where(random.random(rows) < 0.5, MISSING, names.index("gw-1"))
    amounts = pd.DataFrame({name: random.integers(-(10**9), 10**9, rows) for name in AMOUNTS})
    applies = random.integers(0, 8, rows)
    file = io.BytesIO()
    writer = pairs_file.Writer(file, AMOUNTS)
    for part in (slice(0, rows // 2), slice(rows // 2, rows)):
        told = pairs_file.table_of(frame.iloc[part], amounts.iloc[part], applies[part], names, ("ours.csv", "theirs.csv", "more.csv"))
        writer.write(told)
    writer.close()
    return file, frame, amounts, applies, names


def test_integers_come_back_from_parquet() -> None:
    file, frame, amounts, applies, names = written(1_000)
    told = pd.concat(list(pairs_file.read(file, AMOUNTS, names, (["ours.csv"], ["theirs.csv", "more.csv"]))), ignore_index=True)
    pd.testing.assert_frame_equal(told, pd.concat([frame, amounts, pd.Series(applies, name="applies")], axis=1))


def test_people_read_decimals_times_texts_and_nulls() -> None:
    file, frame, _, applies, _ = written()
    table = pq.read_table(file)
    assert table["caller"].to_pylist() == list(NUMBERS)
    assert table["l_file"].to_pylist()[:2] == [None, "ours.csv"]
    assert table["l_line"].to_pylist()[:2] == [None, 3]
    assert table["c_charge"].to_pylist()[0] == Decimal(int(frame["c_charge_micro"][0])).scaleb(-6)
    rates = [None if value == MISSING else Decimal(int(value)).scaleb(-9) for value in frame["c_rate_nano"]]
    assert table["c_rate"].to_pylist() == rates
    starts = [None if value == MISSING else datetime.fromtimestamp(int(value) / 1000, UTC) for value in frame["l_start_ms"]]
    assert [None if one is None else round(one.timestamp() * 1000) for one in table["l_start"].to_pylist()] == [
        None if one is None else round(one.timestamp() * 1000) for one in starts
    ]
    assert table["l_answered"].to_pylist() == [bool(value) for value in frame["l_answered"]]
    assert table["c_gateway"].to_pylist() == [None if value == MISSING else "gw-1" for value in frame["c_gateway"]]
    assert table["causes"].to_pylist() == [" ".join(name for bit, name in enumerate(AMOUNTS) if mask >> bit & 1) for mask in applies]


def test_file_without_pairs_has_none() -> None:
    file = io.BytesIO()
    pairs_file.Writer(file, AMOUNTS).close()
    assert list(pairs_file.read(file, AMOUNTS, Names(), ([], []))) == []


def test_outages_are_read_in_the_order_of_their_start(tmp_path: Path) -> None:
    file = tmp_path / "outages.csv"
    file.write_text(
        "\ufeffstart,end,node\n2026-10-03 14:05:00,2026-10-03T15:00,core-2\n\n2026-10-01T00:00:00+08:00,2026-09-30T16:00:01,gw\n"
    )
    found, refused = outages.read(file)
    assert refused == ()
    assert found == (Outage(1_790_784_000_000, 1_790_784_001_000, "gw"), Outage(1_791_036_300_000, 1_791_039_600_000, "core-2"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-10-03 14:05:00,2026-10-03 15:00:00", "outage-columns"),
        ("2026-10-03 14:05:00,2026-10-03 15:00:00,", "outage-columns"),
        ("yesterday,2026-10-03 15:00:00,x", "outage-time"),
        ("2026-10-03 15:00:00,2026-10-03 15:00:00,x", "outage-ends-first"),
    ],
)
def test_outage_that_says_nothing_is_named_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "outages.csv"
    file.write_text(f"start,end,node\n{line}\n")
    found, refused = outages.read(file)
    assert found == ()
    assert [(one.file, one.line, one.reason.id) for one in refused] == [(str(file), 2, f"audit.refused.{reason}")]
