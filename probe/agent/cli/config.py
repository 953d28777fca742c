"""`firstline config`: check, show, schema and draft of the configuration. Exit code 0, 1 with problems, 3 for wrong usage."""

from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from probe.agent.settings.problem import Problem

FILE_HELP = "the file; without it $FIRSTLINE_CONFIG, ./firstline.toml or /etc/firstline/firstline.toml"
file_option = click.option("--config", "file", metavar="FILE", type=click.Path(), help=FILE_HELP)


@click.group()
def config() -> None:
    """Check, show or draft the configuration."""


@config.command()
@file_option
@click.option("--resolve", is_flag=True, help="look up the names of all nodes too; this asks the resolver")
def check(file: str | None, resolve: bool) -> None:
    """Read all files and secrets and list every problem; nothing is started, no packet is sent."""
    from probe.agent.settings.load import read_settings
    from probe.agent.settings.resolve import look_up

    settings, problems = read_settings(file, every_secret=True, look=look_up if resolve else None)
    if problems:
        _refuse(problems)
    if settings.file is None:
        click.echo("no configuration: the service measures what it finds on this host (firstline config draft writes it down)")
        return
    inventory = settings.inventory
    files = f" and {len(settings.files) - 1} inventory files" if len(settings.files) > 1 else ""
    counts = f"{len(inventory.nodes)} nodes, {len(inventory.links)} links, {len(settings.jobs)} checks, {len(settings.feeds)} feeds"
    click.echo(f"{settings.file}{files}: good; {counts}")


@config.command()
@file_option
def show(file: str | None) -> None:
    """Print the settings in force as TOML, defaults and standard levels written out, secrets as "(set)"."""
    from probe.agent.settings.load import read_settings
    from probe.agent.settings.show import show_settings

    settings, problems = read_settings(file, secrets=False)
    if problems:
        _refuse(problems)
    click.echo(show_settings(settings), nl=False)


@config.command()
def schema() -> None:
    """Print a JSON Schema of the file, for editors (taplo: `#:schema ./firstline.schema.json`)."""
    import json

    from probe.agent.settings.schema import make_schema

    click.echo(json.dumps(make_schema(), indent=2, ensure_ascii=False))


@config.command()
@click.option("--from", "nodes", metavar="CSV", type=click.Path(), help="a CSV file with a node a line; its header names the columns")
@click.option("--name", metavar="NAME", help="name of the agent; this host's when left out")
def draft(nodes: str | None, name: str | None) -> None:
    """Propose a configuration from what this host knows of its network; print it, write nothing."""
    from probe.agent.draft import draft as make_draft
    from probe.agent.draft import read_nodes
    from probe.agent.settings.load import no_file
    from probe.agent.settings.problem import SettingsError

    try:
        listed = read_nodes(nodes) if nodes else []
    except SettingsError as why:
        _refuse(list(why.problems))
    click.echo(make_draft(no_file(name), nodes=listed), nl=False)


def _refuse(problems: "list[Problem]") -> NoReturn:
    from probe.agent.settings.problem import summary

    for problem in problems:
        click.echo(f" {problem}", err=True)
    click.echo(f" {summary(tuple(problems))}", err=True)
    click.get_current_context().exit(1)
