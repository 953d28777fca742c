"""Starts the demo's world and sees to it that nothing of it is left, whoever ends first and however."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from probe.agent.demo import configuration
from probe.agent.demo.kernel import CLONE_NEWNS, adopt_orphans, become_root_inside, die_with_parent, unshare
from probe.agent.demo.loopback import Loopback
from probe.agent.demo.network import Network
from probe.agent.demo.plan import Where
from probe.agent.demo.service import JOURNAL, serve
from probe.agent.demo.world import World, fork, teller

_AWAITED = {signal.SIGTERM, signal.SIGCHLD}
PREFIX, LOCK = "firstline-demo-", "lock"


class Started(NamedTuple):
    """A running demo: its guard's process, where it tells what happens, its folder, the page's port, and whether it has a network."""

    guard: int
    told: int
    folder: Path
    port: int
    where: Where


def try_network() -> str:
    """Return "" when this machine lets this user build the network, else what refused; all of it is gone again on return."""
    reader, writer = os.pipe()
    pid = fork(lambda: _try(writer))
    os.close(writer)
    with os.fdopen(reader) as told:
        why = told.read()
    _, code = os.waitpid(pid, 0)
    return why.strip() or ("" if code == 0 else f"the attempt ended with {code}")


def _try(writer: int) -> None:
    if sys.platform != "linux":
        os.write(writer, b"this is not Linux")
        return

    def build() -> None:
        try:
            Network()
        except OSError as why:
            os.write(writer, _told(why).encode())

    try:
        become_root_inside()
        _, code = os.waitpid(fork(build), 0)
        if code:
            os.write(writer, f"the attempt ended with {code}".encode())
    except OSError as why:
        os.write(writer, _told(why).encode())


def _told(why: OSError) -> str:
    return ": ".join(filter(None, (why.filename, why.strerror or str(why))))


def start(where: Where, language: str) -> Started:
    """Start everything; OSError when the page's port or the folder can't be had."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held by every process of the demo until it ends
    outside = listen()
    port = outside.getsockname()[1]
    configuration.write(folder, where, language)
    reader, writer = os.pipe()
    starter = os.getpid()

    def guard() -> None:
        os.close(reader)
        _guard(starter, where, folder, outside, writer)

    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)  # so that the guard, too, has them blocked from its first moment on
    pid = fork(guard, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    os.close(writer)
    os.close(lock)
    outside.close()
    return Started(pid, reader, folder, port, where)


def stop(started: Started) -> None:
    """End everything and wait until it is gone."""
    os.close(started.told)
    with contextlib.suppress(ProcessLookupError):
        os.kill(started.guard, signal.SIGTERM)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(started.guard, 0)
    shutil.rmtree(started.folder, ignore_errors=True)


def listen() -> socket.socket:
    """Return a socket that listens where the page should be, or at any free port when that is taken."""
    for port in (configuration.PORT, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen(16)
            listener.setblocking(False)
            return listener
        listener.close()
    raise OSError("no port of 127.0.0.1 is free for the page")


def sweep() -> None:
    """Remove the folders of demos whose every process was killed, the guard too."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.geteuid():
                continue
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _guard(starter: int, where: Where, folder: Path, outside: socket.socket, writer: int) -> None:
    """Be the guard: outlive whoever started the demo by the time that it takes to end it."""
    os.setsid()  # Ctrl-C is for the screen alone, which ends us in its turn
    _quiet(folder)
    adopt_orphans()
    if where.network:
        become_root_inside()
    die_with_parent(signal.SIGTERM)  # again: a process that changes what it may do loses it
    world = fork(lambda: _world(where, folder, outside, writer))
    os.close(writer)
    outside.close()
    if os.getppid() == starter:
        signal.sigwait(_AWAITED)
    with contextlib.suppress(ProcessLookupError):
        os.kill(world, signal.SIGKILL)  # and with it, as the first of its process namespace, or as their parent, all the others
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # for all of them: who still writes into the folder would keep it
    shutil.rmtree(folder, ignore_errors=True)


def _quiet(folder: Path) -> None:
    """Have whatever is printed from here on go into the journal."""
    journal = os.open(folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, place in ((nothing, 0), (journal, 1), (journal, 2)):
        os.dup2(handle, place)
        os.set_inheritable(place, True)
    os.close(journal)
    os.close(nothing)


def _world(where: Where, folder: Path, outside: socket.socket, writer: int) -> None:
    """Be the world: build the machines, start the agent at its own, and answer for the others."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    if where.network:
        unshare(CLONE_NEWNS)
    network = Network() if where.network else Loopback()
    world = World(where, network, folder, teller(writer))

    def measure() -> None:
        if isinstance(network, Network):
            network.places["agent"].enter()
        serve(folder / configuration.FILE, outside, where.network)

    world.keep(fork(measure), "agent")
    outside.close()
    asyncio.run(world.run())
