"""Audits bills as they arrive in the inboxes: one at a time, each in a process of its own, nothing lost and nothing twice."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_hex

from probe.agent import pickup
from probe.agent.pickup import Bills
from probe.agent.settings.inboxes import Inbox

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
LONGEST_PAUSE_S = 3600.0
LONGEST_S = 6 * 3600.0
TRIES = 3  # an audit that dies for no fault of the bills
MOST_WORDS = 8_192  # of what an audit says on stderr, its end
EVIDENCE = "evidence.json"  # what a whole result has
AGREES, DIFFERS, UNUSABLE = 0, 1, 2  # exit codes of `firstline audit`
COMMAND = (sys.executable, "-c", "from probe.agent.cli import main; main()", "audit")

Open = Callable[[str, bytes], Awaitable[None]]


class Inboxes:
    """The inboxes of the configuration in force (`apply`). `opened` gets the customer and the evidence.json of each."""

    def __init__(self, opened: Open, command: tuple[str, ...] = COMMAND, config: str | None = None) -> None:
        self._opened, self._command, self._config = opened, command, config
        self._inboxes: tuple[Inbox, ...] = ()
        self._still: dict[Path, tuple[Bills, float]] = {}
        self._failed: dict[Path, int] = {}  # rounds in vain, one after another
        self._died: dict[Path, int] = {}  # audits that died for no fault of the bills
        self._not_before: dict[Path, float] = {}
        self._unreadable: set[str] = set()
        self.tally: Counter[str] = Counter(dict.fromkeys(("agree", "differ", "rejected", "died"), 0))

    def apply(self, inboxes: tuple[Inbox, ...]) -> None:
        """Look after these from now on."""
        self._inboxes = inboxes

    async def run(self) -> None:
        """Look and audit until cancelled; a running audit ends with us and is begun anew after the next start."""
        while True:
            for inbox in self._inboxes:
                await self.round(inbox)
            await asyncio.sleep(LOOK_EVERY_S)

    async def round(self, inbox: Inbox) -> None:
        """Look into one inbox once; what is wrong with one period does not hold up the others."""
        try:
            waiting = await asyncio.to_thread(pickup.periods, Path(inbox.folder))
            self._unreadable.discard(inbox.folder)
        except OSError as why:
            if inbox.folder not in self._unreadable:
                log.error("the inbox %s can't be read: %s", inbox.folder, why.strerror)
            self._unreadable.add(inbox.folder)
            return
        gone = [one for one in self._known if one.parent == Path(inbox.folder) and one not in waiting]
        for one in gone:
            self._forget(one)
        now = asyncio.get_running_loop().time()
        for period in waiting:
            if self._not_before.get(period, 0.0) > now:
                continue
            try:
                await self._period(inbox, period)
                self._failed.pop(period, None)
            except Exception as why:  # whatever lies there must not end the service, nor hold up the other bills
                self._failed[period] = self._failed.get(period, 0) + 1
                wait_s = min(LONGEST_PAUSE_S, LOOK_EVERY_S * 2.0 ** self._failed[period])
                self._not_before[period] = now + wait_s
                log.error("%s waits, and is tried again in %.0f s: %s", period, wait_s, why, exc_info=not isinstance(why, OSError))

    @property
    def _known(self) -> set[Path]:
        return {*self._still, *self._failed, *self._died, *self._not_before}

    def _forget(self, period: Path) -> None:
        for table in (self._still, self._failed, self._died, self._not_before):
            table.pop(period, None)

    async def _period(self, inbox: Inbox, period: Path) -> None:
        journal = await asyncio.to_thread(pickup.unfinished, period)
        if journal is not None:
            await asyncio.to_thread(pickup.settle, period, journal)
            return
        found = await asyncio.to_thread(pickup.bills, period)
        if found is None or not self._is_still(inbox, period, found):
            return
        if wrong := _incomplete(found):
            await self._away(period, found, wrong, wrong)
            return
        terms = (inbox.contract, *inbox.rates)
        as_whom = (inbox.customer, *inbox.accounts, inbox.language or "")
        name = await asyncio.to_thread(pickup.result_name, period, found, terms, as_whom)
        result = period / name
        if not result.exists() and not await self._audit(inbox, period, found, result):
            return
        told = await asyncio.to_thread((result / EVIDENCE).read_bytes)
        if inbox.open:
            await self._opened(inbox.customer, told)
        await self._away(period, found)

    def _is_still(self, inbox: Inbox, period: Path, found: Bills) -> bool:
        """Tell whether nothing in there changed for long enough; by the monotonic clock, so that no set clock can hurry it."""
        now = asyncio.get_running_loop().time()
        known, since = self._still.get(period, (None, now))
        if known != found:
            self._still[period] = (found, now)
            self._died.pop(period, None)
            return inbox.still_s <= 0
        return now - since >= inbox.still_s

    async def _audit(self, inbox: Inbox, period: Path, found: Bills, result: Path) -> bool:
        """Audit; True when the result lies there. Bills that changed meanwhile are audited anew once they are still."""
        await asyncio.to_thread(_sweep, period)
        # a name of its own each time: an audit that outlived a killed service must not write into this one's folder
        part = period / f".{result.name}.{token_hex(4)}{pickup.PART}"
        await asyncio.to_thread(part.mkdir, 0o700)  # where nothing can be written no audit is worth its time
        log.info("auditing %s of %s", period.name, inbox.customer)
        code, words = await self._child(_arguments(inbox, period, found, part, self._config))
        same = await asyncio.to_thread(pickup.bills, period) == found
        whole = code in (AGREES, DIFFERS) and (part / EVIDENCE).is_file()
        if whole and same:
            await asyncio.to_thread(os.rename, part, result)
            self.tally["agree" if code == AGREES else "differ"] += 1
            log.info("audited %s of %s: %s", period.name, inbox.customer, "the bills agree" if code == AGREES else "they differ")
            return True
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
        if not same:
            self._still.pop(period, None)
            return False
        if code == UNUSABLE and (term := next((one for one in (inbox.contract, *inbox.rates) if one and one in words), None)):
            raise OSError(f"{term} can't be used, which is no fault of the bills: {words.splitlines()[0]}")
        self._died[period] = self._died.get(period, 0) + (code != UNUSABLE)
        self.tally["died"] += code != UNUSABLE
        if code == UNUSABLE or self._died[period] >= TRIES:
            reason = _reason(words) if code == UNUSABLE else f"the audit ended with {code}"
            log.warning("%s of %s is rejected: %s", period.name, inbox.customer, reason)
            await self._away(period, found, reason, words or reason)
        return False

    async def _child(self, arguments: list[str]) -> tuple[int, str]:
        """Run one audit; return its exit code and the end of what it said."""
        child = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(LONGEST_S):
                words = await _end(child.stderr)
                return await child.wait(), words
        except TimeoutError:
            return -1, f"the audit took longer than {LONGEST_S / 3600:.0f} h"
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()

    async def _away(self, period: Path, found: Bills, reason: str = "", text: str = "") -> None:
        if await asyncio.to_thread(pickup.bills, period) != found:
            return  # something came or changed since it was looked at: that is for the next round
        short = pickup.slug(reason) if reason else ""
        journal = await asyncio.to_thread(pickup.decide, period, found, short, text)
        self.tally["rejected"] += bool(reason)
        await asyncio.to_thread(pickup.settle, period, journal)
        self._forget(period)


def _incomplete(found: Bills) -> str:
    if found.irregular:
        return f"{found.irregular[0]} is not a regular file with a usable name"
    missing = [side for side in pickup.SIDES if not getattr(found, side)]
    return f"no {missing[0]} bill" if missing else ""


def _arguments(inbox: Inbox, period: Path, found: Bills, part: Path, config: str | None) -> list[str]:
    """Return the command line of one audit."""
    local, customer = ([str(period / one.name) for one in side] for side in (found.local, found.customer))
    words = [local[0], customer[0], "--out", str(part), "--for", inbox.customer, "--format", "json"]
    for flag, files in (("--more-local", local[1:]), ("--more-customer", customer[1:]), ("--rates", list(inbox.rates))):
        for file in files:
            words += [flag, file]
    if config:
        words += ["--config", config]
    if inbox.contract:
        words += ["--contract", inbox.contract]
    if len(inbox.accounts) == 1:
        words += ["--account", inbox.accounts[0]]
    if inbox.language:
        words += ["--language", inbox.language]
    return words


def _sweep(period: Path) -> None:
    """Remove what audits that did not come to their end left behind."""
    for left in period.glob(f".audit-*{pickup.PART}"):
        shutil.rmtree(left, ignore_errors=True)


async def _end(stream: asyncio.StreamReader | None) -> str:
    """Return the last words of a stream, read to its end and never kept whole."""
    kept = b""
    while stream is not None and (chunk := await stream.read(MOST_WORDS)):
        kept = (kept + chunk)[-MOST_WORDS:]
    return kept.decode(errors="replace").strip()


def _reason(words: str) -> str:
    """Return the reason in the last line that says Error, without the path of the file."""
    lines = [line for line in words.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if line.startswith("Error:")), lines[0] if lines else "unreadable")
    return said.removeprefix("Error:").rpartition(": ")[2].strip()
