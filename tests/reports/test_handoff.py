"""The carrier hand-off sheet: what a desk asks for, in both languages, and nothing of the device's other ports."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import pytest

from checks import icmp, path, snmp
from checks.finding import Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.inventory import Carrier, Link, Node, Owner, Site
from probe.observation.device import DeviceSample, Identity
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.path import Hop, PathSample, Said
from probe.observation.routing import BgpPeer
from probe.observation.sensor import SensorSample
from reports.case import Case
from reports.handoff import End, Handoff, Reading
from reports.locale.text import texts
from reports.render.handoff import handoff_parts, handoff_text, not_measured
from reports.render.handoff_html import handoff_html

NOW = datetime(2026, 11, 21, 14, 24, 11, tzinfo=UTC)
EDGE = Node("edge", "10.0.0.1", "pop-a", "router", snmp="ro")
POP = Node("pop", "10.255.0.2", "carrier-room", "carrier", owner=Owner.CARRIER)
LINK = Link("edge-pop", "edge", "pop", ("ge-0/0/3", "xe-1/0/0"), "fibre", "Example Net", "CT-88213")


def port(name: str, up: bool) -> InterfaceSample:
    return InterfaceSample(
        name, 3, "ethernet", True, up, up, 1500, 10**9, "full", (), None, 1, 1, 1, 1, 0, 0, 0, 0, expected=name == "ge-0/0/3"
    )  # fmt: skip


def sensor(name: str, kind: str, value: float) -> SensorSample:
    place = name.split(maxsplit=1)[0]
    return SensorSample(kind, name, "1.3.6.1.4.1.2636.3.60.1.1.1.1.5.513", value, port=place, low_warning=-14.4, low_critical=-16.0)


def seen(node: str, prober: str, outcome: Outcome) -> Observation:
    return Observation("pop-a", node, prober, NOW, 12.0, outcome)


def reading(of: Observation) -> Reading:
    judge = {"icmp": icmp, "path": path, "snmp": snmp}[of.prober]
    return Reading(of, tuple(judge.judge(of, None, judge.Limits())))


def sheet(cut: bool = True) -> Handoff:
    device = DeviceSample(
        Identity("1.3.6.1.4.1.2636.1.1.1.2.21", "edge router"),
        over_s=60.0,
        interfaces=InterfacesSample((port("ge-0/0/3", not cut), port("ge-0/0/9", False)), 60.0),
        sensors=(
            sensor("ge-0/0/3 Rx Power", "rx_dbm", -38.2 if cut else -7.1),
            sensor("ge-0/0/3 Tx Power", "tx_dbm", -2.2),
            sensor("ge-0/0/9 Rx Power", "rx_dbm", -39.0),
        ),
        bgp_peers=(BgpPeer("10.255.0.2", 64500, "active" if cut else "established", True), BgpPeer("10.9.9.9", 64501, "active", True)),
    )
    hops = (
        Hop(1, "10.0.0.1", 3, 3, Said.EXCEEDED, "", 0.3, 0.2, 0.3, 0.4),
        Hop(2, None, 3, 0) if cut else Hop(2, "10.255.0.2", 3, 3, Said.REPLY, "", 1.1, 1.0, 1.1, 1.3),
    )
    trace = PathSample("10.255.0.2", "10.0.0.9", "icmp", not cut, 20, 0 if cut else 20, hops, None if cut else 1.0, None if cut else 1.1)
    echo = EchoSample("10.255.0.2", 20, 0 if cut else 20, (), None, None, None, None)
    echo = msgspec.structs.replace(echo) if cut else echo
    edge = End(EDGE, "ge-0/0/3", Site("pop-a"), (reading(seen("edge", "snmp", device)),), "10.255.0.2")
    failure = Failure(Kind.TIMEOUT, "> 5 s")
    far = End(POP, "xe-1/0/0", Site("carrier-room"), (reading(seen("pop", "icmp", failure if cut else echo)),), "10.0.0.1")
    far = msgspec.structs.replace(far, not_measured=(not_measured("credential", "pop"),))
    carrier = Carrier("Example Net", ("desk@example.net", "+1 555 0100"), 4.0)
    keys = tuple(found.key for found in edge.findings if found.state is State.CRITICAL)
    case = Case(
        id=412, kind=CaseKind.NETWORK, cause="port_down", element="edge:ge-0/0/3", severity=State.CRITICAL, side=Side.CARRIER,
        area=Area.FIBRE, urgency=Urgency.EMERGENCY, confidence=None, opened_at=NOW, since=NOW - timedelta(minutes=21, seconds=40),
        updated_at=NOW, summary=Message("cause.loss", {"element": "edge:ge-0/0/3", "node": "edge"}), action=Message("action.loss", {}),
        agent="pop-a", keys=keys,
    )  # fmt: skip
    return Handoff("pop-a", NOW, LINK, carrier, (edge, far), "pop", reading(seen("pop", "path", trace)), (case,) if cut else ())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sheet_is_the_golden_one(golden, language: str) -> None:
    golden(f"handoff.{language}", handoff_text(sheet(), texts(language), columns=110, zone=UTC))


def test_what_is_wrong_comes_with_since_when_and_nothing_of_other_ports_is_there() -> None:
    text = handoff_text(sheet(), texts("en"), columns=400, zone=UTC)
    wrong = next(part for part in handoff_parts(sheet(), texts("en"), UTC) if part.title == "What is wrong")
    assert any("ge-0/0/3" in row.cells[1] and "since 2026-11-21 14:02:31 +0000" in row.cells[2] for row in wrong.rows)
    assert any("snmp/bgp 10.255.0.2" in row.cells[1] for row in wrong.rows)
    assert "ge-0/0/9" not in text
    assert "10.9.9.9" not in text


def test_a_sound_line_says_so_and_rules_out_both_ends() -> None:
    seen_whole = sheet(cut=False)
    ends = (seen_whole.ends[0], msgspec.structs.replace(seen_whole.ends[1], not_measured=()))
    parts = {part.title: part for part in handoff_parts(msgspec.structs.replace(seen_whole, ends=ends), texts("en"), UTC)}
    assert parts["What is wrong"].rows[0].cells[1].startswith("nothing at this moment")
    ruled_out = {row.cells[0]: row.cells[1] for row in parts["Ruled out: measured and good"].rows}
    assert "Rx Power: -7.1 dBm" in ruled_out["edge"]
    assert "20 echoes" in ruled_out["pop"] or "hop" in ruled_out["pop"]


def test_what_could_not_be_seen_is_never_as_it_should_be() -> None:
    sound = sheet(cut=False)
    blind = msgspec.structs.replace(sound.ends[1], readings=(), not_measured=(not_measured("address", "pop"),))
    for found in (
        msgspec.structs.replace(sound, ends=(sound.ends[0], blind)),
        msgspec.structs.replace(sound, ends=(msgspec.structs.replace(blind, not_measured=()),) * 2, path=None),
        msgspec.structs.replace(sound, path=reading(seen("pop", "path", Failure(Kind.DENIED, "no right")))),
    ):
        wrong = next(part for part in handoff_parts(found, texts("en"), UTC) if part.title == "What is wrong")
        assert wrong.rows[0].cells[1].startswith("nothing wrong was seen, but not everything")


def test_nothing_of_a_port_that_is_down_is_ruled_out() -> None:
    ruled_out = next(part for part in handoff_parts(sheet(), texts("en"), UTC) if part.title.startswith("Ruled out"))
    said = {row.cells[0]: row.cells[1] for row in ruled_out.rows}
    assert "our light leaves" in said["edge"]
    assert "duplex" not in said["edge"]
    assert "is down" not in said["edge"].replace("though ge-0/0/3 is down", "")


def test_an_end_of_which_nothing_is_known_stands_there_all_the_same() -> None:
    found = sheet(cut=False)
    empty = msgspec.structs.replace(found.ends[0], readings=(), not_measured=())
    text = handoff_text(msgspec.structs.replace(found, ends=(empty, empty)), texts("en"), zone=UTC)
    assert text.count("nothing is measured of this end of the line") == 2


def test_a_line_without_ports_tells_nothing_of_other_lines() -> None:
    found = sheet()
    bare = msgspec.structs.replace(found, ends=(msgspec.structs.replace(found.ends[0], port=""), found.ends[1]))
    text = handoff_text(bare, texts("en"), columns=400, zone=UTC)
    assert "ge-0/0/" not in text.partition("What is wrong")[2]
    assert "snmp/bgp 10.255.0.2" in text


def test_what_was_not_looked_at_is_named() -> None:
    part = handoff_parts(sheet(), texts("en"), UTC)[-1]
    assert part.title == "Not looked at"
    assert any("pop: no SNMP credential" in cell for row in part.rows for cell in row.cells)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_html_sheet_is_whole_and_needs_nothing_else(language: str) -> None:
    page = handoff_html(sheet(), texts(language), UTC)
    unclosed: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in {"script", "img", "link", "iframe"}
            if tag != "meta":
                unclosed.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert unclosed.pop() == tag

    Tags().feed(page)
    assert unclosed == []
    assert "http" not in page


def test_names_from_outside_cannot_write_html() -> None:
    found = sheet()
    hostile = msgspec.structs.replace(found, link=msgspec.structs.replace(LINK, circuit="<script>alert(1)</script>"))
    assert "<script" not in handoff_html(hostile, texts("en"), UTC)
