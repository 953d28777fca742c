"""Asks a PostgreSQL server as a client would: start-up, login, one statement. An open port is not a working database.

What each stage proves:
- "greeting" (no `user` configured): the postmaster took the connection, forked a backend, and that backend found a free slot and asked for
  authentication, or refused the unknown user "firstline". It proves neither that a login works nor that the last, reserved slots are not
  all that is left. Hanging up instead of sending a password is what psql does, too; the server logs no error for it.
- "authenticated" (`query = false`): the login works and the database can be opened.
- "query": the database answers a statement; with it come its connections and whether it is a standby.

A password is sent in the clear only inside TLS, and never to a server that failed to ask for it properly.
"""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from probe.inventory import Node
from probe.observation.database import DatabaseSample
from probe.observation.failure import Kind
from probe.observation.observation import Outcome
from probe.target import read_address_and_port
from probe.wire import postgresql as protocol
from probe.wire.connection import Connection, RefusedError, count, tls_context
from probe.wire.database import NOBODY, DatabaseOptions, converse
from probe.wire.scram import Scram, ScramError

PORT = 5432
# Refusals of a user who need not exist that only a working server can give: class 28 (authorisation), no such database, no right to connect
PROOF_OF_LIFE = frozenset({"28000", "28P01", "3D000", "42501"})
# An ordinary user sees of other users' sessions only who is connected where; background workers belong to no user or to no database.
STATEMENT = (
    "SELECT pg_is_in_recovery(),"
    " (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL),"
    " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
)


class Options(DatabaseOptions, frozen=True, kw_only=True):
    """What can be set for a `postgresql` check."""

    port: Annotated[int, Meta(description="TCP port", ge=1, le=65535)] = PORT


class PostgresqlProber:
    """Holds nothing: each question is a session of its own, as a client's would be."""

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return how far the server let us, or why not further; SQLSTATE first in a refusal's detail.

        `max_connections` counts the slots that ordinary users can have: the reserved ones are taken off. `connections` includes our own.
        """
        return await converse(node, options, _talk)


@asynccontextmanager
async def open() -> AsyncIterator[PostgresqlProber]:
    """Yield the prober."""
    yield PostgresqlProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host` or `host:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, PORT)
    return address, {"port": port}


async def _talk(wire: Connection, options: Options, host: str) -> DatabaseSample:
    await _agree_on_tls(wire, options, host)
    await wire.send(protocol.startup(options.user or NOBODY, options.database or "postgres"))
    if options.user is None:
        return await _greeting(wire)
    await _log_in(wire, options)
    version = await _until_ready(wire)
    ready_ms = wire.elapsed_ms()
    if not options.query:
        await wire.send(protocol.TERMINATE)
        return _sample(wire, "authenticated", version, ready_ms)
    in_recovery, connections, most = await _query(wire)
    query_ms = wire.elapsed_ms() - ready_ms
    await wire.send(protocol.TERMINATE)
    return _sample(wire, "query", version, ready_ms, query_ms, in_recovery, connections, most)


def _sample(wire: Connection, stage: str, version: str | None, ready_ms: float, *queried: Any) -> DatabaseSample:
    return DatabaseSample("postgresql", wire.address, wire.port, stage, version, wire.connect_ms, ready_ms, *queried)


async def _agree_on_tls(wire: Connection, options: Options, host: str) -> None:
    if options.tls == "off":
        return
    await wire.send(protocol.SSL_REQUEST)
    answer = await wire.exactly(1)
    if answer == b"S":
        await wire.start_tls(tls_context(), host)
    elif answer == b"E":  # a postmaster that can't fork says so here already
        await protocol.receive(wire, answer)
    elif answer != b"N":
        raise RefusedError(protocol.NOT_POSTGRESQL)
    elif options.tls == "require":
        raise RefusedError("offers no TLS")


async def _greeting(wire: Connection) -> DatabaseSample:
    """Wait until the server demands a login, refuses the unknown user, or lets it in."""
    version = None
    try:
        while True:
            kind, body = await protocol.receive(wire)
            if kind == b"S" and protocol.parameter(body)[0] == "server_version":
                version = protocol.parameter(body)[1]
            elif kind == b"R" and _demand(body) != 0:
                break
            elif kind == b"Z":
                await wire.send(protocol.TERMINATE)
                break
    except RefusedError as why:
        if why.code not in PROOF_OF_LIFE:
            raise
    return _sample(wire, "greeting", version, wire.elapsed_ms())


def _demand(body: bytes) -> int:
    if len(body) < 4:
        raise RefusedError(f"{protocol.NOT_POSTGRESQL}: a malformed demand for authentication")
    return int(struct.unpack_from("!i", body)[0])


async def _log_in(wire: Connection, options: Options) -> None:
    """Answer what the server demands until it is content; RefusedError (DENIED) for what we will not or cannot give."""
    scram: Scram | None = None
    while True:
        kind, body = await protocol.receive(wire)
        if kind != b"R":
            if kind in b"NvS":
                continue
            raise RefusedError(f"{protocol.NOT_POSTGRESQL}: {kind!r} during the login")
        demand, rest = _demand(body), body[4:]
        if demand == 0:
            if scram and not scram.verified:
                raise RefusedError("the server could not prove that it knows the password")
            return
        try:
            if demand == 10:
                scram = Scram(_password(options))
                await wire.send(_choose_scram(rest, scram))
            elif demand == 11 and scram:
                await wire.send(protocol.message(b"p", await scram.final(rest)))
            elif demand == 12 and scram:
                scram.check(rest)
            elif demand == 5 and scram is None and len(rest) == 4:
                await wire.send(protocol.password(protocol.md5_password(options.user or "", _password(options), rest)))
            elif demand == 3 and scram is None:
                await wire.send(_in_the_clear(wire, options))
            else:
                raise RefusedError(f"demands authentication method {demand}, which is not supported", kind=Kind.DENIED)
        except ScramError as why:
            raise RefusedError(str(why)) from None


def _password(options: Options) -> str:
    if options.password is None:
        raise RefusedError("demands a password, and none is configured", kind=Kind.DENIED)
    return options.password


def _in_the_clear(wire: Connection, options: Options) -> bytes:
    if not wire.encrypted:
        raise RefusedError("demands the password in the clear, which is only sent inside TLS", kind=Kind.DENIED)
    return protocol.password(_password(options).encode())


def _choose_scram(offered: bytes, scram: Scram) -> bytes:
    if "SCRAM-SHA-256" not in protocol.mechanisms(offered):
        raise RefusedError("offers no SCRAM-SHA-256", kind=Kind.DENIED)
    return protocol.sasl_initial("SCRAM-SHA-256", scram.first())


async def _until_ready(wire: Connection) -> str | None:
    version = None
    while True:
        kind, body = await protocol.receive(wire)
        if kind == b"Z":
            return version
        if kind == b"S" and protocol.parameter(body)[0] == "server_version":
            version = protocol.parameter(body)[1]


async def _query(wire: Connection) -> tuple[bool, int, int]:
    """Return whether it is a standby, the connections of users, and how many those may have."""
    await wire.send(protocol.message(b"Q", STATEMENT.encode() + b"\0"))
    values: list[str | None] = []
    while True:
        kind, body = await protocol.receive(wire)
        if kind == b"D":
            values = protocol.row(body)
        elif kind == b"Z":
            break
    match values:
        case ["t" | "f" as standby, connections, most]:
            return standby == "t", count(connections), count(most)
    raise RefusedError("answered the statement with something else than was asked for")
