"""Asks a MySQL or MariaDB server as a client would: greeting, login, two statements. An open port is not a working database.

What each stage proves:
- "greeting" (no `user` configured): the server had a connection slot, greeted, and refused the unknown user "firstline" (error 1045), or
  this host (1130). It does not prove that a login works.
- "authenticated" (`query = false`): the login works and the database can be opened.
- "query": the database answers statements; with them come its connections and their limit.

Whoever hangs up after the greeting, or fails in the TLS handshake, is counted by the server as a handshake error; after
`max_connect_errors` of them (100 by default) it blocks the whole host with error 1129 until somebody flushes its host cache. Therefore
a greeting is always answered with a complete login, whose refusal is an authentication error, which is not counted towards that; a
greeting alone uses TLS only when it is required; and where TLS is only preferred and fails, it is not tried again for an hour.
What remains: without a user Aborted_connects rises by one, and the server may log "Access denied". With one (`CREATE USER firstline …`,
no rights needed) neither happens, and each login sets the count of handshake errors back: the better choice.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from probe.inventory import Node
from probe.observation.database import DatabaseSample
from probe.observation.failure import Kind
from probe.observation.observation import Outcome
from probe.target import read_address_and_port
from probe.wire import mysql as protocol
from probe.wire.connection import Connection, RefusedError, TlsError, count, tls_context
from probe.wire.database import NOBODY, DatabaseOptions, converse

PORT = 3306
# Refusals of a user who need not exist that only a working server can give: wrong database, access denied (three ways), host not allowed
PROOF_OF_LIFE = frozenset({"1044", "1045", "1049", "1130", "1698"})
MOST_LOGIN_PACKETS = 16
WITHOUT_TLS_S = 3600.0


class Options(DatabaseOptions, frozen=True, kw_only=True):
    """What can be set for a `mysql` check."""

    port: Annotated[int, Meta(description="TCP port", ge=1, le=65535)] = PORT


class MysqlProber:
    """Each question is a session of its own, as a client's would be; what is held is with whom TLS does not work, and until when."""

    def __init__(self) -> None:
        self._without_tls: dict[tuple[str | None, int], float] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return how far the server let us, or why not further; the error number first in a refusal's detail.

        `connections` includes our own. One more than `max_connections` is admitted for an administrator: a greeting still gets that one.
        """
        peer = (node.address, options.port)
        if options.tls == "prefer" and (options.user is None or self._without_tls.get(peer, 0.0) > monotonic()):
            options = replace(options, tls="off")
        failed: list[TlsError] = []
        outcome = await converse(node, options, partial(_talk, failed))
        if failed and options.tls == "prefer":
            self._without_tls[peer] = monotonic() + WITHOUT_TLS_S
            return await converse(node, replace(options, tls="off"), partial(_talk, failed))
        return outcome


@asynccontextmanager
async def open() -> AsyncIterator[MysqlProber]:
    """Yield the prober."""
    yield MysqlProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host` or `host:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, PORT)
    return address, {"port": port}


async def _talk(failed: list[TlsError], wire: Connection, options: Options, host: str) -> DatabaseSample:
    """Lead one exchange; a failure of TLS is noted in `failed`, too."""
    packets = protocol.Packets(wire)
    greeting = None
    try:
        greeting = protocol.read_greeting(await packets.receive())
        await _log_in(packets, greeting, options, host)
    except TlsError as why:
        failed.append(why)
        raise
    except RefusedError as why:
        if options.user is not None or why.code not in PROOF_OF_LIFE:
            raise
        return _sample(wire, greeting, "greeting", wire.elapsed_ms())
    ready_ms = wire.elapsed_ms()
    if options.user is None or not options.query:
        await packets.command(protocol.QUIT)
        return _sample(wire, greeting, "greeting" if options.user is None else "authenticated", ready_ms)
    most = await protocol.first_row(packets, "SELECT @@global.max_connections")
    now = await protocol.first_row(packets, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    query_ms = wire.elapsed_ms() - ready_ms
    await packets.command(protocol.QUIT)
    return _sample(wire, greeting, "query", ready_ms, query_ms, None, count(now[-1]), count(most[-1]))


def _sample(wire: Connection, greeting: protocol.Greeting | None, stage: str, ready_ms: float, *queried: Any) -> DatabaseSample:
    engine, version = (greeting.engine, greeting.version) if greeting else ("mysql", None)
    return DatabaseSample(engine, wire.address, wire.port, stage, version, wire.connect_ms, ready_ms, *queried)


async def _log_in(packets: protocol.Packets, greeting: protocol.Greeting, options: Options, host: str) -> None:
    """Complete the handshake, as the user or as nobody; RefusedError (DENIED) for what we will not or cannot give."""
    capabilities = protocol.OURS & (greeting.capabilities | protocol.LONG_PASSWORD)
    if options.database:
        capabilities |= protocol.CONNECT_WITH_DB
    if options.tls != "off" and greeting.capabilities & protocol.SSL:
        capabilities |= protocol.SSL
        await packets.send(protocol.ssl_request(capabilities))
        await packets.wire.start_tls(tls_context(), host)
    elif options.tls == "require":
        await _decline(packets, protocol.handshake_response(capabilities, NOBODY, b"", None, protocol.NATIVE))
        raise RefusedError("offers no TLS")
    plugin, salt = greeting.plugin, greeting.salt
    if plugin not in {protocol.NATIVE, protocol.CACHING_SHA2}:
        plugin = protocol.NATIVE  # the server switches to what the user has
    answer = _answer(plugin, salt, options, packets.wire)
    response = protocol.handshake_response(capabilities, options.user or NOBODY, answer, options.database, plugin)
    await packets.send(response)
    for _ in range(MOST_LOGIN_PACKETS):
        reply = await packets.receive()
        if reply[0] == 0x00:
            return
        if reply[0] == 0xFE:
            name, _, rest = reply[1:].partition(b"\0")
            plugin, salt = name.decode("ascii", "replace"), rest.removesuffix(b"\0")
            await _send_or_decline(packets, plugin, partial(_answer, plugin, salt, options, packets.wire))
        elif reply == b"\x01\x04" and plugin == protocol.CACHING_SHA2:
            await _send_or_decline(packets, plugin, partial(_in_the_clear, options, packets.wire))
        elif reply != b"\x01\x03":  # "known from the cache": its OK follows
            raise RefusedError(f"{protocol.NOT_MYSQL}: packet {reply[0]:#04x} during the login")
    raise RefusedError("never ends the login")


async def _send_or_decline(packets: protocol.Packets, plugin: str, answer: Callable[[], bytes]) -> None:
    try:
        payload = answer()
    except RefusedError:
        await _decline(packets, _empty_login(plugin))
        raise
    await packets.send(payload)


async def _decline(packets: protocol.Packets, payload: bytes) -> None:
    """Let the server refuse an empty login, so that our going does not count as a handshake error."""
    try:
        await packets.send(payload)
        await packets.receive()
    except RefusedError:
        pass


def _answer(plugin: str, salt: bytes, options: Options, wire: Connection) -> bytes:
    """Return what `plugin` asks for."""
    if options.user is None or not options.password:
        return _empty_login(plugin)
    if plugin == protocol.NATIVE:
        return protocol.native_scramble(options.password, salt)
    if plugin == protocol.CACHING_SHA2:
        return protocol.caching_sha2_scramble(options.password, salt)
    if plugin in protocol.IN_THE_CLEAR:
        return _in_the_clear(options, wire)
    raise RefusedError(f"demands the authentication plugin {plugin!r}, which is not supported", kind=Kind.DENIED)


def _empty_login(plugin: str) -> bytes:
    return protocol.EMPTY_LOGIN.get(plugin, b"\0")


def _in_the_clear(options: Options, wire: Connection) -> bytes:
    if options.user is None or not options.password:
        return b"\0"
    if not wire.encrypted:
        raise RefusedError("demands the password in the clear, which is only sent inside TLS", kind=Kind.DENIED)
    return options.password.encode() + b"\0"
