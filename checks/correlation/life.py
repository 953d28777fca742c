"""Did somebody at the node answer? The sign of life that clears the node itself and every element that dominates it."""

from probe.observation.arp import ArpSample
from probe.observation.capture import CaptureSample
from probe.observation.cdr import CdrSample
from probe.observation.failure import Failure, Kind
from probe.observation.host import HostSample
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.observation import Observation
from probe.observation.path import PathSample
from probe.observation.pmtu import PmtuSample
from probe.observation.sip import CallSample, GatewaySample, RegistrationSample, SipSample
from probe.observation.sockets import SocketsSample
from probe.observation.stamp import StampSample

_SPOKE = frozenset({Kind.REFUSED, Kind.REJECTED})  # a refusal is an answer: the host lives


def lives(seen: Observation) -> bool | None:
    """Return whether the node answered this measurement; None where it says nothing of that (a file, our own host, our own trouble)."""
    outcome = seen.outcome
    match outcome:
        case Failure(kind=kind):
            return True if kind in _SPOKE else None if outcome.ours or kind is Kind.UNRESOLVED else False
        case EchoSample():
            return outcome.received > 0 if outcome.sent else None
        case PathSample():
            return outcome.reached if outcome.sent else None
        case StampSample() | PmtuSample():
            return outcome.answered > 0 if outcome.sent else None
        case ArpSample():
            return bool(outcome.answering) or None  # hosts may be set not to answer: silence alone says nothing
        case SipSample():
            return outcome.code is not None or None
        case RegistrationSample(answer=answer) | CallSample(answer=answer):
            return answer.code is not None or None
        case GatewaySample():
            ways = [way for way in (outcome.direct, outcome.nat) if way is not None]
            if any(_spoke(way) for way in ways):
                return True
            return False if any(isinstance(way, Failure) and not way.ours for way in ways) else None
        case HostSample() | InterfacesSample() | SocketsSample() | CdrSample() | CaptureSample():
            return None
    return True


def _spoke(way: SipSample | Failure) -> bool:
    return way.kind in _SPOKE if isinstance(way, Failure) else way.code is not None
