"""A table of the file into a Struct, field by field and strictly: every mistake is noted at its path, none stops the reading."""

import json
import os
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta

from probe.agent.settings.document import Document
from probe.agent.settings.duration import read_duration, show_duration
from probe.agent.settings.secret import Secret, SecretError
from probe.agent.settings.spelling import did_you_mean
from probe.agent.settings.toml_lines import Path, spell
from probe.probers.catalogue import SECRET_FIELDS

Form = TypeVar("Form", bound=msgspec.Struct)
Read = Callable[[Any, Document, Path], Any]


class _Bad:
    """A value that was refused and noted."""


BAD = _Bad()
HIDDEN = "(set)"
UNREAD = "(set, and not read here)"  # stands for a secret where only the form of a file is wanted; long enough for a password
SECRET_KINDS = ("file", "env", "credential")
REFERENCE = 'put it in a file of its own and write { file = "…" }, { env = "…" } or { credential = "…" }'


def read(form: type[Form], table: object, document: Document, path: Path) -> Form | None:
    """Return the table as a `form`; None when anything in it was refused (and noted in the document)."""
    value = _reader(form)(table, document, path)
    return None if value is BAD else value


def known_fields(form: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the keys that a table of this form may have."""
    return tuple(field.encode_name for field in msgspec.structs.fields(form))


def refuse_key(document: Document, path: Path, key: str, known: "tuple[str, ...] | list[str]") -> None:
    """Note an unknown key."""
    document.refuse((*path, key), f"unknown key{did_you_mean(key, known)}")


def show(value: object) -> str:
    """Return a value as TOML writes it, cut to a readable length."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value if len(value) <= 60 else value[:59] + "…", ensure_ascii=False)
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() if not value.is_finite():
            return str(float(value))
        case _:
            text = str(value)
            return text if len(text) <= 60 else text[:59] + "…"


@cache
def _reader(hint: Any) -> Read:
    """Return the function that reads a value of this type."""
    extra: Mapping[str, Any] = {}
    meta: tuple[Meta, ...] = ()
    inner = hint
    while get_origin(inner) is Annotated:
        inner, *notes = get_args(inner)
        meta += tuple(note for note in notes if isinstance(note, Meta))
    for note in meta:
        extra = {**(note.extra or {}), **extra}
    if get_origin(inner) in {Union, types.UnionType}:
        members = [member for member in get_args(inner) if member is not type(None)]
        if len(members) == 1:  # TOML has no null: an optional value is read as the value
            return _reader(Annotated[(members[0], *meta)] if meta else members[0])
        return _leaf(hint, inner, extra)
    if "duration" in extra:
        return _duration(*extra["duration"])
    if inner is Secret:
        return _secret
    if extra.get("secret"):
        return _revealed
    if extra.get("file"):
        return _file_name
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return _struct(inner)
    if get_origin(inner) is tuple or get_origin(inner) is list:
        return _sequence(inner, next((note.max_length for note in meta if note.max_length is not None), None))
    if get_origin(inner) is dict or get_origin(inner) is Mapping:
        return _mapping(inner)
    return _leaf(hint, inner, extra)


def _struct(form: type[msgspec.Struct]) -> Read:
    plan = {field.encode_name: (field.name, _reader(_by_name(field.name, field.type))) for field in msgspec.structs.fields(form)}
    required = [
        (field.encode_name, _about(field.type))
        for field in msgspec.structs.fields(form)
        if field.default is NODEFAULT and field.default_factory is NODEFAULT
    ]

    def read_struct(value: Any, document: Document, path: Path) -> Any:
        if not isinstance(value, dict):
            document.refuse(path, f"{show(value)} is not a table")
            return BAD
        fields, good = {}, True
        for key, content in value.items():
            planned = plan.get(key)
            if planned is None:
                refuse_key(document, path, key, tuple(plan))
                good = False
                continue
            field = planned[1](content, document, (*path, key))
            good = good and field is not BAD
            fields[planned[0]] = field
        for key, about in required:
            if key not in value:
                document.refuse(path, f"{spell(key)} is missing{about}")
                good = False
        if not good:
            return BAD
        try:
            return form(**fields)
        except (ValueError, TypeError) as why:  # a form's own __post_init__; it may name a field first
            field, colon, text = str(why).partition(": ")
            document.refuse(*(((*path, field), text) if colon and field in value else (path, str(why))))
            return BAD

    return read_struct


def _by_name(name: str, hint: Any) -> Any:
    members = {hint, *get_args(hint), *(part for arg in get_args(hint) for part in get_args(arg))}
    if name.endswith("_file") and str in members:
        return Annotated[str, Meta(extra={"file": True})]
    if name in SECRET_FIELDS and str in members:
        return Annotated[str, Meta(extra={"secret": True})]
    return hint


def _about(hint: Any) -> str:
    meta = [note for note in get_args(hint)[1:] if isinstance(note, Meta) and note.description] if get_origin(hint) is Annotated else []
    return f" ({meta[-1].description})" if meta else ""


def _sequence(hint: Any, most: int | None) -> Read:
    kind, members = get_origin(hint), get_args(hint)
    fixed = kind is tuple and not (len(members) == 2 and members[1] is Ellipsis)
    readers = [_reader(member) for member in members if member is not Ellipsis] or [_leaf(Any, Any, {})]

    def read_sequence(value: Any, document: Document, path: Path) -> Any:
        if not isinstance(value, list):
            cure = f"; write [{show(value)}]" if isinstance(value, str | int) else ""
            document.refuse(path, f"{show(value)} is not a list{cure}")
            return BAD
        if fixed and len(value) != len(readers):
            document.refuse(path, f"a list of {len(value)} is not a list of {len(readers)}")
            return BAD
        if most is not None and len(value) > most:
            document.refuse(path, f"a list of {len(value)} is too long; {most} are the most")
            return BAD
        one = readers[0]
        read_all = [(readers[index] if fixed else one)(element, document, (*path, index)) for index, element in enumerate(value)]
        return BAD if any(element is BAD for element in read_all) else kind(read_all)

    return read_sequence


def _mapping(hint: Any) -> Read:
    members = get_args(hint)
    one = _reader(members[1]) if members else _leaf(Any, Any, {})

    def read_mapping(value: Any, document: Document, path: Path) -> Any:
        if not isinstance(value, dict):
            document.refuse(path, f"{show(value)} is not a table")
            return BAD
        read_all = {key: one(content, document, (*path, key)) for key, content in value.items()}
        return BAD if any(content is BAD for content in read_all.values()) else read_all

    return read_mapping


def _secret(value: Any, document: Document, path: Path) -> Any:
    if isinstance(value, str):
        document.refuse(path, f"a secret does not stand in this file; {REFERENCE}")  # its words are not repeated
        return BAD
    if not isinstance(value, dict) or len(value) != 1:
        document.refuse(path, f"not a reference to a secret; {REFERENCE}")
        return BAD
    kind, name = next(iter(value.items()))
    if kind not in SECRET_KINDS:
        document.refuse((*path, kind), f"unknown kind of secret; {REFERENCE}")
        return BAD
    if not isinstance(name, str) or not name or "\0" in name or (kind == "credential" and "/" in name):
        document.refuse((*path, kind), f"{show(name)} is not the name of {'a file' if kind == 'file' else 'a secret'}")
        return BAD
    secret = Secret(kind, beside(document, name) if kind == "file" else name)
    document.secrets.append(((*path, kind), secret))
    return secret


def _revealed(value: Any, document: Document, path: Path) -> Any:
    """Read a reference for a field that takes the secret itself, as the options of probers and feeds do."""
    secret = _secret(value, document, path)
    if secret is BAD or not document.reveals:
        return secret if secret is BAD else UNREAD
    try:
        return secret.reveal()
    except SecretError as why:
        document.refuse((*path, secret.kind), str(why))
        return BAD


def read_reference(value: Any, document: Document, path: Path) -> Any:
    """Return the name of the file that a reference to a secret leads to, for what reads its secret from a file; BAD when refused."""
    secret = _secret(value, document, path)
    if secret is BAD:
        return BAD
    try:
        return secret.file()
    except SecretError as why:
        document.refuse(path, str(why))
        return BAD


def _file_name(value: Any, document: Document, path: Path) -> Any:
    if not isinstance(value, str) or not value or "\0" in value:
        document.refuse(path, f"{show(value)} is not the name of a file")
        return BAD
    return os.path.abspath(beside(document, value))


def beside(document: Document, name: str) -> str:
    """Return a file name of the document, as seen from where the document's own name is seen."""
    return os.path.normpath(os.path.join(os.path.dirname(document.file), os.path.expanduser(name)))


def _duration(what: str, low: float, high: float) -> Read:
    def read_time(value: Any, document: Document, path: Path) -> Any:
        seconds = read_duration(value) if isinstance(value, str) else None
        if seconds is not None and low <= seconds <= high:
            return seconds
        cure = ""
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and low <= value <= high:
            cure = f'; write "{value}s"'
        document.refuse(path, f"{show(value)} is not {what} ({show_duration(low)} … {show_duration(high)}){cure}")
        return BAD

    return read_time


def _leaf(hint: Any, inner: Any, extra: Mapping[str, Any]) -> Read:
    if get_origin(inner) is Literal:
        return _choice(get_args(inner), hint)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return _choice(tuple(choice.value for choice in inner), hint)
    what = extra.get("is") or _expected(hint)

    def read_leaf(value: Any, document: Document, path: Path) -> Any:
        finite = not isinstance(value, Decimal) or value.is_finite()
        try:
            if finite:
                return msgspec.convert(value, hint)
        except (msgspec.ValidationError, ValueError, OverflowError):
            pass
        document.refuse(path, f"{show(value)} is not {what}")
        return BAD

    return read_leaf


def _choice(choices: tuple[Any, ...], hint: Any) -> Read:
    words = [str(choice) for choice in choices]

    def read_choice(value: Any, document: Document, path: Path) -> Any:
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return msgspec.convert(value, hint)
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        document.refuse(path, f"{show(value)} is none of {', '.join(words)}{near}")
        return BAD

    return read_choice


def _expected(hint: Any) -> str:
    """Return what a value of this type is, in words, with its limits."""
    try:
        return _words(msgspec.inspect.type_info(hint))
    except TypeError:
        return "what belongs here"


def _words(kind: msgspec.inspect.Type) -> str:
    while isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    match kind:
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case msgspec.inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case msgspec.inspect.StrType(pattern=pattern) if pattern is not None:
            return f"of the form {pattern}"
        case msgspec.inspect.StrType(min_length=least, max_length=most):
            return "a text" + (f" ({least or 0} … {most} characters)" if most is not None else " (not empty)" if least else "")
        case msgspec.inspect.DateType():
            return "a date (2027-03-31)"
        case msgspec.inspect.TimeType():
            return "a time of day (01:30:00)"
        case msgspec.inspect.DateTimeType():
            return "a time with its zone (2027-03-31T04:00:00Z)"
        case msgspec.inspect.UnionType(types=members):
            return " or ".join(_words(member) for member in members if not isinstance(member, msgspec.inspect.NoneType))
        case _:
            return "what belongs here"


def _bounds(kind: "msgspec.inspect.IntType | msgspec.inspect.FloatType") -> str:
    low = f"{kind.ge}" if kind.ge is not None else f"above {kind.gt}" if kind.gt is not None else None
    high = f"{kind.le}" if kind.le is not None else f"below {kind.lt}" if kind.lt is not None else None
    if low is not None and high is not None:
        return f" ({low} … {high})"
    if low is not None:
        return f" (from {low})" if kind.ge is not None else f" ({low})"
    return f" ({'at most ' if kind.le is not None else ''}{high})" if high is not None else ""
