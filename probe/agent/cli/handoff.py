"""`firstline handoff LINK`: the sheet that a carrier's desk asks for when a line is reported."""

import asyncio
import shutil
import sys
from pathlib import Path

import click


@click.command()
@click.argument("link")
@click.option("--to", "to", metavar="NODE", help="node beyond the line to which the path is traced; the line's far end when left out")
@click.option("--format", "form", type=click.Choice(["text", "html"]), default="text", show_default=True)
@click.option("--out", "out", type=click.Path(dir_okay=False, path_type=Path), help="file to write instead of the terminal")
@click.option("--config", "config_file", help="configuration whose inventory names LINK")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the sheet")
def handoff(link: str, to: str | None, form: str, out: Path | None, config_file: str | None, language: str | None) -> None:
    """Measure both ends of LINK and the path over it now, and write the hand-off sheet for its carrier (报修).

    LINK is a name of the inventory or a circuit number.

    \b
    firstline handoff edge-pop
    firstline handoff CT-88213 --to carrier-dc --format html --out CT-88213.html --language zh
    """
    from probe.agent.actions.desk import Desk, DeskProblem, now
    from probe.agent.actions.handoff import HandoffProblem
    from probe.agent.actions.handoff import handoff as measured
    from probe.agent.settings.load import SettingsError, load
    from reports.locale.text import texts

    try:
        settings = load(config_file)
    except SettingsError as why:
        raise click.ClickException("\n".join(map(str, why.problems))) from why
    try:
        cases = Desk(config_file).cases(False)
    except DeskProblem:  # no service and no store yet: the sheet is without our case
        cases = []
    if sys.stderr.isatty():
        click.echo(f"measuring both ends of {link} and the path …", err=True)
    try:
        sheet = asyncio.run(measured(settings, link, to, cases, now))
    except HandoffProblem as why:
        raise click.ClickException(str(why)) from why
    said = texts(language)
    if form == "html":
        from reports.render.handoff_html import handoff_html

        text = handoff_html(sheet, said)
    else:
        from reports.render.handoff import handoff_text

        terminal = out is None and sys.stdout.isatty()
        text = handoff_text(sheet, said, terminal, shutil.get_terminal_size().columns if terminal else 100)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as why:
        raise click.ClickException(f"{out}: {why.strerror}") from why
    click.echo(f"written to {out}", err=True)
