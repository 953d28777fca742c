"""When a verdict is told: what it waits for, and what a fault that is over leaves behind."""

from datetime import timedelta

import msgspec
import pytest

from checks import catalogue
from checks.assess import Memory, Rules
from checks.patience import ECHO, HOLD, Patience, deliberate, recalled
from checks.proof import fault_of, prove
from probe.observation.arp import ArpSample, Holder
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.routing import BgpPeer
from probe.observation.sockets import SocketsSample
from probe.observation.tcp import ConnectSample
from tests.checks.operators_world import (
    BEHIND_FIBRES,
    HARBOUR,
    INVENTORY,
    NODES,
    REFUSED,
    SILENT,
    START,
    TOPOLOGY,
    World,
    cut_off,
    device,
    own_port,
)


def test_what_broke_while_we_were_blind_is_told_as_soon_as_it_was_measured_by_eyes_that_see() -> None:
    world = own_port(World(), up=True)
    world.measure(2)
    own_port(world, up=False).silence(*(node.name for node in NODES[1:]))
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = own_port(World(), up=True).silence("gw-a").jobs
    world.measure(1, without=[key for key in world.jobs if key[0] == "gw-a"])
    blind, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    world.measure(1)
    early, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)  # within seconds: the way there may be back late
    world.measure(1)
    assert (blind.diagnoses, early.diagnoses) == ((), ())
    seen, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in seen.diagnoses] == [("gateway_down", "gw-a")]


def test_a_verdict_waits_for_what_it_asked_for_but_not_for_ever() -> None:
    world = World().silence(*HARBOUR)
    without = [key for key in world.jobs if key[0] in {"edge", "core"}]
    world.measure(3, without)
    held, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    assert held.diagnoses == ()
    assert held.asks
    told, patience = deliberate(world.memories, TOPOLOGY, patience, world.now + HOLD)
    assert [one.cause for one in told.diagnoses] == ["customer_router"]


def test_what_two_hosts_with_one_address_refuse_waits_for_the_word_about_the_address() -> None:
    """The second host has none of the services; that there are two is believed a moment after the first refusals."""
    world = World()
    world.tell("soft", "arp", address_of("02:00:00:00:00:01"))
    world.measure(2)
    world.tell("soft", "arp", address_of("02:00:00:00:00:01", "02:00:00:00:00:99")).tell("soft", "sip", REFUSED)
    world.measure(2)
    world.measure(1, without=[("soft", "arp", "")])
    held, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    assert held.diagnoses == ()
    assert {(one.node, one.prober) for one in held.asks} == {("soft", "arp")}
    late, _ = deliberate(world.memories, TOPOLOGY, patience, world.now + HOLD)
    assert [(one.cause, one.element) for one in late.diagnoses] == [("process_down", "soft:sip")]
    world.measure(1)
    now, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in now.diagnoses] == [("duplicate_address", "soft")]


def test_silence_waits_for_the_word_about_our_own_connections_and_follows_from_them() -> None:
    world = World().tell("agent", "sockets", connections(5))
    world.measure(2)
    world.tell("agent", "sockets", connections(1000)).tell("db", "tcp", SILENT, "5432").silence("branch-sw", "branch-1", "branch-2")
    world.measure(3, without=[("agent", "sockets", "")])
    stale, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.measure(1)
    doubtful, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert (stale.diagnoses, doubtful.diagnoses) == ((), ())
    assert ("agent", "sockets") in {(one.node, one.prober) for one in stale.asks} & {(one.node, one.prober) for one in doubtful.asks}
    world.measure(2)
    now, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in now.diagnoses] == [("conntrack", "agent")]


def test_what_falls_silent_later_waits_for_a_newer_word_about_our_connections() -> None:
    world = World().tell("agent", "sockets", connections(5)).silence("branch-1")
    world.measure(4)
    own = ("agent", "sockets", "")
    assert own not in {one.job for one in world.correlated().asks}
    world.silence("branch-sw", "branch-2").measure(3, without=[own])
    assert own in {one.job for one in world.correlated().asks}


def connections(tracked: int) -> SocketsSample:
    return SocketsSample({}, 13, 2, 0, 0, 1, 0, 0, 1000, 1, 0, 10, 1000, tracked, 1000, 0, 60.0, 100, 1000)


@pytest.mark.parametrize(("tracked", "causes"), [(949, {"carrier_network", "conntrack"}), (950, {"conntrack"})])
def test_a_table_that_is_nearly_full_explains_nothing(tracked: int, causes: set[str]) -> None:
    world = World().tell("agent", "sockets", connections(tracked)).silence(*BEHIND_FIBRES)
    world.measure(4)
    assert {one.cause for one in world.said()} == causes


def test_nothing_answers_and_our_own_table_is_full_is_one_fault() -> None:
    world = World().tell("agent", "sockets", connections(1000)).silence(*(node.name for node in NODES[1:]))
    world.measure(4)
    assert (world.one().cause, world.one().element) == ("conntrack", "agent")


def test_what_can_no_longer_be_measured_is_not_waited_for() -> None:
    world = World().tell("soft", "arp", address_of("02:00:00:00:00:01"))
    world.measure(2)
    world.tell("soft", "arp", address_of("02:00:00:00:00:01", "02:00:00:00:00:99"))
    world.measure(1)
    world.tell("soft", "arp", Failure(Kind.DENIED)).tell("soft", "sip", REFUSED)
    world.measure(3)
    assert world.one().cause == "process_down"
    assert world.correlated().asks == ()


def test_sessions_of_one_router_are_faults_of_their_own() -> None:
    lost = {"10.255.0.2": "idle", "10.255.0.6": "idle"}
    back = [BgpPeer(peer, 64512, "established", True, transitions=2, since_s=1.0) for peer in lost]
    world = World()
    for outcome in (*[msgspec.structs.replace(device("edge"), bgp_peers=tuple(back))] * 3, *[device("edge", peers=lost)] * 4):
        world.tell("edge", "snmp", outcome).measure(1)
    assert {(one.cause, one.element) for one in world.said()} == {("bgp_flapping", f"edge:{peer}") for peer in lost}


def address_of(*macs: str) -> ArpSample:
    return ArpSample("10.0.0.20", "eth0", 3, tuple(Holder(mac, 3, 0.1, 0.0) for mac in macs))


def test_what_a_fault_leaves_behind_is_no_fault_of_its_own() -> None:
    peers = {"10.255.0.2": "idle", "10.255.0.6": "idle"}
    world = cut_off(World(), "fib0", "fib1", dark=BEHIND_FIBRES, peers=peers)
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = World().jobs
    world.tell("edge", "snmp", device("edge", peers=peers))  # the light is back, the sessions are not yet
    world.measure(4)
    after, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert after.diagnoses == ()
    late, _ = deliberate(world.memories, TOPOLOGY, patience, world.now + timedelta(seconds=120))
    assert {one.cause for one in late.diagnoses} == {"bgp_down"}


@pytest.mark.parametrize("cleared_s", [None, 5])
def test_what_a_fault_leaves_behind_is_known_after_a_restart_too(cleared_s: float | None) -> None:
    peers = {"10.255.0.2": "idle", "10.255.0.6": "idle"}
    world = cut_off(World(), "fib0", "fib1", dark=BEHIND_FIBRES, peers=peers)
    world.measure(4)
    rules = {key: Rules((room := catalogue.load(key[1])).judge, room.Limits()) for key in world.memories}
    proof = prove(world.one(), world.memories, rules, INVENTORY)
    cleared = None if cleared_s is None else world.now + timedelta(seconds=cleared_s)

    after = World()
    after.now = world.now + timedelta(seconds=10)
    back = [BgpPeer(peer, 64512, "established", True, transitions=2, since_s=8.0) for peer in peers]
    after.tell("edge", "snmp", msgspec.structs.replace(device("edge"), bgp_peers=tuple(back)))
    after.measure(3)
    forgotten, _ = deliberate(after.memories, TOPOLOGY, Patience(), after.now)
    assert {one.cause for one in forgotten.diagnoses} == {"bgp_flapping"}
    known, patience = deliberate(after.memories, TOPOLOGY, recalled([(*fault_of(proof), cleared)]), after.now)
    assert known.diagnoses == ()
    late, _ = deliberate(after.memories, TOPOLOGY, patience, after.now + ECHO + timedelta(seconds=1))
    assert {one.cause for one in late.diagnoses} == {"bgp_flapping"}


def test_a_second_cut_takes_all_of_the_first_into_one_fault() -> None:
    world = cut_off(World(), "fib0", peers={"10.255.0.2": "idle"})
    world.measure(9)
    first, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    assert [one.cause for one in first.diagnoses] == ["redundancy_lost"]
    cut_off(world, "fib0", "fib1", dark=BEHIND_FIBRES, peers={"10.255.0.2": "idle", "10.255.0.6": "idle"})
    for _ in range(4):
        world.measure(1)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    (one,) = now.diagnoses
    assert (one.cause, one.element) == ("fibre_cut", "fib0+fib1")
    assert set(first.diagnoses[0].keys) <= set(one.keys)


def test_what_comes_back_in_steps_is_no_fault_of_its_own() -> None:
    """A customer's site has its power again: the router answers first, what was measured of the gateway is still believed bad."""
    world = cut_off(World(), "cust0", dark=HARBOUR)
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = World().jobs
    world.measure(2, without=[key for key in world.jobs if key[0] == "gw-a"])
    now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert now.diagnoses == ()
    world.silence("gw-a")
    world.measure(8)
    late, _ = deliberate(world.memories, TOPOLOGY, patience, world.now + timedelta(seconds=30))
    assert [(one.cause, one.element) for one in late.diagnoses] == [("gateway_down", "gw-a")]


def test_what_comes_back_before_its_port_is_read_is_measured_whole_first() -> None:
    """A customer's router answers echoes again; its other service was last measured while the line was down, and so was the port."""

    def with_service(outcome: Outcome) -> World:
        world = World().tell("site-a", "tcp", outcome, "22")
        world.measure(2)
        return world

    world = with_service(ConnectSample("x", 22, 1.0))
    cut_off(world, "cust0", dark=HARBOUR).measure(4)
    before, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    told = {one.identity for one in before.diagnoses}
    service = ("site-a", "tcp", "22")
    late = [("edge", "snmp", ""), *(key for key in world.jobs if key[0] == "gw-a")]
    world.jobs = with_service(SILENT).jobs
    world.measure(1, without=[*late, service])
    now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now, told)
    assert {one.cause for one in before.diagnoses} == {one.cause for one in now.diagnoses} == {"customer_line"}
    assert service in {one.job for one in now.asks}
    world.measure(1, without=late)
    hung, _ = deliberate(world.memories, TOPOLOGY, patience, world.now, told)
    assert {(one.cause, one.element) for one in hung.diagnoses} >= {("service_hung", "site-a:22")}


def test_what_another_fault_of_the_same_machine_left_is_not_its_ending() -> None:
    """A session was gone for a moment: that it has come back is said in the same breath in which it is good again."""
    down = device("edge", peers={"10.255.0.2": "idle"})
    back = (BgpPeer("10.255.0.2", 64512, "established", True, transitions=2, since_s=1.0), *device("edge").bgp_peers[1:])
    world, patience, told = World(), Patience(), []
    for outcome in (*[down] * 3, *[msgspec.structs.replace(down, bgp_peers=back)] * 3):
        world.now += timedelta(seconds=1)
        world.take(("edge", "snmp", ""), outcome, world.now)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
        told.append({one.cause for one in now.diagnoses})
    assert told[2:] == [{"bgp_down"}, set(), set(), {"bgp_flapping"}]


def test_a_session_that_comes_and_goes_is_one_fault_until_it_is_lost_for_good() -> None:
    down = device("edge", peers={"10.255.0.2": "idle"})
    back = (BgpPeer("10.255.0.2", 64512, "established", True, transitions=2, since_s=1.0), *device("edge").bgp_peers[1:])
    up = msgspec.structs.replace(down, bgp_peers=back)
    world, patience, told = World(), Patience(), list[set[str]]()
    for outcome in (*[up] * 3, *[down] * 3, *[up] * 3, *[down] * 26):
        world.take(("edge", "snmp", ""), outcome, world.now)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
        told.append({one.cause for one in now.diagnoses})
        world.now += timedelta(seconds=3)
    assert told[2] == told[8] == told[28] == {"bgp_flapping"}
    assert set.union(*told[2:29]) == {"bgp_flapping"}
    assert told[-1] == {"bgp_down"}


@pytest.mark.parametrize("first", [(), ("fib0",)])
def test_a_session_that_is_lost_for_a_second_time_is_told_at_once(first: tuple[str, ...]) -> None:
    """That it came back after the first time, or after its fibre was mended, is only what was left behind; that it went again is more."""
    lost = {"10.255.0.2": "idle"}
    back = (BgpPeer("10.255.0.2", 64512, "established", True, transitions=2, since_s=1.0), *device("edge").bgp_peers[1:])
    mended = msgspec.structs.replace(device("edge"), bgp_peers=back)
    world, patience, told = World(), Patience(), list[set[str]]()
    for outcome in (*[device("edge", first, peers=lost)] * 8, *[mended] * 6, *[device("edge", peers=lost)] * 3):
        world.take(("edge", "snmp", ""), outcome, world.now)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
        told.append({one.cause for one in now.diagnoses})
        world.now += timedelta(seconds=5)
    assert (told[7], told[13], told[16]) == ({"redundancy_lost" if first else "bgp_down"}, set(), {"bgp_flapping"})
    assert {one.cause for one in world.said()} == told[16]  # as its evidence alone says, without the past


def test_of_two_episodes_of_one_fault_the_last_is_recalled() -> None:
    world = cut_off(World(), "cust0", dark=HARBOUR)
    world.measure(4)
    (fault,) = world.correlated().faults.values()
    known_by = world.one().identity
    ended = [(known_by, fault, START), (known_by, fault, START + timedelta(hours=2))]
    assert recalled(ended).past[known_by].seen == START + timedelta(hours=2)
    assert (recalled(ended).there, recalled([(known_by, fault, None)]).there) == (frozenset(), {known_by})
    assert recalled([(known_by, fault, None), *ended]).there == frozenset()


def test_a_clock_that_is_set_back_holds_nothing_longer() -> None:
    world = World().silence(*HARBOUR)
    world.measure(3, [key for key in world.jobs if key[0] in {"edge", "core"}])
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    back = world.now - timedelta(hours=1)
    held, patience = deliberate(world.memories, TOPOLOGY, patience, back)
    assert held.diagnoses == ()
    told, _ = deliberate(world.memories, TOPOLOGY, patience, back + HOLD)
    assert [one.cause for one in told.diagnoses] == ["customer_router"]


def test_after_a_restart_half_of_a_fault_is_not_told_as_another() -> None:
    world = cut_off(World(), "p3", dark=["edge", *BEHIND_FIBRES, *HARBOUR, "site-b", "gw-b"], node="core")
    world.measure(4)
    whole = world.one()
    seen = {key for key in world.memories if key[0] in {"edge", "core"} and key[1] == "icmp"}
    restored = {key: one if key in seen else Memory(tracks=one.tracks) for key, one in world.memories.items()}
    half, patience = deliberate(restored, TOPOLOGY, Patience(), world.now)
    assert half.diagnoses == ()
    now, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in now.diagnoses] == [(whole.cause, whole.element)]
