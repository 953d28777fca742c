"""`firstline demo`: an operator simulated on this machine."""

import click


@click.command()
@click.option("--for", "lasts", default="5m", show_default=True, metavar="TIME", help="how long it lasts: 90s, 5m, 1h")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of what is shown")
def demo(lasts: str, language: str | None) -> None:
    """Simulate a telephone operator on this machine, break it on a timetable, and show the cases as they come.

    \b
    firstline demo
    firstline demo --for 1h --language zh

    It needs no right, no program and no configuration, and touches nothing but itself. Ctrl-C ends it; nothing of it is left.
    """
    import signal

    from probe.agent.demo.screen import DemoProblem, Screen
    from probe.agent.settings.duration import read_duration
    from reports.locale.text import texts

    lasts_s = read_duration(lasts)
    if not lasts_s:
        raise click.BadParameter(f'"{lasts}" is not a time; write 90s, 5m or 1h', param_hint="--for")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # the end of the terminal, or of the session, is as Ctrl-C
    try:
        Screen(texts(language), lasts_s).run()
    except BrokenPipeError:  # who read what is shown has gone
        raise
    except (DemoProblem, OSError) as why:
        raise click.ClickException(str(why)) from why
