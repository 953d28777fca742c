"""`firstline case` and `status`: through the running service, and from the store beside it when none runs."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reports.store.packed import unpack

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))
KEYS = {
    "id", "kind", "state", "cause", "side", "area", "element", "affected", "urgency", "confidence", "opened_at", "cleared_at", "summary",
}  # fmt: skip
START = '\n[rules]\nhard_after = 1\nrecover_after = 1\n\n[[node]]\nname = "here"\naddress = "localhost"\n'


def said(service: Any, *words: str) -> str:
    done = subprocess.run([FIRSTLINE, *words], capture_output=True, text=True, env=service.environment, timeout=30, check=False)
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return done.stderr


def change_evidence(service: Any, change: Any) -> None:
    with contextlib.closing(sqlite3.connect(service.state / "firstline.sqlite")) as store, store:
        (body,) = store.execute("select body from evidence where case_id = 1").fetchone()
        store.execute("update evidence set body = ? where case_id = 1", (change(unpack(body)),))


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_cases_read_the_same_with_and_without_a_service(ending: str, service: Any, door: Any, until: Any) -> None:
    broken = door()
    service.configure(START + broken.text)
    service.start()
    assert json.loads(service.run("case", "list", "--format", "json")) == []
    assert service.run("status")
    broken.shut()
    until(service.cases, why=service.journal)
    asked = (
        ("list", "--format", "json"),
        ("show", "1", "--format", "json"),
        ("explain", "1", "--format", "json"),
        ("explain", "1", "--evidence"),
    )
    live = [service.run("case", *words) for words in asked]
    assert set(json.loads(live[0])[0]) >= KEYS
    assert broken.name in service.run("status", expect=1)
    assert "there is no case #77" in said(service, "case", "show", "77")
    assert "77" in said(service, "case", "explain", "77")

    getattr(service, ending)()
    assert [service.run("case", *words) for words in asked] == live
    page = service.run("case", "show", "1", "--language", "en")
    assert broken.name in page
    assert "there is no case #77" in said(service, "case", "show", "77")
    assert "77" in said(service, "case", "explain", "77")
    assert "service" in said(service, "status")
    service.process = None


def test_evidence_of_other_rules_or_none_at_all_says_so(service: Any, door: Any, until: Any) -> None:
    broken = door()
    service.configure(START + broken.text)
    service.start()
    broken.shut()
    until(service.cases, why=service.journal)
    good = service.folder / "good.json"
    good.write_text(service.run("case", "explain", "1", "--evidence"))

    proof = json.loads(good.read_text())
    rules = proof["evidence"]["rules"]
    proof["evidence"]["rules"] = "0-of-old"
    other = service.folder / "other.json"
    other.write_text(json.dumps(proof))
    text = service.run("case", "explain", "--from", str(other), "--language", "en", expect=None)
    assert "rules version 0-of-old" in text
    assert "rules version" not in service.run("case", "explain", "--from", str(good), "--language", "en")
    assert rules

    for wrong in ("", "{", "[]", '{"verdict": 1}', good.read_text()[:500], "\x00\xff"):
        other.write_text(wrong, encoding="latin-1")
        assert "this is no evidence of a case" in said(service, "case", "explain", "--from", str(other))
    assert "no-such-file" in said(service, "case", "explain", "--from", "no-such-file")
    assert "name a case" in said(service, "case", "explain")

    change_evidence(service, lambda body: body[:300])
    for running in (True, False):
        if not running:
            service.stop()
        assert "no evidence of a case" in said(service, "case", "explain", "1")
        assert broken.name in service.run("case", "show", "1"), "a case is shown without its evidence"
        assert len(service.cases()) == 1


def test_no_store_and_a_strange_one_are_named_with_their_cure(service: Any, tmp_path: Path) -> None:
    service.configure(START)
    assert "start the service" in said(service, "case", "list").lower() or "firstline run" in said(service, "case", "list")
    service.state.mkdir()
    (service.state / "firstline.sqlite").write_bytes(b"no database at all " * 100)
    assert "is not a store" in said(service, "case", "list")
