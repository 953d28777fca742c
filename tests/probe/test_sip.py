"""OPTIONS against kamailio (UDP, TCP, TLS), against devices that answer as each test wants, and through firewalls."""

import asyncio
import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.sip import SipSample
from probe.probers import sip
from probe.sip import fields
from probe.sip.datagram import as_kernel
from tests.probe.sip_lab import Device, answer, kamailio, replying, signal_group
from tests.probe.test_sip_message import SEEDS, mutated

needs_kamailio = pytest.mark.needs("kamailio")


@needs_kamailio
def test_kamailio_answers_over_udp_tcp_and_tls(ask, free_udp_port, unused_port, certificate, tmp_path, binary) -> None:
    port = free_udp_port()
    with kamailio(port, binary("kamailio"), certificate(tmp_path), unused_port):
        for transport, to in (("udp", port), ("tcp", port), ("tls", unused_port)):
            seen = ask("sip", to, transport=transport)
            assert isinstance(seen, SipSample), seen
            assert (seen.code, seen.reason, seen.transport, seen.repeats) == (200, "OK", transport.upper(), 0)
            assert (seen.server or "").startswith("kamailio")
            assert seen.allow == ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")
            assert 0 < (seen.answer_ms or 0) < 1000
            assert (seen.connect_ms is None) == (transport == "udp")
            assert (seen.tls_version or "").startswith("TLSv1") == (transport == "tls")
            assert not seen.via_changed
        away = ask("sip", port, user="503")
        assert (away.code, away.retry_after_s) == (503, 30)
        assert ask("sip", port, user="1001").code == 404


@needs_kamailio
def test_a_stopped_server_is_silent_and_a_dead_one_refuses(ask, free_udp_port, binary) -> None:
    port = free_udp_port()
    with kamailio(port, binary("kamailio")) as process:
        signal_group(process, signal.SIGSTOP)
        assert ask("sip", port, timeout_s=0.7).kind is Kind.TIMEOUT
        assert ask("sip", port, transport="tcp", timeout_s=0.7).kind is Kind.TIMEOUT
        signal_group(process, signal.SIGCONT)
        assert ask("sip", port).code == 200
    for transport in ("udp", "tcp", "tls"):
        assert ask("sip", port, transport=transport) == Failure(Kind.REFUSED, "Connection refused")


def test_what_an_answer_says_is_all_there(ask) -> None:
    body = b"v=0\r\nc=IN IP4 192.168.50.10\r\nm=audio 4000 RTP/AVP 8 18\r\n"
    more = (
        "User-Agent: Grandstream HT814 1.0.41.2",
        "m: <sip:gw@192.168.50.10:5060>",
        'Reason: Q.850;cause=34;text="x"',
        "Content-Type: application/sdp",
    )
    with Device(replying("488 Not Acceptable Here", *more, 'Warning: 304 gw "media"', body=body)) as device:
        seen = ask("sip", device.port)
    assert (seen.code, seen.server, seen.contact_host, seen.audio_host) == (
        488,
        "Grandstream HT814 1.0.41.2",
        "192.168.50.10",
        "192.168.50.10",
    )
    assert (seen.codecs, seen.q850, seen.warning) == (("PCMA", "G729"), 34, '304 gw "media"')
    request = device.requests[0]
    assert (request.method, request.uri, request.first("accept")) == ("OPTIONS", f"sip:127.0.0.1:{device.port}", "application/sdp")
    assert request.first("max-forwards") == "70"


def test_a_device_with_an_ipv6_address_is_asked_as_the_standard_writes_it(ask) -> None:
    with Device(replying("200 OK", "Contact: <sip:gw@[2001:db8::7]:5062>"), "::1") as device:
        seen = ask("sip", device.port, host="::1", user="7")
    assert (seen.code, seen.address, seen.contact_host, seen.via_changed) == (200, "::1", "2001:db8::7", False)
    assert device.requests[0].uri == f"sip:7@[::1]:{device.port}"
    assert (device.requests[0].first("via") or "").startswith("SIP/2.0/UDP [::1]:")
    assert ask("sip", device.port, host="::1").kind is Kind.REFUSED


def test_a_lost_question_is_asked_again_after_half_a_second(ask) -> None:
    """RFC 3261 17.1.2.2: timer E."""
    at: list[float] = []

    def third(device: Device, request, source) -> None:
        at.append(time.monotonic())
        if len(at) == 3:
            device.say(answer(request), source)

    with Device(third) as device:
        seen = ask("sip", device.port)
    assert (seen.code, seen.repeats) == (200, 2)
    assert at[1] - at[0] == pytest.approx(0.5, abs=0.2)
    assert at[2] - at[1] == pytest.approx(1.0, abs=0.2)
    assert len({one.first("via") for one in device.requests}) == 1
    assert (seen.answer_ms or 0) > 1400


def test_a_provisional_answer_and_answers_to_others_are_passed_over(ask) -> None:
    def act(device: Device, request, source) -> None:
        other = request.first("via").replace("z9hG4bK", "z9hG4bKx")
        stranger = [("via", other) if name == "via" else (name, value) for name, value in request.headers]
        device.say(answer(type(request)("OPTIONS", "", 0, "", tuple(stranger), b""), "500 Not Yours"), source)
        device.say(answer(request, "100 Trying"), source)
        device.say(answer(request, "200 OK"), source)

    with Device(act) as device:
        assert ask("sip", device.port).code == 200


def test_nonsense_alone_is_a_refusal_and_does_not_hide_the_true_answer(ask) -> None:
    def nonsense(device: Device, request, source) -> None:
        device.say(b"HTTP/1.1 400 Bad Request\r\n\r\n", source)

    with Device(nonsense) as device:
        start = time.monotonic()
        seen = ask("sip", device.port)
        assert time.monotonic() - start < 2
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert "no SIP" in seen.detail

    def both(device: Device, request, source) -> None:
        nonsense(device, request, source)
        device.say(answer(request), source)

    with Device(both) as device:
        assert ask("sip", device.port).code == 200


def test_an_answer_from_elsewhere_and_a_changed_via_are_noted(ask) -> None:
    def act(device: Device, request, source) -> None:
        via = request.first("via").replace("127.0.0.1", "203.0.113.5")
        changed = [("via", via) if name == "via" else (name, value) for name, value in request.headers]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            other.sendto(answer(type(request)("OPTIONS", "", 0, "", tuple(changed), b"")), source)

    with Device(act) as device:
        seen = ask("sip", device.port)
    assert (seen.came_from, seen.via_changed) == ("127.0.0.2", True)


def test_many_conversations_share_one_socket() -> None:
    sources = set()

    def act(device: Device, request, source) -> None:
        sources.add(source)
        device.say(answer(request, "200 OK", f"Server: {request.first('call-id')}"), source)

    async def all_at_once(port: int) -> list:
        async with sip.open() as prober:
            return await asyncio.gather(*(prober.ask(Node("n", "127.0.0.1"), sip.Options(port=port)) for _ in range(200)))

    with Device(act) as device:
        seen = asyncio.run(all_at_once(device.port))
    assert [one.code for one in seen] == [200] * 200
    assert len({one.server for one in seen}) == 200
    assert len(sources) == 1


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"", "closed"),
        (b"SIP/2.0 200 OK\r\nVia: x", "closed"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", "no SIP"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", "Content-Length"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 70000\r\n\r\n", "announced"),
        (b"S" * 70_000, "octets"),
    ],
)
def test_a_stream_that_is_no_sip_is_refused_with_the_reason(ask, hostile, reply: bytes, detail: str) -> None:
    def act(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(reply)

    with hostile(act) as port:
        seen = ask("sip", port, transport="tcp", timeout_s=5)
    assert isinstance(seen, Failure), seen
    assert seen.kind is Kind.REJECTED
    assert detail in seen.detail


def test_a_stream_in_single_octets_with_keep_alives_is_read(ask, hostile) -> None:
    from probe.sip.message import parse

    def act(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reply = b"\r\n\r\n" + answer(parse(peer.recv(4096)), "486 Busy Here", body=b"12345") + b"\r\n"
        for octet in reply:
            peer.sendall(bytes([octet]))
        peer.recv(1)

    with hostile(act) as port:
        assert ask("sip", port, transport="tcp").code == 486


def test_a_message_that_trickles_in_is_not_read_again_for_each_octet(ask, hostile, monkeypatch) -> None:
    from probe.sip import wire
    from probe.sip.message import parse

    reads: list[bytes] = []

    def counted(head: bytes) -> list[str]:
        reads.append(head)
        return unfold(head)

    def act(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reply = answer(parse(peer.recv(4096)), "200 OK", body=b"x" * 500)
        peer.sendall(reply[:-500])
        for octet in reply[-500:]:
            peer.sendall(bytes([octet]))
        peer.recv(1)

    unfold = wire.unfold
    monkeypatch.setattr(wire, "unfold", counted)
    with hostile(act) as port:
        assert ask("sip", port, transport="tcp").code == 200
    assert len(reads) <= 2


def test_an_ipv6_address_is_known_again_however_it_is_written(ask) -> None:
    with Device(replying("200 OK"), "::1") as device:
        assert ask("sip", device.port, host="0:0:0::0:1").came_from is None
    assert ask("sip", device.port, host="0:0:0::0:1").kind is Kind.REFUSED
    assert as_kernel(("fe80::0:1%1", 5060)) == ("fe80::1%lo", 5060)


@pytest.mark.parametrize(
    ("user", "uri"), [("8888", "8888"), ("*43#", "*43%23"), ("+86%2010", "+86%2010"), ("a%b", "a%25b"), ("ü|", "%C3%BC%7C")]
)
def test_the_user_part_is_escaped_as_rfc_3261_has_it(user: str, uri: str) -> None:
    assert fields.escaped(user) == uri


def test_a_server_without_tls_is_refused_as_such(ask, hostile) -> None:
    with hostile(lambda peer: (peer.recv(4096), peer.sendall(b"SIP/2.0 400 Bad Request\r\n\r\n"))) as port:
        seen = ask("sip", port, transport="tls")
    assert seen.kind is Kind.REJECTED
    assert seen.detail.startswith("TLS: ")


@pytest.mark.parametrize("options", [{"user": "a b"}, {"user": "a\r\nContact: x"}, {"domain": "x>y"}, {"user": "1;x"}, {"user": "1@x"}])
def test_options_that_would_break_a_header_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="can't stand in a SIP URI"):
        sip.Options(**options)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [({"user": "sip:1"}, "without sip:"), ({"domain": "x:5060"}, "is no host"), ({"domain": "[2001:db8::1]"}, "is no host")],
)
def test_slips_in_options_are_refused_with_their_cure(options: dict, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        sip.Options(**options)


def test_the_item_tells_checks_of_one_node_apart() -> None:
    made = [
        sip.Options(),
        sip.Options(transport="tcp"),
        sip.Options(port=5062),
        sip.Options(transport="tls", port=5061, user="7"),
        sip.Options(port=5060),
    ]
    assert [one.item for one in made] == ["", "tcp", "5062", "tls 7", ""]


# firewalls, in namespaces: agent - router - device

WALL = """
set -e
unshare --net sleep 60 >/dev/null 2>&1 & wall=$!
unshare --net sleep 60 >/dev/null 2>&1 & far=$!
trap "kill $wall $far" EXIT
for pid in $wall $far; do until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done; done
on() { nsenter --net=/proc/$1/ns/net "${@:2}"; }
ip link set lo up
ip link add near type veth peer name outer netns $wall
on $wall ip link add inner type veth peer name far netns $far
ip address add 10.9.0.1/24 dev near; ip link set near up
on $wall ip address add 10.9.0.2/24 dev outer; on $wall ip link set outer up
on $wall ip address add 10.9.1.1/24 dev inner; on $wall ip link set inner up
on $far ip address add 10.9.1.2/24 dev far; on $far ip link set far up
ip route add default via 10.9.0.2; on $far ip route add default via 10.9.1.1
on $wall sysctl -qw net.ipv4.ip_forward=1
on $wall nft add table ip wall
on $wall nft 'add chain ip wall on { type filter hook forward priority 0; }'
on $wall nft "add rule ip wall on udp dport 5060 $RULE"
"$@"
"""
ASK = """
import asyncio, sys, msgspec
from probe.inventory import Node
from probe.probers import sip
from probe.sip import fields
from probe.sip.datagram import as_kernel
async def main():
    async with sip.open() as prober:
        try:
            async with asyncio.timeout(1.5):
                print(msgspec.json.encode(await prober.ask(Node("n", "10.9.1.2"), sip.Options())).decode())
        except TimeoutError:
            print('{"kind": "timeout"}')
asyncio.run(main())
"""


@pytest.mark.needs_root
@pytest.mark.needs("unshare", "nsenter", "bash", "ip", "nft", "sysctl")
@pytest.mark.parametrize(
    ("rule", "sees"),
    [
        ("drop", {"kind": "timeout"}),
        ("reject with icmp type admin-prohibited", {"code": None, "blocked_by": "10.9.0.2"}),
        ("reject with icmp type host-prohibited", {"code": None, "blocked_by": "10.9.0.2"}),
        ("reject", {"code": None, "blocked_by": "10.9.0.2"}),  # port unreachable, as a dead process would say, but not by the device
        ("reject with icmp type host-unreachable", {"kind": "unreachable"}),
        ("accept", {"kind": "refused"}),  # nothing listens there: the host itself says so
    ],
)
def test_a_drop_is_silent_and_a_reject_names_the_firewall(rule: str, sees: dict) -> None:
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", WALL, "bash", sys.executable, "-W", "error", "-c", ASK],
        capture_output=True, text=True, check=False, timeout=30, cwd=Path(__file__).parents[2], env={"RULE": rule, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {name: seen.get(name) for name in sees} == sees, seen


# nonsense over sockets


def storm(count: int, seed: int) -> None:
    """Let a device answer with mutated messages; every question must still end, with whatever outcome."""
    chance = random.Random(seed)

    def act(device: Device, request, source) -> None:
        device.requests.clear()
        good = answer(
            request,
            "200 OK",
            "Contact: <sip:x@10.0.0.1>",
            'WWW-Authenticate: Digest realm="x", nonce="y"',
            body=b"v=0\r\nm=audio 1 RTP/AVP 0\r\n",
        )
        for _ in range(20):
            data = mutated(chance.choice((good, *SEEDS)), chance)
            with contextlib.suppress(OSError):
                device.say(data[:60_000], source)
        device.say(answer(request, "486 Busy Here"), source)

    async def ask_on(port: int) -> None:
        async with sip.open() as prober:
            for _ in range(count // 20):
                async with asyncio.timeout(10):
                    seen = await prober.ask(Node("n", "127.0.0.1"), sip.Options(port=port))
                assert isinstance(seen, SipSample) or seen.kind is Kind.REJECTED, seen

    with Device(act) as device:
        asyncio.run(ask_on(device.port))


def test_a_device_that_answers_nonsense_breaks_nothing() -> None:
    storm(2_000, 3)


@pytest.mark.long
def test_a_hundred_thousand_datagrams_of_nonsense_break_nothing_and_leave_no_memory() -> None:
    import gc
    import tracemalloc

    storm(2_000, 4)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    storm(100_000, 5)
    gc.collect()  # what lies about until the next collection is no leak
    assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    tracemalloc.stop()


def test_a_flood_of_datagrams_holds_up_nobody_else(peer_that) -> None:
    over = threading.Event()

    def flood(sock: socket.socket, data: bytes, peer: tuple) -> None:
        junk = b"SIP/2.0 200 OK\r\nCall-ID: nobody\r\n\r\n"
        end = time.monotonic() + 3
        while not over.is_set() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                sock.sendto(junk, peer)

    async def both(bad: int, good: int) -> SipSample | Failure:
        async with sip.open() as prober:
            flooded = asyncio.create_task(prober.ask(Node("bad", "127.0.0.1"), sip.Options(port=bad)))
            await asyncio.sleep(0.2)
            async with asyncio.timeout(3):
                seen = await prober.ask(Node("good", "127.0.0.1"), sip.Options(port=good))
            over.set()
            flooded.cancel()
            return seen

    with peer_that(flood) as bad, Device(replying("200 OK")) as good:
        assert asyncio.run(both(bad, good.port)).code == 200
