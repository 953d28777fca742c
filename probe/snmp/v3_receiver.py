"""Takes SNMPv3 traps and informs (RFC 3414, RFC 3416): datagrams in, notifications out; it has no socket of its own.

pysnmp does the security. It is imported when the first user is there: 150 ms and 25 MB that a service without v3 users does not pay.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from probe.snmp import ber
from probe.snmp.ber import Malformed
from probe.snmp.credential import Credential
from probe.snmp.trap import TRAP_OID

log = logging.getLogger(__name__)

Address = tuple[Any, ...]
Notified = Callable[[Address, Credential, str], None]  # from, as whom it proved to be, notification OID
Send = Callable[[bytes, Address], None]

MOST_ENGINES = 2_000  # proved senders whose keys are kept; one more takes the place of the oldest
# An engine not known yet costs 17 ms of hashing (RFC 3414 A.2) before it proves anything, which nobody may have us spend at will.
TRY_S, MOST_TRIES, MOST_TRIES_OF_ONE = 10.0, 200, 4  # within so many seconds: of all, and of one address
_AUTH = {
    "none": "USM_AUTH_NONE",
    "md5": "USM_AUTH_HMAC96_MD5",
    "sha1": "USM_AUTH_HMAC96_SHA",
    "sha224": "USM_AUTH_HMAC128_SHA224",
    "sha256": "USM_AUTH_HMAC192_SHA256",
    "sha384": "USM_AUTH_HMAC256_SHA384",
    "sha512": "USM_AUTH_HMAC384_SHA512",
}
_PRIVACY = {
    "none": "USM_PRIV_NONE",
    "des": "USM_PRIV_CBC56_DES",
    "aes128": "USM_PRIV_CFB128_AES",
    "aes192": "USM_PRIV_CFB192_AES",
    "aes256": "USM_PRIV_CFB256_AES",
}


class Sender(NamedTuple):
    """What a v3 datagram says of its sender, all of it unproved. `level`: bit 0 authenticated, bit 1 encrypted (RFC 3412 6.4)."""

    engine: bytes
    user: str
    level: int


def sender_of(data: bytes) -> Sender:
    """Return msgAuthoritativeEngineID, msgUserName and the security level of a v3 datagram; Malformed when it is none."""
    at, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    _, at = ber.expect(data, at, end, ber.INTEGER)
    start, at = ber.expect(data, at, end, ber.SEQUENCE)
    level = _level(data, start, at)
    start, stop = ber.expect(data, at, end, ber.OCTET_STRING)
    at, stop = ber.expect(data, start, stop, ber.SEQUENCE)
    start, at = ber.expect(data, at, stop, ber.OCTET_STRING)
    engine = data[start:at]
    _, at = ber.expect(data, at, stop, ber.INTEGER)
    _, at = ber.expect(data, at, stop, ber.INTEGER)
    start, at = ber.expect(data, at, stop, ber.OCTET_STRING)
    if engine and not 5 <= len(engine) <= 32:  # SnmpEngineID of RFC 3411; none at all asks for ours
        raise Malformed("an engine ID of fewer than 5 or more than 32 octets")
    return Sender(engine, data[start:at].decode("utf-8", "replace"), level)


def _level(data: bytes, at: int, end: int) -> int:
    for _ in ("msgID", "msgMaxSize"):
        _, at = ber.expect(data, at, end, ber.INTEGER)
    start, stop = ber.expect(data, at, end, ber.OCTET_STRING)
    if stop - start != 1:
        raise Malformed("msgFlags that are not one octet")
    return data[start] & 3


def level_of(user: Credential) -> int:
    """Return the level at which a user must prove himself: less is somebody who only knows his name."""
    return (user.auth != "none") | (user.privacy != "none") << 1


class V3Receiver:
    """The v3 side of a trap socket. `send` answers informs; `notified` is called with what proved to be of a known user."""

    def __init__(self, users: Sequence[Credential], send: Send, notified: Notified) -> None:
        from pysnmp.carrier.asyncio.dgram import udp
        from pysnmp.carrier.base import AbstractTransport, AbstractTransportDispatcher
        from pysnmp.entity import config, engine
        from pysnmp.entity.rfc3413 import ntfrcv

        class Dispatcher(AbstractTransportDispatcher):  # type: ignore[misc]
            """Runs nothing: datagrams are handed in."""

        class Transport(AbstractTransport):  # type: ignore[misc]
            """The caller's socket."""

            PROTO_TRANSPORT_DISPATCHER = Dispatcher

            def send_message(self, outgoingMessage: Any, transportAddress: Any) -> None:  # noqa: N803  pysnmp's names
                send(bytes(outgoingMessage), tuple(transportAddress))

        self._config = config
        self._known: dict[tuple[bytes, str], Credential] = {}  # by engine and user: whose keys pysnmp has
        self._tries: Counter[str] = Counter()
        self._tries_since = 0.0
        self._address = udp.UdpTransport.ADDRESS_TYPE
        self._from: Address = ()
        self._user: Credential | None = None
        self._engine = engine.SnmpEngine()
        self._transport = Transport()
        self._engine.register_transport_dispatcher(Dispatcher())
        config.add_transport(self._engine, udp.DOMAIN_NAME, self._transport)
        self._own = bytes(self._engine.snmpEngineID)
        for user in users:
            if (self._own, user.user) not in self._known:
                self._learn(user, self._own)
        self._notified = notified
        self._heard = 0
        ntfrcv.NotificationReceiver(self._engine, self._receive)

    def take(self, data: bytes, address: Address, mine: Sequence[Credential]) -> bool:
        """Take one datagram from an address whose credentials are `mine`; True when it held a notification that proves one of them.

        Malformed when it is no v3 message. What is for no engine asks for ours, to send an inform (RFC 3414 4).
        """
        engine, name, level = sender_of(data)
        if not engine:
            return self._handle(data, address, None)
        for user in mine:
            if user.user == name and level & level_of(user) == level_of(user) and self._prove(data, address, user, engine):
                return True
        return False

    def _prove(self, data: bytes, address: Address, user: Credential, engine: bytes) -> bool:
        """Tell whether it is of this user. The sender of a trap is the authoritative engine: keys are its own (RFC 3414 2.6)."""
        before = self._known.get((engine, user.user))
        if before == user:
            return self._handle(data, address, user)
        if not self._may_try(address[0]):
            return False
        self._learn(user, engine)
        if self._handle(data, address, user):
            return True
        self._forget(user, engine)  # what proves nothing leaves nothing behind
        if before is not None:
            self._learn(before, engine)
        return False

    def _may_try(self, address: str) -> bool:
        now = time.monotonic()
        if now - self._tries_since > TRY_S:
            self._tries.clear()
            self._tries_since = now
        if self._tries[address] >= MOST_TRIES_OF_ONE or self._tries.total() >= MOST_TRIES:
            return False
        self._tries[address] += 1
        return True

    def _learn(self, user: Credential, engine: bytes) -> None:
        key = (engine, user.user)
        self._known.pop(key, None)
        if len(self._known) >= MOST_ENGINES:
            oldest = next(one for one in self._known if one[0] != self._own)
            self._forget(self._known[oldest], oldest[0])
        self._add(user, None if engine == self._own else engine)
        self._known[key] = user

    def _forget(self, user: Credential, engine: bytes) -> None:
        from pysnmp.proto.api import v2c

        self._known.pop((engine, user.user), None)
        self._config.delete_v3_user(self._engine, user.user, None if engine == self._own else v2c.OctetString(engine))

    def _handle(self, data: bytes, address: Address, user: Credential | None) -> bool:
        heard, self._from, self._user = self._heard, address, user
        try:
            self._transport._callback_function(self._transport, self._address(address), data)
        except Exception:
            log.debug("a v3 datagram was refused", exc_info=True)
        return self._heard > heard

    def _add(self, user: Credential, engine: bytes | None) -> None:
        from pysnmp.proto.api import v2c

        config = self._config
        config.add_v3_user(
            self._engine,
            user.user,
            getattr(config, _AUTH[user.auth]),
            user.auth_password or None,
            getattr(config, _PRIVACY[user.privacy]),
            user.privacy_password or None,
            securityEngineId=None if engine is None else v2c.OctetString(engine),
        )

    def _receive(self, engine: Any, reference: Any, context_engine: Any, context: Any, variables: Any, _: Any) -> None:
        if self._user is None:
            return  # nothing is proved by what is for no engine
        self._heard += 1
        told = {str(name): value for name, value in variables[:2]}
        self._notified(self._from, self._user, str(told.get(TRAP_OID, "")))
