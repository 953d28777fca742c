"""A vendor's MIBs as data: the form of the files in probe/snmp/vendors, and which file a device needs.

OIDs stand without a leading dot. A column is written as its OID, or as "OID@1.2": not the row's own index but one made of its parts 1 and
2 (-1 is the last part, * the whole index, =1 the number 1); an OID that ends in .0 is a scalar. `mib` names the MIB and the object that
each rule was read from.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from probe.observation.sensor import Condition

Words = Mapping[str, tuple[str, Condition]]  # raw number → the MIB's word and what it means
Form = Literal["number", "log", "huawei", "lanes"]

FILES: Mapping[str, str] = {  # enterprise number, with a longer prefix where one number has several families → file
    "9": "cisco",
    "9.6.1": "cisco_sb",
    "11": "procurve",
    "171": "dlink",
    "207": "allied_telesis",
    "232": "hpe_server",
    "311": "microsoft",
    "318": "apc",
    "476": "vertiv",
    "534": "eaton",
    "562": "ciena",
    "637.61": "nokia_isam",
    "674.10892.5": "dell_idrac",
    "674.10895": "dell_switch",
    "674.11000": "dell_os10",
    "705": "eaton",
    "890": "zyxel",
    "1271": "ciena",
    "1588": "brocade_fc",
    "1916": "extreme",
    "1991": "foundry",
    "2011": "huawei",
    "2011.2.25": "huawei_optix",
    "2011.6.164": "huawei_power",
    "2011.6.174": "huawei_ups",
    "2021": "linux",
    "2254": "delta",
    "2272": "voss",
    "2281": "ceragon",
    "2544": "adva",
    "2620": "checkpoint",
    "2636": "juniper",
    "3320": "bdcom",
    "3375": "f5",
    "3807": "fiberhome",
    "3808": "cyberpower",
    "3902": "zte",
    "4413": "fastpath",
    "4515": "packetlight",
    "4526": "netgear",
    "4555": "socomec",
    "4881": "ruijie",
    "5003": "audiocodes",
    "5875": "fiberhome",
    "6027": "dell_ftos",
    "6296": "dasan",
    "6321": "calix",
    "6486.801": "alcatel_aos",
    "6527": "nokia_sros",
    "6574": "synology",
    "6666": "innovaphone",
    "7483": "nokia_1830",
    "8072": "linux",
    "8886": "raisecom",
    "9148": "acme_packet",
    "10002": "ubiquiti",
    "10876": "supermicro",
    "11863": "tplink",
    "12148": "eltek",
    "12356": "fortinet",
    "14823": "aruba_os",
    "14988": "mikrotik",
    "25461": "paloalto",
    "25506": "h3c",
    "30065": "arista",
    "35265": "radlan",
    "37950": "vsol",
    "41112": "ubiquiti",
    "42229": "coriant",
    "42397": "grandstream",
    "47196": "aruba_cx",
    "52642": "fs",
}


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row counts only if all of this holds: its number in column `oid` (the rule's own if none is named) is one of `is`, none of `isnt`,
    its text matches, it is the same number as in column `same` or another than in column `differs`, and the index matches."""

    oid: str = ""
    is_: tuple[int, ...] = msgspec.field(default=(), name="is")
    isnt: tuple[int, ...] = ()
    matches: str = ""
    same: str = ""
    differs: str = ""
    index: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all rules have in common.

    name: a template: {index}, {1} … {9} its parts, {text} the index as texts (with their lengths before them), {entity} the ENTITY-MIB name
      of the row, {port} the interface, or a label.
    labels: name of a placeholder → the column whose text stands there.
    port: "index" or "1" … "9" is the ifIndex; "entity": the entity leads to it; a label: its text is an ifIndex or an ifName; "name": the
      name that was formed begins with an ifName.
    """

    mib: str
    oid: str
    name: str = "{index}"
    labels: dict[str, str] = {}
    port: str = ""
    when: tuple[When, ...] = ()


class Sensor(Row, frozen=True, kw_only=True):
    """A column of readings: value = (raw + offset) · scale in the unit of `kind`, after `form`.

    form: "number" (a number, or a text that begins with one); "log": 10·log10(raw · scale), scale makes mW of it; "huawei": above 0 µW,
      else hundredths of dBm; "lanes": numbers between commas, one a lane.
    none, dark: raw values that mean "no reading" and "no light"; `dark_below`: a value below it, in the kind's unit, is no light either.
    lane: the part of the index that numbers the lanes of a module.
    low_critical … high_critical: columns of the device's own limits, in `limit_form` and `limit_scale` (those of the value if not told).
    """

    kind: str
    form: Form = "number"
    scale: float = 1
    offset: float = 0
    none: tuple[float, ...] = ()
    dark: tuple[float, ...] = ()
    dark_below: float | None = None
    low_critical: str = ""
    low_warning: str = ""
    high_warning: str = ""
    high_critical: str = ""
    limit_scale: float | None = None
    limit_form: Form | None = None
    limit_none: tuple[float, ...] = ()
    lane: int | None = None


class State(Row, frozen=True, kw_only=True):
    """A column of states; `words`: raw number → the MIB's word and what it means, or the name of a set in [words].

    texts: for devices that send words instead of numbers, text → number (whatever its case).
    """

    kind: str
    words: dict[str, tuple[str, Condition]] | str
    texts: dict[str, int] = {}


class Processor(Row, frozen=True, kw_only=True):
    """A column of processor load; `scale` makes a ratio of it; `pattern` finds the number (its group) where a text has several."""

    scale: float = 0.01
    pattern: str = ""
    none: tuple[float, ...] = ()


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that can be used up: columns or scalars of what is used, free, the most there can be, and the ratio told by the device.

    scale: makes bytes or pieces of used, free and most.
    """

    mib: str
    kind: Literal["memory", "storage", "sessions", "nat", "licence", "connections"]
    name: str = "{index}"
    labels: dict[str, str] = {}
    used: str = ""
    free: str = ""
    most: str = ""
    ratio: str = ""
    scale: float = 1
    ratio_scale: float = 0.01
    when: tuple[When, ...] = ()


class Ups(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a UPS tells its state: scalars, or columns of which the first row counts; words as in UpsSample; scales make s, min, ratios."""

    mib: str
    output: str = ""
    output_words: dict[str, str] = {}
    battery: str = ""
    battery_words: dict[str, str] = {}
    replace: str = ""
    replace_is: tuple[int, ...] = ()
    on_battery: str = ""
    on_battery_scale: float = 1
    minutes: str = ""
    minutes_scale: float = 1
    charge: str = ""
    charge_scale: float = 0.01
    load: str = ""
    load_scale: float = 0.01


class IdentityRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where model, firmware and serial stand: patterns over sysDescr with groups so named; scalars or columns, the first that tells.

    trust: which of the chassis in ENTITY-MIB and sysDescr names the model as a person would.
    """

    mib: str = ""
    trust: Literal["entity", "description"] = "entity"
    description: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    serial: tuple[str, ...] = ()


class Elsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device whose sysObjectID is that of its operating system: sysDescr tells whose it is."""

    description: str
    file: str


class Vendor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file. `entity_sensor`: by which MIB its ENTITY-SENSOR limits come; "none" where that table only repeats what stands here."""

    vendor: str
    enterprise: tuple[str, ...] = ()
    entity_sensor: Literal["standard", "cisco", "arista", "none"] = "standard"
    identity: IdentityRules = IdentityRules()
    elsewhere: tuple[Elsewhere, ...] = ()
    words: dict[str, dict[str, tuple[str, Condition]]] = {}
    sensor: tuple[Sensor, ...] = ()
    state: tuple[State, ...] = ()
    processor: tuple[Processor, ...] = ()
    pool: tuple[Pool, ...] = ()
    ups: Ups | None = None


@cache
def read_file(name: str) -> Vendor:
    """Return a vendor file; raises msgspec.ValidationError or tomllib.TOMLDecodeError where it has a fault (a test reads them all)."""
    raw = resources.files("probe.snmp.vendors").joinpath(f"{name}.toml").read_bytes()
    return msgspec.convert(tomllib.loads(raw.decode("utf-8")), Vendor)


def file_of(object_id: str, description: str) -> str | None:
    """Return the name of the file for a device by its sysObjectID (longest prefix) and sysDescr; None for a vendor nobody wrote one for."""
    parts = _enterprise(object_id)
    name = next((FILES[prefix] for size in range(len(parts), 0, -1) if (prefix := ".".join(parts[:size])) in FILES), None)
    if name is None and parts:
        return None
    for other in read_file(name or "linux").elsewhere:
        if re.search(other.description, description):
            return other.file
    return name


def name_of(object_id: str) -> str | None:
    """Return the vendor's name by its enterprise number (the register of IANA, as far as it stands in names.toml)."""
    number = next(iter(_enterprise(object_id)), "")
    raw = resources.files("probe.snmp.vendors").joinpath("names.toml").read_bytes()
    return msgspec.convert(tomllib.loads(raw.decode("utf-8"))["names"], dict[str, str]).get(number)


def _enterprise(object_id: str) -> list[str]:
    """Return the numbers after enterprises of a sysObjectID."""
    _, _, below = f"{object_id.strip('.')}.".partition("1.3.6.1.4.1.")
    return [part for part in below.split(".") if part]
