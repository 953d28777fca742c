"""The page and the statement of an audit: escaped, whole, small, without script; the statement says nothing of our own side."""

import stat
import warnings
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import openpyxl
import pytest

from billing_audit.audit import Histogram
from billing_audit.ledger import MISSING, Side
from reports.audit.page import LARGEST, audit_page, write_page
from reports.audit.plots import day_bars, duration_points, offset_bars
from reports.audit.statement import write_statement
from reports.audit.tally import Material
from reports.locale.text import texts

VOID = {"meta", "br", "hr"}


class Whole(HTMLParser):
    """Holds tags to be closed in order, and collects what is shown and which tags and attributes there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.shown = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= set(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.shown += data


def material(dispute, **changes) -> Material:
    audit = msgspec.structs.replace(dispute.audit, **changes)
    return Material(audit, dispute.calls, dispute.lines, dispute.number)


def load(path, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*extension is not supported", UserWarning)
        return openpyxl.load_workbook(path, **options)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_escaped_and_asks_for_nothing_from_elsewhere(dispute, language):
    evil = replace(material(dispute), lines=lambda sources: dict.fromkeys(sources, "<script>alert(1)</script>"))
    page = audit_page(evil, texts(language))
    told = Whole(page)
    assert "script" not in told.tags
    assert not [name for name, _ in told.attributes if name.startswith("on") or name in ("src", "href")]
    assert "url(" not in page
    assert "<script>alert(1)</script>" in told.shown
    assert "Harbour Logistics <Ltd>" in told.shown
    assert "default-src 'none'" in page
    assert len(page.encode()) < LARGEST


def test_the_page_shows_every_cause_and_all_three_plots(dispute):
    page = audit_page(material(dispute), texts("en"))
    for name in ("minimum/increment", "missing in the customer&#x27;s import", "duplicate records", "time zone", "unexplained"):
        assert name in page
    assert page.count("<svg") == 3
    assert "adds up" in page
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_a_page_of_anything_stays_under_its_bound(dispute):
    long = "长" * 5_000
    days = tuple(msgspec.structs.replace(one, key=f"{one.key}-{at}", label=long[:900]) for at in range(20) for one in dispute.audit.by_day)
    samples = dispute.audit.causes[0].samples
    causes = tuple(msgspec.structs.replace(dispute.audit.causes[0], samples=samples * 5) for _ in range(25))
    given = replace(material(dispute, by_day=days, by_prefix=days, causes=causes), lines=lambda sources: dict.fromkeys(sources, long))
    page = audit_page(given, texts("zh"))
    Whole(page)
    assert len(page.encode()) < LARGEST


def test_the_page_is_for_its_owner_alone(dispute, tmp_path):
    write_page(tmp_path / "a.html", material(dispute), texts("en"))
    assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "svg",
    [
        day_bars({"2026-10-01": (5_000_000, -3_000_000), "2026-10-02": (0, 0), "": (7, 7)}, ["<a>", "b&"], "<t>", "CNY"),
        day_bars({f"2026-{at // 28 + 1:02}-{at % 28 + 1:02}": (at, -at) for at in range(300)}, ["a", "b"], "t", "¥"),
        day_bars({"2026-10-01": (0,)}, ["a"], "t", "u"),
        day_bars({"2026-10-01": (-5_000_000,)}, ["a"], "t", "u"),
        offset_bars(Histogram((0, 500, 1000), (0, 7)), "t", "<n>"),
        offset_bars(Histogram(tuple(range(12)), (1, 1, 1, 2, 1, 1_000_000, 1, 1, 1, 0, 1)), "t", "n"),
        duration_points([(0, 0), (1_000, 1_000), (60_000, MISSING), (9_000_000, 61_000)], "t", "<x>", "y"),
        duration_points([(0, 0)], "t", "x", "y"),
    ],
)
def test_plots_are_valid_and_inside_their_frame(svg):
    tree = ElementTree.fromstring(svg)
    assert tree.tag == "svg"
    wide, high = (float(part) for part in tree.attrib["viewBox"].split()[2:])
    for rect in tree.iter("rect"):
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= wide
        assert 0 <= y <= y + h <= high
    assert "nan" not in svg
    assert str(MISSING) not in svg


@pytest.mark.parametrize("svg", [day_bars({}, ["a"], "t", "u"), day_bars({"": (5,)}, ["a"], "t", "u"), offset_bars(Histogram((), ()), "t", "u"), duration_points([], "t", "x", "y")])  # fmt: skip
def test_nothing_to_plot_is_no_plot(svg):
    assert svg == ""


def letter(dispute, tmp_path, language="en", **options):
    path = tmp_path / "statement.xlsx"
    assert write_statement(path, material(dispute), texts(language), **options)
    return load(path, data_only=True)


def everything(book) -> str:
    return "\n".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)


def test_the_statement_tells_their_matter_only(dispute, tmp_path):
    book = letter(dispute, tmp_path, company="Example Telecom", day=date(2026, 11, 5))
    told = everything(book)
    assert "minimum/increment" in told
    assert "duplicate" not in told
    assert "local-2026-10.csv" not in told
    assert "2026-11-05" in told
    assert "Example Telecom" in told
    assert "Harbour Logistics <Ltd>" in told


def test_the_statements_calls_are_those_and_only_those_of_its_amount(dispute, tmp_path):
    book = letter(dispute, tmp_path)
    found = [one for one in dispute.audit.causes if one.side == Side.CUSTOMER]
    calls = list(book["Calls"].iter_rows(min_row=4, values_only=True))
    heads = [cell.value for cell in book["Calls"][3]]
    amounts = [round(row[heads.index("amount concerned")] * 1_000_000) for row in calls]
    assert sum(amounts) == sum(one.amount_micro for one in found)
    assert all(amounts)
    shown = list(book["Statement"].iter_rows(values_only=True))
    points = [row for row in shown if isinstance(row[0], int)]
    total = next(row for row in shown if row[1] == "sum")
    assert round(sum(row[3] for row in points), 2) == round(total[3], 2)
    about, rest = (
        next(row for row in shown if row[1] == name)[3]
        for name in ("of which this statement is about", "rest, not a subject of this statement")
    )
    assert round(about + rest, 2) == round(next(row for row in shown if row[1] == "difference (ours − yours)")[3], 2)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_masked_statement_holds_no_whole_number(dispute, tmp_path, language):
    book = letter(dispute, tmp_path, language, mask=True)
    told = everything(book)
    numbers = {dispute.number(code) for frame in dispute.frames for name in ("caller", "callee") for code in frame[name].tolist()}
    assert [number for number in numbers if len(number) > 9 and number.isdigit() and number in told] == []
    assert "****" in told


def test_no_statement_without_their_matter(dispute, tmp_path):
    ours = tuple(msgspec.structs.replace(one, side=Side.COMPANY) for one in dispute.audit.causes)
    assert not write_statement(tmp_path / "a.xlsx", material(dispute, causes=ours), texts("en"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_bill_writes_cannot_become_a_formula_in_the_statement(dispute, tmp_path):
    letter(dispute, tmp_path)
    book = load(tmp_path / "statement.xlsx")
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value[:1] in tuple("=+-@\t"):
                    assert cell.data_type == "s" or cell.value.startswith(("=SUM", "=SUBTOTAL", "=D"))
