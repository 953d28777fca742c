"""One history of the tables: what it makes is what the code expects; an older store is backed up and brought on, a newer one refused."""

import contextlib
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from reports.store import connect, migrate, tables
from reports.store.errors import StoreAway, StoreNewer
from reports.store.store import open_store

NEXT = "0099"  # a revision that is not there yet
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "{down}"


def upgrade():
    op.add_column("maintenance", sa.Column("ticket", sa.Text))
    {more}
"""


@pytest.fixture
def next_release(tmp_path: Path):
    """Give a function that writes a history with one more revision and returns its folder."""

    def write(more: str = "") -> Path:
        folder = tmp_path / "history"
        shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        (folder / f"v{NEXT}_next.py").write_text(SECOND.format(more=more, down=tables.REVISION))
        return folder

    return write


def bring_on(place: str, scripts: Path) -> None:
    url = connect.address(place)
    engine = connect.connect(url, durable=True)
    try:
        migrate.migrate(connect.writer(engine), connect.sqlite_path(url), "there", scripts, NEXT)
    finally:
        engine.dispose()


def columns(place: str) -> set[str]:
    engine = connect.connect(connect.address(place), durable=True)
    with engine.connect() as connection:
        found = {column["name"] for column in sa.inspect(connection).get_columns("maintenance")}
    engine.dispose()
    return found


def test_the_history_makes_exactly_the_tables_of_the_code(place: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    open_store(place, service=True).close()
    engine = connect.connect(connect.address(place), durable=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_index_of_uncleared_episodes_is_partial(place: str) -> None:
    open_store(place, service=True).close()
    engine = connect.connect(connect.address(place), durable=True)
    with engine.connect() as connection:
        (index,) = [one for one in sa.inspect(connection).get_indexes("cases") if one["name"] == "one_uncleared_episode"]
    engine.dispose()
    assert index["unique"]
    assert "cleared_at IS NULL" in str(index["dialect_options"][f"{engine.dialect.name}_where"])


def test_the_newest_revision_of_the_history_is_the_one_the_code_wants() -> None:
    names = sorted(path.name for path in migrate.MIGRATIONS.glob("v*.py"))
    assert names[-1].startswith(f"v{tables.REVISION}_")


def test_an_older_store_is_brought_on_with_everything_in_it(place: str, making, next_release) -> None:
    with open_store(place, service=True) as store:
        events = making.story(store)
    bring_on(place, next_release())
    assert "ticket" in columns(place)
    bring_on(place, next_release())
    engine = connect.connect(connect.address(place), durable=True)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM case_event")).scalar_one() == len(events)
    engine.dispose()


def test_an_sqlite_store_is_backed_up_before(tmp_path: Path, making, next_release) -> None:
    place = str(tmp_path / "state")
    with open_store(place, service=True) as store:
        making.story(store)
    assert not list(Path(place).glob("*.before-*"))
    bring_on(place, next_release())
    (copy,) = Path(place).glob("*.before-*")
    assert copy.name == f"firstline.sqlite.before-{NEXT}"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchall() == [(tables.REVISION,)]
        assert old.execute("SELECT count(*) FROM case_event").fetchall() == [(3,)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(place: str, making, next_release) -> None:
    with open_store(place, service=True) as store:
        making.story(store)
    with pytest.raises(RuntimeError, match="half way"):
        bring_on(place, next_release('raise RuntimeError("half way")'))
    assert "ticket" not in columns(place)
    with open_store(place, service=True) as store:
        assert len(store.cases()) == 1


def test_a_newer_store_is_refused_and_left_alone(place: str, next_release) -> None:
    open_store(place, service=True).close()
    bring_on(place, next_release())
    for service in (True, False):
        with pytest.raises(StoreNewer, match=rf"newer \({NEXT}\) than this program \({tables.REVISION}\).*install the newer program"):
            open_store(place, service=service)
    assert "ticket" in columns(place)


def test_a_reader_does_not_migrate(place: str, next_release, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(place, service=True).close()
    monkeypatch.setattr(migrate.check, "__defaults__", (NEXT,))
    with pytest.raises(StoreAway, match=rf"older \({tables.REVISION}\) than this program \({NEXT}\)"):
        open_store(place)


@pytest.mark.needs("postgres")
def test_services_that_start_together_on_one_database_make_it_once(postgresql: str) -> None:
    code = (
        "import sys, alembic.runtime.environment, alembic.script; from reports.store.store import open_store; print('ready', flush=True);"
        " sys.stdin.readline(); open_store(sys.argv[1], service=True).close()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[2]}
    children = [subprocess.Popen([sys.executable, "-c", code, postgresql], **pipes) for _ in range(4)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 4


def test_alembic_is_imported_only_to_migrate_and_sqlalchemy_only_by_the_store(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]

    def loaded(code: str) -> set[str]:
        script = f"import sys\n{code}\nprint(*[name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
        return set(subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True).stdout.split())

    opening = f"from reports.store.store import open_store\nopen_store({str(tmp_path)!r}, service=True).close()"
    assert loaded("import reports.case, reports.opening, reports.store.errors, reports.store.values, reports.feeds.outbox") == set()
    assert loaded("import reports.feeds.jsonl, reports.feeds.mail, reports.feeds.webhook, reports.feeds.memory") == set()
    assert loaded(opening) == {"sqlalchemy", "alembic"}
    assert loaded(opening) == {"sqlalchemy"}


def test_causes_of_older_stores_have_their_new_names_and_none_is_lost(place: str, making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate.migrate, "__defaults__", (migrate.MIGRATIONS, "0001"))
    open_store(place, service=True).close()
    monkeypatch.undo()
    said = '{"id":"cause.sip_error","values":{}}'
    rows = [  # of two of one element that are open the second keeps its name until it is measured again
        ("sip_error", "pbx:5060", None, "service_error"),
        ("sip_unavailable", "pbx:5060", None, "sip_unavailable"),
        ("sip_unavailable", "pbx:5061", 5, "service_error"),
        ("service_error", "pbx:5061", None, "service_error"),
        ("service_silent", "web-1:443", None, "service_hung"),
        ("host_down", "web-1", None, "host_down"),
    ]
    engine = connect.connect(connect.address(place), durable=True)
    old = sa.Table("cases", sa.MetaData(), autoload_with=engine)
    with engine.begin() as connection:
        for cause, element, cleared_at, _ in rows:
            filled = {column.name: "[]" if isinstance(column.type, sa.Text) else 0 for column in old.columns if column.name != "id"}
            own = {"cause": cause, "element": element, "cleared_at": cleared_at, "cleared_by_itself": False, "episode": 1, "summary": said}
            connection.execute(sa.insert(old).values({**filled, **own}))
    engine.dispose()
    open_store(place, service=True).close()
    engine = connect.connect(connect.address(place), durable=True)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT cause, element, episode, summary FROM cases ORDER BY id")).all()
    engine.dispose()
    assert [(row.cause, row.element) for row in found] == [(new, element) for _, element, _, new in rows]
    assert [row.episode for row in found] == [1, 1, 2, 1, 1, 1]
    assert {row.summary for row in found} == {'{"id":"cause.service_error","values":{}}'}
