"""The billing half of the demo: an audit of its two bills by the real machinery, in a process of its own."""

import os
import signal
from pathlib import Path

from probe.agent.demo import bills
from probe.agent.demo.world import fork


def begin(folder: Path, config: Path, customer: str, language: str) -> int:
    """Start it; returns what to read its answer from, which ends with it."""
    reader, writer = os.pipe()

    def work() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.write(writer, _answer(folder, config, customer, language).encode())

    fork(work)
    os.close(writer)
    return reader


def _answer(folder: Path, config: Path, customer: str, language: str) -> str:
    """Return the lines to show: the answer, the verdict, the causes, the case."""
    from billing_audit.audit import Audit
    from probe.agent.actions.audit import AuditProblem, Request, audited, opened
    from reports.audit.figures import grouped
    from reports.audit.opening import evidence
    from reports.audit.screen import grid, headline, verdict_line
    from reports.audit.words import UNEXPLAINED, cause_name, side_name
    from reports.locale.text import texts

    said = texts(language)
    request = Request(
        (folder / bills.LOCAL,), (folder / bills.CUSTOMER,), rates=(folder / bills.DECK,), name=customer, config_file=str(config)
    )

    def lines(audit: Audit) -> list[str]:
        causes = [one for one in audit.causes if one.cause != UNEXPLAINED]
        rows = [
            (cause_name(one.cause, said), side_name(one.side, said), f"{one.records:,}", grouped(one.amount_micro, plus=True))
            for one in causes
        ]
        return [headline(audit, said), verdict_line(audit, said), *("  " + line for line in grid(rows, right=(2, 3)))]

    try:
        with audited(request, said, lambda _: None) as result:
            told = lines(result.audit)
            opened(evidence(result.audit), customer, str(config))
    except AuditProblem as why:
        return str(why)
    return "\n".join(told)
