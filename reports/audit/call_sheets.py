"""The sheets of differing calls: prepared with heads, sums over what a filter shows, and a template row; filled afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.audit.call_columns import Column, rows_of
from reports.audit.sheets import Formula, Looks, Sheet
from reports.audit.streamed import Rows, letters
from reports.audit.tally import Batch, Material, added
from reports.locale.text import Texts

MOST_ROWS: Final = 1_048_576  # of a sheet (ECMA-376)
HEAD_ROWS: Final = 3
FIRST: Final = HEAD_ROWS + 1


@dataclass(frozen=True)
class Part:
    """One sheet: its name and number (from 1), its batches, and how many calls stand on the sheets before it."""

    name: str
    batches: tuple[Batch, ...]
    before: int

    @property
    def rows(self) -> int:
        """How many calls stand on it."""
        return sum(batch.rows for batch in self.batches)

    def range(self, column: int) -> str:
        """Return the cells of one column as a formula of another sheet names them."""
        name = letters(column)
        return f"'{self.name}'!{name}{FIRST}:{name}{FIRST + max(0, self.rows - 1)}"


def parts_of(name: str, batches: Sequence[Batch], most: int = MOST_ROWS - HEAD_ROWS) -> list[Part]:
    """Return the sheets that hold the batches, the second named "… 2"; one at least. ValueError where one batch is more than a sheet."""
    groups: list[list[Batch]] = [[]]
    for batch in batches:
        if batch.rows > most:
            raise ValueError(f"{batch.rows} calls begin within one quarter of an hour: more than a sheet has rows")
        if groups[-1] and sum(one.rows for one in groups[-1]) + batch.rows > most:
            groups.append([])
        groups[-1].append(batch)
    parts: list[Part] = []
    for at, group in enumerate(groups, 1):
        parts.append(Part(name if at == 1 else f"{name} {at}", tuple(group), parts[-1].before + parts[-1].rows if parts else 0))
    return parts


def prepare(book: Any, looks: Looks, part: Part, columns: Sequence[Column], money_of: Sequence[str], title: str, texts: Texts) -> Sheet:
    """Add the sheet of a part: title, sums of what is shown, heads, template row; the columns follow the running number."""
    sheet = Sheet(book, part.name, looks, [7, *(column.wide for column in columns)])
    sheet.row((title, "plain"))
    sums = added([batch.sums for batch in part.batches], len(money_of))
    charges = added([batch.charges for batch in part.batches], 2)
    known = {**dict(zip(money_of, sums, strict=True)), "l_charge_micro": charges[0], "c_charge_micro": charges[1]}
    known |= {"difference": charges[0] - charges[1], "concerned": sum(sums)}
    last = FIRST + max(0, part.rows - 1)
    cells: list[tuple[str | Formula | None, str]] = [(texts.text("audit.sheet.shown"), "total")]
    for at, column in enumerate(columns, 1):
        if column.sums:
            range_ = f"{letters(at)}{FIRST}:{letters(at)}{last}"
            cells.append((Formula(f"=SUBTOTAL(109,{range_})", known[column.sums] / 1_000_000), "total_exact"))
        else:
            cells.append((None, "total"))
    sheet.row(*cells)
    sheet.row((texts.text("audit.head.number"), "head"), *((column.head, "head") for column in columns), height=46)
    sheet.row((None, "count"), *((None, column.look) for column in columns))
    sheet.raw.autofilter(HEAD_ROWS - 1, 0, last - 1, len(columns))
    sheet.raw.freeze_panes(HEAD_ROWS, 2)
    sheet.raw.repeat_rows(HEAD_ROWS - 1)
    shown = [at for at, column in enumerate(columns, 1) if not column.aside]
    sheet.raw.print_area(0, 0, last - 1, shown[-1])
    return sheet


def pouring(
    material: Material, texts: Texts, part: Part, columns: Sequence[Column], money_of: Sequence[str], hide: bool = False
) -> tuple[int, int, Rows]:
    """Return what `streamed.fill` wants for the sheet of a part."""
    bills = tuple(column.raw for column in columns if column.raw)
    return FIRST, part.rows, rows_of(material, texts, columns, money_of, part.batches, FIRST, part.before + 1, hide, bills)
