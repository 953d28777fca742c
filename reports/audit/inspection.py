"""The screen of `firstline audit --inspect`: what each file is, and which of its columns would be read as what, before anything is."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from billing_audit.ledger import Bill, Note
from checks.finding import State
from reports.audit.screen import grid
from reports.audit.words import format_name, note_text
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, paint, wrap

_MOST_ACCOUNTS: Final = 12
_TAB: Final = {"\t": "tab"}
_SAMPLE: Final = 28  # cells of one sample


class ColumnSeen(Protocol):
    """One column that would be read."""

    @property
    def field(self) -> str: ...  # noqa: D102 – what the reader's values of this name say
    @property
    def header(self) -> str: ...  # noqa: D102
    @property
    def position(self) -> int: ...  # noqa: D102
    @property
    def samples(self) -> Sequence[str]: ...  # noqa: D102


class TableSeen(Protocol):
    """One table of a bill as detected."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def format(self) -> str: ...  # noqa: D102
    @property
    def encoding(self) -> str: ...  # noqa: D102
    @property
    def delimiter(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> Sequence[ColumnSeen]: ...  # noqa: D102
    @property
    def zone(self) -> str: ...  # noqa: D102
    @property
    def times(self) -> str: ...  # noqa: D102
    @property
    def date_order(self) -> str: ...  # noqa: D102
    @property
    def decimal_mark(self) -> str: ...  # noqa: D102
    @property
    def units(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def currency(self) -> str: ...  # noqa: D102
    @property
    def accounts(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unknown(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def notes(self) -> Sequence[Note]: ...  # noqa: D102


class Inspection(Protocol):
    """One bill as detected."""

    @property
    def bill(self) -> Bill: ...  # noqa: D102
    @property
    def tables(self) -> Sequence[TableSeen]: ...  # noqa: D102


def inspect_screen(seen: Sequence[Inspection], texts: Texts, columns: int = 100, colour: bool = False) -> str:
    """Return the screen, ending in a newline: a part per table, its columns with samples, what was not understood, the next step."""
    wide = max(40, columns)
    lines: list[str] = []
    for one in seen:
        for table in one.tables:
            head = f"{texts.text(f'audit.who.{one.bill}')}  {printable(table.name)}"
            lines += [*([""] if lines else []), paint(clip(head, wide), State.OK, colour), *_table(table, texts, wide)]
    next_ = texts.text("audit.inspect.next")
    return "\n".join([*lines, "", *wrap(next_, wide)]) + "\n"


def _table(table: TableSeen, texts: Texts, wide: int) -> list[str]:
    none = texts.text("audit.book.unknown")
    facts = [
        ("audit.head.format", printable(format_name(table.format, texts))),
        ("audit.head.encoding", table.encoding),
        ("audit.inspect.delimiter", f"“{printable(_TAB.get(table.delimiter, table.delimiter))}”" if table.delimiter else ""),
        ("audit.head.zone", table.zone or none),
        ("audit.inspect.times", texts.word("audit.times", table.times)),
        ("audit.inspect.dates", "" if table.date_order == "unknown" else table.date_order),
        ("audit.inspect.decimal", _mark(table.decimal_mark, texts)),
        ("audit.inspect.units", join([f"{printable(name)} {texts.word('audit.unit', unit)}" for name, unit in table.units.items()])),
        ("audit.head.currency", table.currency or none),
    ]
    said = join([f"{texts.text(id)} {value}" for id, value in facts if value])
    lines = ["  " + line for line in wrap(said, wide - 2)]
    heads = [texts.text(f"audit.{name}") for name in ("inspect.position", "head.field", "inspect.header", "inspect.samples")]
    rows = [heads]
    for column in sorted(table.columns, key=lambda at: at.position):
        samples = "  ".join(clip(printable(sample), _SAMPLE) for sample in column.samples)
        rows.append([str(column.position), _field(column.field, texts), clip(printable(column.header), 24) or "–", samples])
    lines += [clip("  " + line, wide) for line in grid(rows, right=(0,))]
    lines += ["  " + line for told in _accounts(table, texts) for line in wrap(told, wide - 2)]
    if table.unknown:
        told = texts.text("audit.inspect.unknown", headers=join([printable(name) for name in table.unknown]))
        lines += ["  " + line for line in wrap(told, wide - 2)]
    for note in table.notes:
        lines += ["  " + line for line in wrap(note_text(note, texts), wide - 2)]
    return lines


def _field(field: str, texts: Texts) -> str:
    """Return the field as `--columns` names it, with its meaning behind."""
    said = texts.text(f"audit.field.{field}")
    return printable(field) if said in (f"audit.field.{field}", field) else f"{field} ({said})"


def _mark(mark: str, texts: Texts) -> str:
    return texts.text("audit.inspect.no-mark") if mark == "unknown" else f"“{printable(mark)}”" if mark else ""


def _accounts(table: TableSeen, texts: Texts) -> list[str]:
    if not table.accounts:
        return []
    most = sorted(table.accounts.items(), key=lambda at: (-at[1], at[0]))
    named = [f"{printable(name)} ({rows:,})" for name, rows in most[:_MOST_ACCOUNTS]]
    if len(most) > len(named):
        named.append(texts.text("check.more", n=len(most) - len(named)))
    lines = [texts.text("audit.inspect.accounts", accounts=join(named))]
    return [*lines, texts.text("audit.inspect.choose")] if len(most) > 1 else lines
