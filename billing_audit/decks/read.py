"""Rate decks out of files: CSV or workbooks, told apart by their content; what can't be read is refused with file and line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np

from billing_audit.decks import cells, cgrates, columns, marks
from billing_audit.decks.columns import Layout
from billing_audit.decks.deck import NONE, Deck, build
from billing_audit.decks.entry import Entry, Faulty
from billing_audit.decks.settle import settled
from billing_audit.decks.sheets import Row, Sheet, open_sheets, unusable
from billing_audit.ledger import MISSING, Refused, source_of
from billing_audit.money import Doubtful

MOST_ENTRIES: Final = 4_000_000
MOST_BANDS: Final = 100
_CODE: Final = re.compile(r"[+\d][\d\s,;*-]*")
_NUMERIC: Final = ("rate_nano", "from_ms", "to_ms", "minimum_s", "increment_s", "fee_micro", "free_s", "prefix")


def read(
    paths: Sequence[Path], zone: str = "UTC", side: Literal["sell", "buy"] = "sell", currency: str = ""
) -> tuple[Deck, tuple[Refused, ...]]:
    """Return the deck of these files and the rows that can't be read; Unreadable when a file is no deck, OSError when it can't be opened.

    Dates without a zone begin at midnight in `zone`. A later file amends the earlier ones: of two prices of a code the one that began last
    holds. `side` says which price counts where a deck has both: what is sold, or what is bought. Prices that name a currency must name
    `currency` ("": the one that most of their table name).
    """
    place = ZoneInfo(zone)
    found: list[Entry] = []
    refused: list[Refused] = []
    tariff: list[tuple[str, int, Sheet, Mapping[str, int]]] = []
    names: list[str] = []
    for path in paths:
        known = 0
        for sheet in open_sheets(path):
            names.append(sheet.name)
            if plan := cgrates.kind_of(sheet):
                tariff.append((plan[0], len(names) - 1, sheet, plan[1]))
                known += 1
            elif layout := columns.find(sheet.rows, side):
                _sort(_entries(sheet, layout, len(names) - 1, place, currency), found, refused)
                known += 1
        if not known:
            raise unusable(str(path), "columns")
    if tariff:
        have = {kind for kind, *_ in tariff}
        lacking = [kind for kind in ("destinations", "rates", "destination_rates") if kind not in have]
        if lacking:
            raise unusable(tariff[0][2].name, "set", lacking=", ".join(lacking))
        _sort(cgrates.entries(tariff, place), found, refused)
    kept = settled(found, names, refused)
    if not kept and not refused:
        raise unusable(str(paths[0]) if paths else "", "empty")
    return _deck(kept), tuple(refused)


def _sort(items: Iterator[Entry | Refused], found: list[Entry], refused: list[Refused]) -> None:
    for item in items:
        if isinstance(item, Refused):
            refused.append(item)
        else:
            found.append(item)
        if len(found) > MOST_ENTRIES:
            raise unusable("", "entries", most=MOST_ENTRIES)


def _entries(sheet: Sheet, layout: Layout, file: int, zone: ZoneInfo, currency: str) -> Iterator[Entry | Refused]:
    """Yield the entries of one table; titles, footnotes and headers that come again are neither entries nor refused."""
    at = layout.columns
    rows = sheet.rows[layout.skip :]
    order = cells.turned(row.cells[at[name]] for name in ("from", "to") if name in at for row in rows if at[name] < len(row.cells))
    comma = sheet.delimiter != "," and _comma(rows, at)
    currency = currency or marks.currency_of(row.cells[at["rate"]] for row in rows if at["rate"] < len(row.cells))
    for row in rows:
        told = {name: row.cells[index] if index < len(row.cells) else "" for name, index in at.items()}
        if _no_entry(row, told):
            continue
        place = [""]
        try:
            yield from _row(told, layout, (file, row.line), zone, order, comma, currency, place)
        except Doubtful as why:
            yield Faulty(sheet.name, row.line, place[0], told.get(place[0], "")).refused(why)


def _no_entry(row: Row, told: Mapping[str, str]) -> bool:
    """Tell whether a row is a footnote (one text and nothing else, no code) or a header that comes again."""
    filled = [cell for cell in row.cells if cell]
    if len(filled) == 1:
        return _CODE.fullmatch(told.get("prefix") or told.get("country_code") or "") is None
    if told["rate"][-1:].isdecimal() or told["rate"][:1].isdecimal():  # no header
        return False
    again = columns.named(row.cells)
    return "rate" in again and ("prefix" in again or "country_code" in again)


def _comma(rows: Sequence[Row], at: Mapping[str, int]) -> bool:
    """Tell whether the prices prove that the decimal mark is a comma: none has a point, and one has not three digits behind a comma."""
    prices = [marks.parted(row.cells[at["rate"]])[0] for row in rows if at["rate"] < len(row.cells)]
    with_comma = [price for price in prices if price.count(",") == 1]
    proof = any(len(price.split(",")[1]) != 3 or price.split(",")[0].lstrip("0") == "" for price in with_comma)
    return proof and not any("." in price for price in prices)


def _row(
    told: Mapping[str, str],
    layout: Layout,
    source: tuple[int, int],
    zone: ZoneInfo,
    order: str,
    comma: bool,
    currency: str,
    place: list[str],
) -> Iterator[Entry]:
    """Yield the entries of one row, one a code; `place` is left at the field that is being read."""

    def cell(field: str) -> str:
        place[0] = field
        return told.get(field, "")

    mark = cells.mark(cell("change"))
    text = marks.bare(cell("rate"), currency)
    rate = MISSING
    if text or mark == "keep":
        rate = cells.price(text, comma, layout.per_minute)
    if mark == "block":
        rate = MISSING
    minimum, increment = cells.increments(cell("increment"))
    if "minimum" in told and (least := cells.seconds(cell("minimum"))) != MISSING:
        minimum = least
    elif "minimum" in told and "/" not in told.get("increment", ""):
        minimum = MISSING
    fee, free = cells.amount(marks.bare(cell("fee"), currency), comma), cells.seconds(cell("free"))
    if cells.seconds(cell("grace")) not in (MISSING, 0):
        raise cells.doubt("grace", text=told["grace"][:40])
    begins, _ = cells.moment(cell("from"), zone, order)
    until, last = cells.ends(cell("to"), zone, order)
    if MISSING not in (last, begins) and last <= begins:
        raise cells.doubt("ends_first", text=told["to"][:40])
    names = dict.fromkeys(told[name] for name in ("country", "destination", "region") if told.get(name))
    band = cells.band(cell("band"))
    country = cell("country_code")
    prefix = cell("prefix") or cell("area_code")
    if told.get("prefix"):
        place[0], country = "prefix", ""
    for code in cells.codes(country, prefix):
        yield Entry(
            code, rate, minimum, increment, fee, free, begins, until, band, " ".join(names), *source, ended=mark == "end", last_ms=last
        )


def _deck(kept: Sequence[Entry]) -> Deck:
    bands = tuple(sorted({entry.band for entry in kept} - {""}))
    if len(bands) > MOST_BANDS:
        raise unusable("", "bands", most=MOST_BANDS)
    places = {name: index for index, name in enumerate(bands)}
    destinations = {name: index for index, name in enumerate(dict.fromkeys(entry.destination for entry in kept))}
    told = {name: np.array([getattr(entry, name) for entry in kept], np.int64) for name in _NUMERIC}
    told["band"] = np.array([places.get(entry.band, NONE) for entry in kept], np.int64)
    told["destination"] = np.array([destinations[entry.destination] for entry in kept], np.int64)
    told["source"] = np.array([source_of(entry.file, entry.line) for entry in kept], np.int64)
    return build(told, bands, tuple(destinations))
