"""What a host is set up to use is found in its own files, and only what answers is kept."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Message
from probe.agent import hostfiles
from probe.agent.discovery import answered, discover, find_gateways, find_resolvers, find_time_sources, is_public, look_around, trial
from probe.agent.settings.load import no_file
from probe.job import Job
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Outcome
from probe.run import Runner

ROUTE4 = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	FE02000A	0003	0	0	600	00000000	0	0	0
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
tun0	00000000	0108A8C0	0003	0	0	50	00000080	0	0	0
lo	00000000	00000000	0203	0	0	0	00000000	0	0	0
"""
ROUTE6 = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000000000fffe000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000800 00000002 00000000 00000003     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""
ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
192.0.2.7        0x1         0x6         02:fc:00:00:00:07     *        eth0
"""
CHRONY = """\
# Welcome to the chrony configuration file.
pool 2.debian.pool.ntp.org iburst
! server commented.example
Server time-a.example iburst minpoll 4
peer 192.0.2.123
confdir /etc/chrony/conf.d
sourcedir /run/chrony-dhcp
include /etc/chrony/extra*.inc
driftfile /var/lib/chrony/chrony.drift
"""


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_default_gateways_come_best_first_and_narrow_routes_are_none() -> None:
    found = hostfiles.read_route4(ROUTE4)
    assert [tuple(one) for one in found] == [("192.0.2.1", "eth0", 100), ("10.0.2.254", "wlan0", 600)]


def test_a_link_local_gateway_keeps_its_interface() -> None:
    assert [one.address for one in hostfiles.read_route6(ROUTE6)] == ["fe80::ff:fe00:1%eth0", "2001:db8::1"]


def test_incomplete_neighbours_are_none() -> None:
    assert [(one.address, one.mac) for one in hostfiles.read_arp(ARP)] == [
        ("192.0.2.1", "02:fc:00:00:00:05"),
        ("192.0.2.7", "02:fc:00:00:00:07"),
    ]


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.53\nnameserver\t2001:db8::53\nsearch example.org\n", ["192.0.2.53", "2001:db8::53"]),
        ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver fe80::1%eth0 # home\n", ["fe80::1%eth0"]),
        ("nameserver 192.0.2.53\nnameserver 192.0.2.53\nnameserver resolver.example\nnameserver\n", ["192.0.2.53"]),
        ("", []),
    ],
)
def test_resolvers_are_the_addresses_of_resolv_conf(text: str, servers: list[str]) -> None:
    assert hostfiles.read_resolv_conf(text) == servers


def test_behind_the_stub_of_systemd_stand_the_real_resolvers(tmp_path: Path) -> None:
    put(tmp_path, {"etc/resolv.conf": "nameserver 127.0.0.53\n"})
    assert find_resolvers(tmp_path) == (["127.0.0.53"], "127.0.0.53")  # not known which: the stub itself is asked
    put(tmp_path, {"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.53\nnameserver 192.0.2.54\n"})
    assert find_resolvers(tmp_path) == (["192.0.2.53", "192.0.2.54"], "127.0.0.53")


def test_chrony_is_read_with_what_it_includes_and_public_servers_are_not_asked(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "etc/chrony/chrony.conf": CHRONY,
            "etc/chrony/conf.d/site.conf": "server time-b.example\n",
            "run/chrony-dhcp/eth0.sources": "server 192.0.2.124 iburst\n",
            "etc/chrony/extra-1.inc": "server time-c.example\ninclude /etc/chrony/chrony.conf\n",
            "etc/systemd/timesyncd.conf": "[Time]\nNTP=unused.example\n",
        },
    )
    names, public = find_time_sources(tmp_path)
    assert names == ["time-a.example", "192.0.2.123", "time-b.example", "192.0.2.124"]
    assert public == ["2.debian.pool.ntp.org"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"etc/systemd/timesyncd.conf": "[Time]\n#NTP=\n#FallbackNTP=0.debian.pool.ntp.org\n"}, []),
        ({"etc/systemd/timesyncd.conf": "[Time]\nNTP=a.example b.example\n"}, ["a.example", "b.example"]),
        ({"etc/systemd/timesyncd.conf": "[Time]\nFallbackNTP=c.example\n"}, ["c.example"]),
        (
            {"etc/systemd/timesyncd.conf": "NTP=a.example\n", "etc/systemd/timesyncd.conf.d/x.conf": "[Time]\nNTP=\nNTP=d.example\n"},
            ["d.example"],
        ),
        ({"run/systemd/netif/state": "OPER_STATE=routable\nNTP=192.0.2.123\n"}, ["192.0.2.123"]),
        ({"etc/ntpsec/ntp.conf": "server 127.127.1.0\nserver -4 ntp-a.example iburst # near\npool 0.pool.ntp.org\n"}, ["ntp-a.example"]),
        ({}, []),
    ],
)
def test_a_time_source_is_one_that_this_host_is_set_up_to_use(files: dict[str, str], names: list[str], tmp_path: Path) -> None:
    assert find_time_sources(put(tmp_path, files))[0] == names


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("pool.ntp.org", True),
        ("0.Debian.Pool.NTP.org.", True),
        ("notpool.ntp.org.example", False),
        ("mypool.ntp.org", False),
        ("time2.google.com", True),
    ],
)
def test_public_time_services_are_known_by_their_domain(name: str, public: bool) -> None:
    assert is_public(name) is public


@pytest.mark.parametrize(
    "parse", [hostfiles.read_route4, hostfiles.read_route6, hostfiles.read_resolv_conf, hostfiles.read_arp, hostfiles.read_chrony]
)
@given(text=st.text(st.sampled_from("0123456789abcdefx.:%- \t\nnameserv#;eth")))
def test_no_line_makes_a_parser_fall(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    for lines in (text, f"head\n{text}", f"nameserver {text}", f"server {text}"):
        parse(lines)
        hostfiles.read_timesyncd(lines)
        hostfiles.read_ntp_conf(lines)


@given(st.lists(st.sampled_from(["eth0", "00000000", "010200C0", "0003", "0", "zz", "-1", "FFFFFFFFFF", "²"]), max_size=12))
def test_no_field_makes_the_route_tables_fall(fields: list[str]) -> None:
    hostfiles.read_route4("head\n" + "\t".join(fields))
    hostfiles.read_route6(" ".join(fields))
    hostfiles.read_arp("head\n" + " ".join(fields))


def network(root: Path) -> Path:
    return put(
        root,
        {
            "proc/net/route": ROUTE4,
            "proc/net/ipv6_route": ROUTE6,
            "etc/resolv.conf": "nameserver 192.0.2.1\nnameserver 192.0.2.53\n",
            "etc/systemd/timesyncd.conf": "[Time]\nNTP=192.0.2.123 ntp.ubuntu.com\n",
        },
    )


def test_a_gateway_that_resolves_too_is_one_node(tmp_path: Path) -> None:
    found = look_around(no_file("web-1"), network(tmp_path)).settings
    asked = [(job.node.name, job.prober, job.options.item, job.every_s) for job in found.jobs]
    assert asked == [
        ("web-1", "host", "", 6.0),
        ("web-1", "interfaces", "", 6.0),
        ("web-1", "sockets", "", 6.0),
        ("gateway-192.0.2.1", "icmp", "", 6.0),
        ("gateway-192.0.2.1", "dns", "localhost A", 6.0),
        ("gateway-192.0.2.1", "dns", ". NS", 6.0),
        ("gateway-10.0.2.254", "icmp", "", 6.0),
        ("gateway-fe80::ff:fe00:1%eth0", "icmp", "", 6.0),
        ("gateway-2001:db8::1", "icmp", "", 6.0),
        ("resolver-192.0.2.53", "dns", "localhost A", 6.0),
        ("resolver-192.0.2.53", "dns", ". NS", 6.0),
        ("time-192.0.2.123", "ntp", "", 60.0),
    ]
    assert set(found.limits) == {job.key for job in found.jobs}
    assert all(job.timeout_s < job.every_s for job in found.jobs)
    assert found.inventory.here == "web-1"
    assert ("web-1", "gateway-192.0.2.1") in {(link.a, link.b) for link in found.inventory.links.values()}
    assert all(job.node == found.inventory.nodes[job.node.name] for job in found.jobs)


def test_what_is_not_found_is_said(tmp_path: Path) -> None:
    found = look_around(no_file("web-1"), tmp_path)
    assert [job.prober for job in found.settings.jobs] == ["host", "interfaces", "sockets"]
    assert [note.id for note in found.notes] == ["discovery.no-gateway", "discovery.no-resolver", "discovery.no-time"]


def test_a_public_time_service_is_said_and_not_asked(tmp_path: Path) -> None:
    found = look_around(no_file("web-1"), network(tmp_path))
    assert Message("discovery.public-time", {"name": "ntp.ubuntu.com"}) in found.notes
    assert not any("ubuntu" in str(job.node.address) for job in found.settings.jobs)


def test_only_what_answers_at_the_start_is_kept_and_the_first_question_that_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.agent.discovery.ROUND_S", 0.0)
    jobs = look_around(no_file("web-1"), network(tmp_path)).settings.jobs
    asked: list[tuple[str, str, str]] = []

    async def ask(job: Job) -> Outcome:
        asked.append(job.key)
        if job.prober == "icmp":
            received = 5 if job.node.name == "gateway-192.0.2.1" else 0
            return EchoSample(str(job.node.address), 5, received)
        if job.prober == "dns":
            rcode = "NOERROR" if job.options.name == "." else "REFUSED"
            rcode = "REFUSED" if job.node.name.startswith("resolver") else rcode
            return DnsSample(str(job.node.address), job.options.name, job.options.rrtype, rcode, False, True, False, (), 1.0)
        return Failure(Kind.DENIED, "no right to ask")

    kept, notes = asyncio.run(trial(jobs, ask))
    assert [job.key for job in kept] == [
        ("web-1", "host", ""),
        ("web-1", "interfaces", ""),
        ("web-1", "sockets", ""),
        ("gateway-192.0.2.1", "icmp", ""),
        ("gateway-192.0.2.1", "dns", ". NS"),
    ]
    left = {(note.values["node"], note.values["prober"]): (note.id, note.values["why"]) for note in notes if note.id != "discovery.kept"}
    assert left["gateway-10.0.2.254", "icmp"] == ("discovery.left-out", "0/5")
    assert left["resolver-192.0.2.53", "dns"] == ("discovery.left-out", "REFUSED")
    assert left["time-192.0.2.123", "ntp"] == ("discovery.not-measurable", "denied: no right to ask")
    assert asked.count(("gateway-10.0.2.254", "icmp", "")) == 2  # one lost burst is not silence
    assert asked.count(("time-192.0.2.123", "ntp", "")) == 1
    assert not any(prober in {"host", "interfaces", "sockets"} for _, prober, _ in asked)


@pytest.mark.parametrize(
    ("outcome", "good"),
    [
        (EchoSample("192.0.2.1", 5, 0), False),
        (EchoSample("192.0.2.1", 5, 1), True),
        (Failure(Kind.TIMEOUT), False),
        (EchoSample("192.0.2.1", 0, 0), False),
    ],
)
def test_an_answer_is_one_that_came_back(outcome: Outcome, good: bool) -> None:
    assert answered(outcome) is good


def test_discovery_measures_for_real_what_it_keeps(tmp_path: Path) -> None:
    """Loopback is the network: its 127.0.0.2 answers echoes, and nobody resolves at 127.0.0.3."""
    put(
        tmp_path,
        {"proc/net/route": "head\nlo\t00000000\t0200007F\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "etc/resolv.conf": "nameserver 127.0.0.3\n"},
    )

    async def run() -> tuple[list[tuple[str, str]], list[str]]:
        async with Runner(lambda: datetime.now(UTC)) as runner:
            settings, notes = await discover(no_file("web-1"), runner, lambda: datetime.now(UTC), tmp_path)
        assert set(settings.limits) == {job.key for job in settings.jobs}
        return [(job.node.name, job.prober) for job in settings.jobs], [note.id for note in notes]

    kept, notes = asyncio.run(run())
    assert ("gateway-127.0.0.2", "icmp") in kept
    assert not any(prober == "dns" for _, prober in kept)
    assert {"discovery.kept", "discovery.left-out", "discovery.no-time"} <= set(notes)


def test_this_machine_is_read_without_falling() -> None:
    assert isinstance(find_gateways(), list)
    assert isinstance(find_resolvers()[0], list)
    assert isinstance(find_time_sources()[0], list)


def test_a_folder_where_a_file_should_be_is_nothing_found_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "etc/ntp.conf").mkdir(parents=True)
    before = os.listdir("/proc/self/fd")
    assert find_time_sources(tmp_path) == ([], [])
    assert len(os.listdir("/proc/self/fd")) == len(before)
