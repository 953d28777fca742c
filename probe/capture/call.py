"""One SIP dialogue as its messages come by: what became of the INVITE, who hung up, what media was agreed."""

from probe.capture.sip import Media, Sip

MOST_LADDER = 60
MOST_SEEN = 100  # messages whose repetition would be noticed
CHALLENGES = (401, 407)
COPY_S = 0.05  # nobody repeats so soon (RFC 3261 17: 500 ms): the same packet came by on a second interface


class Line:
    """One step of the ladder, while repetitions of it may still come."""

    __slots__ = ("again", "at", "media", "source", "target", "text")

    def __init__(self, at: float, source: str, target: str, message: Sip) -> None:
        self.at, self.source, self.target, self.text = at, source, target, message.text
        self.media = "; ".join(media.brief() for media in message.media)
        self.again = 0


class Call:
    """A Call-ID; a 200 that comes by twice on its way through a proxy counts once, when it was first seen."""

    def __init__(self, number: int, message: Sip, at: float) -> None:
        self.number = number
        self.call_id = message.call_id
        self.started = self.last = at
        self.caller, self.callee = message.caller, message.callee
        self.caller_tag = message.from_tag
        self.callee_tag = ""  # of the branch that answered first
        self.invited = message.method == "INVITE" and message.code is None
        self.first_answer: float | None = None
        self.answered: float | None = None
        self.ended: float | None = None
        self.cancelled = False
        self.code: int | None = None
        self.phrase = ""
        self.cause: int | None = None
        self.released_by: str | None = None
        self.invite_sequence: int | None = None
        self.retransmissions = 0
        self.lines: list[Line] = []
        self.left_out = 0
        self.media: dict[str, tuple[Media, str]] = {}  # by party: the audio it described at first, and from where it was signalled
        self._ways: dict[str, str] = {}  # by party: the direction of its audio as last described, "" for none (T.38)
        self._ways_before: dict[str, str] = {}  # an offer that was refused changed nothing (RFC 3261 14.1)
        self._seen: dict[int, tuple[float, Line | None]] = {}  # when last

    def take(self, message: Sip, at: float, source: tuple[str, int], target: tuple[str, int], digest: int, room: bool) -> str:
        """Count one message; return which party described media in it ("caller", "callee"), "" when none did, "again" for a repetition."""
        self.last = at
        if digest in self._seen:
            before, line = self._seen[digest]
            self._seen[digest] = at, line
            if 0 <= at - before < COPY_S:
                return "again"
            self.retransmissions += 1
            if line is not None:
                line.again += 1
            return "again"
        line = None
        if room and len(self.lines) < MOST_LADDER:
            line = Line(at, _place(source), _place(target), message)
            self.lines.append(line)
        else:
            self.left_out += 1
        if len(self._seen) < MOST_SEEN:
            self._seen[digest] = at, line
        self._follow(message, at)
        return self._describe(message, at, source[0])

    def _follow(self, message: Sip, at: float) -> None:
        if message.cause is not None and message.method in ("BYE", "CANCEL", "INVITE"):
            self.cause = message.cause
        if message.code is None:
            if message.method == "INVITE" and not message.to_tag:
                self.invite_sequence = message.sequence
                if self.code in CHALLENGES:  # asked again, with credentials
                    self.code, self.phrase = None, ""
            elif message.method == "CANCEL":
                self.cancelled = True
            elif message.method == "BYE" and self.ended is None and self._is_of_answered(message):
                self.ended = at
                self.released_by = None if not self.invited else "caller" if message.from_tag == self.caller_tag else "callee"
                if self.code is None:
                    self.code, self.phrase = 200, ""
        elif message.method == "INVITE" and self.answered is None:
            self._answer(message, at)
        elif message.method == "INVITE" and message.code >= 300:
            self._ways = self._ways_before

    def _is_of_answered(self, message: Sip) -> bool:
        """Tell whether a BYE ends the branch that was answered: a fork that answered too late is released at once (RFC 3261 13.2.2.4)."""
        return not self.callee_tag or self.callee_tag in (message.from_tag, message.to_tag)

    def _answer(self, message: Sip, at: float) -> None:
        code = message.code or 0
        if 100 < code < 300 and self.first_answer is None:
            self.first_answer = at
        if code < 200 or (self.invite_sequence is not None and message.sequence != self.invite_sequence):
            return
        self.code, self.phrase = code, message.phrase
        if code < 300:  # a branch or trunk that was tried before may have refused it
            self.answered, self.ended, self.callee_tag = at, None, message.to_tag
        elif code not in CHALLENGES:
            self.ended = at

    def _describe(self, message: Sip, at: float, source: str) -> str:
        audio = next((media for media in message.media if media.kind == "audio" and media.port), None)
        if not message.media:
            return ""
        party = "caller" if (message.code is None) == (message.from_tag == self.caller_tag) else "callee"
        if message.method == "INVITE" and message.code is None:
            self._ways_before = dict(self._ways)
        self._ways[party] = audio.direction if audio is not None else ""
        if audio is not None:
            first = self.media.get(party)
            answers = self.answered == at and message.method == "INVITE" and message.code is not None  # not a branch with early media
            if first is None or answers or (self.answered is None and first[0].direction == "inactive"):
                self.media[party] = (audio, source)
        return party

    @property
    def held(self) -> bool:
        """True when what was agreed on last is no voice, or only one way: hold, music on hold, fax by T.38."""
        return any(way != "sendrecv" for way in self._ways.values())

    @property
    def told(self) -> float | None:
        """When the caller first heard of the far end: ringing, an answer, else the refusal; None while there was none."""
        if self.first_answer is None and self.outcome in ("failed", "cancelled"):
            return self.ended
        return self.first_answer

    @property
    def outcome(self) -> str:
        """What became of it."""
        if self.answered is not None or (self.code is not None and 200 <= self.code < 300):
            return "answered"
        if self.code is None:
            return "unfinished"
        return "cancelled" if self.cancelled and self.code == 487 else "failed"


def _place(endpoint: tuple[str, int]) -> str:
    address, port = endpoint
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
