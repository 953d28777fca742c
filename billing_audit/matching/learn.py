"""What two bills must be told of one another before their records can be laid side by side: clocks, ways of writing numbers, cut calls."""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import MISSING, Names, Note
from billing_audit.matching.align import IDENTITY, Alignment, Ints
from billing_audit.matching.clocks import LEAST_PAIRS, fit
from billing_audit.matching.partials import Chain, pair_key
from billing_audit.matching.parting import learn_chains
from billing_audit.matching.timing import CLOSE_MS, Anchors, alignment_of
from billing_audit.numbering.forms import learn_rules
from billing_audit.numbering.rewriting import Rule, Tech, fixed
from billing_audit.numbers import digits, is_masked

ENOUGH: Final = 50  # so many calls that surely are the same make a better key needless
END: Final = 10**7  # numbers are compared by their last seven digits while forms are not known
LEAST_SECOND: Final = 20  # calls on another clock than most, and their share of all that surely are the same: a second clock
SECOND_SHARE: Final = 0.03
LEAST_END: Final = 10**5  # … and must have at least five


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What `learn` found: `chains` by bill where calls are cut into parts; `tech`: indices of the tech prefixes that rules name."""

    alignment: Alignment = IDENTITY
    rules: tuple[Rule, ...] = ()
    tech: Tech = ()
    chains: dict[str, Chain] = {}
    notes: tuple[Note, ...] = ()


def learn(
    local: pd.DataFrame,
    customer: pd.DataFrame,
    names: Names,
    zone: str,
    *,
    number_rules: Mapping[str, tuple[tuple[str, str], ...]] | None = None,
    deck: Ints | None = None,
) -> Learned:
    """Return what samples of both ledgers (the same slice of callees) say; where it is too little, nothing is assumed and a note says so.

    `zone` is that in which times without one were read; `number_rules` are fixed by the contract, those bills' are not learned; `deck`: the
    prefixes of the rates as digits with a 1 before, a hint at the form in which numbers are meant.
    """
    notes = []
    anchors = find_anchors(local, customer, zone)
    if anchors is None:
        notes.append(Note("audit.note.alignment_unknown", {"local": len(local), "customer": len(customer)}))
        alignment = IDENTITY
    else:
        alignment = alignment_of(anchors, local, customer, zone)
    given = fixed(dict(number_rules or {}))
    rules = given
    if anchors is not None:
        notes += _second_clock(anchors, local, customer, alignment)
        near = _near(anchors, local, customer, alignment)
        rules = (*given, *learn_rules(local, customer, near, names, {rule.bill for rule in given}, deck))
    tech = _tech(rules, names)
    chains = learn_chains(local, customer, alignment, rules, tech)
    return Learned(alignment=alignment, rules=rules, tech=tech, chains=chains, notes=tuple(notes))


def _tech(rules: tuple[Rule, ...], names: Names) -> Tech:
    heads = {rule.strip[: max(rule.strip.rfind("#"), rule.strip.rfind("*")) + 1] for rule in rules} - {""}
    return tuple((head, index) for head in sorted(heads) if (index := names.short(head)) < Names.SHORT)


def find_anchors(local: pd.DataFrame, customer: pd.DataFrame, zone: str) -> Anchors | None:
    """Return calls that both bills surely have, found by keys that occur once in each, with the clock they agree on."""
    best: Anchors | None = None
    for level in ("numbers", "numbers and length", "callee and length", "callee"):
        ours, theirs = _unique(_keys(local, level), _keys(customer, level))
        if len(ours) < LEAST_PAIRS:
            continue
        found = Anchors.of(ours, theirs, local, customer, zone, fit)
        if found is not None and (best is None or found.clock.fits > best.clock.fits):
            best = found
        if best is not None and best.clock.fits >= ENOUGH:
            break
    return best


def _keys(frame: pd.DataFrame, level: str) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Return rows that have a key at this level, and the keys."""
    caller, callee = frame["caller"].to_numpy(), frame["callee"].to_numpy()
    able = (frame["start_ms"].to_numpy() != MISSING) & (digits(callee) >= LEAST_END) & ~is_masked(callee)
    if level.startswith("numbers"):
        able &= (digits(caller) >= LEAST_END) & ~is_masked(caller)
    if level.endswith("length"):
        able &= frame["duration_ms"].to_numpy() > 0
    rows = np.flatnonzero(able)
    called = digits(callee[rows]) % END
    if level == "callee":
        return rows, pair_key(called, called)
    if level == "callee and length":
        return rows, pair_key(frame["duration_ms"].to_numpy()[rows] // 1000, called)
    key = pair_key(digits(caller[rows]) % END, called)
    if level == "numbers and length":
        key = pair_key(frame["duration_ms"].to_numpy()[rows] // 1000, key.view(np.int64))
    return rows, key


def _unique(ours: tuple[Ints, npt.NDArray[np.uint64]], theirs: tuple[Ints, npt.NDArray[np.uint64]]) -> tuple[Ints, Ints]:
    """Return the rows of both sides whose key is there once on each."""
    key_a, at_a = _once(ours[1])
    key_b, at_b = _once(theirs[1])
    _, i, j = np.intersect1d(key_a, key_b, assume_unique=True, return_indices=True)
    return ours[0][at_a[i]], theirs[0][at_b[j]]


def _once(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], Ints]:
    told, first, count = np.unique(keys, return_index=True, return_counts=True)
    return told[count == 1], first[count == 1]


def _second_clock(anchors: Anchors, local: pd.DataFrame, customer: pd.DataFrame, alignment: Alignment) -> list[Note]:
    """Return a note where calls that are the same by their key agree on another clock than most, as two gateways of one side do."""
    ours = local["start_ms"].to_numpy()[anchors.ours]
    late = alignment.correct(customer["start_ms"].to_numpy()[anchors.theirs]) - ours
    apart = np.abs(late) > CLOSE_MS
    other = fit(ours[apart], late[apart])
    if other is None or other.fits < max(LEAST_SECOND, SECOND_SHARE * len(ours)):
        return []
    return [Note("audit.note.two_clocks", {"calls": other.fits, "of": len(ours), "seconds": round(other.offset_ms / 1000)})]


def _near(anchors: Anchors, local: pd.DataFrame, customer: pd.DataFrame, alignment: Alignment) -> tuple[Ints, Ints]:
    """Return the anchors whose times agree as those of matched calls must."""
    ours = local["start_ms"].to_numpy()[anchors.ours]
    near = np.abs(alignment.correct(customer["start_ms"].to_numpy()[anchors.theirs]) - ours) <= alignment.tolerance_ms
    return anchors.ours[near], anchors.theirs[near]
