"""What the newcomer sees: what the demo is, what it does to its operator, and the cases as they come."""

import contextlib
import os
import select
import time
from datetime import datetime, timedelta
from typing import Any

import msgspec

from checks.finding import Message, State
from probe.agent.demo import audit, bills, configuration, terminal
from probe.agent.demo.following import Follow, Lines, last_lines
from probe.agent.demo.guard import Started, start, stop, try_network
from probe.agent.demo.plan import NETWORK, on_loopback
from probe.agent.demo.service import JOURNAL
from reports.case import EventKind
from reports.feeds.feed import FeedEvent, FeedText
from reports.locale.figures import span
from reports.locale.text import Texts

AUDIT_AT_S = 38.0
LOOK_S = 0.2
LAST_WORDS = 5  # lines of the journal that are shown when the demo fails
NEWS = frozenset({"summary", "side", "urgency", "affected", "severity"})  # of an updated case; all else is for its page


class DemoProblem(Exception):
    """The demo can't go on; the text says why, in the reader's language."""


class Screen:
    """One run of the demo as it is shown."""

    def __init__(self, said: Texts, lasts_s: float) -> None:
        self._said, self._lasts_s = said, lasts_s
        self._names = configuration.NAMES[said.language]
        self._cases: set[int] = set()
        self._fault_at: float | None = None
        self._first_s: float | None = None

    def run(self) -> None:
        """Show the demo until its time is up; DemoProblem when it can't be made or ends by itself. Nothing of it is left afterwards."""
        began = time.monotonic()
        refused = try_network()
        started = start(on_loopback(os.getpid() % 254 + 1) if refused else NETWORK, self._said.language)
        try:
            bills.write(started.folder, self._names["harbour"])
            self._head(started, refused)
            with contextlib.suppress(KeyboardInterrupt):  # the other way to end it
                self._watch(started, began)
        finally:
            stop(started)
        print()
        self._tail()

    def _watch(self, started: Started, began: float) -> None:
        world, feed = Lines(started.told), Follow(started.folder / configuration.FEED)
        auditing: Lines | None = None
        answer: list[str] = []
        while (now := time.monotonic()) < began + self._lasts_s:
            if auditing is None and now >= began + AUDIT_AT_S:
                auditing = self._begin_audit(started)
            watched = [one for one in (world, auditing) if one is not None and not one.over]
            for one in select.select(watched, [], [], LOOK_S)[0]:
                for line in one.take():
                    if one is world:
                        self._happened(line, started)
                    else:
                        answer.append(line)
            if auditing is not None and auditing.over:  # all at once, for cases come meanwhile
                self._answer(answer)
            if world.over:
                raise self._ended(self._said.text("demo.ended"), started)
            for said in feed.take() if auditing is None or auditing.over else ():  # the audit is shown before its case
                self._event(msgspec.json.decode(said, type=FeedEvent))

    def _begin_audit(self, started: Started) -> Lines:
        customer = self._names["harbour"]
        terminal.headline(self._said.text("demo.audit", customer=customer))
        return Lines(audit.begin(started.folder, started.folder / configuration.FILE, customer, self._said.language))

    def _answer(self, answer: list[str]) -> None:
        if answer:
            terminal.line(self._said.text("demo.audited"), State.OK)
            for line in answer:
                terminal.aside(line)
            answer.clear()

    def _happened(self, line: str, started: Started) -> None:
        """Show what the world tells."""
        what: dict[str, Any] = msgspec.json.decode(line)
        if "ended" in what:
            raise self._ended(self._said.text("demo.part-ended", part=what["ended"]), started)
        if "fault" in what:
            does = f"{what['fault']}.{'on' if what['on'] else 'off'}"
            if not started.where.network and what["fault"] != "hang":
                does += ".loopback"
            names = {"customer": self._names["harbour"], "carrier": self._names["carrier"]}
            terminal.headline(self._said.text(f"demo.{does}", **names))
            if self._fault_at is None:
                self._fault_at = time.monotonic()

    def _event(self, event: FeedEvent) -> None:
        """Show what happened to a case."""
        said = self._said
        if event.event is EventKind.UPDATED and not NEWS.intersection(event.changed):
            return
        if self._fault_at is not None and self._first_s is None:
            self._first_s = time.monotonic() - self._fault_at
        self._cases.add(event.case)
        if event.event is EventKind.MERGED:
            self._cases.discard(event.case)  # it was told before its cause was
        over = event.cleared_at is not None
        words = [f"#{event.case} {said.word('event', event.event)}", *([] if over else [said.word("urgency", event.urgency)])]
        words += [said.word("side", event.side), self._say(event.summary)]
        if event.cleared_at is not None:
            words.append(span((event.cleared_at - event.since).total_seconds()))
        terminal.line(" · ".join(words), State.OK if over else event.severity)
        if event.event in (EventKind.OPENED, EventKind.REOPENED):
            facts = [(said.text("case.affected"), ", ".join(event.affected))] if event.affected else []
            terminal.facts([*facts, (said.text("case.todo"), self._say(event.action))], terminal.MARGIN)

    def _head(self, started: Started, refused: str) -> None:
        said, kind = self._said, "network" if started.where.network else "loopback"
        terminal.paragraph(self._said.text(f"demo.title.{kind}", why=refused))
        ends = datetime.now().astimezone() + timedelta(seconds=self._lasts_s)
        rows = [
            (said.text("demo.real"), said.text(f"demo.real.{kind}")),
            (said.text("demo.simulated"), said.text(f"demo.simulated.{kind}")),
            (said.text("demo.page"), f"http://127.0.0.1:{started.port}/"),
            (said.text("demo.try"), said.text("demo.second-terminal")),
            ("", f"export FIRSTLINE_CONFIG={started.folder / configuration.FILE}"),
            *(("", command) for command in self._commands()),
            (said.text("demo.ends"), said.text("demo.ends-at", at=terminal.clock(ends))),
        ]
        terminal.facts(rows, 2, whole=True)

    def _commands(self) -> list[str]:
        return [
            "firstline status",
            "firstline case list",
            "firstline case show 1",
            "firstline case explain 1",
            f'firstline diagnose network --customer "{self._names["harbour"]}"',
            "firstline handoff fibre-1",
        ]

    def _tail(self) -> None:
        if self._first_s is not None:
            terminal.paragraph(self._said.text("demo.summary", n=len(self._cases), first=self._first_s))
        terminal.paragraph(self._said.text("demo.next"))
        said = self._said
        rows = [
            ("firstline check icmp ADDRESS", said.text("demo.next.check")),
            ("firstline run", said.text("demo.next.run")),
            ("firstline config draft", said.text("demo.next.draft")),
            ("firstline audit OURS THEIRS", said.text("demo.next.audit")),
        ]
        terminal.facts(rows, 2)

    def _ended(self, what: str, started: Started) -> DemoProblem:
        return DemoProblem(f"{what}\n{last_lines(started.folder / JOURNAL, LAST_WORDS)}")

    def _say(self, text: FeedText) -> str:
        return self._said.say(Message(text.id, text.values))
