"""The file as a JSON Schema (2020-12) for editors; made from what reads the file, so that it can't lag behind."""

from typing import Any

import msgspec

from checks import catalogue as judges
from checks.finding import Levels
from checks.history import Rule
from probe.agent.settings.duration import show_duration
from probe.agent.settings.feeds import KINDS
from probe.agent.settings.forms import CheckForm, FeedForm, MainForm, OnceForm, WeeklyForm
from probe.agent.settings.jobs import options_of
from probe.agent.settings.reader import SECRET_KINDS
from probe.probers import catalogue as probers
from probe.probers.catalogue import SECRET_FIELDS
from reports.feeds import catalogue as feeds

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {"$ref": "#/$defs/Secret"}
LIMIT = {"anyOf": [{"type": "number"}, {"const": False}]}


def make_schema() -> dict[str, Any]:
    """Return the schema of the main file; an inventory file is one with fewer tables."""
    parts: dict[str, Any] = {}
    main = _inline(MainForm, parts)
    parts["Secret"] = {
        "description": "a secret by reference; it never stands in this file",
        "anyOf": [_object({kind: {"type": "string", "minLength": 1}}, [kind]) for kind in SECRET_KINDS],
    }
    once, weekly = _inline(OnceForm, parts), _inline(WeeklyForm, parts)
    checks = [_check(prober, parts) for prober in sorted(probers.PROBERS)]
    parts["NodeForm"]["properties"]["check"] = {"type": "array", "items": {"anyOf": checks}}
    main["properties"]["feed"] = {"type": "array", "items": {"anyOf": [_feed(kind, parts) for kind in KINDS]}}
    main["properties"]["maintenance"] = {"type": "array", "items": {"anyOf": [once, weekly]}}
    main["properties"]["rules"] = _inline(Rule, parts)
    tidy: dict[str, Any] = _tidy({"title": "firstline.toml", **main, "$defs": parts})
    return {"$schema": DIALECT, **tidy}


def _tidy(schema: Any) -> Any:
    """Return the schema as TOML sees it: there is no null, and a time is a text with its unit."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(part) for key, part in schema.items() if not (key == "default" and part in (None, [], {}))}
    if tidy.get("type") == "number" and "pattern" in tidy:
        default = {"default": show_duration(tidy["default"])} if "default" in tidy else {}
        tidy = {**tidy, "type": "string", **default}
    if len(tidy.get("anyOf", ())) == 1:
        only = tidy.pop("anyOf")[0]
        tidy = {**only, **tidy}
    return tidy


def _check(prober: str, parts: dict[str, Any]) -> dict[str, Any]:
    own = _inline(CheckForm, parts)
    options = _inline(options_of(prober), parts)
    properties = {**options["properties"], **own["properties"], "prober": {"const": prober}, "levels": _levels(prober, parts)}
    return _object(properties, ["prober", *options.get("required", [])])


def _levels(prober: str, parts: dict[str, Any]) -> dict[str, Any]:
    limits = judges.load(prober).Limits
    schema = _inline(limits, parts)["properties"]
    standard = limits()
    properties = {}
    for name in limits.__struct_fields__:
        value = getattr(standard, name)
        if isinstance(value, Levels):
            said = f"{value.unit}; {value.source}"
            properties[name] = {"description": said, **_object({"warning": LIMIT, "critical": LIMIT, "margin": {"type": "number"}})}
        else:
            properties[name] = schema[name]
    return _object(properties)


def _feed(kind: str, parts: dict[str, Any]) -> dict[str, Any]:
    own = _inline(FeedForm, parts)
    options = _inline(feeds.load(kind).Options, parts)
    properties = {}
    for name, schema in options["properties"].items():
        if name in {"secret_file", "password_file"}:
            properties[name.removesuffix("_file")] = REFERENCE
        else:
            properties[name] = schema
    return _object({**properties, **own["properties"], "kind": {"const": kind}}, ["kind", *options.get("required", [])])


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    made = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def _inline(form: type[msgspec.Struct], parts: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one table; the types that it uses are added to `parts`."""
    schema = msgspec.json.schema(form)
    own = schema["$ref"].rpartition("/")[2]
    table: dict[str, Any] = schema["$defs"].pop(own)
    for name, part in schema["$defs"].items():
        if name != "Levels":  # limits are written as a part of them, see _levels
            parts.setdefault(name, part)
    for name, field in table["properties"].items():
        if isinstance(field.get("default"), dict):
            del field["default"]
        if name in SECRET_FIELDS:
            table["properties"][name] = REFERENCE
    return {key: value for key, value in table.items() if key != "title"}
