"""Named formats through the reader: the same call in every format is the same record; and bills that nobody here made, value by value.

The second part needs the folder of FIRSTLINE_BILLS; nothing of it is kept here but the numbers that its files must give.
"""

import gzip
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from billing_audit.audit import FileRead
from billing_audit.ledger import MISSING, Bill, Names, Refused
from billing_audit.numbers import decode
from billing_audit.readers.bill import open_bill
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.unreadable import Unreadable
from tests.billing_audit import written_samples

NAMED = [pytest.param(sample, id=f"{sample.format}: {sample.case}") for sample in written_samples.SAMPLES]
FROM, TO = "2125550101", "8613800138000"
Seen = dict[str, Any]


def read(path: Path, **options: str) -> tuple[list[Seen], list[Refused], FileRead, Names]:
    """Return the records (numbers as text, what is missing left out), the refused rows, and what was said of the file."""
    names = Names()
    reader = open_bill(Bill.LOCAL, [path], ReadOptions(**{"zone": "Asia/Shanghai", **options}), names, 0)  # type: ignore[arg-type]
    frames: list[pd.DataFrame] = []
    refused: list[Refused] = []
    for block in reader.blocks():
        frames.append(block.frame)
        refused += block.refused
    found: list[Seen] = []
    for made in pd.concat(frames).to_dict("records"):
        told: Seen = {str(name): value for name, value in made.items() if value != MISSING}
        found.append(told | {name: decode(int(made[name]), names) for name in ("caller", "callee")})
    file = reader.files[0]
    assert file.rows == file.records + file.folded + file.refused
    assert (len(found), len(refused)) == (file.records, file.refused)
    return found, refused, file, names


@pytest.mark.parametrize("sample", NAMED)
def test_a_file_is_read_with_every_row_accounted_for(sample: Any, tmp_path: Path) -> None:
    path = tmp_path / "bill"
    path.write_text(sample.text, encoding="utf-8")
    found, refused, file, _ = read(path)
    assert file.format == sample.format
    assert (len(found), file.folded, len(refused)) == (len(sample.records), len(sample.folded), len(sample.refused))
    assert set(sample.notes) <= {note.id for note in file.notes}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("sample", NAMED)
def test_encoding_line_ends_and_packing_change_nothing(sample: Any, encoding: str, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.write_text(sample.text, encoding="utf-8")
    other.write_bytes(gzip.compress(sample.text.replace("\n", "\r\n").encode(encoding)))
    (found, refused, file, _), (again, refused_again, file_again, _) = read(plain), read(other)
    assert again == found
    assert [(row.line, row.reason) for row in refused_again] == [(row.line, row.reason) for row in refused]
    assert (file_again.format, file_again.rows, file_again.folded) == (file.format, file.rows, file.folded)


LOCAL_OR_EPOCH, SAID_UTC = 1790812807, 1790841607  # 2026-10-01 00:00:07 UTC, which is 08:00:07 in Shanghai; 08:00:07 UTC
UTC_SAMPLES = ("CUBE", "RADIUS", "ACME", "CGRATES", "CGRATES_TABLE")
SAME_CALL = ("ASTERISK", "FREESWITCH", "FREESWITCH_LIKE_ASTERISK", "FREESWITCH_OPENCDRRATE", "FREESWITCH_LEGS", "FREESWITCH_SQL", "JSON_ONE",
             "JSON_LINES", "JSON_ARRAY", "XML_MANY", "ACC_FLAT", "ACC_TABLE", "ACC_WHOLE", "KAMAILIO_CDRS", "KAMAILIO_MODULE", "CUCM", "CUCM_BARE", "SONUS", "VOS_TABLE", "VOS_EXPORT", "VOS_JSON",
             "PORTASWITCH", "SIPPY", "JERASOFT", "CDR_STATS", "CDR_STATS_PLAIN", *UTC_SAMPLES)  # fmt: skip


@pytest.mark.parametrize("name", SAME_CALL)
def test_the_same_call_in_every_format_is_the_same_record(name: str, tmp_path: Path) -> None:
    """From 2125550101 to 8613800138000, answered at 08:00:07, 63 s of talk after 7 s of ringing, 66 s billed, 0.132 charged: where told."""
    path = tmp_path / "bill"
    path.write_text(getattr(written_samples, name).text, encoding="utf-8")
    found, _, _, _ = read(path)
    call = next(made for made in found if made["callee"].endswith(TO) and made.get("duration_ms", 63000) // 1000 in (62, 63))
    assert call["caller"] in ((FROM,) if not name.startswith("CGRATES") else ("1001", ""))
    assert call["start_ms"] // 1000 == (SAID_UTC if name in UTC_SAMPLES else LOCAL_OR_EPOCH)
    assert name == "PORTASWITCH" or 62000 <= call["duration_ms"] <= 63300
    assert call.get("ring_ms", 7000) // 100 in range(70, 73)
    assert call.get("billed_ms", 66000) == 66000
    assert call.get("charge_micro", 132_000) in (132_000, 700_200)
    assert call.get("answered", 1) == 1


def test_unanswered_calls_are_zero_seconds_and_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "bill"
    for name in ("ASTERISK", "ASTERISK_CUSTOM", "JSON_LINES", "XML_MANY", "ACC_FLAT", "CUCM", "CUBE", "SONUS", "CDR_STATS_REPORT"):
        path.write_text(getattr(written_samples, name).text, encoding="utf-8")
        found, _, _, _ = read(path)
        unanswered = [made for made in found if made.get("answered") == 0]
        assert len(unanswered) == 1, name
        assert unanswered[0]["duration_ms"] == 0, name


def test_an_answered_call_without_bye_has_no_duration_rather_than_zero(tmp_path: Path) -> None:
    path = tmp_path / "acc.log"
    path.write_text(written_samples.ACC_FLAT.text, encoding="utf-8")
    found, refused, _, _ = read(path)
    still_open = next(made for made in found if made["callee"] == "442079460001")
    assert "duration_ms" not in still_open
    assert still_open["answered"] == 1
    assert [(row.line, row.reason.id, row.text[:3]) for row in refused] == [(8, "audit.refused.bye-alone", "BYE")]


def test_a_transferred_call_is_one_record_of_two_parts(tmp_path: Path) -> None:
    path = tmp_path / "cdr_x"
    path.write_text(written_samples.CUCM.text, encoding="utf-8")
    found, _, _, _ = read(path)
    assert [(made["duration_ms"], made["parts"]) for made in found if made["caller"] == FROM] == [(62000, 2)]


SEVERAL = [
    ("ASTERISK", '"acme"', '"other"'), ("FREESWITCH", '"a1"', '"b2"'), ("FREESWITCH_LEGS", '"a1"', '"b2"'),
    ("JSON_LINES", '"accountcode": "a1"', '"accountcode": "b2"'), ("XML_MANY", "a%201", "b2"), ("RADIUS", '\tAcct-Session-Time = 30',
    '\tAcct-Session-Time = 30\n\tUser-Name = "other"'), ("ACME", "customer-realm", "other-realm"), ("SONUS", '"acme"', '"other"'),
    ("VOS_JSON", '"flowNo": 3,', '"flowNo": 3, "account": "other",'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "last", "other"), SEVERAL)
def test_several_accounts_in_one_file_are_asked_about_and_one_is_read(name: str, last: str, other: str, tmp_path: Path) -> None:
    before, behind = getattr(written_samples, name).text.rsplit(last, 1)
    path = tmp_path / "bill"
    path.write_text(before + other + behind, encoding="utf-8")
    with pytest.raises(Unreadable, match="accounts"):
        read(path)
    account = re.findall(r"[\w-]+", other)[-1]
    found, _, file, names = read(path, account=account)
    assert {names.text(made["account"]) for made in found} == {account}
    assert file.folded > len(getattr(written_samples, name).folded)


def test_the_accounts_of_a_gateway_are_asked_about(tmp_path: Path) -> None:
    first, second = written_samples.cube(1790841670, "2"), written_samples.cube(1790841670, "2", conference=written_samples.OTHER)
    first[20], second[20] = "acme", "other"
    path = tmp_path / "bill"
    path.write_text(written_samples.lines(first, second), encoding="utf-8")
    with pytest.raises(Unreadable, match="accounts"):
        read(path)
    assert len(read(path, account="other")[0]) == 1


BILLS = os.environ.get("FIRSTLINE_BILLS", "")
outside = pytest.mark.skipif(not BILLS, reason="FIRSTLINE_BILLS names no folder of bills")


def bill(name: str) -> Path:
    return Path(BILLS) / name


def minute(text: str) -> int:
    """Return the ms of a time in Shanghai."""
    return int(pd.Timestamp(text, tz="Asia/Shanghai").value // 1_000_000)


@outside
def test_bill_of_asterisk() -> None:
    found, _, file, _ = read(bill("asterisk/Master_KelySaina.csv"), zone="UTC")
    assert (file.format, file.rows, file.records, file.folded, file.refused) == ("asterisk", 14, 14, 0, 0)
    assert [(made["caller"], made["callee"], made["duration_ms"] // 1000, made["answered"], made.get("ring_ms", 0) // 1000) for made in found] == [
        ("client1", "6789", 13, 1, 18), ("client2", "1234", 0, 0, 0), ("client2", "1234", 13, 1, 4), ("client1", "6789", 18, 1, 7),
        ("client2", "1234", 0, 0, 0), ("client1", "6789", 8, 1, 3), ("client1", "6789", 8, 1, 5), ("client1", "6789", 7, 1, 5),
        ("client1", "6789", 3, 1, 6), ("client1", "6789", 0, 0, 0), ("client1", "6789", 2, 1, 2), ("client1", "6789", 2, 1, 3),
        ("client2", "1234", 2, 1, 3), ("client2", "1234", 2, 1, 2),
    ]  # fmt: skip
    assert (found[0]["start_ms"], found[1]["start_ms"]) == (1690336310000, 1690336331000)


@outside
def test_bill_of_freeswitch_with_one_uuid_three_times_and_dates_from_excel() -> None:
    path = bill("freeswitch/Master_Kxingyunliushui.csv")
    with pytest.raises(Unreadable, match="accounts"):
        read(path)
    first, _, file, _ = read(path, account="1002")
    second, _, other, _ = read(path, account="1004")
    assert (file.format, file.rows, file.records, other.records) == ("freeswitch-csv", 10, 5, 4)
    notes = {note.id: note.values for note in file.notes}
    assert notes["audit.note.id-again"] == {"id": "7adced1a-4c7c-11ea-b08c-2bfc2a06d67d", "count": 3, "line": 8}
    assert notes["audit.note.minutes_only"]["rows"]
    assert [(made["start_ms"], made["duration_ms"] // 1000) for made in first] == [
        (minute("2020-02-10 22:41"), 9), (minute("2020-02-10 22:40"), 61), (minute("2020-02-10 22:41"), 21), (minute("2020-02-10 22:42"), 327),
        (minute("2020-02-11 11:05"), 32),
    ]  # fmt: skip
    assert [made["duration_ms"] // 1000 for made in second] == [20, 20, 20, 20]
    assert [made["start_ms"] for made in second] == [minute("2020-02-11 10:55"), *[minute("2020-02-11 11:13")] * 3]


@outside
def test_document_of_freeswitch() -> None:
    found, _, file, _ = read(bill("freeswitch/json_cdr_cgrates_fscdr_test.json"))
    assert (file.format, file.rows, file.zone) == ("freeswitch-json", 1, "UTC")
    told = {"caller": "1001", "callee": "1002", "start_ms": 1515666347954, "ring_ms": 3420, "duration_ms": 67540, "answered": 1, "parts": 1}
    assert found == [{"source": 1, **told}]


ACC = [
    ("opensips_kamailio/acc_ack_csv.csv", (7, 2, 5, 0), [("1001", "1002", "2021-06-01 00:00:09Z", 28), ("1003", "1004", "2021-06-01 00:00:10Z", 40)]),
    ("opensips_kamailio/acc_flatstore_success.log", (8, 4, 4, 0), [
        ("1001", "1002", "2015-07-09 15:06:48Z", 2), ("1002", "1001", "2015-07-09 15:10:47Z", 4), ("1001", "1002", "2015-07-09 15:10:57Z", 4),
        ("1001", "1002", "2015-07-09 15:11:30Z", 2)]),
    ("opensips_kamailio/missed_calls_flatstore.log", (3, 3, 0, 0), [
        ("1001", "1002", "2015-07-09 15:10:43Z", 0), ("1001", "1002", "2015-07-09 15:11:08Z", 0), ("1002", "1001", "2015-07-09 15:11:27Z", 0)]),
]  # fmt: skip


@outside
@pytest.mark.parametrize(("name", "counts", "calls"), ACC)
def test_accounting_of_sip_proxies(name: str, counts: tuple[int, ...], calls: list[tuple[str, str, str, int]]) -> None:
    found, _, file, _ = read(bill(name), zone="UTC")
    assert (file.format, (file.rows, file.records, file.folded, file.refused)) == ("acc", counts)
    assert [(made["caller"], made["callee"], made["start_ms"], made["duration_ms"] // 1000) for made in found] == [
        (caller, callee, int(pd.Timestamp(start).value // 1_000_000), seconds) for caller, callee, start, seconds in calls
    ]


@outside
def test_bills_of_cucm() -> None:
    found, _, file, _ = read(bill("cisco_cucm/cdr_StandAloneCluster_02_201510091036_254831"))
    assert (file.format, file.rows, file.records, file.zone) == ("cisco-cucm", 3, 3, "UTC")
    assert [(made["callee"], made["start_ms"] // 1000, made["ring_ms"] // 1000, made["duration_ms"] // 1000) for made in found] == [
        ("123456", 1444381924, 6, 20), ("132456", 1444381923, 0, 26), ("123456", 1444377992, 58, 3974),
    ]  # fmt: skip
    one, _, _, _ = read(bill("cisco_cucm/sample_cdr_sieteunoseis.txt"))
    assert [(made["caller"], made["callee"], made["start_ms"], made["duration_ms"]) for made in one] == [
        ("5033466520", "9712628803", 1711386110000, 60000)
    ]


@outside
def test_bills_of_cdr_stats() -> None:
    found, _, file, names = read(bill("cdr_stats/CDRImport-2015-10-26.csv"), zone="UTC")
    assert (file.format, file.rows, file.records) == ("cdr-stats", 5, 5)
    assert {names.text(made["account"]) for made in found} == {"1000"}
    assert [(made["callee"], made["duration_ms"] // 1000, made["ring_ms"] // 1000) for made in found] == [
        ("+34798400122", 50, 5), ("+34798401111", 10, 5), ("+34650104877", 34, 7), ("+34798401111", 11, 5), ("+34650104877", 5, 3),
    ]  # fmt: skip
    found, refused, file, _ = read(bill("cdr_stats/import_cdr_100.txt"))
    assert (file.rows, file.records, file.refused, file.zone) == (100, 99, 1, "UTC")
    assert [(row.line, row.field, row.text) for row in refused] == [(37, "duration", refused[0].text)]
    assert "-6" in refused[0].text
    assert (found[0]["callee"], found[0]["start_ms"], found[0]["ring_ms"]) == ("650200000", 1336101852000, 10000)
    found, refused, file, _ = read(bill("cdr_stats/import_voipcall_report.txt"))
    assert (file.rows, file.records, [row.line for row in refused]) == (10, 9, [10])
    assert [made["answered"] for made in found] == [1, 0, 0, 0, 1, 0, 0, 1, 0]


@outside
def test_answer_of_vos() -> None:
    found, refused, file, names = read(bill("vos3000/webapi_getcdr_sample.json"))
    assert (file.format, file.rows, file.records) == ("vos3000-json", 2, 1)
    assert [(row.line, row.reason.id) for row in refused] == [(2, "audit.refused.no-call")]
    told = found[0]
    assert (told["caller"], told["callee"], told["start_ms"], told["duration_ms"]) == ("202509241816", "17300000000", 1760922383500, 0)
    assert (told["billed_ms"], told["charge_micro"], names.text(told["gateway"])) == (0, 0, "示例网关")


@outside
@pytest.mark.parametrize("name", ["cdr_stats/import_retail_rates.txt", "cisco_cucm/cucm_cdr_columns.csv", "vos3000/e_cdr_columns.csv"])
def test_what_is_no_bill_is_said_to_be_none(name: str) -> None:
    with pytest.raises(Unreadable, match="no_bill"):
        read(bill(name))
