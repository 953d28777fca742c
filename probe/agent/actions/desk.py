"""What is or was wrong: asked of the service when it runs here, else read from the store beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from billing_audit.audit import Audit
from checks.proof import Explanation, Proof, explain, read
from checks.verdict import CaseKind
from probe.agent.client import NoService, ServiceProblem, ask, fetch, find_socket
from reports.audit.opening import read as read_audit
from reports.audit.opening import step
from reports.case import Case, CaseEvent
from reports.complaint import Complaint
from reports.render.status import Status

MOST_PARTS = 20  # parts of a case whose story is told with it


class DeskProblem(Exception):
    """It can't be shown; the text says why and what to do."""


class Desk:
    """Reads cases. `config` and `state_dir` say where the store is when no service runs."""

    def __init__(self, config: str | None = None, state_dir: str | None = None) -> None:
        self._config, self._state_dir = config, state_dir

    def status(self) -> Status:
        """Return the status of the running service."""
        return msgspec.convert(self._ask("GET", "/v1/status"), Status)

    def cases(self, everything: bool) -> list[Case]:
        """Return open cases, or all."""
        answer = self._live_answer(f"/v1/cases?all={int(everything)}")
        if answer is not None:
            return msgspec.json.decode(answer, type=list[Case])
        with self._store() as store:
            return list(store.cases(open_only=not everything))

    def case(self, number: int) -> tuple[Case, list[CaseEvent]]:
        """Return a case and what happened to it."""
        answer = self._live_answer(f"/v1/cases/{number}")
        if answer is not None:
            events = self._ask("GET", f"/v1/cases/{number}/events")
            return msgspec.json.decode(answer, type=Case), msgspec.convert(events, list[CaseEvent])
        with self._store() as store:
            case = store.case(number)
            if case is None:
                raise DeskProblem(f"there is no case #{number}; `firstline case list --all` shows all")
            return case, list(store.events(number))

    def parts(self, number: int) -> list[Case]:
        """Return the cases that became a part of one."""
        answer = self._live_answer(f"/v1/cases/{number}/parts")
        if answer is not None:
            return msgspec.json.decode(answer, type=list[Case])
        with self._store() as store:
            return list(store.parts(number))

    def complaints(self, number: int) -> list[Complaint]:
        """Return the complaints that hang on a case."""
        answer = self._live_answer(f"/v1/cases/{number}/complaints")
        if answer is not None:
            return msgspec.json.decode(answer, type=list[Complaint])
        with self._store() as store:
            return list(store.complaints(number))

    def story(self, events: Sequence[CaseEvent], parts: Sequence[Case]) -> list[CaseEvent]:
        """Return the events of a case and of its parts: of the last MOST_PARTS where there are more."""
        return [*events, *(event for part in parts[-MOST_PARTS:] for event in self.case(part.id)[1])]

    def proof(self, number: int) -> bytes:
        """Return what the verdict of a case stands on, as JSON."""
        answer = self._live_answer(f"/v1/cases/{number}/evidence")
        if answer is not None:
            return answer
        with self._store() as store:
            stored = store.evidence(number)
        if stored is None:
            raise DeskProblem(f"case #{number} has no evidence")
        return bytes(stored)

    def open_audit(self, customer: str, told: bytes) -> Case | None:
        """Open the case of an audit's evidence, through the service that runs here, else in the store; None when the bills agree."""
        if self._state_dir is None and find_socket(self._config) is not None:
            try:
                answer = fetch("POST", "/v1/audits", {"customer": customer, "audit": msgspec.json.decode(told)}, self._config)
                return msgspec.json.decode(answer, type=Case | None)
            except NoService:
                pass
            except ServiceProblem as why:
                raise DeskProblem(str(why)) from why
        with self._store() as store:
            planned = step(told, customer, store.agent, now())
            if planned is None:
                return None
            store.accept([planned], now())
            return next((one for one in store.cases(open_only=True) if one.identity == planned.case.identity), None)

    def last_audit(self, customer: str) -> Audit | None:
        """Return this customer's last audit that became a case; None when there is none, or none that this version can read."""
        billing = [one for one in self.cases(True) if one.kind is CaseKind.BILLING and customer in one.affected]
        for case in sorted(billing, key=lambda one: one.id, reverse=True)[:1]:
            try:
                return read_audit(self.proof(case.id))
            except (DeskProblem, msgspec.DecodeError):
                return None
        return None

    def _live_answer(self, path: str) -> bytes | None:
        """Return what the service that runs here answers; None when none does, and then the store beside it is read."""
        if self._state_dir is not None or find_socket(self._config) is None:
            return None
        try:
            return fetch("GET", path, config=self._config)
        except NoService:
            return None
        except ServiceProblem as why:
            raise DeskProblem(str(why)) from why

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            return ask(method, path, body, self._config)
        except ServiceProblem as why:
            raise DeskProblem(str(why)) from why

    @contextmanager
    def _store(self) -> Iterator[Any]:
        from probe.agent.places import state_folder, store_address
        from probe.agent.settings.load import SettingsError, load
        from probe.agent.settings.secret import SecretError
        from reports.store.errors import StoreError
        from reports.store.store import open_store

        try:
            settings = load(self._config)
            where = store_address(settings, state_folder(settings, self._state_dir))
            with open_store(where, agent=settings.agent.name, feeds=[feed.name for feed in settings.feeds]) as store:
                yield store
        except SettingsError as why:
            raise DeskProblem(f"the configuration has {len(why.problems)} problems; `firstline config check` names them") from why
        except (StoreError, SecretError) as why:
            raise DeskProblem(str(why)) from why


def audited(text: bytes) -> Audit | None:
    """Return the audit of a case of bills; None when the evidence is that of a measurement."""
    try:
        return read_audit(text)
    except msgspec.DecodeError:
        return None


def explained(text: bytes) -> tuple[Proof, Explanation]:
    """Return a proof and what it leads to; DeskProblem when the text is no proof."""
    try:
        proof = read(text)
    except (msgspec.DecodeError, RecursionError) as why:
        raise DeskProblem(f"this is no evidence of a case: {why}") from why
    try:
        return proof, explain(proof)
    except (LookupError, ArithmeticError, TypeError, ValueError) as why:
        raise DeskProblem(f"the evidence can't be judged here: {why}") from why


def now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)
