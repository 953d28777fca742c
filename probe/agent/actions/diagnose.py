"""The written flow B and C carried out: measures in its order, tells each step as it ends, and at last what correlate makes of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from checks.ask import Ask
from checks.assess import Memory, Rules
from checks.baseline import Baseline
from checks.correlate import RULES, Correlation, correlate
from checks.correlation.absorb import Past
from checks.correlation.view import View
from checks.diagnosis.ground import Ground, Trouble, customer_of, question_of, survey, wanted
from checks.diagnosis.plan import FLOWS, Place, Question
from checks.diagnosis.symptom import Heard, Symptom, heard
from checks.diagnosis.verdict import Verdict, judge, needed, remedy
from checks.finding import Finding, Key, Message, State, base
from checks.maintenance import Always
from checks.proof import prove
from checks.sight import Sight
from checks.topology import Topology
from checks.verdict import Diagnosis
from probe.agent.actions.believing import Believing, key_of
from probe.agent.actions.number_calls import calls_told
from probe.agent.planned import Planned
from probe.agent.settings.settings import Settings
from probe.inventory import Inventory
from probe.observation.sip import GatewaySample
from probe.run import Runner
from probe.schedule import JobKey
from reports.diagnosis import Begun, Conclusion, Ended, Opened, Request, StepState, Telling, Todo

log = logging.getLogger(__name__)

FIRST_S, ROUND_S, WHOLE_S = (
    14.0,
    4.0,
    18.5,
)  # for the steps, for each round of what correlate asks for, for all: 20 s with what is around it
ROUNDS = 3  # of asks; what is still asked then is left undecided
MOST = 600  # checks measured for one complaint; of the rest the last reading counts
TOLD = 3  # readings a step's line tells
_BAD = frozenset({State.WARNING, State.CRITICAL})


Hang = Callable[[Diagnosis, bytes | None, Request, Mapping[JobKey, Memory]], Awaitable[Opened | None]]
"""Opens the case of a diagnosis (with its proof, and what was measured for it) for a complaint, or lets that join the case that is open;
OSError when it can't.
"""


class Wrong(Exception):
    """The complaint names what is not there; the text says what, and what there is."""


class Known(msgspec.Struct, frozen=True):
    """What a service that runs here knows already; nothing when none does."""

    memories: Mapping[JobKey, Memory] = {}
    rules: Mapping[JobKey, Rules] = {}
    sight: Sight = Sight()
    baselines: Mapping[Key, Baseline] = {}
    past: tuple[Past, ...] = ()
    views: tuple[View, ...] = ()
    running: bool = False


async def diagnose(
    settings: Settings,
    request: Request,
    runner: Runner,
    now: Callable[[], datetime],
    known: Known = Known(),  # noqa: B008
    hang: Hang | None = None,
    planned: Planned | None = None,
) -> AsyncIterator[Begun | Ended | Conclusion]:
    """Yield each step as it begins and ends, and at last the conclusion; Wrong when the complaint names what the inventory does not."""
    symptoms = read_symptoms(request)
    trouble = find(request, settings)
    topology = await asyncio.to_thread(Topology, settings.inventory)  # with thousands of nodes a part of a second
    with Believing(settings, runner, now, known.memories, known.sight, known.baselines) as believing:
        quiet = _quiet(planned or Planned(settings), now())
        run = _Run(settings, FLOWS[request.kind], survey(settings.inventory, trouble), believing, trouble, quiet)
        run.begin(needed(topology, trouble))
        for question in FLOWS[request.kind]:
            yield Begun(question.name)
            yield await run.end(question)
        found = [one for one in await run.decide(topology, known) if not all(quiet(key[1], key[2]) for key in one.keys)]
        verdict = judge(found, topology, trouble, {one.symptom for one in symptoms}, run.seen)
        told = run.conclude(request, verdict, known.running, now())
        told = msgspec.structs.replace(told, calls=await calls_told(settings, request, now()))
        if hang is not None and request.open:
            told = await _hung(told, hang, believing, known)
        yield told


def _quiet(planned: Planned, at: datetime) -> Callable[[str, str], bool]:
    """Return whether a check of a node is silenced; announced work silences nothing here, for it may be what is complained of."""

    def quiet(node: str, check: str) -> bool:
        return isinstance(planned.reason(node, check, at), Always)

    return quiet


async def _hung(told: Conclusion, hang: Hang, believing: Believing, known: Known) -> Conclusion:
    """Return the conclusion with the case that the complaint is on now, or why it is on none."""
    if told.diagnosis is None:
        return msgspec.structs.replace(told, open_problem=Message("diagnose.nothing-to-open"))
    proof: bytes | None = None
    try:
        proof = prove(told.diagnosis, believing.memories, {**known.rules, **believing.rules}, believing.inventory, known.views)
    except (KeyError, ValueError) as why:
        log.warning("%s at %s goes without evidence: %s", told.diagnosis.cause, told.diagnosis.element, why)
    try:
        measured = {key: believing.memories[key] for key in believing.measured}
        opened = await hang(told.diagnosis, proof, told.request, measured)
    except OSError as why:
        return msgspec.structs.replace(told, open_problem=Message("diagnose.store", {"why": str(why)}))
    problem = Message("diagnose.not-accepted") if opened is None else None
    return msgspec.structs.replace(told, opened=opened, open_problem=problem)


def read_symptoms(request: Request) -> list[Heard]:
    """Return what the words mean; Wrong names the one that is none."""
    found = []
    for word in request.symptoms:
        try:
            found.append(heard(word))
        except ValueError:
            raise Wrong(f'no symptom "{word}"; there are: {", ".join(Symptom)}') from None
    return found


def find(request: Request, settings: Settings) -> Trouble:
    """Return whom and what the complaint is about, by customer, node or number; Wrong when the inventory does not know it."""
    inventory = settings.inventory
    if request.node is not None and request.node not in inventory.nodes:
        raise Wrong(f'no node named "{request.node}" in the inventory')
    customers = known_customers(inventory)
    if request.customer is not None and request.customer not in customers:
        raise Wrong(f'no customer named "{request.customer}" in the inventory; there are: {", ".join(customers) or "none"}')
    customer, node = request.customer, request.node
    if request.number is not None and customer is None and node is None:
        customer, node = whose(request.number, settings)
        if customer is None and node is None:
            raise Wrong(f"nobody in the inventory has the number {request.number}; say whose it is: --customer")
    return Trouble(customer or customer_of(inventory.nodes.get(node or ""), inventory), node)


def known_customers(inventory: Inventory) -> list[str]:
    """Return the names of all customers, those that only a site names too."""
    return sorted({*inventory.customers, *(site.customer for site in inventory.sites.values() if site.customer is not None)})


def whose(number: str, settings: Settings) -> tuple[str | None, str | None]:
    """Return the customer of a number and his node, by his accounts and the numbers in checks; the longest that it ends in counts."""
    digits = _digits(number)
    best: tuple[int, str | None, str | None] = (0, None, None)
    inventory = settings.inventory
    for customer in inventory.customers.values():
        for account in customer.accounts:
            if _digits(account) and digits.endswith(_digits(account)):
                best = max(best, (len(_digits(account)), customer.name, None), key=lambda one: one[0])
    for job in settings.jobs:
        own = _digits(str(getattr(job.options, "number", "")))
        theirs = customer_of(job.node, inventory)
        if own and theirs is not None and digits.endswith(own) and len(own) >= best[0]:
            best = (len(own), theirs, job.node.name)
    return best[1:]


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdecimal()).lstrip("0")


class _Run:
    """One complaint: what is being measured for which step, and what came of it."""

    def __init__(
        self,
        settings: Settings,
        flow: Sequence[Question],
        ground: Ground,
        believing: Believing,
        trouble: Trouble,
        quiet: Callable[[str, str], bool],
    ) -> None:
        self._settings, self._flow, self._ground, self._believing, self._trouble = settings, flow, ground, believing, trouble
        self._quiet = quiet
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._asks: dict[str, tuple[Ask, ...]] = {}
        self._tasks: dict[JobKey, asyncio.Task[None]] = {}
        self._late: list[JobKey] = []
        self._spare = 0
        self.ended: dict[str, Ended] = {}
        self._not_looked: list[Message] = []

    @property
    def seen(self) -> bool:
        """Whether every question about our own side that could be asked was answered by something readable, the agent's sight first."""
        ours = {question.name for question in self._flow if question.ours}
        dark = any(ended.state is StepState.UNKNOWN for name, ended in self.ended.items() if name in ours)
        return not dark and self.ended["sight"].state is not StepState.SKIPPED

    def begin(self, near: Container[str]) -> None:
        """Begin to measure for all steps at once: what one step waits for, the next can use. Of too much what is `near` comes first."""
        keys = [job.key for job in self._settings.jobs]
        for question in self._flow:
            self._asks[question.name] = wanted(question, self._ground, keys, self._settings.inventory)
        known = {key_of(ask): ask for asks in self._asks.values() for ask in asks}
        asks = sorted(known.values(), key=lambda ask: ask.node not in near) if len(known) > MOST else list(known.values())
        self._spare = len(asks[MOST:])
        for ask in asks[:MOST]:
            task = self._believing.ask(ask)
            if task is not None:
                self._tasks[key_of(ask)] = task

    async def end(self, question: Question) -> Ended:
        """Wait for a step's measurements and return what they say."""
        asks = self._asks[question.name]
        tasks = {key: self._tasks[key] for ask in asks if (key := key_of(ask)) in self._tasks}
        await self._wait(tasks.values(), self._start + FIRST_S)
        self._late += [key for key, task in tasks.items() if not task.done()]
        ended = self._ended(question, asks)
        self.ended[question.name] = ended
        return ended

    async def _wait(self, tasks: Iterable["asyncio.Task[None]"], until: float) -> None:
        tasks, left = list(tasks), until - self._loop.time()
        if tasks and left > 0:
            await asyncio.wait(tasks, timeout=left)
        for task in tasks:
            if task.done() and not task.cancelled() and (why := task.exception()) is not None:
                raise why

    def _ended(self, question: Question, asks: Sequence[Ask]) -> Ended:
        took_s = self._loop.time() - self._start
        if not asks:
            return Ended(question.name, StepState.SKIPPED, took_s, note=self._why_not(question))
        readings = self._readings(question)
        if not readings:
            late = any(key_of(ask) in self._late for ask in asks)
            if question.name == "nat" and not late and self._without_nat(asks):
                return Ended(question.name, StepState.SKIPPED, took_s, _names(asks), note=Message("skipped.nat-address"))
            note = Message("diagnose.late") if late else Message("diagnose.no-reading")
            return Ended(question.name, StepState.UNKNOWN, took_s, _names(asks), note=note)
        bad = [one for one, believed in readings if believed]
        good = [one for one, believed in readings if one.state is State.OK and not believed]
        unknown = len(readings) - len(bad) - len(good)
        state = StepState.BAD if bad else StepState.GOOD if good else StepState.UNKNOWN
        doubtful = [one for one, believed in readings if one.state in _BAD and not believed]
        told = _worst(bad) or _worst(doubtful) or ([] if good else [one for one, _ in readings]) or _worth(question, good)
        tellings = tuple(Telling(one.seen.node, one.state, one.message) for one in told[:TOLD])
        nodes = tuple(sorted({one.seen.node for one, _ in readings}))
        if doubtful and not bad:
            state = StepState.UNKNOWN
        return Ended(question.name, state, took_s, nodes, len(good), len(bad), unknown, tellings)

    def _readings(self, question: Question) -> list[tuple[Finding, bool]]:
        """Return what was measured now that answers a question, and whether it is believed to be bad."""
        found = []
        for key in sorted(self._believing.measured):
            memory = self._believing.memories[key]
            for one in memory.found:
                if one.check != base(one.check) or one.message.id.startswith("freshness.") or self._quiet(one.seen.node, one.check):
                    continue
                if question_of(one, self._flow, self._ground) != question.name:
                    continue
                track = memory.tracks.get((one.check, one.item or one.seen.item))
                found.append((one, track is not None and track.bad and (one.state in _BAD or track.soft is not State.OK)))
        return found

    def _without_nat(self, asks: Sequence[Ask]) -> bool:
        """Tell whether the gateways that were asked have no public address that could be asked as well."""
        seen = [memory.before for ask in asks if (memory := self._believing.memories.get(key_of(ask))) is not None]
        outcomes = [one.outcome for one in seen if one is not None]
        return bool(outcomes) and all(isinstance(one, GatewaySample) and not one.nat_address for one in outcomes)

    def _why_not(self, question: Question) -> Message:
        name = question.name
        if question.place in (Place.LINE, Place.ROUTER, Place.GATEWAY):
            if self._trouble.customer is None:
                return Message("skipped.customer")
            if not self._ground.nodes[question.place]:
                return Message(f"skipped.{'gateway' if question.place is Place.GATEWAY else 'site'}", {"customer": self._trouble.customer})
            if "gateway" in question.probers:
                return Message("skipped.consent")
        return Message(f"skipped.{name}")

    async def decide(self, topology: Topology, known: Known) -> tuple[Diagnosis, ...]:
        """Return what correlate says, once what it asks for was measured as far as time allows."""
        measured: set[JobKey] = set()
        found = await self._correlated(topology, known)
        for _ in range(ROUNDS):
            asks = [ask for ask in found.asks if key_of(ask) not in measured]
            left = self._start + WHOLE_S - self._loop.time()
            if not asks or left <= 0:
                break
            measured |= {key_of(ask) for ask in asks}
            tasks = [task for ask in asks if (task := self._believing.ask(ask)) is not None]
            await self._wait(tasks, self._loop.time() + min(ROUND_S, left))
            found = await self._correlated(topology, known)
        return found.diagnoses

    async def _correlated(self, topology: Topology, known: Known) -> Correlation:
        """Correlate what is known at this moment, in a thread: a wide outage takes a second, in which measuring must go on."""
        return await asyncio.to_thread(correlate, dict(self._believing.memories), topology, known.past, known.views)

    def conclude(self, request: Request, verdict: Verdict, watched: bool, at: datetime) -> Conclusion:
        """Return the conclusion, without the evidence, which is the case's."""
        one = verdict.diagnosis
        steps = self.ended.values()
        todo = remedy(one, self._settings.inventory) if one is not None else ()
        return Conclusion(
            request=msgspec.structs.replace(request, customer=self._trouble.customer, node=self._trouble.node),
            at=at,
            agent=self._settings.agent.name,
            answer=verdict.answer.value,
            diagnosis=one,
            others=verdict.others,
            decides=verdict.decides,
            todo=tuple(Todo(who, what) for who, what in todo),
            ruled_out=tuple((step.question, step.good) for step in steps if step.state is StepState.GOOD),
            not_looked=self._left_out(),
            readings=sum(step.good + step.bad + step.unknown for step in steps),
            took_s=self._loop.time() - self._start,
            rules=RULES,
            watched=watched,
        )

    def _left_out(self) -> tuple[Message, ...]:
        told = [ended.note for ended in self.ended.values() if ended.state is StepState.SKIPPED and ended.note is not None]
        told += [
            Message("unmeasured.refused", {"node": node, "prober": prober, "why": why})
            for (node, prober, _), why in sorted(self._believing.refused.items())
        ]
        late = [f"{prober} {node}" for node, prober, _ in dict.fromkeys(self._late)]
        if late:
            told.append(Message("unmeasured.late", {"checks": ", ".join(late)}))
        if self._spare:
            told.append(Message("unmeasured.many", {"n": self._spare, "most": MOST}))
        return _once(told)


def _once(messages: Sequence[Message]) -> tuple[Message, ...]:
    found: list[Message] = []
    for one in messages:
        if one not in found:
            found.append(one)
    return tuple(found)


def _names(asks: Sequence[Ask]) -> tuple[str, ...]:
    return tuple(sorted({ask.node for ask in asks}))


def _worst(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, the critical first; of those that say the same of a node one."""
    ordered = sorted(findings, key=lambda one: (one.state is not State.CRITICAL, one.seen.node, one.check))
    return list({(one.seen.node, one.message.id): one for one in reversed(ordered)}.values())[::-1]


def _worth(question: Question, good: Sequence[Finding]) -> list[Finding]:
    """Return the good readings that are worth telling: one for each of the checks that the question names."""
    found = []
    for check in question.tells:
        found += [one for one in good if one.check == check][:1]
    return found
