"""With what an SNMP agent is asked: version, and community or user."""

from functools import lru_cache
from typing import Any, Literal

import msgspec

Version = Literal["v1", "v2c", "v3"]
Auth = Literal["none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
Privacy = Literal["none", "des", "aes128", "aes192", "aes256"]

SHORTEST_PASSWORD = 8  # RFC 3414 11.2


class Credential(msgspec.Struct, frozen=True):
    """One way to ask an agent. A community for v1 and v2c; for v3 a user of the user-based security model (RFC 3414).

    auth: HMAC-MD5-96, HMAC-SHA-96 (RFC 3414) or an HMAC of the SHA-2 family (RFC 7860); privacy: CBC-DES (RFC 3414), AES of 128 bits
    (RFC 3826), or of 192 and 256 bits as net-snmp has it (draft-blumenthal-aes-usm-04).
    """

    version: Version = "v2c"
    community: str = ""
    user: str = ""
    auth: Auth = "none"
    auth_password: str = ""
    privacy: Privacy = "none"
    privacy_password: str = ""

    def __repr__(self) -> str:
        """Say how, and never with what: communities are secrets as well."""
        return f"Credential({self.version}{f' user {self.user}' if self.user else ''}, {self.level})"

    def __rich_repr__(self) -> Any:
        """Hide the secrets from whoever prints structures field by field."""
        yield from (("version", self.version), ("user", self.user), ("level", self.level))

    @property
    def level(self) -> str:
        """The security level in the words of RFC 3411, "noAuthNoPriv" for communities too."""
        return ("auth" if self.auth != "none" else "noAuth") + ("Priv" if self.privacy != "none" else "NoPriv")

    def problem(self) -> str | None:
        """Return why it could not be used, None when it can; no secret is in the text."""
        if self.version != "v3":
            return None if self.community else f"community: {self.version} needs one"
        if not self.user:
            return "user: v3 needs one"
        if len(self.user.encode()) > 32:
            return "user: at most 32 octets (RFC 3414 2.4)"
        if self.privacy != "none" and self.auth == "none":
            return "privacy: needs auth, too (RFC 3411 has no level with privacy alone)"
        for name, kind, word in (("auth", self.auth, self.auth_password), ("privacy", self.privacy, self.privacy_password)):
            if kind != "none" and len(word.encode()) < SHORTEST_PASSWORD:
                return f"{name}_password: {name} {kind} needs one of at least {SHORTEST_PASSWORD} characters (RFC 3414 11.2)"
        return None


def keys(credential: Credential) -> tuple[str, int, bytes, int, bytes]:
    """Return a v3 user as gufo-snmp's sockets want it: name, authentication and its key, privacy and its key (not yet localised)."""
    from gufo import snmp
    from gufo.snmp.user import KeyType

    auths = {
        "md5": snmp.Md5Key, "sha1": snmp.Sha1Key, "sha224": snmp.Sha224Key,
        "sha256": snmp.Sha256Key, "sha384": snmp.Sha384Key, "sha512": snmp.Sha512Key,
    }  # fmt: skip
    privacies = {"des": snmp.DesKey, "aes128": snmp.Aes128Key, "aes192": snmp.Aes192Key, "aes256": snmp.Aes256Key}
    auth = privacy = None
    if credential.auth != "none":
        kind = auths[credential.auth]
        auth = kind(master_key(kind.AUTH_ALG, credential.auth_password), key_type=KeyType.Master)
        if credential.privacy != "none":
            key = master_key(kind.AUTH_ALG, credential.privacy_password)
            privacy = privacies[credential.privacy](key, key_type=KeyType.Master)
    user = snmp.User(credential.user, auth_key=auth, priv_key=privacy)
    return user.name, user.get_auth_alg(), user.get_auth_key(), user.get_priv_alg(), user.get_priv_key()


@lru_cache(64)  # a megabyte is hashed for each: 1.5 ms, and a thousand devices mostly share one user
def master_key(algorithm: int, password: str) -> bytes:
    """Return the key Ku of a password (RFC 3414 A.2) by gufo-snmp's number of the algorithm."""
    from gufo.snmp._fast import get_master_key

    return get_master_key(algorithm, password.encode())
