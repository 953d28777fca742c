"""Paths as named by a person → pieces that hold one table each: files, folders, members of zip archives; gzip and zip are unpacked.

What is no bill by its first bytes (PDF, locked workbook, other compressions) is refused by name. Only regular files are opened.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from billing_audit.readers.unreadable import Unreadable, unreadable

Kind = Literal["text", "workbook"]
MOST_FILES = 10_000
MOST_RATIO = 300  # a bill packs 5- to 40-fold
FREE_BYTES = 64 << 20  # under this the ratio does not matter
MOST_BYTES = 256 << 30
MOST_WORKBOOK = 512 << 20
_WORKBOOK_PARTS = frozenset(("[Content_Types].xml", "content.xml"))
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "audit.unreadable.pdf", "audit.cure.export_csv"),
    (b"{\\rtf", "audit.unreadable.document", "audit.cure.export_csv"),
    (b"\x1f\x8b", "audit.unreadable.nested", "audit.cure.unpack"),
    (b"BZh", "audit.unreadable.compression", "audit.cure.unpack"),
    (b"\xfd7zXZ", "audit.unreadable.compression", "audit.cure.unpack"),
    (b"7z\xbc\xaf", "audit.unreadable.compression", "audit.cure.unpack"),
    (b"Rar!", "audit.unreadable.compression", "audit.cure.unpack"),
    (b"\x28\xb5\x2f\xfd", "audit.unreadable.compression", "audit.cure.unpack"),
    (b"PAR1", "audit.unreadable.binary", "audit.cure.export_csv"),
    (b"SQLite format 3", "audit.unreadable.binary", "audit.cure.export_csv"),
    (b"\x89PNG", "audit.unreadable.picture", "audit.cure.export_csv"),
    (b"\xff\xd8\xff", "audit.unreadable.picture", "audit.cure.export_csv"),
    (b"\x7fELF", "audit.unreadable.binary", "audit.cure.export_csv"),
)


@dataclass(frozen=True)
class Piece:
    """One table: its name as shown, the file, the member of an archive ("" for none), whether it is gzip, bytes that reading it takes."""

    name: str
    path: Path
    member: str
    packed: bool
    size: int
    kind: Kind

    def open(self) -> BinaryIO:
        """Open the unpacked bytes; what is too large or damaged raises Unreadable while reading."""
        try:
            raw = self.path.open("rb")
            if self.member:
                inner = zipfile.ZipFile(raw).open(self.member)  # noqa: SIM115 - closed with the stream
                return cast(BinaryIO, _Unpacked(self.name, self.size, inner, raw))
            if self.packed:
                return cast(BinaryIO, _Unpacked(self.name, self.size, _gunzip(raw), raw))
        except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, zlib.error) as why:
            raise unreadable(self.name, "audit.unreadable.open", "audit.cure.check_file", detail=str(why)) from why
        return raw

    def load(self) -> bytes:
        """Return all bytes of a workbook."""
        with self.open() as stream:
            data = stream.read(MOST_WORKBOOK + 1)
        if len(data) > MOST_WORKBOOK:
            raise unreadable(self.name, "audit.unreadable.large_workbook", "audit.cure.export_csv", limit=MOST_WORKBOOK >> 20)
        return data


class _Unpacked(io.RawIOBase):
    """Unpacked bytes with a cap on how much they may be."""

    def __init__(self, name: str, packed: int, inner: object, raw: BinaryIO) -> None:
        self._name, self._packed, self._inner, self._raw = name, max(packed, 1), cast(BinaryIO, inner), raw
        self._given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; Unreadable beyond the cap or where the archive is damaged."""
        try:
            data = self._inner.read(size if size >= 0 else MOST_WORKBOOK + 1)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as why:
            raise unreadable(self._name, "audit.unreadable.damaged", "audit.cure.send_again") from why
        self._given += len(data)
        if self._given > MOST_BYTES or (self._given > FREE_BYTES and self._given > MOST_RATIO * self._packed):
            raise unreadable(self._name, "audit.unreadable.expansion", "audit.cure.unpack", limit=MOST_RATIO)
        return data

    def tell(self) -> int:
        return self._raw.tell() if not self._raw.closed else self._packed

    def close(self) -> None:
        self._inner.close()
        self._raw.close()
        super().close()


def _gunzip(raw: BinaryIO) -> BinaryIO:
    import gzip

    return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))


def pieces(paths: Sequence[Path]) -> list[Piece]:
    """Return the tables that these files and folders hold, folders in the order of their names; Unreadable for what is none."""
    found: list[Piece] = []
    for path in paths:
        for file in _files(path):
            found.extend(_pieces_of(file))
            if len(found) > MOST_FILES:
                raise unreadable(str(path), "audit.unreadable.many_files", "audit.cure.fewer_files", limit=MOST_FILES)
    if not found:
        raise unreadable(str(paths[0]) if paths else "", "audit.unreadable.no_file", "audit.cure.name_file")
    return found


def _files(path: Path) -> Iterator[Path]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif stat.S_ISDIR(mode):
            inside = [
                child for child in sorted(path.rglob("*")) if not any(part.startswith((".", "~$", "__MACOSX")) for part in child.parts[-2:])
            ]
            yield from (child for child in inside if child.is_file() and not child.is_symlink() and child.suffix not in (".done", ".part"))
        else:
            raise unreadable(str(path), "audit.unreadable.not_regular", "audit.cure.name_file")
    except OSError as why:
        raise unreadable(str(path), "audit.unreadable.open", "audit.cure.check_file", detail=why.strerror or str(why)) from why


def _pieces_of(path: Path) -> Iterator[Piece]:
    name, size = str(path), path.stat().st_size
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as why:
        raise unreadable(name, "audit.unreadable.open", "audit.cure.check_file", detail=why.strerror or str(why)) from why
    if start[:2] == b"\x1f\x8b":
        piece = Piece(name, path, "", packed=True, size=size, kind="text")
        with piece.open() as stream:
            first = stream.read(4096)
        if first[:4] == b"PK\x03\x04" or first[257:262] == b"ustar":
            raise unreadable(name, "audit.unreadable.nested", "audit.cure.unpack")
        yield Piece(name, path, "", packed=True, size=size, kind=_kind(name, first))
    elif start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip(path, name)
    else:
        yield Piece(name, path, "", packed=False, size=size, kind=_kind(name, start))


def _kind(name: str, start: bytes) -> Kind:
    """Return what a file is by its first bytes; Unreadable when it can't be a bill."""
    if not start.strip(b"\x00\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise unreadable(name, "audit.unreadable.empty" if len(start) < 4096 else "audit.unreadable.binary", "audit.cure.send_again")
    for magic, why, cure in _FOREIGN:
        if start.startswith(magic):
            raise unreadable(name, why, cure)
    low = start[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if low.startswith((b"<!doctype html", b"<html", b"<table")) or b"<html" in low[:400]:
        raise unreadable(name, "audit.unreadable.html", "audit.cure.export_csv")
    return "workbook" if start.startswith(_OLE) else "text"


def is_workbook(data: bytes) -> bool:
    """Tell whether the bytes of a zip archive are a workbook (XLSX, ODS)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return not _WORKBOOK_PARTS.isdisjoint(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return True  # damaged: what opens workbooks says so


def _zip(path: Path, name: str) -> Iterator[Piece]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            names = {item.filename for item in members}
            if not _WORKBOOK_PARTS.isdisjoint(names):
                total = sum(item.file_size for item in members)
                packed = sum(item.compress_size for item in members)
                if total > 4 * MOST_WORKBOOK or (total > FREE_BYTES and total > MOST_RATIO * max(packed, 1)):
                    raise unreadable(name, "audit.unreadable.expansion", "audit.cure.export_csv", limit=MOST_RATIO)
                yield Piece(name, path, "", packed=False, size=path.stat().st_size, kind="workbook")
                return
            for item in sorted(members, key=lambda item: item.filename):
                parts = item.filename.split("/")
                if any(part.startswith((".", "__MACOSX")) for part in parts):
                    continue
                inner = f"{name}:{item.filename}"
                if item.flag_bits & 1:
                    raise unreadable(inner, "audit.unreadable.locked_archive", "audit.cure.unlock")
                with archive.open(item) as stream:
                    start = stream.read(4096)
                kind: Kind = "workbook" if start[:4] == b"PK\x03\x04" else _kind(inner, start)
                yield Piece(inner, path, item.filename, packed=True, size=item.compress_size, kind=kind)
    except Unreadable:
        raise
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, UnicodeError) as why:
        raise unreadable(name, "audit.unreadable.damaged", "audit.cure.send_again") from why
