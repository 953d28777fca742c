"""`firstline maintenance NODE 2h`: announces work, so that nobody is woken by it."""

import getpass
from typing import Any
from urllib.parse import quote

import click


@click.command()
@click.argument("node", required=False)
@click.argument("duration", required=False)
@click.option("--why", default="", help="what is being done")
@click.option("--end", is_flag=True, help="the work is over")
def maintenance(node: str | None, duration: str | None, why: str, end: bool) -> None:
    """Announce work on NODE for DURATION (30m, 2h, 1d): no new case opens there; measuring and clearing go on.

    \b
    firstline maintenance                 what is announced
    firstline maintenance edge-1 2h --why "new power supply"
    firstline maintenance edge-1 --end
    """
    from probe.agent.settings.duration import read_duration

    if node is None:
        _list()
        return
    if end:
        _ask("DELETE", f"/v1/maintenance?node={quote(node)}")
        click.echo(f"{node}: the work is over")
        return
    seconds = read_duration(duration) if duration else None
    if seconds is None:
        raise click.UsageError(f"how long? {duration!r} is not a duration such as 30m, 2h or 1d")
    kept = _ask("POST", "/v1/maintenance", {"node": node, "seconds": seconds, "why": why, "who": getpass.getuser()})
    click.echo(f"{node}: nothing new is alarmed until {kept['until']}; `firstline maintenance {node} --end` ends it")


def _list() -> None:
    works = _ask("GET", "/v1/maintenance")
    for work in works:
        click.echo(f"{work['node']}  until {work['until']}  {work['who']}  {work['why']}".rstrip())
    if not works:
        click.echo("no work is announced")


def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    from probe.agent.client import ServiceProblem, ask

    try:
        return ask(method, path, body)
    except ServiceProblem as why:
        raise click.ClickException(str(why)) from why
