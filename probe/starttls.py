"""The few lines after which a plain connection goes on in TLS: SMTP (RFC 3207), IMAP (RFC 9051 6.2.1), PostgreSQL (SSLRequest)."""

import struct

from probe.channel import Channel

MOST_REPLY = 8192


class NoTlsError(Exception):
    """The server does not go over to TLS; the text says what it answered."""


async def ask_for_tls(channel: Channel, protocol: str) -> None:
    """Say what `protocol` ("smtp", "imap", "postgresql") needs before the handshake; NoTlsError, OSError."""
    match protocol:
        case "smtp":
            await _reply(channel, b"220 ")
            await channel.send(b"EHLO firstline\r\n")
            await _reply(channel, b"250 ")
            await channel.send(b"STARTTLS\r\n")
            await _reply(channel, b"220 ")
        case "imap":
            await _reply(channel, b"* OK")
            await channel.send(b"a STARTTLS\r\n")
            await _reply(channel, b"a OK")
        case "postgresql":
            await channel.send(struct.pack("!II", 8, 80877103))
            answer = await channel.receive()
            if answer != b"S":
                raise NoTlsError(f"TLS is not offered: {answer[:60]!r}")


async def _reply(channel: Channel, wanted: bytes) -> None:
    """Read until a whole last line that begins as `wanted`; lines before it ("250-…", "* …") announce more."""
    data = b""
    while True:
        lines = data.split(b"\r\n")
        if len(lines) > 1 and not lines[-1]:
            last = lines[-2]
            if last.startswith(wanted):
                return
            if last[3:4] != b"-" and not last.startswith(b"* "):
                raise NoTlsError(f"TLS is not offered: {last[:100]!r}")
        if len(data) > MOST_REPLY:
            raise NoTlsError(f"the reply is longer than {MOST_REPLY} octets: {data[:60]!r}")
        part = await channel.receive()
        if not part:
            raise NoTlsError(f"the connection was closed after {data[-60:]!r}")
        data += part
