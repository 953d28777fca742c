import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Message
from reports.locale.figures import clock, number, rate, reading, size, span
from reports.locale.text import choose, printable, texts
from reports.render.columns import clip, join, table, width, wrap


@pytest.mark.parametrize(
    ("argument", "environment", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LC_MESSAGES": "zh_CN", "LANG": "de_DE"}, "zh"),
        (None, {"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        (None, {"FIRSTLINE_LANG": "zh", "LC_ALL": "en_GB"}, "zh"),
        ("en", {"FIRSTLINE_LANG": "zh"}, "en"),
        ("zh_CN", {"LC_ALL": "C"}, "zh"),
        (None, {"LANG": "fr_FR"}, "en"),
    ],
)
def test_language_is_the_arguments_then_the_environments(argument, environment, language):
    assert choose(argument, environment) == language


@pytest.mark.parametrize("language", ["en", "zh"])
def test_unknown_id_is_shown_with_its_values(language):
    assert texts(language).say(Message("no.such.id", {"ms": 3.0, "who": None})) == "no.such.id (ms=3.0, who=None)"
    assert texts(language).say(Message("no.such.id")) == "no.such.id"


@pytest.mark.parametrize("values", [{}, {"n": None}, {"m": 1}])
def test_wrong_values_never_crash(values):
    assert texts("en").say(Message("check.good", values)).startswith("check.good") or values == {"n": None}


def test_empty_detail_leaves_no_colon():
    assert texts("en").say(Message("failure.refused", {"detail": ""})) == "refused, the host lives"
    assert texts("en").say(Message("failure.refused", {"detail": "by 10.0.0.1"})) == "refused, the host lives: by 10.0.0.1"
    assert texts("zh").say(Message("failure.timeout", {"detail": ""})) == "超时无应答"


def test_one_reading_is_singular():
    assert texts("en").text("check.good", n=1) == "1 reading good"
    assert texts("en").text("check.good", n=2) == "2 readings good"


def test_a_peers_words_cannot_steer_the_terminal():
    said = texts("en").say(Message("failure.rejected", {"detail": "\x1b[2J\x07go\naway\u202e"}))
    assert said == "answered with a refusal: \\x1b[2J\\x07go away\\x202e"


@given(st.text())
def test_everything_shown_is_printable(text):
    assert printable(text).isprintable()


def test_every_kind_of_space_is_a_space_and_no_escape():
    assert printable("海港\u3000物流\u00a0Ltd\u2028") == "海港 物流 Ltd "


def test_word_without_text_is_the_word():
    assert texts("zh").word("state", "ok") == "正常"
    assert texts("zh").word("state", "melted") == "melted"


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (rate, 0, "0 bit/s"),
        (rate, 999.4, "999 bit/s"),
        (rate, 999.9, "1 kbit/s"),
        (rate, 31_240_000, "31.2 Mbit/s"),
        (rate, 10_000_000_000, "10 Gbit/s"),
        (size, 1023, "1,023 B"),
        (size, 1024, "1 KiB"),
        (size, 1.5 * 2**30, "1.5 GiB"),
        (span, 0, "0 s"),
        (span, 0.04, "40 ms"),
        (span, 0.9994, "999 ms"),
        (span, 0.9996, "1 s"),
        (span, 7, "7 s"),
        (span, 59.6, "1:00 min"),
        (span, 1300, "21:40 min"),
        (span, 3600, "1:00 h"),
        (span, 11_112, "3:05 h"),
        (span, 86_400 * 4 + 3 * 3600, "4 d 3 h"),
        (span, -90, "-1:30 min"),
        (number, 0.0413, "0.041"),
        (number, 4.126, "4.13"),
        (number, 41.26, "41.3"),
        (number, 4130.4, "4,130"),
        (number, 0.00004, "4e-05"),
        (number, float("inf"), "inf"),
        (number, float("nan"), "nan"),
    ],
)
def test_numbers_carry_their_unit(function, value, text):
    assert function(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.2, "ratio", "20 %"), (20, "%", "20 %"), (7, "d", "7 d"), (-7.1, "dBm", "-7.1 dBm"), (90, "s", "1:30 min"), (3, "", "3")],
)
def test_reading_is_shown_in_its_unit(value, unit, text):
    assert reading(value, unit) == text


def test_clock_names_the_day_when_it_is_another():
    now = datetime(2026, 10, 20, 12, 0, tzinfo=UTC)
    assert clock(datetime(2026, 10, 20, 9, 1, 2, tzinfo=UTC), now, UTC) == "09:01:02"
    assert clock(datetime(2026, 10, 19, 9, 1, 2, tzinfo=UTC), now, UTC) == "2026-10-19 09:01"


def test_wide_characters_take_two_cells():
    assert width("光纤 cut") == 8
    assert width("\x1b[32mok\x1b[0m") == 2
    assert table([["光纤", "a"], ["cut", "b"]]) == ["光纤  a", "cut   b"]
    assert clip("光纤线路中断", 7) == "光纤线…"
    assert join(["超时", "x", "y"]) == "超时，x, y"


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"])), st.integers(4, 60))
def test_wrapped_lines_fit_and_lose_nothing(text, cells):
    lines = wrap(text, cells)
    assert [line for line in lines if width(line) > cells] == []
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])), st.integers(2, 60))
def test_clipped_text_fits(text, cells):
    assert width(clip(text, cells)) <= cells


def test_texts_import_nothing_heavy():
    code = "import sys, reports.locale.text; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert not {"babel", "hatchling", "asyncio", "click"} & set(loaded.stdout.split())


def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one():
    text = "至运营商机房的线路中断（光纤一、光纤二），业务无法到达运营商：请报修。"
    for cells in range(8, 60):
        lines = wrap(text, cells)
        assert not any(line[0] in "，。：）、" or line[-1] == "（" for line in lines), lines
