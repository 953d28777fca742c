"""Does a client accept the certificate, for how long still, for this name, and how long does the handshake take?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.tls import CertificateSample, TlsSample

HANDSHAKE = Levels(1000.0, 3000.0, "ms", "RFC 6298: a lost segment of the handshake is sent again after 1 s, again after 2 s more")
DAYS_LEFT = Levels(
    30.0,
    7.0,
    "d",
    "Let's Encrypt integration guide: renew with a third of the lifetime left, 30 of 90 days; a week for doing it by hand",
    low=True,
    margin=0.0,
)
USUAL_LIFETIME_D = 90.0  # for which DAYS_LEFT is meant


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `tls` check."""

    handshake: Levels = HANDSHAKE
    days_left: Levels = DAYS_LEFT


CHECKS = (Check("tls/handshake", HANDSHAKE), Check("tls/chain"), Check("tls/days-left", DAYS_LEFT), Check("tls/names"))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one handshake; a failed one is `tls/handshake`. A chain or name that was not asked about is not judged."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("tls/handshake", seen, why)
        case TlsSample() as shown:
            took = shown.handshake_ms
            text = Message("tls.handshake", {"ms": took, "protocol": shown.protocol})
            yield Finding("tls/handshake", seen, limits.handshake.judge(took), text, limits.handshake, value=took, seasonal=True)
            yield from _chain(seen, shown)
            yield from _days_left(seen, shown, limits)
            yield from _names(seen, shown)


def _chain(seen: Observation, shown: TlsSample) -> Iterator[Finding]:
    if shown.verified:
        issuer = shown.chain[-1].issuer if shown.chain else ""
        yield Finding("tls/chain", seen, State.OK, Message("tls.chain", {"issuer": issuer}))
    elif shown.verified is False:
        yield Finding("tls/chain", seen, State.CRITICAL, _why_not(shown))
    elif shown.problem:
        yield Finding("tls/chain", seen, State.UNKNOWN, Message("tls.chain-unknown", {"problem": shown.problem}))


def _why_not(shown: TlsSample) -> Message:
    """Name the cause by what was sent; the verifier's words differ between OpenSSL's versions and tell less."""
    if not shown.chain or not any(word in shown.problem for word in ("issuer", "self-signed", "self signed", "first certificate")):
        return Message("tls.chain-problem", {"problem": shown.problem})
    leaf, last = shown.chain[0], shown.chain[-1]
    if leaf.subject == leaf.issuer:
        return Message("tls.self-signed", {"subject": leaf.subject})
    if last.subject != last.issuer and len(shown.chain) == 1:
        return Message("tls.incomplete", {"issuer": last.issuer})
    return Message("tls.unknown-ca", {"issuer": last.issuer})


def _days_left(seen: Observation, shown: TlsSample, limits: Limits) -> Iterator[Finding]:
    if not shown.chain:
        return
    leaf, *others = shown.chain
    if leaf.not_before > seen.at:
        hours = (leaf.not_before - seen.at).total_seconds() / 3600
        text = Message("tls.not-yet-valid", {"hours": hours, "subject": leaf.subject})
        yield Finding("tls/days-left", seen, State.CRITICAL, text)
        return
    # An expired certificate that trust does not rest on (an old cross-signature, sent along) hurts nobody.
    resting = [leaf, *(one for one in others if not (shown.verified and one.not_after <= seen.at))]
    first = min(resting, key=lambda one: one.not_after)
    days = (first.not_after - seen.at).total_seconds() / 86400
    levels = levels_for(first, limits.days_left)
    text = Message("tls.days-left" if days > 0 else "tls.expired", {"days": abs(days), "subject": first.subject})
    yield Finding("tls/days-left", seen, levels.judge(days), text, levels, value=days)


def levels_for(certificate: CertificateSample, levels: Levels) -> Levels:
    """Return the levels for a certificate: the defaults shrink with a lifetime below 90 days, what a person has set stays."""
    lifetime_d = (certificate.not_after - certificate.not_before).total_seconds() / 86400
    share = max(lifetime_d, 0.0) / USUAL_LIFETIME_D
    if levels != DAYS_LEFT or share >= 1 or levels.warning is None or levels.critical is None:
        return levels
    return msgspec.structs.replace(levels, warning=levels.warning * share, critical=levels.critical * share)


def _names(seen: Observation, shown: TlsSample) -> Iterator[Finding]:
    if shown.name_matches is None or shown.server_name is None:
        return
    if shown.name_matches:
        yield Finding("tls/names", seen, State.OK, Message("tls.name", {"name": shown.server_name}))
        return
    names = shown.chain[0].names if shown.chain else ()
    listed = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    text = (
        Message("tls.wrong-name", {"name": shown.server_name, "names": listed})
        if names
        else Message("tls.no-names", {"name": shown.server_name})
    )
    yield Finding("tls/names", seen, State.CRITICAL, text)
