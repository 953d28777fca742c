"""Bills in an inbox: found, recognised by their digest, and laid away; a journal makes every step repeatable after a kill at any instant.

<inbox>/<period>/local.*  customer.*  .done        what people lay there: `.done` last
<inbox>/<period>/audit-<digest>/                    the result, complete from the moment it has this name
<inbox>/<period>/done/local.<digest>.csv …          what was audited; rejected/local.<digest>.<reason>.csv what can't be
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

MARK = ".done"
JOURNAL = ".journal.json"
PART = ".part"
SIDES = ("local", "customer")
MOST_PERIODS = 1_000  # folders of an inbox in which something waits, at once
MOST_FILES = 1_000  # files of one side
MOST_NAME = 160  # bytes of a bill's name
LONGEST_REASON = 48  # bytes, in a name
MOST_JOURNAL = 4_000_000  # bytes
SHORT = 12  # digits of a digest in a name
_CHUNK = 1 << 20


class Lying(msgspec.Struct, frozen=True):
    """A regular file as it lies there: whatever changes it, changes one of these."""

    name: str
    inode: int
    size: int
    changed_ns: int


class Bills(msgspec.Struct, frozen=True):
    """What lies in a period's folder behind its mark."""

    mark: Lying
    local: tuple[Lying, ...]
    customer: tuple[Lying, ...]
    irregular: tuple[str, ...] = ()


class Journal(msgspec.Struct, frozen=True):
    """Moves that are decided: from where to where; the mark goes last."""

    mark: Lying
    moves: tuple[tuple[Lying, str], ...]
    note: tuple[str, str] | None = None  # a file to write beside them, and its text


def periods(inbox: Path) -> list[Path]:
    """Return the folders in which something waits: those with a mark or a journal, by name; OSError when the inbox can't be read."""
    with os.scandir(inbox) as found:
        folders = sorted(one.name for one in found if one.is_dir(follow_symlinks=False))
    return [inbox / name for name in folders if _lying(inbox / name, MARK) or _lying(inbox / name, JOURNAL)][:MOST_PERIODS]


def bills(period: Path) -> Bills | None:
    """Return what lies in a folder; None without a mark. Links, pipes and folders are no bills: they are named."""
    mark = _lying(period, MARK)
    if mark is None:
        return None
    found: dict[str, list[Lying]] = {side: [] for side in SIDES}
    irregular = []
    with os.scandir(period) as entries:
        for name in sorted(entry.name for entry in entries):
            side = name.partition(".")[0]
            if side not in found or "." not in name:
                continue
            one = _lying(period, name)
            if one is None or len(found[side]) == MOST_FILES or not _plain(name):
                irregular.append(name.encode(errors="backslashreplace").decode())
            else:
                found[side].append(one)
    return Bills(mark, tuple(found["local"]), tuple(found["customer"]), tuple(irregular))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    found = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def result_name(period: Path, found: Bills, terms: Iterable[str | None], as_whom: tuple[str, ...] = ()) -> str:
    """Return the name of the result: of the bills, of the contract and the decks by which they are audited (None: without), as whose."""
    whole = hashlib.sha256()
    for side in SIDES:
        for one in getattr(found, side):
            whole.update(f"{side}:{digest(period / one.name)}\n".encode())
    for file in terms:
        whole.update(f"terms:{digest(Path(file)) if file else ''}\n".encode())
    for word in as_whom:
        whole.update(f"as:{word}\n".encode())
    return f"audit-{whole.hexdigest()[:SHORT]}"


def decide(period: Path, found: Bills, reason: str = "", text: str = "") -> Journal:
    """Write down where every file goes: done/, or with a reason rejected/; from here on `settle` finishes it, after any kill."""
    folder = "rejected" if reason else "done"
    taken: set[str] = set()
    moves = []
    for one in (*found.local, *found.customer):
        mark = digest(period / one.name)[:SHORT]
        name = _free(period, folder, one.name, mark, reason, taken)
        taken.add(name)
        moves.append((one, name))
    note = None
    if text:
        first = moves[0][1] if moves else f"{folder}/{found.mark.changed_ns}"
        free = (f"{first}{again}.txt" for again in ("", *(f"-{number}" for number in range(2, MOST_FILES))))
        note = (next(name for name in free if name not in taken and not os.path.lexists(period / name)), text)
    journal = Journal(found.mark, tuple(moves), note)
    _write(period / JOURNAL, msgspec.json.encode(journal))
    return journal


def unfinished(period: Path) -> Journal | None:
    """Return the journal of moves that were decided and perhaps not finished; msgspec.DecodeError when it is none of ours."""
    if _lying(period, JOURNAL) is None:
        return None
    handle = os.open(period / JOURNAL, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        journal = msgspec.json.decode(file.read(MOST_JOURNAL), type=Journal)
    if not _ours(journal):  # people may write in this folder: a journal must not lead us out of it
        raise msgspec.ValidationError(f"{JOURNAL} names places that no journal of ours has; remove it")
    return journal


def settle(period: Path, journal: Journal) -> None:
    """Carry out what was decided; may be repeated. A file that is no longer the one decided about stays where it is."""
    places = [place for _, place in journal.moves] + ([journal.note[0]] if journal.note else [])
    for folder in sorted({place.partition("/")[0] for place in places}):
        (period / folder).mkdir(mode=0o750, exist_ok=True)
        if not stat.S_ISDIR((period / folder).lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(period / folder))
    for one, place in journal.moves:
        if _lying(period, one.name) == one:
            _move(period / one.name, period / place)
    if journal.note is not None:
        _write(period / journal.note[0], journal.note[1].encode())
    if _lying(period, MARK) == journal.mark:
        (period / MARK).unlink()
    _sync(period)
    (period / JOURNAL).unlink(missing_ok=True)
    _sync(period)


def slug(text: str) -> str:
    """Return a reason as part of a file's name: letters and digits of any script and hyphens, at most LONGEST_REASON bytes."""
    words = re.sub(r"[\W_]+", "-", text.lower()).strip("-").encode(errors="ignore")
    return words[:LONGEST_REASON].decode(errors="ignore").strip("-") or "unreadable"


def _plain(name: str) -> bool:
    """Tell whether a file's name is text that fits into the name of its copy: with digest, reason and `.part`."""
    try:
        return len(name.encode()) <= MOST_NAME
    except UnicodeEncodeError:
        return False


def _ours(journal: Journal) -> bool:
    """Tell whether a journal moves bills of its own folder into done/ and rejected/, and nothing else."""
    names = [one.name for one, _ in journal.moves]
    places = [place for _, place in journal.moves] + ([journal.note[0]] if journal.note else [])
    good = all("/" not in name and name.partition(".")[0] in SIDES for name in names) and journal.mark.name == MARK
    return good and all(re.fullmatch(r"(done|rejected)/[^/\0]+", place) for place in places)


def _lying(folder: Path, name: str) -> Lying | None:
    try:
        found = (folder / name).lstat()
    except OSError:
        return None
    return Lying(name, found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _free(period: Path, folder: str, name: str, mark: str, reason: str, taken: set[str]) -> str:
    """Return a place that nothing has: local.csv.gz becomes done/local.<digest>.csv.gz."""
    stem, _, rest = name.partition(".")
    for number in range(1, MOST_FILES + 2):
        again = f"-{number}" if number > 1 else ""
        place = f"{folder}/{'.'.join(part for part in (stem, mark + again, reason, rest) if part)}"
        if place not in taken and not os.path.lexists(period / place):
            return place
    raise OSError(errno.EEXIST, f"{folder} already holds {MOST_FILES} copies of", name)


def _move(source: Path, target: Path) -> None:
    """Move within one file system, never over anything: the second name first, then the first one goes."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if target.lstat().st_ino != source.lstat().st_ino:
            raise
    except OSError as why:
        if why.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK) or os.path.lexists(target):
            raise
        source.rename(target)  # a file system without hard links
        _sync(target.parent)
        return
    _sync(target.parent)
    source.unlink()


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + PART)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
