"""Large packets through routers: some tell that they are too large, some let them disappear."""

import asyncio
import importlib.util
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.finding import Finding, State
from checks.pmtu import CHECKS, Limits, judge
from probe.observation.failure import OURS, Failure, Kind
from probe.observation.observation import Observation
from probe.observation.path import Said
from probe.observation.pmtu import PmtuSample, Told
from probe.probers.hop_channel import Aim, Answer
from probe.probers.pmtu import Options, _Search

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("path_chain", HERE / "path_chain.py")
assert spec is not None
assert spec.loader is not None
path_chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(path_chain)
FAR, FAR6 = path_chain.FAR, path_chain.FAR6
BOTH = pytest.mark.parametrize(("target", "edge"), [(FAR, "10.0.0.1"), (FAR6, "fd00::1")], ids=["ipv4", "ipv6"])
SMALL_LINK = 1300


@pytest.fixture(scope="module")
def built() -> Iterator[Any]:
    with path_chain.Chain() as made:
        for node in path_chain.NODES:
            made.run(node, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        yield made


@pytest.fixture
def chain(built: Any) -> Iterator[Any]:
    yield built
    built.heal()
    link(built, 1500)


def link(chain: Any, mtu: int) -> None:
    """Let the link between edge and PoP carry so much."""
    chain.ip("edge", f"link set pop mtu {mtu}")
    chain.ip("pop", f"link set edge mtu {mtu}")


def ask(chain: Any, target: str, **options: Any) -> Any:
    return msgspec.convert(chain.ask("pmtu", target, **({"wait_ms": 150} | options)), PmtuSample | Failure)


def judged(outcome: Any) -> dict[str, Finding]:
    seen = Observation("here", "far", "pmtu", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


@pytest.mark.needs_root
@pytest.mark.needs("ip", "nft")
class TestOnAChain:
    @BOTH
    def test_path_as_large_as_our_own_link(self, chain: Any, target: str, edge: str) -> None:
        seen = ask(chain, target)
        assert (seen.path_mtu, seen.local_mtu, seen.told, seen.vanishes_from) == (1500, 1500, (), None)

    @BOTH
    def test_honest_router_is_believed_and_named(self, chain: Any, target: str, edge: str) -> None:
        link(chain, SMALL_LINK)
        seen = ask(chain, target)
        assert (seen.path_mtu, seen.told, seen.vanishes_from) == (SMALL_LINK, (Told(edge, SMALL_LINK),), None)
        found = judged(seen)
        assert [finding.state for finding in found.values()] == [State.OK, State.OK]
        assert found["pmtu/mtu"].message.values == {"mtu": SMALL_LINK, "hop": edge}

    @BOTH
    def test_black_hole_is_found_to_the_byte_with_the_hop_before_it(self, chain: Any, target: str, edge: str) -> None:
        link(chain, SMALL_LINK)
        chain.nft("edge", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop", hook="output")
        seen = ask(chain, target)
        assert (seen.path_mtu, seen.vanishes_from, seen.vanishes_after) == (SMALL_LINK, SMALL_LINK + 1, edge)
        hole = judged(seen)["pmtu/black-hole"]
        assert (hole.state, hole.message.id, hole.message.values) == (
            State.CRITICAL, "pmtu.vanishes.after", {"mtu": SMALL_LINK, "hop": edge},
        )  # fmt: skip

    def test_every_size_may_be_where_it_ends(self, chain: Any) -> None:
        for mtu in (1281, 1499):
            chain.nft("pop", f"ip length > {mtu} drop")
            assert ask(chain, FAR).path_mtu == mtu
            chain.heal()

    def test_loss_alone_is_no_black_hole(self, chain: Any) -> None:
        chain.nft("pop", "ip daddr 203.0.113.10 numgen inc mod 3 == 0 drop")
        seen = ask(chain, FAR)
        assert (seen.path_mtu, seen.vanishes_from) == (1500, None)

    def test_silent_host_has_no_mtu_and_is_unknown(self, chain: Any) -> None:
        chain.nft("edge", "drop")
        seen = ask(chain, FAR)
        assert (seen.path_mtu, seen.answered) == (None, 0)
        assert {check: finding.state for check, finding in judged(seen).items()} == {"pmtu/mtu": State.UNKNOWN}

    def test_no_route_is_ours(self, chain: Any) -> None:
        chain.ip("agent", "route del default")
        try:
            assert ask(chain, FAR).kind is Kind.UPLINK
        finally:
            chain.ip("agent", "route add default via 10.0.0.1")

    def test_unprivileged_user_measures_too(self, chain: Any) -> None:
        chain.run("agent", "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        link(chain, SMALL_LINK)
        chain.forget()
        chain._uid = 65534
        try:
            for target, edge in ((FAR, "10.0.0.1"), (FAR6, "fd00::1")):
                seen = ask(chain, target)
                assert (seen.path_mtu, seen.told) == (SMALL_LINK, (Told(edge, SMALL_LINK),))
        finally:
            chain.forget()
            chain._uid = 0


def search(fate: Callable[[int, int], Answer | None]) -> PmtuSample:
    """Search over a path that answers a packet of some size, the n-th of all, as `fate` says; None is silence."""
    to = Aim(socket.AF_INET, "192.0.2.1", ("192.0.2.1", 0), bytes([192, 0, 2, 1]))

    class Path:
        sent = 0

        def send(self, _to: Aim, _ttl: int, tell: Callable[[Answer], None], size: int) -> int:
            self.sent += 1
            answer = fate(size + 28, self.sent)
            if answer is not None:
                asyncio.get_running_loop().call_soon(tell, answer)
            return self.sent

        def forget(self, number: int) -> None:
            assert number <= self.sent

    async def inside() -> PmtuSample:
        return await _Search(Path(), to, Options(wait_ms=50), 1500).run()  # type: ignore[arg-type]

    return asyncio.run(inside())


BACK = Answer(Said.REPLY, bytes([192, 0, 2, 1]), 0.1)
OLD = Answer(Said.TOO_BIG, bytes([10, 0, 0, 1]), 0.1, "fragmentation needed from 10.0.0.1", None)


def test_router_that_tells_no_mtu_is_honest_all_the_same() -> None:
    """RFC 1191 5: before it, the field was unused and zero."""
    seen = search(lambda size, _: BACK if size <= 1006 else OLD)
    assert (seen.path_mtu, seen.vanishes_from, seen.told) == (1006, None, (Told("10.0.0.1", None),))


def test_host_that_dies_during_the_search_is_no_black_hole() -> None:
    seen = search(lambda size, sent: BACK if size <= 1300 and sent <= 60 else None)
    assert seen.vanishes_from is None


def test_router_that_tells_nonsense_does_not_lead_the_search_astray() -> None:
    for mtu in (0, 1, 67, 1500, 1501, 65535):
        lie = Answer(Said.TOO_BIG, bytes([10, 0, 0, 1]), 0.1, "", mtu)
        seen = search(lambda size, _, lie=lie: BACK if size <= 1400 else lie)  # type: ignore[misc]
        assert (seen.path_mtu, seen.vanishes_from) == (1400, None)


def sample(mtu: int | None, expected: int | None = None, told: tuple[Told, ...] = (), **more: Any) -> PmtuSample:
    return PmtuSample("192.0.2.1", mtu, 1500, 6, 3, told, expected=expected, **more)


@pytest.mark.parametrize(
    ("seen", "state", "message"),
    [
        (sample(1500), State.OK, "pmtu.mtu"),
        (sample(1280), State.OK, "pmtu.mtu"),
        (sample(1279), State.WARNING, "pmtu.mtu"),
        (sample(1500, 1500), State.OK, "pmtu.mtu"),
        (sample(1499, 1500), State.WARNING, "pmtu.below"),
        (sample(1200, 1200), State.OK, "pmtu.mtu"),
        (sample(1400, told=(Told("10.0.0.1", 1400),)), State.OK, "pmtu.told"),
        (sample(1300, told=(Told("10.0.0.1", 1400),)), State.OK, "pmtu.mtu"),
        (sample(None), State.UNKNOWN, "pmtu.silent"),
    ],
)
def test_mtu_is_judged_by_what_is_expected_else_by_the_least_of_ipv6(seen: PmtuSample, state: State, message: str) -> None:
    found = judged(seen)["pmtu/mtu"]
    assert (found.state, found.message.id) == (state, message)


def test_black_hole_without_a_name_is_still_one() -> None:
    hole = judged(sample(1300, vanishes_from=1301))["pmtu/black-hole"]
    assert (hole.state, hole.message.id) == (State.CRITICAL, "pmtu.vanishes")


@pytest.mark.parametrize("kind", list(Kind))
def test_what_we_could_not_see_is_no_outage(kind: Kind) -> None:
    assert {c: f.state for c, f in judged(Failure(kind, "x")).items()} == {"pmtu/mtu": State.UNKNOWN if kind in OURS else State.CRITICAL}


def test_every_finding_is_announced() -> None:
    assert list(judged(sample(1500))) == [check.name for check in CHECKS]
