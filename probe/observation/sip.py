"""What SIP requests saw: one OPTIONS, a registrar's bindings, a customer's gateway by two ways, a test call."""

import ipaddress

import msgspec

from probe.observation.failure import Failure

# what is no address of the Internet: RFC 1918, 6598 (a carrier's NAT), 3927, 4193, 4291
_PRIVATE = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10")
)


def is_private(host: str) -> bool:
    """Tell whether a host is an address that only its own network knows; a name is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE if network.version == address.version)


class SipSample(msgspec.Struct, frozen=True, tag="sip", gc=False):
    """One OPTIONS and its final answer (RFC 3261 11). `code` is None when none came because `blocked_by` refused to pass it on, by ICMP.

    `answer_ms` runs from the first time the request was sent, however often it was repeated. `connect_ms` and `tls_ms` are None over UDP.
    `contact_host`, `audio_host` are the hosts in Contact and SDP; `seen_as` is our address as the peer saw it (RFC 3581), and
    `via_changed` tells that the Via came back with another address than we had written; `came_from` is set when another address answered.
    `user` is the user part that was asked for, "" for the server itself.
    """

    address: str
    port: int
    transport: str
    code: int | None
    reason: str = ""
    answer_ms: float | None = None
    repeats: int = 0
    connect_ms: float | None = None
    tls_ms: float | None = None
    tls_version: str | None = None
    server: str | None = None
    allow: tuple[str, ...] = ()
    contact: str | None = None
    contact_host: str | None = None
    retry_after_s: int | None = None
    cause: str | None = None
    q850: int | None = None
    warning: str | None = None
    codecs: tuple[str, ...] = ()
    audio_host: str | None = None
    seen_as: str | None = None
    via_changed: bool = False
    came_from: str | None = None
    blocked_by: str | None = None
    blocked: str = ""
    user: str = ""


class Binding(msgspec.Struct, frozen=True, gc=False):
    """One place where an address-of-record can be reached now; `expires_s` is None when the registrar does not say."""

    contact: str
    host: str
    expires_s: int | None


class RegistrationSample(msgspec.Struct, frozen=True, tag="registration", gc=False):
    """A registrar's answer to a REGISTER without Contact (RFC 3261 10.2.3). `authenticated`: a password was sent for its challenge."""

    aor: str
    answer: SipSample
    bindings: tuple[Binding, ...] = ()
    authenticated: bool = False


class Standard(msgspec.Struct, frozen=True, gc=False):
    """What a gateway must be (是否符合标准), from the options; empty is not asked for. `nat_mode` is "private" or "public"."""

    models: tuple[str, ...] = ()
    min_firmware: str = ""
    codecs: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    nat_mode: str = ""
    registration: bool = False


class GatewaySample(msgspec.Struct, frozen=True, tag="gateway"):
    """A customer's gateway asked by two ways: `direct` at its own address (None: not asked for), `nat` at its public one.

    `agreed` is what the customer's consent says (who, when).
    """

    agreed: str
    address: str
    nat_address: str
    direct: SipSample | Failure | None
    nat: SipSample | Failure | None
    registration: RegistrationSample | Failure | None = None
    standard: Standard = Standard()


class AudioSample(msgspec.Struct, frozen=True, gc=False):
    """What was heard of the far end. `echoed`: our own packets came back, so `rtt_ms` (median) is known and loss is that of both ways.

    Else the far end's stream is rated by its own sequence numbers (RFC 3550 A.3). `jitter_ms` is RFC 3550 6.4.1. None is no reading.
    """

    sent: int
    received: int
    echoed: bool
    loss_ratio: float | None
    mean_burst: float | None
    jitter_ms: float | None
    rtt_ms: float | None
    duplicates: int = 0
    reordered: int = 0


class CallSample(msgspec.Struct, frozen=True, tag="call"):
    """One test call. `answer.code` is the INVITE's final answer, None when nobody answered within `ring_s` and it was cancelled.

    `pdd_ms` is the post-dial delay: INVITE to the first 180, 183 or final answer. `ended` says how it was brought to an end: "bye" (ours
    was confirmed), "peer" (the far end hung up first), "cancelled", "refused" (never up), "unconfirmed" (our BYE was not answered).
    `authenticated`: a password was sent for a challenge.
    """

    number: str
    answer: SipSample
    ring_s: float
    pdd_ms: float | None
    pick_up_ms: float | None
    rang: bool
    codec: str | None
    audio: AudioSample | None
    audio_wanted: bool
    talk_s: float
    ended: str
    authenticated: bool = False
