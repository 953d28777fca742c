"""`firstline case verify N`: are the symptoms of a case gone (效果验证)?"""

from collections.abc import AsyncIterator
from typing import Any

import click


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
@click.option("--config", "config_file", help="configuration file")
def verify(number: int, form: str, language: str | None, config_file: str | None) -> None:
    """Measure again what a case stands on, from here, now: is the symptom gone? If not, the flow goes on. It is noted in the case.

    Exit code: 0 gone, 1 still there, 2 not all of it could be measured.

    \b
    firstline case verify 12
    """
    import asyncio

    from probe.agent.actions.diagnose import Wrong
    from probe.agent.client import ServiceProblem
    from probe.agent.settings.load import SettingsError
    from reports.diagnosis import verified_code

    try:
        told = asyncio.run(_follow(number, config_file, form, language))
    except BrokenPipeError:  # who read what is shown has gone
        raise
    except (Wrong, ServiceProblem, OSError) as why:
        raise click.ClickException(str(why)) from why
    except SettingsError as why:
        raise click.ClickException("\n".join(map(str, why.problems))) from why
    click.get_current_context().exit(verified_code(told))


async def _follow(number: int, config: str | None, form: str, language: str | None) -> Any:
    from probe.agent.cli.diagnose import Shown, similar
    from probe.agent.client import ServiceProblem
    from reports.diagnosis import Conclusion, Problem, Verified

    shown, verified = Shown(form, language), None
    async for line in _lines(number, config):
        if isinstance(line, Problem):
            raise ServiceProblem(line.text)
        if isinstance(line, Verified):
            verified = line
            shown.verified(line)
        elif isinstance(line, Conclusion):
            shown.conclude(line, similar(line, config))
        else:
            shown.step(line)
    if verified is None:
        raise ServiceProblem("the service ended before the verification did; try again")
    return verified


async def _lines(number: int, config: str | None) -> AsyncIterator[Any]:
    import msgspec

    from probe.agent.client import NoService, stream
    from reports.diagnosis import Line

    try:
        answer = stream("POST", f"/v1/cases/{number}/verify", None, config)
    except NoService:
        from probe.agent.actions.alone import verified

        async for line in verified(number, config):
            yield line
        return
    for told in answer:
        yield msgspec.json.decode(told, type=Line)
