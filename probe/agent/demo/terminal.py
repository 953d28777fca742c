"""Lines for a person at a terminal: with the time, or below the one with it; and facts side by side."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime

from checks.finding import State
from reports.render.columns import pad, paint, width, wrap

MARGIN = 10  # "14:02:15  "
LEAST = 20


def columns() -> int:
    """Return how wide the terminal is, 40 at least."""
    return max(2 * LEAST, shutil.get_terminal_size().columns)


def clock(at: datetime) -> str:
    """Return a time of day in the reader's zone."""
    return f"{at.astimezone():%H:%M:%S}"


def paragraph(text: str) -> None:
    """Print a text from the left edge on."""
    _print("\n".join(wrap(text, columns())))


def line(text: str, state: State) -> None:
    """Print a text with the time of day, in the colour of a state; where it goes on it stands below its beginning."""
    lines = [paint(part, state, sys.stdout.isatty()) for part in wrap(text, max(LEAST, columns() - MARGIN))]
    _print(f"{clock(datetime.now().astimezone())}  " + ("\n" + " " * MARGIN).join(lines))


def headline(text: str) -> None:
    """Print a text with the time of day, set apart: what comes after it is what came of it."""
    _print("")
    line(text, State.UNKNOWN)


def aside(text: str) -> None:
    """Print a text below the line with the time; one that is laid out in columns keeps its distance from the left."""
    bare = text.lstrip(" ")
    margin = " " * (MARGIN + len(text) - len(bare))
    _print("\n".join(margin + part for part in wrap(bare, max(LEAST, columns() - len(margin)))))


def facts(rows: Sequence[tuple[str, str]], margin: int, whole: bool = False) -> None:
    """Print names and values side by side; `whole`: a value without a name is for copying and is not broken."""
    first = max((width(name) for name, _ in rows), default=0)
    for name, value in rows:
        parts = [value] if whole and not name else wrap(value, max(LEAST, columns() - margin - first - 2))
        for at, part in enumerate(parts):
            _print(" " * margin + pad(name if at == 0 else "", first) + "  " + part)


def _print(text: str) -> None:
    print(text, flush=True)  # whoever reads it through a pipe reads it live too
