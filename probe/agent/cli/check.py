"""`firstline check PROBER TARGET`: one measurement now, judged; no service and no configuration needed."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

import click

from probe.agent.cli.near import unknown
from probe.agent.cli.options import parameters
from probe.probers import catalogue

EXAMPLES = {
    "arp": ["arp 192.0.2.1", "arp 192.0.2.1 --expected 00:00:5e:00:01:01"],
    "call": ["call 192.0.2.5 --number 8888 --allowed 8888 --at-once"],
    "capture": ["capture call.pcap", "capture trunk.pcapng --call 1380013"],
    "cdr": ["cdr localhost --cdr-file Master.csv --layout asterisk --zone Asia/Shanghai"],
    "dns": ["dns 192.0.2.53 --name example.org", "dns 192.0.2.53 --name example.org --rrtype MX"],
    "gateway": ['gateway 192.168.50.10 --nat-address 203.0.113.5 --agreed "Ms Li, 1 June" --models HT814'],
    "host": ["host localhost", "host localhost --format json"],
    "http": ["http https://portal.example.org/health", "http http://192.0.2.7:8080/ --body-pattern ready"],
    "icmp": ["icmp 192.0.2.1", "icmp 2001:db8::1 --count 20", "icmp 192.0.2.1 --watch"],
    "interfaces": ["interfaces localhost --watch"],
    "mysql": ["mysql 192.0.2.9"],
    "ntp": ["ntp 192.0.2.123"],
    "path": ["path 203.0.113.10", "path 203.0.113.10 --watch", "path 203.0.113.10 --edge 10.0.0.1 --pop 10.255.0.2"],
    "pmtu": ["pmtu 203.0.113.10", "pmtu 203.0.113.10 --expected 1500"],
    "postgresql": ["postgresql 192.0.2.8:5432"],
    "registration": ["registration 192.0.2.5 --number 1001 --domain sip.example.org --password-file FILE"],
    "sip": ["sip 192.0.2.5", "sip 192.0.2.5:5061 --transport tls", "sip 192.0.2.5 --user 1001"],
    "snmp": ["snmp 192.0.2.20 --community-file FILE", "snmp 192.0.2.20 --version v3 --user watch --auth sha256 --auth-password-file FILE"],
    "sockets": ["sockets localhost"],
    "stamp": ["stamp 203.0.113.10", "stamp 203.0.113.10:862 --count 500"],
    "tcp": ["tcp 192.0.2.5:5060"],
    "tls": ["tls portal.example.org", "tls 192.0.2.5:5061 --server-name sip.example.org"],
}
ABOUT = {  # what a newcomer wants to know before any option
    "arp": "Who on this machine's own segment answers for TARGET's address: nobody, one host, or two (duplicate address).",
    "call": "Call one of the listed numbers through TARGET, a SIP server, send voice, and hear whether voice comes back.",
    "capture": "Read TARGET, a capture file (pcap, pcapng): calls, ladders, one-way voice, loss, jitter and MOS.",
    "cdr": "Follow the call records that the switch on this machine writes: ASR, NER, ACD, PDD, causes, calls at once.",
    "dns": "Ask TARGET, a name server, one question.",
    "gateway": "Test a customer's gateway, directly and through its NAT address, and hold it against the standard.",
    "host": "Look at this machine: processors, memory, disks, processes.",
    "http": "Ask TARGET, a URL, once.",
    "icmp": "Send a burst of echo requests (ping) to TARGET.",
    "interfaces": "Look at this machine's network interfaces.",
    "mysql": "Connect to TARGET, a MySQL or MariaDB server, as far as the options allow.",
    "ntp": "Ask TARGET, a time server, and compare its clock with ours.",
    "path": "Trace the way to TARGET hop by hop: where it ends, where loss and delay arise, and what changed.",
    "pmtu": "Find the largest packet that passes to TARGET, and the hop behind which larger ones disappear.",
    "postgresql": "Connect to TARGET, a PostgreSQL server, as far as the options allow.",
    "registration": "Ask TARGET, a registrar, whether a number is registered.",
    "sip": "Ask TARGET, a SIP server, by OPTIONS whether it serves.",
    "snmp": "Poll TARGET, a device, by SNMP: ports, light, sensors, power, routing, cabling, load.",
    "sockets": "Look at this machine's TCP sockets, connection tracking and ports.",
    "stamp": "Measure loss, delay and jitter each way to TARGET, where a STAMP responder (RFC 8762) runs.",
    "tcp": "Open a TCP connection to TARGET.",
    "tls": "Make a TLS handshake with TARGET and look at its certificates.",
}
FORMATS = ("text", "json", "nagios")
CLEAR_BELOW = "\x1b[J"


class _Probers(click.Group):
    """One command for each prober, made of the prober's own options."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(catalogue.PROBERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in catalogue.PROBERS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Probers"):
            formatter.write_dl([(name, ABOUT[name]) for name in sorted(catalogue.PROBERS)])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in catalogue.PROBERS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise unknown("prober", args[0], catalogue.PROBERS, ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Probers, subcommand_metavar="PROBER TARGET [OPTIONS]")
def check() -> None:
    """Measure TARGET with PROBER now and judge it.

    TARGET is a name of the inventory or an address (host:port for tcp and tls, a URL for http).
    Exit code: 0 ok, 1 warning, 2 critical, 3 unknown.
    """


def _command(prober: str) -> click.Command:
    own = parameters(catalogue.load(prober).Options, frozenset({"port", "server_name", "tls", "path", "url"}))
    taken = {param.name for param in own}
    shared = [
        click.Argument(["target"]),
        click.Option(["--format", "form"], type=click.Choice(FORMATS), default="text", help="for people (the default), programs or Nagios"),
        click.Option(["--watch"], is_flag=True, help="go on and redraw until Ctrl-C"),
        click.Option(["--every"], type=click.FloatRange(0.2, 3600), default=1.0, help="seconds between two readings of --watch [1]"),
        click.Option(["--timeout"], type=click.FloatRange(0.05, 300), help="seconds until one measurement is given up"),
        click.Option(["--config", "config_file"], help="configuration whose inventory names TARGET"),
        click.Option(["--language"], type=click.Choice(["en", "zh"]), help="language of the answer"),
    ]
    params: list[click.Parameter] = [param for param in shared if param.name not in taken]
    epilog = "Examples:\n\n\b\n" + "\n".join(f"firstline check {line}" for line in EXAMPLES[prober])
    return click.Command(prober, params=params + own, callback=_callback(prober), help=ABOUT[prober], epilog=epilog)


def _callback(prober: str) -> Any:
    def run(target: str, form: str, watch: bool, every: float, **given: Any) -> None:
        from probe.agent.actions.check import CheckProblem, by_service

        timeout, config, language = (given.pop(name, None) for name in ("timeout", "config_file", "language"))
        options = {name: value for name, value in given.items() if value not in (None, ())}
        try:
            job, limits = _job(prober, target, options, timeout, config)
            service = None if prober in catalogue.BY_HAND else by_service(prober, target, options, timeout, config)
            code = asyncio.run(_show(job, limits, service, target, form, every if watch else None, language))
        except CheckProblem as why:
            raise click.ClickException(str(why)) from why
        click.get_current_context().exit(code)

    return run


def _job(prober: str, target: str, options: dict[str, Any], timeout: float | None, config: str | None) -> tuple[Any, Any]:
    """Return the job and its limits: by the inventory when it knows the target, else by the address as typed."""
    from probe.agent.actions.check import read_job
    from probe.agent.cli.known import find

    settings = None if prober in catalogue.BY_HAND else find(target, config)
    if settings is None:
        return read_job(prober, target, options, timeout), None
    from probe.agent.actions.check import known_job

    job = known_job(settings, prober, target, options, timeout)
    return job, settings.limits.get(job.key) if job is not None else None


async def _show(job: Any, limits: Any, service: Any, target: str, form: str, every_s: float | None, language: str | None) -> int:
    from probe.agent.actions.check import check as readings
    from reports.locale.text import texts
    from reports.render.nagios import exit_code

    said, code, number = texts(language), 3, 0
    live = _Live() if every_s is not None and form == "text" and sys.stdout.isatty() else None
    async for reading in readings(job, lambda: datetime.now(UTC), limits, every_s, service):
        number += 1
        code = exit_code(reading.findings)
        text = _text(job, reading, target, form, said)
        if live:
            live.draw(job, reading, target, said)
        else:
            click.echo(text, nl=False)
    return code


def _text(job: Any, reading: Any, target: str, form: str, said: Any) -> str:
    if form == "json":
        from reports.render.json import check_json

        return check_json(target, job.prober, reading.seen, reading.findings, said)
    if form == "nagios":
        from reports.render.nagios import check_nagios

        return check_nagios(job.prober, reading.findings, said)
    columns = _columns()
    if job.prober == "path":
        from reports.render.path import path_text

        return path_text(target, reading.seen, reading.findings, said, sys.stdout.isatty(), columns)
    from reports.render.findings import check_text

    text = check_text(target, job.prober, reading.seen, reading.findings, said, sys.stdout.isatty(), columns)
    if job.prober == "capture" and hasattr(reading.seen.outcome, "calls"):
        from reports.render.capture import capture_text

        text += capture_text(reading.seen.outcome, reading.findings, said, columns)
    return text


def _columns() -> int:
    """Return the terminal's width as shutil does, whose import (with lzma and bz2) would cost 2 ms of a check's start."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _rows() -> int:
    """Return the terminal's height: a block that is higher could not be redrawn in place."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or 24
    except (OSError, ValueError):
        return 24


class _Live:
    """Redraws one block in place: the cursor goes up, each line is written over, nothing flickers."""

    def __init__(self) -> None:
        self._readings: list[Any] = []
        self._height = 0

    def draw(self, job: Any, reading: Any, target: str, said: Any) -> None:
        from reports.render.watch import KEPT, watch_text

        self._readings = [*self._readings[1 - KEPT :], reading]
        columns = _columns()
        readings = [(one.seen, one.findings) for one in self._readings]
        if job.prober == "path":
            from reports.render.path import path_watch

            block = path_watch(target, readings, said, True, columns, _rows())
        else:
            block = watch_text(target, job.prober, readings, said, True, columns)
        up = f"\x1b[{self._height}A" if self._height else ""
        lines = block.splitlines()
        sys.stdout.write(up + "".join(f"\r{line}\x1b[K\n" for line in lines) + CLEAR_BELOW)
        sys.stdout.flush()
        self._height = len(lines)
