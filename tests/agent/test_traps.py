"""SNMP notifications: real traps and informs of every version, storms, strangers, and what is no notification at all."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.agent import traps as taking
from probe.agent.settings.forms import CredentialForm
from probe.agent.settings.secret import Secret
from probe.agent.settings.settings import Agent, Settings
from probe.agent.traps import Traps, open_socket, plain, receiving
from probe.inventory import Inventory, Node
from probe.observation.failure import Failure, Kind
from probe.resolve import Unresolved
from probe.snmp import ber, v3_receiver
from probe.snmp.ber import Malformed
from probe.snmp.trap import acknowledge, name_of, read_trap, version_of
from probe.snmp.v3_receiver import sender_of

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
V3 = ["-v3", "-u", "watcher", "-a", "SHA-256", "-A", "a long secret", "-x", "AES", "-X", "another secret", "-l", "authPriv"]
STORM = 20_000


def settings(tmp_path: Path, **nodes: str | None) -> Settings:
    """Return settings with nodes (name: credential) on 127.0.0.1, 127.0.0.2, …"""
    for name, secret in (("public", "public"), ("auth", "a long secret"), ("privacy", "another secret")):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    credentials = {
        "ro": CredentialForm(name="ro", snmp="v2c", community=Secret("file", str(tmp_path / "public"))),
        "v3": CredentialForm(
            name="v3",
            snmp="v3",
            user="watcher",
            auth="sha256",
            auth_password=Secret("file", str(tmp_path / "auth")),
            privacy="aes128",
            privacy_password=Secret("file", str(tmp_path / "privacy")),
        ),
    }
    known = {name: Node(name, f"127.0.0.{number}", snmp=credential) for number, (name, credential) in enumerate(nodes.items(), 1)}
    return Settings(Agent("here"), Inventory("here", known), credentials=credentials)


def hear(found: Settings, send: Callable[[int], object], until: Callable[[Traps], bool]) -> tuple[Traps, list[str]]:
    """Run the receiving end while `send(port)` runs in a thread, until something is true; return it and whom it looked at."""

    async def run() -> tuple[Traps, list[str]]:
        looked: list[str] = []
        sock = open_socket("127.0.0.1", 0)
        async with receiving(sock, looked.append) as traps, asyncio.timeout(30):
            await traps.admit(found)
            await asyncio.to_thread(send, sock.getsockname()[1])
            while not until(traps):
                await asyncio.sleep(0.005)
        return traps, looked

    return asyncio.run(run())


def trap(*words: str, program: str = "snmptrap") -> Callable[[int], object]:
    def send(port: int) -> None:
        subprocess.run([program, *words[:-1], f"127.0.0.1:{port}", *words[-1].split()], check=True, capture_output=True, timeout=20)

    return send


@contextmanager
def sender(address: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        yield sock


def datagrams(*contents: bytes, address: str = "127.0.0.1") -> Callable[[int], None]:
    def send(port: int) -> None:
        with sender(address) as sock:
            for content in contents:
                sock.sendto(content, ("127.0.0.1", port))

    return send


def counted(**wanted: int) -> Callable[[Traps], bool]:
    names = {name.replace("_", "-"): count for name, count in wanted.items()}
    return lambda traps: all(traps.tally.outcomes[name] >= count for name, count in names.items())


def a_trap(community: bytes = b"public", oid: bytes = bytes.fromhex("2b0601060301010503"), tag: int = 0xA7) -> bytes:
    """Return a v2c notification, byte by byte (RFC 3416 3)."""

    def tlv(kind: int, content: bytes) -> bytes:
        return bytes((kind, len(content))) + content

    up_time = tlv(0x30, tlv(6, bytes.fromhex("2b06010201010300")) + tlv(0x43, b"\x2a"))
    trap_oid = tlv(0x30, tlv(6, bytes.fromhex("2b060106030101040100")) + tlv(6, oid))
    pdu = tlv(2, b"\x11\x22\x33\x44") + tlv(2, b"\0") + tlv(2, b"\0") + tlv(0x30, up_time + trap_oid)
    return tlv(0x30, tlv(2, b"\x01") + tlv(4, community) + tlv(tag, pdu))


def a_v3_message(engine: bytes, user: bytes = b"watcher") -> bytes:
    """Return a v3 message that claims to be of `user`, authenticated and encrypted, and is not (RFC 3412 6, RFC 3414 2.4)."""
    flags, zero = ber.element(4, b"\x03"), ber.element(2, b"\0")
    security = ber.element(
        0x30, ber.element(4, engine) + zero + zero + ber.element(4, user) + ber.element(4, bytes(24)) + ber.element(4, bytes(8))
    )
    header = ber.element(0x30, ber.element(2, b"\x01") + ber.element(2, b"\x05\xdc") + flags + ber.element(2, b"\x03"))
    return ber.element(0x30, ber.element(2, b"\x03") + header + ber.element(4, security) + ber.element(4, bytes(48)))


@pytest.mark.needs("snmptrap")
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["-v1", "-c", "public", "1.3.6.1.4.1.8072 10.0.0.1 2 0 123"], "linkDown"),
        (["-v1", "-c", "public", "1.3.6.1.4.1.2011.5 10.0.0.1 6 7 123"], "enterprise 2011"),
        (["-v2c", "-c", "public", f"123 {LINK_DOWN} 1.3.6.1.2.1.2.2.1.1.7 i 7"], "linkDown"),
    ],
)
def test_a_trap_makes_the_agent_look_at_its_sender(tmp_path: Path, words: list[str], name: str) -> None:
    traps, looked = hear(settings(tmp_path, core="ro"), trap(*words), counted(accepted=1))
    assert looked == ["core"]
    assert traps.tally.counts() == {("accepted", name): 1}


@pytest.mark.needs("snmptrap", "snmpinform")
@pytest.mark.parametrize("program", ["snmptrap", "snmpinform"])
def test_v3_is_accepted_from_whom_it_proves_to_be(tmp_path: Path, program: str) -> None:
    found = settings(tmp_path, core="v3")
    traps, looked = hear(found, trap(*V3, f"123 {LINK_DOWN}", program=program), counted(accepted=1))
    assert looked == ["core"]
    assert traps.tally.names == {"linkDown": 1}


@pytest.mark.needs("snmptrap")
def test_v3_with_a_wrong_password_proves_nothing(tmp_path: Path) -> None:
    words = ["wrong secret" if word == "a long secret" else word for word in V3]
    traps, looked = hear(settings(tmp_path, core="v3"), trap(*words, f"123 {LINK_DOWN}"), counted(not_proved=1))
    assert looked == []
    assert traps.tally.outcomes["accepted"] == 0


@pytest.mark.needs("snmptrap")
@pytest.mark.parametrize("level", ["noAuthNoPriv", "authNoPriv"])
def test_v3_without_what_the_credential_asks_for_proves_nothing(tmp_path: Path, level: str) -> None:
    traps, looked = hear(settings(tmp_path, core="v3"), trap(*V3[:-1], level, f"123 {LINK_DOWN}"), counted(not_proved=1))
    assert (looked, traps.tally.outcomes["accepted"]) == ([], 0)


@pytest.mark.needs("snmptrap")
def test_forged_engines_of_v3_lock_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = [a_v3_message(bytes((0x80, 0, 0, 0, number))) for number in range(12)]
    odd = [a_v3_message(engine) for engine in (b"", b"\x80", b"\x80abc", bytes(33))]

    def send(port: int) -> None:
        datagrams(*odd, *forged)(port)
        monkeypatch.setattr(v3_receiver, "TRY_S", 0.0)  # the time for which a flood has us try no more is over
        trap(*V3, f"123 {LINK_DOWN}")(port)

    traps, looked = hear(settings(tmp_path, core="v3"), send, counted(accepted=1, not_proved=13))
    assert looked == ["core"]
    assert traps.tally.outcomes == {"accepted": 1, "not-proved": 13, "malformed": 3}


@pytest.mark.needs("snmptrap", "snmpinform")
@pytest.mark.parametrize("program", ["snmptrap", "snmpinform"])
def test_two_users_of_one_name_are_told_apart_by_their_passwords(tmp_path: Path, program: str) -> None:
    found = settings(tmp_path, core="v3", edge="other")
    other = msgspec.structs.replace(found.credentials["v3"], name="other", auth_password=Secret("file", str(tmp_path / "privacy")))
    found = msgspec.structs.replace(found, credentials={**found.credentials, "other": other})
    engine = ["-e", "0x8000000001020304"] if program == "snmptrap" else []  # two devices of one engine ID; of an inform it is ours
    theirs = ["another secret" if word == "a long secret" else word for word in V3]

    def send(port: int) -> None:
        for words, address in ((V3, "127.0.0.1"), (theirs, "127.0.0.2"), (V3, "127.0.0.1")):
            trap(*words, *engine, f"--clientaddr={address}", f"123 {LINK_DOWN}", program=program)(port)

    traps, looked = hear(found, send, counted(accepted=3))
    assert (sorted(set(looked)), traps.tally.names) == (["core", "edge"], {"linkDown": 3})


def test_nodes_behind_one_address_are_told_apart_by_their_credentials(tmp_path: Path) -> None:
    found = settings(tmp_path, core="ro", edge=None)
    (tmp_path / "other").write_text("other")
    nodes = {name: Node(name, "127.0.0.1", snmp=credential) for name, credential in (("core", "ro"), ("edge", "other"), ("far", "v3"))}
    more = CredentialForm(name="other", snmp="v2c", community=Secret("file", str(tmp_path / "other")))
    (tmp_path / "other").chmod(0o600)
    found = msgspec.structs.replace(found, inventory=Inventory("here", nodes), credentials={**found.credentials, "other": more})
    traps, looked = hear(found, datagrams(a_trap(b"other"), a_trap(b"guess")), counted(accepted=1, wrong_credential=1))
    assert looked == ["edge"]
    assert traps.tally.outcomes == {"accepted": 1, "wrong-credential": 1}


def test_a_name_that_no_longer_resolves_leads_to_where_it_last_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(tmp_path, core="ro")
    node = msgspec.structs.replace(found.inventory.nodes["core"], address="core.example")
    found = msgspec.structs.replace(found, inventory=Inventory("here", {"core": node, "nowhere": Node("nowhere")}))
    answers = [[(2, "127.0.0.1")], Unresolved(Failure(Kind.RESOLVER, "no answer"))]

    async def resolve(name: str) -> list[tuple[int, str]]:
        assert name == "core.example"
        answer = answers.pop(0)
        if isinstance(answer, Unresolved):
            raise answer
        return answer

    async def run() -> Traps:
        sock = open_socket("127.0.0.1", 0)
        async with receiving(sock, lambda _: None) as traps, asyncio.timeout(10):
            await traps.admit(found)
            await traps.admit(found)
            datagrams(a_trap())(sock.getsockname()[1])
            while not traps.tally.outcomes:
                await asyncio.sleep(0.005)
        return traps

    monkeypatch.setattr(taking, "resolve", resolve)
    assert asyncio.run(run()).tally.outcomes == {"accepted": 1}


@pytest.mark.needs("snmpinform")
def test_an_inform_of_v2c_is_acknowledged(tmp_path: Path) -> None:
    words = ["-v2c", "-c", "public", "-t", "5", "-r", "0", f"123 {LINK_DOWN}"]
    traps, looked = hear(
        settings(tmp_path, core="ro"), trap(*words, program="snmpinform"), counted(accepted=1)
    )  # it fails without an answer
    assert looked == ["core"]
    assert traps.tally.outcomes["accepted"] == 1


def test_a_stranger_is_counted_and_looked_at_by_nobody(tmp_path: Path) -> None:
    traps, looked = hear(settings(tmp_path, core="ro"), datagrams(a_trap(), address="127.0.0.9"), counted(stranger=1))
    assert (looked, traps.tally.counts()) == ([], {("stranger", ""): 1})


@pytest.mark.parametrize(("credential", "taken"), [("ro", False), ("v3", False), (None, True)])
def test_a_node_with_a_credential_must_show_it(tmp_path: Path, credential: str | None, taken: bool) -> None:
    wanted = counted(accepted=1) if taken else counted(wrong_credential=1)
    _, looked = hear(settings(tmp_path, core=credential), datagrams(a_trap(b"guessed")), wanted)
    assert looked == (["core"] if taken else [])


def test_a_secret_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    found = settings(tmp_path, core="ro")
    (tmp_path / "public").unlink()
    _, looked = hear(found, datagrams(a_trap(b""), a_trap(b"public")), counted(wrong_credential=2))
    assert looked == []


def test_a_storm_is_counted_to_the_last_trap_and_looked_at_twice_at_most(tmp_path: Path) -> None:
    flood = (
        "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('127.0.0.1',0))\n"
        f"d=bytes.fromhex('{a_trap().hex()}')\nfor _ in range({STORM}): s.sendto(d,('127.0.0.1',int(sys.argv[1])))"
    )

    def send(port: int) -> None:
        subprocess.run([sys.executable, "-c", flood, str(port)], check=True, timeout=30)

    traps, looked = hear(settings(tmp_path, core="ro"), send, counted(accepted=STORM))
    assert traps.tally.counts() == {("accepted", "linkDown"): STORM}
    assert looked in (["core"], ["core", "core"])


def test_what_a_device_tells_late_is_seen_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "LOOK_AGAIN_S", (0.1, 0.3))

    async def run() -> list[str]:
        looked: list[str] = []
        last: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look(name: str) -> None:
            looked.append(name)
            if len(looked) == 3:
                last.set_result(None)

        sock = open_socket("127.0.0.1", 0)
        async with receiving(sock, look) as traps, asyncio.timeout(10):
            await traps.admit(settings(tmp_path, core="ro"))
            datagrams(a_trap(), a_trap(), a_trap())(sock.getsockname()[1])
            await last
        return looked

    assert asyncio.run(run()) == ["core", "core", "core"]


def test_what_is_no_notification_is_counted_and_nothing_else_is_lost(tmp_path: Path) -> None:
    rubbish = [b"", b"\x30", b"hello", b"\x30\x84\xff\xff\xff\xff", a_trap()[:-3], a_trap(tag=0xA0), b"\x30\x03\x02\x01\x07"]
    traps, looked = hear(settings(tmp_path, core="ro"), datagrams(*rubbish, a_trap()), counted(accepted=1, malformed=len(rubbish)))
    assert traps.tally.outcomes == {"accepted": 1, "malformed": len(rubbish)}
    assert looked == ["core"]


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for read in (version_of, read_trap, acknowledge, sender_of):
        try:
            read(data)
        except Malformed:
            continue


@given(st.integers(0, len(a_trap()) - 1), st.integers(0, 255))
def test_a_trap_with_one_wrong_octet_is_read_or_refused(place: int, octet: int) -> None:
    data = bytearray(a_trap())
    data[place] = octet
    try:
        found = read_trap(bytes(data))
    except Malformed:
        return
    assert found.version == 1


def test_an_inform_is_answered_as_rfc_3416_wants() -> None:
    said = a_trap(tag=0xA6)
    answer = acknowledge(said)
    assert len(answer) == len(said)
    assert [(place, octet) for place, octet in enumerate(answer) if octet != said[place]] == [(said.index(0xA6), 0xA2)]


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        (LINK_DOWN, "linkDown"),
        ("1.3.6.1.6.3.1.1.5.5", "authenticationFailure"),
        ("1.3.6.1.4.1.2011.5.25.31.2.10", "enterprise 2011"),
        ("1.3.6.1.4.1.9", "enterprise 9"),
        ("1.2.3", "other"),
        ("", "other"),
    ],
)
def test_names_are_few(oid: str, name: str) -> None:
    assert name_of(oid) == name


@pytest.mark.parametrize(
    ("text", "same"), [("::ffff:127.0.0.1", "127.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("2001:DB8::0:1", "2001:db8::1")]
)
def test_addresses_compare_in_one_form(text: str, same: str) -> None:
    assert plain(text) == same


def test_a_reload_says_that_the_listener_changes_only_by_a_restart(service: Any, until: Any) -> None:
    service.configure('[[node]]\nname = "here"\naddress = "127.0.0.1"\n[[node.check]]\nprober = "tcp"\nport = 9\n')
    service.start()
    service.config.write_text(service.config.read_text() + '\n[traps]\nlisten = "127.0.0.1:16162"\n')
    service.process.send_signal(signal.SIGHUP)
    until(lambda: "[traps] changes only by a restart" in service.journal, why="it is said")
