"""One machine of the lab: namespaces of its own for network, mounts, processes, shared memory, name and time since boot.

It has no name under /run/netns and no folder on the disk: its files lie in a tmpfs over its /run, and when its first process dies, by
`Node.down` or because the test run was killed, the kernel takes away everything that ran in it.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FILES = "/run/lab"  # in the machine
DAY_S = 86400
PATIENCE_S = 20.0

# file systems that other programs have mounted for a moment and filled would be read here for as long as the machine runs
BOOT = f"""set -e
while read -r _ where type _; do
  case $type:$where in tmpfs:/tmp/?*) umount -l "$where";; esac
done </proc/self/mounts
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o size=32m,mode=755 tmpfs /run
mount -t tmpfs -o size=8m,mode=1777 tmpfs /var/tmp
mount -t tmpfs -o size=32m,mode=1777 tmpfs /dev/shm
mkdir {FILES}
hostname $1
echo nameserver $3 >{FILES}/resolv.conf
[ ! -e /etc/resolv.conf ] || mount --bind {FILES}/resolv.conf /etc/resolv.conf
cd /proc/sys/net
echo 1 >ipv6/conf/all/disable_ipv6
echo 1 >ipv6/conf/default/disable_ipv6
echo 0 >ipv4/icmp_ratelimit
echo 0 >ipv4/conf/all/send_redirects
echo 0 >ipv4/conf/default/send_redirects
echo $2 >ipv4/ip_forward
cd /
ip link set lo up
echo ready
exec env --ignore-signal=CHLD sleep infinity
"""


class Daemon:
    """A program that runs in a machine; `pid` is its number outside."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Return the program's process; nsenter itself stays outside as its parent."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        assert children, f"it ended: {self.log}"
        return int(children[0])

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    @property
    def family(self) -> list[int]:
        """Return the program's process and all that it has started."""
        return [self.pid, *_below(self.pid)]

    def pause(self) -> None:
        """Let the program and all that it has started stand still, and wait until its nsenter does, as it does by itself."""
        for pid in self.family:
            os.kill(pid, signal.SIGSTOP)
        end = time.monotonic() + PATIENCE_S
        while not _stopped(self._process.pid) and time.monotonic() < end:
            time.sleep(0.005)

    def resume(self) -> None:
        """Let all of it go on."""
        everyone = [*self.family, self._process.pid]
        while stopped := [pid for pid in everyone if _stopped(pid)]:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program and all that it has started at once, and wait until it is gone."""
        if self._process.poll() is None:
            # nsenter ends after the program, by itself; only one that has started nothing yet must be ended
            for pid in reversed(_below(self._process.pid) or [self._process.pid]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.wait()

    def stop(self) -> None:
        """Ask the program to end with all its children, and wait until it has."""
        self.signal(signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        self._process.wait(10)


def _stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:  # it has ended
        return False


def _below(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [one for child in children for one in (child, *_below(child))]


class Node:
    """A machine that is starting; `ready()` waits for it."""

    def __init__(self, name: str, forwards: bool, up_days: int, resolver: str) -> None:
        self.name = name
        self.daemons: dict[str, Daemon] = {}
        self._first: int | None = None  # a handle of the machine's first process
        spaces = ["--net", "--mount", "--pid", "--fork", "--uts", "--ipc", "--time", "--boottime", str(up_days * DAY_S)]
        # setpriv: when this process is killed the kernel kills unshare, unshare's end kills the machine's first process, and that all others.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--kill-child=SIGKILL", "--propagation", "private"]
        first = [*command, "sh", "-c", BOOT, "sh", name, str(int(forwards)), resolver]
        self._holder = subprocess.Popen(first, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)

    def ready(self) -> None:
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline().strip() == b"ready", f"{self.name} did not start"
        holder = self._holder.pid
        self.pid = int(Path(f"/proc/{holder}/task/{holder}/children").read_text().split()[0])
        self._first = os.pidfd_open(self.pid)

    @property
    def root(self) -> Path:
        """The machine's file system, as it is seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def files(self) -> Path:
        """The machine's own folder, as it is seen from outside."""
        return self.root / FILES.lstrip("/")

    def write(self, name: str, text: str) -> str:
        """Write a file into the machine's folder and return its path as the machine sees it."""
        (self.files / name).write_text(text)
        return f"{FILES}/{name}"

    def rewrite(self, name: str, text: str) -> None:
        """Put this text in the place of a file's, in the file itself: who has it mounted elsewhere sees it, and nobody sees it empty."""
        with (self.files / name).open("r+b") as file:
            file.write(text.encode())
            file.truncate()

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` in the machine."""
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "-u", "-i", "-T", "--", *command]

    def run(self, *command: str, given: str | None = None, check: bool = True, timeout_s: float = PATIENCE_S) -> str:
        """Run a command in the machine and return what it printed; with `check` it must succeed."""
        feed = {"input": given} if given is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(self.inside(command), capture_output=True, text=True, timeout=timeout_s, check=False, **feed)
        assert not check or not done.returncode, f"{self.name}: {command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + ("" if check else done.stderr)

    def succeeds(self, *command: str) -> bool:
        return subprocess.run(self.inside(command), capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0

    def ip(self, *lines: str) -> None:
        """Change addresses, links and routes; each line is one for `ip -batch`."""
        self.run("ip", "-batch", "-", given="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Load nftables rules."""
        self.run("nft", "-f", "-", given=rules)

    @contextmanager
    def filtered(self, hook: str, *rules: str) -> Iterator[None]:
        """Filter by these nftables rules for a while."""
        lines = "\n".join(rules)
        self.nft(f"table inet fault {{ chain faulty {{ type filter hook {hook} priority -5\n{lines}\n}}\n}}\n")
        try:
            yield
        finally:
            self.nft("delete table inet fault\n")

    def start(self, name: str, *command: str, environment: dict[str, str] | None = None) -> Daemon:
        """Start a program that stays; its output goes to a file of the machine."""
        log = self.files / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.inside(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        self.daemons[name] = daemon = Daemon(process, log)
        return daemon

    def start_python(self, name: str, program: str, *words: str) -> Daemon:
        """Start one of the programs of this folder."""
        return self.start(name, sys.executable, str(Path(__file__).with_name(program)), *words)

    def down(self) -> None:
        """End the machine with everything that runs in it."""
        self._holder.kill()

    def gone(self) -> None:
        """Wait until nothing of it is left."""
        for daemon in self.daemons.values():
            daemon.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
        self._holder.wait(10)
        if self._first is not None:
            ended = select.poll()
            ended.register(self._first, select.POLLIN)
            assert ended.poll(10_000), f"{self.name} still runs"
            os.close(self._first)
