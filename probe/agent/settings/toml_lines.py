"""On which line each key of a TOML document stands; tomllib does not tell.

The scanner is tolerant: what it does not understand it skips, and it never raises. Only tomllib decides what is valid.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]

DEEPEST = 200  # deeper paths have the line of their part that is this deep; nobody writes them, and they would cost n² memory

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')[ \t]*""")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANKS = re.compile(r"[ \t]*")
_TO_LINE_END = re.compile(r"[^\n]*")
_SCALAR = re.compile(r"[^,\]}\n#]*")
# Inside the groups possessive, so that nothing is tried twice; the groups are not: Python before 3.11.5 matches those wrongly (gh-106052).
_STRING = re.compile(
    r'"{3}(?:[^"\\]++|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'{3}(?:[^']++|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]++|\\[^\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def spell(key: str) -> str:
    """Return a key as TOML writes it: bare where that is allowed, else quoted."""
    if _BARE.fullmatch(key):
        return key
    return '"' + "".join(f"\\u{ord(char):04x}" if char < " " or char in '"\\\x7f' else char for char in key) + '"'


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of `path`, or of the nearest part of it that stands in the file; 1 for the document itself."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def find_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) on which each path of a TOML document first stands: tables, keys, elements of arrays."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # arrays of tables: how many elements so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return self.lines
            if self.text[self.at] == "[":
                table = self._header(table)
            else:
                self._pair(table)
            self._skip(_TO_LINE_END)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _note(self, path: Path) -> None:
        if path not in self.lines:
            self.lines[path] = bisect_right(self.starts, self.at)

    def _note_all(self, path: Path, parts: "list[str] | list[int]") -> Path:
        """Note a path and each longer one to its last part; return the longest."""
        for part in parts:
            if len(path) < DEEPEST:
                path = (*path, part)
                self._note(path)
        return path

    def _keys(self) -> list[str]:
        """Read a dotted key from here; empty when there is none."""
        keys = []
        while found := _KEY.match(self.text, self.at):
            bare, quoted, literal = found.groups()
            keys.append(_unescape(quoted) if quoted is not None else bare if bare is not None else literal)
            self.at = found.end()
            if self.at >= len(self.text) or self.text[self.at] != ".":
                break
            self.at += 1
        return keys

    def _header(self, before: Path) -> Path:
        start, many = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        keys = self._keys()
        self.at, after = start, self.at  # the header stands on the line of its bracket
        if not keys:
            self.at = after
            return before
        path: Path = ()
        for depth, key in enumerate(keys[:DEEPEST]):
            path = (*path, key)
            self._note(path)
            if many and depth == len(keys) - 1:
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
                self._note(path)
        self.at = after
        return path

    def _pair(self, table: Path) -> None:
        start = self.at
        keys = self._keys()
        after, self.at = self.at, start
        path = self._note_all(table, keys)
        self.at = after
        if keys and self.text.startswith("=", self.at):
            self.at += 1
            self._skip(_BLANKS)
            self._value(path)

    def _value(self, path: Path) -> None:
        """Read one value from here; the open brackets are a list, not recursion, so that no depth can break it."""
        stack: list[tuple[str, Path, int]] = []  # bracket, path, index of the element to come
        expected = True
        while self.at < len(self.text):
            opened = self.text[self.at]
            if expected and opened in "[{":
                stack.append((opened, path, 0))
                self.at += 1
                path, expected = self._element(stack)
            elif expected:
                found = _STRING.match(self.text, self.at) if opened in "\"'" else None
                self.at = found.end() if found else self._scalar_end()
                expected = False
            elif not stack:
                return
            else:
                path, expected = self._next(stack)
            if not expected and not stack:
                return

    def _scalar_end(self) -> int:
        found = _SCALAR.match(self.text, self.at)
        end = found.end() if found else self.at
        return end if end > self.at else self.at + 1

    def _element(self, stack: list[tuple[str, Path, int]]) -> tuple[Path, bool]:
        """Go to the next element of the innermost bracket; return its path and whether a value stands there."""
        bracket, path, index = stack[-1]
        self._skip(_SPACE)
        if self.at >= len(self.text) or self.text[self.at] in "]}":
            return path, False
        if bracket == "[":
            return self._note_all(path, [index]), True
        start, keys = self.at, self._keys()
        after, self.at = self.at, start
        path = self._note_all(path, keys)
        self.at = after
        if self.text.startswith("=", self.at):
            self.at += 1
            self._skip(_SPACE)
            return path, bool(keys)
        return path, False

    def _next(self, stack: list[tuple[str, Path, int]]) -> tuple[Path, bool]:
        """Between elements: pass a comma or close a bracket."""
        self._skip(_SPACE)
        if self.at >= len(self.text):
            return (), False
        passed = self.text[self.at]
        self.at += 1
        bracket, path, index = stack[-1]
        if passed == ",":
            stack[-1] = (bracket, path, index + 1)
            return self._element(stack)
        if passed in "]}":
            stack.pop()
        return (), False


def _unescape(quoted: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code is None:
            return _SHORT_ESCAPES.get(found[4], found[4])
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else "\ufffd"

    return _ESCAPE.sub(plain, quoted)
