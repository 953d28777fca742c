"""`firstline diagnose`: the written flow of a complaint, carried out now."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

SYMPTOMS = ("no-calls", "some-calls", "one-way-audio", "echo", "drops", "bad-quality", "cant-register", "slow", "wrong-number")
SIMILAR = 3  # cases shown
CLEAR = "\r\x1b[K"


def _names(what: str) -> Callable[..., list[str]]:
    """Return a completion of names of the inventory; without a usable configuration there are none."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
        from probe.agent.actions.diagnose import known_customers
        from probe.agent.settings.load import SettingsError, load

        with suppress(SettingsError, OSError):
            inventory = load(ctx.params.get("config_file"), secrets=False).inventory
            names = known_customers(inventory) if what == "customer" else sorted(inventory.nodes)
            return [name for name in names if name.lower().startswith(incomplete.lower())]
        return []

    return complete


def _symptoms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    return [word for word in SYMPTOMS if word.startswith(incomplete)]


@click.command(
    epilog="""Examples:

\b
firstline diagnose network
firstline diagnose network --customer "Harbour Logistics" --symptom no-calls
firstline diagnose network --customer 港湾物流 --symptom 单通 --language zh
firstline diagnose network --number +862155500123 --symptom drops-after-30 --since 09:30
firstline diagnose equipment --node gw-harbour --symptom cant-register --open

Symptoms: no-calls, some-calls, one-way-audio, echo, drops (drops-after-30), bad-quality, cant-register, slow, wrong-number;
the Chinese words too (打不通, 单通, 回音, 掉线, 音质差, 注册不上 …).
"""
)
@click.argument("kind", type=click.Choice(["network", "equipment"]))
@click.option("--customer", metavar="NAME", shell_complete=_names("customer"), help="who complains; a name of the inventory")
@click.option("--node", metavar="NAME", shell_complete=_names("node"), help="what it is about; a node of the inventory")
@click.option("--number", metavar="E164", help="the number concerned; says whose it is, too")
@click.option(
    "--symptom", "symptoms", multiple=True, metavar="WORD", shell_complete=_symptoms, help="in the users' words; repeat it for several"
)
@click.option("--since", metavar="TIME", help="since when, as the customer says: 09:30, 2026-10-20T09:30, 2h")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--open", "opened", is_flag=True, help="open its case, or let the complaint join the case that explains it")
@click.option("--config", "config_file", help="configuration file")
@click.option("--language", type=click.Choice(["en", "zh"]), help="language of the answer")
def diagnose(
    kind: str,
    customer: str | None,
    node: str | None,
    number: str | None,
    symptoms: tuple[str, ...],
    since: str | None,
    form: str,
    opened: bool,
    config_file: str | None,
    language: str | None,
) -> None:
    """Look into a complaint now: our own side, the carrier, then the customer's line, router and gateway.

    Exit code: 0 no fault, 1 a verdict, 2 undetermined.
    """
    import asyncio

    import msgspec

    from checks.verdict import CaseKind
    from probe.agent.actions.diagnose import Wrong, read_symptoms
    from probe.agent.client import ServiceProblem
    from probe.agent.settings.load import SettingsError
    from reports.diagnosis import Request, exit_code

    asked = Request(CaseKind(kind), customer, node, number, symptoms, _time(since), opened)
    try:
        asked = msgspec.structs.replace(asked, symptoms=tuple(one.word for one in read_symptoms(asked)))
        conclusion = asyncio.run(_follow(asked, config_file, form, language))
    except (Wrong, ServiceProblem) as why:
        raise click.ClickException(str(why)) from why
    except SettingsError as why:
        raise click.ClickException("\n".join(map(str, why.problems))) from why
    click.get_current_context().exit(exit_code(conclusion))


def _time(text: str | None) -> datetime | None:
    """Return the moment that "09:30", a date with a time, or "2h" (ago) means, in this machine's zone."""
    if text is None:
        return None
    from datetime import time, timedelta

    from probe.agent.settings.duration import read_duration

    now = datetime.now(UTC)
    ago_s = read_duration(text)
    if ago_s is not None:
        return now - timedelta(seconds=ago_s)
    try:
        if len(text) <= 8 and ":" in text:
            at = datetime.combine(now.astimezone().date(), time.fromisoformat(text)).astimezone()
            return at if at <= now else at - timedelta(days=1)
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else at.astimezone()
    except ValueError:
        raise click.BadParameter(f'"{text}" is no time; write 09:30, 2026-10-20T09:30 or 2h', param_hint="--since") from None


async def _follow(asked: Any, config: str | None, form: str, language: str | None) -> Any:
    """Show the steps as they happen; return the conclusion."""
    from probe.agent.client import ServiceProblem
    from reports.diagnosis import Conclusion, Problem

    shown = Shown(form, language)
    shown.title(asked)
    conclusion = None
    async for line in _lines(asked, config):
        if isinstance(line, Problem):
            raise ServiceProblem(line.text)
        if isinstance(line, Conclusion):
            conclusion = line
        else:
            shown.step(line)
    if conclusion is None:
        raise ServiceProblem("the service ended before the diagnosis did; try again")
    shown.conclude(conclusion, similar(conclusion, config))
    return conclusion


async def _lines(asked: Any, config: str | None) -> AsyncIterator[Any]:
    """Yield what the service that runs here tells, else what this process finds by itself."""
    import msgspec

    from probe.agent.client import NoService, stream
    from reports.diagnosis import Line

    try:
        answer = stream("POST", "/v1/diagnose", msgspec.json.encode(asked), config)
    except NoService:
        from probe.agent.actions.alone import looked_into

        async for line in looked_into(asked, config):
            yield line
        return
    for told in answer:
        yield msgspec.json.decode(told, type=Line)


def similar(told: Any, config: str | None) -> list[Any]:
    """Return the most similar cases that are over: of the same cause, those at the same element first, the newest first."""
    from probe.agent.actions.desk import Desk, DeskProblem

    one = told.diagnosis
    if one is None:
        return []
    try:
        cases = Desk(config).cases(True)
    except DeskProblem:
        return []
    alike = [case for case in cases if case.kind is one.kind and case.cause == one.cause and case.cleared_at is not None]
    return sorted(alike, key=lambda case: (case.element != one.element, -case.id))[:SIMILAR]


class Shown:
    """Prints: on a terminal the step under way is shown and written over, in a pipe only what has ended, as JSON only the end."""

    def __init__(self, form: str, language: str | None) -> None:
        from reports.locale.text import texts

        self._json = form == "json"
        self._steps: list[Any] = []
        self._silent = False
        self._texts = texts(language)
        self._terminal = sys.stdout.isatty()
        self._columns = shutil.get_terminal_size().columns if self._terminal else 120

    def title(self, asked: Any) -> None:
        """Print whose complaint it is."""
        from reports.render.diagnosis import title_text

        if not self._json:
            click.echo(title_text(asked, self._texts, self._columns))

    def step(self, line: Any) -> None:
        """Print a step that began or ended."""
        from reports.diagnosis import Begun
        from reports.render.diagnosis import begun_line, step_line

        if not isinstance(line, Begun):
            self._steps.append(line)
        if self._json:
            return
        if isinstance(line, Begun):
            if self._terminal:
                click.echo(begun_line(line, self._texts), nl=False)
            return
        text = step_line(line, self._texts, self._terminal, self._columns)
        click.echo((CLEAR if self._terminal else "") + text.rstrip())

    def verified(self, told: Any) -> None:
        """Print what came of a verification; as JSON that is all."""
        from reports.render.diagnosis import verified_text

        if self._json:
            from reports.render.diagnosis_json import verified_json

            click.echo(verified_json(told, self._texts), nl=False)
            self._silent = True
            return
        click.echo(verified_text(told, self._texts, self._terminal, self._columns), nl=False)

    def conclude(self, told: Any, similar: list[Any]) -> None:
        """Print the closing block, or everything as JSON."""
        if self._silent:
            return
        if self._json:
            from reports.render.diagnosis_json import diagnosis_json

            click.echo(diagnosis_json(self._steps, told, similar, self._texts), nl=False)
            return
        from reports.render.diagnosis import conclusion_text

        click.echo(conclusion_text(told, similar, self._texts, self._terminal, self._columns), nl=False)
