"""Writes the carrier hand-off sheet as one HTML file that needs nothing else: for a mail to the carrier's desk, or for print."""

from datetime import tzinfo
from html import escape

from checks.finding import State
from reports.handoff import Handoff
from reports.locale.text import Texts
from reports.render.handoff import Part, handoff_parts

_STYLE = (
    "body{font:14px/1.45 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;margin:2em auto;max-width:60em;color:#1b1f24}"
    "h1{font-size:1.4em;border-bottom:2px solid;padding-bottom:.3em}h2{font-size:1.05em;margin:1.6em 0 .4em}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d5dae1;padding:.25em .8em .25em 0;text-align:left;"
    "vertical-align:top}td{font-variant-numeric:tabular-nums}.critical td:first-child{color:#b3121d;font-weight:700}"
    ".warning td:first-child{color:#8a5a00;font-weight:700}.ok td:first-child{color:#1a6b2e}.unknown td:first-child{color:#6b4a8a}"
    "@media print{body{margin:0}}"
)


def handoff_html(sheet: Handoff, texts: Texts, zone: tzinfo | None = None) -> str:
    """Return the sheet as a whole HTML document."""
    first, *rest = handoff_parts(sheet, texts, zone)
    title = escape(f"{first.title} {sheet.link.circuit or sheet.link.name}")
    body = f"<h1>{title}</h1>{_table(first)}" + "".join(f"<h2>{escape(part.title)}</h2>{_table(part)}" for part in rest)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="{escape(texts.language)}"><head>{head}</head><body>{body}</body></html>\n'


def _table(part: Part) -> str:
    most = max(len(row.cells) for row in part.rows)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in part.head)
    rows = [f"<tr>{head}</tr>"] if head else []
    for row in part.rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in (*row.cells, *[""] * (most - len(row.cells))))
        rows.append(f'<tr class="{_class(row.state)}">{cells}</tr>')
    return f"<table>{''.join(rows)}</table>"


def _class(state: State | None) -> str:
    return state.value if state is not None else "plain"
