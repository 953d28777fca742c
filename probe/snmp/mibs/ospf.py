"""OSPF neighbours: OSPF-MIB (RFC 4750) and OSPFV3-MIB (RFC 5643)."""

from collections.abc import Sequence

from probe.observation.routing import OspfNeighbour
from probe.probers.counters import difference
from probe.snmp.talk import Talk, Value
from probe.snmp.values import address, address_of_index, natural, number

ROUTER_ID = "1.3.6.1.2.1.14.1.1.0"  # its presence tells that the agent knows of OSPF at all
ROUTER, STATE, EVENTS = (f"1.3.6.1.2.1.14.10.1.{column}" for column in (3, 6, 7))
V3_ADDRESS, V3_STATE, V3_EVENTS = (f"1.3.6.1.2.1.191.1.9.1.{column}" for column in (5, 8, 9))
STATES = {1: "down", 2: "attempt", 3: "init", 4: "two-way", 5: "exchange-start", 6: "exchange", 7: "loading", 8: "full"}


async def read_ospf(talk: Talk, before: Sequence[OspfNeighbour] | None) -> tuple[OspfNeighbour, ...]:
    """Return the neighbours of OSPF and OSPFv3; `events` counts how often one's state changed, or an error occurred."""
    earlier = {(one.address, one.router_id): one.events for one in before or ()}
    found: dict[tuple[str, str], OspfNeighbour] = {}

    def note(table: str, index: str, who: tuple[str, str], state: Value, events: Value | None) -> None:
        number_ = number(state)
        if number_ not in STATES or not any(who):
            talk.odd(table, "out-of-range" if isinstance(state, int) else "not-a-number", index)
            return
        count = natural(events)
        found.setdefault(who, OspfNeighbour(*who, STATES[number_], count, difference(count, earlier.get(who))))

    states = await talk.walk(STATE)
    if states:
        routers, events = await talk.walk_all((ROUTER, EVENTS))
        for index, state in states.items():  # the index is the neighbour's address, and its ifIndex where it has no address
            where, _, unnumbered = index.rpartition(".")
            own = address_of_index(where.split("."))
            name = own if unnumbered == "0" else f"{own} ({unnumbered})"
            note("ospfNbrTable", index, (name, address(routers.get(index))), state, events.get(index))
    states = await talk.walk(V3_STATE)
    if states:
        addresses, events = await talk.walk_all((V3_ADDRESS, V3_EVENTS))
        for index, state in states.items():  # ifIndex, instance, router id as a number
            router = number(index.rpartition(".")[2]) or 0
            router_id = address_of_index([str(octet) for octet in (router % 2**32).to_bytes(4, "big")])
            note("ospfv3NbrTable", index, (address(addresses.get(index)), router_id), state, events.get(index))
    return tuple(found.values())
