"""`firstline audit LOCAL CUSTOMER`: where two bills differ, why, whose it is, and what it is worth."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

AGREES, DIFFERS, UNUSABLE, FAILED = 0, 1, 2, 3
COLUMNS = 120  # where the answer goes to no terminal
REDRAW_S = 0.1
_PATH = click.Path(path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("local", type=_PATH)
@click.argument("customer", type=_PATH, required=False)
@click.option("--contract", type=_FILE, metavar="FILE", help="what was agreed (TOML): zone, increments, fees, rounding, period, thresholds")
@click.option("--rates", type=_FILE, metavar="FILE", multiple=True, help="a rate deck of the contract (CSV, XLSX); repeat it for several")
@click.option("--for", "name", metavar="NAME", help="the customer in the inventory: its accounts, its contract, the name of the case")
@click.option("--account", metavar="A", help="the customer's account in a local export that holds all (对账账户)")
@click.option("--outages", type=_FILE, metavar="FILE", help="start,end,node in UTC; what the agent measured here when left out")
@click.option("--invoice", metavar="TOTAL", help="the total that the customer was invoiced; or local=A,customer=B")
@click.option("--columns", metavar="SIDE.FIELD=HEADER", multiple=True, help="what a column is: customer.duration=时长; repeat it")
@click.option("--more-local", type=_PATH, metavar="FILE", multiple=True, help="another file of our bill")
@click.option("--more-customer", type=_PATH, metavar="FILE", multiple=True, help="another file of the customer's bill")
@click.option("--inspect", is_flag=True, help="show what the files are and how they are read, and stop")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="write workbook, report, statement, pairs and JSON there"
)
@click.option("--mask", is_flag=True, help="mask numbers in the statement that goes to the customer")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--memory", metavar="SIZE", default="1GiB", show_default=True, help="what the rows may take; more is kept on disk")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="processes that work at once")
@click.option("--scheduler", metavar="ADDRESS", help="a Dask scheduler (tls://…) whose workers do the work")
@click.option("--open", "opens", is_flag=True, help="make a difference a case")
@click.option("--config", "config_file", help="configuration whose inventory and outages are used")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer and of what is written")
def audit(local: Path, customer: Path | None, form: str, language: str | None, **given: Any) -> None:
    """Lay our bill LOCAL (本地账单) against the bill CUSTOMER (客户账单): files, archives or folders.

    \b
    firstline audit local-2026-10.csv 客户账单-10月.xlsx
    firstline audit local.csv theirs.csv --contract harbour.toml --rates deck-10.csv --out audit/
    firstline audit local.csv theirs.csv --inspect
    firstline audit all-customers.csv theirs.csv --account harbour --for "Harbour Logistics" --open

    Exit code: 0 the bills agree, 1 they differ, 2 a file can't be used.
    """
    from probe.agent.actions.audit import AuditProblem, Surroundings

    context = click.get_current_context()
    try:
        if given.pop("inspect"):
            context.exit(_inspect(local, customer, form, language, given))
        if customer is None:
            raise click.UsageError("which bill of the customer? firstline audit LOCAL CUSTOMER (--inspect looks at one alone)")
        context.exit(_audit(local, customer, form, language, given))
    except AuditProblem as why:
        click.echo(f"Error: {why}", err=True)
        context.exit(FAILED if isinstance(why, Surroundings) else UNUSABLE)


def _inspect(local: Path, customer: Path | None, form: str, language: str | None, given: dict[str, Any]) -> int:
    from probe.agent.actions.audit import Request, inspected
    from reports.locale.text import texts

    said = texts(language)
    theirs = (customer, *given["more_customer"]) if customer is not None else ()
    seen = inspected(Request((local, *given["more_local"]), theirs, columns=given["columns"]), said)
    if form == "json":
        from reports.render.json import pretty

        click.echo(pretty(seen), nl=False)
        return AGREES
    from reports.audit.inspection import inspect_screen

    terminal = sys.stdout.isatty()
    click.echo(inspect_screen(seen, said, shutil.get_terminal_size().columns if terminal else COLUMNS, terminal), nl=False)
    return AGREES


def _audit(local: Path, customer: Path, form: str, language: str | None, given: dict[str, Any]) -> int:
    from probe.agent.actions.audit import Request, audited, opened, written
    from reports.audit.opening import evidence
    from reports.audit.screen import audit_screen, differs
    from reports.locale.text import texts

    said = texts(language)
    opens, out, mask = given.pop("opens"), given["out"], given.pop("mask")
    more = [tuple(given.pop(name)) for name in ("more_local", "more_customer")]
    request = Request((local, *more[0]), (customer, *more[1]), **given)
    began = time.monotonic()
    with _progress(said) as progress, audited(request, said, progress) as result:
        progress.done()
        files = written(result, out, said, mask) if out is not None else ()
        if form == "json":
            from reports.audit.facts import audit_json

            click.echo(audit_json(result.audit, said, files), nl=False)
        else:
            terminal = sys.stdout.isatty()
            columns = shutil.get_terminal_size().columns if terminal else COLUMNS
            took = said.text("audit.took", seconds=time.monotonic() - began)
            click.echo(audit_screen(result.audit, said, columns, terminal, files, took), nl=False)
        if opens:
            number = opened(evidence(result.audit), request.name or result.audit.customer_name, request.config_file)
            click.echo(said.text("audit.opened", number=number) if number else said.text("audit.not-opened"), err=True)
        return DIFFERS if differs(result.audit) else AGREES


@contextmanager
def _progress(said: Any) -> Iterator["_Line"]:
    """Give what draws one line on a terminal's stderr, and wipes it at the end; on anything else it stays silent."""
    line = _Line(said, sys.stderr.isatty())
    try:
        yield line
    finally:
        line.done()


class _Line:
    """How far the audit is, drawn over and over; at most ten times a second."""

    def __init__(self, said: Any, shown: bool) -> None:
        self._said, self._shown = said, shown
        self._at = 0.0

    def __call__(self, now: Any) -> None:
        if not self._shown or time.monotonic() - self._at < REDRAW_S:
            return
        self._at = time.monotonic()
        phase = self._said.text(f"audit.phase.{now.phase}", bill=self._said.word("audit.bill", now.bill or ""))
        rest = "" if now.left_s is None else self._said.text("audit.left", left=now.left_s)
        rate = "" if now.rate is None else self._said.text("audit.rate", rate=f"{now.rate:,.0f}")
        words = f" {phase}  {now.rows:,}  {now.share:.0%}  {rate}  {rest}"
        click.echo(f"\r{words[: shutil.get_terminal_size().columns - 1]}\x1b[K", err=True, nl=False)

    def done(self) -> None:
        """Wipe the line."""
        if self._shown and self._at:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._at = 0.0
