"""The arrays of tables of all files, by name, and the references between them."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from probe.agent.settings.document import Document
from probe.agent.settings.reader import read, refuse_key, show
from probe.agent.settings.toml_lines import Path

Form = TypeVar("Form", bound=msgspec.Struct)


class Entry(NamedTuple, Generic[Form]):
    """One [[table]]: where it stands, as written, and as read; `form` is None when something in it was refused."""

    document: Document
    path: Path
    table: Mapping[str, Any]
    form: Form | None

    @property
    def name(self) -> str | None:
        """The name as written, also of a table that was refused, so that one mistake is not reported as two."""
        name = self.table.get("name")
        return name if isinstance(name, str) else None


def read_tables(kind: str, form: type[Form], documents: Iterable[Document], apart: frozenset[str] = frozenset()) -> list[Entry[Form]]:
    """Return every [[kind]] of the documents; the keys in `apart` are left to another reader."""
    entries = []
    for document in documents:
        tables = document.data.get(kind, [])
        if not isinstance(tables, list):
            document.refuse((kind,), f"{show(tables)} is not a list of tables; write [[{kind}]]")
            continue
        for index, table in enumerate(tables):
            path = (kind, index)
            if not isinstance(table, dict):
                document.refuse(path, f"{show(table)} is not a table; write [[{kind}]]")
                continue
            own = {key: value for key, value in table.items() if key not in apart} if apart else table
            entries.append(Entry(document, path, table, read(form, own, document, path)))
    return entries


def by_name(kind: str, entries: list[Entry[Form]]) -> dict[str, Entry[Form]]:
    """Return the entries by name; a name given twice is refused at its second place."""
    named: dict[str, Entry[Form]] = {}
    for entry in entries:
        if entry.name is None:
            continue
        first = named.setdefault(entry.name, entry)
        if first is not entry:
            where = first.document.where((*first.path, "name"))
            entry.document.refuse((*entry.path, "name"), f"there is already a {kind} named {show(entry.name)} ({where})")
    return named


def refer(kind: str, entry: "Entry[Any]", field: str, named: Mapping[str, object]) -> None:
    """Refuse the name in `field` of an entry when no `kind` is called so."""
    word = entry.table.get(field)
    if isinstance(word, str) and word not in named:
        entry.document.refuse((*entry.path, field), f"no {kind} named {show(word)}{entry.document.near(word, named)}")


def refuse_unknown(document: Document, known: tuple[str, ...], main_only: tuple[str, ...] = ()) -> None:
    """Refuse top-level keys that are not known, and those that only the main file may have."""
    for key in document.data:
        if key in main_only:
            document.refuse((key,), "belongs in the main file, not in an inventory file")
        elif key not in known:
            refuse_key(document, (), key, known)
