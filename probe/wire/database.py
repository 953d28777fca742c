"""What the database probers share: their options, how an exchange is framed, and that no password leaves it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from probe.dial import FAMILIES, DialError, address_of, dial, failure_of, hang_up
from probe.inventory import Node
from probe.job import Options
from probe.observation.database import DatabaseSample
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.wire.connection import Connection, RefusedError

NOBODY = "firstline"  # the user of a greeting: it need not exist, its refusal is the proof of life
HIDDEN = "***"
LONGEST_DETAIL = 200


class DatabaseOptions(Options, frozen=True, kw_only=True):
    """How to ask a database. Without `user` only its greeting is asked for; the password is in no repr, item or outcome."""

    port: Annotated[int, Meta(description="TCP port", ge=1, le=65535)] = 0
    user: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="user to log in as; without it only the greeting is measured")
    ] = None
    password: Annotated[str | None, Meta(description="its password")] = None
    database: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description="database to open")] = None
    tls: Annotated[
        Literal["prefer", "require", "off"],
        Meta(description="prefer: when offered; require: always; off: never. Certificates are the tls prober's question"),
    ] = "prefer"
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"
    query: Annotated[bool, Meta(description="after the login, ask for its connections and whether it is a standby")] = True

    def __post_init__(self) -> None:
        """Refuse texts that would end early in a protocol of zero-terminated strings."""
        for field in ("user", "password", "database"):
            if "\0" in (getattr(self, field) or ""):
                raise ValueError(f"{field} contains a zero byte")
        if self.password is not None and self.user is None:
            raise ValueError("password is given without user")

    @property
    def item(self) -> str:
        """Return the port, and the database when one is named."""
        return f"{self.port}/{self.database}" if self.database else str(self.port)


AnyOptions = TypeVar("AnyOptions", bound=DatabaseOptions)
Talk = Callable[[Connection, AnyOptions, str], Awaitable[DatabaseSample]]


async def converse(node: Node, options: AnyOptions, talk: Talk[AnyOptions]) -> Outcome:
    """Connect, let `talk` lead the exchange, hang up; refusals become Failures, and what the peer said is made safe to show."""
    try:
        host = address_of(node)
        to = await dial(host, options.port, FAMILIES[options.family])
    except DialError as why:
        return why.failure
    wire = Connection(to, options.port)
    outcome: Outcome
    try:
        try:
            outcome = _scrubbed(await talk(wire, options, host), options)
        except RefusedError as why:
            outcome = Failure(why.kind, clean(str(why), options.password))
        await wire.take_leave()
        return outcome
    except OSError as why:
        return failure_of(why)
    finally:
        hang_up(to.sock)


def clean(words: str, secret: str | None) -> str:
    """Return a peer's words as one short printable line without our password: a hostile server may echo what we sent."""
    if secret:
        words = words.replace(secret, HIDDEN)
    words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    if secret:  # again: control characters within it are gone only now
        words = words.replace(secret, HIDDEN)
    return words if len(words) <= LONGEST_DETAIL else words[: LONGEST_DETAIL - 1] + "…"


def _scrubbed(sample: DatabaseSample, options: DatabaseOptions) -> DatabaseSample:
    if sample.server_version is None:
        return sample
    return msgspec.structs.replace(sample, server_version=clean(sample.server_version, options.password) or None)
