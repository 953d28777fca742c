"""Completion in a real bash: commands, probers and options are offered although each command is imported when it is used only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = shutil.which("bash")
SCRIPT = """
eval "$(_FIRSTLINE_COMPLETE=bash_source firstline)"
complete -p firstline >/dev/null || exit 1
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_firstline_completion firstline
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    assert BASH is not None
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [BASH, "--norc", "-c", SCRIPT, "bash", *words],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.needs("bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("firstline", "che"), ["check", "checks"]),
        (("firstline", "config", "s"), ["schema", "show"]),
        (("firstline", "case", ""), ["explain", "list", "show", "verify"]),
        (("firstline", "check", "i"), ["icmp", "interfaces"]),
        (("firstline", "check", "p"), ["path", "pmtu", "postgresql"]),
        (("firstline", "check", "icmp", "--co"), ["--config", "--count"]),
        (("firstline", "check", "http", "192.0.2.1", "--method", ""), ["GET", "HEAD"]),
        (("firstline", "check", "icmp", "192.0.2.1", "--format", "n"), ["nagios"]),
        (("firstline", "diagnose", ""), ["network", "equipment"]),
        (("firstline", "diagnose", "network", "--symptom", "s"), ["some-calls", "slow"]),
        (("firstline", "nothing", "x"), []),
    ],
    ids=" ".join,
)
def test_bash_offers(words: tuple[str, ...], offered: list[str], tmp_path: Path) -> None:
    assert completed(tmp_path, *words) == offered
