"""Every named format: its samples give exactly the records expected, no format takes another's file, and the handbook can list them all."""

import csv
import importlib.util
import io
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest

from billing_audit.readers.formats import rows as plain_rows
from billing_audit.readers.formats.catalogue import FORMATS
from billing_audit.readers.layout import FIELDS, Folded, Head, Layout, Record, Refused
from tests.billing_audit import written_samples

MODULES: dict[str, Any] = {name: importlib.import_module(path) for name, path in FORMATS.items()}
NAMED = [pytest.param(sample, id=f"{sample.format}: {sample.case}") for sample in written_samples.SAMPLES]


def head_of(text: str) -> Head:
    return Head(name="bill", text=text, lines=tuple(text.splitlines()), encoding="utf-8", whole=True)


def detected(text: str) -> list[str]:
    return [name for name, module in MODULES.items() if module.detect(head_of(text)) is not None]


def items(module: ModuleType, text: str) -> list[Any]:
    """Return what a format makes of a file: by its `records`, or by its places in the rows."""
    layout: Layout = module.detect(head_of(text))
    if hasattr(module, "records"):
        return list(module.records(io.StringIO(text, newline=""), layout))
    rows = csv.reader(text.splitlines()[layout.skip :], delimiter=layout.delimiter)
    return [
        plain_rows.record(number, {name: row[index].strip() for name, index in layout.columns.items() if index < len(row)})
        for number, row in enumerate(rows, layout.skip + 1)
    ]


def told(record: Record, fields: Iterable[str]) -> dict[str, str]:
    return {name: str(getattr(record, name)) for name in fields}


@pytest.mark.parametrize("sample", NAMED)
def test_a_file_gives_the_records_that_stand_in_it(sample: Any) -> None:
    found = items(MODULES[sample.format], sample.text)
    records = [item for item in found if isinstance(item, Record)]
    assert [told(record, expected) for record, expected in zip(records, sample.records, strict=True)] == list(sample.records)


@pytest.mark.parametrize("sample", NAMED)
def test_what_is_folded_or_refused_is_said_with_its_line(sample: Any) -> None:
    found = items(MODULES[sample.format], sample.text)
    assert tuple(sorted(item.line for item in found if isinstance(item, Folded) and item.rows)) == sample.folded
    assert (
        tuple((item.line, item.reason.id.removeprefix("audit.refused.")) for item in found if isinstance(item, Refused)) == sample.refused
    )
    assert set(sample.notes) <= {item.note.id for item in found if isinstance(item, Folded)}


@pytest.mark.parametrize("sample", NAMED)
def test_lines_are_unique_and_from_one(sample: Any) -> None:
    used = [item.line for item in items(MODULES[sample.format], sample.text) if not (isinstance(item, Folded) and not item.rows)]
    assert len(used) == len(set(used))
    assert min(used) >= 1


@pytest.mark.parametrize("sample", NAMED)
def test_no_format_takes_the_file_of_another(sample: Any) -> None:
    """The confusion matrix: its own format alone claims a file, save cdr_csv of FreeSWITCH, which is asked after freeswitch-rows."""
    claimed = detected(sample.text)
    assert claimed[:1] == [sample.format]
    assert claimed[1:] in ([], ["freeswitch-csv"] if sample.format == "freeswitch-rows" else [])


@pytest.mark.parametrize("sample", NAMED)
def test_the_layout_says_what_the_notation_is(sample: Any) -> None:
    layout = MODULES[sample.format].detect(head_of(sample.text))
    assert layout.format == sample.format
    assert {name: getattr(layout, name) for name in sample.layout} == sample.layout
    assert set(layout.columns) <= set(FIELDS)


@pytest.mark.parametrize("sample", NAMED)
def test_windows_line_ends_and_a_missing_last_one_change_nothing(sample: Any) -> None:
    module = MODULES[sample.format]
    before = [told(item, FIELDS) for item in items(module, sample.text) if isinstance(item, Record)]
    for text in (sample.text.replace("\n", "\r\n"), sample.text.rstrip("\n")):
        assert [told(item, FIELDS) for item in items(module, text) if isinstance(item, Record)] == before


def test_every_format_has_a_sample() -> None:
    assert {sample.format for sample in written_samples.SAMPLES} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_it_is_and_where_that_is_documented(name: str) -> None:
    module = MODULES[name]
    assert name == module.NAME
    assert module.TITLE
    assert module.SOURCE
    assert module.__doc__
    assert "://" not in module.SOURCE
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)


@pytest.mark.parametrize("name", ["ASTERISK", "ASTERISK_CUSTOM", "FREESWITCH", "VOS_TABLE"])
def test_a_line_of_titles_over_rows_without_is_passed_over(name: str) -> None:
    made = getattr(written_samples, name)
    width = len(next(csv.reader([made.text.splitlines()[0]])))
    text = ",".join(f"title{n}" for n in range(width)) + "\n" + made.text
    assert detected(text) == [made.format]
    assert MODULES[made.format].detect(head_of(text)).skip == 1
    assert len([item for item in items(MODULES[made.format], text) if isinstance(item, Record)]) == len(made.records)


@pytest.mark.parametrize(("before", "behind"), [("挂断方向", "接通状态"), ("话单流水号", "呼叫时间"), ("落地成本", "备注")])
def test_a_bill_with_titles_that_vos_does_not_have_is_read_by_its_headers(before: str, behind: str) -> None:
    assert detected(written_samples.VOS_EXPORT.text.replace(before, behind)) == []


OTHERS = {
    "rate deck": "prefix,destination,rate,effective_from\n86,China,0.01,2026-10-01\n8613,China Mobile,0.012,2026-10-01\n",
    "prose": "Dear finance,\nplease find the bill attached.\n\nKind regards\n",
    "bill with headers": "caller,callee,start,duration,charge\n2125550101,8613800138000,2026-10-01 08:00:07,63,0.132\n",
    "Chinese bill": "主叫号码,被叫号码,开始时间,时长,费用\n2125550101,8613800138000,2026-10-01 08:00:07,63,0.132\n",
    "empty": "",
    "numbers": "1,2,3\n4,5,6\n",
    "json": '{"name": "not a bill", "list": [1, 2, 3]}',
    "html": "<html><body><table><tr><td>1</td></tr></table></body></html>",
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_of_no_named_format_is_claimed_by_none(what: str) -> None:
    assert detected(OTHERS[what]) == []


@pytest.mark.parametrize("name", ["VOS_EXPORT", "PORTASWITCH", "SIPPY", "JERASOFT", "CDR_STATS"])
@pytest.mark.parametrize(("before", "behind"), [("0.132", '"0,132"'), ("2026-10-01 08:00:0", "1 Oct 2026 08:00:0"), ("0:01:06", "66 s")])
def test_titles_of_a_system_over_another_notation_are_left_to_the_headers(name: str, before: str, behind: str) -> None:
    """A decimal comma, or dates in words: the file has been through other hands, and its notation must prove itself."""
    text = getattr(written_samples, name).text
    if before in text:
        assert detected(text.replace(before, behind)) == []
    assert detected(text) != []
