import asyncio
import gzip
import http.client
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from checks.finding import Finding, Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.case import Case, CaseEvent, EventKind
from reports.complaint import Complaint
from reports.diagnosis import Begun, Ended, Line, StepState
from reports.render.status import Maintenance, Status
from reports.web import serve
from reports.web.actions import Checked, Refused
from reports.web.app import MOST_BODY, MOST_DIAGNOSES, MOST_PROBES, _Handlers, create_app
from reports.web.guard import Guard, is_loopback, listener_guard
from reports.web.serve import serving, tcp_socket, unix_socket

AT = datetime(2026, 10, 20, 14, 0, tzinfo=UTC)
TOKEN = "0123456789abcdef0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CASE = Case(
    id=7,
    kind=CaseKind.NETWORK,
    cause="host_down",
    element="web-1",
    severity=State.CRITICAL,
    side=Side.COMPANY,
    area=Area.SERVER,
    urgency=Urgency.EMERGENCY,
    confidence=None,
    opened_at=AT,
    since=AT,
    updated_at=AT,
    summary=Message("web-1 answers nothing"),
    action=Message("look"),
    agent="a",
    keys=(("a", "web-1", "icmp/loss", ""),),
)
PART = msgspec.structs.replace(CASE, id=5, merged_into=7, cleared_at=AT)
SEEN = Observation("a", "web-1", "icmp", AT, 81.0, EchoSample("192.0.2.1", 5, 5))


class Service:
    """A service as the HTTP side sees it."""

    language = "en"

    def __init__(self):
        self.problems, self.sick, self.waiting, self.reloads, self.nodes = [], "", "", 0, {}
        self.told = []
        self.gate = None
        self.diagnosing = asyncio.Event()
        self.diagnosing.set()

    def now(self):
        return AT

    def healthy(self):
        return self.sick

    def ready(self):
        return self.waiting

    async def metrics(self, accept):
        return b"firstline_up 1\n" * 200, "text/plain; version=0.0.4; charset=utf-8"

    async def probe(self, target, module, timeout_s):
        if target != "web-1":
            raise Refused(404, f'no node named "{target}" in the inventory')
        if module == "dead":
            seen = msgspec.structs.replace(SEEN, outcome=Failure(Kind.TIMEOUT))
            return Checked(seen, (Finding("icmp/loss", seen, State.CRITICAL, Message("x")),))
        return Checked(SEEN, (Finding("icmp/loss", SEEN, State.OK, Message("x"), value=timeout_s),))

    async def reload(self):
        self.reloads += 1
        return self.problems

    async def status(self):
        return Status("pop-a", "0.1.0", AT, AT, 214, 7.0, (CASE,))

    async def cases(self, everything):
        return [CASE] * 1001 if everything else [CASE]

    async def case(self, number):
        return CASE if number == 7 else None

    async def events(self, number):
        return [CaseEvent(7, 1, AT, EventKind.OPENED, {})]

    async def evidence(self, number):
        return b'{"rules":"1"}' if number == 7 else None

    async def parts(self, number):
        return [PART]

    async def complaints(self, number):
        return list(self.told)

    async def complain(self, request):
        if request.case == 8:
            raise Refused(404, "there is no case #8")
        self.told.append(Complaint(customer=request.customer, number=request.number, taken_at=AT, case=7, since=request.since))
        return CASE

    async def check(self, request):
        if request.prober == "broken":
            raise RuntimeError("secret words")
        if request.prober == "slow":
            await asyncio.sleep(30)
        return Checked(SEEN, ())

    async def diagnose(self, request):
        if request.customer == "Nobody":
            raise Refused(400, 'no customer named "Nobody"')

        async def lines():
            yield Begun("sight")
            await self.diagnosing.wait()
            if request.node == "broken":
                raise RuntimeError("secret words")
            yield Ended("sight", StepState.GOOD, 0.2)

        return lines()

    async def maintenance(self):
        return list(self.nodes.values())

    async def begin_maintenance(self, request):
        self.nodes[request.node] = Maintenance(request.node, AT, request.why)
        return self.nodes[request.node]

    async def end_maintenance(self, node):
        return self.nodes.pop(node, None) is not None


@contextmanager
def running(listener, guard, service):
    """Serve in a loop of its own; at the end say how long the stop took."""
    started, stop, took = threading.Event(), None, []

    async def main():
        nonlocal stop
        stop, loop_stop = asyncio.Event(), asyncio.get_running_loop()
        service.loop = loop_stop
        service.gate = lambda: loop_stop.call_soon_threadsafe(stop.set)
        async with serving(create_app(service, guard), listener):
            started.set()
            await stop.wait()
            begun = time.perf_counter()
        took.append(time.perf_counter() - begun)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert started.wait(10)
        yield took
    finally:
        service.gate()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def port(service):
    listener = tcp_socket("127.0.0.1", 0)
    number = listener.getsockname()[1]
    with running(listener, Guard(open=True, token=TOKEN), service):
        yield number


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(str(self.path))


@pytest.fixture
def local(service, tmp_path):
    path = str(tmp_path / "s.sock")
    with running(unix_socket(path), Guard(local=True), service):
        yield path


def ask(where, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", where, timeout=10) if isinstance(where, int) else Unix(where)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_root_answers_with_the_open_cases(port):
    answer, body = ask(port, "GET", "/")
    assert answer.status == 200
    assert body.decode().splitlines()[0] == " pop-a · 214 checks, all fresh (oldest 7 s) · 1 case"
    assert "web-1 answers nothing" in body.decode()


@pytest.mark.parametrize(("path", "headers"), [("/?lang=zh", {}), ("/", {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})])
def test_root_speaks_the_readers_language(port, path, headers):
    assert "214 项检查" in ask(port, "GET", path, headers=headers)[1].decode()


def test_every_answer_carries_the_safety_headers(port):
    for path in ("/", "/metrics", "/nothing", "/v1/cases"):
        answer, _ = ask(port, "GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "uvicorn" not in str(answer.headers)


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("deflate, gzip;q=0.5", True), ("", False), ("gzip;q=0", False), ("br", False)]
)
def test_metrics_are_packed_for_those_who_take_it(port, accepted, packed):
    answer, body = ask(port, "GET", "/metrics", headers={"Accept-Encoding": accepted})
    assert (answer.headers["Content-Encoding"] == "gzip") is packed
    text = gzip.decompress(body) if packed else body
    assert text.count(b"\n") == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def values(body):
    return {sample.name: sample.value for family in parse(body.decode()) for sample in family.samples}


def test_probe_tells_success_and_failure(port):
    answer, body = ask(port, "GET", "/probe?target=web-1&module=icmp", headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
    assert (answer.status, values(body)) == (
        200,
        {"probe_success": 1, "probe_duration_seconds": 0.081, "firstline_value": 9.5, "firstline_state": 0},
    )
    assert values(ask(port, "GET", "/probe?target=web-1&module=dead")[1])["probe_success"] == 0


@pytest.mark.parametrize(
    ("path", "status", "reason"), [("/probe", 400, "which target?"), ("/probe?target=other", 404, 'no node named "other"')]
)
def test_refused_probe_says_why(port, path, status, reason):
    answer, body = ask(port, "GET", path)
    assert answer.status == status
    assert reason in body.decode()


@pytest.mark.parametrize(("path", "field"), [("/-/healthy", "sick"), ("/-/ready", "waiting")])
def test_health_is_503_with_the_reason(port, service, path, field):
    assert ask(port, "GET", path)[0].status == 200
    setattr(service, field, "the scheduler stands still since 40 s")
    answer, body = ask(port, "GET", path)
    assert (answer.status, body) == (503, b"the scheduler stands still since 40 s\n")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reload_tells_its_problems(port, service, method):
    assert ask(port, method, "/-/reload")[0].status == 200
    service.problems = ["firstline.toml:13: every: 0 is not a period"]
    answer, body = ask(port, method, "/-/reload")
    assert (answer.status, json.loads(body)) == (422, {"problems": service.problems})


def test_reload_by_get_is_not_done(port, service):
    answer, _ = ask(port, "GET", "/-/reload")
    assert (answer.status, service.reloads) == (405, 0)
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "PUT"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_a_page_of_another_site_can_not_reload(port, service, headers, status):
    assert ask(port, "POST", "/-/reload", headers=headers)[0].status == status
    assert service.reloads == (status == 200)


def test_the_own_origin_may_reload(port):
    assert ask(port, "POST", "/-/reload", headers={"Origin": f"http://127.0.0.1:{port}"})[0].status == 200
    assert ask(port, "POST", "/-/reload", headers={"Origin": f"http://127.0.0.1:{port + 1}"})[0].status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8470", 421),
        ("localhost:8470", 200),
        ("[::1]:8470", 200),
        ("10.0.0.1", 200),
        ("localhost.", 200),
    ],
)
def test_a_foreign_host_name_is_refused(port, host, status):
    assert ask(port, "GET", "/metrics", headers={"Host": host})[0].status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer ÿ"}, 401),
        (BEARER, 200),
    ],
)
def test_the_interface_wants_the_token_over_tcp(port, headers, status):
    answer, body = ask(port, "GET", "/v1/cases", headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert answer.status == status
    assert status == 200 or (answer.headers["WWW-Authenticate"] == "Bearer" and "error" in json.loads(body))


def test_without_token_the_interface_is_for_the_unix_socket_only(service):
    listener = tcp_socket("127.0.0.1", 0)
    number = listener.getsockname()[1]
    with running(listener, Guard(open=True), service):
        assert ask(number, "GET", "/v1/cases")[0].status == 403
        assert ask(number, "GET", "/v1/cases", headers=BEARER)[0].status == 403
        assert ask(number, "GET", "/metrics")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/probe?target=web-1", "/-/healthy", "/-/ready", "/v1/status", "/nothing"])
def test_off_loopback_everything_wants_the_token(service, path):
    listener = tcp_socket("127.0.0.1", 0)
    number = listener.getsockname()[1]
    with running(listener, listener_guard("192.0.2.1", TOKEN), service):
        assert ask(number, "GET", path)[0].status == 401
        assert ask(number, "GET", path, headers=BEARER)[0].status in (200, 404)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "", "host.example"])
def test_off_loopback_without_token_nothing_listens(host):
    with pytest.raises(ValueError, match="needs a token"):
        listener_guard(host, None)
    assert not listener_guard(host, TOKEN).open
    assert listener_guard(host, None, client_certificates=True).open


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host):
    assert is_loopback(host)
    assert listener_guard(host, None).open


def test_a_short_token_is_refused():
    with pytest.raises(ValueError, match="16 are the least"):
        listener_guard("127.0.0.1", "123456789012345")
    assert listener_guard("127.0.0.1", "1234567890123456").token


def test_the_unix_socket_gives_cases_and_status(local):
    status = msgspec.json.decode(ask(local, "GET", "/v1/status")[1], type=Status)
    assert status.cases == (CASE,)
    assert msgspec.json.decode(ask(local, "GET", "/v1/cases")[1], type=list[Case]) == [CASE]
    assert msgspec.json.decode(ask(local, "GET", "/v1/cases?all=1")[1], type=list[Case]) == [CASE] * 1001
    assert msgspec.json.decode(ask(local, "GET", "/v1/cases/7")[1], type=Case) == CASE
    assert [event["kind"] for event in json.loads(ask(local, "GET", "/v1/cases/7/events")[1])] == ["opened"]
    assert ask(local, "GET", "/v1/cases/7/evidence")[1] == b'{"rules":"1"}'
    assert msgspec.json.decode(ask(local, "GET", "/v1/cases/7/parts")[1], type=list[Case]) == [PART]


def test_a_complaint_joins_a_case(local):
    answer, body = ask(local, "POST", "/v1/complaints", json.dumps({"customer": "harbour", "since": "2026-11-22T08:00:00+08:00"}))
    assert (answer.status, msgspec.json.decode(body, type=Case)) == (201, CASE)
    (told,) = msgspec.json.decode(ask(local, "GET", "/v1/cases/7/complaints")[1], type=list[Complaint])
    assert (told.customer, told.since) == ("harbour", datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({}, 400, "customer"),
        ({"customer": ""}, 400, "a customer or a number"),
        ({"customer": "x", "since": "2026-11-22T08:00:00"}, 400, "zone"),
        ({"customer": "x", "text": "a\0b"}, 400, "NUL"),
        ({"customer": "x", "symptoms": ["a\0b"]}, 400, "NUL"),
        ({"customer": "x", "case": 8}, 404, "no case #8"),
        ({"customer": "x", "colour": "red"}, 400, "colour"),
        ({"customer": "x", "text": "y" * 70_000}, 413, "larger"),
    ],
)
def test_a_complaint_that_does_not_fit_says_why(local, body, status, why):
    answer, said = ask(local, "POST", "/v1/complaints", json.dumps(body))
    assert (answer.status, why in json.loads(said)["error"]) == (status, True), said
    assert json.loads(ask(local, "GET", "/v1/cases/7/complaints")[1]) == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/cases/8",
        "/v1/cases/8/events",
        "/v1/cases/8/evidence",
        "/v1/cases/8/parts",
        "/v1/cases/8/complaints",
        "/v1/cases/x",
        "/v1/nothing",
    ],
)
def test_what_is_not_there_is_404_in_json(local, path):
    answer, body = ask(local, "GET", path)
    assert answer.status == 404
    assert json.loads(body)["error"]


def test_check_is_made_now(local):
    body = json.dumps({"prober": "icmp", "target": "127.0.0.1", "options": {"count": 3}})
    answer, got = ask(local, "POST", "/v1/check", body)
    assert answer.status == 200
    assert msgspec.json.decode(got, type=Checked).seen == SEEN


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("{}", 400),
        ('{"prober": 1, "target": "x"}', 400),
        ('{"prober": "x", "target": "x", "optoins": {}}', 400),
        ("x" * (MOST_BODY + 1), 413),
    ],
)
def test_a_body_that_does_not_fit_is_refused(local, body, status):
    answer, got = ask(local, "POST", "/v1/check", body)
    assert answer.status == status
    assert json.loads(got)["error"].startswith("the body")


def test_a_fault_of_ours_tells_nothing_of_its_inside(service, tmp_path, caplog):
    path = str(tmp_path / "s.sock")
    with running(unix_socket(path), Guard(local=True), service):
        answer, body = ask(path, "POST", "/v1/check", '{"prober": "broken", "target": "x"}')
    assert answer.status == 500
    assert b"secret" not in body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret words" in caplog.text


def test_diagnosis_is_told_a_line_at_a_time_as_it_goes_on(service, local):
    service.diagnosing.clear()
    connection = Unix(local)
    connection.request("POST", "/v1/diagnose", '{"kind": "network", "symptoms": ["no-calls"]}')
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    assert json.loads(answer.readline()) == {"type": "begun", "question": "sight"}
    service.loop.call_soon_threadsafe(service.diagnosing.set)
    assert msgspec.json.decode(answer.readline(), type=Line) == Ended("sight", StepState.GOOD, 0.2)
    assert answer.readline() == b""
    connection.close()


def test_diagnosis_that_is_refused_or_breaks_says_so(local, caplog):
    answer, body = ask(local, "POST", "/v1/diagnose", '{"kind": "network", "customer": "Nobody"}')
    assert (answer.status, json.loads(body)["error"]) == (400, 'no customer named "Nobody"')
    for wrong in (
        '"billing-ish"',
        '"billing"',
        '"service"',
        '"network", "since": "2026-01-01T00:00:00"',
        '"network", "symptoms": "no-calls"',
    ):
        assert ask(local, "POST", "/v1/diagnose", f'{{"kind": {wrong}}}')[0].status == 400
    answer, body = ask(local, "POST", "/v1/diagnose", '{"kind": "network", "node": "broken"}')
    assert json.loads(body.splitlines()[-1]) == {"type": "problem", "text": "the service failed; its log says why"}
    assert "secret words" in caplog.text


def test_only_so_many_diagnoses_at_once(service, local):
    service.diagnosing.clear()
    held = []
    for _ in range(MOST_DIAGNOSES):
        connection = Unix(local)
        connection.request("POST", "/v1/diagnose", '{"kind": "network"}')
        connection.getresponse().readline()
        held.append(connection)
    assert ask(local, "POST", "/v1/diagnose", '{"kind": "network"}')[0].status == 503
    service.loop.call_soon_threadsafe(service.diagnosing.set)
    for connection in held:
        connection.close()


def test_diagnoses_that_were_let_in_together_do_not_wait_for_each_other(service):
    async def begin():
        handlers = _Handlers(service)
        hold = asyncio.Event()

        async def lines():
            yield Begun("sight")
            await hold.wait()

        begun = [handlers._lines(lines()) for _ in range(MOST_DIAGNOSES + 1)]
        first = [msgspec.json.decode(await anext(one), type=Line) for one in begun]
        hold.set()
        rest = [line for one in begun async for line in one]
        again = [line async for line in handlers._lines(lines())]
        return first, rest, again

    first, rest, again = asyncio.run(begin())
    assert first[:MOST_DIAGNOSES] == [Begun("sight")] * MOST_DIAGNOSES
    assert "ask again" in first[-1].text
    assert rest == []
    assert len(again) == 1


def test_maintenance_begins_shows_and_ends(local):
    assert ask(local, "POST", "/v1/maintenance", '{"node": "web-1", "seconds": 7200, "why": "firmware"}')[0].status == 201
    assert [one["node"] for one in json.loads(ask(local, "GET", "/v1/maintenance")[1])] == ["web-1"]
    assert ask(local, "DELETE", "/v1/maintenance?node=web-1")[0].status == 200
    assert ask(local, "DELETE", "/v1/maintenance?node=web-1")[0].status == 404


@pytest.mark.parametrize(("seconds", "status"), [(0, 400), (-1, 400), (1, 201), (30 * 86400, 201), (30 * 86400 + 1, 400)])
def test_maintenance_lasts_no_longer_than_thirty_days(local, seconds, status):
    assert ask(local, "POST", "/v1/maintenance", json.dumps({"node": "web-1", "seconds": seconds}))[0].status == status


@pytest.mark.parametrize("field", ["why", "who"])
def test_maintenance_in_words_that_no_database_keeps_is_refused(local, field):
    assert ask(local, "POST", "/v1/maintenance", json.dumps({"node": "web-1", "seconds": 60, field: "a\0b"}))[0].status == 400


@pytest.mark.parametrize(("length", "status"), [(2048, 200), (2049, 414)])
def test_a_long_query_is_refused(port, length, status):
    assert ask(port, "GET", "/metrics?" + "x" * length)[0].status == status


@pytest.mark.parametrize(("length", "closed"), [(15_000, False), (20_000, True)])
def test_a_head_that_grows_too_large_is_refused(port, length, closed):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * length)
        if not closed:
            connection.sendall(b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400" if closed else b"HTTP/1.1 200")


def test_measurements_on_request_are_bounded(local):
    slow = '{"prober": "slow", "target": "x"}'
    waiting = [Unix(local) for _ in range(MOST_PROBES)]
    for connection in waiting:
        connection.request("POST", "/v1/check", slow)
    deadline = time.monotonic() + 5
    while (status := ask(local, "POST", "/v1/check", '{"prober": "icmp", "target": "x"}')[0].status) != 503:
        assert time.monotonic() < deadline, status
    assert ask(local, "GET", "/v1/status")[0].status == 200
    for connection in waiting:
        connection.close()


def test_it_stops_within_two_seconds_with_requests_under_way(service, tmp_path):
    path = str(tmp_path / "s.sock")
    with running(unix_socket(path), Guard(local=True), service) as took:
        connection = Unix(path)
        connection.request("POST", "/v1/check", '{"prober": "slow", "target": "x"}')
        assert ask(path, "GET", "/v1/status")[0].status == 200
    connection.close()
    assert took[0] < 2.2
    assert not os.path.exists(path)


def test_idle_it_stops_at_once(service, tmp_path):
    with running(unix_socket(str(tmp_path / "s.sock")), Guard(local=True), service) as took:
        pass
    assert took[0] < 0.6


def test_a_connection_that_says_nothing_is_closed(service, monkeypatch):
    monkeypatch.setattr(serve, "HEAD_S", 0.2)
    listener = tcp_socket("127.0.0.1", 0)
    with running(listener, Guard(open=True), service), socket.create_connection(listener.getsockname(), timeout=10) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\n")
        assert silent.recv(100) == b""


def answered(connection: socket.socket) -> None:
    got = b""
    while not got.endswith(b"ok\n"):
        got += connection.recv(4096)


@pytest.mark.parametrize("behind", [b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b"])
def test_a_second_request_that_never_ends_is_closed_as_the_first_is(service, monkeypatch, behind):
    monkeypatch.setattr(serve, "HEAD_S", 0.5)
    listener = tcp_socket("127.0.0.1", 0)
    with running(listener, Guard(open=True), service), socket.create_connection(listener.getsockname(), timeout=10) as slow:
        slow.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answered(slow)
        slow.sendall(behind)
        assert slow.recv(100) == b""


def test_a_connection_in_use_outlives_the_patience_for_a_head(service, monkeypatch):
    monkeypatch.setattr(serve, "HEAD_S", 0.3)
    listener = tcp_socket("127.0.0.1", 0)
    with running(listener, Guard(open=True), service), socket.create_connection(listener.getsockname(), timeout=10) as steady:
        for _ in range(4):
            steady.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answered(steady)
            assert not select.select([steady], [], [], 0.15)[0]


@pytest.mark.parametrize("limit", ["EXCHANGE_S", "TAKEN_S"])
def test_a_reader_who_never_reads_is_cut_off(monkeypatch, limit):
    monkeypatch.setattr(serve, limit, 0.3)

    async def main():
        parts = 1 if limit == "TAKEN_S" else 40  # one part is handed to the kernel at once, of many each waits for the one before

        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for left in reversed(range(parts)):
                await send({"type": "http.response.body", "body": b"x" * (40_000_000 // parts), "more_body": left > 0})

        listener = tcp_socket("127.0.0.1", 0)
        async with serving(app, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1000)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.8)
            came = 0
            with suppress(ConnectionError):
                while part := await reader.read(1_000_000):
                    came += len(part)
            assert came < 40_000_000
            writer.close()

    asyncio.run(main())


def test_the_socket_file_is_for_owner_and_group_only(tmp_path):
    path = str(tmp_path / "s.sock")
    with unix_socket(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


def test_a_dead_services_socket_is_replaced_a_living_ones_not(tmp_path):
    path = str(tmp_path / "s.sock")
    unix_socket(path).close()
    with unix_socket(path), pytest.raises(OSError, match="another service answers"):
        unix_socket(path)


def test_a_file_in_the_way_is_left_alone(tmp_path):
    path = tmp_path / "s.sock"
    path.write_text("mine")
    with pytest.raises(OSError, match="is no socket"):
        unix_socket(str(path))
    assert path.read_text() == "mine"


def test_a_taken_port_is_named(service):
    with tcp_socket("127.0.0.1", 0) as first, pytest.raises(OSError, match=r"can't listen on 127\.0\.0\.1:\d+: Address already in use"):
        tcp_socket("127.0.0.1", first.getsockname()[1])


def test_signals_stay_the_services_own(service):
    async def main():
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        async with serving(create_app(service, Guard(local=True)), tcp_socket("127.0.0.1", 0)):
            return before, (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))

    before, within = asyncio.run(main())
    assert before == within


def test_tls_is_served_with_a_certificate(service, tmp_path):
    import ssl

    key, certificate = _certificate(tmp_path)

    async def main():
        listener = tcp_socket("127.0.0.1", 0)
        async with serving(create_app(service, Guard(token=TOKEN)), listener, serve.Tls(certificate, key)):
            trust = ssl.create_default_context(cafile=certificate)
            return await asyncio.to_thread(_get_over_tls, listener.getsockname()[1], trust)

    assert asyncio.run(main()) == (401, 200)


def _get_over_tls(port, trust):
    found = []
    for headers in ({}, BEARER):
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=trust)
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
        connection.close()
    return tuple(found)


def _certificate(folder):
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return str(folder / "key.pem"), str(folder / "cert.pem")


def test_no_library_is_loaded_that_is_not_used():
    code = "import sys, reports.web.app, reports.web.serve; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert not {"websockets", "wsproto", "httptools", "uvloop", "watchfiles", "jinja2", "babel"} & set(loaded.stdout.split())
