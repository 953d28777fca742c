"""A dispute of one customer, made by hand: 60/60 against 30/6, a day that the customer lost, duplicates of ours; as the audit would give it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from billing_audit.audit import Audit, BillTotal, FileRead, Found, Histogram, Inferred, Rewriting, Sample, Slice, Verdict
from billing_audit.ledger import LINE_BITS, MISSING, PAIRS, Bill, Note, Refused, Side, source_of
from billing_audit.terms import CostRounding, DurationRounding, Period, Terms

OCTOBER = 1_790_784_000_000  # 2026-10-01 00:00 in Shanghai, ms UTC
OFFSET_MS = -8 * 3_600_000 - 2_000  # the customer's times: UTC, two seconds behind
PREFIXES = (
    ("86755", 600_000),
    ("8613", 800_000),
    ("852", 1_200_000),
    ("1212", 450_000),
    ("44207", 655_000),
    ("234", 4_100_000),
)  # micro a minute
EVIL = (
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "<script>alert(1)</script>",
    '<r><t>"x"</t></r>',
    "&amp;",
    "_x0041_",
)
CAUSES = ("increment/customer", "missing_import/customer", "duplicate/company", "timezone/none")


@dataclass(frozen=True)
class Dispute:
    audit: Audit
    frames: tuple[pd.DataFrame, ...]
    calls: Callable[[], Iterator[pd.DataFrame]]
    lines: Callable[[list[int]], dict[int, str]]
    number: Callable[[int], str]


def up(seconds, least, step):
    over = np.maximum(seconds - least, 0)
    return least + -(-over // step) * step


def make_calls(count: int) -> pd.DataFrame:
    """Return `count` differing calls as PAIRS with the amounts of the causes; the same every time."""
    rng = np.random.default_rng(20261001)
    frame = pd.DataFrame({name: np.full(count, MISSING, np.int64) for name in PAIRS})
    kind = rng.integers(0, len(PREFIXES), count)
    price = np.array([micro for _, micro in PREFIXES], np.int64)[kind]
    start = np.sort(OCTOBER + rng.integers(0, 31 * 86_400, count) * 1000)
    talk = np.maximum(1, rng.gamma(1.2, 90, count)).astype(np.int64)
    billed = {"l": up(talk, 60, 60), "c": up(talk, 30, 6)}
    lost = (start - OCTOBER) // 86_400_000 == 19
    double = ~lost & (np.arange(count) % 997 == 5)
    odd = ~lost & ~double & (np.arange(count) % 1999 == 7)
    for at, side in enumerate("lc"):
        frame[f"{side}_source"] = (np.int64(at) << LINE_BITS) + np.arange(count) + 2
        frame[f"{side}_start_ms"] = start + (OFFSET_MS if side == "c" else 0)
        frame[f"{side}_duration_ms"] = talk * 1000
        frame[f"{side}_billed_ms"] = billed[side] * 1000
        frame[f"{side}_rate_nano"] = price * 1000
        frame[f"{side}_charge_micro"] = billed[side] * price // 60
        frame[f"{side}_parts"] = 1
    frame.loc[odd, "c_charge_micro"] += 17
    frame["caller"] = rng.integers(0, 10**7, count)
    frame["callee"] = kind * 10**8 + rng.integers(0, 10**7, count)
    frame.loc[frame.index[3:13], "caller"] = -1 - np.arange(10)
    frame.loc[lost | double, [name for name in frame.columns if name.startswith("c_")]] = MISSING
    apart = frame["l_charge_micro"].to_numpy() - np.where(lost | double, 0, frame["c_charge_micro"].to_numpy())
    frame["increment/customer"] = np.where(lost | double, 0, apart + np.where(odd, 17, 0))
    frame["missing_import/customer"] = np.where(lost, apart, 0)
    frame["duplicate/company"] = np.where(double, apart, 0)
    frame["timezone/none"] = np.int64(0)
    frame["unexplained"] = np.where(odd, -17, 0)
    return frame


def number(code: int) -> str:
    """Return a code of this sample as a number; below 0 what a spreadsheet must not obey."""
    if code < 0:
        return EVIL[-1 - code]
    kind, rest = divmod(code, 10**8)
    return f"86138{code:08}" if not kind and code < 10**7 else f"{PREFIXES[kind][0]}{rest:07}"


def lines(sources: list[int]) -> dict[int, str]:
    """Return a raw line for each source; some of them are formulas to a spreadsheet."""
    told = {}
    for source in sources:
        at = source & ((1 << LINE_BITS) - 1)
        told[source] = EVIL[at % 10] if at < 40 else f"{at},8613800{at:06},852{at:07},2026-10-03 08:00:00,61,120,0.1200,0.2400"
    return told


def slices(frame: pd.DataFrame, keys: np.ndarray, label: Callable[[str], str]) -> tuple[Slice, ...]:
    found = []
    for key in np.unique(keys):
        part = frame[keys == key]
        value = {}
        for side in "lc":
            there = part[part[f"{side}_source"] != MISSING]
            value |= {f"{side}_records": len(there)} | {
                f"{side}_{name}": int(there[f"{side}_{column}"].sum())
                for name, column in (("duration_ms", "duration_ms"), ("billed_ms", "billed_ms"), ("micro", "charge_micro"))
            }
        both = int(((part["l_source"] != MISSING) & (part["c_source"] != MISSING)).sum())
        found.append(Slice(key=str(key), label=label(str(key)), matched=both, **value))
    return tuple(found)


def bill(which: Bill, rows: int, refused: tuple[Refused, ...], total: int, currency: str) -> BillTotal:
    name = "local-2026-10.csv" if which is Bill.LOCAL else "客户账单-10月.xlsx"
    read = FileRead(
        name, "Asterisk Master.csv" if which is Bill.LOCAL else "columns by their headers", "GB18030", "9f" * 32, rows + len(refused), rows, 0,
        len(refused), "" if which is Bill.LOCAL else "UTC", currency, {"caller": "主叫号码", "callee": "被叫号码", "charge": "=费用"},
    )  # fmt: skip
    return BillTotal(which, (read,), rows + len(refused), len(refused), rows, total, currency, None, refused)


def found_causes(frame: pd.DataFrame, names: dict[str, tuple[float, dict, tuple[Note, ...]]]) -> tuple[Found, ...]:
    causes = []
    for column, (sure, parameters, evidence) in names.items():
        amounts = frame[column]
        cause, _, side = column.partition("/")
        some = frame[amounts != 0].head(3)
        samples = tuple(Sample(int(row.l_source), int(row.c_source), int(row[column])) for _, row in some.iterrows())
        records = int((amounts != 0).sum()) or len(frame)
        causes.append(
            Found(cause, Side(side), records, int(amounts.sum()), sure, parameters, evidence, evidence[-1] if evidence else None, samples)
        )
    return tuple(causes)


def make(count: int = 4_000, currency: str = "CNY") -> Dispute:
    """Return the whole dispute with `count` differing calls, given in two frames."""
    frame = make_calls(count)
    ours, theirs = frame[frame["l_source"] != MISSING], frame[frame["c_source"] != MISSING]
    refused = tuple(
        Refused("local-2026-10.csv", 7 + at, "duration", text, Note("audit.five.missing-there", {"calls": "=1+1"}))
        for at, text in enumerate(("=HYPERLINK(\"x\")", "1.23E+11", "合计"))
    )  # fmt: skip
    totals = [int(part[f"{side}_charge_micro"].sum()) for side, part in (("l", ours), ("c", theirs))]
    evidence = (Note("audit.five.missing-there", {"calls": "2,204"}),)
    causes = found_causes(
        frame,
        {
            "increment/customer": (0.995, {"minimum": 30, "increment": 6, "contract": "60/60"}, evidence),
            "missing_import/customer": (0.97, {"day": "2026-10-20", "whole": True}, evidence),
            "duplicate/company": (0.9, {"apart_s": 2.5}, ()),
            "timezone/none": (1.0, {"zone": "UTC"}, evidence),
        },
    )
    terms = Terms(minimum_s=60, increment_s=60, connection_fee=Decimal("0"), cost_rounding=CostRounding(6, "half_up"))
    other = Terms(minimum_s=30, increment_s=6, duration_rounding=DurationRounding("half_up", 50), cost_rounding=CostRounding(4, "up"))
    days = (frame["l_start_ms"].to_numpy() + 8 * 3_600_000) // 86_400_000
    kinds = np.array([PREFIXES[at][0] for at in (frame["callee"].to_numpy() // 10**8)])
    audit = Audit(
        digest="ab" * 32,
        local=bill(Bill.LOCAL, len(ours), refused, totals[0], currency),
        customer=bill(Bill.CUSTOMER, len(theirs), (), totals[1], currency),
        currency=currency,
        timezone="Asia/Shanghai",
        matched=int(((frame["l_source"] != MISSING) & (frame["c_source"] != MISSING)).sum()),
        missing_in_local=0,
        missing_in_customer=len(ours) - len(theirs),
        differing=len(theirs),
        clock_offset_s=OFFSET_MS / 1000,
        difference_micro=totals[0] - totals[1],
        causes=causes,
        unexplained_micro=int(frame["unexplained"].sum()),
        unexplained_records=int((frame["unexplained"] != 0).sum()),
        verdict=Verdict(True, Side.CUSTOMER, 0.97, True, evidence, evidence, ()),
        methods={"local": Inferred(terms, {"minimum_s": 0.9999, "increment_s": 0.9999}, count), "customer": Inferred(other, {"increment_s": 0.9998}, count)},
        contract=Terms(minimum_s=60, increment_s=60, tax_ratio=Decimal("0.06")),
        rewriting=(Rewriting(Bill.CUSTOMER, "callee", "00", "", count // 2), Rewriting(Bill.LOCAL, "callee", "8888#", "", 12)),
        by_day=slices(frame, np.array([str(np.datetime64(int(day), "D")) for day in days]), lambda key: key),
        by_prefix=slices(frame, kinds, lambda key: "=Sum <Sample>" if key == "234" else f"Destination {key}"),
        offsets=Histogram(tuple(OFFSET_MS + 500 * at for at in range(-6, 7)), (3, 12, 30, 120, 800, count, count // 2, 600, 90, 25, 9, 2)),
        scatter=tuple((int(at), int(at) + (int(at) % 7 - 3) * 700) for at in frame["l_duration_ms"].head(2000)),
        customer_name="Harbour Logistics <Ltd>",
        period=Period(date(2026, 10, 1), date(2026, 11, 1)),
    )  # fmt: skip
    half = len(frame) // 2
    frames = (frame.iloc[half:].reset_index(drop=True), frame.iloc[:half].reset_index(drop=True))
    return Dispute(audit, frames, lambda: iter(frames), lines, number)


def first_source(which: Bill) -> int:
    return source_of(0 if which is Bill.LOCAL else 1, 2)
