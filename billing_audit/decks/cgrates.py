"""CGRateS tariff plans as entries: Destinations, Rates, DestinationRates and, where there are any, RatingPlans and RatingProfiles.

A price that changes within the call (a second GroupIntervalStart) fits no row of a deck: it is refused unless it only tells the increment
after the first one; the contract's [[step]] says such prices. A MaxCost above which a call is free is the contract's max_cost, and its
rounding is the contract's too; a MaxCost that ends the call is no matter of price.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from billing_audit import money
from billing_audit.decks import cells
from billing_audit.decks.entry import Entry, Faulty
from billing_audit.decks.sheets import Row, Sheet
from billing_audit.ledger import MISSING, Refused
from billing_audit.money import Doubtful

KINDS: Final = {
    "destinations": ("id", "prefix"),
    "rates": ("id", "connectfee", "rate", "rateunit", "rateincrement", "groupintervalstart"),
    "destination_rates": ("id", "destinationid", "ratestag"),
    "rating_plans": ("id", "destinationratesid", "timingtag"),
    "rating_profiles": ("tenant", "category", "subject", "activationtime", "ratingplanid"),
}
_SAME: Final = {"tag": "id", "destinationstag": "destinationid", "destinationratestag": "destinationratesid", "timingid": "timingtag"}
_SAME_MORE: Final = {"ratesid": "ratestag", "destinationtag": "destinationid", "timingstag": "timingtag", "ratingplantag": "ratingplanid"}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
Table = tuple[str, Mapping[str, int], tuple[Row, ...]]


def kind_of(sheet: Sheet) -> tuple[str, dict[str, int]] | None:
    """Return which of the set a table is, and its columns; None when it is none of them."""
    if not sheet.rows or not sheet.rows[0].cells[0].startswith("#"):
        return None
    names = [re.sub(r"[#\s_]", "", cell).lower() for cell in sheet.rows[0].cells]
    columns = {_SAME.get(name, _SAME_MORE.get(name, name)): at for at, name in reversed(list(enumerate(names)))}
    for kind in ("rating_profiles", "rating_plans", "destination_rates", "rates", "destinations"):
        if all(name in columns for name in KINDS[kind]):
            return kind, columns
    return None


def entries(tables: Sequence[tuple[str, int, Sheet, Mapping[str, int]]], zone: ZoneInfo) -> Iterator[Entry | Refused]:
    """Yield the entries of a set of tables: (kind, index of the file, sheet, columns)."""
    codes: dict[str, list[str]] = defaultdict(list)
    slots: dict[str, list[tuple[int, Sheet, Mapping[str, int], Row]]] = defaultdict(list)
    rated: list[tuple[str, str, str, str, int, Sheet, Row]] = []
    plans: dict[str, list[tuple[str, str]]] = defaultdict(list)
    starts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for kind, file, sheet, columns in tables:
        for row in sheet.rows[1:]:
            told = {name: row.cells[at] if at < len(row.cells) else "" for name, at in columns.items()}
            if row.cells[0].startswith("#"):
                continue
            match kind:
                case "destinations":
                    codes[told["id"]].append(told["prefix"])
                case "rates":
                    slots[told["id"]].append((file, sheet, columns, row))
                case "destination_rates":
                    free = told.get("maxcoststrategy") == "*free" and told.get("maxcost", "").strip("0.") != ""
                    rated.append((told["id"], told["destinationid"], told["ratestag"], told["maxcost"] if free else "", file, sheet, row))
                case "rating_plans":
                    plans[told["id"]].append((told["destinationratesid"], told["timingtag"]))
                case _:
                    starts[told["ratingplanid"]].append((told["subject"], told["activationtime"]))
    holds = _holding(rated, plans, starts)
    for name, destination, rate, cap, file, sheet, row in rated:
        if cap and name in holds:
            yield Faulty(sheet.name, row.line, "MaxCost", cap).refused(cells.doubt("max_cost", text=cap[:40]))
            continue
        for timing, since in holds.get(name, ()):
            yield from _rated(codes, slots, destination, rate, timing, since, (file, sheet, row), zone)


def _holding(
    rated: Sequence[tuple[str, str, str, str, int, Sheet, Row]],
    plans: Mapping[str, list[tuple[str, str]]],
    starts: Mapping[str, list[tuple[str, str]]],
) -> dict[str, list[tuple[str, str]]]:
    """Return per group of destination rates in which bands and since when it holds: by the plans of the profiles, of *any subject first."""
    if not plans:
        return {name: [("*any", "")] for name, *_ in rated}
    everyone = {plan: told for plan, told in starts.items() if any(subject == "*any" for subject, _ in told)}
    used = everyone or starts or {plan: [("*any", "")] for plan in plans}
    holds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for plan, told in used.items():
        for group, timing in plans.get(plan, ()):
            for subject, since in told:
                if (subject == "*any" or not everyone) and (timing, since) not in holds[group]:
                    holds[group].append((timing, since))
    return holds


def _rated(
    codes: Mapping[str, list[str]],
    slots: Mapping[str, list[tuple[int, Sheet, Mapping[str, int], Row]]],
    destination: str,
    rate: str,
    timing: str,
    since: str,
    place: tuple[int, Sheet, Row],
    zone: ZoneInfo,
) -> Iterator[Entry | Refused]:
    file, sheet, row = place
    field = "RatesTag"
    try:
        price = _price(slots.get(rate, []), rate)
        field = "DestinationId"
        prefixes = ["*any"] if destination == "*any" else codes.get(destination, [])
        if not prefixes:
            raise cells.doubt("unknown_tag", text=destination[:40])
        field = "ActivationTime"
        from_ms, _ = cells.moment(since, zone, "")
        for text in prefixes:
            field = "Prefix"
            for code in cells.codes("", text):
                yield Entry(code, *price, from_ms=from_ms, band=cells.band(timing), destination=destination, file=file, line=row.line)
    except Doubtful as why:
        yield Faulty(sheet.name, row.line, field, rate if field == "RatesTag" else destination).refused(why)


def _price(slots: Sequence[tuple[int, Sheet, Mapping[str, int], Row]], rate: str) -> tuple[int, int, int, int]:
    """Return rate, minimum, increment and fee of the slots of one rate."""
    if not slots:
        raise cells.doubt("unknown_tag", text=rate[:40])
    told: list[tuple[int, int, int, int]] = []
    for _, _, columns, row in slots:
        fee_text, text, unit, step, since = (row.cells[columns[name]] for name in KINDS["rates"][1:])
        price = Fraction(money.decimal(text)) * 10**9 * 60 / (duration(unit) or 1)
        if price.denominator != 1:
            raise cells.doubt("places", text=text[:40])
        told.append((duration(since), int(price), duration(step), money.micro(money.decimal(fee_text or "0"))))
    (begin, nano, first, fee), *rest = sorted(told)
    if begin != 0 or first == 0 or len(rest) > 1 or any(later[1] != nano or later[0] != first or later[2] == 0 for later in rest):
        raise cells.doubt("steps", text=rate[:40])
    return (nano, first, rest[0][2], fee) if rest else (nano, MISSING, first, fee)


def duration(text: str) -> int:
    """Return seconds of a duration like "60s", "1m", "0"."""
    told = _DURATION.fullmatch(text)
    if told is None or not text:
        raise cells.doubt("seconds", text=text[:40])
    hours, minutes, secs = (int(part or 0) for part in told.groups())
    return hours * 3600 + minutes * 60 + secs
