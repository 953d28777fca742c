"""A customer's gateway: does it answer, does NAT lead to it, is SIP rewritten on the way (ALG), and is it to standard (是否符合标准)?"""

import re
from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Message, State
from checks.registration import state_of
from checks.sip import meaning, words
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.observation.sip import GatewaySample, SipSample, Standard, is_private

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,7}")

Way = SipSample | Failure | None


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `gateway` check: nothing."""


CHECKS = (Check("gateway/answer"), Check("gateway/nat"), Check("gateway/alg"), Check("gateway/standard"))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge both ways to a gateway and what it showed of itself."""
    match seen.outcome:
        case Failure(kind=Kind.DENIED, detail=detail):
            yield Finding("gateway/answer", seen, State.UNKNOWN, Message("gateway.held-back", {"detail": detail}))
        case Failure() as why:
            yield judge_failure("gateway/answer", seen, why)
        case GatewaySample() as got:
            if isinstance(got.direct, Failure):
                yield judge_failure("gateway/answer", seen, got.direct)
            elif got.direct is not None:
                yield Finding("gateway/answer", seen, *meaning(got.direct))
            if got.nat is not None:
                yield Finding("gateway/nat", seen, *_nat(got, got.nat))
                rewritten = _alg(got)
                if rewritten:
                    yield Finding("gateway/alg", seen, *rewritten)
            for item, state, text in _standard(got):
                yield Finding("gateway/standard", seen, state, text, item=item)


def answered(way: Way) -> SipSample | None:
    """Return the answer that came this way, None when none did."""
    return way if isinstance(way, SipSample) and way.code is not None else None


def _nat(got: GatewaySample, nat: SipSample | Failure) -> tuple[State, Message]:
    """Judge the way through NAT, by what the direct way says of the gateway itself."""
    where = got.nat_address
    if isinstance(nat, Failure) and nat.ours:
        return State.UNKNOWN, Message(f"failure.{nat.kind}", {"detail": nat.detail})
    direct, there = answered(got.direct), answered(nat)
    if there is not None:
        if direct is not None and direct.server and there.server and direct.server != there.server:
            text = Message("gateway.other-device", {"address": where, "server": there.server, "expected": direct.server})
            return State.CRITICAL, text
        return State.OK, Message("gateway.nat-open", {"address": where, "answer": words(there)})
    if isinstance(got.direct, SipSample | Failure) and direct is None and not (isinstance(got.direct, Failure) and got.direct.ours):
        return State.UNKNOWN, Message("gateway.both-fail", {"address": where})
    if direct is None:
        return State.CRITICAL, Message("gateway.nat-alone", {"address": where})
    if isinstance(nat, SipSample):
        return State.CRITICAL, Message("gateway.nat-blocked", {"address": where, "by": nat.blocked_by or "?", "text": nat.blocked})
    name = {Kind.TIMEOUT: "gateway.nat-silent", Kind.REFUSED: "gateway.nat-refused"}.get(nat.kind, "gateway.nat-fails")
    return State.CRITICAL, Message(name, {"address": where})


def _alg(got: GatewaySample) -> tuple[State, Message] | None:
    """Tell whether SIP was rewritten on the way through NAT: the answers differ in their addresses. None: can't be told."""
    direct, there = answered(got.direct), answered(got.nat)
    if there is None:
        return None
    if there.via_changed and not (direct is not None and direct.via_changed):
        return State.WARNING, Message("gateway.alg-via", {"address": got.nat_address})
    if direct is None:
        if got.standard.nat_mode == "private" and there.contact_host == got.nat_address.lower():
            return State.WARNING, Message("gateway.alg-contact", {"before": got.address, "after": there.contact_host})
        return None
    if direct.server and there.server and direct.server != there.server:
        return None  # two devices: they may well differ
    for before, after, name in (
        (direct.contact_host, there.contact_host, "gateway.alg-contact"),
        (direct.audio_host, there.audio_host, "gateway.alg-audio"),
    ):
        if before and after and before != after:
            return State.WARNING, Message(name, {"before": before, "after": after})
    if not direct.contact_host and not direct.audio_host:
        return None  # nothing that could have been rewritten
    return State.OK, Message("gateway.alg-none")


def _standard(got: GatewaySample) -> Iterator[tuple[str, State, Message]]:
    """Yield item, state and text for each thing that the standard asks for."""
    want, shown = got.standard, answered(got.direct) or answered(got.nat)
    if shown is not None:
        yield from _device(want, shown.server)
        for item, wanted, offered in (("codecs", want.codecs, shown.codecs), ("methods", want.methods, shown.allow)):
            if wanted:
                yield item, *_offered(item, wanted, offered)
        if want.nat_mode:
            yield "nat", *_nat_mode(want.nat_mode, shown.contact_host)
    if want.registration and got.registration is not None:
        if isinstance(got.registration, Failure):
            state = State.UNKNOWN  # of the registrar, which has checks of its own
            yield "registration", state, Message(f"failure.{got.registration.kind}", {"detail": got.registration.detail})
        else:
            yield "registration", *state_of(got.registration)


def _device(want: Standard, server: str | None) -> Iterator[tuple[str, State, Message]]:
    for item, asked in (("model", want.models), ("firmware", want.min_firmware)):
        if asked and not server:
            yield item, State.UNKNOWN, Message("gateway.nameless")
    if not server:
        return
    if want.models:
        if any(model.lower() in server.lower() for model in want.models):
            yield "model", State.OK, Message("gateway.model", {"server": server})
        else:
            yield "model", State.WARNING, Message("gateway.model-wrong", {"server": server, "wanted": ", ".join(want.models)})
    if want.min_firmware:
        has, least = version(server), version(want.min_firmware)
        if has is None or least is None:
            yield "firmware", State.UNKNOWN, Message("gateway.firmware-untold", {"server": server})
        elif has < least:
            yield "firmware", State.WARNING, Message("gateway.firmware-old", {"server": server, "wanted": want.min_firmware})
        else:
            yield "firmware", State.OK, Message("gateway.firmware", {"server": server})


def version(text: str) -> tuple[int, ...] | None:
    """Return the last number with dots in a text as numbers ("Grandstream HT814 1.0.41.2": 1, 0, 41, 2), None without one."""
    found = _VERSION.findall(text)
    if not found:
        return (int(text),) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    numbers = [int(part) for part in found[-1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _offered(item: str, wanted: tuple[str, ...], offered: tuple[str, ...]) -> tuple[State, Message]:
    if not offered:
        return State.UNKNOWN, Message("gateway.codecs-untold" if item == "codecs" else "gateway.methods-untold")
    has = {one.upper() for one in offered}
    lacks = [one for one in wanted if one.upper() not in has]
    if lacks:
        return State.WARNING, Message("gateway.lacks", {"lacks": ", ".join(lacks), "offered": ", ".join(offered)})
    return State.OK, Message("gateway.offers", {"offered": ", ".join(offered)})


def _nat_mode(wanted: str, host: str | None) -> tuple[State, Message]:
    if not host:
        return State.UNKNOWN, Message("gateway.contact-untold")
    private = is_private(host)  # a name is none: it is meant to be looked up by others
    if private is (wanted == "private"):
        return State.OK, Message("gateway.contact", {"host": host})
    return State.WARNING, Message("gateway.contact-private" if private else "gateway.contact-public", {"host": host})
