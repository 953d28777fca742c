"""The service with everything on: 50 ordinary checks, devices by SNMP v2c and v3, paths, voice, notifications; its memory, and a storm."""

import asyncio
import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path

from bench.agent import EVERY, configuration, share_of_a_core, started
from bench.measure import Row, find, free_port, rss_mb, running
from bench.servers import serving
from probe.snmp import ber
from probe.snmp.trap import TRAP_V2

WARM_UP_S, MEASURED_S = 40.0, 60.0
DEVICES = 20
STORM = 20_000
PASSWORD = "a password of the bench"


def trap() -> bytes:
    """Return a v2c linkDown with the community "public" (RFC 3416)."""

    def variable(oid: str, tag: int, content: bytes) -> bytes:
        return ber.element(ber.SEQUENCE, ber.element(ber.OBJECT_IDENTIFIER, bytes.fromhex(oid)) + ber.element(tag, content))

    up_time = variable("2b06010201010300", ber.TIME_TICKS, b"\x2a")
    which = variable("2b060106030101040100", ber.OBJECT_IDENTIFIER, bytes.fromhex("2b0601060301010503"))
    numbers = b"".join(ber.element(ber.INTEGER, content) for content in (b"\x11\x22\x33\x44", b"\0", b"\0"))
    pdu = ber.element(TRAP_V2, numbers + ber.element(ber.SEQUENCE, up_time + which))
    return ber.element(ber.SEQUENCE, ber.element(ber.INTEGER, b"\1") + ber.element(ber.OCTET_STRING, b"public") + pdu)


def more(folder: Path, ports: dict[str, int]) -> str:
    """Return what comes on top of the ordinary checks."""
    (folder / "community").write_text("public")
    (folder / "password").write_text(PASSWORD)
    for name in ("community", "password"):
        (folder / name).chmod(0o600)
    lines = [
        f'[traps]\nlisten = "127.0.0.1:{ports["traps"]}"',
        f'[stamp]\nlisten = "127.0.0.1:{ports["stamp"]}"\nallow = ["127.0.0.0/8"]',
        f'[[credential]]\nname = "v2c"\nsnmp = "v2c"\ncommunity = {{ file = "{folder}/community" }}',
        f'[[credential]]\nname = "v3"\nsnmp = "v3"\nuser = "bench"\nauth = "sha256"\nauth_password = {{ file = "{folder}/password" }}\n'
        f'privacy = "aes128"\nprivacy_password = {{ file = "{folder}/password" }}',
    ]
    for at in range(DEVICES):
        lines.append(f'[[node]]\nname = "device-{at}"\nkind = "switch"\naddress = "127.0.1.{at + 1}"\nsnmp = "{"v3" if at % 2 else "v2c"}"')
        lines.append(f'[[node.check]]\nprober = "snmp"\nevery = "15s"\nport = {ports["snmp"]}')
    given = {
        "path": 'every = "30s"',
        "pmtu": 'every = "30s"',
        "stamp": f'every = "15s"\nport = {ports["stamp"]}',
        "sip": f'every = "{EVERY}"\nport = {ports["web"]}\ntransport = "tcp"',
    }
    for prober, options in given.items():
        for at in range(5):
            lines.append(f'[[node]]\nname = "{prober}-{at}"\naddress = "127.0.0.1"\n[[node.check]]\nprober = "{prober}"\n{options}')
    text = "\n\n".join(lines) + "\n"
    return text + '\n[[silence]]\nname = "bench"\nchecks = ["*"]\n'


def storm(port: int) -> None:
    """Send all in one burst, by a process of its own, from an address of the inventory."""
    code = (
        "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('127.0.1.1',0))\n"
        f"d=bytes.fromhex('{trap().hex()}')\nfor _ in range({STORM}): s.sendto(d,('127.0.0.1',{port}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _metrics(port: int) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode().splitlines()


def taken(port: int) -> int:
    """Return how many notifications the service says it accepted."""
    accepted = [line for line in _metrics(port) if line.startswith("firstline_snmp_notifications_total{") and 'outcome="accepted"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in accepted)


async def run(folder: Path) -> list[Row]:
    """Start the service, let it warm up, measure, and send the storm."""
    if find("snmpd") is None:
        return []
    port = free_port()
    ports = {name: free_port(socket.SOCK_DGRAM) for name in ("traps", "stamp", "snmp")}
    (folder / "snmpd.conf").write_text(
        f"agentaddress udp:0.0.0.0:{ports['snmp']}\nrocommunity public\n"
        f"createUser bench SHA-256 {json.dumps(PASSWORD)} AES {json.dumps(PASSWORD)}\nrouser bench\n"
    )
    surroundings = ["-f", "-LE", "3", "-C", "-c", str(folder / "snmpd.conf"), "-p", str(folder / "snmpd.pid")]
    with serving() as (web, names), running("snmpd", *surroundings, folder=folder):
        text = configuration(folder, port, web, names) + more(folder, {**ports, "web": web})
        with started(folder, port, text) as process:
            share = await share_of_a_core(process, folder, WARM_UP_S, MEASURED_S)
            _all_measured(port)
            memory = rss_mb(process.pid)
            await asyncio.to_thread(storm, ports["traps"])
            accepted = await _settled(port)
            after = rss_mb(process.pid)
    return [
        Row(f"everything on (50 checks, {DEVICES} devices, 20 of path and voice, traps of v3): share of one core", share * 100, "%"),
        Row("the same: resident memory", memory, "MB", goal=130.0),
        Row(f"of {STORM:,} v2c traps in one burst not taken by the service", float(STORM - accepted), "traps", goal=0.0),
        Row("the same: resident memory after the storm", after, "MB", goal=130.0),
    ]


def _all_measured(port: int) -> None:
    """Refuse a figure of a service of which a part fails."""
    lines = _metrics(port)
    bad = [line for line in lines if line.startswith("firstline_observations_total{") and 'outcome="ok"' not in line]
    bad = [line for line in bad if 'prober="snmp"' in line or 'prober="stamp"' in line or 'prober="path"' in line]
    if bad:
        raise RuntimeError(f"not everything is measured: {bad}")


async def _settled(port: int) -> int:
    """Return how many traps were accepted once the number stands, or all came."""
    last, still = -1, 0
    while still < 5 and last < STORM:
        await asyncio.sleep(0.5)
        now = await asyncio.to_thread(taken, port)
        still = still + 1 if now == last else 0
        last = now
    return last
