"""What the SIP probers share: their options, the way to a peer, and what an answer says."""

import errno
import secrets
import ssl
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, DialError, failure_of
from probe.observation.failure import Failure, Kind
from probe.observation.sip import SipSample
from probe.probers.tls import reading_context
from probe.resolve import Unresolved, literal_family, resolve
from probe.sip import fields, sdp
from probe.sip.conversation import Conversation, Heard, Reply
from probe.sip.datagram import Endpoints
from probe.sip.message import MalformedError, SipMessage
from probe.sip.wire import BlockedError, StreamWire, Wire, connect
from probe.target import is_host

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
MOST_ALLOW = 32

_Done = TypeVar("_Done")


class SipOptions(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for every SIP check."""

    port: Annotated[int, Meta(description="port; 0: 5060, with TLS 5061", ge=0, le=65535)] = 0
    transport: Annotated[Literal["udp", "tcp", "tls"], Meta(description="what SIP runs over; certificates are for the tls prober")] = "udp"
    domain: Annotated[str, Meta(description="domain of the URIs; default: the node's address")] = ""
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def to_port(self) -> int:
        """The port asked."""
        return self.port or DEFAULT_PORTS[self.transport]

    @property
    def at(self) -> str:
        """Transport and port, empty for UDP 5060, the port left out where it is the usual one."""
        port = "" if self.to_port == DEFAULT_PORTS[self.transport] else str(self.to_port)
        return f"{'' if self.transport == 'udp' else self.transport} {port}".strip()

    def check_texts(self, **texts: str) -> None:
        """Refuse what can't stand in a SIP URI; ValueError."""
        for name, text in {"domain": self.domain, **texts}.items():
            if not text.isprintable() or not text.isascii() or any(char in text for char in ' <>"?;,@'):
                raise ValueError(f"{name}: {text!r} can't stand in a SIP URI; leave out blanks and < > \" ? ; , @")
            if name != "domain" and ":" in text:
                raise ValueError(f"{name}: {text!r} has a colon; write the user part alone, without sip: and port")
        if self.domain and not is_host(self.domain):
            raise ValueError(f"domain: {self.domain!r} is no host; write a name or an address, without scheme, brackets and port")

    def check_words(self, **texts: str) -> None:
        """Refuse names for a digest that can't stand in a header; ValueError."""
        for name, text in texts.items():
            if not text.isprintable():
                raise ValueError(f"{name}: {text!r} has characters that can't be sent; write it in one line")


async def reach(endpoints: Endpoints, host: str, options: SipOptions, call_id: str) -> Wire:
    """Return a wire to the first address of `host`; DialError, Unresolved, ssl.SSLError, OSError."""
    if options.transport != "udp":
        context = reading_context() if options.transport == "tls" else None
        return await connect(host, options.to_port, FAMILIES[options.family], context)
    wanted = FAMILIES[options.family]
    family, address = literal_family(host), host
    if not family or wanted not in {0, family}:
        family, address = (await resolve(host, wanted))[0]
    return endpoints.wire(family, call_id, (address, options.to_port))


def bracketed(host: str) -> str:
    """Return a host as a URI has it: an IPv6 address in brackets, without its zone, which is ours alone (RFC 4007 11.2)."""
    host = host.partition("%")[0]
    return f"[{host}]" if ":" in host else host


async def converse(
    endpoints: Endpoints,
    host: str,
    options: SipOptions,
    user: str,
    talk: Callable[[Conversation], Awaitable[_Done]],
    heard: Heard | None = None,
) -> "_Done | SipSample | Failure":
    """Return what `talk` returns of a conversation with sip:`user`@domain at `host`; else what was in its way.

    A refusal to pass packets on, said by something before the peer, is a SipSample without a code.
    """
    call_id = f"{secrets.token_hex(12)}@firstline"
    try:
        wire = await reach(endpoints, host, options, call_id)
    except (DialError, Unresolved) as why:
        return why.failure
    except OSError as why:
        return failure_of_stream(why)
    try:
        domain = bracketed(options.domain or host)
        uri = f"sip:{fields.escaped(user)}@{domain}" if user else f"sip:{domain}"
        if not options.domain and options.to_port != DEFAULT_PORTS[options.transport]:
            uri += f":{options.to_port}"
        conversation = Conversation(wire, call_id, uri, f"sip:firstline@{bracketed(wire.local[0])}", heard)
        return await talk(conversation)
    except BlockedError as why:
        return SipSample(wire.peer[0], wire.peer[1], wire.transport, None, blocked_by=why.by or "?", blocked=str(why))
    except MalformedError as why:
        return Failure(Kind.REJECTED, f"answered what is no SIP: {why}")
    except DialError as why:
        return why.failure
    except OSError as why:
        return failure_of_stream(why) if wire.reliable or isinstance(why, TimeoutError) else failure_of(why)
    finally:
        wire.close()


def failure_of_stream(why: OSError) -> Failure:
    """Return the Failure of a connection that was up."""
    if isinstance(why, TimeoutError):
        return Failure(Kind.TIMEOUT)
    if isinstance(why, ssl.SSLError):
        return Failure(Kind.REJECTED, f"TLS: {(why.reason or 'the handshake failed').replace('_', ' ').lower()}")
    if why.errno == errno.ECONNRESET or isinstance(why, ConnectionError):
        return Failure(Kind.REJECTED, why.strerror or str(why) or "the peer closed the connection")
    return failure_of(why)


def sample(conversation: Conversation, reply: Reply) -> SipSample:
    """Return what a final answer says."""
    wire, message = conversation.wire, reply.message
    via, params = fields.parameters(message.first("via") or "")
    sent_by = via.rpartition(" ")[2]
    cause, q850 = reason_of(message)
    contact = message.first("contact")
    session = sdp.parse(message.body) if message.body and "sdp" in (message.first("content-type") or "").lower() else None
    received = params.get("received", "")
    return SipSample(
        wire.peer[0],
        wire.peer[1],
        wire.transport,
        message.code,
        fields.shown(message.reason) or "",
        reply.answer_ms,
        reply.repeats,
        wire.connect_ms if isinstance(wire, StreamWire) else None,
        wire.tls_ms if isinstance(wire, StreamWire) else None,
        wire.tls_version if isinstance(wire, StreamWire) else None,
        fields.shown(message.first("server") or message.first("user-agent")),
        allowed(message),
        fields.shown(contact),
        fields.shown(fields.address(fields.split(contact)[0]).host) if contact and fields.split(contact) else None,
        fields.seconds(message.first("retry-after")),
        cause,
        q850,
        fields.shown(message.first("warning")),
        session.codecs[:MOST_ALLOW] if session else (),
        fields.shown(session.host) if session else None,
        fields.shown(f"{received}:{params['rport']}" if received and params.get("rport") else received) or None,
        fields.hostport(sent_by) != fields.hostport(conversation.sent_by),
        None if reply.source[0] == wire.peer[0] else reply.source[0],
    )


def allowed(message: SipMessage) -> tuple[str, ...]:
    """Return the methods of Allow, each once."""
    found = [shown.upper() for value in message.all("allow")[:8] for part in fields.split(value) if (shown := fields.shown(part))]
    return tuple(dict.fromkeys(found))[:MOST_ALLOW]


def reason_of(message: SipMessage) -> tuple[str | None, int | None]:
    """Return the Reason header (RFC 3326) as text, and its Q.850 cause; None for what is not there."""
    text, q850 = None, None
    for value in message.all("reason")[:8]:
        for part in fields.split(value):
            protocol, params = fields.parameters(part)
            text = text or fields.shown(part)
            cause = params.get("cause", "")
            if protocol.upper() == "Q.850" and cause.isascii() and cause.isdecimal() and int(cause[:4]) <= 127:
                q850 = int(cause[:4])
    return text, q850


def options_headers(conversation: Conversation) -> list[tuple[str, str]]:
    """Return what an OPTIONS carries besides (RFC 3261 11.1)."""
    return [("Contact", conversation.contact), ("Accept", "application/sdp")]


async def ask_options(endpoints: Endpoints, host: str, options: SipOptions, user: str) -> SipSample | Failure:
    """Return what one OPTIONS saw."""

    async def talk(conversation: Conversation) -> SipSample:
        seen = sample(conversation, await conversation.ask("OPTIONS", options_headers(conversation)))
        return msgspec.structs.replace(seen, user=user)

    return await converse(endpoints, host, options, user, talk)
