"""The settings in force as TOML: every default written out, secrets as "(set)"."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from checks.finding import Levels
from checks.maintenance import Always
from probe.agent.settings.duration import show_duration
from probe.agent.settings.endpoints import show_endpoint
from probe.agent.settings.reader import HIDDEN
from probe.agent.settings.secret import Secret
from probe.agent.settings.settings import Settings
from probe.agent.settings.toml_text import write_table
from probe.job import Job
from probe.probers.catalogue import SECRET_FIELDS, TYPED


def show_settings(settings: Settings) -> str:
    """Return all settings as one TOML file, the inventory files included; without secrets in it, it reads back as the same settings."""
    agent = settings.agent
    inventory = settings.inventory
    parts = [
        write_table({**_plain(agent, "host", "port"), "node": inventory.here, "listen": agent.listen}, "[agent]"),
        write_table(_plain(settings.store), "[store]"),
        write_table(_plain(settings.rules), "[rules]"),
        *_endpoints(settings),
    ]
    parts += [write_table(_plain(one), "[[credential]]") for one in settings.credentials.values()]
    for kind in ("sites", "carriers", "customers"):
        parts += [write_table(_inventory(one), f"[[{kind[:-1]}]]") for one in getattr(inventory, kind).values()]
    jobs: dict[str, list[Job]] = {}
    for job in settings.jobs:
        jobs.setdefault(job.node.name, []).append(job)
    for node in inventory.nodes.values():
        checks = [_check(job, settings.limits.get(job.key)) for job in jobs.get(node.name, [])]
        parts.append(write_table({**_plain(node), "check": checks or None}, "[[node]]"))
    parts += [write_table(_plain(one), "[[link]]") for one in inventory.links.values()]
    parts += [write_table({"name": feed.name, "kind": feed.kind, **_options(feed.options)}, "[[feed]]") for feed in settings.feeds]
    for inbox in settings.inboxes:
        parts.append(write_table({**_plain(inbox, "still_s", "accounts"), "still": show_duration(inbox.still_s)}, "[[audit_inbox]]"))
    for window in settings.maintenance:
        kind = "silence" if isinstance(window, Always) else "maintenance"
        parts.append(write_table({**_plain(window, "scope"), **_plain(window.scope)}, f"[[{kind}]]"))
    return "\n".join(part for part in parts if part.strip("\n") not in {"[store]"})


def _endpoints(settings: Settings) -> Iterator[str]:
    """Yield [traps] and [stamp] where they are set."""
    if settings.traps is not None:
        yield write_table({"listen": show_endpoint(settings.traps.host, settings.traps.port)}, "[traps]")
    if settings.stamp is not None:
        stamp = settings.stamp
        yield write_table({"listen": show_endpoint(stamp.host, stamp.port), "allow": stamp.allowed}, "[stamp]")


def _inventory(one: Any) -> dict[str, Any]:
    fields = _plain(one, "promised_repair_h")
    hours = getattr(one, "promised_repair_h", None)
    return {**fields, "promised_repair": show_duration(hours * 3600)} if hours is not None else fields


def _check(job: Job, limits: Any) -> dict[str, Any]:
    times = {"every": show_duration(job.every_s), "timeout": show_duration(job.timeout_s)}
    options = {name: value for name, value in _options(job.options).items() if name not in TYPED.get(job.prober, ())}
    return {"prober": job.prober, **options, **times, "levels": _levels(limits)}


def _options(options: Any) -> dict[str, Any]:
    """Return options by the keys of the file; a feed's `secret_file` stands there as the reference `secret`."""
    fields = _plain(options)
    return {
        (name.removesuffix("_file") if name in {"secret_file", "password_file"} else name): value
        for name, value in fields.items()
        if not (value == "" and (name.endswith("_file") or name in SECRET_FIELDS))
    }


def _levels(limits: Any) -> dict[str, Any] | None:
    if limits is None:
        return None
    shown: dict[str, Any] = {}
    for name in limits.__struct_fields__:
        value = getattr(limits, name)
        if isinstance(value, Levels):
            of = {key: False if getattr(value, key) is None else getattr(value, key) for key in ("warning", "critical")}
            shown[name] = {**of, "margin": value.margin}
        else:
            shown[name] = _value(name, value)
    return shown


def _plain(struct: msgspec.Struct, *without: str) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in msgspec.structs.asdict(struct).items() if name not in without}


def _value(name: str, value: Any) -> Any:
    secret = isinstance(value, Secret) or (value not in (None, "") and (name in SECRET_FIELDS or name in {"secret_file", "password_file"}))
    if secret:
        return HIDDEN
    if isinstance(value, msgspec.Struct):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _value(key, one) for key, one in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_value("", one) for one in value]
    return value
