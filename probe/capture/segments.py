"""SIP out of TCP: segments put in order, messages cut out; bounded, and begun anew where octets are missing."""

from probe.capture.anomalies import Anomalies
from probe.capture.frames import Datagram
from probe.capture.sip import MOST_MESSAGE, length, looks_like

MOST_FLOWS = 512
MOST_WAITING = 65_536  # octets ahead of a gap
SYN = 2


class Flow:
    """One direction of one connection."""

    __slots__ = ("held", "next", "text", "waiting")

    def __init__(self, number: int) -> None:
        self.next = number
        self.text = b""
        self.waiting: dict[int, bytes] = {}
        self.held = 0


class Segments:
    """Flows that carry SIP, by key; the oldest goes when there are too many."""

    def __init__(self, anomalies: Anomalies) -> None:
        self._flows: dict[bytes, Flow] = {}
        self._anomalies = anomalies

    def add(self, segment: Datagram) -> list[bytes]:
        """Return the SIP messages that this segment makes whole."""
        data, at = segment.data, segment.segment
        payload = data[segment.at : segment.end]
        if not payload:
            if data[at + 13] & SYN:  # the ports serve another connection now
                self._flows.pop(segment.key, None)
            return []
        number = int.from_bytes(data[at + 4 : at + 8], "big")
        flow = self._flows.get(segment.key)
        if flow is None:
            if not looks_like(payload, 0):
                if payload[:2] == b"\x16\x03" and 5061 in (
                    int.from_bytes(data[at : at + 2], "big"),
                    int.from_bytes(data[at + 2 : at + 4], "big"),
                ):
                    self._anomalies.note("tls")
                return []
            if len(self._flows) >= MOST_FLOWS:
                self._flows.pop(next(iter(self._flows)))
                self._anomalies.note("flows")
            flow = self._flows[segment.key] = Flow(number)
        self._order(flow, number, payload)
        return self._cut(segment.key, flow)

    def _order(self, flow: Flow, number: int, payload: bytes) -> None:
        ahead = (number - flow.next) & 0xFFFFFFFF
        if ahead >= 1 << 31:  # sent before: only what is new of it counts
            known = (flow.next - number) & 0xFFFFFFFF
            if known >= len(payload):
                return
            payload, ahead = payload[known:], 0
        if ahead:
            flow.held += len(payload) - len(flow.waiting.get(number, b""))
            flow.waiting[number] = payload
            if flow.held <= MOST_WAITING:
                return
            self._anomalies.note("gaps")
            number = min(flow.waiting, key=lambda begin: (begin - flow.next) & 0xFFFFFFFF)
            flow.text, flow.next, payload = b"", number, flow.waiting.pop(number)
            flow.held -= len(payload)
        while True:
            flow.text += payload
            flow.next = (flow.next + len(payload)) & 0xFFFFFFFF
            if flow.next not in flow.waiting:
                return
            payload = flow.waiting.pop(flow.next)
            flow.held -= len(payload)

    def _cut(self, key: bytes, flow: Flow) -> list[bytes]:
        messages = []
        while flow.text:
            flow.text = flow.text.lstrip(b"\r\n")  # keep-alives (RFC 5626 3.5.1)
            if not flow.text:
                break
            try:
                size = length(flow.text) if looks_like(flow.text, 0) or len(flow.text) < 16 else -1
            except ValueError:
                size = -1
            if size == -1 or (size is None and len(flow.text) > MOST_MESSAGE):
                self._anomalies.note("sip-broken")
                del self._flows[key]
                break
            if size is None or len(flow.text) < size:
                break
            messages.append(flow.text[:size])
            flow.text = flow.text[size:]
        return messages
