"""A proof that somebody changed by hand leads to another verdict or to a plain error, never to a crash."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks import dns
from checks.assess import Memory, Rules, assess
from checks.correlate import correlate
from checks.proof import explain, prove, read
from checks.topology import Topology
from probe.inventory import Inventory, Node
from probe.observation.dns import DnsSample
from probe.observation.observation import Observation

START = datetime(2026, 3, 1, tzinfo=UTC)
INVENTORY = Inventory("here", {"ns-1": Node("ns-1", "192.0.2.53")})
LAME = DnsSample("192.0.2.53", "example.net.", "A", "NOERROR", True, False, False, ("example.net. CNAME x.",), 5.0)


def proof() -> bytes:
    rules, memory = Rules(dns.judge, dns.Limits()), Memory()
    for minute in range(3):
        memory, _ = assess(Observation("agent", "ns-1", "dns", START + timedelta(minutes=minute), 5.0, LAME), memory, rules)
    (diagnosis,) = correlate({("ns-1", "dns", ""): memory}, Topology(INVENTORY)).diagnoses
    return prove(diagnosis, {("ns-1", "dns", ""): memory}, {("ns-1", "dns", ""): rules}, INVENTORY)


def changed(**changes: object) -> bytes:
    document = msgspec.json.decode(proof())
    for step in document["evidence"]["strands"][0]["steps"]:
        step["seen"]["outcome"].update(changes)
    return msgspec.json.encode(document)


def test_the_proof_leads_to_the_same_verdict_and_a_good_answer_to_none() -> None:
    assert explain(read(proof())).same
    good = explain(read(changed(answers=["example.net. A 192.0.2.1"])))
    assert (good.derived, good.same, good.others) == (None, False, ())


@pytest.mark.parametrize("changes", [{"answers": ["garbage"]}, {"answers": [""]}])
def test_readings_that_none_could_be_are_told_as_such(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="IndexError"):
        explain(read(changed(**changes)))
