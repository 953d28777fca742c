"""A complaint that an open case explains joins it: the case that is named, else the one that affects the customer."""

from collections.abc import Callable
from datetime import datetime

from reports.case import Case
from reports.complaint import Complaint, known
from reports.opening import join
from reports.render.cases import by_urgency
from reports.store.store import Store
from reports.web.actions import ComplaintRequest, Refused

MOST_COMPLAINTS = 1000  # of one case: each is told with the whole case, so that their rows grow with the square
TRIES = 8  # the service may change the same case at the same moment


def complain(store: Store, request: ComplaintRequest, now: Callable[[], datetime]) -> Case:
    """Hang a complaint on its case and return that; told again, it is where it was.

    Refused (404, 409, 503) says why not, also when there are MOST_COMPLAINTS; StoreError.
    """
    complaint = known(
        Complaint(
            customer=request.customer,
            taken_at=now(),
            contact=request.contact,
            symptoms=request.symptoms,
            number=request.number,
            since=request.since,
            text=request.text,
            by=request.by,
            id=request.id,
        )
    )
    for _ in range(TRIES):
        hanging = store.complaint(complaint.id)
        if hanging is not None and (case := store.case(hanging.case)) is not None:
            return case
        case = _case(store, request)
        if len(store.complaints(case.id)) >= MOST_COMPLAINTS:
            raise Refused(409, f"case #{case.id} has {MOST_COMPLAINTS} complaints, and takes no more: keep this one by hand")
        store.accept([join(case, complaint, now())], now())
    raise Refused(503, "the case changes faster than a complaint can join it; try again")


def _case(store: Store, request: ComplaintRequest) -> Case:
    if request.case is None:
        affected = [case for case in store.cases(open_only=True) if case.cleared_at is None and request.customer in case.affected]
        if not affected:
            raise Refused(404, f'no open case affects "{request.customer}"; name the case, or look into it with `firstline diagnose`')
        return by_urgency(affected)[0]
    case = store.case(request.case)
    while case is not None and case.merged_into is not None:
        case = store.case(case.merged_into)
    if case is None:
        raise Refused(404, f"there is no case #{request.case}")
    if case.cleared_at is not None:
        raise Refused(409, f"case #{case.id} is over: it explains no complaint of now")
    return case
