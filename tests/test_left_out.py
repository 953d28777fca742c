"""What can't run here is left out in sight; CI leaves nothing out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import pytest

@pytest.mark.needs("surely-no-such-program")
def test_that_needs_a_program(): pass

def test_that_skips_itself(): pytest.skip("because")

def test_that_runs(): pass

@pytest.mark.long
def test_that_takes_long(): raise AssertionError
"""
MODULE = "import pytest\npytest.skip('the whole file', allow_module_level=True)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_cases.py").write_text(CASES)
    return tmp_path


def run(folder: Path, ci: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", *words, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_by_hand_it_is_named_with_the_command_that_brings_it_back(folder: Path) -> None:
    done = run(folder, "")
    assert done.returncode == 0
    assert "1 passed, 2 skipped, 1 deselected" in done.stdout
    assert "needs surely-no-such-program: bring it back with `make lab-packages`" in done.stdout


def test_in_ci_it_is_a_failure(folder: Path) -> None:
    done = run(folder, "true")
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 deselected, 1 error" in done.stdout


def test_in_ci_a_file_that_leaves_itself_out_is_a_failure(folder: Path) -> None:
    (folder / "test_cases.py").write_text(MODULE)
    assert run(folder, "").returncode == 5  # pytest: no test ran
    assert run(folder, "true").returncode == 2  # pytest: collecting was interrupted by an error


def test_long_tests_run_only_when_asked_for(folder: Path) -> None:
    assert "1 failed" in run(folder, "", "-m", "long").stdout
