"""The webhook: CloudEvents, signed, over verified TLS; what each answer means."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.feeds import http, webhook
from reports.feeds.feed import FeedEvent, Later, Refused

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def now() -> datetime:
    return NOW


def deliver(event: FeedEvent, url: str, **options: object) -> None:
    feed = webhook.open("hook", webhook.Options(url=url, **options), now=now, render=lambda event, language: ("", ""))
    asyncio.run(feed.deliver(event))


@pytest.fixture
def event(making, tmp_path: Path) -> FeedEvent:
    return making.events(tmp_path)[0]


def test_the_body_is_a_cloud_event(event: FeedEvent, http_sink) -> None:
    deliver(event, http_sink.url)
    ((headers, body),) = http_sink.got
    said = json.loads(body)
    data = said.pop("data")
    assert said == {
        "specversion": "1.0",
        "id": "pop-1/1/1",
        "source": "/firstline/pop-1",
        "type": "firstline.case.opened",
        "subject": "service/tcp.silent/web-1/1",
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
    }
    assert (data["identity"]["element"], data["number"]) == ("web-1", 1)
    assert headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"
    assert headers["User-Agent"] == "firstline"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(
    ("written", "key"), [("a secret\n", b"a secret"), ("whsec_" + base64.b64encode(b"\x00\xffkey").decode(), b"\x00\xffkey")]
)
def test_the_signature_can_be_checked_by_a_receiver(event: FeedEvent, http_sink, tmp_path: Path, written: str, key: bytes) -> None:
    (tmp_path / "secret").write_text(written)
    deliver(event, http_sink.url, secret_file=str(tmp_path / "secret"))
    ((headers, body),) = http_sink.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert headers["webhook-id"] == "pop-1/1/1"


def test_the_example_of_standard_webhooks_gives_its_signature() -> None:
    """The vector in the specification's reference libraries."""
    headers = webhook.signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_secret_is_read_at_every_use_and_a_missing_one_sends_nothing(event: FeedEvent, http_sink, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(Later, match="cannot be read"):
        deliver(event, http_sink.url, secret_file=str(path))
    path.write_text(" \n")
    with pytest.raises(Later, match="is empty"):
        deliver(event, http_sink.url, secret_file=str(path))
    path.write_text("whsec_%%%")
    with pytest.raises(Later, match="not base64"):
        deliver(event, http_sink.url, secret_file=str(path))
    assert http_sink.got == []
    path.write_text("good")
    deliver(event, http_sink.url, secret_file=str(path))
    assert len(http_sink.got) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_an_acceptance(event: FeedEvent, http_sink, status: int) -> None:
    http_sink.answers.append(status)
    deliver(event, http_sink.url)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (408, None),
        (425, None),
        (429, None),
        ((429, {"Retry-After": "120"}), 120.0),
        ((429, {"Retry-After": "Thu, 01 Jan 2026 12:02:00 GMT"}), 120.0),
        ((503, {"Retry-After": "Thu, 01 Jan 2026 11:00:00 GMT"}), 0.0),
        ((503, {"retry-after": " 7 "}), 7.0),
        ((503, {"Retry-After": "soon"}), None),
        ((503, {"Retry-After": "-5"}), None),
        (500, None),
        (599, None),
    ],
)
def test_trouble_of_the_receiver_is_later(event: FeedEvent, http_sink, answer: object, seconds: float | None) -> None:
    http_sink.answers.append(answer)
    with pytest.raises(Later) as why:
        deliver(event, http_sink.url)
    assert why.value.retry_after_s == seconds


@pytest.mark.parametrize(("status", "final"), [(400, False), (401, False), (404, False), (410, True), (418, False)])
def test_a_refusal_is_refused_and_gone_is_final(event: FeedEvent, http_sink, status: int, final: bool) -> None:
    http_sink.answers.append(status)
    with pytest.raises(Refused, match=str(status)) as why:
        deliver(event, http_sink.url)
    assert why.value.final is final


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(event: FeedEvent, http_sink, status: int) -> None:
    http_sink.answers.append((status, {"Location": http_sink.url}))
    with pytest.raises(Refused, match="redirects are not followed"):
        deliver(event, http_sink.url)
    assert http_sink.got == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("reset", r"reset by peer|closed without an answer"),
        (b"", "closed without an answer"),
        (b"HTTP/1.1 20", "ends within its headers"),
        (b"220 mail ready\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 2x4 OK\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 204 OK\r\nx: " + b"a" * 80_000 + b"\r\n\r\n", "longer than"),
    ],
)
def test_a_broken_answer_is_later(event: FeedEvent, http_sink, answer: object, words: str) -> None:
    http_sink.answers.append(answer)
    with pytest.raises(Later, match=words):
        deliver(event, http_sink.url)


def test_an_announcement_is_not_yet_the_answer(event: FeedEvent, http_sink) -> None:
    http_sink.answers.append(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 410 Gone\r\n\r\n")
    with pytest.raises(Refused, match="410 Gone"):
        deliver(event, http_sink.url)


def test_the_time_out_is_for_the_whole_exchange(event: FeedEvent, http_sink) -> None:
    http_sink.answers.append("slow")
    begun = time.monotonic()
    with pytest.raises(Later, match=r"no answer within 0\.2 s"):
        deliver(event, http_sink.url, timeout_s=0.2)
    assert time.monotonic() - begun < 5


def test_nobody_there_is_later(event: FeedEvent) -> None:
    with pytest.raises(Later, match=r"127\.0\.0\.1:1"):
        deliver(event, "http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example/", "plain = true"),
        ("https://u:p@hooks.example/", "no user and no password"),
        ("ftp://hooks.example/", "http"),
        ("https:///path", "with a host"),
        ("https://h/a b", "without blanks"),
        ("https://h:99999/", "[Pp]ort"),
        ("https://例.example/", "Punycode"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        webhook.open("hook", webhook.Options(url=url), now=now, render=lambda event, language: ("", ""))


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.8.9.1:80/", "http://[::1]/", "https://hooks.example/"])
def test_an_address_that_can_be_used_is(url: str) -> None:
    webhook.open("hook", webhook.Options(url=url), now=now, render=lambda event, language: ("", ""))


@pytest.fixture
def tls_sink(http_sink, certificate: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    http_sink.socket = context.wrap_socket(http_sink.socket, server_side=True, do_handshake_on_connect=False)
    return http_sink.url.replace("http:", "https:")


def test_tls_is_verified(event: FeedEvent, http_sink, tls_sink: str, certificate: Path) -> None:
    with pytest.raises(Later, match="certificate verify failed"):
        deliver(event, tls_sink)
    deliver(event, tls_sink, ca_file=str(certificate))
    assert len(http_sink.got) == 1
    with pytest.raises(Later, match="certificate"):
        deliver(event, tls_sink.replace("127.0.0.1", "localhost"), ca_file=str(certificate))


@given(st.text(max_size=60))
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    seconds = webhook.retry_after_s(text, now)
    assert seconds is None or seconds >= 0


def test_a_header_cannot_be_broken_out_of() -> None:
    with pytest.raises(ValueError, match="line break"):
        asyncio.run(http.post(http.target(f"http://127.0.0.1:{_listening()}/"), {"x": "a\r\nb: c"}, b"", None, 5))


def _listening() -> int:
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        listener.accept()[0].close()
        listener.close()

    threading.Thread(target=take).start()
    return listener.getsockname()[1]


def test_a_date_without_a_zone_is_taken_as_utc() -> None:
    later = NOW + timedelta(seconds=90)
    assert webhook.retry_after_s(later.strftime("%a, %d %b %Y %H:%M:%S -0000"), now) == 90.0
