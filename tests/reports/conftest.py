"""Golden files: what a reader sees, kept as text."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Return a function that holds a text to the golden file of a name; FIRSTLINE_GOLDEN=write renews it (then look at it)."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("FIRSTLINE_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return hold
