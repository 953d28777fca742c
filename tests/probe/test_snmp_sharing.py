"""One device polled by several, polls that are cut off, and what changes under the prober: address, credential, numbers of the ports."""

import asyncio
import os
import time

import pytest

from probe.inventory import Node
from probe.observation.device import DeviceSample, Restart
from probe.probers import snmp
from probe.probers.snmp import Options
from tests.probe.snmp_agent import SYSTEM, Question, agent, counter64, integer, octets, ticks

UPTIME, IF, IFX = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"


def options(port: int, community: str = "public", **others: object) -> Options:
    return Options(community=community, port=port, parts=("system", "interfaces"), **others)  # type: ignore[arg-type]


def ports(*named: tuple[int, str, int]) -> dict[str, bytes]:
    """Return rows of ports: ifIndex, name, octets received."""
    rows: dict[str, bytes] = {}
    for index, name, received in named:
        rows |= {f"{IF}.{column}.{index}": integer(value) for column, value in ((3, 6), (7, 1), (8, 1))}
        rows |= {f"{IFX}.1.{index}": octets(name), f"{IFX}.6.{index}": counter64(received), f"{IFX}.10.{index}": counter64(received)}
        rows[f"{IFX}.15.{index}"] = integer(1000, 0x42)
    return rows


def sockets() -> int:
    return sum(
        os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        for fd in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{fd}")
    )


def test_a_poll_that_is_cut_off_takes_nothing_from_another_of_the_same_device() -> None:
    def slow(asked: Question, honest: bytes) -> list[bytes]:
        time.sleep(0.03)
        return [honest]

    async def both(port: int) -> object:
        async with snmp.open() as prober:
            whole = asyncio.ensure_future(prober.ask(Node("one", "127.0.0.1"), options(port)))
            await asyncio.sleep(0.01)
            cut = asyncio.ensure_future(prober.ask(Node("other", "127.0.0.1"), options(port)))
            await asyncio.sleep(0.01)  # it waits for its turn
            cut.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cut
            return await whole

    with agent({**SYSTEM, **ports((1, "a", 5))}, slow) as running:
        seen = asyncio.run(both(running.port))
    assert isinstance(seen, DeviceSample), seen
    assert not seen.anomalies
    assert not seen.missing


def test_polls_that_are_cut_off_leave_no_socket() -> None:
    async def cut(port: int) -> tuple[int, int]:
        async with snmp.open() as prober:
            before = sockets()
            for number in range(20):
                poll = asyncio.ensure_future(prober.ask(Node(f"n{number}", f"127.0.1.{number + 1}"), options(port)))
                await asyncio.sleep(0.005)
                poll.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await poll
            del poll
            await asyncio.sleep(0)  # what the loop still had to call held the last one
            return before, sockets()

    with agent(SYSTEM, lambda asked, honest: [], host="0.0.0.0") as running:
        before, after = asyncio.run(cut(running.port))
    assert after == before


def test_a_name_that_moved_to_another_device_has_no_look_before() -> None:
    async def looks(first: int, second: int) -> list[object]:
        async with snmp.open() as prober:
            return [
                await prober.ask(Node("core", "127.0.0.1"), options(first)),
                await prober.ask(Node("core", "127.0.0.1"), options(first)),
                await prober.ask(Node("core", "localhost"), options(first, family="ipv4")),
            ]

    with agent({**SYSTEM, **ports((1, "a", 5))}) as one, agent(SYSTEM) as two:
        first, second, moved = asyncio.run(looks(one.port, two.port))
    assert [seen.over_s is None for seen in (first, second, moved)] == [True, False, True]  # type: ignore[attr-defined]


def test_a_credential_that_was_changed_is_used_at_once_and_the_old_one_no_more() -> None:
    async def looks(port: int) -> list[object]:
        async with snmp.open() as prober:
            old = await prober.ask(Node("core", "127.0.0.1"), options(port, "old"))
            running.community = b"new"
            return [old, await prober.ask(Node("core", "127.0.0.1"), options(port, "new"))]

    with agent(SYSTEM, community=b"old") as running:
        assert all(isinstance(seen, DeviceSample) for seen in asyncio.run(looks(running.port)))
        assert {asked.community for asked in running.asked[-3:]} == {b"new"}


def test_numbers_of_ports_that_change_at_a_reboot_lead_to_no_rate_of_another_port() -> None:
    first = {**SYSTEM, **ports((1, "a", 10), (2, "b", 9_000_000))}
    again = {**SYSTEM, UPTIME: ticks(1), **ports((1, "b", 9_000_500), (2, "a", 400), (3, "c", 1))}

    async def looks() -> list[object]:
        async with snmp.open() as prober:
            found = [await prober.ask(Node("core", "127.0.0.1"), options(running.port)) for _ in range(2)]
            running.mib = type(running.mib)(again)
            return [*found, await prober.ask(Node("core", "127.0.0.1"), options(running.port))]

    with agent(first) as running:
        _, second, rebooted = asyncio.run(looks())
    assert isinstance(second, DeviceSample)
    assert isinstance(rebooted, DeviceSample)
    assert second.interfaces is not None
    assert rebooted.interfaces is not None
    assert {port.name: port.in_bps for port in second.interfaces.interfaces} == {"a": 0.0, "b": 0.0}
    assert rebooted.restart is Restart.DEVICE
    assert {(port.name, port.index): port.in_bps for port in rebooted.interfaces.interfaces} == dict.fromkeys(
        (("b", 1), ("a", 2), ("c", 3))
    )


def test_a_wrap_after_497_days_reaches_the_judge_as_a_long_uptime() -> None:
    async def looks() -> list[object]:
        async with snmp.open() as prober:
            first = await prober.ask(Node("core", "127.0.0.1"), options(running.port))
            running.mib = type(running.mib)({**SYSTEM, UPTIME: ticks(20)})
            return [first, await prober.ask(Node("core", "127.0.0.1"), options(running.port))]

    with agent({**SYSTEM, UPTIME: ticks(2**32 - 5)}) as running:
        first, wrapped = asyncio.run(looks())
    assert isinstance(first, DeviceSample)
    assert isinstance(wrapped, DeviceSample)
    assert (wrapped.restart, wrapped.uptime_s) == (Restart.NONE, (2**32 + 20) / 100)
