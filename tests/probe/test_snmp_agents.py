"""The `snmp` prober against a real net-snmp agent in every version, and against the ways in which one does not answer."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from probe.inventory import Node
from probe.job import Job
from probe.observation.device import DeviceSample
from probe.observation.failure import Failure, Kind
from probe.probers import snmp
from probe.probers.snmp import Options
from probe.run import observe
from tests.probe.snmp_agent import GET, SYSTEM, agent, answer, numbers, octets

pytestmark = pytest.mark.needs("snmpd")

AUTHS = {"md5": "MD5", "sha1": "SHA", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
PRIVACIES = {"none": "", "des": "DES", "aes128": "AES", "aes192": "AES-192", "aes256": "AES-256"}
AUTH_WORD, PRIVACY_WORD = "auth word of the lab", "privacy word of the lab"
CONFIG = """agentaddress udp:127.0.0.1:{port}
engineID {engine}
sysName edge1
sysLocation test bench
rocommunity public 127.0.0.1
rocommunity narrow 127.0.0.1 .1.3.6.1.2.1.25
{users}
"""


def users() -> str:
    lines = ["createUser plain", "rouser plain noauth"]
    for auth, word in AUTHS.items():
        for privacy, how in PRIVACIES.items():
            lines.append(f'createUser {auth}{privacy} {word} "{AUTH_WORD}"' + (f' {how} "{PRIVACY_WORD}"' if how else ""))
            lines.append(f"rouser {auth}{privacy} {'priv' if how else 'auth'}")
    return "\n".join(lines)


class Snmpd:
    """A net-snmp agent on loopback with its own configuration and persistent folder."""

    def __init__(self, folder, binary, port, run_daemon):
        self.folder, self.binary, self.port, self._daemon = folder, binary, port, run_daemon
        self.log = folder / "log"
        self.process = None

    @contextlib.contextmanager
    def running(self, engine="the-first"):
        (self.folder / "snmpd.conf").write_text(CONFIG.format(port=self.port, engine=engine, users=users()))
        persistent = self.folder / f"persistent-{engine}"
        persistent.mkdir(exist_ok=True)
        command = [self.binary, "-f", "-Lf", self.folder / "snmpd.log", "-C", "-c", self.folder / "snmpd.conf"]
        with self._daemon(command, self.log, env={**os.environ, "SNMP_PERSISTENT_DIR": str(persistent), "MIBS": ""}) as self.process:
            self.wait()
            yield self

    def wait(self) -> None:
        """Wait for an answer to a v2c question."""
        question = bytes.fromhex("302902010104067075626c6963a01c02040badcafe020100020100300e300c06082b060102010103000500")
        end = time.monotonic() + 20
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.1)
            sock.connect(("127.0.0.1", self.port))
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    sock.send(question)
                    sock.recv(1500)
                    return
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.02)
        raise AssertionError("snmpd does not answer")


@pytest.fixture(scope="module")
def make_snmpd(tmp_path_factory, binary):
    from tests.probe.conftest import daemon, free_port

    return lambda: Snmpd(tmp_path_factory.mktemp("snmpd"), binary("snmpd"), free_port(socket.SOCK_DGRAM), daemon)


@pytest.fixture(scope="module")
def snmpd(make_snmpd):
    with make_snmpd().running() as server:
        yield server


def v3(user, auth="none", privacy="none", auth_password=AUTH_WORD, privacy_password=PRIVACY_WORD):
    return {
        "version": "v3", "user": user, "auth": auth, "privacy": privacy,
        "auth_password": auth_password if auth != "none" else None, "privacy_password": privacy_password if privacy != "none" else None,
    }  # fmt: skip


FEW = {"parts": ("system",), "wait_ms": 100}


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_communities_are_answered(snmpd, ask, version) -> None:
    seen = ask("snmp", snmpd.port, version=version, community="public", parts=("system", "interfaces"))
    assert isinstance(seen, DeviceSample), seen
    assert (seen.identity.name, seen.identity.object_id[:16]) == ("edge1", "1.3.6.1.4.1.8072")
    assert seen.uptime_s > 0


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("privacy", PRIVACIES)
def test_users_of_every_kind_are_answered(snmpd, ask, auth, privacy) -> None:
    seen = ask("snmp", snmpd.port, **v3(auth + privacy, auth, privacy), **FEW)
    assert isinstance(seen, DeviceSample), seen
    assert seen.identity.name == "edge1"


def test_user_without_authentication_is_answered(snmpd, ask) -> None:
    assert isinstance(ask("snmp", snmpd.port, **v3("plain"), **FEW), DeviceSample)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (v3("nobody", "sha256"), "knows no user nobody"),
        (v3("nobody"), "knows no user nobody"),
        (v3("sha256aes128", "sha256", "aes128", auth_password="not the word at all"), "not this authentication password or protocol"),
        (v3("sha256aes128", "sha1", "aes128"), "not this authentication password or protocol"),
        (v3("sha256aes128", "sha256", "aes128", privacy_password="not the word at all"), "a wrong privacy password"),
        (v3("sha256aes128", "sha256", "des"), "a wrong privacy password"),
        (v3("plain", "sha256"), "does not let user plain ask at the level authNoPriv"),
    ],
)
def test_wrong_user_is_rejected_in_words(snmpd, ask, options, words) -> None:
    seen = ask("snmp", snmpd.port, **options, **FEW)
    assert isinstance(seen, Failure), seen
    assert (seen.kind, words in seen.detail) == (Kind.REJECTED, True), seen
    assert AUTH_WORD not in seen.detail
    assert PRIVACY_WORD not in seen.detail


@pytest.mark.parametrize("user", ["sha256none", "sha256aes128"])
def test_user_below_the_level_that_is_demanded_sees_nothing_and_is_told(snmpd, ask, user) -> None:
    seen = ask("snmp", snmpd.port, **v3(user), **FEW)
    assert isinstance(seen, Failure), seen
    assert seen.kind is Kind.REJECTED
    assert "narrow" in seen.detail or "demands" in seen.detail


def test_narrow_view_is_a_rejection_and_no_empty_device(snmpd, ask) -> None:
    seen = ask("snmp", snmpd.port, community="narrow", **FEW)
    assert isinstance(seen, Failure), seen
    assert (seen.kind, "narrow" in seen.detail) == (Kind.REJECTED, True)


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_wrong_community_is_a_timeout_beside_which_the_device_answers_ping(snmpd, ask, version) -> None:
    seen = ask("snmp", snmpd.port, version=version, community="wrong", **FEW)
    assert seen.kind is Kind.TIMEOUT
    assert ("answers ping" in seen.detail and "community" in seen.detail) or "icmp tells the first" in seen.detail
    assert "wrong " not in seen.detail.replace("is wrong", "").replace("a wrong", "")


@pytest.mark.parametrize("options", [{"community": "public"}, v3("sha1aes128", "sha1", "aes128")])
def test_dead_agent_is_refused_and_not_a_dead_device(ask, free_udp_port, options) -> None:
    start = time.monotonic()
    seen = ask("snmp", free_udp_port(), **options, parts=("system",))
    assert (seen.kind, "agent" in seen.detail) == (Kind.REFUSED, True)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("options", [{"community": "public"}, v3("sha1aes128", "sha1", "aes128")])
def test_stopped_agent_is_a_timeout_and_answers_again_afterwards(make_snmpd, options) -> None:
    with make_snmpd().running() as server:
        job = job_of(server.port, **options, **FEW)

        async def look() -> list:
            found = []
            async with snmp.open() as prober:
                for sent in (None, signal.SIGSTOP, signal.SIGCONT):
                    if sent:
                        server.process.send_signal(sent)
                    found.append((await observe(job, prober, lambda: datetime.now(UTC))).outcome)
            return found

        before, stopped, after = asyncio.run(look())
    assert isinstance(before, DeviceSample), before
    assert isinstance(after, DeviceSample), after
    assert stopped.kind is Kind.TIMEOUT
    assert "agent is stopped" in stopped.detail or "icmp tells the first" in stopped.detail


def job_of(port, host="127.0.0.1", **options) -> Job:
    return Job("here", Node("target", host), "snmp", Options(port=port, **options), timeout_s=20)


@pytest.mark.parametrize("engines", [("the-first", "the-second"), ("the-first", "the-first")])
def test_restarted_agent_is_followed_whether_its_engine_is_the_same_or_another(make_snmpd, engines) -> None:
    server = make_snmpd()
    job = job_of(server.port, **v3("sha256aes128", "sha256", "aes128"), **FEW)

    async def look() -> list:
        found = []
        async with snmp.open() as prober:
            for engine in engines:
                with server.running(engine):
                    for _ in range(2):
                        found.append((await observe(job, prober, lambda: datetime.now(UTC))).outcome)
        return found

    seen = asyncio.run(look())
    assert all(isinstance(one, DeviceSample) for one in seen), seen


def test_session_that_was_idle_learns_the_engine_s_time_anew(snmpd, ask_twice, monkeypatch) -> None:
    monkeypatch.setattr("probe.snmp.session.FRESH_S", -1.0)  # as if more than 100 s had passed since every answer
    seen = ask_twice("snmp", snmpd.port, **v3("sha256aes128", "sha256", "aes128"), **FEW)
    assert [type(one) for one in seen] == [DeviceSample] * 2


@contextlib.contextmanager
def changing(port, change):
    """Run a relay before an agent that puts every answer through `change`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        front.bind(("127.0.0.1", 0))
        back.connect(("127.0.0.1", port))
        back.settimeout(1)
        front.settimeout(0.05)
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    question, peer = front.recvfrom(65535)
                    back.send(question)
                    front.sendto(change(back.recv(65535)), peer)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield front.getsockname()[1]
        finally:
            over.set()
            thread.join()


def unsigned(answer: bytes) -> bytes:
    """Return an answer of SHA-256 without privacy that says of itself that it is not signed: msgFlags 1 → 0, without digest."""
    return answer.replace(b"\x04\x01\x01\x02\x01\x03", b"\x04\x01\x00\x02\x01\x03")


@pytest.mark.parametrize("auth", AUTHS)
def test_answer_that_was_changed_on_the_way_is_not_taken(snmpd, ask, auth) -> None:
    with changing(snmpd.port, lambda answer: answer.replace(b"edge1", b"EDGE2")) as port:
        seen = ask("snmp", port, **v3(f"{auth}none", auth), **FEW)
        same = ask("snmp", port, **v3("plain"), **FEW)
    assert isinstance(seen, DeviceSample), seen
    assert seen.identity.name == ""
    assert any("not signed with this user's key" in odd.detail for odd in seen.anomalies)
    assert same.identity.name == "EDGE2"  # without authentication nothing protects it


def test_answer_that_is_not_signed_at_all_is_not_taken(snmpd, ask) -> None:
    with changing(snmpd.port, unsigned) as port:
        seen = ask("snmp", port, **v3("sha256none", "sha256"), **FEW)
    assert (seen.kind, "not signed with this user's key" in seen.detail) == (Kind.REJECTED, True), seen


def test_answers_pass_unchanged_through_the_relay(snmpd, ask) -> None:
    with changing(snmpd.port, bytes) as port:
        assert isinstance(ask("snmp", port, **v3("sha256none", "sha256"), **FEW), DeviceSample)


def test_answer_from_another_address_is_named() -> None:
    with agent(SYSTEM) as it:
        it.elsewhere = True

        async def look():
            async with snmp.open() as prober:
                return (await observe(job_of(it.port, community="public", **FEW), prober, lambda: datetime.now(UTC))).outcome

        seen = asyncio.run(look())
        port = it.other.getsockname()[1]
    assert (seen.kind, f"come from 127.0.0.1 port {port}" in seen.detail) == (Kind.TIMEOUT, True), seen


@pytest.mark.parametrize("lost", [1, 2])
def test_device_whose_first_answers_are_lost_is_seen_all_the_same(ask, lost) -> None:
    left = [lost]

    def lose(asked, honest):
        left[0] -= 1
        return [] if left[0] >= 0 else None

    with agent(SYSTEM, lose) as it:
        seen = ask("snmp", it.port, community="public", **FEW)
    assert isinstance(seen, DeviceSample), seen


def test_device_that_answers_lone_questions_only_is_told_from_a_dead_one(ask) -> None:
    with agent(SYSTEM, lambda asked, honest: [] if len(asked.oids) > 1 else None) as it:
        seen = ask("snmp", it.port, community="public", **FEW)
    assert (seen.kind, "a lone question is answered" in seen.detail) == (Kind.TIMEOUT, True), seen


def test_ipv6_is_asked_and_doubted_alike(ask) -> None:
    with agent(SYSTEM, host="::1") as it:
        good = ask("snmp", it.port, host="::1", community="public", **FEW)
        it.elsewhere = True
        elsewhere = ask("snmp", it.port, host="::1", community="public", **FEW)
        port = it.other.getsockname()[1]
    refused = ask("snmp", port, host="::1", community="public", **FEW)
    assert isinstance(good, DeviceSample), good
    assert f"come from ::1 port {port}" in elsewhere.detail
    assert refused.kind is Kind.REFUSED


def test_garbage_is_a_rejection_with_its_reason(ask) -> None:
    with agent(SYSTEM, lambda asked, honest: [b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as it:
        seen = ask("snmp", it.port, community="public", **FEW)
    assert (seen.kind, "can't be read" in seen.detail) == (Kind.REJECTED, True), seen


def test_anomalies_of_the_conversation_are_in_the_sample(ask) -> None:
    def text_for_uptime(asked, honest):
        if asked.kind == GET and len(asked.oids) > 1:
            return [answer(asked, [*((name, it.mib.get(name)) for name in asked.oids), (numbers("1.3.6.1.4.1.7"), octets("?"))])]
        return None

    with agent(SYSTEM, text_for_uptime) as it:
        seen = ask("snmp", it.port, community="public", **FEW)
    assert isinstance(seen, DeviceSample), seen
    assert ("1.3.6.1.4.1.7", "out-of-range") in {(odd.table, odd.what) for odd in seen.anomalies}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "community: v2c needs one"),
        ({"version": "v1"}, "community: v1 needs one"),
        ({"version": "v3"}, "user: v3 needs one"),
        ({"version": "v3", "user": "u" * 33}, "32 octets"),
        ({"version": "v3", "user": "u", "auth": "sha1", "auth_password": "short"}, "at least 8 characters"),
        ({"version": "v3", "user": "u", "privacy": "des", "privacy_password": "long enough"}, "needs auth"),
        ({"community": "c", "parts": ()}, "parts: at least one"),
        ({"community": "c", "cables": ("ge1",)}, "is not PORT=NEIGHBOUR"),
        ({"community": "c", "mac": "00:11:22"}, "is no MAC address"),
        ({"community": "c", "mac": "00:11:22:33:44:55", "parts": ("routing",)}, "neighbours"),
    ],
)
def test_options_that_could_not_be_asked_are_refused(options, words) -> None:
    with pytest.raises(ValueError) as why:
        Options(**options)
    assert words in str(why.value)


def test_secrets_are_in_no_representation() -> None:
    credential = Options(**v3("u", "sha1", "des")).credential
    assert AUTH_WORD not in repr(credential) + str(credential) + repr(list(credential.__rich_repr__()))
    assert PRIVACY_WORD not in repr(credential)
    assert "s3cret" not in repr(Options(community="s3cret").credential)


def test_item_tells_checks_of_one_device_apart() -> None:
    assert Options(community="c").item == ""
    items = {Options(community="c", **more).item for more in ({"parts": ("system",)}, {"port": 1161}, {"mac": "00:11:22:aa:bb:cc"}, {})}
    assert len(items) == 4


def test_rates_need_the_look_before_of_the_same_device(make_snmpd) -> None:
    with make_snmpd().running() as server:
        job = job_of(server.port, community="public", parts=("system", "interfaces"))

        async def look() -> list:
            async with snmp.open() as prober:
                return [(await observe(job, prober, lambda: datetime.now(UTC))).outcome for _ in range(2)]

        first, second = asyncio.run(look())
    assert first.over_s is None
    assert 0 < second.over_s < 10


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("192.0.2.1", ("192.0.2.1", {})),
        ("192.0.2.1:1161", ("192.0.2.1", {"port": 1161})),
        ("core-1:161", ("core-1", {})),
        ("2001:db8::1", ("2001:db8::1", {})),
        ("[2001:db8::1]", ("2001:db8::1", {})),
        ("[2001:db8::1]:1161", ("2001:db8::1", {"port": 1161})),
        ("fe80::1%eth0", ("fe80::1%eth0", {})),
        ("[fe80::1%eth0]", ("fe80::1%eth0", {})),
        ("[fe80::1%eth0]:1161", ("fe80::1%eth0", {"port": 1161})),
    ],
)
def test_targets(text, read) -> None:
    assert snmp.read_target(text) == read


def test_link_local_address_without_its_interface_is_our_own_mistake() -> None:
    async def poll() -> object:
        async with snmp.open() as prober:
            return await prober.ask(Node("core", "fe80::1"), Options(community="public"))

    failure = asyncio.run(poll())
    assert isinstance(failure, Failure)
    assert failure.ours
    assert "fe80::1%eth0" in failure.detail
