"""What the records of our switch say of one number: did its calls reach us, and what became of them?"""

import asyncio
from datetime import UTC, datetime, timedelta

from checks.finding import Message, Value
from probe.agent.settings.settings import Settings
from probe.cdr.layout import layout_of
from probe.cdr.of_number import NumberCalls, calls_of
from probe.job import Job
from reports.diagnosis import Request

BACK = timedelta(hours=24)  # when the customer does not say since when
MOST = timedelta(days=7)


async def calls_told(settings: Settings, request: Request, now: datetime) -> tuple[Message, ...]:
    """Return a message for each configured file of call records, when the complaint names a number."""
    if request.number is None:
        return ()
    since = max(request.since or now - BACK, now - MOST)
    jobs = [job for job in settings.jobs if job.prober == "cdr"]
    if not jobs:
        return (Message("calls.no-records"),)
    return tuple(await asyncio.gather(*(asyncio.to_thread(_told, job, request.number, since, now) for job in jobs)))


def _told(job: Job, number: str, since: datetime, now: datetime) -> Message:
    options = job.options
    try:
        layout = layout_of(options.layout, options.columns, options.delimiter, options.header, options.times)
        found = calls_of(options.cdr_file, layout, options.zone, number, since.timestamp(), now.timestamp())
    except (OSError, ValueError) as why:
        return Message("calls.unreadable", {"why": str(getattr(why, "strerror", None) or why)})
    return _message(number, found, since)


def _message(number: str, found: NumberCalls, since: datetime) -> Message:
    began = since.astimezone().strftime("%m-%d %H:%M")
    masked = f"…{number[-4:]}"
    if found.last_at is None:
        return Message("calls.none", {"number": masked, "since": began})
    causes = ", ".join(f"{cause} ×{count}" for cause, count in found.causes.items()) or "–"
    last = datetime.fromtimestamp(found.last_at, UTC).astimezone().strftime("%m-%d %H:%M:%S")
    values: dict[str, Value] = {
        "number": masked,
        "since": began,
        "n": found.attempts,
        "answered": found.answered,
        "causes": causes,
        "last": last,
    }
    return Message("calls.some", values)
