"""The objects of a JSON file one by one, whatever holds them: one document, one a line, one after the other, an array, or a list within."""

import re
from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from billing_audit.readers.formats import rows
from billing_audit.readers.layout import Refused

LARGEST: Final = 4 << 20  # characters of one item; a larger one is passed over to its end, without being kept
DEEPEST: Final = 64  # brackets within brackets of one item
CHUNK: Final = 1 << 16
TRIED: Final = 5  # lines that are tried whether each is a document
_TOKEN = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)

Text = tuple[int, str]
"""The line on which an item begins (its number, where several begin on one), and its text."""


def items(stream: TextIO, within: str = "") -> Iterator[Text | Refused]:
    """Yield every outermost object, or every object in the lists under the key `within`. Too large, too deep or cut off: refused."""
    first = stream.readline(LARGEST)
    ahead = [first]
    if not within and not first.lstrip().startswith("["):  # the last line of an array may look like a document
        while len(ahead) < TRIED and ahead[-1].endswith("\n") and not _is_document(ahead[-1]):
            ahead.append(stream.readline(LARGEST))
        if _is_document(ahead[-1]):
            yield from _by_line(ahead, stream)
            return
    scanner = Scanner(within)
    for text in ahead:
        yield from scanner.feed(text)
    while text := stream.read(CHUNK):
        yield from scanner.feed(text)
    yield from scanner.end()


def _is_document(line: str) -> bool:
    try:
        return bool(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, RecursionError):
        return False


def _by_line(ahead: list[str], stream: TextIO) -> Iterator[Text | Refused]:
    for number, text in enumerate(ahead, 1):
        if text.strip():
            yield number, text
    for number, line in rows.lines(stream):
        if line is None:
            yield rows.refused(len(ahead) + number, "", "item-too-large", limit=rows.LONGEST)
        elif line.strip():
            yield len(ahead) + number, line


class Scanner:
    """Finds where items begin and end in text that comes in chunks. Keeps the text of one item, LARGEST characters at most."""

    def __init__(self, within: str) -> None:
        self.key = f'"{within}"' if within else ""
        self.line = 1
        self.last = 0  # line of the last item
        self.depth = 0
        self.deepest = 0
        self.listed = not within  # in a list of items
        self.outer = 0  # brackets open around the items of the list
        self.began = 0
        self.parts: list[str] = []
        self.size = 0
        self.string = False
        self.escaped = False
        self.tail = ""  # what stood last before a bracket, to know the key of a list

    def feed(self, text: str) -> Iterator[Text | Refused]:
        """Take the next chunk; yield the items that end in it."""
        at = 1 if self.escaped else 0
        self.escaped = False
        kept = counted = 0
        for token in _TOKEN.finditer(text, at):
            mark = token[0]
            if mark[0] == "\\":
                self.escaped = len(mark) == 1
            elif mark == '"':
                self.string = not self.string
            elif self.string:
                continue
            elif self.depth:
                self.depth += 1 if mark in "{[" else -1
                self.deepest = max(self.deepest, self.depth)
                if not self.depth:
                    self._keep(text[kept : token.end()])
                    yield self._item()
            elif mark == "{" and self.listed:
                self.line += text.count("\n", counted, token.start())
                kept = counted = token.start()
                self.last = self.began = max(self.line, self.last + 1)
                self.depth = self.deepest = 1
            else:
                self._outside(mark, self.tail + text[max(0, token.start() - 200) : token.start()])
        self.line += text.count("\n", counted)
        self.tail = text[-200:] if len(text) >= 200 else (self.tail + text)[-200:]
        if self.depth:
            self._keep(text[kept:])

    def _outside(self, mark: str, before: str) -> None:
        """Follow the brackets around the items."""
        if not self.key:
            return
        if not self.listed:
            self.listed = mark == "[" and before.rstrip().removesuffix(":").rstrip().endswith(self.key)
        elif mark == "]":
            self.listed = False

    def _keep(self, text: str) -> None:
        self.size += len(text)
        if self.size <= LARGEST and self.deepest <= DEEPEST:
            self.parts.append(text)
        else:
            self.parts = self.parts[:1]  # only what is shown of it

    def _item(self) -> Text | Refused:
        text, size, deepest = "".join(self.parts), self.size, self.deepest
        self.parts, self.size, self.deepest = [], 0, 0
        if deepest > DEEPEST:
            return rows.refused(self.began, text, "item-too-deep", limit=DEEPEST)
        if size > LARGEST:
            return rows.refused(self.began, text, "item-too-large", limit=LARGEST)
        return self.began, text

    def end(self) -> Iterator[Refused]:
        """Yield the item that the end of the file cuts off."""
        if self.depth:
            yield rows.refused(self.began, "".join(self.parts), "item-cut-off")
