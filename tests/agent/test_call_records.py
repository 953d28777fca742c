"""Call records in the service: a trunk that fails opens a case; and no one has the service read a file that it may not read himself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from probe.agent.client import ServiceProblem, ask


def records(file: Path, cause: str, count: int = 60) -> None:
    """Write records of calls that ended in the last minute without an answer."""
    end = datetime.now(UTC) - timedelta(seconds=20)
    row = f"{end - timedelta(seconds=6):%Y-%m-%d %H:%M:%S},,{end:%Y-%m-%d %H:%M:%S},8613800138000,carrier-a,{cause}\n"
    with file.open("a") as out:
        out.write(row * count)


def configuration(file: Path) -> str:
    return f"""
[rules]
hard_after = 1
recover_after = 1

[[node]]
name = "here"
address = "localhost"

[[node.check]]
prober = "cdr"
every = "5s"
cdr_file = "{file}"
columns = {{ start = "1", answer = "2", end = "3", callee = "4", trunk = "5", cause = "6" }}
"""


def test_calls_that_do_not_get_through_open_a_case_of_the_trunk(service: Any, until: Any, tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv"
    records(file, "34")
    service.configure(configuration(file))
    service.start()
    opened = until(service.cases, why="a case")
    assert [(case["cause"], case["severity"]) for case in opened] == [("calls_fail", "critical")]  # one, though every group says so
    said = " ".join(service.run("check", "cdr", "here", expect=2).split())
    assert "NER 0.0%; most of the others ended with 34 (60)" in said
    assert "8613800138000" not in "".join(map(str, service.lines()))


@pytest.mark.parametrize(
    "asked",
    [
        {"prober": "capture", "target": "{file}"},
        {"prober": "cdr", "target": "here", "options": {"cdr_file": "{file}", "columns": {"end": "1", "talk": "2", "trunk": "3"}}},
    ],
)
def test_the_service_reads_no_file_for_who_asks(
    asked: dict[str, Any], service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text("1,2,secret\n")
    file = tmp_path / "cdr.csv"
    records(file, "16")
    service.configure(configuration(file))
    service.start()
    monkeypatch.setenv("FIRSTLINE_SOCKET", str(service.socket))
    wanted = {**asked, "target": asked["target"].format(file=other)}
    if "options" in asked:
        wanted["options"] = {**asked["options"], "cdr_file": str(other)}
    with pytest.raises(ServiceProblem, match="reads a file"):
        ask("POST", "/v1/check", wanted)
