"""Where bills come from: files, folders, archives; what can't be a bill is refused by name with a cure."""

import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from billing_audit.ledger import Bill, Names, place_of
from billing_audit.readers import sources
from billing_audit.readers.bill import open_bill
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.unreadable import Unreadable

TEXT = "caller,callee,start,charge\n" + "".join(f"1,22,2026-10-01 08:{n:02d}:09,0.1\n" for n in range(60))


def read(*paths: Path, **options):
    reader = open_bill(Bill.LOCAL, list(paths), ReadOptions(**options), Names(), 5)
    blocks = list(reader.blocks())
    return reader, [place_of(int(source)) for block in blocks for source in block.frame["source"]], blocks


def why(*paths: Path, **options) -> tuple[str, str]:
    with pytest.raises(Unreadable) as caught:
        read(*paths, **options)
    return caught.value.what.id.removeprefix("audit.unreadable."), caught.value.cure.id.removeprefix("audit.cure.")


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_gzip_and_zip_read_as_the_plain_file_does(tmp_path):
    plain, packed, archive = tmp_path / "a.csv", tmp_path / "a.csv.gz", tmp_path / "a.zip"
    plain.write_text(TEXT)
    packed.write_bytes(gzip.compress(TEXT.encode()))
    archive.write_bytes(zipped({"in/a.csv": TEXT.encode(), "__MACOSX/._a.csv": b"junk"}))
    _, expected, _ = read(plain)
    for path in (packed, archive):
        reader, places, blocks = read(path)
        assert places == expected
        assert reader.files[0].digest == read(plain)[0].files[0].digest
        assert blocks[-1].done_bytes == blocks[-1].all_bytes == path.stat().st_size or path == archive
    assert read(archive)[0].files[0].name == f"{archive}:in/a.csv"


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.csv", "a.csv", "sub/c.csv"):
        (tmp_path / name).write_text(TEXT + f"1,{len(name)},2026-10-01 08:00:09,{name.count('b')}.5\n")
    (tmp_path / ".hidden").write_text("junk")
    (tmp_path / "~$a.xlsx").write_text("junk")
    (tmp_path / "b.csv").write_text(TEXT + "1,99,2026-10-01 08:00:09,7.5\n")
    reader, places, _ = read(tmp_path)
    assert [Path(file.name).name for file in reader.files] == ["a.csv", "b.csv", "c.csv"]
    assert sorted({file for file, _ in places}) == [5, 6, 7]


def test_the_same_file_twice_is_named(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.csv").write_text(TEXT)
    assert why(tmp_path) == ("twice", "once")


def test_files_with_one_beginning_are_not_the_same(tmp_path):
    rows = TEXT * 60
    (tmp_path / "a.csv").write_text(rows)
    (tmp_path / "b.csv").write_text(rows + "1,22,2026-10-01 08:00:09,0.1\n")
    assert len(read(tmp_path)[0].files) == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("empty", "send_again")),
        (b"\xef\xbb\xbf\r\n", ("empty", "send_again")),
        (b"%PDF-1.7 ...", ("pdf", "export_csv")),
        (b"<!DOCTYPE html><html>", ("html", "export_csv")),
        (b"{\\rtf1", ("document", "export_csv")),
        (b"7z\xbc\xaf\x27\x1c", ("compression", "unpack")),
        (b"\x89PNG\r\n", ("picture", "export_csv")),
        (b"Dear customer,\nplease find attached\n", ("no_bill", "columns")),
        (b"caller,callee\n1,2\n", ("no_bill", "columns")),
        (bytes(range(256)) * 40, ("binary", "export_csv")),
        (b"\xe9\xff,\xff\xfe\xff\n" * 5, ("encoding", "save_utf8")),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "EncryptedPackage".encode("utf-16-le"), ("locked", "unlock")),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), ("workbook", "export_csv")),
        (b"PK\x03\x04 not a zip", ("damaged", "send_again")),
        (gzip.compress(TEXT.encode())[:-40], ("damaged", "send_again")),
        (gzip.compress(zipped({"a": b"b"})), ("nested", "unpack")),
        (gzip.compress(gzip.compress(TEXT.encode())), ("nested", "unpack")),
        (zipped({"a.csv.gz": gzip.compress(TEXT.encode())}), ("nested", "unpack")),
        (zipped({"a.zip": zipped({"a.csv": TEXT.encode()})}), ("nested", "unpack")),
        (zipped({}), ("no_file", "name_file")),
    ],
)
def test_what_can_not_be_a_bill_is_refused_by_name_with_a_cure(tmp_path, data, expected):
    path = tmp_path / "bill.csv"
    path.write_bytes(data)
    assert why(path) == expected


def test_a_missing_file_and_one_that_is_no_file_are_named(tmp_path):
    assert why(tmp_path / "none.csv") == ("open", "check_file")
    os.mkfifo(tmp_path / "pipe")
    assert why(tmp_path / "pipe") == ("not_regular", "name_file")
    assert why(Path("/dev/null")) == ("not_regular", "name_file")
    (tmp_path / "pipe").unlink()
    assert why(tmp_path) == ("no_file", "name_file")


def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "FREE_BYTES", 1 << 20)
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(TEXT.encode() + b"1,22,2026-10-01 08:00:09,0.1\n" * 400_000))
    assert bomb.stat().st_size * sources.MOST_RATIO < 29 * 400_000
    assert why(bomb) == ("expansion", "unpack")


def test_a_locked_archive_is_named(tmp_path):
    data = bytearray(zipped({"a.csv": TEXT.encode()}))
    data[6] |= 1  # the flag of encryption, in the local and in the central header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(data))
    assert why(tmp_path / "a.zip") == ("locked_archive", "unlock")


def test_names_that_do_not_exist_are_told(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    assert why(tmp_path / "a.csv", columns={"colour": "x"}) == ("field", "fields")
    assert why(tmp_path / "a.csv", zone="Moon/Base") == ("zone", "zone")


def test_progress_ends_at_all_bytes(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.csv").write_text(TEXT * 2)
    _, _, blocks = read(tmp_path)
    assert [block.done_bytes for block in blocks] == [len(TEXT), 3 * len(TEXT)]
    assert {block.all_bytes for block in blocks} == {3 * len(TEXT)}
