"""The wheel holds the program and nothing else, and what is installed from it works from an empty folder in both languages."""

import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("probe", "checks", "billing_audit", "reports")
WITHOUT = shutil.ignore_patterns("*.mo", "__pycache__")


def run(words: list[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program with nothing of this process's environment but its path."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC", "COLUMNS": "100", **environment}
    return subprocess.run(list(map(str, words)), cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy without compiled catalogues, as a fresh clone is, without any network."""
    source = tmp_path_factory.mktemp("source")
    for name in (*ROOMS, "tests", "bench"):
        shutil.copytree(ROOT / name, source / name, ignore=WITHOUT)
    for name in ("pyproject.toml", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, source / name)
    done = run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", source / "dist"], source)
    assert done.returncode == 0, done.stderr
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_catalogues_compile_as_make_does_it(tmp_path: Path) -> None:
    """Run as a script its folder is searched first, so no file beside it may be called like a module of Python."""
    shutil.copytree(ROOT / "reports" / "locale", tmp_path / "reports" / "locale", ignore=WITHOUT)
    done = run([sys.executable, "reports/locale/build.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.mo"))) == 2


class Installed:
    """The wheel in a virtual environment of its own; the dependencies are those of the tests."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        venv = folder / "venv"
        self.empty, self.config = folder / "empty", folder / "firstline.toml"
        self.empty.mkdir()
        self.config.write_text('[agent]\nname = "a"\n', encoding="utf-8")
        for words in (
            [sys.executable, "-m", "venv", "--without-pip", venv],
            [sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet", "--no-deps", "--no-index", wheel],
        ):
            done = run(words, folder, PIP_DISABLE_PIP_VERSION_CHECK="1")
            assert done.returncode == 0, done.stderr
        (self.site,) = (venv / "lib").glob("python3.*/site-packages")
        own = next(path for path in map(Path, sys.path) if (path / "msgspec").is_dir())
        # A path in a .pth is searched, and the .pth files in it are not read: the editable install of the tests stays out.
        (self.site / "dependencies.pth").write_text(f"{own}\n", encoding="utf-8")
        self.bin = venv / "bin"

    def firstline(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command in the empty folder."""
        env = {"FIRSTLINE_CONFIG": str(self.config), "FIRSTLINE_SOCKET": str(self.empty / "none.sock"), **environment}
        return run([self.bin / "firstline", *words], self.empty, **env)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    sources = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".po", ".toml"}]
    compiled = [path.with_suffix(".mo") for path in sources if path.suffix == ".po"]
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert len(compiled) == 2
    assert any("migrations" in str(path) for path in sources)
    assert any(path.match("probe/snmp/vendors/*.toml") for path in sources)
    assert packed == {str(path) for path in (*sources, *compiled)}


def test_what_runs_is_the_wheel_and_not_the_checkout(installed: Installed) -> None:
    done = run(
        [installed.bin / "python", "-c", "import probe, checks, billing_audit, reports as r; print(r.__file__, probe.__file__)"],
        installed.empty,
    )
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(installed.site)) for path in done.stdout.split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_and_version_need_nothing(installed: Installed, language: str) -> None:
    done = installed.firstline("--help", FIRSTLINE_LANG=language)
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout
    assert installed.firstline("--version").stdout.startswith("firstline ")


@pytest.mark.parametrize(("language", "word"), [("en", "port open"), ("zh", "端口开放")])
def test_check_measures_a_listener(installed: Installed, listener: int, language: str, word: str) -> None:
    done = installed.firstline("check", "tcp", f"127.0.0.1:{listener}", FIRSTLINE_LANG=language)
    assert (done.returncode, done.stderr) == (0, "")
    assert word in done.stdout


def test_check_of_a_closed_port_is_critical(installed: Installed, listener: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = installed.firstline("check", "tcp", f"127.0.0.1:{closed.getsockname()[1]}")
    assert done.returncode == 2
    assert "refused" in done.stdout


@pytest.mark.parametrize(("language", "word"), [("en", "handshake"), ("zh", "门限")])
def test_checks_are_listed_in_the_reader_s_language(installed: Installed, language: str, word: str) -> None:
    done = installed.firstline("checks", FIRSTLINE_LANG=language)
    assert (done.returncode, done.stderr) == (0, "")
    assert word in done.stdout
    assert "about." not in done.stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_configuration_is_checked(installed: Installed, language: str) -> None:
    done = installed.firstline("config", "check", FIRSTLINE_LANG=language)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(installed.config) in done.stdout


def test_a_store_is_made_by_the_migrations_of_the_wheel(installed: Installed) -> None:
    program = "from pathlib import Path; from reports.store.store import open_store; print(open_store(Path('s'), service=True).cases())"
    done = run([installed.bin / "python", "-W", "ignore", "-c", program], installed.empty)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(("language", "word"), [("en", "also belongs to"), ("zh", "同时属于")])
def test_doctor_names_who_else_owns_a_package_name(installed: Installed, language: str, word: str) -> None:
    well = installed.firstline("doctor", "--language", language)
    assert well.returncode == 0, well.stdout
    other = installed.site / "other_checks-1.0.dist-info"
    other.mkdir()
    try:
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other-checks\nVersion: 1.0\n", encoding="utf-8")
        (other / "RECORD").write_text("checks/__init__.py,,\n", encoding="utf-8")
        ill = installed.firstline("doctor", "--language", language)
    finally:
        shutil.rmtree(other)
    assert ill.returncode == 1
    (line,) = (line for line in ill.stdout.splitlines() if "other-checks" in line)
    assert "✗" in line
    assert re.search(rf"checks\W*{word}", line)
