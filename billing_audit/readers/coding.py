"""Bytes of a file → blocks of whole lines in UTF-8, with the number of their first line. Encodings: UTF-8, GB18030 (GBK), UTF-16."""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from billing_audit.readers.layout import HEAD_BYTES
from billing_audit.readers.unreadable import unreadable

BLOCK = 4 << 20
MOST_LINE = 8 << 20
MOST_BACK = 200  # line ends that are looked at for one outside of quotes
BAD_SHARE = 0.5  # of the lines: beyond it the encoding is unknown
FEW_CONTROLS = 0.02  # of the bytes: a text with a NUL here and there is damaged, but neither UTF-16 nor binary
_LETTERS = bytes(sorted({9, 10, 13, *range(32, 127), *range(128, 256)}))
ASCII, UTF_8, UTF_8_BOM, GB18030, UTF_16_LE, UTF_16_BE = "ascii", "utf-8", "utf-8-sig", "gb18030", "utf-16-le", "utf-16-be"


@dataclass(frozen=True)
class Block:
    """Whole lines in UTF-8, the last newline included; the number of the first; which lines were not in the encoding; bytes read so far."""

    data: bytes
    first: int
    bad: frozenset[int]
    done: int


@dataclass(frozen=True)
class Coding:
    """Encoding of a file, whether its lines end in CR alone, and bytes of a byte order mark."""

    encoding: str
    old_mac: bool
    mark: int


def detect(start: bytes, name: str) -> Coding:
    """Return how a file is encoded by its first bytes; Unreadable when they are no text in an encoding that bills use."""
    for mark, encoding in ((codecs.BOM_UTF8, UTF_8_BOM), (codecs.BOM_UTF16_LE, UTF_16_LE), (codecs.BOM_UTF16_BE, UTF_16_BE)):
        if start.startswith(mark):
            return Coding(encoding, _old_mac(start, encoding), len(mark))
    look = start[:4096].rstrip(b"\x00")  # at the end they are room that was never written
    if b"\x00" in look and len(look.translate(None, _LETTERS)) > FEW_CONTROLS * len(look):
        even, odd = start[0:4096:2].count(0), start[1:4096:2].count(0)
        half = len(start[:4096]) // 2
        if max(even, odd) < 0.3 * half or min(even, odd) > 0.2 * half:
            raise unreadable(name, "audit.unreadable.binary", "audit.cure.export_csv")
        encoding = UTF_16_LE if odd > even else UTF_16_BE
        return Coding(encoding, _old_mac(start, encoding), 0)
    return Coding(_by_lines(start, name), _old_mac(start, UTF_8), 0)


def _old_mac(start: bytes, encoding: str) -> bool:
    text = start.decode(encoding, "ignore") if encoding.startswith("utf-16") else start.decode("latin-1")
    return "\r" in text and "\n" not in text


def otherwise(start: bytes, coding: Coding) -> Coding | None:
    """Return the other encoding of a file that mixes UTF-8 and GB18030; None where there is no other."""
    if coding.encoding not in (UTF_8, GB18030) or _fits(start, coding.encoding):
        return None
    return Coding(GB18030 if coding.encoding == UTF_8 else UTF_8, coding.old_mac, 0)


def _by_lines(start: bytes, name: str, number: int = 1) -> str:
    """Return the encoding that most lines with letters beyond ASCII are in; the first line is the file's `number`-th.

    Unreadable when most lines of all are in none; where they are few they are refused one by one.
    """
    if start.isascii():
        return ASCII
    lines = start.split(b"\n")
    if len(lines) > 1:
        lines = lines[:-1]
    told = [(at, line) for at, line in enumerate(lines, number) if not line.isascii()]
    if not told:
        return ASCII
    utf8 = sum(_fits(line, UTF_8) for _, line in told)
    chinese = sum(_fits(line, GB18030) for _, line in told)
    if utf8 * 2 >= len(told):
        return UTF_8
    if chinese * 2 >= len(told):
        return GB18030
    strange = [at for at, line in told if not _fits(line, UTF_8) and not _fits(line, GB18030)]
    if len(strange) > BAD_SHARE * len(lines):
        raise unreadable(name, "audit.unreadable.encoding", "audit.cure.save_utf8", strange[0])
    return UTF_8 if utf8 >= chinese else GB18030


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def head_of(start: bytes, coding: Coding) -> str:
    """Return the first bytes as text, lines ending in \\n, whole ones only unless there is but one."""
    encoding = UTF_8 if coding.encoding in (ASCII, UTF_8_BOM) else coding.encoding
    text = start[coding.mark : HEAD_BYTES].decode(encoding, "replace")
    text = text.replace("\r", "\n") if coding.old_mac else text.replace("\r\n", "\n").replace("\r", " ")
    if len(start) < HEAD_BYTES:
        return text
    return text[: text.rfind("\n") + 1] or text


def blocks(
    stream: BinaryIO, coding: Coding, name: str, quote: str, digest: "hashlib._Hash | None" = None, size: int = BLOCK
) -> Iterator[Block]:
    """Yield the file in blocks that end at a line end outside of quotes; `digest` takes the unpacked bytes. Line numbers begin at 1."""
    encoding, line, kept, done = coding.encoding, 1, b"", 0
    wide = codecs.getincrementaldecoder(encoding)("replace") if encoding.startswith("utf-16") else None
    skip = coding.mark
    while True:
        raw = stream.read(size)
        if digest is not None:
            digest.update(raw)
        last = not raw
        done = stream.tell()
        fresh, skip = (raw[skip:], max(0, skip - len(raw))) if skip else (raw, 0)
        if wide is not None:
            fresh = wide.decode(fresh, last).encode("utf-8", "replace")
        if coding.old_mac:
            fresh = fresh.replace(b"\r", b"\n")
        end = 0 if last or (quote and (quote.encode() in fresh or quote.encode() in kept)) else fresh.rfind(b"\n") + 1
        if end:  # the common case, with one copy
            data, kept = b"".join((kept, memoryview(fresh)[:end])), fresh[end:]
        else:
            data = kept + fresh
            cut = len(data) if last else _cut(data, quote.encode())
            if not last and cut == 0:
                if len(data) > MOST_LINE:
                    raise unreadable(name, "audit.unreadable.long_line", "audit.cure.export_csv", line)
                kept = data
                continue
            data, kept = data[:cut], data[cut:]
        if data:
            if not data.endswith(b"\n"):
                data += b"\n"
            if wide is None and encoding == ASCII and not data.isascii():
                encoding = _by_lines(data, name, line)
            text, bad = (data, frozenset[int]()) if wide is not None else _transcoded(data, encoding, line)
            if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
                text = text.replace(b"\r\n", b"\n").replace(b"\r", b" ")
            yield Block(text, line, bad, done)
            line += newlines(data)
        if last:
            return


def newlines(data: bytes) -> int:
    """Return how many lines end in these bytes (bytes.count stops at each, this does not)."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == 10))


def _cut(data: bytes, quote: bytes) -> int:
    """Return where the last line ends that does not end inside quotes; the last of all when none of the last MOST_BACK is such a one."""
    last = end = data.rfind(b"\n") + 1
    if not quote or quote not in data:
        return end
    inside = data.count(quote, 0, end) % 2
    for _ in range(MOST_BACK):
        if not inside or end <= 0:
            break
        before = data.rfind(b"\n", 0, end - 1) + 1
        inside = (inside + data.count(quote, before, end)) % 2
        end = before
    return end if end > 0 and not inside else last


def _transcoded(data: bytes, encoding: str, first: int) -> tuple[bytes, frozenset[int]]:
    """Return the block in UTF-8 and the lines that are not in the file's encoding, their strange letters marked."""
    if data.isascii():
        return data, frozenset()
    narrow = GB18030 if encoding == GB18030 else UTF_8
    try:
        text = data.decode(narrow)
    except UnicodeDecodeError:
        lines = data.split(b"\n")
        bad = frozenset(first + at for at, line in enumerate(lines) if not line.isascii() and not _fits(line, narrow))
        return b"\n".join(line.decode(narrow, "replace").encode() for line in lines), bad
    return (data if narrow == UTF_8 else text.encode()), frozenset()
