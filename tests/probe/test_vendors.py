"""The vendor files: strict, sourced, and each found by the device that it is about."""

import re
from collections import Counter
from importlib import resources

import msgspec
import pytest

from probe.snmp.vendor import FILES, Vendor, file_of, name_of, read_file

NAMES = sorted(
    entry.name.removesuffix(".toml")
    for entry in resources.files("probe.snmp.vendors").iterdir()
    if entry.name.endswith(".toml") and entry.name != "names.toml"
)
OID = re.compile(r"^1(\.\d+){5,}(@(-?\d+|\*|=\d+)(\.(-?\d+|\*|=\d+))*)?$")
STATES = {
    "fan", "power_supply", "temperature", "voltage", "battery", "module", "optics", "stack", "redundancy", "alarm", "registration",
    "tunnel", "other",
}  # fmt: skip
KINDS = re.compile(r"^(dbm|[a-z_]+_(c|db|rpm|ratio|v|a|w|hz|dbm|ma|db|wh|va|s|cmm|mbar|ah))$")


@pytest.mark.parametrize("name", NAMES)
def test_vendor_file_is_strict_and_every_rule_is_sourced(name: str) -> None:
    vendor = read_file(name)
    placeholder = re.compile(r"\{(-?\w+)\}")
    for rule in (*vendor.sensor, *vendor.state, *vendor.processor):
        assert "MIB" in rule.mib or "RFC" in rule.mib, rule.oid
        assert OID.match(rule.oid), rule.oid
        assert "@" not in rule.oid
        for word in placeholder.findall(rule.name):
            assert word in rule.labels or word in ("index", "entity", "port", "text") or word.lstrip("-").isdigit(), rule
        assert rule.port in ("", "index", "entity", "name", *rule.labels) or rule.port.lstrip("-").isdigit(), rule
        for column in [*rule.labels.values(), *(when.oid for when in rule.when if when.oid)]:
            assert OID.match(column), column
    for sensor in vendor.sensor:
        assert KINDS.match(sensor.kind), sensor.kind
    for state in vendor.state:
        assert state.kind in STATES, state.kind
        assert state.words in vendor.words if isinstance(state.words, str) else state.words
    used = {state.words for state in vendor.state if isinstance(state.words, str)}
    assert used == set(vendor.words), "a set of words that nothing uses"


def test_unknown_word_in_a_vendor_file_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `oidd`"):
        msgspec.convert({"vendor": "X", "sensor": [{"mib": "X-MIB x", "oidd": "1.3", "kind": "rx_dbm"}]}, Vendor)


def test_every_enterprise_leads_to_the_file_that_names_it() -> None:
    told = Counter({prefix: name for name in NAMES for prefix in read_file(name).enterprise})
    assert dict(told) == dict(FILES)
    for name in NAMES:
        for other in read_file(name).elsewhere:
            assert other.file in NAMES


@pytest.mark.parametrize(
    ("object_id", "description", "file"),
    [
        ("1.3.6.1.4.1.2011.2.23.291", "S5720 Huawei Versatile Routing Platform", "huawei"),
        ("1.3.6.1.4.1.2011.2.123", "Huawei Integrated Access Software", "huawei_access"),
        (".1.3.6.1.4.1.9.1.1208", "Cisco IOS Software", "cisco"),
        ("1.3.6.1.4.1.20111.1", "not Huawei, whose number this begins with", None),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux db1 5.10.0-28-amd64 #1 SMP x86_64", "linux"),
        ("", "a device that hides its sysObjectID", None),
        ("0.0", "zero dot zero", None),
    ],
)
def test_file_by_longest_prefix_and_description(object_id: str, description: str, file: str | None) -> None:
    assert file_of(object_id, description) == file


def test_a_vendor_without_a_file_has_its_name_from_the_register() -> None:
    assert name_of("1.3.6.1.4.1.2.6.1") == "IBM"
    assert name_of("1.3.6.1.4.1.99999.1") is None
    assert name_of("") is None
