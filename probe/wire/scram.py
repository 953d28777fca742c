"""The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata

MOST_ITERATIONS = 1_000_000  # a hostile server's 2^32 would keep a core busy for an hour; PostgreSQL's default is 4096


class ScramError(Exception):
    """The server's message breaks the protocol or it does not know the password; the text says which."""


class Scram:
    """One login: `first()`, then `final(server's first)`, then `check(server's final)`, which sets `verified`."""

    def __init__(self, password: str, nonce: str | None = None, user: str = ""):
        self.verified = False
        self._password = saslprep(password).encode()
        self._nonce = nonce or secrets.token_urlsafe(18)
        # PostgreSQL takes the user from the start-up message and ignores the one here
        self._first_bare = f"n={user},r={self._nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        """Return the client's first message."""
        return f"n,,{self._first_bare}".encode()

    async def final(self, server_first: bytes) -> bytes:
        """Return the client's final message with the proof; the key is derived in a thread."""
        fields = _fields(server_first)
        nonce, salt, iterations = fields.get("r", ""), _base64(fields.get("s")), fields.get("i", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("SCRAM nonce is not ours")
        if not (iterations.isascii() and iterations.isdigit() and len(iterations) < 10 and 1 <= int(iterations) <= MOST_ITERATIONS):
            raise ScramError("SCRAM iteration count out of range")
        salted = await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", self._password, salt, int(iterations))
        without_proof = f"c=biws,r={nonce}"
        message = f"{self._first_bare},{server_first.decode()},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """Check the server's signature; ScramError when it does not know the password."""
        claimed = _base64(_fields(server_final).get("v"))
        if not self._server_signature or not hmac.compare_digest(claimed, self._server_signature):
            raise ScramError("the server could not prove that it knows the password")
        self.verified = True


def saslprep(text: str) -> str:
    """Return the password prepared by RFC 4013, or as it is where that forbids it (as PostgreSQL does)."""
    if text.isascii():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char))
    done = unicodedata.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    right_to_left = [stringprep.in_table_d1(char) for char in done]
    mixed = any(right_to_left) and (any(stringprep.in_table_d2(char) for char in done) or not (right_to_left[0] and right_to_left[-1]))
    if not done or mixed or any(test(char) for char in done for test in forbidden):
        return text
    return done


def _fields(message: bytes) -> dict[str, str]:
    try:
        text = message.decode("ascii")
    except UnicodeDecodeError:
        raise ScramError("SCRAM message is not ASCII") from None
    fields = {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}
    if "e" in fields:
        raise ScramError(f"SCRAM: {fields['e']}")
    return fields


def _base64(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        raise ScramError("SCRAM message is not base64") from None
