"""One call as a caller: INVITE, audio, BYE (RFC 3261 13, 14, 15). Whatever happens, what was begun is brought to an end.

A call runs as a task of its own. Whoever waits for it may go away at any time: `stop` then makes the call cancel itself or hang up.
"""

import asyncio
import ipaddress
import secrets
import time
from enum import StrEnum

import msgspec

from probe.dial import DialError
from probe.observation.sip import AudioSample, CallSample, SipSample, is_private
from probe.resolve import literal_family
from probe.sip import fields, sdp
from probe.sip.client import sample
from probe.sip.conversation import Conversation, Reply, Secret, tag_of
from probe.sip.datagram import UdpWire, as_kernel
from probe.sip.message import MalformedError, SipMessage, build
from probe.sip.rtp import Audio
from probe.sip.wire import Arrived, BlockedError

SESSION_S = 90  # RFC 4028: after a kill of ours in the middle, a far end that knows session timers ends the call by itself
GOODBYE_S = 8.0  # the longest that a BYE or CANCEL waits for its answer: five times sent
LATE_ANSWER_S = 32.0  # how long a cancelled INVITE may still be answered (timer B)
SILENT_S = 2.0  # the same where nothing was heard at all; a 200 later than that, never acknowledged, ends by itself (RFC 3261 13.3.1.4)
MOST_REPLIES = 64  # of ours to what the far end sends of its own accord in one call; a 200 is repeated eleven times (13.3.1.4)
LOWEST_PORT = 1024  # to which audio is sent: below it are DNS, NTP, SNMP, and nobody's telephone
MOST_URI = 512  # octets of an address that the far end has us write into our own requests
KINDS = {"PCMU": 0, "PCMA": 8}
PROVISIONAL = range(100, 200)


class Ended(StrEnum):
    """How a call was brought to an end."""

    REFUSED = "refused"
    CANCELLED = "cancelled"
    BYE = "bye"
    PEER = "peer"
    UNCONFIRMED = "unconfirmed"


class Wanted(msgspec.Struct, frozen=True):
    """What to do in a call: whom, for how long to let it ring and to talk, in which codecs."""

    number: str
    ring_s: float
    talk_s: float
    codecs: tuple[str, ...]
    audio: bool


class Call:
    """One call over one conversation."""

    def __init__(self, conversation: Conversation, wanted: Wanted, secret: Secret | None, stop: asyncio.Event) -> None:
        self.to, self.wanted, self.secret, self.stop = conversation, wanted, secret, stop
        self.provisional = False
        self.ringing_ms: float | None = None
        self.final_ms: float | None = None
        self._start = 0.0
        self.over = asyncio.Event()  # the far end hung up
        self._acknowledged: bytes | None = None
        self._invite = 0  # its CSeq
        self._first = conversation.wire.peer  # whom we asked, before any Contact leads elsewhere
        self._replies = 0

    async def run(self) -> CallSample:
        """Make the call and end it; MalformedError, OSError, DialError, TimeoutError when there was no call at all."""
        host = self.to.wire.local[0]
        audio = Audio(literal_family(host), host)
        try:
            reply = await self._invited(audio)
            if reply is None:
                return self._sample(None, None, None, None, 0.0, Ended.CANCELLED)
            if reply.message.code >= 300:
                ended = Ended.CANCELLED if reply.message.code == 487 else Ended.REFUSED
                return self._sample(reply, None, None, None, 0.0, ended)
            return await self._talk(reply, audio)
        finally:
            audio.close()

    async def heard(self, got: Arrived) -> None:
        """Take what answers no request of ours: provisional answers, a repeated 200, requests of the far end."""
        message = got.message
        if message.code in PROVISIONAL and message.cseq[1] == "INVITE":
            self.provisional = True
            if message.code in {180, 183} and self.ringing_ms is None:
                self.ringing_ms = (time.perf_counter() - self._start) * 1e3
        elif self._replies >= MOST_REPLIES:
            if message.method == "BYE":
                self.over.set()
        elif 200 <= message.code < 300 and message.cseq[1] == "INVITE" and self._acknowledged:
            self._replies += 1
            if tag_of(message.first("to")) == self.to.remote_tag:
                await self.to.wire.send(self._acknowledged)
            else:
                await self._end_second(message)
        elif message.code == 0 and message.method == "BYE":
            self.over.set()
            await self._respond(message, 200, "OK")
        elif message.code == 0 and message.method in {"INVITE", "UPDATE"}:
            await self._respond(message, 488, "Not Acceptable Here")
        elif message.code == 0 and message.method != "ACK":
            await self._respond(message, 200 if message.method in {"OPTIONS", "INFO", "NOTIFY"} else 501, "OK")

    async def _respond(self, request: SipMessage, code: int, reason: str) -> None:
        self._replies += 1
        copied = [(name, value) for name in ("via", "from", "to", "call-id", "cseq", "record-route") for value in request.all(name)]
        try:
            await self.to.wire.send(build(f"SIP/2.0 {code} {reason}", copied))
        except ValueError:  # what can't be sent back as it came gets no answer
            pass

    async def _invited(self, audio: Audio) -> Reply | None:
        """Return the final answer to the INVITE, None when there was none in time and the INVITE was cancelled."""
        asking = asyncio.create_task(self._ask(audio), name="invite")
        stopped = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({asking, stopped}, timeout=self.wanted.ring_s, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            return await self._cancel(asking)
        except TimeoutError:  # nothing was heard, and CANCEL was sent
            raise
        except (MalformedError, BlockedError, OSError):  # somebody may be called all the same
            await self._abandon()
            raise
        finally:
            stopped.cancel()
            asking.cancel()

    async def _ask(self, audio: Audio) -> Reply:
        body = sdp.offer(self.to.wire.local[0], audio.port, self.wanted.codecs, secrets.randbits(31))
        expires = SESSION_S
        self._start = time.perf_counter()
        for last in (False, True):
            reply = await self.to.ask("INVITE", self._headers(expires), body, self.secret)
            self.final_ms = (time.perf_counter() - self._start) * 1e3
            least = fields.seconds(reply.message.first("min-se"))
            if reply.message.code != 422 or last or self.to.cancelled or least is None or not SESSION_S <= least <= 7200:
                return reply
            expires = least  # RFC 4028 6: too short for them
        raise AssertionError

    def _headers(self, expires: int) -> list[tuple[str, str]]:
        return [
            ("Contact", self.to.contact),
            ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),
            ("Supported", "timer"),
            ("Session-Expires", f"{expires};refresher=uac"),
            ("Content-Type", "application/sdp"),
        ]

    async def _cancel(self, asking: "asyncio.Task[Reply]") -> Reply | None:
        """Cancel the INVITE (RFC 3261 9.1); what is answered nevertheless is returned. TimeoutError when nothing ever was."""
        start, told = time.perf_counter(), 0
        self.to.cancelled = True
        while (left_s := start + (LATE_ANSWER_S if self.provisional else SILENT_S) - time.perf_counter()) > 0:
            if told < 4:
                await self.to.wire.send(self._cancelling())
                told += 1
            await asyncio.wait({asking}, timeout=min(0.5 * 2.0**told, left_s))
            if asking.done():
                reply = asking.result()
                return None if reply.message.code in {401, 407, 422} else reply  # it only asks us to begin anew
        if not self.provisional:
            raise TimeoutError
        return None

    async def _abandon(self) -> None:
        """Cancel an INVITE of which nothing sensible came; one that is answered nevertheless is hung up."""
        try:
            async with asyncio.timeout(SILENT_S):
                await self.to.wire.send(self._cancelling())
                while True:
                    try:
                        got = (await self.to.wire.receive()).message
                    except (MalformedError, BlockedError):
                        if self.to.wire.reliable:
                            return
                    else:
                        if got.code >= 200 and got.cseq[1] == "INVITE":
                            break
            if got.code >= 300:
                await self.to.acknowledge_refusal(got, self.to.cseq)
            else:
                await self._acknowledge(got)
                await self._hang_up()
        except (OSError, DialError):  # TimeoutError is one: nobody has answered
            pass

    def _cancelling(self) -> bytes:
        return self.to.octets("CANCEL", self.to.branch, self.to.cseq, [])

    async def _talk(self, reply: Reply, audio: Audio) -> CallSample:
        """Acknowledge, send and hear audio, hang up; hanging up comes whatever happens in between."""
        start = time.perf_counter()
        session = sdp.parse(reply.message.body)
        codec = next((name for name in session.codecs if name in KINDS), None)
        ended = Ended.UNCONFIRMED
        try:
            await self._acknowledge(reply.message)
            listening = asyncio.create_task(self._listen(), name="listen")
            try:
                await self._speak(session, codec, audio)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        finally:
            talk_s = time.perf_counter() - start
            ended = await self._hang_up()
        return self._sample(reply, codec, session, audio.sample(), talk_s, ended)

    async def _speak(self, session: sdp.Session, codec: str | None, audio: Audio) -> None:
        until = asyncio.Event()
        watching = [asyncio.create_task(_pass_on(event, until)) for event in (self.stop, self.over)]
        try:
            to = destination(session, self.to.wire.peer[0])
            if to is None or codec is None or session.direction == "inactive":
                async with asyncio.timeout(self.wanted.talk_s):
                    await until.wait()
            else:
                audio.kind = KINDS[codec]
                await audio.send(to, self.wanted.talk_s, until, trusted=to[0] == as_kernel(self._first)[0])
        except TimeoutError:
            pass
        finally:
            for task in watching:
                task.cancel()

    async def _acknowledge(self, answer: SipMessage) -> None:
        """Send the ACK of a 2xx, which makes the dialog (RFC 3261 12.1.2, 13.2.2.4)."""
        self._invite = self.to.cseq
        contact = self._enter(answer)
        if contact is not None:
            self._move(contact)
        self._acknowledged = self.to.octets("ACK", _branch(), self._invite, [])
        await self.to.wire.send(self._acknowledged)

    async def _end_second(self, answer: SipMessage) -> None:
        """Acknowledge and hang up another telephone that answered the same INVITE (RFC 3261 13.2.2.4): a proxy had let several ring."""
        to, wire = self.to, self.to.wire
        before, peer = (to.remote_tag, to.route, to.uri), wire.peer
        try:
            self._enter(answer)
            both = to.octets("ACK", _branch(), self._invite, []), to.octets("BYE", _branch(), self._invite + 1, [])
        finally:
            to.remote_tag, to.route, to.uri = before
        if isinstance(wire, UdpWire):
            wire.move(self._first)
        for data in both:
            await wire.send(data)
        if isinstance(wire, UdpWire):
            wire.move(peer)

    def _enter(self, answer: SipMessage) -> fields.Address | None:
        """Take tag, route and target of a dialog from its 2xx; return its Contact if that can be used."""
        to = self.to
        to.remote_tag = tag_of(answer.first("to"))
        records = [one for value in answer.all("record-route") for one in fields.split(value)]
        to.route = tuple(one for one in reversed(records) if one.isprintable() and len(one) <= MOST_URI)[:16]
        contacts = fields.split(answer.first("contact") or "")
        if contacts:
            where = fields.address(contacts[0])
            if where.host and len(where.uri) <= MOST_URI and where.uri.isprintable() and where.uri.isascii() and " " not in where.uri:
                to.uri = where.uri
                return where
        return None

    def _move(self, contact: fields.Address) -> None:
        """Go on with the address in Contact (RFC 3261 12.2.1.1), unless that is a private one that stands for a public peer (NAT)."""
        wire = self.to.wire
        if self.to.route or not isinstance(wire, UdpWire):
            return
        if not leads_somewhere(contact.host, wire.peer[0]):
            return
        if is_private(contact.host) and not is_private(wire.peer[0]):
            return
        wire.move((contact.host, contact.port or 5060))

    async def _listen(self) -> None:
        while True:
            try:
                await self.heard(await self.to.wire.receive())
            except (MalformedError, BlockedError):
                if self.to.wire.reliable:
                    return
            except (OSError, DialError):
                return

    async def _hang_up(self) -> Ended:
        """Send BYE until it is answered, at most 8 s; nothing is left to do when the far end was first.

        Where Contact led elsewhere and nobody confirms there, half of the time is for whom we asked at first.
        """
        wire = self.to.wire
        if self.over.is_set() or not isinstance(wire, UdpWire) or wire.peer == self._first:
            return await self._say_bye(GOODBYE_S, self.secret)
        same = wire.peer[0] == self._first[0]
        ended = await self._say_bye(GOODBYE_S / 2, self.secret if same else None)  # a stranger's challenge gets no digest of ours
        if ended is Ended.UNCONFIRMED:
            wire.move(self._first)
            ended = await self._say_bye(GOODBYE_S / 2, self.secret)
        return ended

    async def _say_bye(self, seconds: float, secret: Secret | None) -> Ended:
        if self.over.is_set():
            return Ended.PEER
        try:
            async with asyncio.timeout(seconds):
                reply = await self.to.ask("BYE", [], secret=secret)
        except (OSError, MalformedError, BlockedError, DialError):  # TimeoutError is an OSError
            return Ended.PEER if self.over.is_set() else Ended.UNCONFIRMED
        gone = 200 <= reply.message.code < 300 or reply.message.code == 481  # 481: they know of no such call (any more)
        return Ended.BYE if gone else Ended.UNCONFIRMED

    def _sample(
        self, reply: Reply | None, codec: str | None, session: sdp.Session | None, audio: AudioSample | None, talk_s: float, ended: Ended
    ) -> CallSample:
        wire = self.to.wire
        answer = sample(self.to, reply) if reply else SipSample(wire.peer[0], wire.peer[1], wire.transport, None)
        up = reply is not None and reply.message.code < 300
        pdd = self.ringing_ms if self.ringing_ms is not None else self.final_ms
        return CallSample(
            self.wanted.number,
            answer,
            self.wanted.ring_s,
            pdd,
            self.final_ms if up else None,
            self.ringing_ms is not None,
            codec,
            audio,
            self.wanted.audio,
            talk_s,
            str(ended),
            reply is not None and reply.authenticated,
        )


async def _pass_on(event: asyncio.Event, to: asyncio.Event) -> None:
    await event.wait()
    to.set()


def _branch() -> str:
    return f"z9hG4bK{secrets.token_hex(8)}"


def destination(session: sdp.Session, peer: str) -> tuple[str, int] | None:
    """Return where to send audio, None for nowhere: on hold, by a name, to a service's port, or to no single other host."""
    if session.port is None or session.port < LOWEST_PORT or not session.host or not leads_somewhere(session.host, peer):
        return None
    return as_kernel((session.host, session.port))


def leads_somewhere(host: str, peer: str) -> bool:
    """Tell whether a host that a peer names is an address of one host, of its family, and not our own loopback."""
    if not literal_family(host) or literal_family(host) != literal_family(peer) or "%" in host:
        return False
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None or address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return False
    return not address.is_loopback or ipaddress.ip_address(peer).is_loopback
