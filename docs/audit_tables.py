"""The tables of the handbook's chapter Audit from the code: formats, columns, rate decks, causes; and what people say of them."""

import re
from importlib import import_module
from typing import Final

from billing_audit.causes.catalogue import CAUSES
from billing_audit.decks.columns import FIELDS as DECK_WORDS
from billing_audit.readers.formats.catalogue import FORMATS
from billing_audit.readers.synonyms import SYNONYMS
from billing_audit.verdict import SETTLE
from reports.locale.text import texts

ENGLISH, CHINESE = texts("en"), texts("zh")

# By what a file is recognised. Words in `code` stand in the module of the format; a test holds that.
RECOGNISED: Final = {
    "asterisk": "no header; context, channel, application and three times in their places, then `NO ANSWER`, `ANSWERED` …",
    "freeswitch-rows": "`INSERT INTO` lines, or rows of the template example among which legs of another row stand",
    "freeswitch-csv": "no header; the places of a template, a UUID and a cause of the switch among them",
    "freeswitch-json": 'JSON with `"variables"` and `"callflow"` or `"core-uuid"`',
    "freeswitch-xml": "XML with `<cdr` and `variables`; one with a DOCTYPE is refused",
    "acc": "a method (`INVITE`, `BYE`), two tags, a Call-ID, a code of SIP, a reason",
    "kamailio-cdrs": "`src_username`, `dst_username`, `call_start_time`, `duration`",
    "cisco-cucm": "`globalCallID_callId`, `dateTimeConnect`, a row of types (`INTEGER`, `VARCHAR`) below",
    "cisco-cube": "no header; a record's time, a conference id and a set-up time with its zone in their places",
    "radius-detail": "indented attributes, `Acct-Status-Type` among them",
    "oracle-sbc": "no header; a status, an address, and further on set-up and connect time",
    "sonus": "no header; `STOP`, `ATTEMPT`, `START`, `INTERMEDIATE` in front",
    "vos3000-table": "no header; 52 columns, milliseconds since 1970 and money in their places",
    "vos3000-export": "only titles of its client, one of `终止原因`, `挂断方向`, `落地成本` … among them",
    "vos3000-json": "`infoCdrs`",
    "cgrates": "the default fields in their order, or `CGRID`, `AnswerTime`, `Usage`",
    "portaswitch": "`Account ID`, both numbers, `Charged Time` or `Charged Quantity`, `Amount`",
    "sippy": "`CLI`, `CLD`, `Billed Duration, sec`",
    "jerasoft": "`Src Party ID`, `Dst Party ID`, a time",
    "cdr-stats": "`caller_id_number`, `destination_number`, `starting_date`, `billsec`",
}
# How each cause shows itself, whose it is, and what it means for the side that has it; from the practice of the trade.
SHOWN: Final = {
    "timezone": ("start offset of k · 15 min, totals agree", "nobody: a mapping"),
    "dst": ("the offset changes by an hour on a date", "who departs from the rules of the contract's zone"),
    "clock": ("an offset of seconds, or one that grows over the days", "undetermined: bills can't tell which clock is wrong"),
    "failed_call": ("a charge on a call that nobody answered, or of 0 seconds", "who charges it"),
    "duplicate": ("the same call twice: the same id, or the same everything but the id", "who has it twice"),
    "cut_off": ("missing only where a call lies over the period's edge", "nobody: a rule differs"),
    "missing_outage": ("missing here, in stretches of time or of one gateway; surer where an outage was measured", "company"),
    "missing_import": ("missing there: a file, a day, an hour or a gateway of theirs", "customer"),
    "hung_call": ("an extreme duration, often round hours, the other side short", "who recorded the long one"),
    "early_answer": ("many short answered calls on one route, one side longer", "carrier: its switch answers too early"),
    "ring_time": ("durations differ by about the set-up time", "who counts from the INVITE"),
    "duration_rounding": ("a second more or less on a stable share of calls", "nobody; the setting is named"),
    "partial_records": ("one row is the sum of the other side's consecutive rows", "who does not merge"),
    "increment": ("billed seconds follow another minimum, step or direction", "who departs from the contract"),
    "increment_anchor": ("differs only where the step does not divide the minimum", "who departs from the contract"),
    "free_seconds": ("steps lie later by constant seconds, or short calls are free", "who departs from the contract"),
    "scale": ("one ratio on everything: tax, currency, cents, per second, 1,000, a decimal mark", "who departs from the contract"),
    "connection_fee": ("a constant amount a call, whatever its duration", "who departs from the contract"),
    "rate_change": ("the ratio steps at the effective time; the old price still fits", "who keeps the old price"),
    "rate_change_zone": ("differs only within hours of the effective date", "who takes the date in another zone"),
    "time_band": ("only inside bands, or on calls across a boundary", "who departs from the contract"),
    "prefix": ("calls cost what a shorter (parent) code costs", "who lacks the longer code"),
    "code_list": ("a code that only one list has", "whose list it is; the notice decides"),
    "rate": ("one ratio per prefix, the billed seconds alike", "who departs from the deck"),
    "cost_rounding": ("half a unit of the last digit, everywhere", "nobody, or the configuration"),
    "unexplained": ("what none of them explains; never hidden, never forced into one", "undetermined"),
}
DECK_MEANS: Final = {
    "prefix": "the code; several in one cell are read too (`1242, 1246-1249`)",
    "country_code": "put in front of the area codes",
    "area_code": "behind the country code; alone it is the prefix",
    "country": "part of the destination's name",
    "destination": "name",
    "region": "part of the destination's name",
    "new_rate": "holds in place of `rate` where both stand",
    "rate": "price a minute; another unit stands in the header (`rate per second`, `元/6秒`)",
    "buy": "what is bought; read where there is no selling rate",
    "from": "effective from, midnight in the contract's zone where there is no time of day",
    "to": "effective to; a day alone ends at its midnight, unless the file shows that its days are the last ones",
    "increment": "`60/60`, or the step alone",
    "minimum": "first interval in seconds",
    "fee": "once a call",
    "free": "seconds",
    "grace": "refused unless 0: it is the contract's (`grace_seconds`)",
    "band": "name of a `[[band]]` of the contract",
    "change": "marks of an A-Z deck: new, increase, decrease, unchanged, blocked, ended",
}
BOUNDS: Final = (
    ("files of one bill", "billing_audit.readers.sources:MOST_FILES", "{:,}"),
    ("octets of one bill's file, unpacked", "billing_audit.readers.sources:MOST_BYTES", "size"),
    ("octets of a workbook, unpacked", "billing_audit.readers.sources:MOST_WORKBOOK", "size"),
    ("times as large as packed that an archive may be", "billing_audit.readers.sources:MOST_RATIO", "{}"),
    ("sheets of a workbook", "billing_audit.readers.workbook:MOST_SHEETS", "{}"),
    ("octets of one line of a bill", "billing_audit.readers.coding:MOST_LINE", "size"),
    ("columns of a bill", "billing_audit.readers.formats.shape:MOST_COLUMNS", "{:,}"),
    ("lines that one quoted field of a bill may go over", "billing_audit.readers.split:MOST_LINES", "{}"),
    (
        "units of a currency for one call, or a minute of it; beyond it the row is refused",
        "billing_audit.readers.amounts:MOST_MONEY",
        "{:,}",
    ),
    ("accounts of one bill that are counted by name", "billing_audit.engine.reading:MOST_ACCOUNTS", "{:,}"),
    ("gateways and accounts that keep their names; the rest is “…”", "billing_audit.ledger:Names.MOST", "{:,}"),
    ("refused rows that `audit.json` names; `refused.csv` has all", "billing_audit.engine.reading:MOST_REFUSED", "{}"),
    ("rows of both bills from which number forms and clocks are learned", "billing_audit.run:LEARN_ROWS", "{:,}"),
    ("rows of both bills in which causes are looked for; all rows take part in the money", "billing_audit.run:SAMPLE_ROWS", "{:,}"),
    ("rules by which numbers are rewritten", "billing_audit.numbering.forms:MOST_RULES", "{}"),
    ("candidates of one record when calls are matched", "billing_audit.matching.match:NEAREST", "{}"),
    ("causes of one audit, by side", "billing_audit.engine.work:MOST_CAUSES", "{}"),
    ("prices of all decks of an audit", "billing_audit.decks.read:MOST_ENTRIES", "{:,}"),
    ("octets of a deck", "billing_audit.decks.sheets:MOST_BYTES", "size"),
    ("bands of a deck or contract", "billing_audit.contract:MOST_BANDS", "{}"),
    ("steps of a contract", "billing_audit.contract:MOST_STEPS", "{}"),
    ("outages laid against missing calls", "billing_audit.outages:MOST", "{:,}"),
    ("least `--memory`", "billing_audit.options:LEAST_MEMORY", "size"),
    ("rows of one sheet of the workbook; more are split over sheets, said in their titles", "reports.audit.call_sheets:MOST_ROWS", "{:,}"),
    ("octets of the HTML report", "reports.audit.page:LARGEST", "{:,}"),
    ("folders of an audit inbox that are looked at", "probe.agent.pickup:MOST_PERIODS", "{:,}"),
    ("files of one side in one folder of it", "probe.agent.pickup:MOST_FILES", "{:,}"),
    ("one audit of the inbox", "probe.agent.inbox:LONGEST_S", "span"),
)

Rows = list[tuple[str, ...]]


def formats() -> tuple[tuple[str, ...], Rows]:
    """Return name, what writes it, by what it is recognised, and the source of each named format, as they are tried."""
    rows: Rows = []
    for name, path in FORMATS.items():
        module = import_module(path)
        rows.append((f"`{name}`", module.TITLE, RECOGNISED[name], module.SOURCE))
    return ("format", "written by", "recognised by", "source"), rows


def fields() -> tuple[tuple[str, ...], Rows]:
    """Return the fields of a bill with some of the headers by which each is known."""
    rows: Rows = []
    for field, words in SYNONYMS.items():
        told, id = words.split(), f"audit.field.{field}"
        chinese, english = [word for word in told if not word.isascii()], [word for word in told if word.isascii()]
        some = ", ".join(f"`{word}`" for word in (*chinese[:3], *english[:3]))
        rows.append((f"`{field}`", f"{ENGLISH.text(id)} ({CHINESE.text(id)})", some, str(len(told))))
    return ("field", "means", "headers, some of them", "known"), rows


def deck() -> tuple[tuple[str, ...], Rows]:
    """Return the columns of a rate deck with some of the headers by which each is known."""
    rows: Rows = []
    for field in dict.fromkeys(DECK_WORDS.values()):
        told = [word for word, named in DECK_WORDS.items() if named == field]
        chinese, english = [word for word in told if not word.isascii()], [word for word in told if word.isascii()]
        rows.append((f"`{field}`", DECK_MEANS[field], ", ".join(f"`{word}`" for word in (*english[:4], *chinese[:2]))))
    return ("column", "means", "headers, some of them"), rows


def causes() -> tuple[tuple[str, ...], Rows]:
    """Return every cause: names, signature, side, the test that separates it, and what settles it."""
    rows: Rows = []
    for code in (*CAUSES, "unexplained"):
        shows, side = SHOWN[code]
        settle = ENGLISH.text(SETTLE[code], what="the prefixes") if code in SETTLE else "–"
        settle = ENGLISH.text("audit.settle.raw_records") if code == "unexplained" else settle
        rows.append(
            (
                f"`{code}`",
                f"{ENGLISH.text(f'audit.cause.{code}')} ({CHINESE.text(f'audit.cause.{code}')})",
                shows,
                side,
                _test(code),
                settle,
            )
        )
    return ("cause", "name", "how it shows itself", "side", "told from its neighbours by", "settled by"), rows


def _test(code: str) -> str:
    """Return the sentence that separates a cause, its values left open; that of a cause of which nothing is said is a dash."""
    template = ENGLISH.word("audit.evidence.separates", code)
    return "–" if template == code else re.sub(r"\{\w+\}", "…", re.sub(r" \(\{\w+\}\)", "", template))
