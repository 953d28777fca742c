"""All packets of one capture, one after another, into calls and streams; what it holds at once is bounded."""

from collections.abc import Iterator
from ipaddress import ip_address

from probe.capture.anomalies import Anomalies
from probe.capture.call import Call
from probe.capture.frames import ETHERNET, IP_AT, TCP, Datagram, Frames, endpoints
from probe.capture.reader import Packet
from probe.capture.rtcp import Rtcp
from probe.capture.rtp import Codecs, Stream, is_rtcp, is_rtp
from probe.capture.segments import Segments
from probe.capture.sip import Sip, looks_like, parse

MOST_CALLS = 5000
MOST_COUNTED = 200_000  # calls that are only counted, so that each counts once
MOST_STREAMS = 5000
MOST_LINES = 20_000
MOST_PLACES = 10_000  # endpoints that session descriptions announced
UNSURE_S = 5.0  # what did not behave like RTP for so long makes room, when room is needed
STEP_BACK_S = 1.0

Place = tuple[bytes, int]


class Announced:
    """Where a party of a call wants its media, and by which payload types."""

    __slots__ = ("audio", "call", "codecs", "party")

    def __init__(self, call: int, party: str, codecs: Codecs, audio: bool) -> None:
        self.call, self.party, self.codecs, self.audio = call, party, codecs, audio


class Analysis:
    """Calls and streams found so far. `current` holds, by a datagram's key, the stream that its next packet probably belongs to."""

    def __init__(self, anomalies: Anomalies, wanted: str = "") -> None:
        self._wanted = wanted  # follow only calls with this in their Call-ID, caller or callee
        self._passed: set[int] = set()
        self.calls: dict[str, Call] = {}
        self.streams: dict[Stream, None] = {}
        self.calls_seen = 0
        self.packets = 0
        self.last = 0.0
        self.first: float | None = None
        self._anomalies = anomalies
        self._frames = Frames(anomalies)
        self._segments = Segments(anomalies)
        self._rtcp = Rtcp()
        self._current: dict[bytes, Stream] = {}
        self._others: dict[tuple[bytes, int], Stream] = {}
        self._announced: dict[Place, Announced] = {}
        self._to: dict[Place, set[bytes]] = {}
        self._lines = 0
        self._room_asked = 0.0

    def read(self, packets: Iterator[Packet]) -> None:
        """Take in all packets.

        A packet of a known stream goes straight to it: IPv4 without options or fragments, by the twelve octets of addresses and ports.
        """
        current, fallback, offsets = self._current.get, self._packet, dict(IP_AT)
        count, last = 0, self.last
        for at, link, data in packets:
            count += 1
            if at < last - STEP_BACK_S:
                self._anomalies.note("time-back")
            last = at
            start = offsets.get(link, 0)
            if len(data) >= start + 40 and data[start] == 0x45:
                stream = current(data[start + 12 : start + 24])
                if stream is not None and data[start + 9] == 17 and not data[start + 6] & 0x3F and stream.take(at, data, start + 28):
                    continue
            elif link == ETHERNET:
                offsets[ETHERNET] = 18 if data[12:14] == b"\x81\x00" else 14
            if self.first is None:
                self.first = at
            fallback(at, link, data)
        self.packets += count
        self.last = max(self.last, last)
        self._frames.fragments.close()
        self._rtcp.tell(self.streams)

    def _packet(self, at: float, link: int, data: bytes) -> None:
        for found in self._frames.datagrams(link, data):
            if found.protocol == TCP:
                for message in self._segments.add(found):
                    self._sip(at, found.key, message)
                return
            start, end = found.at, min(found.end, len(found.data))
            if end <= start:
                return
            stream = self._current.get(found.key)
            if is_rtp(found.data, start, end):
                if stream is None or not stream.take(at, found.data, start):
                    self._begin(at, found)
            elif is_rtcp(found.data, start, end):
                self._rtcp.take(at, found.data[start:end])
            elif looks_like(found.data, start):
                self._sip(at, found.key, found.data[start:end])

    def _sip(self, at: float, key: bytes, text: bytes) -> None:
        try:
            message = parse(text)
        except ValueError:
            self._anomalies.note("sip-broken")
            return
        call = self.calls.get(message.call_id)
        if call is None:
            if message.method not in ("INVITE", "BYE") or message.code is not None or not self._followed(message):
                for media in message.media:
                    self._announce(at, media.address, media.port, None)
                return
            self.calls_seen += 1
            call = self.calls[message.call_id] = Call(self.calls_seen, message, at)
        source, target = endpoints(key)
        room = self._lines < MOST_LINES
        shown = (str(ip_address(source[0])), source[1]), (str(ip_address(target[0])), target[1])
        party = call.take(message, at, *shown, hash((key, text)), room)
        self._lines += room
        if not room:
            self._anomalies.note("ladder")
        if party in ("caller", "callee"):
            for media in sorted(message.media, key=lambda media: media.kind == "audio"):  # of a shared port (RFC 9143) audio counts
                if media.port:
                    self._announce(at, media.address, media.port, Announced(call.number, party, media.codecs, media.kind == "audio"))

    def _followed(self, message: Sip) -> bool:
        """Tell whether a new call is followed: one that is wanted, while there is room; others are counted."""
        wanted = not self._wanted or any(self._wanted in text for text in (message.call_id, message.caller, message.callee))
        if wanted and len(self.calls) < MOST_CALLS:
            return True
        mark = hash(message.call_id)
        if mark not in self._passed and len(self._passed) < MOST_COUNTED:
            self._passed.add(mark)
            self.calls_seen += 1
            if wanted:
                self._anomalies.note("calls")
        return False

    def _announce(self, at: float, address: str, port: int, announced: Announced | None) -> None:
        """Remember who wants media where; streams towards this place belong to the call from now on, to none when it is not followed."""
        try:
            place = (ip_address(address).packed, port)
        except ValueError:  # a name
            return
        before = self._announced.pop(place, None)
        if announced is None:
            if before is not None:
                for key in tuple(self._to.get(place, ())):
                    self._forget(key)
            return
        if before is None and len(self._announced) >= MOST_PLACES:
            self._announced.pop(next(iter(self._announced)))
        self._announced[place] = announced
        for key in tuple(self._to.get(place, ())):
            stream = self._current.get(key)
            if stream is not None and stream.call != announced.call:
                if stream.call is None and at - stream.at < UNSURE_S:
                    self._assign(stream)
                else:  # the port serves another call now, or again
                    self._forget(key)

    def _forget(self, key: bytes) -> None:
        self._current.pop(key, None)
        for pair in [pair for pair in self._others if pair[0] == key]:
            del self._others[pair]
        for place in endpoints(key):
            keys = self._to.get(place, set())
            keys.discard(key)
            if not keys:
                self._to.pop(place, None)

    def _begin(self, at: float, found: Datagram) -> None:
        """Take a packet that is not of its key's current stream: of one seen before, or of a new one."""
        key, data, start = found.key, found.data, found.at
        now = self._current.get(key)
        ssrc = int.from_bytes(data[start + 8 : start + 12], "big")
        if now is not None:
            if now.sure:
                self._others[key, now.ssrc] = now
            else:
                self.streams.pop(now, None)
        known = self._others.pop((key, ssrc), None)
        if known is not None:
            self._current[key] = known
            known.take(at, data, start)
            return
        if len(self.streams) >= MOST_STREAMS and not self._make_room(at):
            self._anomalies.note("streams")
            self._current.pop(key, None)
            return
        stream = Stream(key, at, data, start, None)
        self._current[key] = stream
        self.streams[stream] = None
        for place in endpoints(key):
            self._to.setdefault(place, set()).add(key)
        self._assign(stream)

    def _make_room(self, at: float) -> bool:
        """Give up what only looked like RTP for a packet or two, and ended voice of calls not wanted; False when there is nothing of it."""
        if at < self._room_asked:
            return False
        idle = [
            stream for stream in self.streams if at - stream.at > UNSURE_S and (not stream.sure or (self._wanted and stream.call is None))
        ]
        for stream in idle:
            self.streams.pop(stream)
            if self._current.get(stream.key) is stream:
                self._forget(stream.key)
        self._room_asked = at if idle else at + UNSURE_S
        return bool(idle)

    def _assign(self, stream: Stream) -> None:
        """Give a stream to the call whose party announced its target, else its source (media that comes from where it is wanted)."""
        source, target = endpoints(stream.key)
        to, by = self._announced.get(target), self._announced.get(source)
        if to is not None:
            stream.call, stream.toward = to.call, to.party if to.audio else ""
            stream.learn(to.codecs)
        elif by is not None:
            stream.call, stream.toward = by.call, ("callee" if by.party == "caller" else "caller") if by.audio else ""
            stream.learn(by.codecs)
