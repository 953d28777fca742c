"""One number's calls in a switch's records: counted from and to it, since a moment, however the number is written."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from probe.cdr.layout import Layout, layout_of
from probe.cdr.of_number import NumberCalls, calls_of

NOW = datetime(2026, 10, 20, 12, 0, tzinfo=UTC).timestamp()
LAYOUT: Layout = layout_of("own", {"caller": "1", "callee": "2", "end": "3", "talk": "4", "cause": "5"}, None, None, None)
LINES = """\
8001,1001,2026-10-20T08:00:00Z,10,NORMAL
1001,8001,2026-10-20T09:00:00Z,0,BUSY
+862155501001,8002,2026-10-20T10:00:00Z,30,NORMAL
21001,8002,2026-10-20T10:30:00Z,5,NORMAL
002155501001,8003,2026-10-20T11:00:00Z,0,503
"1001",8003,2026-10-20T11:10:00Z,0,503
not a record
8002,8003,2026-10-20T11:30:00Z,60,NORMAL
"""


def counted(folder: Path, number: str, hours: float, lines: str = LINES) -> NumberCalls:
    file = folder / "records.csv"
    file.write_text(lines)
    return calls_of(str(file), LAYOUT, "UTC", number, NOW - hours * 3600, NOW)


def test_calls_from_and_to_a_number_are_counted_however_it_is_written(tmp_path: Path) -> None:
    found = counted(tmp_path, "+86 21 5550 1001", 24)
    assert (found.attempts, found.answered, found.talk_s) == (5, 2, 40.0)
    assert found.causes == {"503": 2, "BUSY": 1}
    assert found.whole


@pytest.mark.parametrize(("hours", "attempts"), [(24, 5), (3.001, 4), (2.999, 3), (0.999, 1), (0.1, 0)])
def test_only_since_the_moment(tmp_path: Path, hours: float, attempts: int) -> None:
    assert counted(tmp_path, "2155501001", hours).attempts == attempts


def test_number_without_calls_has_no_last_one(tmp_path: Path) -> None:
    assert counted(tmp_path, "99999", 24) == NumberCalls(0, 0, 0.0, {}, None, True)


def test_few_digits_are_many_numbers_and_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too few digits"):
        counted(tmp_path, "101", 24)


def test_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        calls_of(str(tmp_path / "none"), LAYOUT, "UTC", "1001", 0, NOW)
