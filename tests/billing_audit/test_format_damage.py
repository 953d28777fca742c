"""Files that are cut off, of the wrong width, huge or hostile: each row is a record, folded or refused; nothing is lost, nothing grows, nothing raises."""

import importlib
import importlib.util
import io
import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit.ledger import Note
from billing_audit.readers.formats import acc, conference, cucm, json_items, legs, rows
from billing_audit.readers.formats import cisco_clock as clock
from billing_audit.readers.formats import freeswitch_xml as xml
from billing_audit.readers.formats.catalogue import FORMATS
from billing_audit.readers.layout import Folded, Head, Layout, Record, Refused
from tests.billing_audit import written_samples

MODULES: dict[str, Any] = {name: importlib.import_module(path) for name, path in FORMATS.items()}
SLOW = {name: module for name, module in MODULES.items() if hasattr(module, "records")}
BY_ROW = ("freeswitch-rows", "acc", "cisco-cucm", "cisco-cube", "oracle-sbc", "sonus", "cgrates")


def head_of(text: str) -> Head:
    return Head(name="bill", text=text, lines=tuple(text.splitlines()), encoding="utf-8", whole=True)


def read(name: str, text: str, layout: Layout | None = None) -> list[Any]:
    told = layout or MODULES[name].detect(head_of(text))
    return list(MODULES[name].records(io.StringIO(text, newline=""), told))


def reasons(found: list[Any]) -> list[tuple[int, str]]:
    return [(item.line, item.reason.id.removeprefix("audit.refused.")) for item in found if isinstance(item, Refused)]


def counted(found: list[Any]) -> int:
    return sum(item.rows if isinstance(item, Folded) else 1 for item in found)


def sample(name: str) -> Any:
    return next(made for made in written_samples.SAMPLES if made.format == name)


@pytest.mark.parametrize("name", BY_ROW)
def test_rows_are_records_folded_or_refused_wherever_the_file_is_cut(name: str) -> None:
    """Truncated at every 7th character: every non-empty line of what is left is accounted for, once."""
    made = sample(name)
    layout = MODULES[name].detect(head_of(made.text))
    for cut in range(0, len(made.text), 7):
        left = made.text[:cut]
        body = left.split("\n")[layout.skip :]
        assert counted(read(name, left, layout)) == sum(1 for line in body if line.strip()), cut


@pytest.mark.parametrize("name", BY_ROW)
def test_a_row_of_the_wrong_width_is_refused_with_its_line(name: str) -> None:
    made = sample(name)
    layout = MODULES[name].detect(head_of(made.text))
    found = read(name, made.text + "2,1\n", layout)
    line = made.text.count("\n") + 1
    assert [where for where, _ in reasons(found)].count(line) == 1
    assert next(item for item in found if isinstance(item, Refused) and item.line == line).text


@pytest.mark.parametrize("name", BY_ROW)
def test_a_huge_line_is_refused_and_the_rows_behind_it_are_read(name: str) -> None:
    made = sample(name)
    layout = MODULES[name].detect(head_of(made.text))
    plain = read(name, made.text, layout)
    start, rest = made.text.split("\n", layout.skip)[: layout.skip], made.text.split("\n", layout.skip)[layout.skip]
    huge = "x" * (rows.LONGEST + 100)
    found = read(name, "".join(f"{line}\n" for line in start) + huge + "\n" + rest, layout)
    assert (layout.skip + 1, "row-too-long") in reasons(found)
    assert counted(found) == counted(plain) + 1
    assert sum(isinstance(item, Record) for item in found) == sum(isinstance(item, Record) for item in plain)


def test_a_huge_quoted_field_is_refused() -> None:
    text = 'INVITE|t1|u1|c1|200|OK|1790812807|"' + "9" * 200_000 + '"|8613800138000\n'
    assert reasons(read("acc", text, Layout(format="acc", delimiter="|", columns={"id": 3, "start": 6}))) == [(1, "field-too-long")]


def test_a_quote_that_nothing_closes_costs_its_line_alone() -> None:
    body = 'a,"b\n' + "".join(f"{n},x\n" for n in range(100))
    found = list(rows.fields(io.StringIO(body)))
    assert [item.line for item in found if isinstance(item, Refused)] == [1]
    assert [item[1][0] for item in found if isinstance(item, tuple)] == [str(n) for n in range(100)]


def test_a_line_break_within_quotes_is_one_row() -> None:
    assert list(rows.fields(io.StringIO('a,"b\nc",d\ne,f,g\n'))) == [(1, ["a", "b c", "d"]), (3, ["e", "f", "g"])]


NESTED = json.dumps(written_samples.document(written_samples.C_LEG)).replace('"x": 2', '"x": ' + "[" * 200 + "]" * 200)
LARGE = json.dumps(written_samples.document(written_samples.C_LEG, padding="x" * (json_items.LARGEST + 10)))
GOOD = json.dumps(written_samples.document(written_samples.A_LEG))


@pytest.mark.parametrize(
    ("bad", "why"),
    [(NESTED, "item-too-deep"), (LARGE, "item-too-large"), ('{"variables": {"uuid": 1,,}}', "not-json"), ('{"variables": {}}', "no-call")],
    ids=["deep", "large", "broken", "empty"],
)
def test_a_bad_json_document_is_refused_and_the_next_one_is_read(bad: str, why: str) -> None:
    for text in (f"[{bad},\n{GOOD}]", f"[\n{bad},\n{GOOD}\n]"):
        found = read("freeswitch-json", text, Layout(format="x"))
        assert [reason for _, reason in reasons(found)] == [why]
        assert [item.id for item in found if isinstance(item, Record)] == [written_samples.A_LEG]


def test_a_json_bomb_of_brackets_alone_ends_without_a_record() -> None:
    for text in ("[" * 500_000, "[" * 500_000 + "]" * 500_000, '{"variables":' * 100_000, '[{"variables": ' + "[" * 500_000):
        found = read("freeswitch-json", text, Layout(format="x"))
        assert not any(isinstance(item, Record) for item in found)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_json_items_do_not_depend_on_where_chunks_end(size: int) -> None:
    text = json.dumps([written_samples.document(written_samples.A_LEG), {"a": '\\"}{'}, {"b": "\\\\"}], indent=1)
    scanner = json_items.Scanner("")
    found = [item for at in range(0, len(text), size) for item in scanner.feed(text[at : at + size])]
    assert [json.loads(item[1]) for item in found if isinstance(item, tuple)] == json.loads(text)
    assert next(item[0] for item in found if isinstance(item, tuple)) == text[: text.index('"core-uuid"')].count("\n")


@pytest.mark.parametrize("size", [1, 5, 13, 4096])
def test_a_list_within_is_found_wherever_chunks_end(size: int) -> None:
    text = '[{"retCode":0,"infoCdrs" : [{"x":[1,{"y":2}]},{"z":"]"}]}, {"other":[{"no":1}]}, {"infoCdrs":[]}, {"infoCdrs":[{"w":3}]}]'
    scanner = json_items.Scanner("infoCdrs")
    found = [item for at in range(0, len(text), size) for item in scanner.feed(text[at : at + size])]
    assert [json.loads(item[1]) for item in found if isinstance(item, tuple)] == [{"x": [1, {"y": 2}]}, {"z": "]"}, {"w": 3}]


def test_a_cut_off_document_is_named() -> None:
    assert [why for _, why in reasons(read("freeswitch-json", GOOD[:-40], Layout(format="x")))] == ["item-cut-off"]
    assert [why for _, why in reasons(read("freeswitch-xml", written_samples.xml(written_samples.A_LEG)[:-20], Layout(format="x")))] == [
        "item-cut-off"
    ]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE cdr [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><cdr><variables><uuid>&i;</uuid></variables></cdr>"
)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (BOMB, "xml-entities"),
        ('<!DOCTYPE cdr SYSTEM "file:///etc/passwd"><cdr><variables/></cdr>', "xml-entities"),
        ("<cdr><variables>" + "<a>" * 100 + "</a>" * 100 + "</variables></cdr>", "item-too-deep"),
        ("<cdr><variables><uuid>1</variables></cdr>", "not-xml"),
        ("<cdr><variables><uuid>&amp;&nope;</uuid></variables></cdr>", "not-xml"),
        ("<cdr><variables><uuid>" + "x" * (xml.LARGEST + 10) + "</uuid></variables></cdr>", "item-too-large"),
        ("<cdr><variables><uuid>1</uuid></variables></cdr>", "no-call"),
    ],
    ids=["entities", "external", "deep", "broken", "undeclared", "large", "empty"],
)
def test_a_bad_xml_document_is_refused_and_the_next_one_is_read(bad: str, why: str) -> None:
    found = read("freeswitch-xml", bad + "\n" + written_samples.xml(written_samples.A_LEG), Layout(format="x"))
    assert [reason for _, reason in reasons(found)] == [why]
    assert [item.id for item in found if isinstance(item, Record)] == [written_samples.A_LEG]


def test_an_xml_file_with_a_doctype_is_detected_so_that_it_is_refused_by_name() -> None:
    assert MODULES["freeswitch-xml"].detect(head_of(BOMB)) is not None


def _acc_lines(calls: int, open_at_once: int) -> Iterator[str]:
    """Yield an acc file in which so many calls are always open, and one in a hundred never ends."""
    for call in range(calls + open_at_once):
        if call < calls:
            yield f"INVITE|f{call}|t{call}|{call}@host|200|OK|{1790812800 + call}|2125550101|86138{call:08}\n"
        ended = call - open_at_once
        if ended >= 0 and ended % 100:
            yield f"BYE|t{ended}|f{ended}|{ended}@host|200|OK|{1790812800 + call}||\n"


class Endless(io.TextIOBase):
    """A text stream made of lines as they are asked for."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        return next(self._lines, "")


def test_a_million_lines_of_acc_are_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """505,000 calls, 1,000 open at once, 1 in 100 without a BYE: more than may wait here, so that the bound is reached. 4 MB are enough."""
    calls, most = 505_000, 2_000
    pairs, made = acc.Pairs, list[acc.Pairs]()

    def bounded() -> acc.Pairs:
        made.append(pairs(most))
        return made[0]

    monkeypatch.setattr(acc, "Pairs", bounded)
    monkeypatch.setattr(acc, "ENDED", 4096)
    layout = Layout(format="acc", delimiter="|", columns={"id": 3, "start": 6, "caller": 7, "callee": 8})
    lines = ended = without = 0
    tracemalloc.start()
    for item in acc.records(Endless(_acc_lines(calls, 1000)), layout):  # type: ignore[arg-type]
        lines += item.rows if isinstance(item, Folded) else 1
        if isinstance(item, Record):
            ended += item.end != ""
            without += item.end == ""
        if lines == 20_000:  # by then all is as full as it will be; the rest without the tracer, for time
            assert tracemalloc.get_traced_memory()[1] < 4_000_000
            tracemalloc.stop()
        if lines % 1000 == 0:
            assert len(made[0]._invites) <= most
    assert len(made[0]._ended) == acc.ENDED
    assert lines == calls + calls - (calls + 99) // 100 > 1_000_000 - 6_000
    assert (ended, without) == (calls - 5050, 5050)


def test_what_waits_for_its_bye_is_bounded_and_the_oldest_is_given_up_as_an_open_call() -> None:
    pairs = acc.Pairs(waiting=3)
    found: list[Any] = []
    for n in range(5):
        found += pairs.answered((f"c{n}", "f", "t"), acc.Open(n + 1, "1", "2", "10"))
    assert [(item.line, item.end) for item in found] == [(1, ""), (2, "")]
    late = list(pairs.ended(("c0", "f", "t"), 9, "20", "BYE …"))
    assert late == []
    last = [*pairs.end()]
    assert [item.line for item in last if isinstance(item, Record)] == [3, 4, 5]
    assert reasons(last) == [(9, "bye-alone")]
    assert last[-1] == Folded(line=0, rows=0, note=Note("audit.note.acc-open", {"count": 5}))


def test_byes_that_wait_are_bounded() -> None:
    pairs = acc.Pairs(waiting=2)
    found = [item for n in range(5) for item in pairs.ended((f"c{n}",), n + 1, "20", "BYE")]
    assert reasons(found) == [(1, "bye-alone"), (2, "bye-alone"), (3, "bye-alone")]


def test_legs_that_wait_are_bounded_and_kept_as_calls() -> None:
    joined = legs.Legs(named_later=False, window=2)
    found = [item for n in range(4) for item in joined.feed(Record(line=n + 1, id=f"b{n}"), of=f"a{n}")]
    found += joined.feed(Record(line=9, id="a3"))
    found += joined.end()
    assert [item.line for item in found if isinstance(item, Record)] == [1, 2, 9, 3]
    assert [item.line for item in found if isinstance(item, Folded) and item.rows] == [4]
    assert found[-1] == Folded(line=0, rows=0, note=Note("audit.note.leg-alone", {"count": 3}))


def test_a_uuid_that_comes_again_is_kept_for_the_audit_to_judge() -> None:
    joined = legs.Legs(named_later=True)
    found = [
        *joined.feed(Record(line=1, id="x")),
        *joined.feed(Record(line=2, id="x")),
        *joined.feed(Record(line=3, id="x")),
        *joined.end(),
    ]
    assert sorted(item.line for item in found if isinstance(item, Record)) == [1, 2, 3]


def test_calls_that_wait_for_their_other_leg_are_bounded() -> None:
    joined = conference.Conferences(waiting=2)
    made = [conference.Leg(Record(line=n + 1), f"conf{n}", "answer", None, None, None) for n in range(4)]
    found = [item for leg in made for item in joined.feed(leg)]
    assert [item.line for item in found if isinstance(item, Record)] == [1, 2]


def test_cucm_parts_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cucm, "WAITING", 10)
    body = "".join(f'1,1,{n},1,1790812800,"1","2","2",1790812807,1790812837,"p{n}",30,"",""\n' for n in range(100))
    text = written_samples.CUCM_TITLES + "\n" + body
    layout = MODULES["cisco-cucm"].detect(head_of(text))
    stream = io.StringIO(text)
    first = next(cucm.records(stream, layout))
    assert isinstance(first, Record)
    assert stream.tell() < len(text) / 2


def test_pairs_are_found_in_any_order_of_the_rows() -> None:
    """INVITE and BYE of 300 calls shuffled: the same calls, each once."""
    calls = [
        (f"INVITE|f{n}|t{n}|c{n}|200|OK|{1790812800 + n}|1|2\n", f"BYE|t{n}|f{n}|c{n}|200|OK|{1790812900 + 2 * n}||\n") for n in range(300)
    ]
    layout = Layout(format="acc", delimiter="|", columns={"id": 3, "start": 6, "caller": 7, "callee": 8})
    expected = sorted((f"c{n}", str(1790812800 + n), str(1790812900 + 2 * n)) for n in range(300))
    for seed in range(5):
        body = [line for call in calls for line in call]
        random.Random(seed).shuffle(body)
        found = read("acc", "".join(body), layout)
        assert sorted((item.id, item.answer, item.end) for item in found if isinstance(item, Record)) == expected
        assert counted(found) == 600


ODD = st.text(alphabet=st.sampled_from('ab1290-:/,;|"{}[]<>\n\t =.é主'), max_size=300)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40)
@given(text=ODD)
def test_detection_never_raises(name: str, text: str) -> None:
    MODULES[name].detect(head_of(text))


@pytest.mark.parametrize("name", SLOW)
@settings(max_examples=40)
@given(text=ODD, at=st.integers(0, 10_000), cut=st.integers(0, 40))
def test_reading_never_raises_whatever_the_damage(name: str, text: str, at: int, cut: int) -> None:
    """A sample with a piece cut out and another put in is read to its end."""
    made = sample(name).text
    where = at % len(made)
    layout = MODULES[name].detect(head_of(made))
    for item in MODULES[name].records(io.StringIO(made[:where] + text + made[where + cut :], newline=""), layout):
        assert isinstance(item, Record | Folded | Refused)


@pytest.mark.parametrize(
    ("text", "civil", "doubtful"),
    [
        ("16:25:29.234 UTC Fri Aug 31 2012", "2012-08-31 16:25:29.234", False),
        ("*16:25:29.234 UTC Fri Aug 31 2012", "2012-08-31 16:25:29.234", True),
        (".16:25:29.234 EDT Fri Aug 31 2012", "2012-08-31 16:25:29.234", True),
        ("16:25:29 GMT AUG 31 2012", "2012-08-31 16:25:29", False),
        ("24:00:00.000 UTC Fri Aug 31 2012", None, False),
        ("16:25:29.234 UTC Fri Feb 30 2012", None, False),
        ("2012-08-31 16:25:29", None, False),
    ],
)
def test_cisco_times(text: str, civil: str | None, doubtful: bool) -> None:
    found = clock.read(text)
    assert (found.text(None) if found else None) == civil
    assert (found.doubtful if found else False) == doubtful


@pytest.mark.parametrize(
    ("zone", "behind_s", "expected"),
    [("UTC", None, 0), ("GMT", 99999, 0), ("CST", -6 * 3600, -6 * 3600), ("CST", 8 * 3600 + 300, 8 * 3600), ("IST", 19800, 19800), ("EDT", None, None),
     ("EDT", 450, None), ("EDT", 15 * 3600, None)],
)  # fmt: skip
def test_a_zone_is_taken_from_utc_or_proved_by_an_epoch(zone: str, behind_s: int | None, expected: int | None) -> None:
    found = clock.read(f"08:00:00.000 {zone} Thu Oct 01 2026")
    assert found is not None
    epoch = 1790841600
    assert clock.offset_s(found, None if behind_s is None else epoch - behind_s) == expected


GO: list[tuple[str, str]] = [
    ("1m3.2s", "63200000"), ("0s", "0"), ("1h0m5s", "3605000000"), ("10s", "10000000"), ("250ms", "250000"), ("1.5ms", "1500"), ("2m", "120000000"),
    ("63200000000", "63200000"), ("0", "0"), ("12us", "12"), ("1h2m3.004005006s", "3723004005"), ("", ""), ("63,2", "63,2"), ("-5s", "-5s"),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), GO)
def test_usage_of_cgrates(usage: str, expected: str) -> None:
    convert: Callable[[str], str] = MODULES["cgrates"].micros
    assert convert(usage) == expected
