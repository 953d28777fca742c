"""Test calls to sipp and to devices that behave badly: whatever happens, no call is left up, and none is made that may not be."""

import asyncio
import contextlib
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.sip import CallSample
from probe.probers import call
from probe.sip import rtp, sdp
from probe.sip.budget import DAY_S, Budget
from probe.sip.call import destination
from probe.sip.conversation import tag_of
from tests.probe.sip_lab import Device, answer, kamailio
from tests.probe.test_sip_message import mutated

NOW = {"number": "8888", "allowed": ("8888",), "at_once": True, "talk_s": 0.2}


@pytest.fixture(autouse=True)
def no_long_wait_for_the_last_packet(monkeypatch) -> None:
    monkeypatch.setattr(rtp, "LAST_WAIT_S", 0.15)


class Phone:
    """What the callee of a Device does: ring, answer, echo; each step can be left out or spoilt."""

    def __init__(self, **how) -> None:
        self.how = {
            "ring": True,
            "code": "200 OK",
            "after_s": 0.0,
            "echo": True,
            "lose": 0,
            "delay_s": 0.0,
            "own": False,
            "bye": "200 OK",
            "cut_s": None,
        } | how
        self.audio = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.audio.bind((self.how.get("media", "127.0.0.1"), 0))
        self.audio.settimeout(0.05)
        self.over = threading.Event()
        self.up = False
        self.invite = self.source = None
        self.timers: list[threading.Timer] = []
        self.thread = threading.Thread(target=self.echo)
        self.thread.start()

    def later(self, seconds: float, do) -> None:
        timer = threading.Timer(seconds, do)
        self.timers.append(timer)
        timer.start()

    def __call__(self, device: Device, request, source) -> None:
        match request.method:
            case "INVITE":
                self.invite, self.source = request, source
                if self.how["ring"]:
                    device.say(answer(request, "180 Ringing", copied=("record-route",)), source)
                if self.how["code"]:
                    self.later(self.how["after_s"], lambda: self.answer(device)) if self.how["after_s"] else self.answer(device)
            case "CANCEL":
                device.say(answer(request), source)
                device.say(answer(self.invite, "487 Request Terminated"), source)
            case "BYE":
                self.up = False
                if self.how["bye"]:
                    device.say(answer(request, self.how["bye"]), source)

    def answer(self, device: Device) -> None:
        body = sdp.offer(self.how.get("media", "127.0.0.1"), self.audio.getsockname()[1], ("PCMA",), 1)
        good = self.how["code"].startswith("2")
        self.up = good
        where = f"Contact: <sip:phone@{self.how.get('contact') or f'127.0.0.1:{device.port}'}>"
        device.say(
            answer(
                self.invite,
                self.how["code"],
                where,
                *self.how.get("more", ()),
                *(("Content-Type: application/sdp",) if good else ()),
                body=body if good else b"",
                copied=("record-route",),
            ),
            self.source,
        )
        if self.how["cut_s"] is not None:
            self.later(self.how["cut_s"], lambda: self.hang_up(device))

    def hang_up(self, device: Device) -> None:
        to, frm = (answer(self.invite).decode().split(name)[1].split("\r\n")[0].strip() for name in ("to:", "from:"))
        device.say(
            f"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{device.port};branch=z9hG4bKcut\r\nFrom: {to}\r\nTo: {frm}\r\n"
            f"Call-ID: {self.invite.first('call-id')}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n".encode(),
            self.source,
        )

    def echo(self) -> None:
        number = 0
        while not self.over.is_set():
            try:
                data, source = self.audio.recvfrom(2048)
            except (TimeoutError, ConnectionError):
                continue
            number += 1
            if not self.how["echo"] or (self.how["lose"] and number % self.how["lose"] == 0):
                continue
            if self.how["own"]:
                data = data[:8] + b"abcd" + data[12:]
            if self.how["delay_s"]:
                self.later(self.how["delay_s"], lambda data=data, source=source: self.audio.sendto(data, source))
            else:
                self.audio.sendto(data, source)

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        for timer in self.timers:
            timer.cancel()
            timer.join()
        self.audio.close()


@contextlib.contextmanager
def phone(**how) -> Iterator[tuple[Phone, Device]]:
    made = Phone(**how)
    try:
        with Device(made) as device:
            yield made, device
    finally:
        made.close()


@pytest.mark.needs("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_to_sipp_with_its_echo(ask, run_daemon, free_udp_port, binary, tmp_path, transport: str) -> None:
    port, media = free_udp_port(), free_udp_port()
    kind = {"udp": "u1", "tcp": "t1"}[transport]
    command = [
        binary("sipp"),
        "-sn",
        "uas",
        "-i",
        "127.0.0.1",
        "-p",
        port,
        "-mi",
        "127.0.0.1",
        "-mp",
        media,
        "-rtp_echo",
        "-t",
        kind,
        "-nostdin",
    ]
    with run_daemon(command, tmp_path / "sipp.log") as process:
        _until_bound(process, port, transport)
        seen = ask("call", port, **{**NOW, "talk_s": 0.6}, transport=transport)
    assert isinstance(seen, CallSample), seen
    assert (seen.answer.code, seen.rang, seen.codec, seen.ended) == (200, True, "PCMU", "bye")
    assert seen.audio is not None
    assert (seen.audio.sent, seen.audio.received, seen.audio.echoed, seen.audio.loss_ratio) == (30, 30, True, 0.0)
    assert 0 < (seen.audio.rtt_ms or 0) < 20
    assert 0 <= (seen.audio.jitter_ms or 0) < 20
    assert 0 < (seen.pdd_ms or 0) <= (seen.pick_up_ms or 0) < 1000


@pytest.mark.needs("kamailio")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_through_a_softswitch_is_ended_through_it(ask, free_udp_port, binary, transport: str) -> None:
    """kamailio stays in the path by Record-Route: ACK and BYE must go by it (RFC 3261 12.2.1.1)."""
    port = free_udp_port()
    with phone() as (made, device), kamailio(port, binary("kamailio"), callee=device.port):
        seen = ask("call", port, **NOW, transport=transport)
        assert (seen.answer.code, seen.rang, seen.ended, seen.audio.loss_ratio) == (200, True, "bye", 0.0)
        device.wait_for("BYE")
    assert device.methods() == ["INVITE", "ACK", "BYE"]
    assert all(len(one.all("via")) == 2 for one in device.requests)
    assert not made.up


@pytest.mark.needs("kamailio")
def test_a_call_that_rings_behind_a_softswitch_is_cancelled_through_it(ask, free_udp_port, binary) -> None:
    port = free_udp_port()
    with phone(code="") as (_, device), kamailio(port, binary("kamailio"), callee=device.port):
        seen = ask("call", port, **NOW, ring_s=1.0)
        device.wait_for("ACK")
    assert (seen.answer.code, seen.ended, seen.rang) == (487, "cancelled", True)
    assert device.methods() == ["INVITE", "CANCEL", "ACK"]


def _until_bound(process: subprocess.Popen, port: int, transport: str) -> None:
    table = {"udp": "/proc/net/udp", "tcp": "/proc/net/tcp"}[transport]
    for _ in range(400):
        assert process.poll() is None
        with open(table) as rows:
            if f":{port:04X} " in rows.read():
                return
        time.sleep(0.01)
    raise AssertionError("sipp did not come up")


def test_loss_delay_and_bursts_of_an_echo_are_measured(ask) -> None:
    with phone(lose=5, delay_s=0.04) as (_, device):
        seen = ask("call", device.port, **{**NOW, "talk_s": 0.6})
    assert seen.audio.loss_ratio == pytest.approx(0.2)
    assert seen.audio.mean_burst == 1.0
    assert 40 <= seen.audio.rtt_ms < 80
    assert device.methods() == ["INVITE", "ACK", "BYE"]


def test_audio_of_the_far_end_s_own_is_rated_by_its_own_numbers(ask) -> None:
    with phone(own=True, lose=10) as (_, device):
        seen = ask("call", device.port, **{**NOW, "talk_s": 0.6})
    assert (seen.audio.echoed, seen.audio.rtt_ms) == (False, None)
    assert seen.audio.loss_ratio == pytest.approx(2 / 29)  # the last that was lost can't be known


def test_a_silent_far_end_is_no_audio_and_no_loss(ask) -> None:
    with phone(echo=False) as (_, device):
        seen = ask("call", device.port, **NOW)
    assert (seen.audio.sent, seen.audio.received, seen.audio.loss_ratio, seen.audio.rtt_ms) == (10, 0, None, None)


def test_a_refused_call_is_acknowledged_and_tells_its_cause(ask) -> None:
    with phone(ring=False, code="503 No Circuit", more=('Reason: Q.850;cause=34;text="none"',)) as (_, device):
        seen = ask("call", device.port, **NOW)
        device.wait_for("ACK")
    assert (seen.answer.code, seen.answer.q850, seen.ended, seen.pick_up_ms, seen.audio) == (503, 34, "refused", None, None)
    assert device.requests[1].first("via") == device.requests[0].first("via")  # RFC 3261 17.1.1.3


def test_what_rings_too_long_is_cancelled(ask) -> None:
    with phone(code="") as (_, device):
        seen = ask("call", device.port, **NOW, ring_s=1.0)
        device.wait_for("ACK")
    assert (seen.answer.code, seen.ended, seen.rang) == (487, "cancelled", True)
    assert device.methods() == ["INVITE", "CANCEL", "ACK"]
    assert device.requests[1].first("via") == device.requests[0].first("via")
    assert device.requests[1].cseq == (device.requests[0].cseq[0], "CANCEL")


@pytest.mark.parametrize(
    "late", [("401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n"'), ("422 Session Interval Too Small", "Min-SE: 120")]
)
def test_what_is_cancelled_is_not_begun_again(ask, late: tuple[str, str]) -> None:
    class Slow(Phone):
        def __call__(self, device: Device, request, source) -> None:
            if request.method == "INVITE" and not self.timers:
                device.say(answer(request, "100 Trying"), source)
                self.later(1.2, lambda: device.say(answer(request, *late), source))
            elif request.method == "CANCEL":
                device.say(answer(request), source)

    made = Slow()
    try:
        with Device(made) as device:
            seen = ask("call", device.port, **{**NOW, "ring_s": 1}, user="u", password="secret")
    finally:
        made.close()
    assert (seen.answer.code, seen.ended) == (None, "cancelled")
    assert device.methods().count("INVITE") == 1


def test_an_answer_that_crosses_the_cancel_is_hung_up(ask) -> None:
    class Late(Phone):
        def __call__(self, device: Device, request, source) -> None:
            if request.method == "CANCEL":
                device.say(answer(request), source)
                self.answer(device)
            else:
                super().__call__(device, request, source)

    made = Late(after_s=60.0)
    try:
        with Device(made) as device:
            ask("call", device.port, **NOW, ring_s=1.0)
            device.wait_for("BYE")
        assert device.methods() == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert not made.up
    finally:
        made.close()


def test_a_check_that_is_given_up_hangs_up_all_the_same(ask) -> None:
    with phone() as (made, device):
        seen = ask("call", device.port, **{**NOW, "talk_s": 30.0}, timeout_s=0.6)
        device.wait_for("BYE")
        assert not made.up
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.TIMEOUT


async def begun_and_given_up(device: Device, made: Phone, up: bool, farewell: str, stays_open: bool) -> None:
    async with call.open() as prober:
        options = call.Options(port=device.port, **{**NOW, "talk_s": 30.0})
        task = asyncio.create_task(prober.ask(Node("n", "127.0.0.1"), options))
        while "INVITE" not in device.methods() or made.up != up:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while stays_open and farewell not in device.methods():
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("stays_open", [True, False])
def test_a_service_that_stops_or_gives_up_hangs_up_first(stays_open: bool) -> None:
    with phone() as (made, device):
        asyncio.run(begun_and_given_up(device, made, True, "BYE", stays_open))
        assert device.methods() == ["INVITE", "ACK", "BYE"]
        assert not made.up


@pytest.mark.parametrize("stays_open", [True, False])
def test_what_still_rings_when_it_is_given_up_is_cancelled(stays_open: bool) -> None:
    with phone(code="") as (made, device):
        asyncio.run(begun_and_given_up(device, made, False, "ACK", stays_open))
        device.wait_for("ACK")
        assert device.methods() == ["INVITE", "CANCEL", "ACK"]


def test_a_far_end_that_hangs_up_first_gets_its_answer_and_no_second_bye(ask) -> None:
    with phone(cut_s=0.5, delay_s=0.1) as (_, device):
        start = time.monotonic()
        seen = ask("call", device.port, **{**NOW, "talk_s": 10.0})
        assert time.monotonic() - start < 5
    assert seen.ended == "peer"
    assert seen.audio.loss_ratio == 0.0  # what was under way when the far end hung up is not lost
    assert seen.audio.sent == seen.audio.received > 5
    assert seen.talk_s < 5
    assert [one.code for one in device.requests] == [0, 0, 200]  # INVITE, ACK, and our answer to its BYE


def test_a_bye_without_answer_is_repeated_and_noted(ask, monkeypatch) -> None:
    monkeypatch.setattr("probe.sip.call.GOODBYE_S", 0.8)
    with phone(bye=False) as (_, device):
        seen = ask("call", device.port, **NOW)
    assert seen.ended == "unconfirmed"
    assert device.methods().count("BYE") == 2


@pytest.mark.parametrize(("code", "ended"), [("481 No Such Call", "bye"), ("404 Not Found", "unconfirmed"), ("500 Error", "unconfirmed")])
def test_a_bye_that_is_refused_has_ended_the_call_only_if_it_is_unknown_there(ask, code: str, ended: str) -> None:
    with phone(bye=code) as (_, device):
        assert ask("call", device.port, **NOW).ended == ended


def test_a_contact_that_leads_nowhere_leaves_no_call_up(ask, monkeypatch) -> None:
    monkeypatch.setattr("probe.sip.call.GOODBYE_S", 0.6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        for contact in (f"127.0.0.1:{silent.getsockname()[1]}", "0.0.0.0:5060", "224.0.0.9", "255.255.255.255"):
            with phone(contact=contact) as (far, device):
                seen = ask("call", device.port, **NOW)
                assert (seen.ended, far.up) == ("bye", False), contact
        said = silent.recv(4096).decode(), silent.recv(4096).decode()
        assert [one.partition(" ")[0] for one in said] == ["ACK", "BYE"]


def test_a_stranger_to_whom_contact_leads_is_told_no_digest(ask, monkeypatch) -> None:
    monkeypatch.setattr("probe.sip.call.GOODBYE_S", 0.6)

    def curious(device: Device, request, source) -> None:
        if request.method != "ACK":
            device.say(answer(request, "401 Unauthorized", 'WWW-Authenticate: Digest realm="any", nonce="1"'), source)

    with Device(curious, "127.0.0.2") as stranger, phone(contact=f"127.0.0.2:{stranger.port}") as (far, device):
        seen = ask("call", device.port, **NOW, user="u", password="secret")
    assert stranger.methods() == ["ACK", "BYE"]
    assert (seen.ended, far.up) == ("bye", False)


def test_a_second_telephone_that_answers_is_hung_up_too(ask) -> None:
    class Two(Phone):
        def answer(self, device: Device) -> None:
            super().answer(device)
            body = sdp.offer("127.0.0.1", self.audio.getsockname()[1], ("PCMA",), 1)
            more = (f"Contact: <sip:second@127.0.0.1:{device.port}>", "Content-Type: application/sdp")
            second = answer(self.invite, "200 OK", *more, body=body).replace(b";tag=far", b";tag=second")
            device.say(second, self.source)

    made = Two()
    try:
        with Device(made) as device:
            seen = ask("call", device.port, **NOW)
    finally:
        made.close()
    assert seen.ended == "bye"
    told = [(one.method, one.uri.partition("@")[0], tag_of(one.first("to")), one.cseq[0]) for one in device.requests[1:]]
    assert told[:3] == [("ACK", "sip:phone", "far", 1), ("ACK", "sip:second", "second", 1), ("BYE", "sip:second", "second", 2)]
    assert told[3:] == [("BYE", "sip:phone", "far", 2)]


def test_what_repeats_its_answer_for_ever_is_not_answered_for_ever(ask) -> None:
    class Mad(Phone):
        def answer(self, device: Device) -> None:
            for _ in range(300):
                super().answer(device)

    made = Mad()
    try:
        with Device(made) as device:
            assert ask("call", device.port, **NOW).ended == "bye"
    finally:
        made.close()
    assert device.methods().count("ACK") <= 65


@pytest.mark.parametrize("echoes", [True, False])
def test_audio_to_another_host_ends_after_a_second_unless_it_is_heard(ask, echoes: bool) -> None:
    with phone(media="127.0.0.2", echo=echoes) as (_, device):
        seen = ask("call", device.port, **{**NOW, "talk_s": 1.5})
    assert seen.audio.sent == (75 if echoes else 50)
    assert seen.audio.received == (75 if echoes else 0)


def test_a_handshake_that_never_ends_holds_up_nobody(hostile) -> None:
    async def ask_and_close(port: int) -> float:
        async with call.open() as prober:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await prober.ask(Node("n", "127.0.0.1"), call.Options(port=port, transport="tls", **NOW))
            start = time.monotonic()
        return time.monotonic() - start

    def silent(connection) -> None:
        while connection.recv(4096):
            pass

    with hostile(silent) as port:
        assert asyncio.run(ask_and_close(port)) < 1.0


def test_a_server_that_says_nothing_is_a_timeout_and_told_to_forget_it(ask, monkeypatch) -> None:
    monkeypatch.setattr("probe.sip.call.SILENT_S", 0.3)
    with Device(lambda device, request, source: None) as device:
        seen = ask("call", device.port, **NOW, ring_s=1.0)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.TIMEOUT
    assert "CANCEL" in device.methods()


def test_the_password_is_asked_for_and_the_session_timer_bargained(ask) -> None:
    class Strict(Phone):
        def __call__(self, device: Device, request, source) -> None:
            if request.method == "INVITE" and request.first("proxy-authorization") is None:
                device.say(answer(request, "407 Auth", 'Proxy-Authenticate: Digest realm="x", nonce="n", qop="auth"'), source)
            elif request.method == "INVITE" and request.first("session-expires") == "90;refresher=uac":
                device.say(answer(request, "422 Too Small", "Min-SE: 600"), source)
            else:
                super().__call__(device, request, source)

    made = Strict()
    try:
        with Device(made) as device:
            seen = ask("call", device.port, **NOW, user="u", password="p", caller="02155556666")
    finally:
        made.close()
    assert (seen.answer.code, seen.ended) == (200, "bye")
    assert device.requests[0].first("from").startswith("<sip:02155556666@127.0.0.1")
    assert device.methods().count("ACK") == 4  # of 407, 422, 407 and the answer
    assert not made.up


@pytest.mark.parametrize("rings", [True, False])
def test_nonsense_while_it_rings_leaves_no_phone_ringing(ask, rings: bool) -> None:
    class Babbling(Phone):
        def __call__(self, device: Device, request, source) -> None:
            if request.method == "INVITE":
                self.invite, self.source = request, source
                if rings:
                    device.say(answer(request, "180 Ringing"), source)
                device.say(b"what?", source)
                self.later(0.7, lambda: self.answer(device))
            elif request.method == "CANCEL":
                device.say(answer(request), source)
            else:
                super().__call__(device, request, source)

    made = Babbling()
    try:
        with Device(made) as device:
            seen = ask("call", device.port, **NOW)
            device.wait_for("BYE")
    finally:
        made.close()
    assert not made.up
    if rings:
        assert seen.ended == "bye"
    else:
        assert seen.kind is Kind.REJECTED
        assert "CANCEL" in device.methods()


def test_answers_that_are_half_nonsense_leave_no_call_up(ask, monkeypatch) -> None:
    monkeypatch.setattr("probe.sip.call.GOODBYE_S", 0.3)
    chance = random.Random(7)

    class Mad(Phone):
        def __call__(self, device: Device, request, source) -> None:
            if request.method == "INVITE":
                route = ("Record-Route: <sip:127.0.0.1;lr>", "Record-Route: " + "<sip:x;lr>," * 100)
                body = sdp.offer("127.0.0.1", 9, ("PCMA",), 1)
                good = answer(
                    request,
                    "200 OK",
                    "Contact: <sip:a@127.0.0.1>",
                    *route[: chance.randrange(3)],
                    "Content-Type: application/sdp",
                    body=body,
                )
                for _ in range(3):
                    device.say(mutated(good, chance)[:60_000], source)
                device.say(answer(request, "486 Busy Here"), source)
            elif request.method == "BYE":
                device.say(answer(request), source)

    made = Mad()
    try:
        with Device(made) as device:
            for _ in range(40):
                seen = ask("call", device.port, **{**NOW, "talk_s": 0})
                assert isinstance(seen, CallSample) or seen.kind in {Kind.REJECTED, Kind.REFUSED}, seen
    finally:
        made.close()
    assert device.methods().count("INVITE") == 40


def test_only_listed_numbers_are_ever_called() -> None:
    for numbers in ((), ("1", "2"), ("88888",)):
        with pytest.raises(ValueError, match="allowed"):
            call.Options(number="8888", allowed=numbers)
    with pytest.raises(ValueError, match="there is none"):
        call.Options(allowed=("8888",))
    with pytest.raises(ValueError, match="no name that goes with it"):
        call.Options(number="8888", allowed=("8888",), password="secret")


def test_a_start_has_no_permit_and_a_second_call_none_either() -> None:
    async def ask_on(port: int, **options) -> list:
        async with call.open() as prober:
            return [await prober.ask(Node("n", "127.0.0.1"), call.Options(port=port, **{**NOW, **options})) for _ in range(2)]

    with phone() as (_, device):
        first, second = asyncio.run(ask_on(device.port, at_once=False))
        assert first.kind is second.kind is Kind.DENIED
        assert device.requests == []
        first, second = asyncio.run(ask_on(device.port, daily_cap=10))
        assert first.answer.code == 200
        assert second.kind is Kind.DENIED
        assert "10 calls a day are allowed: the next in 86" in second.detail
        assert device.methods().count("INVITE") == 1


@given(some.integers(1, 200), some.lists(some.tuples(some.floats(0, DAY_S / 3), some.booleans()), max_size=300))
def test_no_pattern_of_asking_and_restarting_gets_more_than_the_cap_and_one(daily: int, steps: list[tuple[float, bool]]) -> None:
    now, calls, permits = 0.0, [], Budget(daily, 0.0)
    for wait, restart in steps:
        now += wait
        if restart:
            permits = Budget(daily, now)
        while permits.take(now) == 0.0:
            calls.append(now)
    for at in calls:
        assert sum(at <= other < at + DAY_S for other in calls) <= daily + 1


def test_a_cap_that_is_changed_holds_at_once() -> None:
    permits = Budget(24, 0.0)
    assert permits.take(3600.0) == 0.0
    permits.limit(1, 3600.0)
    assert permits.take(7200.0) > DAY_S - 7300
    permits.limit(24, 7200.0)
    assert permits.take(7200.0 + 3600.0) == 0.0


def test_a_check_whose_period_is_the_permits_own_is_always_allowed() -> None:
    permits, late = Budget(24, 0.0), [3, 0.2, 2.9, 0.0, 1.7]
    assert [permits.take(3600.0 * hour + 5 + late[hour % 5]) for hour in range(1, 100)] == [0.0] * 99


@pytest.mark.parametrize(
    ("host", "peer", "goes"),
    [
        ("192.0.2.1", "192.0.2.9", True),
        ("224.0.0.1", "192.0.2.9", False),
        ("255.255.255.255", "192.0.2.9", False),
        ("0.0.0.0", "192.0.2.9", False),
        ("127.0.0.1", "192.0.2.9", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("example.org", "192.0.2.9", False),
        ("ff02::1", "2001:db8::1", False),
        ("2001:db8::2", "192.0.2.9", False),
        ("::ffff:127.0.0.1", "2001:db8::1", False),
    ],
)
def test_audio_goes_to_one_host_only(host: str, peer: str, goes: bool) -> None:
    assert (destination(sdp.Session(host, 4000, ()), peer) is not None) is goes
    assert destination(sdp.Session(host, 53, ()), peer) is None


def test_g711_is_coded_as_the_standard_has_it() -> None:
    """ITU-T G.711: silence, the smallest and the largest values of both laws."""
    assert [rtp.ulaw(value) for value in (0, -1, 32767, -32768)] == [0xFF, 0x7F, 0x80, 0x00]
    assert [rtp.alaw(value) for value in (0, -1, 32767, -32768)] == [0xD5, 0x55, 0xAA, 0x2A]
    assert len(rtp.payload(0)) == len(rtp.payload(8)) == 160


@pytest.mark.parametrize("data", [b"", b"\x80" * 12, b"\x00" * 40, b"\x80\xc9" + bytes(30), b"\x40" + bytes(40)])
def test_what_is_no_rtp_is_passed_over(data: bytes) -> None:
    assert rtp.read(data, 0) is None


@given(some.permutations(range(60)), some.integers(0, 65535), some.sets(some.integers(1, 58)))
def test_numbers_are_counted_over_their_wrap_and_in_any_order(order: list[int], base: int, lost: set[int]) -> None:
    order = [0] + [one for one in order if one and one not in lost]
    packets = [rtp.Packet(1, (base + one) & 0xFFFF, 0, 0, 0) for one in order]
    heard = rtp.Heard(packets[0])
    for packet in [*packets, *packets[:3]]:
        heard.take(packet)
    assert len(heard.seen) == len(order)
    assert heard.expected == max(order) + 1
    assert heard.duplicates == len(packets[:3])


def test_jitter_is_that_of_the_standard() -> None:
    """RFC 3550 6.4.1: J += (|D| - J) / 16."""
    assert rtp.jitter_ms([(0, 0)]) is None
    assert rtp.jitter_ms([(0, 0), (20, 20), (56, 40)]) == pytest.approx(1.0)
    assert rtp.mean_burst([True, False, False, True, False]) == 1.5
    assert rtp.mean_burst([True]) is None
