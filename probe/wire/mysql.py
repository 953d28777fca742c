"""MySQL's and MariaDB's client/server protocol, version 10: packets to bytes and back, and the scrambles of passwords."""

import hashlib
import struct

import msgspec

from probe.wire.connection import Connection, RefusedError

LONGEST_PACKET = 32 * 1024
NOT_MYSQL = "does not speak the MySQL protocol"

CONNECT_WITH_DB, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH = 0x8, 0x200, 0x800, 0x8000, 0x80000
LONG_PASSWORD, TRANSACTIONS = 0x1, 0x2000
NEEDED = PROTOCOL_41 | SECURE_CONNECTION
OURS = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
UTF8 = 33  # utf8_general_ci: known to every version

NATIVE, CACHING_SHA2 = "mysql_native_password", "caching_sha2_password"
IN_THE_CLEAR = frozenset({"mysql_clear_password", "sha256_password"})  # inside TLS both take the password itself
QUIT = b"\x01"
# A login that is to fail must still have the form that the plugin expects, else the server counts a handshake error.
EMPTY_LOGIN = {NATIVE: b"", CACHING_SHA2: b"", "client_ed25519": bytes(64)}


class Greeting(msgspec.Struct, frozen=True):
    """What a server says first."""

    version: str
    capabilities: int
    salt: bytes
    plugin: str

    @property
    def engine(self) -> str:
        """ "mariadb" or "mysql", by the version's own words."""
        return "mariadb" if "mariadb" in self.version.lower() else "mysql"


class Packets:
    """Packets over a connection; the sequence number starts anew with every command."""

    def __init__(self, wire: Connection):
        self.wire = wire
        self._number = 0

    async def receive(self) -> bytes:
        """Return the next payload; an ERR packet is raised as RefusedError with its number as `code`."""
        header = await self.wire.exactly(4)
        length, number = int.from_bytes(header[:3], "little"), header[3]
        if not 1 <= length <= LONGEST_PACKET:
            raise RefusedError(f"{NOT_MYSQL}: a packet of {length} bytes")
        if number != self._number & 0xFF:
            raise RefusedError(f"{NOT_MYSQL}: packet {number} where {self._number & 0xFF} was due")
        self._number += 1
        payload = await self.wire.exactly(length)
        if payload[0] == 0xFF:
            raise refusal(payload)
        return payload

    async def send(self, payload: bytes) -> None:
        """Send one payload as the next packet."""
        await self.wire.send(len(payload).to_bytes(3, "little") + bytes([self._number & 0xFF]) + payload)
        self._number += 1

    async def command(self, payload: bytes) -> None:
        """Send a command."""
        self._number = 0
        await self.send(payload)


def refusal(payload: bytes) -> RefusedError:
    """Return what an ERR packet says; before the login it has no SQL state."""
    if len(payload) < 3:
        return RefusedError(f"{NOT_MYSQL}: a malformed error")
    words = payload[3:].decode("utf-8", "replace")
    if words[:1] == "#":
        words = words[6:]
    return RefusedError(words, str(int.from_bytes(payload[1:3], "little")))


def read_greeting(payload: bytes) -> Greeting:
    """Return the server's greeting (HandshakeV10); RefusedError when it is none or too old to log in to."""
    version, zero, rest = payload[1:].partition(b"\0")
    if payload[0] != 10 or not zero or len(rest) < 31:
        raise RefusedError(NOT_MYSQL)
    low, _, _, high, length = struct.unpack_from("<HBHHB", rest, 13)
    capabilities = low | high << 16
    if capabilities & NEEDED != NEEDED:
        raise RefusedError("is older than MySQL 4.1")
    second = max(13, length - 8)
    plugin = rest[31 + second :].partition(b"\0")[0].decode("ascii", "replace") if capabilities & PLUGIN_AUTH else NATIVE
    text = version.decode("utf-8", "replace")
    # the prefix that MariaDB 10 and older put there for old replicas
    return Greeting(text.removeprefix("5.5.5-"), capabilities, rest[4:12] + rest[31 : 31 + second - 1], plugin)


def ssl_request(capabilities: int) -> bytes:
    """Return an SSLRequest: the head of a HandshakeResponse41."""
    return struct.pack("<IIB23x", capabilities | SSL, 1 << 24, UTF8)


def handshake_response(capabilities: int, user: str, answer: bytes, database: str | None, plugin: str) -> bytes:
    """Return a HandshakeResponse41; after an SSLRequest its capabilities must be the same: servers go by the first."""
    named = (database or "").encode() + b"\0" if capabilities & CONNECT_WITH_DB else b""
    head = struct.pack("<IIB23x", capabilities, 1 << 24, UTF8)
    return head + user.encode() + b"\0" + bytes([len(answer)]) + answer + named + plugin.encode() + b"\0"


def native_scramble(password: str, salt: bytes) -> bytes:
    """Return SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))); b"" for no password."""
    if not password:
        return b""
    first = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    stored = hashlib.sha1(first, usedforsecurity=False).digest()
    return _xor(first, hashlib.sha1(salt + stored, usedforsecurity=False).digest())


def caching_sha2_scramble(password: str, salt: bytes) -> bytes:
    """Return SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt); b"" for no password."""
    if not password:
        return b""
    first = hashlib.sha256(password.encode()).digest()
    stored = hashlib.sha256(first).digest()
    return _xor(first, hashlib.sha256(stored + salt).digest())


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


async def first_row(packets: Packets, statement: str) -> list[str | None]:
    """Run a statement and return the first row of its result as text; RefusedError when there is none."""
    await packets.command(b"\x03" + statement.encode())
    head = await packets.receive()
    if not 1 <= head[0] <= 250 or len(head) != 1:  # 0 OK, 0xFB a demand for a local file: neither was asked for
        raise RefusedError("answered the statement with something else than rows")
    for _ in range(head[0]):
        await packets.receive()
    _expect_end(await packets.receive())
    row: list[str | None] | None = None
    while not _is_end(payload := await packets.receive()):
        row = row or _values(payload, head[0])
    if row is None:
        raise RefusedError("answered the statement without a row")
    return row


def _is_end(payload: bytes) -> bool:
    return payload[0] == 0xFE and len(payload) < 9


def _expect_end(payload: bytes) -> None:
    if not _is_end(payload):
        raise RefusedError(f"{NOT_MYSQL}: no end of the columns")


def _values(payload: bytes, count: int) -> list[str | None]:
    values: list[str | None] = []
    at = 0
    for _ in range(count):
        if at >= len(payload):
            raise RefusedError(f"{NOT_MYSQL}: a malformed row")
        length, at = payload[at], at + 1
        if length == 0xFB:
            values.append(None)
            continue
        if length > 0xFB or at + length > len(payload):  # none of our values is longer than 250 bytes
            raise RefusedError(f"{NOT_MYSQL}: a malformed row")
        values.append(payload[at : at + length].decode("utf-8", "replace"))
        at += length
    return values
