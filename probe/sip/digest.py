"""Digest authentication (RFC 3261 22, RFC 2617, RFC 7616, RFC 8760): MD5, SHA-256 and SHA-512-256, with and without qop."""

import hashlib
import secrets

import msgspec

from probe.sip.fields import split, unquote
from probe.sip.message import SipMessage

# strongest first (RFC 8760 2.3); each also as "-sess"
ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
MOST_CHALLENGES = 16
MOST_SENT_BACK = 4096  # octets of a realm, a nonce, an opaque


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """One challenge of a 401 or 407 that can be answered."""

    header: str  # in which the answer goes: Authorization or Proxy-Authorization
    realm: str
    nonce: str
    algorithm: str
    session: bool
    qop: str  # "auth", "auth-int" or "" (RFC 2069)
    opaque: str | None
    stale: bool


def challenge(response: SipMessage) -> Challenge | None:
    """Return the strongest challenge of a 401 or 407 that we know how to answer, None when there is none."""
    theirs, ours = ("www-authenticate", "Authorization") if response.code == 401 else ("proxy-authenticate", "Proxy-Authorization")
    known = [found for value in response.all(theirs)[:MOST_CHALLENGES] if (found := _read(value, ours)) is not None]
    strength = list(ALGORITHMS)
    return min(known, key=lambda one: strength.index(one.algorithm), default=None)


def _read(value: str, header: str) -> Challenge | None:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return None
    fields: dict[str, str] = {}
    for part in split(rest):
        name, _, said = part.partition("=")
        fields.setdefault(name.strip().lower(), unquote(said.strip()))
    algorithm, _, session = fields.get("algorithm", "MD5").upper().partition("-SESS")
    del session
    offered = [one.strip().lower() for one in fields.get("qop", "").split(",") if one.strip()]
    qop = next((one for one in ("auth", "auth-int") if one in offered), "")
    if algorithm not in ALGORITHMS or "nonce" not in fields or "realm" not in fields or (offered and not qop):
        return None
    sent_back = [fields.get(name, "") for name in ("realm", "nonce", "opaque")]
    if not all(one.isprintable() and len(one) <= MOST_SENT_BACK for one in sent_back):
        return None
    return Challenge(
        header,
        fields["realm"],
        fields["nonce"],
        algorithm,
        fields.get("algorithm", "").upper().endswith("-SESS"),
        qop,
        fields.get("opaque"),
        fields.get("stale", "").lower() == "true",
    )


def credentials(to: Challenge, user: str, password: str, method: str, uri: str, body: bytes = b"", cnonce: str = "", count: int = 1) -> str:
    """Return the value of the (Proxy-)Authorization header that answers a challenge; the password itself is never sent."""
    cnonce = cnonce or secrets.token_hex(8)
    one = f"{user}:{to.realm}:{password}"
    if to.session:
        one = f"{_hash(to, one)}:{to.nonce}:{cnonce}"
    two = f"{method}:{uri}" + (f":{_hash(to, body)}" if to.qop == "auth-int" else "")
    middle = f"{to.nonce}:{count:08x}:{cnonce}:{to.qop}" if to.qop else to.nonce
    response = _hash(to, f"{_hash(to, one)}:{middle}:{_hash(to, two)}")
    parts = [f"username={_quoted(user)}", f"realm={_quoted(to.realm)}", f"nonce={_quoted(to.nonce)}", f"uri={_quoted(uri)}"]
    parts += [f'response="{response}"', f"algorithm={to.algorithm}{'-sess' if to.session else ''}"]
    if to.qop:
        parts += [f"qop={to.qop}", f"nc={count:08x}"]
    if to.qop or to.session:
        parts.append(f'cnonce="{cnonce}"')
    if to.opaque is not None:
        parts.append(f"opaque={_quoted(to.opaque)}")
    return "Digest " + ", ".join(parts)


def _hash(to: Challenge, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return hashlib.new(ALGORITHMS[to.algorithm], data, usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
