"""Lays text out on a terminal: widths of East-Asian characters, columns, colours, bars."""

import re
import unicodedata
from collections.abc import Sequence

from checks.finding import State

_COLOURS = {State.OK: "32", State.WARNING: "33", State.CRITICAL: "1;31", State.UNKNOWN: "35"}
_OPENING, _CLOSING = frozenset("（《“"), frozenset("，。、；：？！）》”")  # a line neither ends nor begins with these
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def width(text: str) -> int:
    """Return how many terminal cells the text takes; colour takes none, wide characters (UAX #11: W, F) take two."""
    plain = _ESCAPE.sub("", text) if "\x1b" in text else text
    if plain.isascii():
        return len(plain)
    return sum(_cells(character) for character in plain)


def pad(text: str, cells: int) -> str:
    """Return the text filled with spaces to `cells`."""
    return text + " " * max(0, cells - width(text))


def clip(text: str, cells: int) -> str:
    """Return as much of a plain text as fits, with … where something is missing."""
    if width(text) <= cells:
        return text
    kept, used = [], 1
    for character in text:
        used += _cells(character)
        if used > cells:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def wrap(text: str, cells: int) -> list[str]:
    """Return a plain text in lines of at most `cells` (at least 2); broken at spaces, after any wide character, and where it must be."""
    lines: list[str] = []
    line = ""
    for piece in (part for whole in _pieces(text) for part in _cut(whole, cells)):
        if line and width(line + piece.rstrip()) > cells:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def paint(text: str, state: State, colour: bool) -> str:
    """Return the text in the colour of a state, when colour is wanted."""
    return f"\x1b[{_COLOURS[state]}m{text}\x1b[0m" if colour else text


def table(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Return the rows with their columns aligned; the last column is not filled."""
    if not rows:
        return []
    columns = max(len(row) for row in rows)
    widths = [max((width(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    lines = []
    for row in rows:
        cells = [pad(cell, widths[at]) for at, cell in enumerate(row[:-1])]
        lines.append((" " * gap).join([*cells, row[-1]]).rstrip())
    return lines


def join(parts: Sequence[str]) -> str:
    """Return parts as one enumeration: with the full-width comma beside wide characters and in front of a part that ends in one."""
    text = ""
    for part in parts:
        text += part if not text else f"，{part}" if {2} & {_cells(at) for at in (text[-1], *part[:1], *part[-1:])} else f", {part}"
    return text


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for character, after in zip(text, (*text[1:], ""), strict=False):
        pieces[-1] += character
        if character == " " or (_cells(character) == 2 and character not in _OPENING and after not in _CLOSING):
            pieces.append("")
    return pieces


def _cut(piece: str, cells: int) -> list[str]:
    """Return a piece in parts that fit, cut through where it has no place to break."""
    if width(piece.rstrip()) <= cells:
        return [piece]
    parts = [""]
    for character in piece:
        if width(parts[-1] + character) > cells:
            parts.append("")
        parts[-1] += character
    return parts


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
