"""Mails through a real SMTP server: thread, repeat, security, and what each of the server's words means."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from reports.feeds import mail
from reports.feeds.feed import FeedEvent, Later, Refused

PEOPLE = ("noc@op.example", "chief@op.example")


def opened(port: int, **options: object) -> mail.Mail:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "firstline@op.example",
        "recipients": PEOPLE,
        "timeout_s": 2.0,
    }
    return mail.open(
        "mail", msgspec.convert({**values, **options}, mail.Options), now=lambda: datetime(2026, 1, 1, tzinfo=UTC), render=render
    )


def render(event: FeedEvent, language: str) -> tuple[str, str]:
    words = {"en": "down", "zh": "故障"}[language]
    return f"{event.identity.element}: {words}\r\nBcc: everyone@op.example", f"{event.summary.text}\n"


@pytest.fixture
def events(making, tmp_path: Path) -> list[FeedEvent]:
    return making.events(tmp_path)


def test_the_mails_of_a_case_are_one_thread(events: list[FeedEvent], smtp_sink) -> None:
    sink, port = smtp_sink()
    feed = opened(port)
    for event in events:
        asyncio.run(feed.deliver(event))
    first, second, third = [received for _, received in sink.got]
    assert first["References"] is None
    assert second["References"] == second["In-Reply-To"] == third["References"] == first["Message-ID"]
    assert len({first["Message-ID"], second["Message-ID"], third["Message-ID"]}) == 3


def test_another_episode_is_another_thread(events: list[FeedEvent]) -> None:
    again = msgspec.structs.replace(events[0], identity=msgspec.structs.replace(events[0].identity, episode=2))
    assert mail.message_id(events[0], 1, "a.b") != mail.message_id(again, 1, "a.b")


def test_a_repeat_is_the_same_mail(events: list[FeedEvent]) -> None:
    options = opened(25)._options
    assert str(mail.compose(events[0], options, render)["Message-ID"]) == str(mail.compose(events[0], options, render)["Message-ID"])
    assert mail.compose(events[0], options, render).as_bytes() == mail.compose(events[0], options, render).as_bytes()


def test_who_gets_it_and_what_it_says(events: list[FeedEvent], smtp_sink) -> None:
    sink, port = smtp_sink()
    asyncio.run(opened(port, language="zh").deliver(events[0]))
    ((recipients, received),) = sink.got
    assert recipients == list(PEOPLE)
    assert received["Subject"] == "web-1: 故障 Bcc: everyone@op.example"
    assert received["Bcc"] is None
    assert received["From"] == "firstline <firstline@op.example>"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Date"].datetime == events[0].at
    assert received.get_content().splitlines() == ["failure.timeout: no answer – 没有应答"]


def test_recipients_put_off_are_tried_again_alone(events: list[FeedEvent], smtp_sink) -> None:
    sink, port = smtp_sink()
    feed = opened(port)
    sink.rcpt["chief@op.example"] = "450 greylisted"
    with pytest.raises(Later, match=r"chief@op\.example: 450 greylisted"):
        asyncio.run(feed.deliver(events[0]))
    sink.rcpt.clear()
    asyncio.run(feed.deliver(events[0]))
    assert [recipients for recipients, _ in sink.got] == [["noc@op.example"], ["chief@op.example"]]
    assert feed._taken == {}


@pytest.mark.parametrize(("reply", "error"), [("450 later", Later), ("550 no such user", Refused)])
def test_no_recipient_taken(events: list[FeedEvent], smtp_sink, reply: str, error: type[Exception]) -> None:
    sink, port = smtp_sink()
    sink.rcpt |= dict.fromkeys(PEOPLE, reply)
    with pytest.raises(error, match=reply):
        asyncio.run(opened(port).deliver(events[0]))
    assert sink.got == []


@pytest.mark.parametrize(("reply", "error"), [("452 disk full", Later), ("554 spam", Refused)])
def test_the_whole_mail_not_taken(events: list[FeedEvent], smtp_sink, reply: str, error: type[Exception]) -> None:
    sink, port = smtp_sink()
    sink.data.append(reply)
    with pytest.raises(error, match=reply):
        asyncio.run(opened(port).deliver(events[0]))


def test_one_recipient_refused_for_good_among_others_is_refused(events: list[FeedEvent], smtp_sink) -> None:
    sink, port = smtp_sink()
    sink.rcpt["chief@op.example"] = "550 left the company"
    with pytest.raises(Refused, match="left the company"):
        asyncio.run(opened(port).deliver(events[0]))
    assert [recipients for recipients, _ in sink.got] == [["noc@op.example"]]


def test_nobody_there_is_later(events: list[FeedEvent]) -> None:
    with pytest.raises(Later, match=r"127\.0\.0\.1:1: .*refused"):
        asyncio.run(opened(1).deliver(events[0]))


def test_a_server_that_says_nothing_is_later(events: list[FeedEvent]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Later, match="timed out"):
        asyncio.run(opened(mute.getsockname()[1], timeout_s=0.2).deliver(events[0]))


class Accounts:
    def __call__(self, server, session, envelope, mechanism, data) -> AuthResult:
        fine = isinstance(data, LoginPassword) and (data.login, data.password) == (b"firstline", b"s3cret")
        return AuthResult(success=fine, handled=False)


def tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_starttls_and_a_password_from_its_file(events: list[FeedEvent], smtp_sink, certificate: Path, tmp_path: Path) -> None:
    sink, port = smtp_sink(tls_context=tls_context(certificate), authenticator=Accounts(), auth_required=True)
    options = {"security": "starttls", "username": "firstline", "password_file": str(tmp_path / "password"), "ca_file": str(certificate)}
    (tmp_path / "password").write_text("wrong\n")
    with pytest.raises(Refused, match="535"):
        asyncio.run(opened(port, **options).deliver(events[0]))
    (tmp_path / "password").write_text("s3cret\n")
    asyncio.run(opened(port, **options).deliver(events[0]))
    assert len(sink.got) == 1


def test_a_certificate_that_nobody_vouches_for_gets_no_mail(events: list[FeedEvent], smtp_sink, certificate: Path) -> None:
    sink, port = smtp_sink(tls_context=tls_context(certificate))
    with pytest.raises(Later, match="certificate is not trusted"):
        asyncio.run(opened(port, security="starttls").deliver(events[0]))
    assert sink.got == []


def test_a_server_without_starttls_gets_no_mail_when_it_was_asked_for(events: list[FeedEvent], smtp_sink) -> None:
    sink, port = smtp_sink()
    with pytest.raises(Later, match="STARTTLS"):
        asyncio.run(opened(port, security="starttls").deliver(events[0]))
    assert sink.got == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"username": "u", "password_file": "f", "security": "none"}, "over TLS only"),
        ({"username": "u"}, "go together"),
        ({"password_file": "f"}, "go together"),
        ({"sender": "a@b@c"}, "a@b@c is no mail address"),
        ({"recipients": ("noc@example.net", "a..b@example.net")}, "a..b@example.net is no mail address"),
    ],
)
def test_options_that_contradict_themselves(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        opened(25, **options)


@pytest.mark.parametrize("wrong", [{"recipients": ()}, {"sender": "nobody"}, {"sender": "a@b\nc"}, {"recipients": ("a b@c",)}, {"port": 0}])
def test_options_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        opened(**{"port": 25, **wrong})


def test_the_default_is_a_protected_way() -> None:
    options = mail.Options(host="h", sender="a@b", recipients=("c@d",))
    assert options.security is mail.Security.STARTTLS
