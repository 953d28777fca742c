"""FreeSWITCH mod_xml_cdr: one document a file, documents in a row, or wrapped in an outer element. Times are epochs: UTC.

A document with a DOCTYPE or an entity declaration is refused by name and never expanded; size and depth are bounded.
"""

import re
from collections.abc import Iterator
from typing import Final, TextIO
from urllib.parse import unquote
from xml.parsers import expat

from billing_audit.readers.formats import freeswitch_document, rows
from billing_audit.readers.formats.legs import Legs
from billing_audit.readers.layout import Head, Item, Layout, Refused

NAME: Final = "freeswitch-xml"
TITLE: Final = "FreeSWITCH xml_cdr"
SOURCE: Final = "FreeSWITCH documentation, mod_xml_cdr; channel variables of a call"

LARGEST: Final = 4 << 20  # characters of one document
DEEPEST: Final = 64
MOST_SHOWN: Final = 500  # characters of a document that are shown as its line
CHUNK: Final = 1 << 16
END: Final = "</cdr>"
_BEGIN = re.compile(r"<cdr[\s>]")
_DECLARED = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
PROFILE: Final = ("cdr", "callflow", "caller_profile")


class Forbidden(Exception):
    """A document declares what may not be; the reason's name."""


class Reader:
    """Takes one document's variables and its first caller profile."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.text: list[str] = []
        self.variables: dict[str, str] = {}
        self.profile: dict[str, str] = {}

    def read(self, document: str) -> None:
        """Parse a document; Forbidden or ExpatError."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text.append
        parser.StartDoctypeDeclHandler = self._declared
        parser.EntityDeclHandler = self._declared
        parser.buffer_text = True
        parser.Parse(document, True)

    def _declared(self, *_: object) -> None:
        raise Forbidden("xml-entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.path) >= DEEPEST:
            raise Forbidden("item-too-deep")
        self.path.append(name)
        self.text.clear()

    def _end(self, name: str) -> None:
        self.path.pop()
        if len(self.path) == 2 and self.path[1] == "variables" and name in freeswitch_document.WANTED:
            self.variables[name] = unquote("".join(self.text))  # mod_xml_cdr writes values URL-encoded unless told not to
        elif tuple(self.path) == PROFILE and name in ("caller_id_number", "destination_number"):
            self.profile.setdefault(name, unquote("".join(self.text)))  # the latest call flow comes first
        self.text.clear()


def detect(head: Head) -> Layout | None:
    """Return the layout if the file is XML with call documents in it, one with a DOCTYPE too (to refuse it by name)."""
    text = head.text.lstrip()
    if not text.startswith("<") or not _BEGIN.search(text):
        return None
    known = any(f"<{name}" in text for name in ("variables", "channel_data", "callflow"))
    return freeswitch_document.layout(NAME) if known or _DECLARED.search(text) else None


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a call; the documents of b-legs folded into the call that they name."""
    legs = Legs(named_later=False)
    for item in documents(stream):
        if not isinstance(item, tuple):
            yield item
            continue
        line, text = item
        reader = Reader()
        try:
            reader.read(text)
        except Forbidden as why:
            yield rows.refused(line, text, str(why), limit=DEEPEST)
        except expat.ExpatError:
            yield rows.refused(line, text, "not-xml")
        else:
            yield from freeswitch_document.call(line, text[:MOST_SHOWN], reader.variables, reader.profile, legs)
    yield from legs.end()


def documents(stream: TextIO) -> Iterator[tuple[int, str] | Refused]:
    """Yield line and text of each <cdr>…</cdr>; one that is larger than LARGEST, cut off, or behind a declaration is refused."""
    held, line, last, over = "", 1, 0, False
    while text := stream.read(CHUNK):
        held += text
        while (end := held.find(END)) >= 0:
            piece, held = held[: end + len(END)], held[end + len(END) :]
            begin = _BEGIN.search(piece)
            at = begin.start() if begin else 0
            last = max(line + piece.count("\n", 0, at), last + 1)
            line += piece.count("\n")
            if over or len(piece) > LARGEST:
                yield rows.refused(last, piece, "item-too-large", limit=LARGEST)
            elif _DECLARED.search(piece, 0, at):
                yield rows.refused(last, piece, "xml-entities")
            else:
                yield last, piece[at:]
            over = False
        if len(held) > LARGEST:
            over, line = True, line + held.count("\n", 0, len(held) - len(END))
            held = held[-len(END) :]
    if over or _BEGIN.search(held):
        what = "xml-entities" if _DECLARED.search(held) else "item-cut-off"
        yield rows.refused(max(line, last + 1), held, what)
