"""Asking a real name server, and such as answer wrongly or not at all; the reader of messages is fuzzed."""

import asyncio
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.dnswire import TYPES, MalformedError, decode, decode_name, encode_name, encode_query, reverse
from probe.inventory import Node
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.probers import dns

Answer = Callable[[bytes], bytes | list[bytes] | None]


def ask(port: int, address: str = "127.0.0.1", timeout_s: float = 5.0, **options: object) -> Outcome:
    async def run() -> Outcome:
        async with dns.open() as prober:
            return await asyncio.wait_for(
                prober.ask(Node("n", address), dns.Options(**{"name": "a.test", "port": port, **options})), timeout_s
            )

    return asyncio.run(run())


def sample(outcome: Outcome) -> DnsSample:
    assert isinstance(outcome, DnsSample), outcome
    return outcome


# ---- unbound -------------------------------------------------------------------------------------------------------------

UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  port: {port}
  do-daemonize: no
  use-syslog: no
  verbosity: 1
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  access-control: 127.0.0.1/32 allow
  module-config: "iterator"
  root-hints: "{folder}/hints"
  outgoing-interface: 127.0.0.1
  do-not-query-localhost: yes
  local-zone: "test." static
  local-data: "test. SOA ns.test. admin.test. 1 2 3 4 5"
  local-data: "test. NS ns.test."
  local-data: "a.test. A 192.0.2.1"
  local-data: "a.test. A 192.0.2.2"
  local-data: "a.test. AAAA 2001:db8::1"
  local-data: "a.test. MX 10 mail.test."
  local-data: 'a.test. TXT "v=spf1 -all" "with \\"quotes\\""'
  local-data: 'a.test. CAA 0 issue "ca.test"'
  local-data: "a.test. HTTPS 1 . alpn=h2"
  local-data: "_sip._udp.test. SRV 1 2 5060 a.test."
  local-data: "alias.test. CNAME a.test."
  local-data: "1.2.0.192.in-addr.arpa. PTR a.test."
  local-data: "empty.test. TXT x"
  local-zone: "closed." always_refuse
{many}
stub-zone:
  name: "dead."
  stub-addr: 127.0.0.1@{dead}
"""


def free_port() -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binary = shutil.which("unbound", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert binary, "unbound is missing: `make lab-packages`"
    folder, port = tmp_path_factory.mktemp("unbound"), free_port()
    (folder / "hints").write_text(". 3600 IN NS ns.\nns. 3600 IN A 127.0.0.1\n")
    many = "\n".join(f'  local-data: "many.test. TXT {"x" * 200}{n}"' for n in range(20))
    (folder / "conf").write_text(UNBOUND.format(port=port, folder=folder, many=many, dead=free_port()))
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen([binary, "-d", "-c", str(folder / "conf")], stdout=out, stderr=out)
    try:
        end = time.monotonic() + 10
        while isinstance(ask(port), Failure):
            assert server.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < end
        yield port
    finally:
        server.terminate()
        server.wait()


@pytest.mark.needs("unbound")
@pytest.mark.parametrize(
    ("name", "rrtype", "answers"),
    [
        ("a.test", "A", {"a.test A 192.0.2.1", "a.test A 192.0.2.2"}),
        ("A.TEST.", "AAAA", {"a.test AAAA 2001:db8::1"}),
        ("a.test", "MX", {"a.test MX 10 mail.test"}),
        ("a.test", "TXT", {r'a.test TXT "v=spf1 -all" "with \034quotes\034"'}),
        ("a.test", "CAA", {'a.test CAA 0 issue "ca.test"'}),
        ("a.test", "HTTPS", {"a.test HTTPS 00010000010003026832"}),
        ("test", "NS", {"test NS ns.test"}),
        ("test", "SOA", {"test SOA ns.test admin.test 1 2 3 4 5"}),
        ("_sip._udp.test", "SRV", {"_sip._udp.test SRV 1 2 5060 a.test"}),
        ("alias.test", "CNAME", {"alias.test CNAME a.test"}),
        ("192.0.2.1", "PTR", {"1.2.0.192.in-addr.arpa PTR a.test"}),
    ],
)
def test_unbound_answers_every_type(unbound: int, name: str, rrtype: str, answers: set[str]) -> None:
    seen = sample(ask(unbound, name=name, rrtype=rrtype))
    assert {one.replace("A.TEST", "a.test") for one in seen.answers} == answers
    assert (seen.rcode, seen.truncated, seen.matches) == ("NOERROR", False, None)
    assert seen.recursion_available
    assert 0 < seen.took_ms < 1000


@pytest.mark.needs("unbound")
@pytest.mark.parametrize(
    ("name", "rcode"), [("none.test", "NXDOMAIN"), ("empty.test", "NOERROR"), ("x.dead", "SERVFAIL"), ("x.closed", "REFUSED")]
)
def test_what_unbound_does_not_know(unbound: int, name: str, rcode: str) -> None:
    seen = sample(ask(unbound, name=name))
    assert (seen.rcode, seen.answers) == (rcode, ())


@pytest.mark.needs("unbound")
def test_an_answer_too_large_for_udp_comes_over_tcp(unbound: int) -> None:
    seen = sample(ask(unbound, name="many.test", rrtype="TXT"))
    assert (seen.truncated, len(seen.answers)) == (True, 20)


@pytest.mark.needs("unbound")
@pytest.mark.parametrize(("expect", "matches"), [(r"192\.0\.2\.2", True), (r"192\.0\.2", False), ("192.*", True), ("10.*", False)])
def test_the_expected_answer_is_looked_for_among_all(unbound: int, expect: str, matches: bool) -> None:
    seen = sample(ask(unbound, expect=expect))
    assert (seen.matches, seen.expected) == (matches, expect)


@pytest.mark.needs("unbound")
def test_a_thousand_questions_at_once_are_each_answered(unbound: int) -> None:
    async def run() -> list[Outcome]:
        async with dns.open() as prober:
            node = Node("n", "127.0.0.1")
            rounds = [
                await asyncio.gather(*(prober.ask(node, dns.Options(name="a.test", port=unbound)) for _ in range(100))) for _ in range(10)
            ]
            assert len(prober.lines) == 1
            assert not prober.lines["127.0.0.1", unbound].waiting
            return [one for round in rounds for one in round]

    assert all(isinstance(one, DnsSample) for one in asyncio.run(run()))


# ---- servers that misbehave ------------------------------------------------------------------------------------------------


def reply(query: bytes, flags: int = 0x8400, answers: bytes = b"", count: int = 0, question: bytes | None = None) -> bytes:
    end = query.index(0, 12) + 5
    return query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + (query[12:end] if question is None else question) + answers


A = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 9])


def meet(answer: Answer, over_tcp: Callable[[bytes], bytes] | None = None, timeout_s: float = 3.0, **options: object) -> Outcome:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple) -> None:
            said = answer(data)
            for one in said if isinstance(said, list) else [said] if said is not None else []:
                self.transport.sendto(one, addr)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert over_tcp
        length = struct.unpack("!H", await reader.readexactly(2))[0]
        writer.write(over_tcp(await reader.readexactly(length)))
        await writer.drain()
        writer.close()

    async def run() -> Outcome:
        port = free_port()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", port))
        server = await asyncio.start_server(serve, "127.0.0.1", port) if over_tcp else None
        try:
            async with dns.open() as prober:
                given = dns.Options(**{"name": "a.test", "port": port, **options})
                return await asyncio.wait_for(prober.ask(Node("n", "127.0.0.1"), given), timeout_s)
        finally:
            transport.close()
            if server:
                server.close()

    return asyncio.run(run())


def test_a_dead_server_is_refused_and_a_silent_one_is_not() -> None:
    for address in ("127.0.0.1", "::1"):
        seen = ask(free_port(), address)
        assert isinstance(seen, Failure)
        assert seen.kind is Kind.REFUSED
    with pytest.raises(TimeoutError):
        meet(lambda query: None, timeout_s=0.2)


def test_a_server_that_died_once_is_asked_again_on_the_same_socket() -> None:
    async def run() -> None:
        port = free_port()
        async with dns.open() as prober:
            node, options = Node("n", "127.0.0.1"), dns.Options(name="a.test", port=port)
            for _ in range(3):
                seen = await prober.ask(node, options)
                assert isinstance(seen, Failure)
                assert seen.kind is Kind.REFUSED

            class Server(asyncio.DatagramProtocol):
                def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
                    self.transport = transport

                def datagram_received(self, data: bytes, addr: tuple) -> None:
                    self.transport.sendto(reply(data, answers=A, count=1), addr)

            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", port))
            sample(await prober.ask(node, options))
            transport.close()

    asyncio.run(run())


def test_an_error_about_an_earlier_question_does_not_stop_the_next() -> None:
    async def run() -> None:
        async with dns.open() as prober:
            line = prober.line(socket.AF_INET, "127.0.0.1", free_port())
            for _ in range(3):  # on loopback the refusal is there before the next call
                line.send(b"x" * 12)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda q: b"?", "no DNS message"),
        (lambda q: q, "query came back"),
        (lambda q: reply(q, count=1), "ends within a record"),
        (lambda q: reply(q, answers=A[:-1], count=1), "ends within a record"),
        (lambda q: reply(q, answers=b"\xc0\xff" + A[2:], count=1), "does not lead back"),
        (lambda q: reply(q, answers=b"\x80" + A[2:], count=1), "label type"),
        (lambda q: reply(q, answers=A[:2] + struct.pack("!HHIH", 1, 1, 60, 3) + b"abc", count=1), "A record of 3"),
        (lambda q: reply(q, answers=A[:2] + struct.pack("!HHIH", 15, 1, 60, 1) + b"a", count=1), "MX record"),
        (lambda q: reply(q, answers=A[:2] + struct.pack("!HHIH", 2, 1, 60, 2) + b"\x01b\0", count=1), "NS record"),
        (lambda q: reply(q, answers=b"\x3fabc", count=1), "ends within a record"),
        (lambda q: reply(q, question=b"\x01b\x04test\0\0\1\0\1"), "another question (b.test)"),
        (lambda q: reply(q, question=b"\x01\xff\x04test\0\0\1\0\1"), r"another question (\255.test)"),
        (lambda q: reply(q, question=b"\x01a\x04test\0\0\x1c\0\1"), "another question"),
        (lambda q: q[:2] + struct.pack("!HHHHH", 0x8400, 0, 0, 0, 0), "does not say what was asked"),
        (lambda q: q[:2] + struct.pack("!HHHHH", 0x8400, 9, 0, 0, 0), "9 questions"),
    ],
)
def test_an_answer_that_is_none_is_rejected(answer: Answer, words: str) -> None:
    seen = meet(answer)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail


def test_answers_to_nothing_we_asked_are_dropped() -> None:
    def forged(query: bytes) -> list[bytes]:
        other = bytes([query[0] ^ 1, query[1]]) + reply(query, 0x8403)[2:]
        return [other, other, reply(query, answers=A, count=1), reply(query, 0x8402)]

    seen = sample(meet(forged))
    assert (seen.rcode, seen.answers, seen.authoritative) == ("NOERROR", ("a.test A 192.0.2.9",), True)


def test_a_server_that_does_not_know_edns_is_asked_without() -> None:
    def old(query: bytes) -> bytes:
        return reply(query, 0x8401) if query[10:12] == b"\0\1" else reply(query, answers=A, count=1)

    assert sample(meet(old)).rcode == "NOERROR"
    assert sample(meet(lambda q: reply(q, 0x8401))).rcode == "FORMERR"


def test_a_truncated_answer_that_tcp_does_not_complete_is_a_failure() -> None:
    closed = meet(lambda q: reply(q, 0x8600))
    assert isinstance(closed, Failure)
    assert closed.kind is Kind.REFUSED
    assert "over TCP" in closed.detail
    for said in (lambda q: b"", lambda q: b"\x00\xffabc", lambda q: b"\x00\x03abc"):
        seen = meet(lambda q: reply(q, 0x8600), said)
        assert isinstance(seen, Failure)
        assert seen.kind is Kind.REJECTED
    other = meet(lambda q: reply(q, 0x8600), lambda q: struct.pack("!H", len(reply(q))) + bytes([q[0] ^ 1]) + reply(q)[1:])
    assert isinstance(other, Failure)
    assert "another query's number" in other.detail
    whole = meet(lambda q: reply(q, 0x8600), lambda q: struct.pack("!H", len(reply(q, answers=A, count=1))) + reply(q, answers=A, count=1))
    assert sample(whole).truncated


def test_recursion_and_authority_are_asked_for_as_told() -> None:
    flags: list[int] = []

    def note(query: bytes) -> bytes:
        flags.append(query[2])
        return reply(query, 0x8000, A, 1)

    seen = sample(meet(note, recursion=False, authoritative=True))
    assert (flags, seen.authority_wanted, seen.authoritative) == ([0], True, False)
    meet(note)
    assert flags[1] == 1


def test_sockets_are_bounded_and_those_in_use_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "MOST_SERVERS", 3)

    async def run() -> None:
        async with dns.open() as prober:
            busy = prober.line(socket.AF_INET, "127.0.0.1", 1)
            busy.waiting[1] = asyncio.get_running_loop().create_future()
            for last in range(2, 10):
                prober.line(socket.AF_INET, f"127.0.0.{last}", 1)
            assert len(prober.lines) == 3
            assert prober.lines["127.0.0.1", 1] is busy
            waiting = busy.waiting[1]
        with pytest.raises(ConnectionAbortedError):
            await waiting
        assert busy.sock.fileno() == -1

    asyncio.run(run())


# ---- the reader ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("a.test", b"\1a\4test\0"),
        ("a.test.", b"\1a\4test\0"),
        (".", b"\0"),
        ("_sip._udp.test", b"\4_sip\4_udp\4test\0"),
        ("bücher.test", b"\x0dxn--bcher-kva\4test\0"),
        (r"a\.b.test", b"\3a.b\4test\0"),
        (r"a\032b", b"\3a b\0"),
    ],
)
def test_names_to_octets(text: str, wire: bytes) -> None:
    assert encode_name(text) == wire


@pytest.mark.parametrize("text", ["a..b", ".a", "x" * 64, ".".join(["x" * 60] * 5), "a\\", "\\300", "\\1x2"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        encode_name(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": text}, dns.Options)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8))
def test_every_name_survives_being_written_and_read(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    text, end = decode_name(wire, 0)
    assert end == len(wire)
    assert encode_name(text) == wire


@given(st.binary(max_size=300))
def test_no_octets_can_do_more_than_be_malformed(data: bytes) -> None:
    for packet in (data, b"\0\0\x84\0\0\1\0\2\0\0\0\0" + data):
        try:
            seen = decode(packet)
        except MalformedError:
            continue
        assert len(seen.answers) <= 65535


@given(st.sampled_from(sorted(TYPES.values())), st.binary(max_size=60), st.integers(0, 60))
def test_no_record_can_do_more_than_be_malformed(rrtype: int, data: bytes, length: int) -> None:
    packet = b"\0\0\x84\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c" + struct.pack("!HHIH", rrtype, 1, 60, length) + data
    try:
        (record,) = decode(packet).answers
    except MalformedError:
        return
    assert record.name == "a"
    assert record.data.isprintable()


def test_pointers_can_not_make_the_reader_work_for_long() -> None:
    chain = b"".join(struct.pack("!H", 0xC000 | 12 + 2 * n) for n in range(8000))
    start = time.perf_counter()
    with pytest.raises(MalformedError):
        decode_name(b"x" * 12 + b"\xc0\x0c" + chain, 14 + 15990)
    assert time.perf_counter() - start < 0.5


def test_query_is_as_rfc_1035_and_6891_say() -> None:
    assert encode_query(0x1234, "a", "A", recursion=False, edns=False) == b"\x12\x34\0\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"
    assert encode_query(1, "a", "A").endswith(b"\1a\0\0\1\0\1" + b"\0\0\x29\x04\xd0\0\0\0\0\0\0")
    assert reverse("2001:db8::1").endswith("8.b.d.0.1.0.0.2.ip6.arpa")


MOVED = """
import asyncio, json, socket, subprocess, threading
from probe.inventory import Node
from probe.probers import dns

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def serve(sock):
    while True:
        query, peer = sock.recvfrom(2000)
        sock.sendto(query[:2] + b"\\x84\\0" + query[4:8] + bytes(4) + query[12:19], peer)

async def main():
    async with dns.open() as prober:
        async def ask():
            return type(await prober.ask(Node("n", "10.88.0.5"), dns.Options(name="a"))).__name__
        seen = [await ask(), await ask()]
        ip("addr add 10.77.0.2/32 dev lo")
        ip("route replace local 10.88.0.0/24 dev lo src 10.77.0.2")
        ip("addr del 10.77.0.1/32 dev lo")
        print(json.dumps([*seen, await ask(), await ask()]))

ip("link set lo up")
ip("addr add 10.77.0.1/32 dev lo")
ip("route add local 10.88.0.0/24 dev lo src 10.77.0.1")
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.88.0.5", 53))
threading.Thread(target=serve, args=(server,), daemon=True).start()
asyncio.run(main())
"""


@pytest.mark.needs("unshare", "ip")
@pytest.mark.needs_root
def test_a_new_address_of_ours_costs_one_question_at_most() -> None:
    command = ["unshare", "--net", sys.executable, "-c", MOVED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["DnsSample", "DnsSample", "Failure", "DnsSample"]


# ---- options and targets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"name": "a", "rrtype": "AXFR"}, {"name": "a", "expect": "("}, {"name": "a", "port": 0}])
def test_dns_options_that_could_not_be_asked_are_refused(given: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, dns.Options)


def test_dns_target_and_item() -> None:
    assert dns.read_target("127.0.0.1") == ("127.0.0.1", {"port": 53})
    assert dns.read_target("[::1]:5353") == ("::1", {"port": 5353})
    assert dns.Options(name="a.test", rrtype="MX").item == "a.test MX"
    assert dns.Options(name="a.test", port=54).item == "a.test A :54"
