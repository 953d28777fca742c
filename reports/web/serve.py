"""Serves an application inside the running event loop, on a TCP address or a unix socket, and stops within two seconds."""

import asyncio
import contextlib
import errno
import grp
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
EXCHANGE_S = 300.0  # longer than any measurement on request
TAKEN_S = 60.0  # twice the time for which a connection may be idle
MOST_CONNECTIONS = 128
STOP_S = 2.0
SOCKET_MODE = 0o660


class Tls(msgspec.Struct, frozen=True):
    """The files of a TLS listener; with `client_authorities` it demands client certificates signed by them."""

    certificate: str
    key: str
    client_authorities: str | None = None


def tcp_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; OSError names the address when it can't be had. Port 0 takes a free one."""
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MOST_CONNECTIONS)
    except OSError as why:
        listener.close()
        cures = {errno.EADDRINUSE: "end what listens there, or ", errno.EADDRNOTAVAIL: "`ip addr` shows which addresses are here; "}
        cure = cures.get(why.errno or 0, "") + "choose another `listen` in [agent]"
        reason = f"can't listen on {host}:{port}: {os.strerror(why.errno or 0)}; {cure}"
        raise OSError(why.errno, reason) from why
    listener.setblocking(False)
    return listener


def unix_socket(path: str, group: str | None = None) -> socket.socket:
    """Return a socket that listens at `path` (mode 0660, of `group` when it exists and may be given).

    The socket of a dead service is replaced; OSError when another service answers there, or something else than a socket lies there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _make_room(path)
        listener.bind(path)
        if group is not None:
            with contextlib.suppress(KeyError, PermissionError):
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
        os.chmod(path, SOCKET_MODE)
        listener.listen(MOST_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket, tls: Tls | None = None) -> AsyncIterator[None]:
    """Serve within the block. At its end no request is taken any more, those under way have a second, and the listener is closed."""
    server = _Server(_config(app, tls))
    path = listener.getsockname() if listener.family == socket.AF_UNIX else None
    task = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        ready.cancel()
        server.stop()
        _, late = await asyncio.wait({task}, timeout=STOP_S)
        for one in late:
            one.cancel()
        listener.close()
        if path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _config(app: Any, tls: Tls | None) -> uvicorn.Config:
    files: dict[str, Any] = {}
    if tls is not None:
        files = {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
        if tls.client_authorities:
            files |= {"ssl_ca_certs": tls.client_authorities, "ssl_cert_reqs": 2}  # ssl.CERT_REQUIRED
    return uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
        **files,
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to the service, says when it listens, and sleeps instead of looking ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask it to stop."""
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Renew the Date header every second until it is asked to stop."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)


class _Impatient(H11Protocol):
    """Ends a connection that is slow, so that strangers can't fill the server: a request head has HEAD_S from its first byte (the first
    one from the connection on), its answer EXCHANGE_S, and what was answered is taken, or the next request begins, within TAKEN_S.
    """

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._idle = False
        self._patience = self.loop.call_later(HEAD_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Wait for the end of the head that begins here, or for the answer to the one that ends here."""
        before, idle = self.cycle, self._idle
        super().data_received(data)
        if self.cycle is not before:
            self._wait(EXCHANGE_S)
        elif idle:
            self._wait(HEAD_S)

    def on_response_complete(self) -> None:
        """Wait until the answer is taken; a request that came behind the one before may begin at once."""
        before = self.cycle
        super().on_response_complete()
        self._wait(TAKEN_S if self.cycle is before else EXCHANGE_S)
        self._idle = self.cycle is before

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._idle = False
        self._patience.cancel()
        self._patience = self.loop.call_later(seconds, self.transport.abort)


def _make_room(path: str) -> None:
    """Remove the socket of a dead service."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, f"{path} is there and is no socket; move it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as why:
            raise OSError(why.errno, f"{path} can't be taken over: {os.strerror(why.errno or 0)}") from why
    raise OSError(errno.EADDRINUSE, f"another service answers at {path}")
