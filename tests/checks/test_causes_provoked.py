"""Every cause is provoked: a sample that a prober may bring, judged by its own check with standard levels, points to it. Never a code
that nothing can provoke.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks import catalogue
from checks.assess import Memory, Rules, Scene, assess
from checks.baseline import Baseline
from checks.causes import CAUSES, cause_of
from checks.finding import State
from probe.observation.arp import ArpSample, Holder
from probe.observation.capture import Anomaly as Oddity
from probe.observation.capture import CallSample as CapturedCall
from probe.observation.capture import CaptureSample, MediaSide, StreamSample
from probe.observation.cdr import CdrGroup, CdrSample
from probe.observation.database import DatabaseSample
from probe.observation.device import Anomaly, DeviceSample, Identity, PoolSample, ProcessorSample, UpsSample
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.host import (
    ClockSample,
    CpuSample,
    DiskSample,
    ExpectedProcess,
    FilesystemSample,
    HostSample,
    MemorySample,
    PressureSample,
)
from probe.observation.http import HttpSample
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.ntp import NtpSample
from probe.observation.observation import Observation, Outcome
from probe.observation.path import Hop, Mark, PathSample, Route, Said
from probe.observation.pmtu import PmtuSample
from probe.observation.routing import BgpPeer, Neighbour, OspfNeighbour
from probe.observation.sensor import Condition, SensorSample, StateSample
from probe.observation.sip import AudioSample, CallSample, GatewaySample, RegistrationSample, SipSample, Standard
from probe.observation.sockets import SocketsSample
from probe.observation.stamp import StampSample
from probe.observation.tcp import ConnectSample
from probe.observation.tls import CertificateSample, TlsSample

AT = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9
TESTS = Path(__file__).parents[1]

Case = tuple[str, str, Outcome]  # a code, and what provokes it: the prober and what it brought

PENDING: frozenset[str] = frozenset()  # found by correlation, and not yet provoked by a test of it or of the lab

IDLE = CpuSample(4, 0.05, 0.03, 0.02, 0.0, 0.0, 0.1, 0.1, 0.1)
ROOT = FilesystemSample("/", "/dev/sda1", "ext4", 100 * GB, 60 * GB, 1000, 900, False, False)
HOST = HostSample(
    cpu=IDLE,
    pressure=(),
    memory=MemorySample(16 * GB, 12 * GB, 0, 0),
    filesystems=(ROOT,),
    disks=(DiskSample("sda", 0.0, 0.0, 1.0, 2.0, 0.1),),
    descriptors_used=1000,
    descriptors_max=100_000,
    processes=200,
    zombies=0,
    uninterruptible=0,
    top_cpu=(),
    top_memory=(),
    expected=(ExpectedProcess("kamailio", 1, 1),),
    oom_kills_recent=0,
    clock=ClockSample(True, 0.0, 5.0),
    booted_at=AT - timedelta(days=3),
    failed_units=(),
    over_s=60.0,
    stuck=0,
    uptime_s=3 * 86400.0,
)
SOCKETS = SocketsSample({}, 10, 10, 0, 0, 0, 0, 0, 10_000, 0, 0, 10, 28_000, 10, 1000, 0, over_s=60.0)
PORT = InterfaceSample(
    "eth0", 1, "ethernet", True, True, True, 1500, 10**9, "full", (), 1, 0, 0, 0, 0, 0, 0, 0, 0, expected=True, oper="up"
)
DEVICE = DeviceSample(Identity("1.3.6.1.4.1.9.1.1", "x"), uptime_s=1e7, host_uptime_s=1e7, over_s=60.0)
SIP = SipSample("192.0.2.20", 5060, "udp", 200, "OK", 5.0, contact="sip:gw@192.0.2.20", contact_host="192.0.2.20")
GROUP = CdrGroup("all", "", 1000, 500, 950, 60_000.0, 4.0, {"16": 900}, {}, 50, 100)
CDR = CdrSample("cdr.csv", 900.0, (GROUP,), 1000, 1000, 0, {}, 5.0, 0)
PATH = PathSample("203.0.113.10", "192.0.2.10", "icmp", False, 20, 0, ())
EDGE, POP = Mark("edge", "edge", "192.0.2.1", 3, 3, 0.1, 0.1), Mark("pop", "pop", "198.51.100.2", 3, 3, 1.0, 1.0)
HEARD = AudioSample(50, 50, True, 0.0, None, 1.0, 20.0)
CALL = CallSample("1001", SIP, 30.0, 500.0, 1000.0, True, "PCMA", HEARD, True, 2.0, "us")
GATEWAY = GatewaySample("2026-01-01 by telephone", "192.168.50.10", "203.0.113.2", SIP, SIP)
SIDE = MediaSide("192.0.2.20", 10_000, "192.0.2.20", True, 500, 0.0, 10_000.0)
TALK = CapturedCall(1, "a@b", "1", "2", 0.0, "answered", 200, "OK", pdd_ms=500.0, duration_ms=10_000.0, to_caller=SIDE, to_callee=SIDE)
STREAM = StreamSample(1, "a", "b", "1", "PCMA", 8, 8000, 500, 500, 0, 0, 0, 0, 0, 0.0, 10_000.0, 1.0, 2.0, 20.0, 1)
CAPTURE = CaptureSample("x.pcap", "pcap", 1000, 1000, 10, AT, 10_000.0, 1, 1, (TALK,), (STREAM,))


def but(sample: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(sample, **changes)


def failed(kind: Kind) -> Failure:
    return Failure(kind, "x")


def on_hosts() -> Iterator[Case]:
    for code, changes in (
        ("cpu", {"cpu": but(IDLE, busy_ratio=0.99, load_5min=40.0)}),
        ("cpu_stolen", {"cpu": but(IDLE, steal_ratio=0.5)}),
        ("pressure", {"pressure": (PressureSample("memory", 0.9, 0.9),)}),
        ("memory", {"memory": MemorySample(16 * GB, GB // 10, 0, 0)}),
        ("oom", {"oom_kills_recent": 1}),
        ("disk_full", {"filesystems": (but(ROOT, available_bytes=GB // 100),)}),
        ("inodes", {"filesystems": (but(ROOT, inodes_free=0),)}),
        ("mount", {"unmounted": ("/var",)}),
        ("read_only", {"filesystems": (but(ROOT, remounted_read_only=True),)}),
        ("disk_slow", {"disks": (DiskSample("sda", 0.0, 0.0, 900.0, 900.0, 1.0),)}),
        ("descriptors", {"descriptors_used": 99_000}),
        ("processes_stuck", {"zombies": 10_000}),
        ("units", {"failed_units": ("kamailio.service",)}),
        ("process_down", {"expected": (ExpectedProcess("kamailio", 0, 1),)}),
        ("clock", {"clock": ClockSample(False, 0.0, 5.0)}),
        ("reboot", {"uptime_s": 60.0}),
    ):
        yield code, "host", but(HOST, **changes)
    for code, more in (
        ("retransmission", {"retransmitted_since": 5000}),
        ("listen_queue", {"listen_overflows_since": 5000}),
        ("ports", {"ephemeral_in_use": 28_000}),
        ("conntrack", {"conntrack_count": 1000}),
        ("conntrack", {"conntrack_drops_since": 5000}),
        ("sockets", {"orphans": 100, "orphans_max": 100}),
        ("datagrams_lost", {"udp_receive_errors_since": 50_000}),
    ):
        yield code, "sockets", but(SOCKETS, **more)


def of_services() -> Iterator[Case]:
    yield "process_down", "tcp", failed(Kind.REFUSED)
    yield "service_hung", "tcp", failed(Kind.TIMEOUT)
    yield "host_down", "tcp", failed(Kind.UNREACHABLE)
    yield "service_slow", "tcp", ConnectSample("192.0.2.1", 80, 9000.0)
    yield "service_error", "tls", failed(Kind.REJECTED)
    http = HttpSample("http://x/", "192.0.2.1", 500, "Oops", "1.1", 0, 1.0, 1.0, 1.0, 1.0, 1.0, 6.0, status_expected=False, expected="200")
    yield "service_error", "http", http
    leaf = CertificateSample("CN=x", "CN=ca", AT - timedelta(days=400), AT - timedelta(days=1), ("x",))
    yield "certificate", "tls", TlsSample("192.0.2.1", 443, "x", "TLSv1.3", "c", 1.0, 1.0, (leaf,), None, True, True)
    yield "dns", "dns", DnsSample("192.0.2.53", "x", "A", "SERVFAIL", False, True, False, (), 1.0)
    yield "dns", "dns", failed(Kind.TIMEOUT)
    yield "dns", "http", failed(Kind.UNRESOLVED)
    yield "database", "postgresql", Failure(Kind.REJECTED, "57P03 starting up")
    yield "connections", "postgresql", DatabaseSample("postgresql", "x", 5432, "query", "16", 1.0, 1.0, 1.0, False, 99, 100)
    yield "time_server", "ntp", NtpSample("x", 0.0, 1.0, 16, 3, 0.0, 0.0, "")
    yield "clock", "ntp", NtpSample("x", 90_000.0, 1.0, 2, 0, 0.0, 0.0, "GPS")


def on_the_way() -> Iterator[Case]:
    yield "host_down", "icmp", EchoSample("192.0.2.1", 5, 0)
    yield "loss", "icmp", EchoSample("192.0.2.1", 5, 2, 1.0, 1.0, 1.0, 0.1)
    yield "delay", "icmp", EchoSample("192.0.2.1", 5, 5, 900.0, 900.0, 900.0, 0.1)
    end = Hop(3, "203.0.113.10", 20, 20, Said.REPLY, "", 1.0, 1.0, 1.0, 1.0)
    reached = but(PATH, reached=True, answered=20, hops=(end,), min_ms=1.0, mean_ms=1.0, max_ms=1.0)
    yield "path_voice", "path", but(reached, answered=14)
    yield "loss", "path", but(reached, answered=14)
    quiet = (but(EDGE, answered=0), but(POP, answered=0))
    yield "path_own_side", "path", but(PATH, marks=quiet)
    yield "fibre_cut", "path", but(PATH, marks=(EDGE, but(POP, answered=0)))
    yield "carrier_network", "path", but(PATH, marks=(EDGE, POP))
    yield "path_broken", "path", but(PATH, hops=(Hop(1, "192.0.2.1", 3, 3, Said.EXCEEDED, "", 1.0, 1.0, 1.0, 1.0),))
    yield "routing_loop", "path", but(PATH, loop=("192.0.2.1", "192.0.2.2"))
    yield "carrier_quality", "path", but(reached, answered=14, marks=(EDGE, POP))
    changed = (Route(("192.0.2.1", "203.0.113.10"), 10.0, 0.0, 2), Route(("192.0.2.9", "203.0.113.10"), 900.0, 20.0, 9))
    yield "path_change", "path", but(reached, routes=changed, changes=1)
    yield "mtu_small", "pmtu", PmtuSample("192.0.2.1", 1200, 1500, 9, 9)
    yield "mtu_black_hole", "pmtu", PmtuSample("192.0.2.1", 1272, 1500, 9, 5, vanishes_from=1273)
    yield "responder_silent", "stamp", StampSample("192.0.2.1", 862, 10, 0)
    one, two = Holder("00:00:00:00:00:01", 1, 1.0, 999.0), Holder("00:00:00:00:00:02", 1, 1.0, 999.0)
    yield "duplicate_address", "arp", ArpSample("192.0.2.1", "eth0", 3, (one, two))
    yield "mac_changed", "arp", ArpSample("192.0.2.1", "eth0", 3, (one,), changed_s=10.0, before=two.mac)


def at_ports() -> Iterator[Case]:
    for code, changes in (
        ("interface_down", {"oper_up": False, "carrier": False, "oper": "down"}),
        ("interface_admin_down", {"oper_up": False, "admin_up": False, "carrier": None, "oper": "down"}),
        ("interface_errors", {"in_error_ratio": 0.05}),
        ("saturation", {"in_bps": 1e9, "out_bps": 0.0}),
        ("duplex", {"duplex": "half"}),
        ("link_flapping", {"carrier_changes_since": 20}),
    ):
        yield code, "interfaces", InterfacesSample((but(PORT, **changes),), 60.0)


def of_devices() -> Iterator[Case]:
    def light(kind: str, value: float) -> SensorSample:
        return SensorSample(kind, "x", "1.3.6.1", value, low_critical=-20.0, low_warning=-15.0, high_warning=60.0, high_critical=70.0)

    def state(kind: str) -> StateSample:
        return StateSample(kind, "x", "1.3.6.1", 1, "failed", Condition.FAILED)

    yield "snmp_silent", "snmp", failed(Kind.TIMEOUT)
    yield "snmp_agent", "snmp", failed(Kind.REFUSED)
    yield "snmp_credentials", "snmp", failed(Kind.REJECTED)
    ups = UpsSample("battery", "normal", 60.0, 5.0, 0.9, 0.5)
    for code, changes in (
        ("snmp_answers", {"anomalies": (Anomaly("ifTable", "silent", "row 7", 3),)}),
        ("device_cpu", {"processors": (ProcessorSample("cpu", 0.99),)}),
        ("device_memory", {"pools": (PoolSample("memory", "ram", None, None, 0.99),)}),
        ("sessions", {"pools": (PoolSample("nat", "nat", None, None, 1.0),)}),
        ("licence_full", {"pools": (PoolSample("licence", "calls", None, None, 1.0),)}),
        ("temperature", {"sensors": (SensorSample("temperature_c", "x", "1.3.6.1", 99.0),)}),
        ("fan", {"states": (state("fan"),)}),
        ("power_supply", {"states": (state("power_supply"),)}),
        ("device_part", {"states": (state("module"),)}),
        ("registration", {"states": (state("registration"),)}),
        ("tunnel", {"states": (state("tunnel"),)}),
        ("ups_battery", {"states": (state("battery"),)}),
        ("ups_on_battery", {"ups": ups}),
        ("ups_load", {"ups": but(ups, output="normal", on_battery_s=0.0, load_ratio=1.1)}),
        ("fibre_degraded", {"sensors": (light("rx_dbm", -28.0),)}),
        ("optics_tx", {"sensors": (light("tx_dbm", -28.0),)}),
        ("bgp_down", {"bgp_peers": (BgpPeer("192.0.2.2", 64512, "idle", True),)}),
        ("bgp_flapping", {"bgp_peers": (BgpPeer("192.0.2.2", 64512, "established", True, 9, 5, 60.0),)}),
        ("ospf", {"ospf_neighbours": (OspfNeighbour("192.0.2.2", "192.0.2.2", "init"),)}),
        ("cabling", {"cables": ("Te1/1=edge-1",), "neighbours": (Neighbour("lldp", "Te1/1", "other-1"),)}),
        ("reboot", {"host_uptime_s": 60.0, "uptime_s": 60.0}),
    ):
        yield code, "snmp", but(DEVICE, **changes)


def of_calls() -> Iterator[Case]:
    yield "voice_one_way", "capture", but(CAPTURE, calls=(but(TALK, to_callee=but(SIDE, packets=0, first_ms=None, last_ms=None)),))
    yield "voice_quality", "capture", but(CAPTURE, streams=(but(STREAM, packets=400, lost=100),))
    yield "calls_fail", "capture", but(CAPTURE, calls=(but(TALK, outcome="failed", code=503, reason="Unavailable"),))
    yield "capture_unreadable", "capture", but(CAPTURE, anomalies=(Oddity("truncated", 1),))
    yield "calls_fail", "cdr", but(CDR, groups=(but(GROUP, answered=10, effective=100),))
    yield "licence_full", "cdr", but(CDR, groups=(but(GROUP, peak=100),))
    yield "trunk_full", "cdr", but(CDR, groups=(but(GROUP, kind="trunk", name="t", peak=100),))
    yield "records_missing", "cdr", but(CDR, refused={"columns": 900})
    yield "service_error", "sip", but(SIP, code=503, reason="Service Unavailable")
    yield "service_blocked", "sip", but(SIP, code=None, blocked_by="192.0.2.1", blocked="prohibited")
    nobody = RegistrationSample("sip:1001@x", SIP)
    yield "gateway_registration", "registration", nobody
    yield "account", "registration", but(nobody, answer=but(SIP, code=403, reason="Forbidden"))
    yield "test_call", "call", but(CALL, answer=but(SIP, code=404, reason="Not Found"), pick_up_ms=None, audio=None)
    yield "test_call_audio", "call", but(CALL, audio=but(HEARD, received=0))
    yield "test_call_quality", "call", but(CALL, audio=but(HEARD, loss_ratio=0.5, mean_burst=2.0))
    yield "nat_dmz", "gateway", but(GATEWAY, nat=failed(Kind.TIMEOUT))
    yield "sip_alg", "gateway", but(GATEWAY, nat=but(SIP, contact_host="203.0.113.2"))
    yield "gateway_standard", "gateway", but(GATEWAY, direct=but(SIP, server="Other 1.0"), nat=None, standard=Standard(models=("Wanted",)))


PROVOKED = [*on_hosts(), *of_services(), *on_the_way(), *at_ports(), *of_devices(), *of_calls()]


def bad(prober: str, outcome: Outcome) -> set[str]:
    """Return the causes to which what is bad in this outcome points."""
    room = catalogue.load(prober)
    seen = Observation("agent", "node", prober, AT, 1.0, outcome)
    found = [one for one in room.judge(seen, None, room.Limits()) if one.state in (State.WARNING, State.CRITICAL)]
    causes = [cause_of(one.check, one.message.id) for one in found]
    return {cause.code for cause in causes if cause is not None}


@pytest.mark.parametrize(
    ("code", "prober", "outcome"), PROVOKED, ids=[f"{code}-{prober}-{at}" for at, (code, prober, _) in enumerate(PROVOKED)]
)
def test_a_sample_that_a_prober_may_bring_points_to_the_cause(code: str, prober: str, outcome: Outcome) -> None:
    assert code in bad(prober, outcome)


def test_a_peer_that_sends_no_routes_any_more_points_to_lost_prefixes() -> None:
    room = catalogue.load("snmp")
    key = ("agent", "node", "snmp/prefixes", "192.0.2.2")
    rules, memory, scene = Rules(room.judge, room.Limits()), Memory(), Scene(None, {key: Baseline(1000.0, 1.0, 1000, 14)})
    for minute in range(12):
        peer = BgpPeer("192.0.2.2", 64512, "established", True, 1, 0, 1e6, prefixes=1000 if minute < 6 else 0)
        at = AT + timedelta(minutes=minute)
        memory, _ = assess(Observation("agent", "node", "snmp", at, 1.0, but(DEVICE, bgp_peers=(peer,))), memory, rules, scene)
    causes = [cause_of(one.finding.check, one.track.said) for one in memory.standing if one.track.bad]
    assert {cause.code for cause in causes if cause is not None} == {"prefixes"}


def named(*folders: str) -> set[str]:
    """Return every word of the texts that the tests in these places hold: what they expect of correlation."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for folder in folders for path in sorted(TESTS.glob(folder))]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {word for text in texts for word in text.split()}


def test_no_cause_is_in_the_catalogue_that_nothing_provokes() -> None:
    alone = {code for code, _, _ in PROVOKED} | {"prefixes"}
    together = {cause.code for cause in CAUSES if not cause.explains}
    assert {cause.code for cause in CAUSES} - alone == together
    assert together - named("lab/*.py", "checks/test_corr*.py") == PENDING
