"""What a mail says of a case that became a part of another, of symptoms that moved, and of complaints."""

from datetime import timedelta
from pathlib import Path

import pytest

from checks.finding import Message
from checks.verdict import Urgency
from reports.feeds.feed import FeedEvent, feed_event
from reports.feeds.webhook import cloud_event
from reports.locale.text import texts
from reports.opening import join, plan
from reports.render.notice import notice
from reports.store.store import open_store

MINUTE = timedelta(minutes=1)
WEB, FAR = ("pop-1", "web-1", "icmp/loss", ""), ("pop-1", "far", "icmp/loss", "")
CAUSE = {"summary": Message("cause.host_down", {"element": "web-1"}), "action": Message("action.host_down", {"node": "web-1"})}


@pytest.fixture
def events(making, tmp_path: Path) -> dict[str, FeedEvent]:
    """Give what feeds get of a host that turns out to be without power, with a complaint on it, by what happened to which case."""
    told = {}
    with open_store(tmp_path, agent="pop-1", service=True) as store:
        host = making.diagnose("web-1", "host_down", keys=(WEB, FAR), **CAUSE, affected=("bank",))
        less = making.diagnose("web-1", "host_down", keys=(FAR,), **CAUSE, affected=("bank",))
        likely = {"alternatives": ("site_power", "customer_line"), "decides": Message("decides.site_power", {"element": "dc-1"})}
        power = making.diagnose("dc-1", "site_power", keys=(WEB,), urgency=Urgency.EMERGENCY, affected=("a", "b", "c"), **likely)
        far = making.diagnose("far", "host_down", keys=(FAR,))
        steps = [
            lambda: plan([host], {}, [], making.START),
            lambda: [join(store.case(1), making.complaint(), making.START)],
            lambda: plan([power, less], {}, store.cases(), making.START),
            lambda: plan([power, far], {}, store.cases(), making.START),
        ]
        for step in steps:
            for event in store.accept(step(), making.START + MINUTE):
                told[f"{event.kind} {event.case}"] = feed_event(event, texts("en").say)
    return told


def test_a_part_says_of_what_and_that_it_is_no_recovery(events: dict[str, FeedEvent]) -> None:
    subject, body = notice(events["merged 1"], "en")
    assert subject == "[urgent] #1 IS PART OF #3 web-1 does not answer at all"
    assert "#3 explains what is left of it" in body
    assert "This is no recovery." in body
    assert "to do" not in body
    assert "[紧迫] #1 已并入 #3" in notice(events["merged 1"], "zh")[0]


def test_the_whole_names_its_parts_what_it_may_be_and_the_test_that_decides(events: dict[str, FeedEvent]) -> None:
    subject, body = notice(events["opened 3"], "en")
    assert subject.startswith("[urgent] OPEN #3")
    assert "part of it now: #1" in body
    subject, body = notice(events["opened 2"], "en")
    assert subject.startswith("[EMERGENCY · major case] OPEN #2")
    assert "part of it now" not in body
    assert "came from #1: 1 symptom\n" in body
    assert f"can't be told apart: {texts('en').word('class', 'site_power')}" in body
    assert "site_power" not in body
    assert "the test that would decide: " in body


def test_a_complaint_is_told_without_whom_to_call(events: dict[str, FeedEvent]) -> None:
    subject, body = notice(events["joined 1"], "en")
    assert subject.startswith("[urgent] COMPLAINT #1")
    assert "complaint: harbour · no calls" in body
    for told in (body.encode(), cloud_event(events["joined 1"])):
        assert b"13800138000" not in told
        assert b"Ms Chen" not in told


def test_programs_get_what_moved_as_it_is(events: dict[str, FeedEvent]) -> None:
    merged, opened = events["merged 1"], events["opened 3"]
    assert (merged.merged_into, merged.cleared_by_itself, merged.gone[-1].case) == (3, False, 3)
    assert (opened.merged, [(one.case, one.keys) for one in opened.came]) == ((1,), [(1, (FAR,))])
    assert b'"type":"firstline.case.merged"' in cloud_event(merged)
    assert events["joined 1"].complaint.customer == "harbour"
