"""Mutated answers of a real agent over real UDP: no crash, no hang, and nothing but values of the kinds that SNMP has."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.snmp import doubt
from probe.snmp.ber import Malformed
from probe.snmp.credential import Credential
from probe.snmp.doubt import Doubts, read_reply
from probe.snmp.failure import TalkError
from probe.snmp.poll import Poll
from probe.snmp.session import Sessions

RELAY = Path(__file__).with_name("snmp_fuzz_relay.py")
CREDENTIALS = (
    Credential("v2c", "public"),
    Credential("v1", "public"),
    Credential("v3", user="plain"),
    Credential("v3", user="sha", auth="sha256", auth_password="auth word", privacy="aes128", privacy_password="privacy word"),
)
CONFIG = """agentaddress udp:127.0.0.1:{port}
rocommunity public 127.0.0.1
createUser plain
rouser plain noauth
createUser sha SHA-256 "auth word" AES "privacy word"
rouser sha priv
"""
SCALARS = [f"1.3.6.1.2.1.1.{number}.0" for number in range(1, 9)]
COLUMNS = ["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.10", "1.3.6.1.2.1.1.9.1.3", "1.3.6.1.2.1.25.4.2.1.2"]
COPIES = 8
LONGEST_S = 3.0  # of one poll, whatever comes


@contextlib.contextmanager
def relayed(folder, snmpd, run_daemon, port, seed):
    """Run an agent and the relay before it: gives the relay's port, and when the block ends puts into `sent` what it has sent."""
    (folder / "snmpd.conf").write_text(CONFIG.format(port=port))
    command = [snmpd, "-f", "-Lf", folder / "snmpd.log", "-C", "-c", folder / "snmpd.conf"]
    sent: list[int] = []
    with run_daemon(command, folder / "log", env={"SNMP_PERSISTENT_DIR": str(folder), "MIBS": "", "PATH": "/usr/bin:/bin"}):
        program = [sys.executable, str(RELAY), str(port), str(seed), str(COPIES)]
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as relay:
            try:
                yield int(relay.stdout.readline()), sent
                sent.append(int(relay.communicate("\n", timeout=10)[0]))
            finally:
                relay.kill()


async def polls(port: int, seconds: float, enough: int) -> tuple[int, int, float]:
    """Poll until `enough` questions were asked; return how many polls gave something, how many nothing, and the loop's longest stop."""
    sessions, doubts = Sessions(), Doubts()
    good = bad = asked = 0
    longest_stop = 0.0
    end = time.monotonic() + seconds

    async def watch() -> None:
        nonlocal longest_stop
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest_stop = max(longest_stop, time.monotonic() - before)

    watching = asyncio.create_task(watch())
    turn = 0
    try:
        while asked < enough and time.monotonic() < end:
            turn += 1
            one = sessions.session(socket.AF_INET, "127.0.0.1", port, CREDENTIALS[turn % len(CREDENTIALS)])
            one.kept.forget()
            talk = Poll(one, time.monotonic() + LONGEST_S, doubts.error_status, 0.05)
            start = time.monotonic()
            try:
                values = dict(await talk.get(SCALARS))
                assert values.keys() <= set(SCALARS)
                for column in await talk.walk_all(COLUMNS):
                    values.update(column)
                good += 1
            except TalkError:
                values = {}
                bad += 1
            assert all(type(value) in {int, float, str, bytes, bool} for value in values.values()), values
            assert time.monotonic() - start < LONGEST_S + 1
            asked += len(values) // 10 + 5
    finally:
        watching.cancel()
        sessions.close()
        doubts.close()
    return good, bad, longest_stop


@pytest.mark.needs("snmpd")
def test_some_thousand_mutated_answers_are_survived(monkeypatch, tmp_path, binary, run_daemon, free_udp_port) -> None:
    monkeypatch.setenv("RUST_BACKTRACE", "0")  # a panic costs a line then, not a hundred
    with relayed(tmp_path, binary("snmpd"), run_daemon, free_udp_port(), 3) as (port, sent):
        good, bad, stop = asyncio.run(polls(port, 3.0, 10**9))
    assert sent[0] > 3000, sent
    assert good > 50, (good, bad)
    assert stop < 1


@pytest.mark.long
@pytest.mark.needs("snmpd")
def test_a_million_mutated_answers_are_survived(monkeypatch, tmp_path, binary, run_daemon, free_udp_port) -> None:
    monkeypatch.setenv("RUST_BACKTRACE", "0")
    total, seed = 0, 0
    while total < 1_000_000:
        seed += 1
        folder = tmp_path / str(seed)
        folder.mkdir()
        with relayed(folder, binary("snmpd"), run_daemon, free_udp_port(), seed) as (port, sent):
            good, _, stop = asyncio.run(polls(port, 60.0, 10**9))
        total += sent[0]
        assert good > 0
        assert stop < 2
        print(f"seed {seed}: {sent[0]} mutated answers, {total} in all")


def test_lone_answers_are_read_or_refused_whatever_they_are() -> None:
    import importlib.util
    import random

    spec = importlib.util.spec_from_file_location("snmp_fuzz_relay", RELAY)
    relay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(relay)
    dice = random.Random(1)
    v2 = doubt.community_question(5, Credential("v2c", "public"), 0xA2, doubt.SYS_UP_TIME)
    v3 = doubt.user_question(6, Credential("v3", user="u"), (b"engine", 1, 2)).replace(b"\xa0", b"\xa8", 1)
    assert read_reply(v2, "192.0.2.1", 161)[0] == 5
    assert read_reply(v3, "192.0.2.1", 161)[1].report == doubt.SYS_UP_TIME
    read = 0
    for turn in range(20_000):
        try:
            read_reply(relay.mutated((v2, v3)[turn % 2], dice), "192.0.2.1", 161)
            read += 1
        except Malformed:
            pass
    assert 0 < read < 20_000
