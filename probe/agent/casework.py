"""Turns what is believed into cases: correlates, plans against what is open, and has the store accept it."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from checks.ask import Ask
from checks.assess import Memory, Rules
from checks.correlate import RULES
from checks.correlation.absorb import Past
from checks.correlation.view import View, fresh
from checks.evidence import jobs_by_node
from checks.finding import Key
from checks.history import Track
from checks.patience import ECHO, Patience, deliberate, recalled, recent
from checks.proof import fault_of, prove, width_of
from checks.verdict import CaseKind, Diagnosis, Identity, Width
from probe.agent.planned import Planned
from probe.agent.watching import Watch
from probe.schedule import JobKey
from reports.case import Case, CaseEvent, EventKind, Step
from reports.opening import plan
from reports.store.errors import StoreError
from reports.store.store import Store

log = logging.getLogger(__name__)

GATHER_S = 0.3  # changes that come together are looked at together
LOOK_AGAIN_S = 30.0  # without any change: windows of maintenance end, a store comes back
RETRY_S = 2.0
WIDE = 200  # keys of a diagnosis of which a new proof costs so much that it is not made again at each change
PROVEN_FOR = timedelta(seconds=30)
MOST_RECALLED = 100  # cases, the newest, of which to derive one again takes some ms …
RECALLED_BYTES = 1024**2  # … up to this size of its evidence
WAITING_S = 0.5  # while a verdict waits for measurements it is looked at this often
MOMENT = timedelta(microseconds=1)


class Casework:
    """The deciding half of the service. `on_events` is called with what the store has accepted."""

    def __init__(self, watch: Watch, store: Store, planned: Planned, now: Callable[[], datetime], on_events: Callable[[], None]) -> None:
        self._watch, self._store, self._planned, self._now, self._on_events = watch, store, planned, now, on_events
        self._wake = asyncio.Event()
        self.open: list[Case] = []
        self.store_problem: str | None = None
        self.broken = False
        self._patience = Patience()
        self._proven: dict[Identity, datetime] = {}
        self._asks: tuple[Ask, ...] = ()
        self.waits = asyncio.Event()  # set while a verdict waits for what may still change it
        self.views: tuple[View, ...] = ()  # what other agents on the same store see; replaced by the exchange

    def wake(self) -> None:
        """Say that something is believed now that was not before."""
        self._wake.set()

    async def load(self) -> None:
        """Read what is open from the store; StoreError when it is away."""
        self.open = await asyncio.to_thread(self._store.cases, True)
        self.wake()

    async def recall(self) -> None:
        """Read back from the evidence of the last cases what was wrong before a restart; without it what they left behind opens cases."""
        try:
            self._patience = await asyncio.to_thread(self._recalled, self._now())
        except StoreError as why:
            log.warning("what was wrong before the start is not known: %s", why)

    def _recalled(self, now: datetime) -> Patience:
        mine, found = self._watch.settings.agent.name, []
        lately = [one for one in self._store.cases(limit=MOST_RECALLED) if one.cleared_at is not None and now - one.cleared_at <= ECHO]
        for case in sorted({one.id: one for one in (*lately, *self.open)}.values(), key=lambda one: one.since)[-MOST_RECALLED:]:
            if case.agent != mine or case.kind is CaseKind.BILLING:
                continue
            try:
                proof = self._store.evidence(case.id)
            except StoreError as why:
                log.warning("what case %d left behind is not known: %s", case.id, why)
                continue
            fault = fault_of(proof) if proof is not None and len(proof) <= RECALLED_BYTES else None
            if fault is not None:
                found.append((*fault, case.cleared_at))
        return recalled(found)

    def past(self, now: datetime) -> tuple[Past, ...]:
        """Return the faults of the last moments, whose aftermath is no fault of its own."""
        return tuple(one for _, one in recent(self._patience, now))

    def tell(self) -> None:
        """Say that the store has accepted something from elsewhere."""
        self._on_events()

    async def run(self) -> None:
        """Keep the cases true until cancelled; a store that is away is tried again, nothing is forgotten meanwhile."""
        while True:
            wait_s = RETRY_S if self.store_problem else WAITING_S if self._asks else LOOK_AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.round()
                self.broken = False
            except Exception:  # one bad diagnosis must not end all casework
                self.broken = True
                log.exception("casework raised; it goes on with the next change")

    async def round(self) -> None:
        """Bring the cases in line with what is believed now."""
        now = self._now()
        watch = self._watch
        memories = dict(watch.memories)  # everything below looks at this one moment, whatever is measured meanwhile
        views = fresh(self.views, now)
        if views and any(memory.bad for memory in memories.values()):
            watch.recorder.views(views, now)
        steps = await asyncio.to_thread(self._decide, memories, dict(watch.rules), now, views)
        watch.ask(self._asks)
        (self.waits.set if self._asks else self.waits.clear)()
        moved, gone = watch.take_moved()
        try:
            events = await asyncio.to_thread(self._store.accept, steps, now)
            if moved or gone:
                await asyncio.to_thread(self._keep_tracks, moved, gone)
            if steps:  # also when some were left out: they were planned on something older than the store
                self.open = await asyncio.to_thread(self._store.cases, True)
        except StoreError as why:
            watch.put_back(moved, gone)
            if self.store_problem is None:
                log.error("nothing is accepted while the store is away: %s", why)
            self.store_problem = str(why)
            return
        if self.store_problem is not None:
            log.warning("the store is back")
            self.store_problem = None
        await asyncio.to_thread(_say, events)
        if len(events) != len(steps):
            self._wake.set()
        if events:
            self._on_events()

    def _decide(
        self, memories: Mapping[JobKey, Memory], rules: Mapping[JobKey, Rules], now: datetime, views: tuple[View, ...]
    ) -> list[Step]:
        """Return the steps from the open cases to what these memories say.

        Runs in a thread: with thousands of cases it takes a second, in which measuring must go on. It reads values that are replaced,
        never changed.
        """
        watch, cases = self._watch, self.open
        told = {case.identity for case in cases if case.cleared_at is None}
        correlation, self._patience = deliberate(memories, watch.topology, self._patience, now, told, views)
        self._asks = correlation.asks
        diagnoses = {one.identity: one for one in correlation.diagnoses if one.identity in told or not self._planned.covers(one, now)}
        keys = {key for case in cases for key in case.keys}
        unwatched = watch.unwatched({key for key in keys if key[0] == watch.settings.agent.name})
        tracks = self._dated(watch.tracks_of(keys, memories))
        steps = plan(diagnoses.values(), tracks, cases, now, unwatched)
        said = (EventKind.OPENED, EventKind.UPDATED)
        by_node = jobs_by_node(memories) if steps else {}  # once for all: thousands of cases may open together

        def proving(diagnosis: Diagnosis) -> bytes:
            return prove(diagnosis, memories, rules, watch.settings.inventory, views, by_node)

        return [
            self._attach(step, diagnoses[step.case.identity], proving)
            if step.kind in said and step.case.identity in diagnoses and not self._lately(step, diagnoses[step.case.identity])
            else step
            for step in steps
        ]

    def _dated(self, tracks: dict[Key, Track]) -> dict[Key, Track]:
        """Return the tracks, those that are good by a measurement of this run dated after their case.

        A track says since when it is good, and one that is older than the case may have been left behind by a crash. The clock may have
        been set back since the case opened, though, and a track that was good all the time keeps its date: what was measured in this run
        needs no date.
        """
        dated = dict(tracks)
        for case in self.open:
            for key in case.keys:
                track = dated.get(key)
                if track is None or track.bad or track.since is None or track.since > case.since:
                    continue
                if self._watch.good_now(key):
                    dated[key] = msgspec.structs.replace(track, since=case.since + MOMENT)
        return dated

    def _keep_tracks(self, moved: list[Track], gone: list[Key]) -> None:
        self._store.save_tracks(moved)
        if gone:
            self._store.drop_tracks(gone)

    def _lately(self, step: Step, diagnosis: Diagnosis) -> bool:
        """Tell whether a wide diagnosis was proven just now: each time costs seconds, and it changes with every reading that comes in."""
        if step.kind is EventKind.OPENED or len(diagnosis.keys) < WIDE:
            return False
        now, before = self._now(), self._proven.get(diagnosis.identity)
        return before is not None and now - before < PROVEN_FOR

    def _attach(self, step: Step, diagnosis: Diagnosis, proving: Callable[[Diagnosis], bytes]) -> Step:
        try:
            proof = proving(diagnosis)
        except ValueError as why:
            log.warning("%s at %s goes without new evidence: %s", diagnosis.cause, diagnosis.element, why)
            return step
        if width_of(proof) is Width.NONE:
            log.warning("%s at %s: nothing of bounded size leads to it (%d keys)", diagnosis.cause, diagnosis.element, len(diagnosis.keys))
        if len(diagnosis.keys) >= WIDE:
            self._proven = {one.identity: self._proven[one.identity] for one in self.open if one.identity in self._proven}
            self._proven[diagnosis.identity] = self._now()
        return msgspec.structs.replace(step, evidence=proof, case=msgspec.structs.replace(step.case, rules=RULES))


def _say(events: Iterable[CaseEvent]) -> None:
    for event in events:
        case = event.body.get("case", {})
        log.info("case %d %s: %s at %s (%s)", event.case, event.kind, case.get("cause"), case.get("element"), case.get("urgency"))
