"""A server as net-snmp shows it, against what the kernel of this very machine says."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from probe.inventory import Node
from probe.observation.device import DeviceSample, Restart
from probe.probers import snmp
from probe.probers.snmp import Options, SnmpProber
from tests.probe.conftest import daemon, free_port

pytestmark = pytest.mark.needs("snmpd")

NODE = Node("server", "127.0.0.1")
QUESTION = bytes.fromhex("302902010104067075626c6963a01c02040badcafe020100020100300e300c06082b060102010103000500")


@contextlib.contextmanager
def running(folder: Path, program: str, port: int) -> Iterator[None]:
    """Run net-snmp on this port of loopback until the end of the block."""
    config = folder / "snmpd.conf"
    config.write_text(f"agentaddress udp:127.0.0.1:{port}\nrocommunity public 127.0.0.1\nincludeAllDisks 10%\n")
    command = [program, "-f", "-Lf", str(folder / "snmpd.log"), "-C", "-c", str(config)]
    with daemon(command, folder / "out", env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder), "MIBS": ""}) as process:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.1)
            sock.connect(("127.0.0.1", port))
            while not answers(sock):
                assert process.poll() is None, (folder / "out").read_text()
                time.sleep(0.02)
        yield


def answers(sock: socket.socket) -> bool:
    try:
        sock.send(QUESTION)
        return bool(sock.recv(1500))
    except OSError:
        return False


async def look(prober: SnmpProber, options: Options) -> DeviceSample:
    sample = await prober.ask(NODE, options)
    assert isinstance(sample, DeviceSample), sample
    return sample


def lo_octets() -> int:
    return psutil.net_io_counters(pernic=True)["lo"].bytes_recv


def test_server_is_seen_as_its_kernel_sees_it(tmp_path: Path, binary) -> None:
    port = free_port(socket.SOCK_DGRAM)
    options = Options(community="public", port=port, ports=("lo", "nosuch0"), expected=("snmpd", "no such program"))

    async def looks() -> tuple[int, DeviceSample, int, DeviceSample, DeviceSample]:
        async with snmp.open() as prober:
            with running(tmp_path, binary("snmpd"), port):
                least = lo_octets()
                first = await look(prober, options)
                most = lo_octets()
                second = await look(prober, options)
                while (second.uptime_s or 0) < 3:  # so that the next agent's time can't be taken for this one's
                    await asyncio.sleep(0.1)
                    second = await look(prober, options)
            with running(tmp_path, binary("snmpd"), port):
                third = await look(prober, options)
        return least, first, most, second, third

    least, first, most, second, third = asyncio.run(looks())
    assert first.host is not None
    assert first.host.memory is not None
    memory = psutil.virtual_memory()
    assert first.host.memory.total_bytes == memory.total
    assert first.host.memory.available_bytes == pytest.approx(memory.available, rel=0.1)
    assert first.host.cpu is not None
    assert first.host.cpu.cores == psutil.cpu_count()
    root = next(system for system in first.host.filesystems if system.mount == "/")
    assert root.total_bytes == pytest.approx(psutil.disk_usage("/").total, rel=0.01)
    assert root.available_bytes == pytest.approx(psutil.disk_usage("/").free, rel=0.05)
    assert root.inodes_used_ratio is not None
    assert [(one.pattern, one.running) for one in first.host.expected][1] == ("no such program", 0)
    assert (first.host.expected[0].running or 0) >= 1
    assert first.host_uptime_s == pytest.approx(time.time() - psutil.boot_time(), abs=60)
    assert first.clock_offset_s == pytest.approx(0.0, abs=2.5)
    assert first.interfaces is not None
    lo = next(one for one in first.interfaces.interfaces if one.name == "lo")
    assert lo.expected
    assert lo.in_octets is not None
    assert least - 1_000_000_000 <= lo.in_octets <= most  # net-snmp looks every few seconds
    assert (lo.kind, lo.mtu, lo.oper) == ("loopback", 65536, "up")
    assert first.interfaces.gone == ("nosuch0",)
    assert (second.restart, third.restart) == (Restart.NONE, Restart.AGENT)
    assert third.host_uptime_s is not None
    assert second.host_uptime_s is not None
    assert third.host_uptime_s >= second.host_uptime_s
