"""Turns a prober's Options into command line options, so that the two can't differ."""

import sys
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import msgspec

from probe.probers.catalogue import SECRET_FIELDS


def describe(options: type[msgspec.Struct]) -> list[tuple[str, Any, str, Any]]:
    """Return (field, plain type, description, default) of each field; the default is msgspec.NODEFAULT where it is required."""
    hints = get_type_hints(options, include_extras=True)
    found = []
    for field in msgspec.structs.fields(options):
        kind, text = _plain(hints[field.name])
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        found.append((field.name, kind, text, default))
    return found


def _plain(hint: Any) -> tuple[Any, str]:
    text = ""
    if get_origin(hint) is Annotated:
        hint, *metas = get_args(hint)
        text = next((meta.description for meta in metas if getattr(meta, "description", None)), "")
    if get_origin(hint) in (Union, UnionType):
        rest = [arm for arm in get_args(hint) if arm is not NoneType]
        inner, more = _plain(rest[0])
        return inner, text or more
    return hint, text


def parameters(options: type[msgspec.Struct], given: frozenset[str] = frozenset()) -> list[click.Parameter]:
    """Return a click option for every field; those that the target itself may give (`given`) are not required."""
    made: list[click.Parameter] = []
    for name, kind, text, default in describe(options):
        if name in SECRET_FIELDS:  # never an argument itself: every user of the machine can read those
            flag, what = f"--{name.replace('_', '-')}-file", f"file that holds the secret ({text}), mode 0600; - asks for it"
            made.append(click.Option([flag, name], metavar="FILE", callback=_revealed, help=what))
            continue
        required = default is msgspec.NODEFAULT and name not in given
        flags = [f"--{name.replace('_', '-')}"]
        settings: dict[str, Any] = {"help": text, "required": required, "default": None}
        if default not in (msgspec.NODEFAULT, None, "", (), {}):
            settings["help"] = f"{text}  [default: {_shown(default)}]" if kind is not bool else text
        if get_origin(kind) in (tuple, list):
            settings["help"] = f"{settings['help']}; repeat it for several"
        if kind is bool:
            flags = [f"--{name.replace('_', '-')}/--no-{name.replace('_', '-')}"]
        else:
            settings |= _click_type(kind)
        made.append(click.Option(flags, **settings))
    return made


def _shown(default: Any) -> Any:
    if isinstance(default, tuple | list):
        return " ".join(str(_shown(one)) for one in default)
    return default.value if isinstance(default, Enum) else default


def _click_type(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {"type": click.Choice([str(word) for word in get_args(kind)])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": click.Choice([str(word.value) for word in kind])}
    if get_origin(kind) in (tuple, list):
        item = _click_type(_plain(get_args(kind)[0])[0])
        return {"multiple": True, "type": item["type"] if isinstance(item.get("type"), click.Choice) else str}
    if get_origin(kind) is dict:
        return {"multiple": True, "metavar": "NAME=VALUE", "callback": _pairs}
    if kind in (int, float):
        return {"type": kind}
    return {"type": str}


def _pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str] | None:
    for pair in given:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", context, option)
    return dict(pair.split("=", 1) for pair in given) or None


def _revealed(context: click.Context, option: click.Parameter, file: str | None) -> str | None:
    if file is None:
        return None
    if file == "-" and not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    if file == "-":
        return str(click.prompt(str(option.name).capitalize(), hide_input=True, err=True))
    from probe.agent.settings.secret import Secret, SecretError  # what needs no password must start fast

    try:
        return Secret("file", file).reveal()
    except SecretError as why:
        raise click.BadParameter(str(why), context, option) from why
