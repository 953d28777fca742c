"""Does the DNS server answer the question, and how soon?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure
from probe.observation.observation import Observation

TIME = Levels(500.0, 2500.0, "ms", "ICANN registry agreement, specification 10: UDP resolution up to 500 ms; 5 times that is no answer")


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `dns` check."""

    time: Levels = TIME


CHECKS = (Check("dns/answer"), Check("dns/time", TIME))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one answer: `dns/answer` says whether it is the right one, `dns/time` how long it took."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("dns/answer", seen, why)
        case DnsSample() as got:
            wrong = _wrong(got)
            text = wrong or Message("dns.answer", {"answers": _listed(got)})
            yield Finding("dns/answer", seen, State.CRITICAL if wrong else State.OK, text)
            took = got.took_ms
            yield Finding(
                "dns/time", seen, limits.time.judge(took), Message("dns.time", {"ms": took}), limits.time, value=took, seasonal=True
            )


def _wrong(got: DnsSample) -> Message | None:
    """Return what is wrong with an answer, None when nothing is."""
    asked: dict[str, str | int | float | bool | None] = {"name": got.name, "rrtype": got.rrtype}
    if got.rcode in {"SERVFAIL", "NXDOMAIN", "REFUSED"}:
        return Message(f"dns.{got.rcode.lower()}", asked)
    if got.rcode != "NOERROR":
        return Message("dns.rcode", {**asked, "rcode": got.rcode})
    if got.authority_wanted and not got.authoritative:
        return Message("dns.lame", asked)
    if not any(_rrtype(one) == got.rrtype for one in got.answers):
        # a CNAME alone leads nowhere: the server knows the alias, but not what it stands for
        return Message("dns.dangling", {**asked, "answers": _listed(got)}) if got.answers else Message("dns.empty", asked)
    if got.matches is False:
        return Message("dns.mismatch", {"expected": got.expected, "answers": _listed(got)})
    return None


def _rrtype(answer: str) -> str:
    return answer.split(" ", 2)[1]


def _listed(got: DnsSample) -> str:
    """Return the data of the answers, the first few of them."""
    data = [one.split(" ", 2)[2] for one in got.answers]
    return ", ".join(data[:4]) + (" …" if len(data) > 4 else "")
