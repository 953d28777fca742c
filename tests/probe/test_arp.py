"""Who answers for an address: a segment in namespaces on which a second host takes it, hands it over, or only claims it."""

import importlib.util
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.arp import CHECKS, CLAIMED_S, Limits, judge
from checks.finding import Finding, State
from probe.observation.arp import ArpSample, Holder
from probe.observation.failure import OURS, Failure, Kind
from probe.observation.observation import Observation
from probe.probers.arp_socket import MOST_WATCHED, REPLY, REQUEST, arp, filter_of, read_arp

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("path_chain", HERE / "path_chain.py")
assert spec is not None
assert spec.loader is not None
path_chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(path_chain)

GATEWAY, US = "10.0.0.1", "10.0.0.2"
QUICK = {"interval_ms": 20, "wait_ms": 100}
MAC, RIVAL = "02:00:00:00:00:01", "02:00:00:00:00:02"
RIVAL_RAW = bytes.fromhex(RIVAL.replace(":", ""))
SEND = "import socket, sys; s = socket.socket(17, 3); s.bind(('rival', 0x806)); s.send(bytes.fromhex(sys.argv[1]))"
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


@pytest.fixture(scope="module")
def built() -> Iterator[Any]:
    """Give the chain with a second host on the agent's segment: pop2 has an interface there, without an address."""
    with path_chain.Chain() as made:
        made.ip("edge", f"link set agent address {MAC}")
        made.ip("edge", f"link add rival link agent address {RIVAL} type macvlan mode bridge", f"link set rival netns {made._name}pop2")
        made.ip("pop2", "link set rival up")
        yield made


@pytest.fixture
def segment(built: Any) -> Iterator[Any]:
    yield built
    built.ip("pop2", "addr flush dev rival")
    built.heal()
    built.run("edge", "sysctl", "-qw", "net.ipv4.conf.agent.arp_ignore=0")
    built.forget()


def ask(segment: Any, address: str, **options: Any) -> Any:
    return msgspec.convert(segment.ask("arp", address, **(QUICK | options)), ArpSample | Failure)


def judged(outcome: Any) -> dict[str, Finding]:
    seen = Observation("here", "far", "arp", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


@pytest.mark.needs_root
@pytest.mark.needs("ip", "nft")
class TestOnASegment:
    def test_one_holder_is_good(self, segment: Any) -> None:
        seen = ask(segment, GATEWAY)
        assert [(one.mac, one.answers) for one in seen.holders] == [(MAC, 3)]
        assert 0 < seen.holders[0].first_ms < 50
        assert (seen.interface, seen.sent, seen.ours) == ("edge", 3, None)
        assert [finding.state for finding in judged(seen).values()] == [OK] * 3

    def test_duplicate_address_shows_both_macs_and_is_no_new_holder(self, segment: Any) -> None:
        ask(segment, GATEWAY)
        segment.ip("pop2", f"addr add {GATEWAY}/24 dev rival")
        seen = ask(segment, GATEWAY)
        assert {one.mac for one in seen.answering} == {MAC, RIVAL}
        found = judged(ask(segment, GATEWAY))
        assert (found["arp/duplicate"].state, found["arp/duplicate"].message.id) == (CRITICAL, "arp.duplicate")
        assert found["arp/change"].state is OK

    def test_duplicate_of_our_own_address_is_seen(self, segment: Any) -> None:
        assert [judged(ask(segment, US))[check].state for check in ("arp/answer", "arp/duplicate")] == [OK, OK]
        segment.ip("pop2", f"addr add {US}/24 dev rival")
        seen = ask(segment, US)
        assert [one.mac for one in seen.answering] == [RIVAL]
        duplicate = judged(seen)["arp/duplicate"]
        assert (duplicate.state, duplicate.message.values) == (CRITICAL, {"macs": f"{seen.ours}, {RIVAL}"})

    def test_probe_for_our_own_address_enters_no_table(self, segment: Any) -> None:
        segment.ip("edge", "neigh flush dev agent")
        ask(segment, US)
        assert US not in segment.run("edge", "ip", "neigh", "show", "dev", "agent")
        ask(segment, GATEWAY)
        assert US in segment.run("edge", "ip", "neigh", "show", "dev", "agent")

    def test_expected_macs_may_share_it_and_no_other(self, segment: Any) -> None:
        segment.ip("pop2", f"addr add {GATEWAY}/24 dev rival")
        shared = ask(segment, GATEWAY, expected=[MAC.upper().replace(":", "-"), RIVAL])
        assert judged(shared)["arp/duplicate"].state is OK
        strange = judged(ask(segment, GATEWAY, expected=[MAC]))["arp/duplicate"]
        assert (strange.state, strange.message.values["macs"]) == (CRITICAL, RIVAL)

    def test_new_holder_is_a_change_with_the_old_one_named(self, segment: Any) -> None:
        ask(segment, GATEWAY)
        segment.run("edge", "sysctl", "-qw", "net.ipv4.conf.agent.arp_ignore=8")
        segment.ip("pop2", f"addr add {GATEWAY}/24 dev rival")
        seen = ask(segment, GATEWAY)
        assert ([one.mac for one in seen.answering], seen.before) == ([RIVAL], MAC)
        found = judged(seen)
        assert (found["arp/change"].state, found["arp/duplicate"].state) == (WARNING, OK)
        assert found["arp/change"].message.values["new"] == RIVAL

    def test_gratuitous_claim_between_the_looks_is_heard(self, segment: Any) -> None:
        ask(segment, GATEWAY)
        claim = b"\xff" * 6 + RIVAL_RAW + b"\x08\x06" + arp(REQUEST, RIVAL_RAW, socket.inet_aton(GATEWAY), socket.inet_aton(GATEWAY))
        segment.run("pop2", sys.executable, "-c", SEND, claim.hex())
        seen = ask(segment, GATEWAY)
        assert [one.mac for one in seen.answering] == [MAC]
        assert {one.mac for one in seen.holders} == {MAC, RIVAL}
        assert judged(seen)["arp/duplicate"].message.id == "arp.claimed"

    def test_interface_that_got_another_mac_asks_by_it(self, segment: Any) -> None:
        ask(segment, GATEWAY)
        segment.ip("agent", "link set edge address 02:00:00:00:00:77")
        segment.ip("edge", "neigh flush dev agent")
        assert ask(segment, GATEWAY).answering
        assert "02:00:00:00:00:77" in segment.run("edge", "ip", "neigh", "show", US, "dev", "agent")

    def test_interface_that_was_made_anew_under_its_old_name_hears_again(self, segment: Any) -> None:
        try:
            for _ in range(2):
                segment.ip("agent", f"link add fresh type veth peer name fresh netns {segment._name}pop2")
                segment.ip("agent", "addr add 10.9.0.1/24 dev fresh", "link set fresh up")
                segment.ip("pop2", "addr add 10.9.0.2/24 dev fresh", "link set fresh up")
                assert ask(segment, "10.9.0.2").answering
                segment.ip("agent", "link del fresh")
        finally:
            segment.run("agent", "ip", "link", "del", "fresh", check=False)

    def test_nobody_is_critical_and_no_holder_is_made_up(self, segment: Any) -> None:
        seen = ask(segment, "10.0.0.99")
        assert seen.holders == ()
        found = judged(seen)
        assert [finding.state for finding in found.values()] == [CRITICAL, UNKNOWN, UNKNOWN]

    def test_what_is_behind_a_router_can_t_be_asked(self, segment: Any) -> None:
        assert ask(segment, path_chain.FAR).kind is Kind.DENIED
        assert ask(segment, "127.0.0.1").kind is Kind.DENIED

    def test_without_the_right_it_is_denied_with_the_cure(self, segment: Any) -> None:
        segment.forget()
        segment._uid = 65534
        try:
            failure = ask(segment, GATEWAY)
        finally:
            segment.forget()
            segment._uid = 0
        assert (failure.kind, "CAP_NET_RAW" in failure.detail) == (Kind.DENIED, True)


def test_packet_is_rfc_826_s() -> None:
    packet = arp(REQUEST, bytes.fromhex("020000000001"), socket.inet_aton("10.0.0.2"), socket.inet_aton("10.0.0.1"))
    assert packet == bytes.fromhex("00010800060400010200000000010a0000020000000000000a000001")


@given(st.binary(max_size=60))
def test_no_packet_breaks_the_reading(data: bytes) -> None:
    heard = read_arp(data)
    assert heard is None or not heard.mac[0] & 1


def test_group_addresses_hold_nothing() -> None:
    good = arp(REPLY, bytes.fromhex("020000000001"), bytes(4), bytes(4))
    assert read_arp(good) is not None
    assert read_arp(arp(REPLY, b"\xff" * 6, bytes(4), bytes(4))) is None
    assert read_arp(arp(REPLY, bytes(6), bytes(4), bytes(4))) is None
    assert read_arp(arp(8, bytes.fromhex("020000000001"), bytes(4), bytes(4))) is None


@given(st.lists(st.binary(min_size=4, max_size=4), unique=True, max_size=MOST_WATCHED), st.binary(min_size=4, max_size=4))
def test_filter_passes_the_watched_and_nobody_else(watched: list[bytes], sender: bytes) -> None:
    """Run the program as the kernel would."""
    packet = arp(REPLY, bytes.fromhex("020000000001"), sender, bytes(4))
    program = filter_of(watched)
    steps = [program[at : at + 8] for at in range(0, len(program), 8)]
    at, value = 0, 0
    while True:
        code, true, false, k = int.from_bytes(steps[at][:2], "little"), steps[at][2], steps[at][3], int.from_bytes(steps[at][4:], "little")
        if code == 0x20:
            value = int.from_bytes(packet[k : k + 4], "big")
            at += 1
        elif code == 0x15:
            at += 1 + (true if value == k else false)
        else:
            assert (k > 0) == (sender in watched)
            return


def look(*holders: Holder, **more: Any) -> ArpSample:
    return ArpSample("10.0.0.1", "eth0", 3, holders, **more)


ANSWERS, CLAIMS = Holder(MAC, 3, 0.4, 0.1), Holder(RIVAL, 0, None, 30.0)


@pytest.mark.parametrize(
    ("seen", "state", "message"),
    [
        (look(ANSWERS), OK, "arp.single"),
        (look(ANSWERS, Holder(RIVAL, 1, 0.4, 0.1)), CRITICAL, "arp.duplicate"),
        (look(ANSWERS, CLAIMS), WARNING, "arp.claimed"),
        (look(ANSWERS, Holder(RIVAL, 0, None, CLAIMED_S)), WARNING, "arp.claimed"),
        (look(ANSWERS, Holder(RIVAL, 0, None, CLAIMED_S + 0.1)), OK, "arp.single"),
        (look(ANSWERS, CLAIMS, before=RIVAL, changed_s=20.0), OK, "arp.single"),  # it held it before: a change, not a rival
        (look(ANSWERS, CLAIMS, expected=(MAC, RIVAL)), OK, "arp.single"),
        (look(ANSWERS, expected=(RIVAL,)), CRITICAL, "arp.strange"),
        (look(ours=MAC), OK, "arp.single"),
        (look(CLAIMS, ours=MAC), WARNING, "arp.claimed"),
        (look(ANSWERS, ours=RIVAL), CRITICAL, "arp.duplicate"),
        (look(), UNKNOWN, "arp.nobody"),
        (look(CLAIMS), UNKNOWN, "arp.nobody"),
    ],
)
def test_two_holders_are_told_from_one(seen: ArpSample, state: State, message: str) -> None:
    found = judged(seen)["arp/duplicate"]
    assert (found.state, found.message.id) == (state, message)


def test_change_between_two_that_may_hold_it_is_told_and_no_warning() -> None:
    holders = (Holder(RIVAL, 3, 0.2, 0.1),)
    for expected, state in (((MAC, RIVAL), OK), ((RIVAL,), WARNING), ((), WARNING)):
        seen = ArpSample(GATEWAY, "edge", 3, holders, expected=expected, changed_s=5.0, before=MAC)
        found = judged(seen)["arp/change"]
        assert (found.state, found.message.id, found.message.values["new"]) == (state, "arp.changed", RIVAL)


@pytest.mark.parametrize(("age", "state"), [(None, OK), (0.0, WARNING), (900.0, WARNING), (900.1, OK)])
def test_change_is_told_for_a_quarter_of_an_hour(age: float | None, state: State) -> None:
    assert judged(look(ANSWERS, changed_s=age, before=RIVAL))["arp/change"].state is state


@pytest.mark.parametrize("kind", list(Kind))
def test_what_we_could_not_see_is_no_outage(kind: Kind) -> None:
    assert {c: f.state for c, f in judged(Failure(kind, "x")).items()} == {"arp/answer": UNKNOWN if kind in OURS else CRITICAL}


def test_every_finding_is_announced() -> None:
    assert list(judged(look(ANSWERS))) == [check.name for check in CHECKS]
