"""`firstline checks`: every check, its levels and their sources."""

import shutil

import click

from probe.probers.catalogue import PROBERS


@click.command()
@click.argument("prober", required=False, type=click.Choice(sorted(PROBERS)), metavar="[PROBER]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
def checks(prober: str | None, form: str, language: str | None) -> None:
    """List every check: what it asks, its levels, their unit and source.

    \b
    firstline checks
    firstline checks icmp
    """
    from checks import catalogue
    from reports.locale.text import texts

    said = texts(language)
    names = [prober] if prober else sorted(catalogue.JUDGES)
    found = [(name, check) for name in names for check in catalogue.load(name).CHECKS]
    if form == "json":
        from reports.render.json import levels_data, pretty

        rows = []
        for name, one in found:
            levels = levels_data(one.levels) if one.levels else None
            rows.append({"prober": name, "check": one.name, "about": said.text(f"about.{one.name}"), "levels": levels})
        click.echo(pretty(rows), nl=False)
        return
    from reports.render.columns import wrap
    from reports.render.findings import limit_text

    columns = shutil.get_terminal_size().columns
    for name, one in found:
        click.echo(f"{one.name}" + (f"  ({name})" if not one.name.startswith(name) else ""))
        lines = [said.text(f"about.{one.name}"), *([limit_text(one.levels, said), one.levels.source] if one.levels else [])]
        for line in lines:
            for part in wrap(line, max(20, columns - 4)):
                click.echo(f"    {part}")
