"""Each file in bad_configs is wrong in its own way and is answered in exactly these words; none by a traceback."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.agent.cli.config import config
from probe.agent.settings.document import MOST_BYTES
from probe.agent.settings.load import read_settings

HERE = Path(__file__).parent / "bad_configs"
NAMES = sorted(file.stem for file in HERE.glob("*.toml"))


def check(file: str) -> Result:
    return CliRunner().invoke(config, ["check", "--config", file], env={"CREDENTIALS_DIRECTORY": None})


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 25
    assert sorted(file.stem for file in HERE.glob("*.expected")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_is_answered_in_these_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    result = check(f"{name}.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (HERE / f"{name}.expected").read_text(encoding="utf-8")


def test_a_literal_secret_is_never_repeated() -> None:
    said = (HERE / "literal_secrets.expected").read_text(encoding="utf-8")
    assert "hunter2" in (HERE / "literal_secrets.toml").read_text(encoding="utf-8")
    assert "hunter2" not in said


def make_missing(folder: Path) -> str:
    return "there is no such file"


def make_folder(folder: Path) -> str:
    (folder / "firstline.toml").mkdir()
    return "is a folder, not a file"


def make_pipe(folder: Path) -> str:
    import os

    os.mkfifo(folder / "firstline.toml")
    return "is not a regular file"


def make_loop(folder: Path) -> str:
    (folder / "firstline.toml").symlink_to("firstline.toml")
    return "can't be read: too many levels of symbolic links"


def make_large(folder: Path) -> str:
    with open(folder / "firstline.toml", "wb") as file:
        file.truncate(MOST_BYTES + 1)
    return "is larger than 16,777,216 bytes"


def make_binary(folder: Path) -> str:
    (folder / "firstline.toml").write_bytes(b"[agent]\n\xff\xfe")
    return "not UTF-8 text; save it as UTF-8"


@pytest.mark.parametrize("make", [make_missing, make_folder, make_pipe, make_loop, make_large, make_binary])
def test_what_is_no_file_is_said_at_once(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    said = make(tmp_path)
    result = check("firstline.toml")
    where = "firstline.toml:2" if make is make_binary else "firstline.toml"
    assert result.stderr == f" {where}: {said}\n 1 problem; nothing was started.\n"
    assert result.exit_code == 1


WORDS = st.sampled_from(
    [
        "agent",
        "node",
        "check",
        "site",
        "link",
        "feed",
        "maintenance",
        "rules",
        "store",
        "credential",
        "carrier",
        "customer",
        "inventory",
        "name",
        "prober",
        "kind",
        "address",
        "every",
        "levels",
        "port",
        "starts",
        "ends",
        "zone",
        "nodes",
        "token",
        "url",
        "listen",
        "snmp",
    ]
)
VALUES = st.recursive(
    st.sampled_from(
        ['"icmp"', '"tcp"', '"jsonl"', '"a"', '"30s"', '""', "0", "-1", "443", "1.5", "nan", "true", "2026-12-05T22:00:00Z", "01:00:00"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda one: f"[{', '.join(one)}]")
        | st.dictionaries(WORDS, inner, max_size=3).map(lambda one: "{ " + ", ".join(f"{k} = {v}" for k, v in one.items()) + " }")
    ),
    max_leaves=6,
)
PAIRS = st.dictionaries(WORDS, VALUES, max_size=4).map(lambda one: "".join(f"{k} = {v}\n" for k, v in one.items()))
HEADERS = st.tuples(WORDS, st.sampled_from(["", ".check"]), st.booleans()).map(
    lambda one: f"[[{one[0]}{one[1]}]]\n" if one[2] else f"[{one[0]}{one[1]}]\n"
)
TEXTS = st.lists(st.tuples(HEADERS, PAIRS).map("".join), max_size=5).map("".join)


@given(top=PAIRS, text=TEXTS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_file_is_answered_by_a_traceback(top: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "firstline.toml"
    file.write_text(top + text, encoding="utf-8")
    found, problems = read_settings(file, every_secret=True)
    assert all(problem.line <= (top + text).count("\n") + 1 for problem in problems if problem.file == str(file))
    if not problems:
        assert tomllib.loads(top + text) is not None
        assert found.inventory.here in found.inventory.nodes
