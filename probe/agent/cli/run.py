"""`firstline run`: the service."""

import logging
import os
import sys

import click

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"


@click.command()
@click.option("--config", "config_file", help="[default: $FIRSTLINE_CONFIG, ./firstline.toml, /etc/firstline/firstline.toml]")
@click.option("--state-dir", help="the store [default: as configured, $STATE_DIRECTORY, /var/lib/firstline, ~/.local/state/firstline]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True)
def run(config_file: str | None, state_dir: str | None, log_level: str) -> None:
    """Start the service in the foreground; without a configuration it finds this host and its surroundings and measures them.

    \b
    firstline run
    firstline run --config /etc/firstline/firstline.toml

    SIGHUP reloads the configuration, SIGTERM stops within 5 seconds.
    """
    import asyncio

    from probe.agent.places import state_folder
    from probe.agent.service import Service
    from probe.agent.settings.load import load
    from probe.agent.settings.problem import SettingsError
    from probe.agent.settings.secret import SecretError
    from reports.store.errors import StoreError

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.basicConfig(level=log_level.upper(), format=_format(), stream=sys.stderr)
    try:
        settings = load(config_file)
    except SettingsError as why:
        from probe.agent.settings.problem import summary

        for problem in why.problems:
            click.echo(f" {problem}", err=True)
        click.echo(f" {summary(why.problems)}", err=True)
        click.get_current_context().exit(1)
    try:
        code = asyncio.Runner().run(Service(config_file, state_folder(settings, state_dir), settings).run())
    except (StoreError, SecretError, OSError, ValueError) as why:
        raise click.ClickException(str(why)) from why
    logging.shutdown()
    # What was accepted is on disk and the store is closed: a thread that still waits for a mail server or a dead mount must not hold up
    # the end, as leaving in the ordinary way would.
    os._exit(code)


def _format() -> str:
    """Return the line's form: the journal stamps lines itself, a terminal does not."""
    return "%(asctime)s " + LOG_FORMAT if sys.stderr.isatty() else LOG_FORMAT
