"""Hints from RTCP (RFC 3550 6.4): what the receiver itself lost, and the round trip by LSR and DLSR."""

import struct
from collections.abc import Iterable

from probe.capture.rtp import Stream

MOST_SOURCES = 5000
_SENDER, _RECEIVER = 200, 201
_BLOCK = struct.Struct("!IIIIII").unpack_from


class Rtcp:
    """What reports told, by the synchronisation source that they are about."""

    def __init__(self) -> None:
        self._sent: dict[tuple[int, int], float] = {}  # (source, middle of its NTP time) → when its report came by
        self._loss: dict[int, float] = {}
        self._trip: dict[tuple[int, int], float] = {}  # (who reports, about whom) → least time from here to the reporter and back

    def take(self, at: float, data: bytes) -> None:
        """Read one compound packet; what does not fit is passed over."""
        place = 0
        while place + 8 <= len(data):
            first, kind, words = struct.unpack_from("!BBH", data, place)
            after = place + 4 + words * 4
            blocks = place + (28 if kind == _SENDER else 8)
            if kind in (_SENDER, _RECEIVER) and after <= len(data) and blocks <= after:
                source = int.from_bytes(data[place + 4 : place + 8], "big")
                if kind == _SENDER:
                    self._remember(source, int.from_bytes(data[place + 10 : place + 14], "big"), at)
                for index in range(first & 31):
                    if blocks + (index + 1) * 24 <= after:
                        self._block(at, source, data, blocks + index * 24)
            place = after

    def _remember(self, source: int, middle: int, at: float) -> None:
        if len(self._sent) >= MOST_SOURCES:
            self._sent.pop(next(iter(self._sent)))
        self._sent[source, middle] = at

    def _block(self, at: float, reporter: int, data: bytes, place: int) -> None:
        about, lost, _, _, last, since = _BLOCK(data, place)
        if about in self._loss or len(self._loss) < MOST_SOURCES:
            self._loss[about] = max(self._loss.get(about, 0.0), (lost >> 24) / 256)
        sent = self._sent.get((about, last))
        if sent is not None and last:
            trip = at - sent - since / 65_536
            if 0 <= trip < 10 and ((reporter, about) in self._trip or len(self._trip) < MOST_SOURCES):
                self._trip[reporter, about] = min(self._trip.get((reporter, about), trip), trip)

    def tell(self, streams: Iterable[Stream]) -> None:
        """Give each stream what was reported of it: loss, and half the round trip where both ends' reports came by."""
        whole = {
            about: trip + self._trip[about, reporter] for (reporter, about), trip in self._trip.items() if (about, reporter) in self._trip
        }
        for stream in streams:
            stream.far_loss = self._loss.get(stream.ssrc)
            trip = whole.get(stream.ssrc)
            stream.delay_s = None if trip is None else trip / 2
