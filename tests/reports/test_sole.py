"""Two services of one name on one PostgreSQL: the second is refused, and whoever follows a killed one is not."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from reports.opening import plan
from reports.store import sole
from reports.store.errors import StoreAway, StoreInUse
from reports.store.store import Store, open_store

pytestmark = pytest.mark.needs("postgres")

CHILD = """
import sys
from reports.store.store import open_store
with open_store(sys.argv[1], agent="pop-1", service=True):
    print("ready", flush=True)
    sys.stdin.read()
"""
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def other_service(postgresql: str) -> Iterator[Callable[[], subprocess.Popen]]:
    """Give a function that starts a service named pop-1 in another process."""
    running: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        child = subprocess.Popen([sys.executable, "-c", CHILD, postgresql], cwd=Path(__file__).parents[2], **pipes)
        running.append(child)
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        return child

    yield start
    for child in running:
        child.kill()
        child.communicate()


def test_a_second_service_of_one_name_is_refused_with_who_holds_it(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sole.Sole.take, "__defaults__", (50,))
    with open_store(postgresql, agent="pop-1", service=True):
        with pytest.raises(StoreInUse, match=r'another service named "pop-1" since \d{4}-.* UTC uses this store.*\[agent\] name'):
            open_store(postgresql, agent="pop-1", service=True)
        with open_store(postgresql, agent="pop-2", service=True), open_store(postgresql, agent="pop-1") as reader:
            assert reader.cases() == []
    open_store(postgresql, agent="pop-1", service=True).close()


def test_a_service_waits_a_moment_for_one_that_is_ending(postgresql: str) -> None:
    first = open_store(postgresql, agent="pop-1", service=True)
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    got: list[Store] = []
    second = threading.Thread(target=lambda: got.append(open_store(postgresql, agent="pop-1", service=True)))
    second.start()
    with psycopg.connect(postgresql, autocommit=True) as admin:
        while second.is_alive() and not admin.execute(waits).fetchone()[0]:
            time.sleep(0.01)
    first.close()
    second.join()
    got[0].close()


def test_a_service_that_was_killed_starts_again_at_once(postgresql: str, other_service: Callable[[], subprocess.Popen]) -> None:
    for _ in range(3):
        child = other_service()
        child.send_signal(signal.SIGKILL)
        child.wait()
    open_store(postgresql, agent="pop-1", service=True).close()


def test_a_database_that_was_restarted_gives_the_name_back_before_anything_is_accepted(
    postgresql: str, making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sole.Sole.take, "__defaults__", (50,))
    with open_store(postgresql, agent="pop-1", service=True) as first:
        with psycopg.connect(postgresql, autocommit=True) as admin:
            admin.execute(END_OTHERS)
        assert len(first.accept(plan([making.diagnose()], {}, [], making.START), making.START)) == 1
        with pytest.raises(StoreInUse):
            open_store(postgresql, agent="pop-1", service=True)


def test_a_service_that_lost_its_name_to_another_accepts_nothing(
    postgresql: str, making, other_service: Callable[[], subprocess.Popen]
) -> None:
    steps = plan([making.diagnose()], {}, [], making.START)
    with open_store(postgresql, agent="pop-1", service=True) as first:
        with psycopg.connect(postgresql, autocommit=True) as admin:
            admin.execute(END_OTHERS)
        other = other_service()
        with pytest.raises(StoreInUse, match="another service"):
            first.accept(steps, making.START)
        assert first.cases() == []
        other.communicate("")
        assert len(first.accept(steps, making.START)) == 1


def test_a_server_that_is_away_is_away_for_the_lock_too() -> None:
    with pytest.raises(StoreAway):
        open_store("postgresql://u@127.0.0.1:1/d", agent="pop-1", service=True)
