"""The command line: one command a file, imported when it is used."""

import gc
import os
import sys
from importlib import import_module

import click

COMMANDS = {
    "audit": "probe.agent.cli.audit:audit",
    "case": "probe.agent.cli.case:case",
    "check": "probe.agent.cli.check:check",
    "checks": "probe.agent.cli.checks:checks",
    "config": "probe.agent.cli.config:config",
    "diagnose": "probe.agent.cli.diagnose:diagnose",
    "demo": "probe.agent.cli.demo:demo",
    "doctor": "probe.agent.cli.doctor:doctor",
    "handoff": "probe.agent.cli.handoff:handoff",
    "maintenance": "probe.agent.cli.maintenance:maintenance",
    "replay": "probe.agent.cli.replay:replay",
    "run": "probe.agent.cli.run:run",
    "status": "probe.agent.cli.status:status",
}
SHORT_HELP = {
    "audit": "Lay two bills against each other: why they differ, whose it is, what it is worth.",
    "case": "What is or was wrong: list, show, explain, verify.",
    "check": "Measure one thing now and judge it.",
    "checks": "List every check: what it asks, levels, units, sources.",
    "config": "Check, show or draft the configuration.",
    "diagnose": "Look into a complaint now: whose side, which cause, what to do.",
    "demo": "Simulate an operator on this machine, break it, and show the cases.",
    "doctor": "Examine this installation and say what to mend.",
    "handoff": "Write the sheet that a carrier's desk asks for.",
    "maintenance": "Announce work on a node, so that nobody is woken.",
    "replay": "Play recorded observations: what would have been said, and when.",
    "run": "Start the service.",
    "status": "One screen: what is wrong now.",
}
USAGE_ERROR = 3
FEW_COLLECTIONS = 50_000  # while modules are imported there is no garbage; with the freeze at the end 15 of a check's 110 ms
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are called, so that a check starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order shown."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the command that may have been meant, when there is none of this name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from probe.agent.cli.near import unknown

            raise unknown("command", args[0], COMMANDS, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SHORT_HELP[name]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="firstline", message="%(prog)s %(version)s")
def firstline() -> None:
    """Measure servers, network and devices; find the cause and whose side it is on.

    \b
    firstline check icmp 192.0.2.1        is it there?
    firstline demo                        watch it at work on a simulated operator
    firstline run                         the service, no configuration needed
    firstline status                      what is wrong now
    firstline diagnose network            a complaint: whose side, which cause, what to do
    firstline audit ours.csv theirs.xlsx  where two bills differ, and why
    """


def main() -> None:
    """Run the command line; every failure is one message on stderr (what, where, cure), never a traceback."""
    gc.set_threshold(FEW_COLLECTIONS)
    try:
        code = firstline.main(prog_name="firstline", standalone_mode=False)
    except click.ClickException as why:
        why.show()
        code = USAGE_ERROR
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit):  # not standalone, click exits by itself only when the reader has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say
        code = 0
    except Exception as why:
        if os.environ.get("FIRSTLINE_DEBUG"):
            raise
        click.echo(f"firstline: internal error: {type(why).__name__}: {why}\nFIRSTLINE_DEBUG=1 shows where; please report it.", err=True)
        code = USAGE_ERROR
    gc.freeze()  # else the end of the program looks through all modules once more
    sys.exit(code if isinstance(code, int) else 0)
