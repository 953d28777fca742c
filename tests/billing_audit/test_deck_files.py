"""Decks out of files of every kind: what they say, and what is refused with its line."""

import gzip
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from billing_audit.decks import read as decks
from billing_audit.decks.deck import Deck
from billing_audit.ledger import MISSING, Refused, place_of
from billing_audit.numbers import PLAIN
from billing_audit.readers.unreadable import Unreadable

BILLS = os.environ.get("FIRSTLINE_BILLS")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture
def deck_file(tmp_path: Path):
    def write(text: str | bytes, name: str = "deck.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def rows_of(deck: Deck) -> dict[str, tuple[int, ...]]:
    """Return per prefix (and @band, and #n for its later prices) rate, minimum, increment, fee, free; None for MISSING."""
    told: dict[str, tuple[int, ...]] = {}
    for row in range(len(deck)):
        name = deck.prefix_text(row) + (f"@{deck.bands[deck.band[row]]}" if deck.band[row] >= 0 else "")
        while name in told:
            name += "#"
        values = (deck.rate_nano, deck.minimum_s, deck.increment_s, deck.fee_micro, deck.free_s)
        told[name] = tuple(None if one[row] == MISSING else int(one[row]) for one in values)  # type: ignore[misc]
    return told


def reasons(refused: tuple[Refused, ...]) -> list[tuple[int, str, str]]:
    return [(one.line, one.field, one.reason.id.removeprefix("audit.refused.")) for one in refused]


def test_the_projects_own_format(deck_file) -> None:
    path = deck_file(
        "prefix,destination,rate,effective_from,effective_to,increment,connection_fee,free_seconds,band\n"
        "86,China,0.012,2026-10-01,,60/6,0.05,3,\n"
        "8610,China Beijing,0.0125,2026-10-01,2026-10-15,,,,peak\n"
    )
    deck, refused = decks.read([path], "Asia/Shanghai")
    assert refused == ()
    assert rows_of(deck) == {
        "86": (12_000_000, 60, 6, 50_000, 3),
        "8610@peak": (12_500_000, None, None, None, None),
    }
    assert deck.from_ms.tolist() == [ms("2026-09-30T16:00:00Z")] * 2
    assert deck.to_ms.tolist() == [MISSING, ms("2026-10-14T16:00:00Z")]
    assert [deck.destination_text(row) for row in range(2)] == ["China", "China Beijing"]
    assert [place_of(int(one)) for one in deck.source] == [(0, 2), (0, 3)]


FORMS: list[tuple[str, str, dict[str, tuple[int | None, ...]]]] = [
    (
        "prefix;name;trunk;0;0;buy;sell in ten-thousandths",
        "4930;Germany Berlin;TRK;0;0;95;120\n49;Germany;TRK;0;0;80;101\n",
        {"4930": (12_000_000, None, None, None, None), "49": (10_100_000, None, None, None, None)},
    ),
    ("two columns", "49, 0.021\n4930,0.02\n", {"49": (21_000_000, None, None, None, None), "4930": (20_000_000, None, None, None, None)}),
    ("three columns and a date", "49,Germany,0.021,2026-10-01\n", {"49": (21_000_000, None, None, None, None)}),
    (
        "A2Billing",
        "dialprefix;destination;rate initial;buyrate;initblock;billingblock;connectcharge\n49;germany;0.0213;0.01;30;6;0.02\n",
        {"49": (21_300_000, 30, 6, 20_000, None)},
    ),
    (
        "ASTPP",
        "Code,Destination,Connect Cost,Included Seconds,Per Minute Cost,Initial Increment,Increment\n49,Germany,0.1,15,0.25,30,6\n",
        {"49": (250_000_000, 30, 6, 100_000, 15)},
    ),
    (
        "ASTPP with one increment",
        "Code,Destination,Connect Cost,Included Seconds,Per Minute Cost,Increment,Precedence\n49,Germany,0,0,0.25,60,0\n",
        {"49": (250_000_000, 60, 60, 0, 0)},
    ),
    (
        "JeraSoft",
        "Code;Code Name;Rate;Setup Fee;Min Volume;Interval;Grace Volume;Effective Date;End Date;Time Profile\n"
        "49;Germany;0.0213;0.01;60;1;0;2026-10-01 00:00:00;;All Time\n",
        {"49": (21_300_000, 60, 1, 10_000, None)},
    ),
    (
        "Kazoo",
        "prefix,rate_name,rate_cost,rate_surcharge,rate_increment,rate_minimum,rate_nocharge_time\n49,DE,0.02,0.03,6,30,2\n",
        {"49": (20_000_000, 30, 6, 30_000, 2)},
    ),
    (
        "A-Z with country and area codes",
        'Country,Country Code,Area Code,Rate,Increment\nChina,86,"10,20-22",0.01,1/1\nChina,86,,0.02,1/1\n',
        {
            "86": (20_000_000, 1, 1, None, None),
            "8610": (10_000_000, 1, 1, None, None),
            "8620": (10_000_000, 1, 1, None, None),
            "8621": (10_000_000, 1, 1, None, None),
            "8622": (10_000_000, 1, 1, None, None),
        },
    ),
    (
        "Chinese headers under a title, notes behind",
        "国际费率表\n,,,,\n前缀,国家,地区,费率（元/分钟）,生效日期\n0086,中国,,0.12,2026年10月1日\n+1 242,巴哈马,移动,1.5,2026/10/01\n以上价格含税\n",
        {"86": (120_000_000, None, None, None, None), "1242": (1_500_000_000, None, None, None, None)},
    ),
    ("a price a second", "prefix,rate (per second)\n49,0.0001\n", {"49": (6_000_000, None, None, None, None)}),
    ("a price of six seconds", "前缀,费率（元/6秒）\n49,0.01\n", {"49": (100_000_000, None, None, None, None)}),
    (
        "a decimal comma that proves itself",
        "prefix;rate\n49;0,021\n50;1,5\n51;2\n",
        {"49": (21_000_000,), "50": (1_500_000_000,), "51": (2_000_000_000,)},
    ),
    ("the new price beside the old one", "Code,Old Rate,New Rate,Change\n49,0.03,0.02,Decrease\n", {"49": (20_000_000,)}),
    ("every code", "prefix,rate\n*any,0.5\n", {"": (500_000_000,)}),
    (
        "a list of codes in one cell",
        'prefix,rate\n"4930-32, 4940",0.5\n',
        dict.fromkeys(("4930", "4931", "4932", "4940"), (500000000,)),
    ),
    ("the same line twice", "prefix,rate\n49,0.5\n49,0.50\n", {"49": (500_000_000,)}),
    ("a header that comes again", "prefix,rate\n49,0.5\nprefix,rate\n50,0.5\n", {"49": (500_000_000,), "50": (500_000_000,)}),
]


@pytest.mark.parametrize(("text", "wanted"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_decks_of_many_forms_are_told_apart_by_their_content(deck_file, text: str, wanted: dict[str, tuple[int | None, ...]]) -> None:
    deck, refused = decks.read([deck_file(text)])
    assert refused == ()
    found = rows_of(deck)
    assert {name: values[: len(wanted.get(name, values))] for name, values in found.items()} == wanted


def test_what_is_bought_is_another_price_than_what_is_sold(deck_file) -> None:
    path = deck_file("dialprefix;destination;rate initial;buyrate\n49;germany;0.03;0.01\n")
    assert decks.read([path], side="buy")[0].rate_nano.tolist() == [10_000_000]
    assert decks.read([path], side="sell")[0].rate_nano.tolist() == [30_000_000]
    bare = deck_file("49;Germany;TRK;0;0;80;101\n", "bare.csv")
    assert decks.read([bare], side="buy")[0].rate_nano.tolist() == [8_000_000]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(deck_file, encoding: str) -> None:
    deck, refused = decks.read([deck_file("前缀,国家,费率\n86,中国,0.12\n49,德国,0.5\n".encode(encoding))])
    assert refused == ()
    assert [deck.destination_text(row) for row in range(2)] == ["德国", "中国"]


def test_a_workbook_gives_what_was_typed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Harbour Telecom"],
        ["Code", "Destination", "Rate", "Effective Date", "Increment"],
        [86, "China", 0.1 + 0.2, datetime(2026, 10, 1), "60/60"],
        ["008610", "Beijing", 0.0123, "2026-10-01", "1/1"],
        [8.6e11, "far", 1, datetime(2026, 10, 1, 12), None],
    ):
        sheet.append(row)
    book.create_sheet("notes").append(["nothing here"])
    path = tmp_path / "deck.xlsx"
    book.save(path)
    deck, refused = decks.read([path], "Asia/Shanghai")
    assert refused == ()
    assert rows_of(deck) == {
        "86": (300_000_000, 60, 60, None, None),
        "8610": (12_300_000, 1, 1, None, None),
        "860000000000": (1_000_000_000, None, None, None, None),
    }
    assert deck.from_ms.tolist()[-1] == ms("2026-10-01T04:00:00Z")


FAULTS: list[tuple[str, str, list[tuple[int, str, str]]]] = [
    ("an empty price", "prefix,rate\n49,\n50,1\n", [(2, "rate", "money_empty")]),
    ("a comma in doubt", 'prefix,rate\n49,"1,234"\n50,1\n', [(2, "rate", "money_comma")]),
    ("a comma in doubt, no other", "prefix;rate\n49;1,234\n50;1\n", [(2, "rate", "money_comma")]),
    ("a comma beside a point", "prefix;rate\n49;0,12\n50;0.12\n", [(2, "rate", "money_comma")]),
    ("a price below 0", "prefix,rate\n49,-1\n", [(2, "rate", "deck_below_0")]),
    ("ten places", "prefix,rate\n49,0.0000000001\n50,0.000000001\n", [(2, "rate", "money_places")]),
    ("a price of millions", "prefix,rate\n49,1000001\n50,1000000\n", [(2, "rate", "deck_rate_high")]),
    ("a code in exponents", "prefix,rate\n8.61E+10,1\n50,1\n", [(2, "prefix", "deck_code_spreadsheet")]),
    ("letters", "prefix,rate\nabc,1\n50,1\n", [(2, "prefix", "deck_code")]),
    ("18 digits", f"prefix,rate\n{'1' * 18},1\n{'1' * 17},1\n", [(2, "prefix", "deck_code")]),
    ("no code", "prefix,name,rate\n,x,1\n50,y,1\n", [(2, "area_code", "deck_no_code")]),
    ("a range backwards", "prefix,rate\n25-20,1\n50,1\n", [(2, "prefix", "deck_code_range")]),
    ("a range of two lengths", "prefix,rate\n8-12,1\n50,1\n", [(2, "prefix", "deck_code_range")]),
    ("a range too long", "prefix,rate\n10000-20000,1\n20000-29999,1\n", [(2, "prefix", "deck_code_range")]),
    ("day or month first", "prefix,rate,effective_from\n49,1,10/11/2026\n", [(2, "from", "deck_date_turned")]),
    ("no date", "prefix,rate,effective_from\n49,1,soon\n50,1,2026-02-30\n", [(2, "from", "deck_date"), (3, "from", "deck_date")]),
    ("ends first", "prefix,rate,effective_from,effective_to\n49,1,2026-10-02,2026-10-01\n", [(2, "to", "deck_ends_first")]),
    ("an increment of 0", "prefix,rate,increment\n49,1,60/0\n50,1,0/60\n", [(2, "increment", "deck_increment")]),
    ("an increment in words", "prefix,rate,increment\n49,1,minute\n", [(2, "increment", "deck_seconds")]),
    ("a grace", "prefix,rate,grace period\n49,1,3\n50,1,0\n", [(2, "grace", "deck_grace")]),
    ("an unknown mark", "prefix,rate,status\n49,1,perhaps\n", [(2, "change", "deck_mark")]),
    ("two prices of one time", "prefix,rate\n49,1\n50,1\n49,2\n", [(4, "prefix", "deck_twice")]),
    ("a quotation over lines keeps the count", 'prefix,name,rate\n49,"a\nb",1\nx,y,1\n', [(4, "prefix", "deck_code")]),
]


@pytest.mark.parametrize(("text", "wanted"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_what_is_doubtful_is_refused_with_line_and_field(deck_file, text: str, wanted: list[tuple[int, str, str]]) -> None:
    assert reasons(decks.read([deck_file(text)])[1]) == wanted


@pytest.mark.parametrize(
    ("other", "read_as"),
    [("25/12/2026", "2026-11-10"), ("12/25/2026", "2026-10-11")],
)
def test_one_date_of_the_column_tells_which_of_the_others_is_the_day(deck_file, other: str, read_as: str) -> None:
    deck, refused = decks.read([deck_file(f"prefix,rate,effective_from\n49,1,10/11/2026\n50,1,{other}\n")])
    assert refused == ()
    assert int(deck.from_ms[0]) == ms(f"{read_as}T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-10-01", "2026-09-30T16:00:00Z"),
        ("2026/10/1", "2026-09-30T16:00:00Z"),
        ("20261001", "2026-09-30T16:00:00Z"),
        ("1.10.2026", "2026-09-30T16:00:00Z"),
        ("01-Oct-2026", "2026-09-30T16:00:00Z"),
        ("2026年10月1日", "2026-09-30T16:00:00Z"),
        ("2026-10-01 08:30", "2026-10-01T00:30:00Z"),
        ("2026-10-01T08:30:15", "2026-10-01T00:30:15Z"),
        ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z"),
        ("2026-10-01 00:00:00+02:00", "2026-09-30T22:00:00Z"),
        ("10/10/2026", "2026-10-09T16:00:00Z"),  # day and month are the same: no doubt
    ],
)
def test_dates_begin_at_midnight_of_the_contracts_zone(deck_file, text: str, at: str) -> None:
    deck, refused = decks.read([deck_file(f"prefix,rate,effective_from\n49,1,{text}\n")], "Asia/Shanghai")
    assert refused == ()
    assert int(deck.from_ms[0]) == ms(at)


def test_the_last_second_of_a_day_ends_a_price_at_the_next_midnight(deck_file) -> None:
    deck, _ = decks.read([deck_file("prefix,rate,effective_to\n49,1,2026-10-31 23:59:59\n50,1,2026-11-01\n")])
    assert deck.to_ms.tolist() == [ms("2026-11-01T00:00:00Z")] * 2


LAST_DAYS: list[tuple[str, list[str], list[str]]] = [
    # from/to of 49's prices, and until when they hold
    ("nothing tells", ["2026-10-01/2026-10-14"], ["2026-10-14"]),
    ("the next begins the day after", ["2026-10-01/2026-10-14", "2026-10-15/2026-10-31"], ["2026-10-15", "2026-11-01"]),
    ("the next begins on that day", ["2026-10-01/2026-10-15", "2026-10-15/2026-10-31"], ["2026-10-15", "2026-10-31"]),
    (
        "both that day and the day after",
        ["2026-10-01/2026-10-14", "2026-10-14/2026-10-31", "2026-10-15/2026-10-31"],
        ["2026-10-14", "2026-10-31", "2026-10-31"],
    ),
    ("two days after", ["2026-10-01/2026-10-13", "2026-10-15/2026-10-31"], ["2026-10-13", "2026-10-31"]),
    ("one day only", ["2026-10-01/2026-10-01", "2026-10-15/2026-10-31"], ["2026-10-02", "2026-11-01"]),
]


@pytest.mark.parametrize(("spans", "until"), [case[1:] for case in LAST_DAYS], ids=[case[0] for case in LAST_DAYS])
def test_the_last_day_belongs_to_a_price_where_the_deck_shows_it(deck_file, spans: list[str], until: list[str]) -> None:
    rows = "".join(f"49,{at},{span.replace('/', ',')}\n" for at, span in enumerate(spans, 1))
    deck, refused = decks.read([deck_file("prefix,rate,effective_from,effective_to\n" + rows)])
    assert refused == ()
    assert deck.to_ms.tolist() == [ms(f"{day}T00:00:00Z") for day in until]


def test_days_that_contradict_each_other_are_no_proof(deck_file) -> None:
    text = "prefix,rate,effective_from,effective_to\n49,1,2026-10-01,2026-10-01\n50,1,2026-10-01,2026-10-05\n50,2,2026-10-05,2026-10-09\n"
    deck, refused = decks.read([deck_file(text)])
    assert reasons(refused) == [(2, "to", "deck_ends_first")]
    assert [deck.prefix_text(row) for row in range(len(deck))] == ["50", "50"]


def test_a_deck_amended_by_a_notice(deck_file) -> None:
    first = deck_file("prefix,rate,effective_from\n49,0.02,2026-01-01\n4930,0.03,2026-01-01\n4940,0.05,2026-01-01\n", "a.csv")
    notice = deck_file(
        "prefix,rate,effective_from,change\n49,0.025,2026-10-15,increase\n4930,,2026-10-15,deleted\n4940,,2026-10-15,blocked\n4950,0.1,2026-10-15,new\n",
        "b.csv",
    )
    deck, refused = decks.read([first, notice])
    assert refused == ()
    callee = np.array([PLAIN + int("1" + digits) for digits in ("49301", "49401", "49501", "491")])
    before, after = (np.full(4, ms(f"2026-10-1{day}T00:00:00Z") - less) for day, less in ((5, 1), (5, 0)))
    assert deck.rate_nano[deck.lookup(callee, before)].tolist() == [30_000_000, 50_000_000, 20_000_000, 20_000_000]
    assert deck.rate_nano[deck.lookup(callee, after)].tolist() == [25_000_000, MISSING, 100_000_000, 25_000_000]
    raised = deck.lookup(callee[3:], after[3:])
    assert deck.rate_nano[deck.before(raised)].tolist() == [20_000_000]
    assert place_of(int(deck.source[raised[0]])) == (1, 2)


def test_a_code_that_ended_may_come_again(deck_file) -> None:
    text = "prefix,rate,effective_from,change\n49,1,2026-01-01,new\n49,,2026-03-01,deleted\n49,2,2026-05-01,new\n4,9,2026-01-01,new\n50,1,,new\n"
    deck, refused = decks.read([deck_file(text), deck_file("prefix,rate,change\n50,,removed\n", "later.csv")])
    assert refused == ()
    times = np.array([ms(f"2026-0{month}-15T00:00:00Z") for month in (1, 2, 3, 4, 5)])
    assert (deck.rate_nano[deck.lookup(np.full(5, PLAIN + 149), times)] // 10**9).tolist() == [1, 1, 9, 9, 2]
    assert "50" not in rows_of(deck)


def test_a_code_that_is_listed_again_behind_its_removal_holds(deck_file) -> None:
    deck, refused = decks.read([deck_file("prefix,rate,change\n49,,removed\n49,1,new\n50,1,new\n50,,removed\n")])
    assert refused == ()
    assert list(rows_of(deck)) == ["49"]


DESTINATIONS = "#Id,Prefix\nDST_MOB,614\nDST_FIX,612\nDST_FIX,613\n"
RATES = (
    "#Id,ConnectFee,Rate,RateUnit,RateIncrement,GroupIntervalStart\nRT_A,0,0.22,60s,1s,0s\n"
    "RT_B,0.2,0.01,1s,60s,0s\nRT_B,0,0.01,1s,1s,60s\nRT_C,0.4,0.2,60s,60s,0s\nRT_C,0,0.1,60s,1s,60s\n"
)
RATED = "#Id,DestinationId,RatesTag,RoundingMethod,RoundingDecimals,MaxCost,MaxCostStrategy\nDR_1,DST_MOB,RT_A,*up,4,0,\nDR_1,DST_FIX,RT_B,*up,4,0,\n"


def test_a_cgrates_plan_is_read_as_a_set(deck_file) -> None:
    paths = [deck_file(text, name) for text, name in ((DESTINATIONS, "d.csv"), (RATES, "r.csv"), (RATED, "dr.csv"))]
    deck, refused = decks.read(paths)
    assert refused == ()
    assert rows_of(deck) == {
        "612": (600_000_000, 60, 1, 200_000, None),
        "613": (600_000_000, 60, 1, 200_000, None),
        "614": (220_000_000, None, 1, 0, None),
    }


def test_profiles_say_which_plans_hold_and_since_when(deck_file) -> None:
    plans = "#Id,DestinationRatesId,TimingTag,Weight\nRP,DR_1,*any,10\nRP_OTHER,DR_2,*any,10\n"
    profiles = "#Tenant,Category,Subject,ActivationTime,RatingPlanId,RatesFallbackSubject\nt,call,*any,2026-10-01T00:00:00Z,RP,\n"
    texts = {"d.csv": DESTINATIONS, "r.csv": RATES, "dr.csv": RATED + "DR_2,DST_MOB,RT_B,*up,4,0,\n", "p.csv": plans, "f.csv": profiles}
    deck, refused = decks.read([deck_file(text, name) for name, text in texts.items()])
    assert refused == ()
    assert rows_of(deck)["614"] == (220_000_000, None, 1, 0, None)
    assert set(deck.from_ms.tolist()) == {ms("2026-10-01T00:00:00Z")}


def test_a_price_that_changes_within_the_call_is_refused(deck_file) -> None:
    rated = RATED + "DR_1,DST_NONE,RT_A,*up,4,0,\nDR_1,DST_MOB,RT_C,*up,4,0,\nDR_1,DST_MOB,RT_NONE,*up,4,0,\n"
    paths = [deck_file(text, name) for text, name in ((DESTINATIONS, "d.csv"), (RATES, "r.csv"), (rated, "dr.csv"))]
    _, refused = decks.read(paths)
    assert reasons(refused) == [
        (4, "DestinationId", "deck_unknown_tag"),
        (5, "RatesTag", "deck_steps"),
        (6, "RatesTag", "deck_unknown_tag"),
    ]
    assert {one.file for one in refused} == {str(paths[2])}


@pytest.mark.parametrize(
    ("cap", "strategy", "refuses"), [("0", "*free", False), ("5", "*free", True), ("5", "*disconnect", False), ("0.00", "*free", False)]
)
def test_a_cost_above_which_a_call_is_free_is_the_contracts(deck_file, cap: str, strategy: str, refuses: bool) -> None:
    rated = (
        f"#Id,DestinationId,RatesTag,RoundingMethod,RoundingDecimals,MaxCost,MaxCostStrategy\nDR_1,DST_MOB,RT_A,*up,4,{cap},{strategy}\n"
    )
    paths = [deck_file(text, name) for text, name in ((DESTINATIONS, "d.csv"), (RATES, "r.csv"), (rated, "dr.csv"))]
    deck, refused = decks.read(paths)
    assert reasons(refused) == ([(2, "MaxCost", "deck_max_cost")] if refuses else [])
    assert len(deck) == (0 if refuses else 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "columns"),
        (b"one,two\n3,4\n", "columns"),
        (b"%PDF-1.7 \n", "pdf"),
        (b"PK\x03\x04 no workbook", "workbook"),
        (b"prefix,rate\n49,\xff\xff\xff1\n", "encoding"),
        (b"prefix,rate\n49,1\x00\n", "encoding"),
        (DESTINATIONS.encode(), "set"),
    ],
)
def test_a_file_that_is_no_deck_is_named_with_its_cure(deck_file, content: bytes, why: str) -> None:
    with pytest.raises(Unreadable) as refused:
        decks.read([deck_file(content)])
    assert (refused.value.what.id, refused.value.cure.id) == (f"audit.unreadable.deck_{why}", f"audit.cure.deck_{why}")


@pytest.mark.skipif(BILLS is None, reason="FIRSTLINE_BILLS names no folder of outside samples")
@pytest.mark.parametrize(
    ("names", "rows", "number", "rate"),
    [
        (("rate_decks/az_rates_comdif_36298.csv",), 36_298, "93750000000", 277_800_000),
        (("rate_decks/a2billing_import_sample.csv",), 3, "119370123", 813_500_000),
        (("cdr_stats/import_retail_rates.txt",), 5, "3612345", 92_000_000),
        (
            tuple(f"rate_decks/cgrates_au_{kind}.csv" for kind in ("Destinations", "Rates", "DestinationRates")),
            None,
            "61412345",
            22 * 10**9,
        ),
    ],
)
def test_decks_that_nobody_here_made(names: tuple[str, ...], rows: int | None, number: str, rate: int) -> None:
    assert BILLS is not None
    deck, refused = decks.read([Path(BILLS) / name for name in names])
    assert rows is None or (len(deck) == rows and refused == ())
    row = deck.lookup(np.array([PLAIN + int("1" + number)]), np.array([ms("2026-10-01T00:00:00Z")]))
    assert deck.rate_nano[row].tolist() == [rate]


def test_a_year_of_notices_keeps_the_time_of_each(deck_file) -> None:
    days = [f"2026-{month:02d}-01" for month in range(1, 13)]
    text = "prefix,rate,effective_from\n" + "".join(f"49,0.{month:02d},{day}\n" for month, day in enumerate(days, 1))
    deck, _ = decks.read([deck_file(text)], "Europe/Berlin")
    for month, day in enumerate(days, 1):
        at = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
        row = deck.lookup(np.full(2, PLAIN + 149), np.array([at, at - 3 * 3_600_000]))
        assert deck.rate_nano[row[:1]].tolist() == [month * 10_000_000]
        assert (int(deck.rate_nano[row[1]]) if row[1] >= 0 else 0) == (month - 1) * 10_000_000


@pytest.mark.parametrize("packed", ["gzip", "zip"])
def test_a_packed_deck_is_the_deck(tmp_path: Path, packed: str) -> None:
    text = b"prefix,destination,rate,effective_from\n86,China,0.02,2026-01-01\n"
    path = tmp_path / "deck"
    if packed == "gzip":
        path.write_bytes(gzip.compress(text))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", text)
            archive.writestr("b.csv", text.replace(b"86,China", b"852,Hong Kong"))
    deck, refused = decks.read([path])
    assert refused == ()
    assert sorted(rows_of(deck)) == (["86"] if packed == "gzip" else ["852", "86"])


def test_a_pipe_is_no_deck_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreadable) as caught:
        decks.read([tmp_path / "pipe"])
    assert caught.value.what.id == "audit.unreadable.deck_regular"


@pytest.mark.parametrize(
    ("prices", "currency", "rates", "refused"),
    [
        (["$0.02", "$0.03"], "", [20_000_000, 30_000_000], []),
        (["0.02 USD", "0.03"], "USD", [20_000_000, 30_000_000], []),
        (["¥0.02/分钟", "0.03元"], "CNY", [20_000_000, 30_000_000], []),
        (["$0.02", "$0.03", "€0.04"], "", [20_000_000, 30_000_000], [4]),
        (["$0.02", "0.03"], "CNY", [30_000_000], [2]),
        (["$-0.02", "x0.03"], "", [], [2, 3]),
    ],
)
def test_prices_may_name_the_decks_currency_and_no_other(
    deck_file, prices: list[str], currency: str, rates: list[int], refused: list[int]
) -> None:
    rows = "".join(f"{86 + at},X,{price},2026-01-01\n" for at, price in enumerate(prices))
    deck, told = decks.read([deck_file("prefix,destination,rate,effective_from\n" + rows)], currency=currency)
    assert sorted(deck.rate_nano.tolist()) == rates
    assert [row.line for row in told] == refused


def test_a_deck_of_headers_alone_is_named(deck_file) -> None:
    with pytest.raises(Unreadable) as caught:
        decks.read([deck_file("prefix,destination,rate,effective_from\n")])
    assert caught.value.what.id == "audit.unreadable.deck_empty"
