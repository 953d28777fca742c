"""How the sheets of a workbook look, and the one way in which a cell is written: text stays text, whatever it begins with."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from reports.audit.figures import decimal, digits_of
from reports.audit.streamed import cell_text
from reports.locale.text import Texts
from reports.render.columns import width

INK, RULE, BAND, PALE, ACCENT, GOOD, BAD = "#1B1F24", "#C9D1DB", "#1F3A5F", "#EEF2F7", "#FFF7E0", "#1A6B2E", "#B3121D"
LARGEST: Final = 10**15  # micro-units from which on a spreadsheet's 15 digits no longer hold an amount: it is written as text
_LINE: Final = 15.0  # points of a row


class Formula(msgspec.Struct, frozen=True):
    """A formula and the value that it has now."""

    text: str
    value: float


Cell = tuple[str | int | float | Formula | None, str]
"""A value and the name of its look. Text is written as text, None leaves an empty cell of that look."""


class Looks:
    """The formats of one workbook by name."""

    def __init__(self, book: Any, texts: Texts, currency: str) -> None:
        font = "Microsoft YaHei" if texts.language == "zh" else "Arial"
        digits = digits_of(currency)
        cents = "#,##0" + ("." + "0" * digits if digits else "")
        plain = {"font_name": font, "font_size": 10, "font_color": INK, "valign": "vcenter"}
        line = plain | {"bottom": 1, "bottom_color": RULE}
        boxed = {"border": 1, "border_color": RULE}
        exact = "#,##0.000000;[Red]-#,##0.000000;0.000000"
        total = line | {"bold": True, "top": 2, "top_color": BAND, "bg_color": PALE}
        # "#,##0.###" would show 61 seconds as "61."
        kinds: dict[str, dict[str, Any]] = {
            "title": plain | {"bold": True, "font_size": 16, "font_color": BAND},
            "subtitle": plain | {"font_color": "#5A6573"},
            "section": plain | {"bold": True, "font_size": 12, "font_color": BAND},
            "ruled": plain | {"bold": True, "font_size": 12, "font_color": BAND, "bottom": 2, "bottom_color": BAND},
            "head": plain | boxed | {"bold": True, "font_color": "#FFFFFF", "bg_color": BAND, "text_wrap": True, "align": "center"},
            "label": line | {"font_color": "#5A6573", "indent": 1},
            "plain": plain,
            "wrapped": plain | {"text_wrap": True, "valign": "top"},
            "said": line | {"text_wrap": True, "indent": 1},
            "text": line | {"indent": 1},
            "long": line | {"text_wrap": True, "indent": 1},
            "raw": line | {"num_format": "@", "quote_prefix": True, "font_name": "Consolas", "font_size": 9},
            "number": line | {"num_format": "@", "quote_prefix": True, "indent": 1},
            "count": line | {"num_format": "#,##0"},
            "seconds": line | {"num_format": "General"},
            "apart": line | {"num_format": '"+"General;"-"General;0'},
            "minutes": line | {"num_format": "#,##0.00"},
            "cents": line | {"num_format": f"{cents};[Red]-{cents};{cents}"},
            "exact": line | {"num_format": exact},
            "rate": line | {"num_format": "0.0000#####"},
            "share": line | {"num_format": "0.00%"},
            "sure": line | {"num_format": "0.0%", "align": "center"},
            "time": line | {"num_format": "yyyy-mm-dd hh:mm:ss"},
            "good": line | {"indent": 1, "bold": True, "font_color": GOOD},
            "bad": line | {"indent": 1, "bold": True, "font_color": BAD},
            "key": line | {"indent": 1, "bold": True, "font_size": 12, "bg_color": ACCENT},
            "key_cents": line | {"bold": True, "font_size": 12, "bg_color": ACCENT, "num_format": f"{cents};[Red]-{cents};{cents}"},
            "total": total | {"indent": 1},
            "total_count": total | {"num_format": "#,##0"},
            "total_minutes": total | {"num_format": "#,##0.00"},
            "total_cents": total | {"num_format": f"{cents};[Red]-{cents};{cents}"},
            "total_exact": total | {"num_format": exact},
            "total_share": total | {"num_format": "0.00%"},
        }  # fmt: skip
        self.all = {name: book.add_format(kind) for name, kind in kinds.items()}
        self.digits = digits


class Sheet:
    """One sheet, written from the top: each `row` is the next one."""

    def __init__(self, book: Any, name: str, looks: Looks, widths: Sequence[float], landscape: bool = True) -> None:
        self.name = name
        self.at = 0  # the next row, from 0
        self.widths = list(widths)
        self._looks = looks
        self.raw = book.add_worksheet(name)
        self.raw.hide_gridlines(2)
        for at, wide in enumerate(widths):
            self.raw.set_column(at, at, wide)
        self.raw.set_paper(9)  # A4
        if landscape:
            self.raw.set_landscape()
        self.raw.fit_to_pages(1, 0)
        self.raw.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        self.raw.set_footer("&L&8&A&R&8&P / &N")

    def row(self, *cells: Cell, height: float | None = None) -> int:
        """Write one row from column A on and return its number as formulas name it (from 1)."""
        high = height or self._height(cells)
        if high > _LINE:
            self.raw.set_row(self.at, high)
        for column, (value, look) in enumerate(cells):
            self._put(column, value, self._looks.all[look])
        self.at += 1
        return self.at

    def wide(self, text: str, look: str, columns: int | None = None) -> int:
        """Write a text over several columns (all, unless told), as high as it needs."""
        count = columns or len(self.widths)
        room = int(sum(self.widths[:count])) - 2
        big = 1.6 if look == "title" else 1.2 if look in ("section", "ruled") else 1.0
        lines = sum(max(1, -(-int(width(part) * big) // room)) for part in text.split("\n"))
        self.raw.set_row(self.at, max(_LINE * big + (4 if big > 1 else 0), lines * _LINE * big))
        if count > 1:
            self.raw.merge_range(self.at, 0, self.at, count - 1, "", self._looks.all[look])
        self._put(0, text, self._looks.all[look])
        self.at += 1
        return self.at

    def spread(self, *cells: Cell) -> int:
        """Write one row whose last cell reaches over all columns that are left."""
        first, (value, look) = len(cells) - 1, cells[-1]
        room = int(sum(self.widths[first:])) - 2
        high = _LINE * max(1, -(-width(str(value)) // room))
        self.raw.merge_range(self.at, first, self.at, len(self.widths) - 1, "", self._looks.all[look])
        return self.row(*cells, height=high)

    def gap(self) -> None:
        """Leave a row empty."""
        self.at += 1

    def head(self, *names: str, over: bool = False) -> int:
        """Write a row of column heads; with `over` the last one reaches over all columns that are left."""
        cells: list[Cell] = [(name, "head") for name in names]
        return self.spread(*cells) if over else self.row(*cells)

    def _put(self, column: int, value: Any, look: Any) -> None:
        if value is None:
            self.raw.write_blank(self.at, column, None, look)
        elif isinstance(value, Formula):
            self.raw.write_formula(self.at, column, value.text, look, value.value)
        elif isinstance(value, str):
            self.raw.write_string(self.at, column, cell_text(value), look)
        else:
            self.raw.write_number(self.at, column, value, look)

    def _height(self, cells: Sequence[Cell]) -> float:
        lines = 1
        for (value, look), wide in zip(cells, self.widths, strict=False):
            if isinstance(value, str) and look in ("long", "head", "wrapped", "said"):
                room = max(1.0, wide - 1.5)
                lines = max(lines, sum(max(1, -(-width(part) // int(room))) for part in value.split("\n")))
        return _LINE * min(lines, 25)


def heads(texts: Texts, *names: str) -> list[str]:
    """Return the heads of columns by name; "local" and "customer" are the two bills."""
    return [texts.text(f"audit.who.{name}" if name in ("local", "customer") else f"audit.head.{name}") for name in names]


def amount(micro: int | None, look: str = "exact") -> Cell:
    """Return an exact amount as a cell: a number, or its text where a spreadsheet would round it; "–" where there is none."""
    if micro is None:
        return "–", "text"
    if abs(micro) >= LARGEST:
        return decimal(micro), "text"
    return micro / 1_000_000, look


def cents(units: int, digits: int, look: str = "cents") -> Cell:
    """Return units of an invoice as a cell."""
    return units / 10**digits, look


def summed(ranges: Sequence[str], value: float, look: str) -> Cell:
    """Return the sum over ranges (of this sheet or others) as a formula with the value that it has."""
    return Formula(f"=SUM({','.join(ranges)})", value), look
