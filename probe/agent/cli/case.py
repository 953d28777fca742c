"""`firstline case`: what is or was wrong."""

import shutil
import sys
from typing import Any

import click

from probe.agent.cli.verify import verify

LANGUAGE = click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
STORE = click.option("--state-dir", help="read this store, not the service's")
CONFIG = click.option("--config", "config_file", help="configuration file")


@click.group()
def case() -> None:
    """What is or was wrong: list, show, explain, verify."""


@case.command("list")
@click.option("--all", "everything", is_flag=True, help="also those that are over")
@FORMAT
@LANGUAGE
@CONFIG
@STORE
def list_cases(everything: bool, form: str, language: str | None, config_file: str | None, state_dir: str | None) -> None:
    """List the cases, the most urgent first.

    \b
    firstline case list
    firstline case list --all --format json
    """
    from probe.agent.actions.desk import Desk, now
    from reports.locale.text import texts

    said = texts(language)
    cases = _shown(lambda: Desk(config_file, state_dir).cases(everything))
    if form == "json":
        from reports.render.json import cases_json

        click.echo(cases_json(cases, said), nl=False)
        return
    from reports.render.cases import case_table

    click.echo(case_table(cases, said, now(), sys.stdout.isatty(), _columns()), nl=False)


@case.command()
@click.argument("number", type=click.IntRange(min=1))
@FORMAT
@LANGUAGE
@CONFIG
@STORE
def show(number: int, form: str, language: str | None, config_file: str | None, state_dir: str | None) -> None:
    """Show one case: what is broken, whose side, since when, by which readings, what to do, what happened.

    \b
    firstline case show 12
    """
    from probe.agent.actions.desk import Desk, DeskProblem, explained, now
    from reports.locale.text import texts

    said = texts(language)
    desk = Desk(config_file, state_dir)
    one, events = _shown(lambda: desk.case(number))
    parts, complaints = _shown(lambda: (desk.parts(number), desk.complaints(number)))
    if form == "json":
        from reports.render.json import case_data, complaint_data, pretty

        more = {"parts": [part.id for part in parts], "complaints": [complaint_data(told) for told in complaints]}
        click.echo(pretty({**case_data(one, said), **more}), nl=False)
        return
    from reports.render.cases import case_page

    try:
        _, explanation = explained(desk.proof(number))
        derived = explanation.derived
    except DeskProblem:
        derived = None
    findings, ruled_out = (derived.findings, derived.ruled_out) if derived is not None else ((), ())
    story = _shown(lambda: desk.story(events, parts))
    page = case_page(one, said, now(), findings, ruled_out, (), story, complaints, sys.stdout.isatty(), _columns())
    click.echo(page, nl=False)


@case.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--from", "file", type=click.File("rb"), help="explain the evidence in this file (as --evidence prints it)")
@click.option("--evidence", is_flag=True, help="print what the verdict stands on, as JSON")
@FORMAT
@LANGUAGE
@CONFIG
@STORE
def explain(
    number: int | None, file: Any, evidence: bool, form: str, language: str | None, config_file: str | None, state_dir: str | None
) -> None:
    """Derive the verdict of a case again from its evidence alone; exit 1 when it comes out differently. Of bills: show their audit.

    \b
    firstline case explain 12
    firstline case explain 12 --evidence > evidence.json
    firstline case explain --from evidence.json     after changing a reading
    """
    from probe.agent.actions.desk import Desk, audited, explained
    from reports.locale.text import texts

    if (number is None) == (file is None):
        raise click.UsageError("name a case, or a file with --from")
    text = file.read() if file is not None else _shown(lambda: Desk(config_file, state_dir).proof(number or 0))
    if evidence:
        from msgspec import json

        click.echo(json.format(text, indent=1).decode())
        return
    said = texts(language)
    audit = audited(text)
    if audit is not None:  # of bills nothing is derived: both files would be needed; what was found is shown as it was
        _show_audit(audit, said, form)
        return
    proof, explanation = _shown(lambda: explained(text))
    if form == "json":
        from reports.render.json import pretty

        found = {"same": explanation.same, "same_rules": explanation.same_rules, "verdict": proof.verdict, "derived": explanation.derived}
        click.echo(pretty({**found, "others": explanation.others}), nl=False)
    else:
        from probe.agent.cli.explanation import explanation_text

        click.echo(explanation_text(proof, explanation, said, sys.stdout.isatty(), _columns()), nl=False)
    click.get_current_context().exit(0 if explanation.same else 1)


case.add_command(verify)


def _show_audit(audit: Any, said: Any, form: str) -> None:
    if form == "json":
        from reports.audit.facts import audit_json

        click.echo(audit_json(audit, said), nl=False)
        return
    from reports.audit.screen import audit_screen

    click.echo(audit_screen(audit, said, _columns(), sys.stdout.isatty()), nl=False)


def _shown(read: Any) -> Any:
    from probe.agent.actions.desk import DeskProblem

    try:
        return read()
    except DeskProblem as why:
        raise click.ClickException(str(why)) from why


def _columns() -> int:
    return shutil.get_terminal_size().columns
