"""The agent's own eyes first: while it can't see, what it thinks of others is unknown, and says why."""

from datetime import datetime, timedelta

import msgspec

from checks.finding import Finding, Message, State

MAX_AGE = timedelta(seconds=180)  # our choice: three periods of the agent's own looks at itself
CLOCK_CHECKS = frozenset({"ntp/offset", "snmp/clock"})  # a clock that nobody keeps may be right to the day, so certificates are judged


class Look(msgspec.Struct, frozen=True):
    """One reading of ourselves: whether it was good, and when it was taken (aware UTC).

    `again` is when the first good reading after bad ones was taken: what was measured from before that on was still in the dark.
    """

    good: bool
    at: datetime
    again: datetime | None = None


def look(before: Look | None, good: bool, at: datetime) -> Look:
    """Return the look that follows `before`."""
    if before is None or not good:
        return Look(good, at)
    return Look(True, at, before.again if before.good else at)


class Sight(msgspec.Struct, frozen=True):
    """What the agent knows of its own eyes; what was never looked at is missing, and missing blinds nothing.

    `interfaces` is the operational state of its own interfaces by name, `gateways` whether each gateway answers, by address, `resolver`
    whether its resolver answers anything, `clock` whether its clock is synchronised.
    """

    interfaces: dict[str, Look] = {}
    gateways: dict[str, Look] = {}
    resolver: Look | None = None
    clock: Look | None = None


class Route(msgspec.Struct, frozen=True):
    """How the agent reaches a node: egress interface, gateway (None: on-link) and source address; `named` when it goes by a DNS name."""

    interface: str
    gateway: str | None = None
    source: str | None = None
    named: bool = False


def blind(finding: Finding, route: Route | None, sight: Sight) -> Finding:
    """Return the finding, or `unknown` in its place when we could not see what it says.

    Only warning and critical are doubted: a good reading is evidence that we see. `route` None is the agent's own host, which it sees
    without any network. A look older than `MAX_AGE` at the time of the reading proves nothing and is left out.
    """
    if finding.state is State.OK or finding.state is State.UNKNOWN:
        return finding
    why = _obstacle(finding, route, sight)
    return finding if why is None else Finding(finding.check, finding.seen, State.UNKNOWN, why, finding.levels, finding.item)


def _obstacle(finding: Finding, route: Route | None, sight: Sight) -> Message | None:
    at = finding.seen.at
    if route is not None:
        if _bad(sight.interfaces.get(route.interface), at):
            return Message("sight.uplink", {"interface": route.interface})
        if route.gateway is not None and _bad(sight.gateways.get(route.gateway), at):
            return Message("sight.gateway", {"gateway": route.gateway})
        if route.named and _bad(sight.resolver, at):
            return Message("sight.resolver")
    if finding.check in CLOCK_CHECKS and _bad(sight.clock, at):
        return Message("sight.clock")
    return None


def _bad(look: Look | None, at: datetime) -> bool:
    """Tell whether we were blind at a time: by a bad look not too long before, or because it was only later that all was well again."""
    if look is None:
        return False
    if look.good:
        return look.again is not None and at < look.again <= at + MAX_AGE
    return at - look.at <= MAX_AGE
