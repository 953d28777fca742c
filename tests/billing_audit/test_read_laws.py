"""Laws of reading, whatever a file holds: no row lost, no cent lost or made, the fast way the same as the plain one."""

import csv
import io
import re
import tempfile
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from billing_audit.ledger import LEDGER, MISSING, Bill, Names, hold
from billing_audit.readers import callers, fields, moments
from billing_audit.readers.bill import open_bill
from billing_audit.readers.digits import Texts, decimals, texts
from billing_audit.readers.grid import Grid
from billing_audit.readers.layout import Layout
from billing_audit.readers.moments import Calendar
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.split import Shape, by_hand, split
from billing_audit.readers.stamps import stamps
from billing_audit.readers.texts import Once, each
from billing_audit.readers.unreadable import Unreadable
from billing_audit.readers.zones import to_utc, zone_of

HEADER = ["caller", "callee", "start", "duration", "billed", "rate", "charge"]
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.one_of(
    st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True),
    st.sampled_from(
        ["", "anonymous", "138****1234", "8888#8613900001111", "1.38E+10", "8613900001111.0", '="0086139"', "sip:1@x", "٣٤", "+"]
    ),
)
times = st.one_of(
    st.from_regex(r"202[0-9]-(0[1-9]|1[0-3])-([0-2][0-9]|3[01]) ([01][0-9]|2[0-4]):[0-5][0-9]:[0-6][0-9]", fullmatch=True),
    st.from_regex(r"202[0-9][-/.][0-9]{1,2}[-/.][0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|\+08:00)?", fullmatch=True),
    st.from_regex(r"[0-3]?[0-9]/[01]?[0-9]/202[0-9] [0-2]?[0-9]:[0-5][0-9]", fullmatch=True),
    st.sampled_from(["", "0", "1790813109", "1790813109.5", "1790813109123", "20261001080509", "2026-10-01", "合计", "junk", "46296.3370"]),
)
durations = st.one_of(
    st.integers(0, 10**6).map(str),
    st.from_regex(r"[0-9]{1,3}:[0-9]{2}(:[0-9]{2})?", fullmatch=True),
    st.sampled_from(["", "-1", "1.5", "90s"]),
)
amounts = st.one_of(
    st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,9})?", fullmatch=True),
    st.from_regex(r"[¥$]?[0-9]{1,3}(,[0-9]{3}){0,2}(\.[0-9]{1,6})?", fullmatch=True),
    st.sampled_from(["", "-1", "(2.5)", "1,5", "nan", "1e-5", "inf", "9" * 30, ".5", "5.", ".", "1.2.3", "--", "¥ 1.25"]),
)
wild = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


def cell(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(strategy, strategy, strategy, strategy, wild)


rows = st.tuples(*map(cell, (numbers, numbers, times, durations, durations, amounts, amounts))).map(list)
tables = st.lists(
    st.one_of(rows, rows, rows, st.lists(wild, max_size=9), st.just(HEADER), st.just(["合计"] + [""] * 5 + ["12.5"])), max_size=25
)


def read(data: bytes, **options: str) -> tuple[list[object], object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bill.csv"
        path.write_bytes(data)
        reader = open_bill(Bill.CUSTOMER, [path], ReadOptions(**options), Names(), 3)
        blocks = list(reader.blocks())
        sources = [int(source) for block in blocks for source in block.frame["source"]]
        raw = dict(reader.lines(sources))
        for block in blocks:
            hold(block.frame, LEDGER)
            assert block.rows == len(block.frame) + block.folded + len(block.refused)
        (file,) = reader.files
        assert (file.rows, file.records, file.refused) == (
            sum(block.rows for block in blocks),
            sum(len(block.frame) for block in blocks),
            sum(len(block.refused) for block in blocks),
        )
        assert file.rows == file.records + file.folded + file.refused
        assert set(raw) == set(sources)
        assert len(set(sources)) == len(sources) == file.records
        return [blocks, raw], file


def dump(table: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *table])
    return out.getvalue()


@QUIET
@given(tables, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
def test_whatever_cells_a_table_has_no_row_is_lost_and_money_is_the_sum_of_its_texts(table, delimiter, encoding):
    try:
        (blocks, raw), _ = read(dump(table, delimiter).encode(encoding, "replace"))
    except Unreadable as why:
        event(why.what.id)
        return
    total, exact = 0, Decimal(0)
    for block in blocks:
        for source, charge in zip(block.frame["source"].tolist(), block.frame["charge_micro"].tolist(), strict=True):
            (cells,) = csv.reader([raw[source]], delimiter=delimiter)
            text = cells[6].strip().strip("'\"").strip().lstrip("¥￥$").strip()
            if charge == MISSING:
                assert text.lower() in ("", "null", "none", "n/a", "na", "-", "--", "\\n", "nan")
                continue
            comma_is_decimal = text.count(",") == 1 and "." not in text and not re.fullmatch(r"[1-9]\d{0,2},\d{3}", text)
            plain = text.replace(",", "." if comma_is_decimal else "")
            total += charge
            exact += (Decimal(plain) * 10**6).to_integral_value(ROUND_HALF_EVEN)
    assert total == exact


@QUIET
@given(st.binary(max_size=4000))
def test_any_bytes_are_read_or_named_unreadable(data):
    try:
        read(data)
    except Unreadable:
        pass


@QUIET
@given(tables, st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=4)), max_size=8))
def test_a_bill_with_broken_bytes_loses_no_row(table, breaks):
    data = bytearray(dump(table * 3).encode())
    for place, more in breaks:
        at = place % len(data)
        data[at : at + len(more) // 2] = more
    try:
        read(bytes(data))
    except Unreadable:
        pass


@QUIET
@given(tables, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.text('",\n\r ab', max_size=40))
def test_the_fast_split_is_the_plain_split(table, quote_all, end, noise):
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerows(table)
    text = (out.getvalue() + noise).replace("\r\n", "\n").replace("\r", " ").replace("\n", end)
    block = (text if text.endswith("\n") else text + "\n").encode("utf-8", "replace")
    shape = Shape(7, ",", '"', {name: index for index, name in enumerate(HEADER)})
    fast, plain = split(block, 5, shape), by_hand(block, 5, shape)
    assert fast.lines.tolist() == plain.lines.tolist()
    assert sorted(fast.torn, key=str) == sorted(plain.torn, key=str)
    assert {name: array.to_pylist() for name, array in fast.columns.items()} == {
        name: array.to_pylist() for name, array in plain.columns.items()
    }
    assert fast.empty == plain.empty


plain_rows = st.tuples(
    st.one_of(st.from_regex(r"[0-9]{11}", fullmatch=True), st.from_regex(r"[0-9]{1,18}", fullmatch=True)),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.from_regex(r"202[0-9]-(0[1-9]|1[0-2])-([01][0-9]|2[0-8]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", fullmatch=True),
    st.integers(0, 10**9).map(str),
    st.from_regex(r"[0-9]{1,9}", fullmatch=True),
    st.integers(0, 10**12).map(lambda micro: f"{micro // 10**6}.{micro % 10**6:06d}"),
    st.one_of(st.from_regex(r"[0-9]{1,6}\.[0-9]{4}", fullmatch=True), st.from_regex(r"[0-9]{0,3}\.?[0-9]{1,2}", fullmatch=True)),
).map(list)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(plain_rows, min_size=2, max_size=12),
    st.sampled_from([".", ",", "both", "unknown"]),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_what_is_read_in_place_is_what_its_texts_say(table, mark, end, data):
    if data.draw(st.booleans()):  # one strange text among plain ones
        row, column = data.draw(st.integers(0, len(table) - 1)), data.draw(st.integers(0, 6))
        table[row][column] = data.draw(st.one_of(wild, amounts, times, numbers).map(lambda text: re.sub(r'[",\r\n]', "", text)))
    block = "".join(",".join(row) + end for row in table).encode("utf-8", "replace")
    columns = split(block, 1, Shape(7, ",", '"', {name: index for index, name in enumerate(HEADER)})).columns
    for at, name in enumerate(HEADER):
        texts_ = pa.array([row[at].encode("utf-8", "replace") for row in table], pa.binary())
        values, flags = fields.read(name, columns, notation(mark, Calendar()))
        expected, told = fields.READ[name](name, texts_, notation(mark, Calendar()))
        assert (values.tolist(), flags.tolist()) == (expected.tolist(), told.tolist())
    event(f"read in place: {isinstance(columns, Grid)}")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["2026-10-01 ", "2026-10-02 ", "2026/02/29T", "2026-02-28T"]), st.integers(16, 40)),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.from_regex(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", fullmatch=True), min_size=1, max_size=8),
    st.one_of(st.none(), st.sampled_from(["24:00:00", "12:60:00", "12:00:60", "12;00:00", "1200:00:", "12:00: 0", "1a:00:00"])),
    st.integers(0, 200),
)
def test_dates_read_once_a_run_are_the_dates_of_every_row(runs, clocks, strange, place):
    days = [day for day, rows in runs for _ in range(rows)]
    column = [(day + clocks[at % len(clocks)]).encode() for at, day in enumerate(days)]
    if strange is not None:
        column[place % len(column)] = (days[place % len(column)] + strange).encode()
    columns = split(b"".join(b"1," + text + b"\n" for text in column), 1, Shape(2, ",", '"', {"start": 1})).columns
    assert isinstance(columns, Grid)
    expected, ok = moments.iso(texts(pa.array(column, pa.binary())))
    found = stamps(columns.cells("start"))
    assert (found is not None) == bool(ok.all())
    assert found is None or found.tolist() == expected.tolist()


def notation(mark: str, calendar: Calendar, **layout: object) -> fields.Notation:
    zone = zone_of("Asia/Shanghai")
    assert zone is not None
    return fields.Notation(Layout(format="x", **layout), zone, calendar, mark, "CNY", None, Names())


@QUIET
@given(st.lists(st.one_of(amounts, durations, numbers, wild), max_size=30), st.sampled_from([".", ",", "both", "unknown"]))
def test_arithmetic_on_bytes_gives_what_the_plain_function_gives(column, mark):
    array = pa.array([text.encode("utf-8", "replace") for text in column], pa.binary())
    for name in ("charge", "rate", "duration", "callee"):
        fast = notation(mark, Calendar())
        values, flags = fields.READ[name](name, array, fast)
        plain = notation(mark, Calendar())
        fields.READ[name](name, pa.array([b""], pa.binary()), plain)  # makes its plain function
        expected, told = each(array, plain.parsers["s" if name == "duration" else "number" if name == "callee" else name])
        assert values[flags <= 0].tolist() == expected[told <= 0].tolist()
        assert flags.tolist() == told.tolist()


@QUIET
@given(st.lists(times, min_size=1, max_size=30), st.booleans())
def test_times_by_arithmetic_are_times_by_the_plain_function(column, one_length):
    if one_length:
        column = [text for text in column if len(text) == len(column[0])]
    array = pa.array([text.encode() for text in column], pa.binary())
    calendar = Calendar("dmy")
    values, ok = moments.iso(texts(array))
    expected, flags = each(array, Once(lambda text: moments.moment(text, calendar)))
    assert (flags[ok] <= 0).all()
    assert values[ok].tolist() == expected[ok].tolist()


@QUIET
@given(
    st.lists(st.integers(0, 4 * 10**12), min_size=1, max_size=50),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"]),
)
def test_a_column_in_local_time_is_what_zoneinfo_says(values, name):
    from datetime import UTC, datetime, timedelta

    zone = zone_of(name)
    assert zone is not None
    expected = []
    for value in values:
        local = datetime(1970, 1, 1) + timedelta(milliseconds=value)
        expected.append(int(local.replace(tzinfo=zone).astimezone(UTC).timestamp() // 1) * 1000 + value % 1000)
    assert to_utc(np.array(values, np.int64), zone).tolist() == expected


@pytest.mark.parametrize("power", [0, 3, 6, 9])
def test_a_number_with_too_many_digits_is_left_to_the_plain_function(power):
    column = Texts(np.frombuffer(b"9" * 18 + b"9" * (18 - power) + b"1" * 19, np.uint8), np.array([0, 18, 36 - power, 55 - power]))
    _, ok = decimals(column, power)
    assert ok.tolist() == [power == 0, True, False]


def test_codes_of_one_column_do_not_depend_on_its_neighbours():
    names = Names()
    once = Once(lambda text: callers.number(text, names))
    mixed = pa.array([b"+8613800001111", b"8613800001111", b"anonymous", b"008613800001111"], pa.binary())
    together, _ = callers.codes(mixed, once)
    alone = [int(callers.codes(mixed.slice(at, 1), once)[0][0]) for at in range(4)]
    assert together.tolist() == alone
