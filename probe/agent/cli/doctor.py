"""`firstline doctor`: examines this installation and says what to mend."""

import sys

import click


@click.command()
@click.option("--config", "config_file", help="configuration file to examine")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
def doctor(config_file: str | None, language: str | None) -> None:
    """Examine this installation and say what to mend; exit 1 when something must be.

    \b
    firstline doctor
    firstline doctor --config /etc/firstline/firstline.toml
    """
    from checks.finding import State
    from probe.agent.actions.doctor import examine
    from reports.locale.text import texts
    from reports.render.columns import paint

    said = texts(language)
    worst = 0
    for point in examine(config_file):
        mark = "✓" if point.state is State.OK else "✗" if point.state is State.CRITICAL else "!"
        worst |= point.state is State.CRITICAL
        click.echo(f" {paint(mark, point.state, sys.stdout.isatty())} {point.name:<14} {said.say(point.message)}")
    click.get_current_context().exit(int(worst))
