"""The report of an audit as one HTML file that needs nothing else: for the screen, light or dark, and for print."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from billing_audit.audit import Audit, Slice
from billing_audit.ledger import MISSING
from reports.audit.figures import decimal, grouped, minutes, money, ratio
from reports.audit.five import five
from reports.audit.plots import COLOURS, day_bars, duration_points, offset_bars
from reports.audit.screen import headline, next_step, unlooked, verdict_line
from reports.audit.summary_sheet import parties
from reports.audit.tally import Material, Tally, tally
from reports.audit.words import (
    UNEXPLAINED,
    cause_name,
    column_names,
    method_rows,
    note_text,
    parameter_text,
    place_text,
    proofs,
    side_name,
    sure,
    thresholds,
)
from reports.audit.writing import lay_down
from reports.locale.text import Texts, printable

LARGEST: Final = 300_000  # bytes of a page
_MOST_DAYS, _MOST_PREFIXES, _MOST_REFUSED, _MOST_SAMPLES, _LONGEST = 93, 40, 30, 3, 300
_STYLE: Final = (
    ":root{--ink:#1b1f24;--soft:#5a6573;--rule:#d5dae1;--band:#1f3a5f;--paper:#fff;--pale:#f3f6fa;--good:#1a6b2e;--bad:#b3121d;"
    "--c0:#1f5fa8;--c1:#d97706;--c2:#2e8b57;--c3:#8e44ad;--c4:#c0392b;--c5:#16a2b8;--c6:#7a6a00;--c7:#5a6573;color-scheme:light dark}"
    "@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--rule:#39424d;--band:#8fb4e3;--paper:#14181d;"
    "--pale:#1c2229;--good:#6fce8a;--bad:#ff8a8a;--c0:#6aa5e8;--c1:#f0a24a;--c2:#62c08a;--c3:#c58be0;--c4:#ee8377;--c5:#5fd0e2;"
    "--c6:#cdbb4a;--c7:#9aa5b1}}"
    "body{font:14px/1.5 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;margin:2em auto;max-width:68em;padding:0 1em;"
    "color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.5em;color:var(--band);margin:0 0 .2em}h2{font-size:1.1em;color:var(--band);margin:2em 0 .5em;"
    "border-bottom:2px solid var(--band);padding-bottom:.2em}h3{font-size:1em;margin:1.2em 0 .3em}"
    ".answer{font-size:1.15em;font-weight:600;margin:.2em 0}.soft,caption{color:var(--soft)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{border-bottom:1px solid var(--rule);padding:.28em .55em;text-align:left;vertical-align:top}"
    "th{color:var(--soft);font-weight:600;background:var(--pale)}.r{text-align:right}td.r,td:first-child{white-space:nowrap}"
    "tr.sum td{font-weight:700;border-top:2px solid var(--band)}.good,.bad{white-space:nowrap}.good{color:var(--good);font-weight:600}"
    ".bad{color:var(--bad);font-weight:600}"
    "code{font:12px/1.4 ui-monospace,Consolas,monospace;overflow-wrap:anywhere}"
    "svg{width:100%;height:auto;display:block;margin:.4em 0}svg text{font-size:11px;fill:var(--soft)}"
    ".grid{stroke:var(--rule)}.zero{stroke:var(--soft)}.even{stroke:var(--soft);stroke-dasharray:4 3}"
    ".spots{stroke:var(--c0);stroke-width:3;stroke-linecap:round;opacity:.55}"
    + "".join(f".c{at}{{fill:var(--c{at});background:var(--c{at})}}" for at in range(COLOURS))
    + ".named{white-space:nowrap;margin-right:1em}.key{display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 0;border-radius:2px;"
    "print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}"
    "@media print{body{margin:0;max-width:none;font-size:10.5px}h2,h3{break-after:avoid}tr,svg{break-inside:avoid}"
    "svg rect,th{print-color-adjust:exact;-webkit-print-color-adjust:exact}@page{size:A4;margin:14mm}}"
)


def write_page(path: Path, material: Material, texts: Texts, counted: Tally | None = None, replace: bool = False) -> None:
    """Write the report to a file; `AlreadyThere` where it exists, unless `replace`."""
    lay_down(path, audit_page(material, texts, counted), replace)


def audit_page(material: Material, texts: Texts, counted: Tally | None = None) -> str:
    """Return the report as a whole HTML document of at most LARGEST bytes."""
    counted = counted or tally(material.audit, material.calls)
    for most in (1, 3, 8, 20):
        page = _page(material, texts, counted, most)
        if len(page.encode("utf-8", "backslashreplace")) <= LARGEST:
            break
    return page


def _page(material: Material, texts: Texts, counted: Tally, cut: int) -> str:
    """Return the document with all its long lists divided by `cut`."""
    audit = material.audit
    title = escape(f"{texts.text('audit.book.title')} {printable(audit.customer_name)}".strip())
    body = [
        f"<h1>{title}</h1>",
        f'<p class="answer">{_said(headline(audit, texts))}</p><p>{_said(verdict_line(audit, texts))}</p>',
        f'<p class="soft">{_said(thresholds(audit, texts))}</p>',
        _table((), parties(audit, texts)),
        _bills(audit, texts),
        _causes(audit, texts),
        _plots(audit, texts, counted, cut),
        _five(audit, texts),
        *_told(audit, texts),
        _samples(material, texts, cut),
        _slices(texts.text("audit.sheet.days"), audit.by_day, _MOST_DAYS // cut, texts, "day"),
        _slices(texts.text("audit.sheet.prefixes"), _largest(audit.by_prefix), _MOST_PREFIXES // cut, texts, "prefix"),
        _methods(audit, texts),
        _refused(audit, texts, _MOST_REFUSED // cut),
    ]
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    head = f'<meta charset="utf-8">{policy}<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="{escape(texts.language)}"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _said(text: str) -> str:
    return escape(printable(text))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), last: str = "") -> str:
    """Return a table; the text of its cells is escaped here; `last` is the class of the last row."""
    head = "".join(f"<th{' class=r' if at in right else ''}>{_said(text)}</th>" for at, text in enumerate(heads))
    lines = [f"<thead><tr>{head}</tr></thead>"] if heads else []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{' class=r' if at in right else ''}>{_said(cell)}</td>" for at, cell in enumerate(row))
        lines.append(f"<tr{f' class={last}' if last and number == len(rows) - 1 else ''}>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _bills(audit: Audit, texts: Texts) -> str:
    names = ("item", "files", "rows", "refused", "calls", "total")
    rows = [
        (
            texts.text(f"audit.who.{bill.bill}"),
            ", ".join(file.name for file in bill.files[:5]) + ("…" if len(bill.files) > 5 else ""),
            *(f"{count:,}" for count in (bill.rows, bill.refused, bill.records)),
            money(bill.total_micro, bill.currency or audit.currency),
        )
        for bill in (audit.local, audit.customer)
    ]
    rows.append((texts.text("audit.head.difference"), "", "", "", "", money(audit.difference_micro, audit.currency)))
    table = _table([texts.text(f"audit.head.{name}") for name in names], rows, (2, 3, 4, 5), "sum")
    return f"<h2>{_said(texts.text('audit.book.totals'))}</h2>{table}"


def _causes(audit: Audit, texts: Texts) -> str:
    found = [one for one in audit.causes if one.cause != UNEXPLAINED]
    whole = sum(one.amount_micro for one in found) + audit.unexplained_micro
    rows = [
        (
            cause_name(one.cause, texts),
            side_name(one.side, texts),
            f"{one.records:,}",
            grouped(one.amount_micro, plus=True),
            ratio(one.amount_micro, whole),
            sure(one.confidence),
        )
        for one in found
    ]
    name, side = column_names(UNEXPLAINED, texts)
    rest = grouped(audit.unexplained_micro, plus=True)
    rows.append((name, side, f"{audit.unexplained_records:,}", rest, ratio(audit.unexplained_micro, whole), ""))
    rows.append((texts.text("audit.head.sum"), "", "", grouped(whole, plus=True), "", ""))
    heads = [texts.text(f"audit.head.{head}") for head in ("cause", "side", "calls", "money", "share", "sure")]
    fits = whole == audit.difference_micro
    word = f'<p class="{"good" if fits else "bad"}">{_said(texts.text("audit.adds-up" if fits else "audit.adds-not"))}</p>'
    return f"<h2>{_said(texts.text('audit.book.causes'))}</h2>{_table(heads, rows, (2, 3, 4, 5), 'sum')}{word}"


def _plots(audit: Audit, texts: Texts, counted: Tally, cut: int) -> str:
    names = [" · ".join(column_names(column, texts)) for column in counted.columns]
    unit = audit.currency or texts.text("audit.head.money")
    used = [at for at in range(len(names)) if any(day[at] for day in counted.days.values())]
    keys = "".join(f'<span class="named"><span class="key c{at % COLOURS}"></span>{_said(names[at])}</span> ' for at in used)
    ours, theirs = texts.text("audit.plot.ours"), texts.text("audit.plot.theirs")
    plots = [
        ("audit.plot.days", day_bars(counted.days, names, texts.text("audit.plot.days"), unit), keys),
        ("audit.plot.offsets", offset_bars(audit.offsets, texts.text("audit.plot.offsets"), texts.text("audit.plot.pairs")), ""),
        ("audit.plot.durations", duration_points(audit.scatter[::cut], texts.text("audit.plot.durations"), ours, theirs), ""),
    ]
    return "".join(f'<h2>{_said(texts.text(id))}</h2>{svg}<p class="soft">{below}</p>' for id, svg, below in plots if svg)


def _five(audit: Audit, texts: Texts) -> str:
    lines = []
    for one in five(audit, texts):
        word, look = {True: ("agree", "good"), False: ("differ", "bad"), None: ("unknown", "soft")}[one.agrees]
        cells = (texts.text(f"audit.five.{one.what}"), one.pair, one.by)
        said = [f"<td>{_said(cell)}</td>" for cell in cells]
        lines.append(f'<tr>{said[0]}<td class="{look}">{_said(texts.text(f"audit.five.{word}"))}</td>{said[1]}{said[2]}</tr>')
    return f'<h2>{_said(texts.text("audit.book.five"))}</h2><div class="wide"><table>{"".join(lines)}</table></div>'


def _told(audit: Audit, texts: Texts) -> list[str]:
    parts = [
        ("audit.screen.verdict", [note_text(note, texts) for note in audit.verdict.notes]),
        ("audit.screen.settle", [note_text(note, texts) for note in audit.verdict.settle]),
        ("audit.screen.changed", [note_text(note, texts) for note in audit.verdict.changed]),
        ("audit.screen.noticed", [note_text(note, texts) for note in audit.notes]),
        ("audit.screen.not-looked", unlooked(audit, texts)),
        ("audit.screen.next", [next_step(audit, texts)]),
    ]
    return [f"<h2>{_said(texts.text(id))}</h2><ul>{''.join(f'<li>{_said(text)}</li>' for text in said)}</ul>" for id, said in parts if said]


def _samples(material: Material, texts: Texts, cut: int) -> str:
    """Return each cause with its evidence and a few calls that show it, with both lines as the bills have them."""
    audit = material.audit
    most = max(1, _MOST_SAMPLES // cut)
    wanted = {source for one in audit.causes for at in one.samples[:most] for source in (at.l_source, at.c_source) if source != MISSING}
    raw = material.lines(sorted(wanted)) if wanted else {}
    parts = [f"<h2>{_said(texts.text('audit.head.evidence'))}</h2>"]
    for one in audit.causes:
        parts.append(f"<h3>{_said(cause_name(one.cause, texts))} · {_said(side_name(one.side, texts))}</h3>")
        told = proofs(one, texts) or [parameter_text(one, texts)]
        parts.append(f"<ul>{''.join(f'<li>{_said(text)}</li>' for text in told if text)}</ul>")
        rows = []
        for at in one.samples[:most]:
            for source in (at.l_source, at.c_source):
                if source != MISSING:
                    line = raw.get(source, "")
                    shown = line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
                    rows.append(f"<tr><td>{_said(place_text(source, audit))}</td><td><code>{_said(shown)}</code></td>")
                    rows.append(f'<td class="r">{decimal(at.amount_micro) if at.l_source in (source, MISSING) else ""}</td></tr>')
        if rows:
            parts.append(f'<div class="wide"><table>{"".join(rows)}</table></div>')
    return "".join(parts) if len(parts) > 1 else ""


def _largest(slices: Sequence[Slice]) -> list[Slice]:
    """Return the prefixes with the greatest difference first."""
    return sorted(slices, key=lambda one: (-abs((one.l_micro or 0) - (one.c_micro or 0)), one.key))


def _slices(title: str, slices: Sequence[Slice], most: int, texts: Texts, kind: str) -> str:
    if not slices:
        return ""
    ours, theirs = texts.text("audit.who.local"), texts.text("audit.who.customer")
    heads = [texts.text(f"audit.head.{kind}"), *(f"{texts.text(id)} {who}" for id in _COMPARED for who in (ours, theirs))]
    rows = []
    for one in slices[:most]:
        apart = None if one.l_micro is None or one.c_micro is None else one.l_micro - one.c_micro
        rows.append(
            (
                one.key if one.label == one.key else f"{one.key} {one.label}",
                f"{one.l_records:,}",
                f"{one.c_records:,}",
                minutes(one.l_billed_ms),
                minutes(one.c_billed_ms),
                *("–" if value is None else grouped(value) for value in (one.l_micro, one.c_micro)),
                "–" if apart is None else grouped(apart, plus=True),
                "–" if apart is None else ratio(apart, one.l_micro or 0),
            )
        )
    heads += [texts.text("audit.head.difference"), texts.text("audit.head.ratio")]
    left = len(slices) - len(rows)
    more = f'<p class="soft">{_said(texts.text("audit.page.more", n=left))}</p>' if left else ""
    return f"<h2>{_said(title)}</h2>{_table(heads, rows, range(1, 9))}{more}"


_COMPARED = ("audit.head.calls", "audit.head.billed-min", "audit.head.money")


def _methods(audit: Audit, texts: Texts) -> str:
    told: dict[str, dict[str, str]] = {}
    for which, terms in (("contract", audit.contract), *((bill, found.terms) for bill, found in audit.methods.items())):
        for key, name, value in method_rows(terms, texts, audit.currency) if terms is not None else ():
            support = audit.methods[which].support.get(key) if which in audit.methods else None
            told.setdefault(name, {})[which] = value if support is None else f"{value} ({np.floor(support * 10000) / 100:.2f} %)"
    heads = [texts.text(id) for id in ("audit.head.item", "audit.head.contract", "audit.who.local", "audit.who.customer")]
    rows = [(name, *(values.get(which, "–") for which in ("contract", "local", "customer"))) for name, values in told.items()]
    parts = [f"<h2>{_said(texts.text('audit.book.methods'))}</h2>{_table(heads, rows)}"] if rows else []
    if audit.rewriting:
        heads = [texts.text(f"audit.head.{name}") for name in ("bill", "field", "strip", "add", "rows")]
        rules = [
            (texts.text(f"audit.who.{at.bill}"), texts.text(f"audit.head.{at.field}"), at.strip or "–", at.add or "–", f"{at.rows:,}")
            for at in audit.rewriting
        ]
        parts.append(f"<h2>{_said(texts.text('audit.book.rewriting'))}</h2>{_table(heads, rules, (4,))}")
    return "".join(parts)


def _refused(audit: Audit, texts: Texts, most: int) -> str:
    rows = [row for bill in (audit.local, audit.customer) for row in bill.refused_rows]
    if not rows:
        return ""
    heads = [texts.text(f"audit.head.{name}") for name in ("place", "field", "why", "raw")]
    shown = [(f"{row.file}:{row.line}", row.field, note_text(row.reason, texts), row.text[:_LONGEST]) for row in rows[:most]]
    left = audit.local.refused + audit.customer.refused - len(shown)
    more = f'<p class="soft">{_said(texts.text("audit.page.more", n=left))}</p>' if left > 0 else ""
    return f"<h2>{_said(texts.text('audit.sheet.refused'))}</h2>{_table(heads, shown)}{more}"
