"""How to log in to an SNMP agent."""

import msgspec


class Credential(msgspec.Struct, frozen=True):
    """One login. `version` is "v1", "v2c" (both with `community`) or "v3" (with the rest; RFC 3414, RFC 7860, RFC 3826).

    auth: none, md5, sha1, sha224, sha256, sha384, sha512. privacy: none, des, aes128, aes192, aes256.
    """

    version: str = "v2c"
    community: str | None = None
    user: str | None = None
    auth: str = "none"
    auth_password: str | None = None
    privacy: str = "none"
    privacy_password: str | None = None

    def __repr__(self) -> str:
        """Name it without its secrets."""
        who = f", user={self.user!r}, auth={self.auth}, privacy={self.privacy}" if self.version == "v3" else ""
        return f"Credential({self.version}{who})"
