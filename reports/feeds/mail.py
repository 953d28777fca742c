"""One mail an event (RFC 5322, RFC 5321); the mails of a case are one thread.

The Message-ID is made of the case's identity and the event's number, so a repeat has the same and mailboxes that look at it drop it; every
later mail of a case names the first one in References. Mails say that a machine wrote them (RFC 3834), so that holiday replies keep quiet.
A password is sent over TLS only. When some recipients were taken and others put off, only the others are tried again.
"""

import asyncio
import contextlib
import hashlib
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.errors import MessageDefect, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from reports.feeds.feed import FeedEvent, Later, Refused
from reports.feeds.options import Clock, FeedOptions, Render, secret

MAX_SUBJECT = 200
_REMEMBERED = 1000


class Security(StrEnum):
    """How the way to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Options(FeedOptions, frozen=True, kw_only=True):
    """From whom, to whom, over which server."""

    host: Annotated[str, Meta(description="mail server", min_length=1)]
    sender: Annotated[str, Meta(description="address in From and in the envelope", pattern="^[!-~]+@[!-~]+$")]
    recipients: Annotated[tuple[Annotated[str, Meta(pattern="^[!-~]+@[!-~]+$")], ...], Meta(description="addresses", min_length=1)]
    port: Annotated[Annotated[int, Meta(ge=1, le=65535)] | None, Meta(description="default: 25, 587 with starttls, 465 with tls")] = None
    security: Annotated[Security, Meta(description="none, starttls (never without once set) or tls")] = Security.STARTTLS
    username: Annotated[str | None, Meta(description="account, when the server wants one")] = None
    password_file: Annotated[str | None, Meta(description="file with its password")] = None
    ca_file: Annotated[str | None, Meta(description="certificates to trust instead of the system's")] = None
    language: Annotated[str, Meta(description="of the mails: en or zh")] = "en"
    timeout_s: Annotated[float, Meta(description="for each step of the dialogue", gt=0, le=30)] = 10.0


_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


class Mail:
    """Sends through one server."""

    def __init__(self, name: str, options: Options, render: Render) -> None:
        self.name = name
        self._options = options
        self._render = render
        self._taken: dict[str, set[str]] = {}
        # Its own threads: a server that answers octet by octet must not hold those by which cases are stored.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"mail {name}")
        for address in (options.sender, *options.recipients):
            _plain_address(address)
        if (options.username is None) != (options.password_file is None):
            raise ValueError("username and password_file go together")
        if options.username is not None and options.security is Security.NONE:
            raise ValueError("a password is sent over TLS only: set security to starttls or tls")

    async def deliver(self, event: FeedEvent) -> None:
        """Send the mail of the event; Later or Refused unless the server took it for every recipient."""
        message = compose(event, self._options, self._render)
        identity = str(message["Message-ID"])
        taken = self._taken.get(identity, set())
        left = [one for one in self._options.recipients if one not in taken]
        password = secret(self._options.password_file) if self._options.password_file else None
        loop = asyncio.get_running_loop()
        refused = await loop.run_in_executor(self._threads, send, message, left, self._options, password)
        if not refused:
            self._taken.pop(identity, None)
            return
        self._remember(identity, taken | (set(left) - refused.keys()))
        words = "; ".join(f"{who}: {code} {_words(said)}" for who, (code, said) in refused.items())
        if all(code >= 500 for code, _ in refused.values()):
            raise Refused(words)
        raise Later(words)

    def _remember(self, identity: str, taken: set[str]) -> None:
        self._taken[identity] = taken
        while len(self._taken) > _REMEMBERED:
            del self._taken[next(iter(self._taken))]


def _plain_address(address: str) -> None:
    """Raise ValueError unless a header can carry this address: what a pattern lets through may still be none ("a@b@c")."""
    try:
        Address(addr_spec=address)
    except (ValueError, MessageError, MessageDefect) as why:
        raise ValueError(f"{address} is no mail address") from why


def message_id(event: FeedEvent, number: int, domain: str) -> str:
    """Return the Message-ID of the `number`th mail of the event's case."""
    who = event.identity
    digest = hashlib.sha256(f"{event.agent}\n{who.kind}\n{who.cause}\n{who.element}\n{who.episode}\n{event.case}".encode()).hexdigest()
    return f"<{digest[:24]}.{number}@{domain}>"


def compose(event: FeedEvent, options: Options, render: Render) -> EmailMessage:
    """Return the mail of an event; twice the same for the same event."""
    subject, body = render(event, options.language)
    domain = options.sender.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(subject.split())[:MAX_SUBJECT] or event.id
    message["From"] = Address("firstline", addr_spec=options.sender)
    message["To"] = tuple(Address(addr_spec=one) for one in options.recipients)
    message["Date"] = format_datetime(event.at)
    message["Message-ID"] = message_id(event, event.number, domain)
    if event.number > 1:
        first = message_id(event, 1, domain)
        message["In-Reply-To"] = first
        message["References"] = first
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body, charset="utf-8", cte="base64" if not body.isascii() else None)
    return message


def send(message: EmailMessage, recipients: list[str], options: Options, password: str | None) -> dict[str, tuple[int, bytes]]:
    """Hand the mail to the server; returns who was not taken, with the server's words. Later or Refused when nobody was."""
    where = f"{options.host}:{options.port or _PORTS[options.security]}"
    try:
        server = _dial(options)
        try:
            if options.username is not None and password is not None:
                server.login(options.username, password)
            refused = server.send_message(message, options.sender, recipients)
        except BaseException:
            server.close()
            raise
        with contextlib.suppress(OSError, smtplib.SMTPException):  # it is taken: how the server says good-bye changes nothing
            server.quit()
        return refused
    except smtplib.SMTPRecipientsRefused as why:
        return dict(why.recipients)
    except smtplib.SMTPResponseException as why:
        said = f"{where}: {why.smtp_code} {_words(why.smtp_error)}"
        raise (Refused(said) if why.smtp_code >= 500 else Later(said)) from why
    except ssl.SSLCertVerificationError as why:
        raise Later(f"{where}: the certificate is not trusted ({why.verify_message})") from why
    except (OSError, smtplib.SMTPException) as why:
        raise Later(f"{where}: {why or type(why).__name__}") from why


def _dial(options: Options) -> smtplib.SMTP:
    port = options.port or _PORTS[options.security]
    if options.security is Security.NONE:
        return smtplib.SMTP(options.host, port, timeout=options.timeout_s)
    trust = ssl.create_default_context(cafile=options.ca_file)
    if options.security is Security.TLS:
        return smtplib.SMTP_SSL(options.host, port, timeout=options.timeout_s, context=trust)
    server = smtplib.SMTP(options.host, port, timeout=options.timeout_s)
    try:
        server.starttls(context=trust)
    except BaseException:
        server.close()
        raise
    return server


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]


def open(name: str, options: Options, *, now: Clock, render: Render) -> Mail:  # noqa: ARG001
    """Return a feed that sends through the server of `options`; ValueError when they contradict themselves."""
    return Mail(name, options, render)
