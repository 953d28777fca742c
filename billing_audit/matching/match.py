"""Which record of the one bill is which of the other: one to one, the best on time and duration together, never forced."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from msgspec import structs

from billing_audit.ledger import MISSING
from billing_audit.matching.align import Alignment, Ints
from billing_audit.matching.assignment import choose
from billing_audit.matching.learn import Learned
from billing_audit.matching.pairing import CONTENTS, Columns, Order, pairs_of
from billing_audit.matching.partials import MIX_A, MIX_B, pair_key
from billing_audit.numbering.compatible import callers_agree, numbers_agree, visible
from billing_audit.numbers import TAG, digits

Mask = npt.NDArray[np.bool_]
COARSE_BITS: Final = 8  # 256 ms: how closely the sort needs to tell times apart; what is near is compared exactly afterwards
END_MS: Final = 1_000  # ends that agree while durations do not (one counts from INVITE) speak a little less for a pair than durations
NEAREST: Final = 64  # candidates of one record; more calls of the same numbers within the tolerance are told by time first
BATCH: Final = 1 << 18  # candidates weighed at a time


@dataclass(frozen=True)
class Calls:
    """One bill's records as arrays: numbers with "+" and plain alike, start on our clock, talk, and the frame they come from."""

    caller: Ints
    callee: Ints
    start: Ints
    talk: Ints
    frame: Columns

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Found:
    """Rows of both bills that belong together."""

    ours: Ints
    theirs: Ints


def match(local: pd.DataFrame, customer: pd.DataFrame, learned: Learned, *, order: Order = "parts") -> pd.DataFrame:
    """Return PAIRS: matched pairs, then our records alone, then theirs (or as `order` says); each record once.

    A pair's starts lie within `alignment.tolerance_ms` when durations or ends agree, within `core_tolerance_ms` when they do not (a hung
    call). First equal numbers, then a masked or absent caller on the callee alone, numbers of which only the last digits
    agree, then calls that a step of their clock may have moved; all by the ends of calls first where these agree better than starts.
    """
    alignment = learned.alignment
    local_columns, customer_columns = ({name: frame[name].to_numpy() for name in frame.columns} for frame in (local, customer))
    ours = _calls(local_columns, local_columns["start_ms"], _ring_of(local_columns, alignment.ring == "local"))
    theirs = _calls(
        customer_columns, alignment.correct(customer_columns["start_ms"]), _ring_of(customer_columns, alignment.ring == "customer")
    )
    partner = np.full(len(ours), -1, np.int64)
    taken = np.zeros(len(theirs), np.bool_)
    rounds = [(ours, theirs, alignment)]
    if alignment.ends:
        low, high = alignment.usual_ms
        sharp = structs.replace(alignment, core_ms=1_000, spread_ms=1_000, usual_ms=(-high, -low))
        rounds.insert(0, (_by_end(ours), _by_end(theirs), sharp))
    else:  # on a route whose carrier answers early calls end together and do not begin so
        rounds.append((_by_end(ours), _by_end(theirs), structs.replace(alignment, core_ms=1_000, spread_ms=1_000)))
    for mine, yours, way in rounds:
        for step in (_same_numbers, _same_callee, _same_ends, _over_a_step):
            found = step(mine, yours, np.flatnonzero(partner < 0), np.flatnonzero(~taken), way)
            partner[found.ours] = found.theirs
            taken[found.theirs] = True
    return pairs_of(local_columns, customer_columns, partner, taken, order)


def _by_end(calls: Calls) -> Calls:
    """Return the calls with their ends for their starts, looked at backwards: durations below zero."""
    known = (calls.talk != MISSING) & (calls.start != MISSING)
    return replace(calls, start=np.where(known, calls.start + calls.talk, calls.start), talk=np.where(known, -calls.talk, calls.talk))


def _ring_of(frame: Columns, taken_off: bool) -> Ints | None:
    if not taken_off:
        return None
    ring = frame["ring_ms"]
    return np.where(ring == MISSING, 0, ring)


def _calls(frame: Columns, start: Ints, ring: Ints | None) -> Calls:
    return Calls(
        caller=_plain(frame["caller"]),
        callee=_plain(frame["callee"]),
        start=start if ring is None else np.where(start == MISSING, start, start - ring),
        talk=frame["duration_ms"],
        frame=frame,
    )


def _plain(codes: Ints) -> Ints:
    plus = (codes >= 2 * TAG) & (codes < 3 * TAG)
    return np.where(plus, codes - TAG, codes) if plus.any() else codes


def _same_numbers(ours: Calls, theirs: Calls, mine: Ints, yours: Ints, alignment: Alignment) -> Found:
    mine, yours = mine[visible(ours.caller[mine])], yours[visible(theirs.caller[yours])]
    keys = pair_key(ours.caller[mine], ours.callee[mine]), pair_key(theirs.caller[yours], theirs.callee[yours])
    return _within(ours, theirs, mine, yours, keys, alignment, "numbers")


def _same_callee(ours: Calls, theirs: Calls, mine: Ints, yours: Ints, alignment: Alignment) -> Found:
    if visible(ours.caller[mine]).all() and visible(theirs.caller[yours]).all():
        return Found(mine[:0], yours[:0])
    return _within(ours, theirs, mine, yours, (_mixed(ours.callee[mine]), _mixed(theirs.callee[yours])), alignment, "callee")


def _same_ends(ours: Calls, theirs: Calls, mine: Ints, yours: Ints, alignment: Alignment) -> Found:
    keys = _mixed(_last_four(ours.callee[mine])), _mixed(_last_four(theirs.callee[yours]))
    return _within(ours, theirs, mine, yours, keys, alignment, "ends")


def _over_a_step(ours: Calls, theirs: Calls, mine: Ints, yours: Ints, alignment: Alignment) -> Found:
    """Return pairs among what is left near steps of their clock, as if written on the step's other side."""
    if not alignment.steps:
        return Found(mine[:0], yours[:0])
    near, shift = alignment.otherwise(theirs.frame["start_ms"][yours])
    start = theirs.start.copy()
    start[yours[near]] += shift
    again = replace(theirs, start=start)
    found = _same_numbers(ours, again, mine, yours[near], alignment)
    rest = np.setdiff1d(mine, found.ours), np.setdiff1d(yours[near], found.theirs)
    hidden = _same_callee(ours, again, *rest, alignment)
    return Found(np.concatenate([found.ours, hidden.ours]), np.concatenate([found.theirs, hidden.theirs]))


def _mixed(codes: Ints) -> npt.NDArray[np.uint64]:
    mixed = codes.view(np.uint64) * MIX_A
    mixed ^= mixed >> np.uint64(29)
    mixed *= MIX_B
    return mixed


def _last_four(codes: Ints) -> Ints:
    """Return the last four digits of numbers, of masked ones too where four are seen; what has fewer stays as it is, below zero."""
    bare = digits(codes)
    masked = codes // TAG == 3
    if masked.any():
        bare = np.where(masked, codes % 10**8, bare)
    return np.where(bare >= 10_000, bare % 10_000, -codes)


def _within(
    ours: Calls,
    theirs: Calls,
    mine: Ints,
    yours: Ints,
    keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]],
    alignment: Alignment,
    level: str,
) -> Found:
    """Return the pairs among rows with the same key and near times."""
    known = ours.start[mine] != MISSING, theirs.start[yours] != MISSING
    if not (known[0].all() and known[1].all()):
        mine, yours, keys = mine[known[0]], yours[known[1]], (keys[0][known[0]], keys[1][known[1]])
    if not (len(mine) and len(yours)):
        return Found(mine[:0], yours[:0])
    rows = np.concatenate([mine, yours])
    times = np.concatenate([ours.start[mine], theirs.start[yours]])
    border = len(mine)
    order, begins = _groups(np.concatenate(keys), times, alignment.tolerance_ms)
    size = np.diff(np.append(begins, len(order)))
    two = begins[size == 2]
    first, second = order[two], order[two + 1]
    simple = (first < border) != (second < border)
    first, second = first[simple], second[simple]
    left, right = rows[np.minimum(first, second)], rows[np.maximum(first, second)]
    _, sure = _weighed(ours, theirs, left, right, alignment, level)
    held, group = _crowded(order, begins, size, border)
    solved = _solve(ours, theirs, rows, order[held], group, border, alignment, level)
    return Found(np.concatenate([left[sure], solved.ours]), np.concatenate([right[sure], solved.theirs]))


def _crowded(order: Ints, begins: Ints, size: Ints, border: int) -> tuple[Ints, Ints]:
    """Return the places in `order` of groups of more than two rows with both bills in them, and the group of each."""
    large = np.flatnonzero(size > 2)
    if not len(large):
        return large, large
    sizes = size[large]
    ends = np.cumsum(sizes)
    places = np.repeat(begins[large] - (ends - sizes), sizes) + np.arange(ends[-1])
    others = np.add.reduceat(order[places] >= border, ends - sizes, dtype=np.int64)
    many = (others > 0) & (others < sizes)
    return places[np.repeat(many, sizes)], np.repeat(large[many], sizes[many])


def _groups(keys: npt.NDArray[np.uint64], times: Ints, reach_ms: int) -> tuple[Ints, Ints]:
    """Return rows sorted by key and time, and where groups begin: neighbours of one key that are no further apart than the tolerance.

    Key, coarse time and row are packed into one 63-bit word each, which sorts six times as fast as an order of indices. Two keys may fall
    together; then a group is larger than it need be and its pairs are told apart later.
    """
    count = len(keys)
    row_bits = int(count).bit_length()
    coarse = (times - times.min()) >> COARSE_BITS
    time_bits = int(coarse.max()).bit_length()
    key_bits = max(63 - row_bits - time_bits, 1)
    packed = (keys >> np.uint64(64 - key_bits)).astype(np.int64)
    packed <<= time_bits
    packed |= coarse
    packed <<= row_bits
    packed |= np.arange(count)
    packed.sort()
    order = packed & ((1 << row_bits) - 1)
    packed >>= row_bits
    reach = (reach_ms >> COARSE_BITS) + 1
    apart = np.diff(packed) > reach
    near_edge = packed & ((1 << time_bits) - 1)
    apart |= near_edge[1:] < near_edge[:-1]  # the next key begins
    return order, np.append(0, np.flatnonzero(apart) + 1)


def _weighed(ours: Calls, theirs: Calls, left: Ints, right: Ints, alignment: Alignment, level: str) -> tuple[Ints, Mask]:
    """Return what each possible pair costs by time and duration, and which are allowed."""
    late = theirs.start[right] - ours.start[left]
    talk, others_talk = ours.talk[left], theirs.talk[right]
    longer = others_talk - talk
    apart = np.abs(late)
    unlike = np.minimum(alignment.excess(longer), np.abs(late + longer) + END_MS)
    unlike[(others_talk == MISSING) | (talk == MISSING)] = 0
    reach, core, alike = alignment.tolerance_ms, alignment.core_tolerance_ms, alignment.alike_ms
    unlike = np.minimum(unlike, alike)
    allowed = apart + unlike * (reach - core) // alike <= reach
    if level == "numbers":
        allowed &= (ours.callee[left] == theirs.callee[right]) & (ours.caller[left] == theirs.caller[right])
    elif level == "callee":
        allowed &= (ours.callee[left] == theirs.callee[right]) & callers_agree(ours.caller[left], theirs.caller[right])
    else:
        allowed &= unlike < alike
        near = np.flatnonzero(allowed)
        allowed[near] = numbers_agree(ours.callee[left[near]], theirs.callee[right[near]])
        allowed[near] &= numbers_agree(ours.caller[left[near]], theirs.caller[right[near]])
    return apart + unlike * alignment.length_weight, allowed


def _worth(ours: Calls, theirs: Calls, left: Ints, right: Ints, alignment: Alignment, level: str) -> Ints:
    """Return what each possible pair is worth (0: not allowed): time and duration first, then what else agrees."""
    cost, allowed = _weighed(ours, theirs, left, right, alignment, level)
    worth = (alignment.tolerance_ms + alignment.alike_ms * alignment.length_weight - cost + 1) * 8
    for bit, name in ((4, "charge_micro"), (2, "billed_ms"), (1, "rate_nano")):
        worth += bit * (ours.frame[name][left] == theirs.frame[name][right])
    return np.where(allowed, worth, 0)


def _solve(ours: Calls, theirs: Calls, rows: Ints, order: Ints, group: Ints, border: int, alignment: Alignment, level: str) -> Found:
    """Return the pairs of groups in which more than two calls stand near one another."""
    if not len(order):
        return Found(rows[:0], rows[:0])
    mine, yours = order < border, order >= border
    left, left_group, left_mark = _ordered(ours, rows[order[mine]], group[mine])
    right, right_group, right_mark = _ordered(theirs, rows[order[yours]], group[yours])
    low, high = _band(ours.start[left], left_group, theirs.start[right], right_group, alignment.tolerance_ms)
    ends = np.cumsum(high - low)
    pieces = [0, *(np.searchsorted(ends, np.arange(BATCH, int(ends[-1]), BATCH)) + 1).tolist(), len(left)]
    edges = [_edges(ours, theirs, left, right, slice(x, y), low, high, alignment, level) for x, y in pairwise(pieces)]
    a, b, worth = (np.concatenate(column) for column in zip(*edges, strict=True))
    pick = choose(a, b, worth, (left_mark, right_mark), (ours.start[left], theirs.start[right]))
    return Found(left[a[pick]], right[b[pick]])


def _edges(
    ours: Calls, theirs: Calls, left: Ints, right: Ints, piece: slice, low: Ints, high: Ints, alignment: Alignment, level: str
) -> tuple[Ints, Ints, Ints]:
    """Return the possible pairs of a piece of our rows, as indices of left and right, and what they are worth."""
    wide = high[piece] - low[piece]
    a = np.repeat(np.arange(len(left))[piece], wide)
    b = np.arange(len(a)) - np.repeat(np.cumsum(wide) - wide, wide) + np.repeat(low[piece], wide)
    worth = _worth(ours, theirs, left[a], right[b], alignment, level)
    able = worth > 0
    return a[able], b[able], worth[able]


def _ordered(calls: Calls, rows: Ints, group: Ints) -> tuple[Ints, Ints, Ints]:
    """Return rows, groups and a mark of the contents, sorted by group and contents; rows all alike by their place in the file."""
    contents = [calls.frame[name][rows] for name in CONTENTS]
    tail = [calls.frame["source"][rows], *reversed(contents), calls.caller[rows], calls.callee[rows], calls.talk[rows]]
    order = np.lexsort((*tail, calls.start[rows], group))
    mark = np.zeros(len(rows), np.uint64)
    for values in (calls.start[rows], calls.talk[rows], calls.caller[rows], *contents):
        mark = (mark ^ values.view(np.uint64)) * MIX_A
        mark ^= mark >> np.uint64(31)
    return rows[order], group[order], (mark >> np.uint64(33)).astype(np.int64)[order]


def _band(times: Ints, group: Ints, others: Ints, other_group: Ints, reach: int) -> tuple[Ints, Ints]:
    """Return for each row the range of the other bill's rows in its group whose times are within reach; of more than NEAREST the middle."""
    least = min(int(times.min()), int(others.min())) - reach
    span = max(int(times.max()), int(others.max())) - least + 2 * reach + 1
    names, index = np.unique(np.concatenate([group, other_group]), return_inverse=True)
    del names
    mine = index[: len(group)] * span + (times - least)
    yours = index[len(group) :] * span + (others - least)
    low, high = np.searchsorted(yours, mine - reach), np.searchsorted(yours, mine + reach, side="right")
    middle = np.clip(np.searchsorted(yours, mine), low, high)
    many = high - low > NEAREST
    return np.where(many, np.maximum(low, middle - NEAREST // 2), low), np.where(many, np.minimum(high, middle + NEAREST // 2), high)
