"""Writes two small bills with planted causes, the contract and the rates: what the demo's billing half audits. All of it is made up."""

import csv
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

CONTRACT, DECK, LOCAL, CUSTOMER, ACCOUNT = "contract.toml", "rates.csv", "local-bill.csv", "customer-bill.csv", "C1001"
RATES = {"4420": "0.0420", "33": "0.0310", "49": "0.0280", "852": "0.0655", "8610": "0.0512", "91": "0.0930"}  # money a minute
CALLS = 600
FIRST_DAY = datetime(2026, 10, 1)  # noqa: DTZ001  bills are written without a zone; the contract names it
DAYS, MISSING_DAY, DOUBLED = 31, 20, 9
OURS, THEIRS = (60, 6), (30, 6)  # minimum and increment in seconds: agreed, and what the customer's system reckons
_MICRO = Decimal("0.000001")
_TERMS = """# Written by `firstline demo`.
customer = "{customer}"
accounts = ["{account}"]
currency = "EUR"
timezone = "UTC"
increment = "60/6"
anchor = "after_minimum"
cost_rounding = {{ digits = 6, mode = "half_up", per = "call" }}

[period]
start = 2026-10-01
end = 2026-11-01
by = "start"

[dispute]
tolerance_ratio = "0.01"
minimum = "1"
"""


class Call(NamedTuple):
    """One answered call."""

    caller: str
    callee: str
    prefix: str
    began: datetime
    lasted_s: int


def write(folder: Path, customer: str) -> None:
    """Write the bills, contract and rates into a folder."""
    calls = list(_calls(random.Random(7)))  # noqa: S311  the same bills every time
    (folder / CONTRACT).write_text(_TERMS.format(customer=customer, account=ACCOUNT), "utf-8")
    _write(folder / DECK, ("prefix", "destination", "rate", "effective_from"), [(to, to, rate, "2020-01-01") for to, rate in RATES.items()])
    local = [_line(call, OURS) for call in calls]
    local += [_line(call._replace(began=call.began + timedelta(seconds=2)), OURS) for call in calls[100 : 100 + DOUBLED]]
    theirs = [_line(call, THEIRS) for call in calls if call.began.day != MISSING_DAY]
    headers = ("Account", "Caller", "Callee", "Start Time", "Duration", "Billed Duration", "Rate", "Charge")
    for name, lines in ((LOCAL, local), (CUSTOMER, theirs)):
        _write(folder / name, headers, sorted(lines, key=lambda line: line[3]))


def _calls(chance: random.Random) -> Iterable[Call]:
    for _ in range(CALLS):
        prefix = chance.choice(list(RATES))
        at = FIRST_DAY + timedelta(days=chance.randrange(DAYS), seconds=chance.randrange(7 * 3600, 21 * 3600))
        lasted_s = max(1, min(3600, round(chance.expovariate(1 / 150))))
        caller = f"442079460{chance.randrange(1000):03}"  # a range that is kept for stories (Ofcom)
        yield Call(caller, f"{prefix}{chance.randrange(10**7, 10**8)}", prefix, at, lasted_s)


def _line(call: Call, increments: tuple[int, int]) -> tuple[str, ...]:
    minimum, step = increments
    billed_s = max(minimum, minimum + -(-(call.lasted_s - minimum) // step) * step)
    charge = (Decimal(RATES[call.prefix]) * billed_s / 60).quantize(_MICRO, ROUND_HALF_UP)
    shown = f"{call.began:%Y-%m-%d %H:%M:%S}"
    return (ACCOUNT, call.caller, call.callee, shown, str(call.lasted_s), str(billed_s), RATES[call.prefix], str(charge))


def _write(file: Path, headers: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([headers, *lines])
