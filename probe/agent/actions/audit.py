"""Audits two bills: gathers what they are audited by, runs the audit, writes what people get, makes a difference a case."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from billing_audit import contract as contracts
from billing_audit import outages as outage_files
from billing_audit import run
from billing_audit.audit import Audit
from billing_audit.decks.deck import Deck
from billing_audit.decks.read import read as read_decks
from billing_audit.ledger import Bill, Names, Note, Refused
from billing_audit.numbers import decode
from billing_audit.options import LEAST_MEMORY, AuditError, Options, Progress
from billing_audit.outages import Outage
from billing_audit.readers.bill import open_bill
from billing_audit.readers.inspection import Inspection
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.unreadable import Unreadable
from billing_audit.terms import Contract
from checks.causes import MAIN_ROLES
from checks.finding import Message
from checks.verdict import CaseKind, Side
from probe.agent.actions.desk import Desk, DeskProblem, now
from probe.agent.actions.refused_rows import NAME as REFUSED
from probe.agent.actions.refused_rows import refused_rows
from probe.agent.settings.document import read_document
from probe.agent.settings.settings import Settings
from probe.inventory import Node, Owner
from reports.audit.opening import evidence
from reports.case import Case
from reports.locale.text import Texts

PAIRS = "pairs.parquet"
EVIDENCE = "evidence.json"  # the audit as a value: what its case stands on, and what the next audit is compared with
MOST_REFUSED = 5  # rows of a deck or an outage file that are named before "and n more"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
DOWN = frozenset({"host_down", "process_down", "service_hung", "service_error", "database", "disk_full", "inodes", "reboot", "oom"})
STILL_CALLING = frozenset({"database", "billing", "cdr", "mediation", "radius"})  # roles without which calls go on unrecorded


class AuditProblem(Exception):
    """The audit can't be made; the text says what, where and the cure."""


class Surroundings(AuditProblem):
    """No fault of any file: there is no room, or no right to write where it should."""


class Request(msgspec.Struct, frozen=True):
    """What was asked for, as on the command line."""

    local: tuple[Path, ...]
    customer: tuple[Path, ...]
    contract: Path | None = None
    rates: tuple[Path, ...] = ()
    name: str | None = None
    account: str | None = None
    outages: Path | None = None
    invoice: str | None = None
    columns: tuple[str, ...] = ()
    out: Path | None = None
    memory: str = "1GiB"
    workers: int = 1
    scheduler: str | None = None
    config_file: str | None = None


@contextmanager
def audited(request: Request, said: Texts, progress: Callable[[Progress], None]) -> Iterator[run.Result]:
    """Yield the result of an audit, whose working files are gone afterwards; AuditProblem, in the language of `said`."""
    settings = _settings(request)
    contract = _contract(request, settings)
    zone = contract.timezone if contract is not None else "UTC"
    options = Options(
        contract=contract,
        deck=_deck(request.rates, zone, contract.currency if contract is not None else None, said),
        account=_account(request, settings),
        columns=columns(request.columns),
        outages=_outages(request, settings, said),
        invoice_micro=invoice(request.invoice),
        previous=_previous(request),
        pairs=request.out / PAIRS if request.out is not None else None,
        memory=size(request.memory),
        workers=request.workers,
        scheduler=request.scheduler,
    )
    if request.out is not None:
        try:
            request.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as why:
            raise Surroundings(f"--out {request.out}: {why.strerror}") from why
    with _told(said), ExitStack() as reading:
        if request.out is not None:
            options = msgspec.structs.replace(options, refused=reading.enter_context(refused_rows(request.out / REFUSED, said)))
        with run.audit(request.local, request.customer, options, progress) as result:
            reading.close()
            yield result


@contextmanager
def _told(said: Texts) -> Iterator[None]:
    """Turn what makes a file unusable into words: what, where, cure."""
    try:
        yield
    except Unreadable as why:
        where = f"{why.file}:{why.line}" if why.line else why.file
        raise AuditProblem(f"{where}: {_both(why.what, why.cure, said)}") from why
    except AuditError as why:
        raise AuditProblem(_both(why.what, why.cure, said)) from why
    except OSError as why:
        raise Surroundings(f"{why.filename or 'the working files'}: {why.strerror or why}") from why


def _both(what: Note, cure: Note, said: Texts) -> str:
    """Return what is wrong and the cure as one text."""
    between = ("", "；") if said.language == "zh" else (" ", "; ")
    told = _say(what, said)
    return f"{told}{between[not told.endswith(('.', '。'))]}{_say(cure, said)}"


def inspected(request: Request, said: Texts) -> list[Inspection]:
    """Return what the files are and how they would be read, each bill by itself; nothing is audited."""
    given = columns(request.columns)
    found = []
    for bill, paths in ((Bill.LOCAL, request.local), (Bill.CUSTOMER, request.customer)):
        if paths:
            with _told(said):
                found.append(open_bill(bill, paths, ReadOptions(columns=given.get(bill, {})), Names(), 0).inspect())
    return found


def written(result: run.Result, out: Path, said: Texts, mask: bool = False) -> tuple[str, ...]:
    """Write workbook, report, statement, JSON and evidence into the folder `out`, for its owner alone; return their names."""
    from reports.audit.facts import audit_json
    from reports.audit.page import write_page
    from reports.audit.statement import write_statement
    from reports.audit.tally import Material, tally
    from reports.audit.workbook import write_workbook
    from reports.audit.writing import lay_down

    material = Material(result.audit, result.pairs, result.lines, lambda code: decode(code, result.names))
    counted = tally(result.audit, result.pairs)
    page, book, letter, facts, kept = (
        out / name for name in ("report.html", "audit.xlsx", f"statement-{said.language}.xlsx", "audit.json", EVIDENCE)
    )
    write_page(page, material, said, counted, replace=True)
    write_workbook(book, material, said, counted, replace=True)
    sent = write_statement(letter, material, said, counted, mask=mask, day=now().date(), replace=True)
    if not sent:  # nothing is on the customer's side; one of an earlier audit here must not be sent by mistake
        letter.unlink(missing_ok=True)
    rows = [out / REFUSED] if (out / REFUSED).exists() else []
    names = tuple(str(one) for one in (page, book, *([letter] if sent else []), *rows, out / PAIRS, facts, kept))
    lay_down(facts, audit_json(result.audit, said, names), replace=True)
    lay_down(kept, evidence(result.audit).decode(), replace=True)
    return names


def opened(told: bytes, customer: str, config: str | None) -> int | None:
    """Open the case of an audit.json, by the service that runs here, else in the store beside us; None when there is nothing to open."""
    try:
        found = Desk(config).open_audit(customer, told)
    except DeskProblem as why:
        raise AuditProblem(f"the case can't be opened: {why}") from why
    return None if found is None else found.id


def size(text: str) -> int:
    """Return bytes of a text like 1GiB, 512M; AuditProblem for what is none, or too small to work in."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise AuditProblem(f"--memory {text}: not a size; write 512M or 2GiB")
    count = int(Decimal(found[1]) * (1 << _UNITS[found[2].lower()]))
    if count < LEAST_MEMORY:
        raise AuditProblem(f"--memory {text}: an audit needs at least {LEAST_MEMORY >> 20}M")
    return count


def columns(given: Iterable[str]) -> dict[Bill, dict[str, str]]:
    """Return side → field → header of texts like customer.duration=时长; AuditProblem names what is none."""
    found: dict[Bill, dict[str, str]] = {}
    for text in given:
        place, mark, header = text.partition("=")
        side, _, field = place.partition(".")
        if not mark or side not in tuple(Bill) or not field or not header:
            raise AuditProblem(f"--columns {text}: write SIDE.FIELD=HEADER, like customer.duration=时长 (SIDE is local or customer)")
        found.setdefault(Bill(side), {})[field] = header
    return found


def invoice(text: str | None) -> dict[Bill, int]:
    """Return the invoiced totals in micro-units: of "123.45" (what the customer was invoiced: ours), or local=…,customer=…"""
    found: dict[Bill, int] = {}
    for part in (text or "").split(",") if text else ():
        side, mark, amount = part.rpartition("=")
        name = side.strip() if mark else Bill.LOCAL
        try:
            micro = Decimal(amount.strip()).scaleb(6)
            good = name in tuple(Bill) and micro == micro.to_integral_value()
        except InvalidOperation:
            good = False
        if not good:
            raise AuditProblem(f"--invoice {text}: write 12345.67, or local=12345.67,customer=12000.00")
        found[Bill(name)] = int(micro)
    return found


def _settings(request: Request) -> Settings | None:
    from probe.agent.settings.load import SettingsError, find, load

    if request.config_file is None and request.name is None and find() is None:
        return None
    try:
        return load(request.config_file, secrets=False)
    except SettingsError as why:
        if request.config_file is None and request.name is None:
            return None  # nothing of it was asked for
        raise AuditProblem("\n".join(map(str, why.problems))) from why


def _contract(request: Request, settings: Settings | None) -> Contract | None:
    customer = settings.inventory.customers.get(request.name) if settings is not None and request.name is not None else None
    if request.name is not None and customer is None and request.config_file is not None:
        known = ", ".join(sorted(settings.inventory.customers)) if settings is not None else ""
        raise AuditProblem(f"no customer named {request.name} in the inventory; there are: {known or 'none'}")
    beside = Path(settings.file).parent if settings is not None and settings.file is not None else Path()
    file = request.contract or (beside / customer.contract if customer is not None and customer.contract else None)
    if file is None:
        return Contract(customer=request.name) if request.name is not None else None
    document = read_document(str(file))
    contract, problems = contracts.read(document.data)
    for problem in problems:
        document.refuse(problem.path, problem.text)
    if document.problems:
        raise AuditProblem("\n".join(map(str, sorted(document.problems))))
    assert contract is not None
    return msgspec.structs.replace(contract, customer=request.name) if request.name is not None else contract


def _account(request: Request, settings: Settings | None) -> str | None:
    if request.account is not None or settings is None or request.name is None or request.name not in settings.inventory.customers:
        return request.account
    accounts = settings.inventory.customers[request.name].accounts
    return accounts[0] if len(accounts) == 1 else None


def _deck(files: tuple[Path, ...], zone: str, currency: str | None, said: Texts) -> Deck | None:
    if not files:
        return None
    with _told(said):
        deck, refused = read_decks(files, zone, currency=currency or "")
    if refused:  # a rate that is not read would be laid to somebody's charge
        raise AuditProblem(_named(refused, "audit.refused.rates", said))
    return deck


def _outages(request: Request, settings: Settings | None, said: Texts) -> tuple[Outage, ...]:
    nodes = settings.inventory.nodes if settings is not None else {}
    if request.outages is not None:
        try:
            found, refused = outage_files.read(request.outages)
        except OSError as why:
            raise AuditProblem(f"{request.outages}: {why.strerror or why}") from why
        except UnicodeError as why:
            raise AuditProblem(f"{request.outages}: {said.text('audit.refused.outages-encoding')}") from why
        if refused:
            raise AuditProblem(_named(refused, "audit.refused.outages", said))
        return tuple(msgspec.structs.replace(one, stops_calls=stops_calls(nodes.get(one.node))) for one in found)
    if settings is None:
        return ()
    try:
        cases = Desk(request.config_file).cases(True)
    except DeskProblem:  # no agent has measured anything here
        return ()
    return tuple(sorted(measured(cases, nodes, now()), key=lambda one: (one.start_ms, one.end_ms, one.node)))


def measured(cases: Iterable[Case], nodes: Mapping[str, Node], until: datetime) -> Iterator[Outage]:
    """Yield what the agent measured as outages of our own nodes: cases in which a node or its service was gone, to their end."""
    for case in cases:
        name = case.element.partition(":")[0]
        node = nodes.get(name)
        if case.kind is not CaseKind.NETWORK or case.cause not in DOWN or case.side not in (Side.COMPANY, Side.UNDETERMINED):
            continue
        if node is not None and node.owner is not Owner.COMPANY:
            continue
        end = max(case.cleared_at or until, case.since + timedelta(milliseconds=1))
        yield Outage(_ms(case.since), _ms(end), name, stops_calls(node))


def _previous(request: Request) -> Audit | None:
    if request.name is None:
        return None
    try:
        return Desk(request.config_file).last_audit(request.name)
    except DeskProblem:  # nothing is kept here
        return None


def stops_calls(node: Node | None) -> bool | None:
    """Tell whether calls stop while this node is down: those that carry calls do, those that record them don't; None: not said."""
    if node is None or node.role is None:
        return None
    return True if node.role in MAIN_ROLES else False if node.role in STILL_CALLING else None


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _named(refused: tuple[Refused, ...], what: str, said: Texts) -> str:
    lines = []
    for one in refused[:MOST_REFUSED]:
        place = ":".join(filter(None, (one.file, str(one.line), one.field)))
        lines.append(f"{place}: “{one.text}”: {_say(one.reason, said)}")
    if more := len(refused) - len(lines):
        lines.append(said.text("check.more", n=more))
    return "\n".join([said.text(what, n=len(refused)), *lines])


def _say(note: Note, said: Texts) -> str:
    return said.say(Message(note.id, note.values))
