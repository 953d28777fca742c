"""Speaks with systemd: how the service is (sd_notify(3)), and the sockets that it holds for us; without systemd nothing happens."""

import os
import socket


def notify(*lines: str) -> bool:
    """Send state lines such as "READY=1"; return whether there was anyone to tell. A deaf supervisor never stops the service."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
    return True


def watchdog_s() -> float | None:
    """Return how often systemd wants to hear from this process, in seconds; None when it does not."""
    wanted, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not wanted or not wanted.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(wanted) / 1e6


FIRST_FD = 3  # sd_listen_fds(3)


def held_socket(name: str) -> socket.socket:
    """Return the datagram socket that systemd holds for this process under `name`; OSError says what is missing."""
    names, count = os.environ.get("LISTEN_FDNAMES", "").split(":"), os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and count.isdigit():
        for number in range(min(int(count), len(names))):
            if names[number] == name:
                sock = socket.socket(fileno=os.dup(FIRST_FD + number))
                if sock.type == socket.SOCK_DGRAM:
                    return sock
                sock.close()
    raise OSError(f"systemd holds no datagram socket named {name}; enable firstline-{name}.socket, or give an address and port")
