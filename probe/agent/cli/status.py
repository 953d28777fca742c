"""`firstline status`: one screen of what is wrong now."""

import shutil
import sys

import click


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
@click.option("--config", "config_file", help="configuration file of the service")
def status(form: str, language: str | None, config_file: str | None) -> None:
    """One screen: what is wrong now, what is not seen, what does not get out. Exit 0 without a case, 1 with one.

    \b
    firstline status
    watch -n 5 firstline status
    """
    from probe.agent.actions.desk import Desk, DeskProblem
    from reports.locale.text import texts

    said = texts(language)
    try:
        found = Desk(config_file).status()
    except DeskProblem as why:
        raise click.ClickException(str(why)) from why
    if form == "json":
        from reports.render.status import status_json

        click.echo(status_json(found, said), nl=False)
    else:
        from reports.render.status import status_text

        click.echo(status_text(found, said, sys.stdout.isatty(), shutil.get_terminal_size().columns), nl=False)
    click.get_current_context().exit(1 if found.cases else 0)
