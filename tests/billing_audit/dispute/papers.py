"""The papers of a dispute: contract.toml, deck.csv, outages.csv, and the truth as JSON."""

import json
import tomllib
from datetime import UTC, datetime
from typing import Any

from tests.billing_audit.dispute.bills import Dispute


def money(micro: int) -> str:
    """Return micro-units as a decimal string."""
    sign, size = ("-" if micro < 0 else ""), abs(micro)
    return f"{sign}{size // 1_000_000}.{size % 1_000_000:06d}".rstrip("0").rstrip(".")


def rate(nano: int) -> str:
    """Return nano-units a minute as a decimal string."""
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").rstrip(".")


def contract(dispute: Dispute) -> str:
    """Return the contract as TOML."""
    deal = dispute.deal
    lines = [
        f'currency = "{deal.currency}"',
        f'timezone = "{deal.zone}"',
        f'increment = "{deal.minimum_s}/{deal.increment_s}"',
        f'anchor = "{"from_zero" if deal.from_zero else "after_minimum"}"',
        f'connection_fee = "{money(deal.fee_micro)}"',
        f"free_seconds = {deal.free_s}",
        f"grace_seconds = {deal.grace_s}",
        f'cost_rounding = {{ digits = {deal.digits}, mode = "{deal.mode}", per = "call" }}',
        *([f'tax_ratio = "{deal.tax / 100}"'] if deal.tax else []),
        "[period]",
        f"start = {deal.start}",
        f"end = {deal.end}",
        f'by = "{deal.by}"',
    ]
    for name, first, last, weekdays, percent in deal.bands:
        lines += ["[[band]]", f'name = "{name}"', f"start = {first:02d}:00:00", f"end = {last % 24:02d}:00:00"]
        lines += [f"weekdays = {list(weekdays)}", f'ratio = "{percent / 100}"']
    return "\n".join(lines) + "\n"


def contract_table(dispute: Dispute) -> dict[str, Any]:
    """Return the contract as its TOML reads."""
    return tomllib.loads(contract(dispute))


def deck(dispute: Dispute) -> str:
    """Return the rate deck as CSV: codes that got another price have two rows."""
    own = dispute.deal.own
    lines = ["prefix,destination,rate,effective_from" + (",increment" if own else "")]
    for index, code in enumerate(dispute.world.deck):
        if index in dispute.deal.gaps:
            continue
        tail = "" if not own else ",{}/{}".format(*own[index]) if index in own else ","
        lines.append(f"{code.digits},{code.name},{rate(code.rate_nano)},2020-01-01{tail}")
        if index in dispute.deal.changes:
            when, new = dispute.deal.changes[index]
            lines.append(f"{code.digits},{code.name},{rate(new)},{when}{tail}")
    return "\n".join(lines) + "\n"


def outages(dispute: Dispute) -> str:
    """Return the measured outages as CSV, in UTC."""
    told = [f"{_utc(start)},{_utc(end)},{node}" for start, end, node in dispute.deal.outages]
    return "\n".join(["start,end,node", *told]) + "\n"


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def truth(dispute: Dispute) -> str:
    """Return what was planted, as JSON: exact money, so that Σ causes = difference."""
    causes = [
        {
            "cause": p.code,
            "departs": p.departs,
            "side": p.sides[0],
            "as_right": list(p.sides[1:]),
            "parameters": p.parameters,
            "records": p.records,
            "amount": money(p.amount_micro),
        }
        for p in dispute.planted
    ]
    told = {"seed": dispute.seed, "difference": money(dispute.difference_micro), "causes": causes}
    return json.dumps(told, ensure_ascii=False, indent=1, default=int) + "\n"
