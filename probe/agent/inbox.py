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

import msgspec

from probe.agent import pickup
from probe.agent.pickup import Bills
from probe.agent.settings.inboxes import Inbox

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
LONGEST_S = 6 * 3600.0
TRIES = 3  # an audit that dies for no fault of the bills
MOST_WORDS = 8_192  # of what an audit says on stderr, its end
AGREES, DIFFERS, UNUSABLE = 0, 1, 2  # exit codes of `firstline audit`
COMMAND = (sys.executable, "-c", "from probe.agent.cli import main; main()", "audit")

Open = Callable[[str, bytes], Awaitable[None]]


class Inboxes:
    """The inboxes of the configuration in force (`apply`). `opened` gets the customer and the evidence.json of each."""

    def __init__(self, opened: Open, command: tuple[str, ...] = COMMAND) -> None:
        self._opened, self._command = opened, command
        self._inboxes: tuple[Inbox, ...] = ()
        self._still: dict[Path, tuple[Bills, float]] = {}
        self._failed: dict[Path, int] = {}
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
        self._still = {one: found for one, found in self._still.items() if one in waiting or one.parent != Path(inbox.folder)}
        for period in waiting:
            try:
                await self._period(inbox, period)
            except (OSError, msgspec.DecodeError) as why:
                self._failed[period] = self._failed.get(period, 0) + 1
                if self._failed[period] <= TRIES:
                    log.error("%s waits: %s", period, why)

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
        name = await asyncio.to_thread(pickup.result_name, period, found, terms)
        result = period / name
        if not result.exists() and not await self._audit(inbox, period, found, result):
            return
        told = await asyncio.to_thread((result / "evidence.json").read_bytes)
        if inbox.open:
            await self._opened(inbox.customer, told)
        await self._away(period, found)

    def _is_still(self, inbox: Inbox, period: Path, found: Bills) -> bool:
        """Tell whether nothing in there changed for long enough; by the monotonic clock, so that no set clock can hurry it."""
        now = asyncio.get_running_loop().time()
        known, since = self._still.get(period, (None, now))
        if known != found:
            self._still[period] = (found, now)
            self._failed.pop(period, None)
            return inbox.still_s <= 0
        return now - since >= inbox.still_s

    async def _audit(self, inbox: Inbox, period: Path, found: Bills, result: Path) -> bool:
        """Audit; True when the result lies there. Bills that changed meanwhile are audited anew once they are still."""
        await asyncio.to_thread(_sweep, period)
        # a name of its own each time: an audit that outlived a killed service must not write into this one's folder
        part = period / f".{result.name}.{token_hex(4)}{pickup.PART}"
        log.info("auditing %s of %s", period.name, inbox.customer)
        code, words = await self._child(_arguments(inbox, period, found, part))
        same = await asyncio.to_thread(pickup.bills, period) == found
        if code in (AGREES, DIFFERS) and same:
            await asyncio.to_thread(os.rename, part, result)
            self.tally["agree" if code == AGREES else "differ"] += 1
            log.info("audited %s of %s: %s", period.name, inbox.customer, "the bills agree" if code == AGREES else "they differ")
            return True
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
        if not same:
            self._still.pop(period, None)
            return False
        self._failed[period] = self._failed.get(period, 0) + 1
        self.tally["died"] += code != UNUSABLE
        if code == UNUSABLE or self._failed[period] >= TRIES:
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
        short = pickup.slug(reason) if reason else ""
        self.tally["rejected"] += bool(reason)
        journal = await asyncio.to_thread(pickup.decide, period, found, short, text)
        await asyncio.to_thread(pickup.settle, period, journal)
        self._still.pop(period, None)
        self._failed.pop(period, None)


def _incomplete(found: Bills) -> str:
    if found.irregular:
        return f"{found.irregular[0]} is not a regular file"
    missing = [side for side in pickup.SIDES if not getattr(found, side)]
    return f"no {missing[0]} bill" if missing else ""


def _arguments(inbox: Inbox, period: Path, found: Bills, part: Path) -> list[str]:
    """Return the command line of one audit."""
    local, customer = ([str(period / one.name) for one in side] for side in (found.local, found.customer))
    words = [local[0], customer[0], "--out", str(part), "--for", inbox.customer, "--format", "json"]
    for flag, files in (("--more-local", local[1:]), ("--more-customer", customer[1:]), ("--rates", list(inbox.rates))):
        for file in files:
            words += [flag, file]
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
