"""What a named cause is: the form of the catalogue in checks/causes.py."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from checks.verdict import Area, CaseKind, Side, Urgency


class Sort(StrEnum):
    """What a bad finding says of the way to its target: whether something else on that way may be why.

    The sort of a finding, not of a cause: a resolver that is silent may be behind a cut, one that answers wrongly is not.
    """

    SILENT = "silent"  # the target gave no answer at all: whatever stands on the way to it may be why
    POOR = "poor"  # it answered late, unevenly, or not every time: whatever stands on the way may be why
    OWN = "own"  # the target itself said or showed it, so that the way to it bears it: only what it hangs on may be why


class Taker(StrEnum):
    """Who takes the next step, by the written flow; shown by the messages `taker.<value>`, with which the text of the action begins."""

    MAINTENANCE = "maintenance"  # 服务器维护流程
    RELIEF = "relief"  # 服务器网络资源消耗: relieve or enlarge
    DEVICE = "device"  # network devices: repair or replace
    CARRIER = "carrier"  # 报修, with the hand-off sheet
    ADJUSTMENT = "adjustment"  # 网络调整方案或修改建议, with the customer
    EQUIPMENT = "equipment"  # flow C: the customer's gateway; at last commerce (ours) or its vendor (not ours)
    AGENT = "agent"  # the measuring itself


_BY_AREA = {
    Area.SERVER: Taker.MAINTENANCE,
    Area.RESOURCE: Taker.RELIEF,
    Area.DEVICE: Taker.DEVICE,
    Area.FIBRE: Taker.CARRIER,
    Area.CARRIER_NETWORK: Taker.CARRIER,
    Area.CUSTOMER_NETWORK: Taker.ADJUSTMENT,
    Area.CUSTOMER_EQUIPMENT: Taker.EQUIPMENT,
    Area.AGENT: Taker.AGENT,
}


class Cause(msgspec.Struct, frozen=True):
    """One named cause. Its texts: `cause.<code>` (one line, of {element}), `action.<code>` (what to do next), `customer.<code>` (plain
    words for the customer); with `like` also `class.<code>` (what can't be told apart) and `decides.<code>` (the test that would tell).

    `explains` are the findings that point to it when they stand alone: "check", "check:message-id" or "*:message-id"; the more exact one
    wins. A cause without any is found only by laying several findings side by side. `sort` is theirs, `besides` names those of them that
    are of another sort. `urgency` is what a critical state comes to at worst: emergency means that something can't be used. With `whole`
    the node is the culprit, not the item.

    `side` is whose it mostly is, for the handbook; None: whoever owns what is broken. Of a case correlation tells it. `like` are the codes
    of causes that look the same from outside, as long as no reading rules them out: the declared class. `felt`: customers notice it, though
    calls go through. `main`: all calls pass what is broken. `taken` is who acts where the area alone does not say it.
    """

    code: str
    area: Area
    urgency: Urgency
    explains: tuple[str, ...]
    whole: bool = False
    kind: CaseKind = CaseKind.NETWORK
    sort: Sort = Sort.OWN
    besides: Mapping[str, Sort] = {}
    side: Side | None = None
    like: tuple[str, ...] = ()
    felt: bool = False
    main: bool = False
    taken: Taker | None = None

    @property
    def action(self) -> str:
        """The message that says what to do next."""
        return f"action.{self.code}"

    @property
    def customer(self) -> str:
        """The message for the customer, in plain words."""
        return f"customer.{self.code}"

    @property
    def decides(self) -> str | None:
        """The message that names the test which tells it from what looks the same; None where nothing does."""
        return f"decides.{self.code}" if self.like else None

    @property
    def taker(self) -> Taker:
        """Who takes the next step."""
        return self.taken or _BY_AREA[self.area]
