"""The HTTP side as an ASGI application: page, metrics, probe, health, reload, and the interface that the commands speak to."""

import asyncio
import gzip
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checks.finding import State
from checks.verdict import CaseKind
from probe.observation.failure import Failure
from reports.diagnosis import Line, Problem
from reports.diagnosis import Request as DiagnoseRequest
from reports.locale.text import choose, texts
from reports.metrics import render_probe
from reports.render.status import status_text
from reports.web.actions import Actions, AuditRequest, CheckRequest, ComplaintRequest, MaintenanceRequest, Refused
from reports.web.guard import Guard, admit

log = logging.getLogger(__name__)

MOST_BODY = 65_536
MOST_AUDIT = 8_000_000  # an audit.json with its tables
BODY_S = 10.0
MOST_PROBES = 32
MOST_DIAGNOSES = 2  # each measures everything that a complaint may have to do with
_ALL_TAKEN = f"{MOST_DIAGNOSES} complaints are being looked into; ask again in some seconds"
_PAGE_COLUMNS = 120
_COMPRESS_FROM = 1024
_SLICE = 500
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_encode = msgspec.json.encode
T = TypeVar("T")


def create_app(actions: Actions, guard: Guard) -> Starlette:
    """Return the application for one listener: the same service, guarded as that listener needs."""
    handlers = _Handlers(actions)
    routes = [
        Route("/", handlers.page, methods=["GET"]),
        Route("/metrics", handlers.metrics, methods=["GET"]),
        Route("/probe", handlers.probe, methods=["GET"]),
        Route("/-/healthy", handlers.healthy, methods=["GET"]),
        Route("/-/ready", handlers.ready, methods=["GET"]),
        Route("/-/reload", handlers.reload, methods=["POST", "PUT"]),
        Route("/v1/status", handlers.status, methods=["GET"]),
        Route("/v1/cases", handlers.cases, methods=["GET"]),
        Route("/v1/cases/{number:int}", handlers.case, methods=["GET"]),
        Route("/v1/cases/{number:int}/events", handlers.events, methods=["GET"]),
        Route("/v1/cases/{number:int}/parts", handlers.parts, methods=["GET"]),
        Route("/v1/cases/{number:int}/complaints", handlers.complaints, methods=["GET"]),
        Route("/v1/cases/{number:int}/evidence", handlers.evidence, methods=["GET"]),
        Route("/v1/complaints", handlers.complain, methods=["POST"]),
        Route("/v1/cases/{number:int}/verify", handlers.verify, methods=["POST"]),
        Route("/v1/check", handlers.check, methods=["POST"]),
        Route("/v1/diagnose", handlers.diagnose, methods=["POST"]),
        Route("/v1/audits", handlers.open_audit, methods=["POST"]),
        Route("/v1/maintenance", handlers.maintenance, methods=["GET"]),
        Route("/v1/maintenance", handlers.begin_maintenance, methods=["POST"]),
        Route("/v1/maintenance", handlers.end_maintenance, methods=["DELETE"]),
    ]
    failures: dict[Any, Any] = {Refused: _refused, HTTPException: _http_problem, Exception: _broken}
    return Starlette(routes=routes, middleware=[Middleware(_Gate, guard=guard)], exception_handlers=failures)


class _Handlers:
    """What each address answers."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._probes = asyncio.Semaphore(MOST_PROBES)
        self._diagnoses = asyncio.Semaphore(MOST_DIAGNOSES)

    async def page(self, request: Request) -> Response:
        wish = request.query_params.get("lang") or request.headers.get("accept-language") or self._actions.language
        return PlainTextResponse(status_text(await self._actions.status(), texts(choose(wish, os.environ)), columns=_PAGE_COLUMNS))

    async def metrics(self, request: Request) -> Response:
        body, content_type = await self._actions.metrics(request.headers.get("accept", ""))
        return await _compressed(request, body, content_type)

    async def probe(self, request: Request) -> Response:
        target = request.query_params.get("target", "")
        if not target:
            raise Refused(400, "which target? /probe?target=NAME&module=icmp")
        module = request.query_params.get("module", "icmp")
        async with self._slot():
            checked = await self._actions.probe(target, module, _scrape_timeout(request))
        states = {finding.state for finding in checked.findings}
        success = not isinstance(checked.seen.outcome, Failure) and State.CRITICAL not in states
        body, content_type = render_probe(success, checked.seen.took_ms / 1000, checked.findings, request.headers.get("accept", ""))
        return await _compressed(request, body, content_type)

    async def healthy(self, request: Request) -> Response:
        return _verdict(self._actions.healthy())

    async def ready(self, request: Request) -> Response:
        return _verdict(self._actions.ready())

    async def reload(self, request: Request) -> Response:
        problems = list(await self._actions.reload())
        return _json({"problems": problems}, 422 if problems else 200)

    async def status(self, request: Request) -> Response:
        return _json(await self._actions.status())

    async def cases(self, request: Request) -> Response:
        found = await self._actions.cases(request.query_params.get("all") in ("1", "true"))
        parts = []
        for at in range(0, len(found), _SLICE):  # an encoder holds the loop for all it is given
            parts.append(_encode(list(found[at : at + _SLICE]))[1:-1])
            await asyncio.sleep(0)
        return Response(b"[" + b",".join(parts) + b"]", media_type="application/json")

    async def case(self, request: Request) -> Response:
        number = request.path_params["number"]
        return _json(_there(await self._actions.case(number), f"there is no case #{number}"))

    async def events(self, request: Request) -> Response:
        number = request.path_params["number"]
        _there(await self._actions.case(number), f"there is no case #{number}")
        return _json(list(await self._actions.events(number)))

    async def parts(self, request: Request) -> Response:
        number = request.path_params["number"]
        _there(await self._actions.case(number), f"there is no case #{number}")
        return _json(list(await self._actions.parts(number)))

    async def complaints(self, request: Request) -> Response:
        number = request.path_params["number"]
        _there(await self._actions.case(number), f"there is no case #{number}")
        return _json(list(await self._actions.complaints(number)))

    async def complain(self, request: Request) -> Response:
        wanted = await _body(request, ComplaintRequest)
        if not wanted.customer and not wanted.number:
            raise Refused(400, "who complains? a complaint has a customer or a number")
        _zoned(wanted.since)
        if any(
            "\0" in text for text in (wanted.customer, wanted.contact, wanted.number, wanted.text, wanted.by, wanted.id, *wanted.symptoms)
        ):
            raise Refused(400, "a text holds a NUL character")  # PostgreSQL keeps none
        return _json(await self._actions.complain(wanted), 201)

    async def evidence(self, request: Request) -> Response:
        number = request.path_params["number"]
        stored = _there(await self._actions.evidence(number), f"there is no evidence of a case #{number}")
        return Response(stored, media_type="application/json")

    async def check(self, request: Request) -> Response:
        wanted = await _body(request, CheckRequest)
        async with self._slot():
            return _json(await self._actions.check(wanted))

    async def diagnose(self, request: Request) -> Response:
        """Answer with one JSON object a line, each as soon as it is known."""
        wanted = await _body(request, DiagnoseRequest)
        if wanted.kind not in (CaseKind.NETWORK, CaseKind.EQUIPMENT):
            raise Refused(400, f"a complaint is of network or equipment; {wanted.kind} has no flow of measurements")
        _zoned(wanted.since)
        self._look_for_a_place()
        return StreamingResponse(self._lines(await self._actions.diagnose(wanted)), media_type="application/x-ndjson")

    async def verify(self, request: Request) -> Response:
        number = request.path_params["number"]
        self._look_for_a_place()
        lines = _there(await self._actions.verify(number), f"there is no case #{number}")
        return StreamingResponse(self._lines(lines), media_type="application/x-ndjson")

    def _look_for_a_place(self) -> None:
        if self._diagnoses.locked():
            raise Refused(503, _ALL_TAKEN)

    async def _lines(self, lines: AsyncIterator[Line]) -> AsyncIterator[bytes]:
        if self._diagnoses.locked():  # taken since it was looked: nobody waits in line, for the asker's patience runs already
            yield _encode(Problem(_ALL_TAKEN)) + b"\n"
            return
        async with self._diagnoses:
            try:
                async for line in lines:
                    yield _encode(line) + b"\n"
            except Exception:  # the answer has begun: its end says that it is none
                log.exception("a diagnosis raised")
                yield _encode(Problem("the service failed; its log says why")) + b"\n"

    async def open_audit(self, request: Request) -> Response:
        wanted = await _body(request, AuditRequest, MOST_AUDIT)
        opened = await self._actions.open_audit(wanted)
        return _json(opened, 200 if opened is None else 201)

    async def maintenance(self, request: Request) -> Response:
        return _json(list(await self._actions.maintenance()))

    async def begin_maintenance(self, request: Request) -> Response:
        wanted = await _body(request, MaintenanceRequest)
        if not 0 < wanted.seconds <= 30 * 86400:
            raise Refused(400, "maintenance lasts more than nothing and at most 30 days")
        if "\0" in wanted.who + wanted.why:
            raise Refused(400, "a text holds a NUL character")  # PostgreSQL keeps none
        return _json(await self._actions.begin_maintenance(wanted), 201)

    async def end_maintenance(self, request: Request) -> Response:
        node = request.query_params.get("node", "")
        if not await self._actions.end_maintenance(node):
            raise Refused(404, f'"{node}" is not in maintenance')
        return _json({})

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Hold one of the places for measurements on request; Refused when all are taken."""
        if self._probes.locked():
            raise Refused(503, f"{MOST_PROBES} measurements are under way; ask again in a moment")
        async with self._probes:
            yield


class _Gate:
    """Lets in what the guard admits, and puts the safety headers on every answer."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFETY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            admit(self._guard, scope["method"], scope["path"], scope["query_string"], Headers(scope=scope))
        except Refused as why:
            await _problem(scope["path"], why.status, str(why))(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)


async def _compressed(request: Request, body: bytes, content_type: str) -> Response:
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if len(body) >= _COMPRESS_FROM and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = await asyncio.to_thread(gzip.compress, body, 1)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    wishes = [part.replace(" ", "").lower().partition(";") for part in accepted.split(",")]
    return any(name == "gzip" and weight not in ("q=0", "q=0.0", "q=0.00", "q=0.000") for name, _, weight in wishes)


def _scrape_timeout(request: Request) -> float | None:
    """Return what is left of the scraper's patience after half a second for the way, None when it does not say."""
    try:
        patience = float(request.headers["x-prometheus-scrape-timeout-seconds"])
    except (KeyError, ValueError):
        return None
    return max(0.1, patience - 0.5) if 0 < patience < 3600 else None


async def _body(request: Request, shape: type[T], most: int = MOST_BODY) -> T:
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                read += chunk
                if len(read) > most:
                    raise Refused(413, f"the body is larger than {most} bytes")
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {BODY_S:.0f} s") from None
    try:
        return msgspec.json.decode(bytes(read), type=shape)
    except msgspec.DecodeError as why:
        raise Refused(400, f"the body does not fit: {why}") from None


def _zoned(since: datetime | None) -> None:
    if since is not None and since.tzinfo is None:
        raise Refused(400, "since: a time needs its zone, for instance 2026-11-22T08:00:00+08:00")


def _there(found: T | None, otherwise: str) -> T:
    if found is None:
        raise Refused(404, otherwise)
    return found


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type="application/json")


def _verdict(problem: str) -> Response:
    return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200)


def _problem(path: str, status: int, reason: str) -> Response:
    """Return an error: as JSON {"error": …} where programs ask, as a line of text elsewhere."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    if path.startswith("/v1/") or path == "/-/reload":
        return Response(_encode({"error": reason}), status, headers, media_type="application/json")
    return PlainTextResponse(reason + "\n", status, headers)


async def _refused(request: Request, why: Exception) -> Response:
    status = why.status if isinstance(why, Refused) else 500
    return _problem(request.url.path, status, str(why))


async def _http_problem(request: Request, why: Exception) -> Response:
    status, reason = (why.status_code, why.detail) if isinstance(why, HTTPException) else (500, str(why))
    answer = _problem(request.url.path, status, reason)
    if isinstance(why, HTTPException) and why.headers:
        answer.headers.update(why.headers)
    return answer


async def _broken(request: Request, why: Exception) -> Response:  # noqa: ARG001
    answer = _problem(request.url.path, 500, "internal error; the service's log has the details")
    answer.headers.update(_SAFETY)  # this answer goes round the gate
    return answer
