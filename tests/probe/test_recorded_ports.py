"""Ports, peers, processors and stores of recorded devices against what another system reads from the same recordings.

The recordings are not part of the project: FIRSTLINE_RECORDINGS names the folder with NAME.snmprec and NAME.json. The tables of every
difference are printed (pytest -s).
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from probe.snmp.mibs import bgp, host
from probe.snmp.mibs.interfaces import PortsLook, Times, read_interfaces
from probe.snmp.mibs.port_names import Asked
from tests.probe.recorded_talk import RecordedTalk, read_recording

FOLDER = Path(os.environ.get("FIRSTLINE_RECORDINGS", ""))
pytestmark = pytest.mark.skipif("FIRSTLINE_RECORDINGS" not in os.environ, reason="FIRSTLINE_RECORDINGS names no folder of recordings")

IF, IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
LEAST_READ, LEAST_EQUAL = 0.90, 0.99


def modules(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of a recording and the rows of one module as they were polled."""
    for path in sorted(FOLDER.glob("*.json")):
        module = json.loads(path.read_text(encoding="utf-8")).get(name)
        if module:
            polled = module.get("poller")
            yield path.stem, polled if isinstance(polled, dict) else module["discovery"]


def talk_to(name: str) -> RecordedTalk:
    return RecordedTalk(read_recording(FOLDER / f"{name}.snmprec"))


def told(look: PortsLook, index: str) -> dict[str, Any]:
    port, steady = look.ports[index], look.steady[index]
    return {
        "ifName": port.name,
        "ifDescr": steady.descr,
        "ifAlias": port.alias,
        "ifType": port.if_type,
        "ifAdminStatus": port.admin_up,
        "ifOperStatus": port.oper,
        "ifSpeed": port.speed_bps,
        "ifMtu": port.mtu,
        "ifPhysAddress": port.mac.replace(":", ""),
        "ifInOctets": port.in_octets,
        "ifOutOctets": port.out_octets,
        "ifInErrors": port.in_errors,
        "ifOutErrors": port.out_errors,
        "ifInDiscards": port.in_discards,
        "ifOutDiscards": port.out_discards,
        "packets in": port.in_packets,
        "packets out": port.out_packets,
        "ifDuplex": port.duplex,
    }


def expected_of(row: dict[str, Any], talk: RecordedTalk) -> dict[str, Any]:
    """Return a row in our units: what is nothing in both is None."""
    index = row["ifIndex"]
    wide = f"{IFX}.6.{index}" in talk.values or f"{IFX}.10.{index}" in talk.values

    def packets(way: str) -> int | None:
        unicast = row[f"if{way}UcastPkts"]
        if unicast is None or not wide:
            others = row[f"if{way}NUcastPkts"] or 0
            return None if unicast is None else (unicast + others) % 2**32
        return int(unicast) + (row[f"if{way}MulticastPkts"] or 0) + (row[f"if{way}BroadcastPkts"] or 0)

    return {
        **{name: row[name] for name in ("ifName", "ifDescr", "ifAlias", "ifType", "ifOperStatus")},
        **{f"if{way}{what}": row[f"if{way}{what}"] for way in ("In", "Out") for what in ("Octets", "Errors", "Discards")},
        "ifAdminStatus": row["ifAdminStatus"] == "up",
        "ifSpeed": row["ifSpeed"] or None,
        "ifMtu": row["ifMtu"] or None,
        "ifPhysAddress": row["ifPhysAddress"] or "",
        "ifDuplex": {"fullDuplex": "full", "halfDuplex": "half"}.get(row["ifDuplex"]),
        "packets in": packets("In"),
        "packets out": packets("Out"),
    }


# Columns that the device must have for the field to be comparable: where the recording has none of them, the other system fills in its own.
SOURCES = {
    "ifName": (f"{IFX}.1", f"{IF}.2"),
    "ifDescr": (f"{IF}.2",),
    "ifAlias": (f"{IFX}.18",),
    "ifInOctets": (f"{IF}.10", f"{IFX}.6"),
    "ifOutOctets": (f"{IF}.16", f"{IFX}.10"),
    "ifInErrors": (f"{IF}.14",),
    "ifOutErrors": (f"{IF}.20",),
    "ifInDiscards": (f"{IF}.13",),
    "ifOutDiscards": (f"{IF}.19",),
    "packets in": (f"{IF}.11", f"{IFX}.7"),
    "packets out": (f"{IF}.17", f"{IFX}.11"),
}


def why(field: str, ours: Any, theirs: Any, index: int, talk: RecordedTalk) -> str:
    """Return why a field differs rightly, "" when nothing explains it."""
    sources = SOURCES.get(field, ())
    if sources and not any(talk.values.get(f"{oid}.{index}", b"") != b"" for oid in sources):
        return "the recording has no such row: None or empty, not 0 or another field's text"
    if field == "ifSpeed" and ours is None and theirs == 2**32 - 1:
        return "ifSpeed 2^32-1 means faster than that (RFC 2863), and there is no ifHighSpeed"
    if field == "ifPhysAddress" and not ours and not theirs.strip("0"):
        return "an address of noughts is none"
    if field.startswith("packets") and ours == 0 and talk.values.get(f"{IFX}.{7 if field == 'packets in' else 11}.{index}") == 0:
        return "its 64-bit counters stand at 0, those of 32 bits do not"
    if field == "ifDescr" and " ".join(ours.split()) == " ".join(theirs.split()):
        return "a line break is a blank in ours"
    return ""


def test_ports_of_recorded_devices() -> None:
    rows = read = fields = unexplained = 0
    differences: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for name, polled in modules("ports"):
        talk = talk_to(name)
        look = asyncio.run(read_interfaces(talk, Asked(), None, Times(100)))
        assert len({port.name for port in look.ports.values()}) == len(look.ports), f"{name}: names are not unique"
        for row in polled["ports"]:
            rows += 1
            index = str(row["ifIndex"])
            if index not in look.ports:
                differences[name, "row", "not read"] += 1
                continue
            read += 1
            ours, theirs = told(look, index), expected_of(row, talk)
            for field, value in ours.items():
                fields += 1
                if value != theirs[field]:
                    reason = why(field, value, theirs[field], row["ifIndex"], talk)
                    unexplained += not reason
                    key = (name, field, reason or "UNEXPLAINED")
                    differences[key] += 1
                    examples.setdefault(key, f"ifIndex {index}: {value!r}, there {theirs[field]!r}")
    print(f"\n{rows} rows, {read} read; {fields} fields, {unexplained} differ without a reason")
    for key, count in sorted(differences.items()):
        print(f"{key[0]:32} {key[1]:14} {count:4}  {key[2]}  ({examples.get(key, '')})")
    assert rows > 1000
    assert read / rows >= LEAST_READ
    assert 1 - unexplained / fields >= LEAST_EQUAL


def test_bgp_peers_of_recorded_devices() -> None:
    rows = read = 0
    differences = []
    for name, polled in modules("bgp-peers"):
        talk = talk_to(name)
        peers = {peer.peer: peer for peer in asyncio.run(bgp.read_bgp(talk, str(talk.values["1.3.6.1.2.1.1.2.0"]), None))}
        for row in polled["bgpPeers"]:
            rows += 1
            peer = peers.get(str(ip_address(row["bgpPeerIdentifier"])))
            if peer is None:
                differences.append((name, row["bgpPeerIdentifier"], "not read"))
                continue
            read += 1
            ours = (peer.remote_as, peer.state, peer.admin_up, peer.since_s or 0, peer.last_error or "0/0")
            error = f"{row['bgpPeerLastErrorCode'] or 0}/{row['bgpPeerLastErrorSubCode'] or 0}"
            admin_up = row["bgpPeerAdminStatus"] in ("start", "running")
            theirs = (row["bgpPeerRemoteAs"], row["bgpPeerState"], admin_up, row["bgpPeerFsmEstablishedTime"], error)
            if ours != theirs:
                differences.append((name, peer.peer, f"{ours}, there {theirs}"))
    print(f"\n{rows} peers, {read} read", *differences, sep="\n")
    assert rows > 10
    assert not differences


def test_processors_and_stores_of_recorded_devices() -> None:
    """Of HOST-RESOURCES-MIB; a server's are within its host reading instead."""
    rows = 0
    differences = []
    for module, kind in (("processors", "hr"), ("mempools", "hrstorage"), ("storage", "hrstorage")):
        for name, polled in modules(module):
            wanted = [row for row in polled[module] if kind in (row.get("processor_type"), row.get("mempool_type"), row.get("type"))]
            if not wanted:
                continue
            talk = talk_to(name)
            look = asyncio.run(host.read_host(talk, {}, False, (), None, host.Since()))
            ours = {one.oid: round((one.busy_ratio or 0) * 100) for one in look.processors} | {one.oid: one.used for one in look.pools}
            for row in wanted:
                if row.get("mempool_class") in ("virtual", "swap", "buffers", "cached"):
                    continue  # no memory of its own
                rows += 1
                oid = next(row[key] for key in ("processor_oid", "mempool_used_oid", "storage_used_oid") if key in row).strip(".")
                theirs = next(row[key] for key in ("processor_usage", "mempool_used", "storage_used") if key in row)
                if ours.get(oid) != theirs:
                    differences.append((name, oid, f"{ours.get(oid)}, there {theirs}"))
    print(f"\n{rows} rows", *differences, sep="\n")
    assert rows > 20
    assert not differences
