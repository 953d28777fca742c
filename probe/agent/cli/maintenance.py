"""`firstline maintenance NODE 2h`: announces work, so that nobody is woken by it."""

import getpass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click


@click.command()
@click.argument("node", required=False)
@click.argument("duration", required=False)
@click.option("--why", default="", help="what is being done")
@click.option("--end", is_flag=True, help="the work is over")
@click.option("--config", "config_file", help="configuration file of the service")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
def maintenance(node: str | None, duration: str | None, why: str, end: bool, config_file: str | None, language: str | None) -> None:
    """Announce work on NODE for DURATION (30m, 2h, 1d): no new case opens there; measuring and clearing go on.

    \b
    firstline maintenance                 what is announced
    firstline maintenance edge-1 2h --why "new power supply"
    firstline maintenance edge-1 --end
    """
    from reports.locale.text import texts

    said = texts(language)
    if node is None:
        _list(said, config_file)
    elif end:
        _ask("DELETE", f"/v1/maintenance?node={quote(node)}", config_file)
        click.echo(said.text("maintenance.over", node=node))
    else:
        body = {"node": node, "seconds": _seconds(duration), "why": why, "who": getpass.getuser()}
        kept = _ask("POST", "/v1/maintenance", config_file, body)
        click.echo(said.text("maintenance.begun", node=node, until=_until(kept)))


def _seconds(duration: str | None) -> float:
    from probe.agent.settings.duration import read_duration

    if duration is None:
        raise click.UsageError("for how long? write 30m, 2h or 1d after the node, or --end when the work is over")
    seconds = read_duration(duration)
    if seconds is None:
        raise click.UsageError(f"{duration!r} is not a duration; write 30m, 2h or 1d")
    return seconds


def _list(said: Any, config: str | None) -> None:
    works = _ask("GET", "/v1/maintenance", config)
    for work in works:
        click.echo(f"{work['node']}  {_until(work)}  {work['who']}  {work['why']}".rstrip())
    if not works:
        click.echo(said.text("maintenance.none"))


def _until(work: dict[str, Any]) -> str:
    """Return when the work ends, by the reader's clock."""
    from reports.locale.figures import clock

    return clock(datetime.fromisoformat(work["until"]), datetime.now(UTC), None)


def _ask(method: str, path: str, config: str | None, body: dict[str, Any] | None = None) -> Any:
    from probe.agent.client import ServiceProblem, ask

    try:
        return ask(method, path, body, config)
    except ServiceProblem as why:
        raise click.ClickException(str(why)) from why
