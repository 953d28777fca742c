"""A complaint joins the case that explains it: through the running service, and read from the store when none runs."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.finding import Key, Message, State
from checks.history import Track
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.agent.actions import complaining
from probe.agent.actions.complaining import complain
from probe.agent.client import fetch
from reports.opening import plan
from reports.store.store import Store, open_store
from reports.web.actions import ComplaintRequest, Refused

START = '\n[rules]\nhard_after = 1\nrecover_after = 1\n\n[[node]]\nname = "here"\naddress = "localhost"\n'
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB: Key = ("pop-1", "web-1", "icmp/loss", "")


def diagnose(element: str, key: Key = WEB, **more: Any) -> Diagnosis:
    said = Message("cause.host_down", {"element": element})
    known = {"urgency": Urgency.URGENT, "affected": ("harbour",), **more}
    return Diagnosis(
        CaseKind.NETWORK, "host_down", element, Side.COMPANY, Area.SERVER, known["urgency"], None, NOW, (key,), (), said, said, known["affected"],
        state=State.CRITICAL,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path, agent="pop-1", service=True) as opened:
        yield opened


def tell(store: Store, **words: Any) -> int:
    return complain(store, ComplaintRequest(**{"customer": "harbour", **words}), lambda: NOW).id


def test_it_joins_the_most_urgent_case_that_affects_the_customer(store: Store) -> None:
    far, other = ("pop-1", "far", "icmp/loss", ""), ("pop-1", "other", "icmp/loss", "")
    cases = [diagnose("web-1"), diagnose("far", far, urgency=Urgency.EMERGENCY), diagnose("other", other, affected=("bank",))]
    store.accept(plan(cases, {}, [], NOW), NOW)
    assert tell(store) == 2
    assert tell(store, symptoms=("echo",), customer="bank") == 3
    with pytest.raises(Refused, match='no open case affects "school"') as why:
        tell(store, customer="school")
    assert why.value.status == 404


def test_told_again_it_is_where_it_was_also_after_its_case_became_a_part_of_another(store: Store) -> None:
    store.accept(plan([diagnose("web-1")], {}, [], NOW), NOW)
    assert tell(store, case=1) == tell(store, case=1) == tell(store) == 1
    store.accept(plan([diagnose("dc-1")], {}, store.cases(), NOW), NOW)
    assert store.case(1).merged_into == 2
    assert tell(store, case=1) == 2
    assert tell(store, case=1, customer="bank") == 2
    assert sorted(one.customer for one in store.complaints(2)) == ["bank", "harbour"]


def test_a_case_that_is_over_or_is_none_takes_no_complaint(store: Store) -> None:
    store.accept(plan([diagnose("web-1")], {}, [], NOW), NOW)
    good = {WEB: Track(WEB, hard=State.OK, soft=State.OK, since=NOW + timedelta(minutes=1))}
    store.accept(plan([], good, store.cases(), NOW), NOW)
    for number, status in ((1, 409), (2, 404)):
        with pytest.raises(Refused) as why:
            tell(store, case=number)
        assert why.value.status == status


def test_a_case_takes_so_many_complaints_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaining, "MOST_COMPLAINTS", 3)
    store.accept(plan([diagnose("web-1")], {}, [], NOW), NOW)
    for who in ("a", "b", "c"):
        assert tell(store, customer=who, case=1) == 1
    with pytest.raises(Refused, match="takes no more") as why:
        tell(store, customer="d", case=1)
    assert why.value.status == 409
    assert tell(store, customer="b", case=1) == 1, "told again it is where it was"
    assert store.case(1).complainants == ("a", "b", "c")


def test_complaints_that_come_at_once_all_join(store: Store) -> None:
    store.accept(plan([diagnose("web-1")], {}, [], NOW), NOW)
    refused: list[Refused] = []

    def many(who: int) -> None:
        for at in range(10):
            try:
                tell(store, customer=f"c{who}-{at}", case=1)
            except Refused as why:
                refused.append(why)

    threads = [threading.Thread(target=many, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {why.status for why in refused} <= {503}
    assert len(store.complaints(1)) == len(store.case(1).complainants) == 30 - len(refused)


def test_a_running_service_takes_a_complaint_and_shows_it(service: Any, door: Any, until: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_SOCKET", str(service.socket))
    broken = door()
    service.configure(START + broken.text)
    service.start()
    broken.shut()
    until(service.cases, why=service.journal)
    told = {"customer": "harbour", "symptoms": ["no-calls"], "number": "+861", "by": "Li Wei", "case": 1}
    assert json.loads(fetch("POST", "/v1/complaints", told))["complainants"] == ["harbour"]
    until(lambda: "joined" in [line["event"] for line in service.lines()], why="the feed")
    assert "harbour" in service.status()["cases"][0]["affected"]
    shown = json.loads(service.run("case", "show", "1", "--format", "json"))
    assert (shown["complainants"], shown["parts"]) == (["harbour"], [])
    assert [(one["customer"], one["number"], one["by"]) for one in shown["complaints"]] == [("harbour", "+861", "Li Wei")]
    page = service.run("case", "show", "1")
    assert "harbour · no calls · +861 · taken" in page

    service.kill()
    service.start()
    assert "harbour" in service.status()["cases"][0]["affected"]
    service.stop()
    assert "harbour · no calls · +861 · taken" in service.run("case", "show", "1")
