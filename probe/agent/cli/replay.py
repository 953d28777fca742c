"""`firstline replay FILE`: what the service would have said of recorded observations, and when."""

import shutil
import sys
from datetime import datetime
from typing import Any

import click

MOST_TOLD = 100_000  # of --format json, which is one document


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
def replay(file: str, form: str, language: str | None) -> None:
    """Play recorded observations through judgement and diagnosis; exit 1 when they lead to a diagnosis, 0 when to none.

    FILE is a recording of the service ([agent] recording), packed with gzip or not, or what `case explain N --evidence` printed; - is
    standard input. Nothing is measured, no service and no store is needed.

    \b
    firstline replay recording.jsonl
    cat recording.jsonl.1 recording.jsonl | firstline replay -
    firstline case explain 12 --evidence | firstline replay - --format json
    """
    from probe.agent.actions.replay import ReplayProblem, Run
    from reports.locale.text import texts

    said = texts(language)
    run = Run(file)
    try:
        any_told = _as_json(run, said) if form == "json" else _as_text(run, said)
    except ReplayProblem as why:
        raise click.ClickException(str(why)) from why
    click.get_current_context().exit(1 if any_told else 0)


def _as_text(run: Any, said: Any) -> bool:
    from probe.agent.cli.timeline import day_line, told_line

    colour, columns = sys.stdout.isatty(), shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    day: datetime | None = None
    any_told = warned = False
    before: dict[tuple[str, str, str], Any] = {}  # by kind, cause and element
    for told in run:
        if not run.same_rules and not warned:
            warned = _warn(run, said)
        if day is None or told.at.astimezone().date() != day.date():
            day = told.at.astimezone()
            click.echo(day_line(day))
        name = (told.diagnosis.kind, told.diagnosis.cause, told.diagnosis.element)
        click.echo(told_line(told, said, colour, columns, before.get(name)))
        before[name] = told.diagnosis
        any_told = True
    if not run.same_rules and not warned:
        _warn(run, said)
    if run.torn is not None:
        click.echo(said.text("replay.torn", place=run.torn), err=True)
    if any_told:
        click.echo(said.text("replay.done", n=run.replay.readings))
    else:
        click.echo(said.text("replay.nothing", n=run.replay.readings))
    return any_told


def _warn(run: Any, said: Any) -> bool:
    click.echo(said.text("replay.other-rules", rules=run.rules), err=True)
    return True


def _as_json(run: Any, said: Any) -> bool:
    from probe.agent.cli.timeline import told_data
    from reports.render.json import pretty

    told: list[dict[str, Any]] = []
    left_out = 0
    for one in run:
        if len(told) < MOST_TOLD:
            told.append(told_data(one, said))
        else:
            left_out += 1
    head = {"readings": run.replay.readings, "rules": run.rules, "same_rules": run.same_rules, "torn": run.torn}
    click.echo(pretty({**head, "told": told, "left_out": left_out}), nl=False)
    return bool(told)
