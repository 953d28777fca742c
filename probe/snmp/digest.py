"""Holds the answers of a v3 engine against its user's key (RFC 3414 6.3.2, RFC 7860 4.2.2): gufo-snmp signs, and takes any answer."""

import hashlib
import hmac
from functools import lru_cache

from probe.snmp import ber
from probe.snmp.ber import INTEGER, OCTET_STRING, SEQUENCE, Malformed
from probe.snmp.credential import Credential, master_key

DIGESTS = {  # hash function, octets of it that are sent, gufo-snmp's number for the making of the key
    "md5": ("md5", 12, 1),
    "sha1": ("sha1", 12, 4),
    "sha224": ("sha224", 16, 7),
    "sha256": ("sha256", 24, 10),
    "sha384": ("sha384", 32, 11),
    "sha512": ("sha512", 48, 12),
}
_AUTHENTICATED = 1  # of msgFlags (RFC 3412 6)
_REPORT = 0xA8


@lru_cache(4096)
def localised_key(credential: Credential, engine: bytes) -> bytes:
    """Return the user's authentication key at this engine (RFC 3414 2.6)."""
    name, _, number = DIGESTS[credential.auth]
    key = master_key(number, credential.auth_password)
    return hashlib.new(name, key + engine + key, usedforsecurity=False).digest()


def is_genuine(data: bytes, credential: Credential, engine: bytes) -> bool:
    """Tell whether a datagram is an answer that this user's engine has signed, or a report, which may be unsigned (RFC 3414 3.2)."""
    try:
        start, end = ber.expect(data, 0, len(data), SEQUENCE)
        _, at = ber.expect(data, start, end, INTEGER)
        head, stop = ber.expect(data, at, end, SEQUENCE)
        outer, after = ber.expect(data, stop, end, OCTET_STRING)
        for _ in range(2):  # msgID, msgMaxSize
            _, head = ber.expect(data, head, stop, INTEGER)
        flags, _ = ber.expect(data, head, stop, OCTET_STRING)
        if not data[flags] & _AUTHENTICATED:
            return _is_report(data, after, end)
        at, stop = ber.expect(data, outer, after, SEQUENCE)
        for tag in (OCTET_STRING, INTEGER, INTEGER, OCTET_STRING):  # engine, its boots and time, user
            _, at = ber.expect(data, at, stop, tag)
        at, stop = ber.expect(data, at, stop, OCTET_STRING)
    except Malformed:
        return False
    name, octets, _ = DIGESTS[credential.auth]
    signed = data[:at] + bytes(stop - at) + data[stop:]
    made = hmac.digest(localised_key(credential, engine), signed, name)[:octets]
    return hmac.compare_digest(made, data[at:stop])


def _is_report(data: bytes, at: int, end: int) -> bool:
    at, end = ber.expect(data, at, end, SEQUENCE)
    for _ in range(2):  # contextEngineID, contextName
        _, at = ber.expect(data, at, end, OCTET_STRING)
    return ber.read(data, at, end)[0] == _REPORT
