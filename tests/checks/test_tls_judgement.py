"""How one TLS handshake is judged."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks import tls
from checks.finding import Finding, Levels, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tls import CertificateSample, TlsSample

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(
    subject: str = "leaf", issuer: str = "ca", since: datetime = AT - 300 * DAY, until: datetime = AT + 60 * DAY
) -> CertificateSample:
    return CertificateSample(subject, issuer, since, until, ("a.test", "b.test"))


LEAF, CA, ROOT = certificate(), certificate("ca", "root"), certificate("root", "root", until=AT + 3000 * DAY)


def shown(*chain: CertificateSample, verified: bool | None = True, problem: str = "", **others: object) -> TlsSample:
    given = {"server_name": "a.test", "name_matches": True, "handshake_ms": 5.0, **others}
    return msgspec.convert(
        {
            "type": "tls",
            "address": "192.0.2.1",
            "port": 443,
            "protocol": "TLSv1.3",
            "cipher": "x",
            "connect_ms": 1.0,
            "chain": chain or (LEAF, CA),
            "early_expiry": None,
            "verified": verified,
            "problem": problem,
            **given,
        },
        TlsSample,
    )


def judged(outcome: Outcome, limits: tls.Limits | None = None) -> dict[str, Finding]:
    findings = list(tls.judge(Observation("a", "n", "tls", AT, 1.0, outcome, "443"), None, limits or tls.Limits()))
    assert len({one.check for one in findings}) == len(findings)
    return {one.check: one for one in findings}


def test_all_is_well() -> None:
    findings = judged(shown())
    assert {name: one.state for name, one in findings.items()} == dict.fromkeys(
        ("tls/handshake", "tls/chain", "tls/days-left", "tls/names"), State.OK
    )
    assert findings["tls/chain"].message == Message("tls.chain", {"issuer": "root"})
    assert set(findings) == {check.name for check in tls.CHECKS}


@pytest.mark.parametrize(("kind", "state"), [(Kind.REJECTED, State.CRITICAL), (Kind.TIMEOUT, State.CRITICAL), (Kind.BROKEN, State.UNKNOWN)])
def test_a_failed_handshake_says_nothing_of_the_certificate(kind: Kind, state: State) -> None:
    assert {name: one.state for name, one in judged(Failure(kind)).items()} == {"tls/handshake": state}


@pytest.mark.parametrize(("ms", "state"), [(999.0, State.OK), (1000.0, State.WARNING), (3000.0, State.CRITICAL)])
def test_handshake_time(ms: float, state: State) -> None:
    one = judged(shown(handshake_ms=ms))["tls/handshake"]
    assert (one.state, one.value, one.seasonal) == (state, ms, True)


ISSUER, SELF, IN_CHAIN = "unable to get local issuer certificate", "self-signed certificate", "self-signed certificate in certificate chain"


@pytest.mark.parametrize(
    ("chain", "problem", "message"),
    [
        ((LEAF,), ISSUER, Message("tls.incomplete", {"issuer": "ca"})),
        ((LEAF,), "unable to verify the first certificate", Message("tls.incomplete", {"issuer": "ca"})),
        ((LEAF, CA), ISSUER, Message("tls.unknown-ca", {"issuer": "root"})),
        ((LEAF, CA, ROOT), IN_CHAIN, Message("tls.unknown-ca", {"issuer": "root"})),
        ((LEAF, CA, ROOT), "self signed certificate in certificate chain", Message("tls.unknown-ca", {"issuer": "root"})),
        ((certificate("x", "x"),), SELF, Message("tls.self-signed", {"subject": "x"})),
        ((LEAF, CA), "certificate has expired", Message("tls.chain-problem", {"problem": "certificate has expired"})),
        ((LEAF,), "only TLSv1.1", Message("tls.chain-problem", {"problem": "only TLSv1.1"})),
    ],
)
def test_why_a_chain_is_not_trusted(chain: tuple[CertificateSample, ...], problem: str, message: Message) -> None:
    one = judged(shown(*chain, verified=False, problem=problem))["tls/chain"]
    assert (one.state, one.message) == (State.CRITICAL, message)


def test_a_chain_that_nobody_asked_about_is_not_judged_and_one_we_could_not_verify_is_unknown() -> None:
    assert "tls/chain" not in judged(shown(verified=None))
    assert judged(shown(verified=None, problem="no CA"))["tls/chain"].state is State.UNKNOWN


@pytest.mark.parametrize(
    ("days", "state"),
    [(30.01, State.OK), (30.0, State.WARNING), (7.01, State.WARNING), (7.0, State.CRITICAL), (0.0, State.CRITICAL), (-3.0, State.CRITICAL)],
)
def test_days_left_on_both_sides_of_each_limit(days: float, state: State) -> None:
    one = judged(shown(certificate(until=AT + days * DAY)))["tls/days-left"]
    assert (one.state, one.value) == (state, pytest.approx(days))
    assert one.message.id == ("tls.days-left" if days > 0 else "tls.expired")
    assert one.message.values["days"] == pytest.approx(abs(days))


@pytest.mark.parametrize(
    ("lifetime", "left", "state"),
    [
        (90, 29, State.WARNING),
        (45, 16, State.OK),
        (45, 14.9, State.WARNING),
        (45, 3.4, State.CRITICAL),
        (6, 2.1, State.OK),
        (6, 1.9, State.WARNING),
        (0, 0, State.CRITICAL),
    ],
)
def test_certificates_of_short_life_are_not_always_about_to_expire(lifetime: float, left: float, state: State) -> None:
    until = AT + left * DAY
    assert judged(shown(certificate(since=until - lifetime * DAY, until=until)))["tls/days-left"].state is state


def test_levels_that_a_person_has_set_do_not_shrink() -> None:
    own = tls.Limits(days_left=Levels(20.0, 10.0, "d", "agreed", low=True, margin=0.0))
    until = AT + 15 * DAY
    assert judged(shown(certificate(since=until - 45 * DAY, until=until)), own)["tls/days-left"].state is State.WARNING


def test_the_first_of_the_chain_to_expire_counts() -> None:
    early = certificate("ca", "root", until=AT + 5 * DAY)
    one = judged(shown(LEAF, early))["tls/days-left"]
    assert (one.state, one.message.values["subject"]) == (State.CRITICAL, "ca")


def test_an_expired_companion_that_trust_does_not_rest_on_hurts_nobody() -> None:
    old = certificate("old root", "old root", until=AT - DAY)
    assert judged(shown(LEAF, CA, old))["tls/days-left"].state is State.OK
    assert judged(shown(LEAF, CA, old, verified=False, problem="x"))["tls/days-left"].state is State.CRITICAL


def test_a_certificate_from_the_future_is_critical() -> None:
    one = judged(shown(certificate(since=AT + DAY / 2)))["tls/days-left"]
    assert (one.state, one.message) == (State.CRITICAL, Message("tls.not-yet-valid", {"hours": 12.0, "subject": "leaf"}))
    assert judged(shown(certificate(since=AT)))["tls/days-left"].state is State.OK


def test_names() -> None:
    assert judged(shown(name_matches=False))["tls/names"].message == Message(
        "tls.wrong-name", {"name": "a.test", "names": "a.test, b.test"}
    )
    assert judged(shown(name_matches=False))["tls/names"].state is State.CRITICAL
    assert "tls/names" not in judged(shown(name_matches=None, server_name=None))
    bare = msgspec.structs.replace(LEAF, names=())
    assert judged(shown(bare, name_matches=False))["tls/names"].message.id == "tls.no-names"
    many = msgspec.structs.replace(LEAF, names=tuple(f"{n}.test" for n in range(99)))
    assert len(judged(shown(many, name_matches=False))["tls/names"].message.values["names"]) < 60


def test_every_level_has_a_source() -> None:
    assert all(check.levels is None or check.levels.source for check in tls.CHECKS)
    assert tls.DAYS_LEFT.low
    assert not tls.DAYS_LEFT.margin
