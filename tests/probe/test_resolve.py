"""Names to addresses: whose fault a missing answer is. Real resolvers answer in a namespace of their own, where nothing else is asked."""

import asyncio
import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from probe import resolve
from probe.observation.failure import Failure, Kind
from probe.resolve import Unresolved, literal_family, nameservers

# In a network and mount namespace of its own: a resolver at 127.0.0.1:53 that knows what each name is there to show.
SCRIPT = """
import asyncio, json, socket, struct, subprocess, sys, time
from probe import resolve

mode, names = sys.argv[1], sys.argv[2:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, peer):
        end = data.index(0, 12) + 5
        name, question = data[12:end], data[12:end]
        head = lambda rcode, answers: data[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, answers, 0, 0)
        if mode == "silent" or b"silent" in name:
            return
        if mode == "servfail" or b"broken" in name:
            answer = head(2, 0) + question
        elif b"good" in name and question[-3] == 1:
            answer = head(0, 1) + question + b"\\xc0\\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 7])
        elif b"good" in name or question[0] == 0:
            answer = head(0, 0) + question
        else:
            answer = head(3, 0) + question
        self.transport.sendto(answer, peer)

async def main():
    loop = asyncio.get_running_loop()
    if mode != "dead":
        await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 53))
    async def one(name):
        start = time.monotonic()
        try:
            found = [address for _, address in await resolve.resolve(name)]
        except resolve.Unresolved as why:
            found = [why.failure.kind, why.failure.detail]
        return found, time.monotonic() - start
    print(json.dumps(await asyncio.gather(*(one(name) for name in names))))

asyncio.run(main())
"""


def inside(tmp_path: Path, mode: str, *names: str) -> list[tuple[list[str], float]]:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    python = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    start = time.monotonic()
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", f'mount --bind {conf} /etc/resolv.conf && exec "$0" "$@"', *python, mode, *names],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": ".", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10, "a hanging lookup must not hold up the end of the program"
    return json.loads(done.stdout)


@pytest.mark.needs("unshare", "ip")
@pytest.mark.needs_root
def test_a_living_resolver_leaves_the_blame_with_the_name(tmp_path: Path) -> None:
    good, none, broken, silent = inside(tmp_path, "answers", "good.test", "none.test", "broken.test", "silent.test")
    assert good[0] == ["192.0.2.7"]
    assert none[0][0] == broken[0][0] == silent[0][0] == Kind.UNRESOLVED
    assert "answers other names" in broken[0][1]
    assert silent[1] < 4, "below a job's deadline of 5 s"


@pytest.mark.needs("unshare", "ip")
@pytest.mark.needs_root
@pytest.mark.parametrize("mode", ["dead", "silent", "servfail"])
def test_a_resolver_that_answers_nothing_is_ours(tmp_path: Path, mode: str) -> None:
    for found, took in inside(tmp_path, mode, "good.test", *(f"other-{n}.test" for n in range(30))):
        assert found[0] == Kind.RESOLVER, found
        assert took < 2


def test_addresses_need_no_thread_and_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "getaddresses", None)
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("fe80::1%lo", socket.AF_INET6)):
        assert asyncio.run(resolve.resolve(host)) == [(family, host)]


@pytest.mark.parametrize("host", ["", "a", "1.2.3", "1.2.3.4.5", "01.2.3.4 ", ":", "::1::", "1.2.3.4%lo"])
def test_what_is_no_address_is_a_name(host: str) -> None:
    assert literal_family(host) == 0


def test_many_who_ask_for_one_name_share_one_lookup_and_its_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def slow(host: str, family: int) -> list[tuple[int, str]]:
        calls.append(host)
        time.sleep(0.05)
        return [(2, "192.0.2.1")]

    async def run() -> None:
        first = asyncio.create_task(names.find("a.test", 0))
        others = [asyncio.create_task(names.find("a.test", 0)) for _ in range(20)]
        await asyncio.sleep(0.01)
        first.cancel()  # one who gives up takes nothing from the others
        assert {tuple(await other) for other in others} == {((2, "192.0.2.1"),)}
        assert await names.find("a.test", 0) == [(2, "192.0.2.1")]

    names = resolve._Names()
    monkeypatch.setattr(resolve, "getaddresses", slow)
    asyncio.run(run())
    assert calls == ["a.test"]


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    names = resolve._Names()
    monkeypatch.setattr(resolve, "MOST_NAMES", 10)
    monkeypatch.setattr(resolve, "getaddresses", lambda host, family: [(2, "192.0.2.1")])

    async def run() -> None:
        for n in range(50):
            await names.find(f"n{n}.test", 0)

    asyncio.run(run())
    assert list(names.known) == [(f"n{n}.test", 0) for n in range(40, 50)]


def test_a_name_that_can_not_be_sent_is_the_names_fault() -> None:
    with pytest.raises(Unresolved) as why:
        asyncio.run(resolve._Names().find("x" * 70 + ".test", 0))
    assert why.value.failure.kind is Kind.UNRESOLVED


def test_our_own_error_in_looking_up_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: str, family: int) -> list[tuple[int, str]]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(resolve, "getaddresses", fail)
    with pytest.raises(Unresolved) as why:
        asyncio.run(resolve._Names().find("a.test", 0))
    assert why.value.failure.ours


def test_a_name_that_waits_behind_hanging_ones_is_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    back = threading.Event()

    async def lives(self: object) -> bool:
        return True

    async def run() -> list[Failure]:
        names = resolve._Names()
        hosts = ("hangs.test", "also.test", "good.test")
        found = await asyncio.gather(*(names.find(host, 0) for host in hosts), return_exceptions=True)
        return [why.failure for why in found if isinstance(why, Unresolved)]

    monkeypatch.setattr(resolve, "MOST_LOOKUPS", 2)
    monkeypatch.setattr(resolve, "PATIENCE_S", 0.05)
    monkeypatch.setattr(resolve, "LIMIT_S", 0.2)
    monkeypatch.setattr(resolve._Names, "resolver_lives", lives)
    monkeypatch.setattr(resolve, "getaddresses", lambda host, family: back.wait(10))
    try:
        hangs, also, good = asyncio.run(run())
    finally:
        back.set()
    assert (hangs.kind, also.kind) == (Kind.UNRESOLVED, Kind.UNRESOLVED)
    assert good.ours
    assert "good.test was not looked up" in good.detail


def test_nameservers_are_those_of_the_file_and_at_most_three(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# nameserver 10.9.9.9\nsearch test\nnameserver 10.0.0.1\nnameserver\nnameserver ::1\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"
    )
    assert nameservers(str(conf)) == ["10.0.0.1", "::1", "10.0.0.3"]
    assert nameservers(str(tmp_path / "none")) == ["127.0.0.1"]
