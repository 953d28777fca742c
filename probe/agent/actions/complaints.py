"""A complaint and the case that explains it: joins the open one, else opens it."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from checks.correlate import RULES
from checks.verdict import Diagnosis
from reports.case import Case
from reports.complaint import Complaint
from reports.diagnosis import Opened, Request
from reports.opening import explaining, join, open_for
from reports.store.store import Store

TRIES = 4  # the service may open the same case at the same moment


def complaint_of(request: Request, now: datetime) -> Complaint:
    """Return the complaint that a diagnosis was asked for."""
    return Complaint(
        customer=request.customer or "",
        taken_at=now,
        symptoms=request.symptoms,
        number=request.number or "",
        since=request.since,
    )


def hang(store: Store, diagnosis: Diagnosis, proof: bytes | None, complaint: Complaint, now: Callable[[], datetime]) -> Opened | None:
    """Hang a complaint on the case of a diagnosis: on the open one that explains it, else on a new one; None when neither was accepted.

    StoreError when the store is away. `proof` is the evidence of a new case.
    """
    for _ in range(TRIES):
        open_cases = store.cases(open_only=True)
        case = explaining(diagnosis, open_cases)
        if case is not None:
            store.accept([join(case, complaint, now())], now())
            if _hangs(store, case, complaint):
                return Opened(case.id, True)
            continue
        opened, joined = open_for(diagnosis, complaint, now())
        opened = msgspec.structs.replace(opened, evidence=proof, case=msgspec.structs.replace(opened.case, rules=RULES))
        store.accept([opened, joined], now())
        case = explaining(diagnosis, store.cases(open_only=True))
        if case is not None and _hangs(store, case, complaint):
            return Opened(case.id, False)
    return None


def _hangs(store: Store, case: Case, complaint: Complaint) -> bool:
    """Tell whether the complaint is on the case: told a second time it is accepted no more, but it is there."""
    return any(
        one.customer == complaint.customer and one.number == complaint.number and set(one.symptoms) == set(complaint.symptoms)
        for one in store.complaints(case.id)
    )
