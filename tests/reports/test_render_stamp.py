from probe.observation.stamp import Lost, StampSample
from reports.locale.text import texts
from reports.render.outcome import outcome_text


def test_what_the_last_minutes_lost_is_shown_first_and_only_where_something_was() -> None:
    plain = StampSample("192.0.2.1", 862, 100, 99)
    assert "lately" not in outcome_text(plain, texts("en"))
    lately = StampSample("192.0.2.1", 862, 100, 99, lately_both=Lost(3000, 30, 0.001, 0), lately_out=Lost(3000, 0, 0.0, 3000))
    assert outcome_text(lately, texts("en")).startswith("lately both lost 30 of 3,000, ")
