"""Takes SNMPv3 traps and informs (RFC 3414, RFC 3416): datagrams in, notifications out; it has no socket of its own.

pysnmp does the security. It is imported when the first user is there: 150 ms and 25 MB that a service without v3 users does not pay.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from probe.snmp import ber
from probe.snmp.ber import Malformed
from probe.snmp.credential import Credential
from probe.snmp.trap import SYS_UP_TIME, TRAP_OID

log = logging.getLogger(__name__)

Address = tuple[Any, ...]
Notified = Callable[[Address, str, str, float | None], None]  # from, user, notification OID, sender's uptime in s
Send = Callable[[bytes, Address], None]

MOST_ENGINES = 2_000  # senders of traps whose keys are kept; one more is refused until the service restarts
MOST_ENGINES_OF_ONE = 4  # … of one address: each costs 17 ms of hashing (RFC 3414 A.2), which nobody may have us spend at will
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


def sender_of(data: bytes) -> tuple[bytes, str]:
    """Return (msgAuthoritativeEngineID, msgUserName) of a v3 datagram, both unproved; Malformed when it is none."""
    at, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    _, at = ber.expect(data, at, end, ber.INTEGER)
    _, at = ber.expect(data, at, end, ber.SEQUENCE)
    start, stop = ber.expect(data, at, end, ber.OCTET_STRING)
    at, stop = ber.expect(data, start, stop, ber.SEQUENCE)
    start, at = ber.expect(data, at, stop, ber.OCTET_STRING)
    engine = data[start:at]
    _, at = ber.expect(data, at, stop, ber.INTEGER)
    _, at = ber.expect(data, at, stop, ber.INTEGER)
    start, at = ber.expect(data, at, stop, ber.OCTET_STRING)
    if not 0 <= len(engine) <= 32:
        raise Malformed("an engine ID of more than 32 octets")
    return engine, data[start:at].decode("utf-8", "replace")


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
        self._users = {user.user: user for user in users}
        self._engines: set[tuple[bytes, str]] = set()
        self._engines_of: Counter[str] = Counter()
        self._address = udp.UdpTransport.ADDRESS_TYPE
        self._from: Address = ()
        self._user = ""
        self._engine = engine.SnmpEngine()
        self._transport = Transport()
        self._engine.register_transport_dispatcher(Dispatcher())
        config.add_transport(self._engine, udp.DOMAIN_NAME, self._transport)
        for user in self._users.values():
            self._add(user, None)
        self._notified = notified
        self._heard = 0
        ntfrcv.NotificationReceiver(self._engine, self._receive)

    def take(self, data: bytes, address: Address) -> bool:
        """Take one datagram; True when it held a notification of a known user. Malformed when it is no v3 message."""
        engine, name = sender_of(data)
        user = self._users.get(name)
        if user is not None and engine and (engine, name) not in self._engines and engine != self._own_engine():
            if len(self._engines) >= MOST_ENGINES or self._engines_of[address[0]] >= MOST_ENGINES_OF_ONE:
                return False
            self._engines_of[address[0]] += 1
            self._add(user, engine)  # the sender of a trap is the authoritative engine: its keys are its own (RFC 3414 2.6)
            self._engines.add((engine, name))
        heard, self._from, self._user = self._heard, address, name
        try:
            self._transport._callback_function(self._transport, self._address(address), data)
        except Exception:
            log.debug("a v3 datagram was refused", exc_info=True)
        return self._heard > heard

    def _own_engine(self) -> bytes:
        return bytes(self._engine.snmpEngineID)

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
        self._heard += 1
        told = {str(name): value for name, value in variables[:2]}
        ticks = told.get(SYS_UP_TIME)
        self._notified(self._from, self._user, str(told.get(TRAP_OID, "")), None if ticks is None else int(ticks) / 100)
