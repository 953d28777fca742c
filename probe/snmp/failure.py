"""What rises from a conversation with an SNMP agent, each with the Failure that it means."""

from probe.observation.failure import Failure, Kind


class TalkError(Exception):
    """No answer that can be used; `failure` says why and whose fault it is."""

    kind = Kind.BROKEN

    def __init__(self, detail: str, kind: Kind | None = None):
        super().__init__(detail)
        self.failure = Failure(kind or self.kind, detail)


class Unsent(TalkError):
    """The kernel did not let the question out, or a hop said that there is no way (the kind says which)."""


class Silent(TalkError):
    """Nothing came back, however often it was asked."""

    kind = Kind.TIMEOUT


class Refused(TalkError):
    """ICMP port unreachable: the device lives, and no agent listens."""

    kind = Kind.REFUSED


class Rejected(TalkError):
    """The agent answered that it will not: credentials, security level, view."""

    kind = Kind.REJECTED


class Nonsense(TalkError):
    """Something answered, and it is not SNMP, or broken."""

    kind = Kind.REJECTED
