"""The catalogue of named causes: which finding points to which, in which area it is, how urgent."""

from checks.cause import Cause, Sort, Taker
from checks.cause_list import CAUSES
from checks.finding import State, base
from checks.verdict import Area, Urgency
from probe.inventory import Customer, Node, Owner

__all__ = ["CAUSES", "Cause", "Sort", "Taker"]

NORMAL, URGENT, EMERGENCY = Urgency.NORMAL, Urgency.URGENT, Urgency.EMERGENCY

MAIN_ROLES = frozenset({"softswitch", "sbc", "gateway", "core"})  # calls pass through it: without it the main service is gone
KEY_GRADES = frozenset({"key", "vip", "大客户"})  # 用户等级
MANY = 3  # so many customers by one cause are a major case (重大问题, 含批量); our choice, for the written process gives no number
DEVICE_KINDS = frozenset({"switch", "router", "firewall", "gateway", "ups"})

_SAID_BY_THE_CAUSE = frozenset({Area.AGENT, Area.CUSTOMER_NETWORK, Area.CUSTOMER_EQUIPMENT})  # whatever it was seen at

OTHER = Cause("other", Area.SERVER, URGENT, ())  # a bad finding that no cause explains; a test sees to it that no check of ours needs it

BY_CODE = {(cause.kind, cause.code): cause for cause in CAUSES}
EXPLAINED_BY = {finding: cause for cause in CAUSES for finding in cause.explains}
SORTS = {finding: cause.besides.get(finding, cause.sort) for finding, cause in EXPLAINED_BY.items()}


def default(check: str) -> Cause | None:
    """Return the cause to which a check points when nothing more exact is known; `.usual` and `.trend` point where their check does."""
    return EXPLAINED_BY.get(base(check))


def cause_of(check: str, said: str) -> Cause | None:
    """Return the cause to which a check that says `said` (a message id) points; None for a check that the catalogue does not know."""
    return EXPLAINED_BY.get(f"{check}:{said}") or EXPLAINED_BY.get(f"*:{said}") or default(check)


def sort_of(check: str, said: str) -> Sort:
    """Return whether something on the way to its target may be why a check says `said` (a message id); of an unknown check: its own."""
    return next((SORTS[one] for one in (f"{check}:{said}", f"*:{said}", base(check)) if one in SORTS), Sort.OWN)


def area(cause: Cause, node: Node | None) -> Area:
    """Return what kind of thing is broken: the cause says it for a server, the node's kind and owner for anything else."""
    if node is None or cause.area in _SAID_BY_THE_CAUSE:
        return cause.area
    if node.owner is Owner.CUSTOMER:
        return Area.CUSTOMER_EQUIPMENT if node.kind == "gateway" else Area.CUSTOMER_NETWORK
    if node.owner is Owner.CARRIER or node.kind == "carrier":
        return Area.CARRIER_NETWORK
    return Area.DEVICE if node.kind in DEVICE_KINDS and cause.area is Area.SERVER else cause.area


def major(cause: Cause, state: State, affected: tuple[Customer, ...]) -> bool:
    """Tell whether it is a major case (重大问题, 含批量): many customers feel one and the same cause."""
    return state is State.CRITICAL and len(affected) >= MANY and (cause.felt or cause.urgency is EMERGENCY)


def urgency(cause: Cause, state: State, node: Node | None, affected: tuple[Customer, ...]) -> Urgency:
    """Return how urgent it is (紧迫程度), from severity, extent and the customer's grade.

    A warning is normal: work is not impeded yet. What can't be used is an emergency where it carries calls, or is a key account's or
    several customers'; elsewhere the main service works on and it is urgent. What is felt, though calls go through, is an emergency for
    many customers alone. A gateway of a customer's own carries nobody else's calls.
    """
    if state is not State.CRITICAL:
        return NORMAL
    if major(cause, state, affected):
        return EMERGENCY
    if cause.urgency is not EMERGENCY:
        return cause.urgency
    carries = cause.main or (node is not None and node.role in MAIN_ROLES and node.owner is not Owner.CUSTOMER)
    grave = carries or len(affected) > 1 or any(customer.grade in KEY_GRADES for customer in affected)
    return EMERGENCY if grave else URGENT
