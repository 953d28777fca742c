"""How one answer of a DNS server is judged."""

from datetime import UTC, datetime

import pytest

from checks import dns
from checks.finding import Finding, State
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome


def got(
    rcode: str = "NOERROR", answers: tuple[str, ...] = ("a.test A 192.0.2.1",), *, authoritative: bool = False, **others: object
) -> DnsSample:
    given = {"took_ms": 3.0, **others}
    return DnsSample("192.0.2.53", "a.test", "A", rcode, authoritative, True, False, answers, **given)


def judged(outcome: Outcome) -> dict[str, Finding]:
    seen = Observation("a", "n", "dns", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome, "a.test A")
    return {one.check: one for one in dns.judge(seen, None, dns.Limits())}


ALIAS = "a.test CNAME b.test"


@pytest.mark.parametrize(
    ("sample", "state", "text"),
    [
        (got(), State.OK, "dns.answer"),
        (got(answers=(ALIAS, "b.test A 192.0.2.1")), State.OK, "dns.answer"),
        (got("SERVFAIL", ()), State.CRITICAL, "dns.servfail"),
        (got("NXDOMAIN", ()), State.CRITICAL, "dns.nxdomain"),
        (got("NXDOMAIN", (ALIAS,)), State.CRITICAL, "dns.nxdomain"),
        (got("REFUSED", ()), State.CRITICAL, "dns.refused"),
        (got("NOTAUTH", ()), State.CRITICAL, "dns.rcode"),
        (got(answers=()), State.CRITICAL, "dns.empty"),
        (got(answers=(ALIAS,)), State.CRITICAL, "dns.dangling"),
        (got(authority_wanted=True), State.CRITICAL, "dns.lame"),
        (got(authority_wanted=True, authoritative=True), State.OK, "dns.answer"),
        (got(matches=True, expected="x"), State.OK, "dns.answer"),
        (got(matches=False, expected="x"), State.CRITICAL, "dns.mismatch"),
    ],
)
def test_an_answer_is_right_or_critical(sample: DnsSample, state: State, text: str) -> None:
    one = judged(sample)["dns/answer"]
    assert (one.state, one.message.id) == (state, text)
    assert None not in one.message.values.values()


def test_a_long_answer_is_shown_in_part() -> None:
    many = got(answers=tuple(f"a.test A 192.0.2.{n}" for n in range(50)))
    assert judged(many)["dns/answer"].message.values["answers"] == "192.0.2.0, 192.0.2.1, 192.0.2.2, 192.0.2.3 …"


@pytest.mark.parametrize(("ms", "state"), [(499.9, State.OK), (500.0, State.WARNING), (2499.9, State.WARNING), (2500.0, State.CRITICAL)])
def test_time(ms: float, state: State) -> None:
    one = judged(got(took_ms=ms))["dns/time"]
    assert (one.state, one.value, one.seasonal) == (state, ms, True)


@pytest.mark.parametrize(("kind", "state"), [(kind, State.UNKNOWN if Failure(kind).ours else State.CRITICAL) for kind in Kind])
def test_no_answer_is_critical_unless_it_is_ours(kind: Kind, state: State) -> None:
    assert {name: one.state for name, one in judged(Failure(kind)).items()} == {"dns/answer": state}


def test_every_level_has_a_source() -> None:
    assert all(check.levels is None or check.levels.source for check in dns.CHECKS)
    assert set(judged(got())) == {check.name for check in dns.CHECKS}
