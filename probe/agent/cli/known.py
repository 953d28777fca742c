"""Finds out whether a target is a name of the inventory, without loading anything when there is no configuration."""

import os
from typing import Any

import click

PLACES = ("firstline.toml", "/etc/firstline/firstline.toml")


def find(target: str, config: str | None) -> Any | None:
    """Return the settings when a configuration is there and its inventory names the target, else None."""
    named = config or os.environ.get("FIRSTLINE_CONFIG") or None
    if named is None and not any(os.path.exists(place) for place in PLACES):
        return None
    from probe.agent.settings.load import SettingsError, load

    try:
        settings = load(named)
    except SettingsError as why:
        if config is None:
            found = "1 problem" if len(why.problems) == 1 else f"{len(why.problems)} problems"
            click.echo(f"the configuration is not used: {found}; see `firstline config check`", err=True)
            return None
        raise click.ClickException("\n".join(map(str, why.problems))) from why
    return settings if target in settings.inventory.nodes else None
