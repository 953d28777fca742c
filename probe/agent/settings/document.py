"""One TOML file as read: its data, its problems so far, and the line of everything in it."""

import re
import tomllib
from collections.abc import Collection
from decimal import Decimal
from functools import cached_property
from typing import Any

from probe.agent.settings.problem import Problem, show_path
from probe.agent.settings.regular import UnreadableError, read_regular
from probe.agent.settings.secret import Secret
from probe.agent.settings.spelling import did_you_mean
from probe.agent.settings.toml_lines import Path, find_lines, line_of

MOST_BYTES = 16 * 1024 * 1024
MOST_COMPARED = 200_000


class Document:
    """A file of the configuration. Problems are collected with their path; lines are looked for only when there are problems."""

    def __init__(self, file: str, reveals: bool = True) -> None:
        self.file = file
        self.reveals = reveals  # whether options that take a secret get it, or only a mark that it is set
        self.secrets: list[tuple[Path, Secret]] = []
        self.text = ""
        self.data: dict[str, Any] = {}
        self._compared = 0
        self._whole: list[Problem] = []
        self._found: list[tuple[Path, str]] = []

    @cached_property
    def lines(self) -> dict[Path, int]:
        """The line of every path of the file."""
        return find_lines(self.text)

    def refuse(self, path: Path, text: str) -> None:
        """Note a problem at a path of this file."""
        self._found.append((path, text))

    def refuse_file(self, text: str, line: int = 0) -> None:
        """Note a problem of the file as a whole."""
        self._whole.append(Problem(self.file, line, "", text))

    def near(self, word: str, known: Collection[str]) -> str:
        """Return `; did you mean …?` out of many names, as long as looking for it costs no noticeable time."""
        self._compared += len(known)
        return did_you_mean(word, known) if self._compared <= MOST_COMPARED else ""

    def line(self, path: Path) -> int:
        """Return the line on which `path`, or the nearest part of it, stands."""
        return line_of(self.lines, path)

    def where(self, path: Path) -> str:
        """Return file:line of a path."""
        return f"{self.file}:{self.line(path)}"

    @property
    def problems(self) -> list[Problem]:
        """All that was refused so far."""
        return self._whole + [Problem(self.file, self.line(path), show_path(path), text) for path, text in self._found]


def read_document(file: str, reveals: bool = True) -> Document:
    """Read a TOML file; what is wrong with it is in the document's problems, its data are then empty."""
    document = Document(file, reveals)
    try:
        content = read_regular(file, MOST_BYTES).content
    except UnreadableError as why:
        document.refuse_file(str(why))
        return document
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        document.refuse_file("not UTF-8 text; save it as UTF-8", content.count(b"\n", 0, why.start) + 1)
        return document
    parse(document, text)
    return document


def parse(document: Document, text: str) -> None:
    """Parse a text into the document; a mistake of syntax becomes a problem with its line."""
    document.text = text.replace("\r\n", "\n")
    try:
        document.data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as why:
        line, words = _locate(str(why), document.text)
        document.refuse_file(f"not TOML: {words}", line)
    except RecursionError:
        document.refuse_file("not TOML: nested too deeply")
    except ValueError:
        # int() refuses numbers of more than 4,300 digits; tomllib lets that through.
        document.refuse_file("not TOML: a number is too long")


def _locate(words: str, text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", words, re.DOTALL)
    if not found:
        return 0, words
    what = found[1][:1].lower() + found[1][1:]
    if found[2]:
        return int(found[2]), f"{what} (column {found[3]})"
    return text.rstrip().count("\n") + 1, f"{what} at the end of the file"
