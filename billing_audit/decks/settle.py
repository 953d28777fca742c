"""What the entries of a deck mean together: repetitions, contradictions, codes that ended, and whether a last day belongs to a price."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from billing_audit.decks.entry import Entry
from billing_audit.ledger import MISSING, Note, Refused


def settled(found: Sequence[Entry], names: Sequence[str], refused: list[Refused]) -> list[Entry]:
    """Return the entries without repetitions, codes that ended cut at their end; two prices of one code from one time are refused."""
    first: dict[tuple[int, str, int, bool], Entry] = {}
    ended: dict[tuple[int, str], list[Entry]] = {}
    for entry in _ending(found, names, refused):
        key = (entry.prefix, entry.band, entry.from_ms, entry.ended)
        before = first.get(key)
        if before is None:
            first[key] = entry
        elif not entry.ended and before.price() != entry.price():
            note = Note("audit.refused.deck_twice", {"line": before.line, "file": names[before.file]})
            refused.append(Refused(names[entry.file], entry.line, "prefix", str(entry.prefix)[1:], note))
            continue
        if entry.ended:
            ended.setdefault((entry.prefix, entry.band), []).append(entry)
    kept: list[Entry] = []
    for entry in first.values():
        if entry.ended:
            continue
        until = entry.to_ms
        ends = ended.get((entry.prefix, entry.band), [])
        if any(end.from_ms == MISSING and (end.file, end.line) > (entry.file, entry.line) for end in ends):
            continue  # ended without a date: as if it had never been
        for end in ends:
            if end.from_ms > entry.from_ms and (until == MISSING or end.from_ms < until):
                until = end.from_ms
        if until == MISSING or until > entry.from_ms:
            kept.append(entry if until == entry.to_ms else msgspec.structs.replace(entry, to_ms=until))
    return kept


def _ending(found: Sequence[Entry], names: Sequence[str], refused: list[Refused]) -> list[Entry]:
    """Return the entries with the end that their file means.

    A day alone ends a price at its midnight, as the contract's period ends; unless the file shows that its days are the last ones with the
    price: the next price of a code begins on the day after, or a price begins and ends on the same day, and nothing speaks against it.
    """
    inclusive = _inclusive(found)
    kept: list[Entry] = []
    for entry in found:
        until = entry.last_ms if entry.file in inclusive else entry.to_ms
        if MISSING not in (until, entry.from_ms) and until <= entry.from_ms:
            note = Note("audit.refused.deck_ends_first", {"text": "effective_to"})
            refused.append(Refused(names[entry.file], entry.line, "to", str(entry.prefix)[1:], note))
        else:
            kept.append(entry if until == entry.to_ms else msgspec.structs.replace(entry, to_ms=until))
    return kept


def _inclusive(found: Sequence[Entry]) -> set[int]:
    """Return the files whose days are the last ones with a price."""
    proven: set[int] = set()
    disproven: set[int] = set()
    starts: dict[tuple[int, str], set[int]] = defaultdict(set)
    for entry in found:
        starts[entry.prefix, entry.band].add(entry.from_ms)
    for entry in found:
        if entry.to_ms in (MISSING, entry.last_ms):
            continue
        begun = starts[entry.prefix, entry.band]
        if entry.from_ms == entry.to_ms or (entry.last_ms in begun and entry.to_ms not in begun):
            proven.add(entry.file)
        elif entry.to_ms in begun:
            disproven.add(entry.file)
    return proven - disproven
