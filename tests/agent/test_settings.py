"""What a good configuration becomes: inventory, jobs, levels, feeds, windows; and secrets that stay where they are."""

import os
import time as clock
from datetime import UTC, date, datetime, time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.maintenance import Once, Weekly
from probe.agent.settings.duration import read_duration, show_duration
from probe.agent.settings.load import SettingsError, find, load, no_file, read_settings
from probe.agent.settings.reader import UNREAD
from probe.agent.settings.secret import Secret, SecretError
from probe.agent.settings.toml_text import write_value
from probe.inventory import Owner

EXAMPLE = Path(__file__).parents[2] / "examples" / "firstline.toml"


def write(folder: Path, text: str, name: str = "firstline.toml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def said(file: Path, **options: bool) -> list[str]:
    return [f"{problem.path}: {problem.text}" for problem in read_settings(file, **options)[1]]


def test_the_example_becomes_what_it_says() -> None:
    settings = load(EXAMPLE)
    inventory = settings.inventory
    assert (settings.agent.name, inventory.here, settings.agent.listen) == ("pop-a", "monitor-a", "127.0.0.1:8470")
    assert inventory.nodes["harbour-gateway"].supplied_by is Owner.COMPANY
    assert inventory.nodes["harbour-gateway"].warranty_until == date(2027, 3, 31)
    assert inventory.sites["harbour"].customer == "Harbour Logistics"
    assert inventory.links["edge-a to Harbour"].ports == ("xe-0/0/1", "")
    assert inventory.carriers["Harbour Telecom"].promised_repair_h == 4.0
    jobs = {job.key: job for job in settings.jobs}
    edge = jobs["edge-a", "icmp", ""]
    assert (edge.agent, edge.every_s, edge.timeout_s) == ("pop-a", 6.0, 2.0)
    assert jobs["softswitch-a", "tcp", "5060"].options.port == 5060
    host = settings.limits["monitor-a", "host", ""]
    assert (host.disk.warning, host.disk.critical, host.disk.source) == (0.8, 0.9, "configured")
    assert set(settings.limits) == set(jobs)
    assert [(feed.name, feed.kind, Path(feed.options.path)) for feed in settings.feeds] == [
        ("jsonl", "jsonl", EXAMPLE.parent / "cases.jsonl")
    ]
    assert [type(window) for window in settings.maintenance] == [Weekly, Once]
    assert settings.maintenance[0].starts == time(1)
    assert settings.files == (str(EXAMPLE), str(EXAMPLE.parent / "sites/harbour.toml"))


def test_without_a_file_this_host_stands_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRSTLINE_CONFIG", raising=False)
    monkeypatch.setattr("probe.agent.settings.load.PLACES", ("firstline.toml",))
    assert load().file is None
    assert load() == no_file()
    assert list(no_file("web-1").inventory.nodes) == ["web-1"]
    write(tmp_path, '[agent]\nname = "pop-a"')
    assert load().agent.name == "pop-a"


def test_the_file_of_the_environment_comes_first_and_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "")
    assert find({}) == "firstline.toml"
    assert find({"FIRSTLINE_CONFIG": "/else/where.toml"}) == "/else/where.toml"
    monkeypatch.setenv("FIRSTLINE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="1 problem; nothing was started") as caught:
        load()
    assert [str(problem) for problem in caught.value.problems] == [f"{tmp_path}/none.toml: there is no such file"]


def test_an_agent_that_is_not_written_down_stands_on_a_node_of_its_name(tmp_path: Path) -> None:
    file = write(tmp_path, '[agent]\nname = "pop-a"\n[[node]]\nname = "edge"\n[[link]]\nname = "l"\na = "pop-a"\nb = "edge"\n')
    assert set(load(file).inventory.nodes) == {"pop-a", "edge"}
    assert load(file).inventory.here == "pop-a"


@pytest.mark.parametrize(
    ("check", "every_s", "timeout_s"),
    [("", 60.0, 5.0), ('every = "5s"', 5.0, 2.5), ('every = "1d"', 86_400.0, 5.0), ('every = "5s"\ntimeout = "4.9s"', 5.0, 4.9)],
)
def test_a_check_gives_up_before_the_next_is_due(check: str, every_s: float, timeout_s: float, tmp_path: Path) -> None:
    file = write(tmp_path, f'[[node]]\nname = "a"\naddress = "::1"\n[[node.check]]\nprober = "icmp"\n{check}\n')
    job = load(file).jobs[0]
    assert (job.every_s, job.timeout_s) == (every_s, timeout_s)


@pytest.mark.parametrize(
    ("listen", "token", "good"),
    [
        ("127.0.0.1:8470", False, True),
        ("[::1]:8470", False, True),
        ("localhost:0", False, True),
        ("127.8.9.1:80", False, True),
        (":8470", False, False),
        ("0.0.0.0:8470", False, False),
        ("[::]:8470", False, False),
        ("192.0.2.1:8470", False, False),
        ("monitor.example:8470", False, False),
        ("192.0.2.1:8470", True, True),
        ("127.0.0.1:65536", False, False),
        ("::1:8470", False, False),
    ],
)
def test_off_loopback_nobody_listens_without_a_token(listen: str, token: bool, good: bool, tmp_path: Path) -> None:
    secret = 'token = { env = "TOKEN" }' if token else ""
    file = write(tmp_path, f'[agent]\nlisten = "{listen}"\n{secret}\n')
    assert (not said(file)) is good


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("6s", 6.0), ("1.5m", 90.0), ("1h", 3600.0), ("1d", 86_400.0)])
def test_a_time_has_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "6", "s", "6 s", "-6s", "6S", "1h30m", "1e3s", "６s", "6sec"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_duration(text) is None


@given(st.integers(1, 10**9))
def test_a_shown_time_is_read_as_the_same(ms: int) -> None:
    assert read_duration(show_duration(ms / 1000)) == pytest.approx(ms / 1000)


def test_the_inventory_stands_on_secrets_that_only_use_reads(tmp_path: Path) -> None:
    secret = write(tmp_path, "s3cret\n", "token")
    secret.chmod(0o600)
    file = write(tmp_path, '[agent]\ntoken = { file = "token" }\n')
    settings = load(file)
    token = settings.agent.token
    assert token is not None
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in msgspec.json.encode(settings.agent).decode()
    assert token.reveal() == "s3cret"
    secret.write_text("changed")
    assert token.reveal() == "changed"
    secret.unlink()
    assert load(file).agent.token == token  # loading does not read it
    assert said(file, every_secret=True) == [f"agent.token.file: {tmp_path}/token: there is no such file"]


@pytest.mark.parametrize(
    ("mode", "good"), [(0o600, True), (0o400, True), (0o640, True), (0o660, False), (0o604, False), (0o644, False), (0o602, False)]
)
def test_a_secret_that_others_can_read_or_change_is_none(mode: int, good: bool, tmp_path: Path) -> None:
    file = write(tmp_path, "s3cret", "secret")
    file.chmod(mode)
    if good:
        assert Secret("file", str(file)).reveal() == "s3cret"
    else:
        with pytest.raises(SecretError, match="open to others"):
            Secret("file", str(file)).reveal()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 65_537])
def test_a_file_that_holds_no_secret_is_said_to(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SecretError):
        Secret("file", str(file)).reveal()


def test_secrets_of_the_environment_and_of_systemd(tmp_path: Path) -> None:
    write(tmp_path, "from systemd\n", "store").chmod(0o400)
    assert Secret("env", "TOKEN").reveal({"TOKEN": "x"}) == "x"
    assert Secret("credential", "store").reveal({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from systemd"
    with pytest.raises(SecretError, match="LoadCredential=store"):
        Secret("credential", "store").reveal({})
    with pytest.raises(SecretError, match="TOKEN"):
        Secret("env", "TOKEN").reveal({})


def test_the_password_of_a_check_is_given_to_it_and_to_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "s3cret")
    text = '[[node]]\nname = "db"\naddress = "::1"\n[[node.check]]\nprober = "postgresql"\nuser = "u"\npassword = { env = "DB_PASSWORD" }\n'
    file = write(tmp_path, text)
    assert load(file).jobs[0].options.password == "s3cret"
    assert "s3cret" not in repr(load(file))
    assert load(file, secrets=False).jobs[0].options.password == UNREAD
    monkeypatch.delenv("DB_PASSWORD")
    assert said(file) == ["node[0].check[0].password.env: the environment has no DB_PASSWORD"]


def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "firstline.toml"
    file.write_bytes('\ufeff[agent]\r\nname = "pop-a"\r\n\r\nlissten = 1\r\n'.encode())
    assert [(problem.line, problem.path) for problem in read_settings(file)[1]] == [(4, "agent.lissten")]


def test_names_are_looked_up_only_when_asked(tmp_path: Path) -> None:
    file = write(tmp_path, '[[node]]\nname = "a"\naddress = "web-1.example"\n[[node]]\nname = "b"\naddress = "192.0.2.1"\n')
    asked = []

    def look(name: str) -> None:
        asked.append(name)
        raise OSError("no network")

    assert read_settings(file)[1] == []
    found = [str(problem) for problem in read_settings(file, look=look)[1]]
    assert asked == ["web-1.example"]
    assert found == [f'{file}:3: node[0].address: "web-1.example" can\'t be looked up (no network)']


@given(
    st.recursive(
        st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_written_value_reads_back_as_itself(value: object) -> None:
    import tomllib

    assert tomllib.loads(f"a = {write_value(value)}")["a"] == value


def test_times_are_written_as_toml_has_them() -> None:
    assert write_value(datetime(2026, 12, 5, tzinfo=UTC)) == "2026-12-05T00:00:00+00:00"
    with pytest.raises(ValueError, match="number without end"):
        write_value(float("nan"))


def test_ten_thousand_nodes_load_within_three_seconds(tmp_path: Path) -> None:
    node = '[[node]]\nname = "n{0}"\naddress = "10.0.{1}.{2}"\nsite = "s"\n[[node.check]]\nprober = "icmp"\nevery = "30s"\n[[node.check]]\nprober = "tcp"\nport = 22\n'
    text = '[[site]]\nname = "s"\n' + "".join(node.format(number, number // 256, number % 256) for number in range(10_000))
    file = write(tmp_path, text + "".join(f'[[link]]\nname = "l{n}"\na = "n{n}"\nb = "n{n + 1}"\n' for n in range(9_999)))
    before = clock.process_time()
    settings = load(file)
    assert clock.process_time() - before < 3.0
    assert (len(settings.jobs), len(settings.inventory.links)) == (20_000, 9_999)


def test_ten_thousand_mistakes_are_told_in_seconds(tmp_path: Path) -> None:
    text = "".join(f'[[node]]\nname = "n{n}"\n[[link]]\nname = "l{n}"\na = "n{n}"\nb = "m{n}"\n' for n in range(10_000))
    before = clock.process_time()
    problems = read_settings(write(tmp_path, text))[1]
    assert clock.process_time() - before < 10.0
    assert len(problems) == 10_000
    assert os.path.basename(problems[0].file) == "firstline.toml"
