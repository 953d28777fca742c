"""PostgreSQL's frontend/backend protocol 3.0: messages to bytes and back ("Message Formats" of its manual)."""

import hashlib
import struct
from collections.abc import Iterator

from probe.wire.connection import Connection, RefusedError

PROTOCOL = 196608  # 3.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
TERMINATE = b"X\0\0\0\4"
LONGEST_MESSAGE = 32 * 1024
NOT_POSTGRESQL = "does not speak the PostgreSQL protocol"


def startup(user: str, database: str) -> bytes:
    """Return a StartupMessage."""
    fields = ("user", user, "database", database, "application_name", "firstline", "client_encoding", "UTF8")
    body = struct.pack("!i", PROTOCOL) + b"".join(field.encode() + b"\0" for field in fields) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def message(kind: bytes, body: bytes) -> bytes:
    """Return a typed message."""
    return kind + struct.pack("!i", len(body) + 4) + body


def password(secret: bytes) -> bytes:
    """Return a PasswordMessage."""
    return message(b"p", secret + b"\0")


def sasl_initial(mechanism: str, first: bytes) -> bytes:
    """Return a SASLInitialResponse."""
    return message(b"p", mechanism.encode() + b"\0" + struct.pack("!i", len(first)) + first)


def md5_password(user: str, secret: str, salt: bytes) -> bytes:
    """Return what an AuthenticationMD5Password asks for: md5(md5(password + user) + salt)."""
    inner = hashlib.md5(secret.encode() + user.encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


async def receive(wire: Connection, kind: bytes = b"") -> tuple[bytes, bytes]:
    """Return the next message (kind, body); an ErrorResponse is raised as RefusedError with its SQLSTATE. `kind`: already read."""
    kind = kind or await wire.exactly(1)
    if kind not in b"REKNSTDCZvIA":
        raise RefusedError(NOT_POSTGRESQL)
    (length,) = struct.unpack("!i", await wire.exactly(4))
    if not 4 <= length <= LONGEST_MESSAGE:
        raise RefusedError(f"{NOT_POSTGRESQL}: a message of {length} bytes")
    body = await wire.exactly(length - 4)
    if kind == b"E":
        raise refusal(body)
    return kind, body


def refusal(body: bytes) -> RefusedError:
    """Return what an ErrorResponse says: SQLSTATE as `code`, its message as words."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code = fields.get(b"C", "")
    if not (len(code) == 5 and code.isascii() and code.isalnum()):
        return RefusedError(NOT_POSTGRESQL)
    return RefusedError(fields.get(b"M", ""), code)


def parameter(body: bytes) -> tuple[str, str]:
    """Return name and value of a ParameterStatus."""
    name, _, rest = body.partition(b"\0")
    return name.decode("utf-8", "replace"), rest.partition(b"\0")[0].decode("utf-8", "replace")


def mechanisms(body: bytes) -> list[str]:
    """Return the names that an AuthenticationSASL offers."""
    return [name.decode("ascii", "replace") for name in body.split(b"\0") if name]


def row(body: bytes) -> list[str | None]:
    """Return the values of a DataRow as text; RefusedError when it is malformed."""
    try:
        return list(_values(body))
    except (struct.error, UnicodeDecodeError):
        raise RefusedError(f"{NOT_POSTGRESQL}: a malformed row") from None


def _values(body: bytes) -> Iterator[str | None]:
    (count,), at = struct.unpack_from("!H", body), 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            yield None
            continue
        if at + length > len(body):
            raise struct.error
        yield body[at : at + length].decode()
        at += length
