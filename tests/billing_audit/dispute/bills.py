"""Both bills of a scene: every call priced on both sides, the difference split among the causes, the ledgers and the true pairs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from billing_audit.ledger import LEDGER, MISSING, PAIRED, PAIRS, Names, empty, hold, source_of
from billing_audit.numbers import PLAIN
from tests.billing_audit.dispute.plant import ORDER, SIDES, Planted, Scene
from tests.billing_audit.dispute.price import Ints, Method, parts_of, price
from tests.billing_audit.dispute.world import Deal, World, kept


@dataclass(frozen=True)
class Written:
    """Which columns a bill shows."""

    billed: bool
    rate: bool
    gateway: bool
    ring: bool
    answered: bool
    unanswered: bool  # calls that nobody answered are listed


@dataclass(frozen=True, eq=False)
class Dispute:
    """Two bills and the truth. `amounts` has a column "code/bill" per planted cause, rows as in `pairs`; row sums are l − c charge."""

    seed: int
    deal: Deal
    world: World
    names: Names
    local: pd.DataFrame
    customer: pd.DataFrame
    pairs: pd.DataFrame
    planted: tuple[Planted, ...]
    amounts: pd.DataFrame
    parts: dict[str, dict[int, tuple[int, ...]]]  # bill → head source → sources of all its rows
    written: dict[str, Written]

    @property
    def difference_micro(self) -> int:
        """Return local − customer, in micro-units."""
        charges = [int(f["charge_micro"].sum()) for f in (self.local, self.customer)]
        return charges[0] - charges[1]


def _side(scene: Scene, side: str) -> list[Planted]:
    return [p for p in scene.planted if p.departs == side]


def _durations(scene: Scene, base: Method, side: str) -> tuple[list[tuple[Planted, Ints]], Ints]:
    """Return what each cause of this side's durations is worth at the contract's price, and the durations as written."""
    worth, at, before = [], base.duration_ms, price(base)[1]
    hung = np.zeros(scene.world.rows, bool)  # what such a call lasted by another clock or rounding nobody can tell
    for cause in sorted((p for p in _side(scene, side) if p.duration), key=lambda p: p.code != "hung_call"):
        assert cause.duration
        changed = np.where(hung, at, cause.duration(at))
        if cause.code == "hung_call":
            hung = changed != at
        at = changed
        now = price(base.but(duration_ms=at))[1]
        worth.append((cause, now - before))
        before = now
    return worth, at


def _departures(scene: Scene, kept_: Method, side: str) -> tuple[list[tuple[Planted, Ints]], Ints, Ints, Method]:
    """Return what each departure from the contract is worth, billed time, charge, and the side's method."""
    left = sorted((p for p in _side(scene, side) if p.method), key=lambda p: ORDER.index(p.code))
    worth: list[tuple[Planted, Ints]] = []

    def method(causes: list[Planted]) -> Method:
        m = kept_
        for cause in causes:
            assert cause.method
            m = cause.method(m)
        return m

    full = method(left)
    billed, charge = price(full)
    before = charge
    while left:
        cause, left = left[0], left[1:]
        now = price(method(left))[1]
        worth.append((cause, before - now))
        before = now
    return worth, billed, charge, full


def bills(seed: int, scene: Scene, written: dict[str, Written]) -> Dispute:
    """Price every call on both sides, split the difference, and write the two ledgers."""
    world, rng = scene.world, scene.rng
    base = kept(scene.deal, world, scene.rounding)
    amounts = {id(p): np.zeros(world.rows, np.int64) for p in scene.planted}
    columns: dict[str, dict[str, Ints]] = {}
    extra: list[tuple[str, Planted]] = []
    for side, sign in zip(SIDES, (1, -1), strict=True):
        worth, duration = _durations(scene, base, side)
        more, billed, charge, full = _departures(scene, base.but(duration_ms=duration), side)
        for cause, value in worth + more:
            amounts[id(cause)] += sign * value
        there = world.answered | written[side].unanswered
        for cause in (p for p in _side(scene, side) if p.failed is not None):
            assert cause.failed is not None
            b, c = price(full.but(duration_ms=np.full(world.rows, max(1, full.free_s + 1, full.grace_s + 1) * 1000, np.int64)))
            billed[cause.failed], charge[cause.failed] = b[cause.failed], c[cause.failed]
            amounts[id(cause)][cause.failed] = sign * c[cause.failed]
            there = there.copy()
            there[cause.failed] = True
        extra += [(side, p) for p in _side(scene, side) if p.twice is not None]
        columns[side] = _columns_of(scene, side, duration, billed, charge, full, there)
    for cause in scene.planted:
        for side, mask in cause.lacks.items():
            columns[side]["there"] = columns[side]["there"] & ~mask
    l_there, c_there = columns["local"]["there"] == 1, columns["customer"]["there"] == 1
    one = l_there ^ c_there
    for values in amounts.values():
        values[one | ~(l_there | c_there)] = 0
    for cause in scene.planted:
        told = amounts[id(cause)]
        for side, mask in cause.lacks.items():
            other, sign = ("customer", -1) if side == "local" else ("local", 1)
            hit = mask & one & (columns[other]["there"] == 1)
            told[hit] = sign * columns[other]["charge_micro"][hit]
        if cause.failed is not None:
            sign = 1 if cause.departs == "local" else -1
            told[cause.failed] = sign * columns[cause.departs]["charge_micro"][cause.failed]
    return _frames(seed, scene, written, columns, amounts, extra, rng)


def _columns_of(scene: Scene, side: str, duration: Ints, billed: Ints, charge: Ints, full: Method, there: Ints) -> dict[str, Ints]:
    """Return what this bill says about each call."""
    world = scene.world
    own = _side(scene, side)
    start = world.start_ms // 1000 * 1000
    if scene.jitter and side == "customer":
        start = start + np.where(scene.rng.random(world.rows) < scene.jitter, scene.rng.choice((-1000, 1000), size=world.rows), 0)
    for cause in (p for p in own if p.start):
        assert cause.start
        start = cause.start(start)
    wall = world.clock.wall(start)
    for cause in (p for p in own if p.wall):
        assert cause.wall
        wall = cause.wall(start, wall)
    over, under = full.scale
    shown = full.rate_nano
    if (over, under) != (1, 1) and any(p.code == "scale" and p.parameters["kind"] != "tax" for p in own):
        shown = shown * over // under  # a tax is not in the price a minute
    return {
        "start_ms": world.clock.utc(wall),
        "ring_ms": world.ring_ms,
        "duration_ms": duration,
        "billed_ms": billed,
        "rate_nano": shown,
        "charge_micro": charge,
        "answered": world.answered.astype(np.int64),
        "gateway": world.gateway,
        "parts": parts_of(duration // 1000, full.part_s)[0] + 1,
        "part_s": np.full(world.rows, full.part_s, np.int64),
        "there": there.astype(np.int64),
        "_full": full,  # type: ignore[dict-item]
    }


def _frames(seed, scene, written, columns, amounts, extra, rng) -> Dispute:
    """Write both ledgers in their own order, and the pairs that are true."""
    world = scene.world
    names = Names()
    gateways = np.array([names.index(g) for g in world.gateways], np.int64)[world.gateway]
    heads: dict[str, Ints] = {}
    frames: dict[str, pd.DataFrame] = {}
    doubles: list[tuple[str, Planted, Ints, Ints]] = []
    parts: dict[str, dict[int, tuple[int, ...]]] = {}
    for file, side in enumerate(SIDES):
        said = columns[side]
        call = np.flatnonzero(said["there"] == 1).astype(np.int64)
        twice = [(p, p.twice[said["there"][p.twice] == 1]) for s, p in extra if s == side and p.twice is not None]
        record = np.concatenate([call, *(t for _, t in twice)])
        of = np.concatenate([np.full(len(call), -1, np.int64), *(np.full(len(t), n, np.int64) for n, (_, t) in enumerate(twice))])
        row = np.repeat(np.arange(len(record)), said["parts"][record])
        piece = np.arange(len(row)) - np.repeat(np.cumsum(said["parts"][record]) - said["parts"][record], said["parts"][record])
        start = said["start_ms"][record[row]] + piece * said["part_s"][record[row]] * 1000
        order = np.lexsort((rng.random(len(row)), start))
        line = np.empty(len(row), np.int64)
        line[order] = np.arange(len(row)) + 2  # behind a header
        source = line + source_of(file, 0)
        first = np.flatnonzero(piece == 0)
        heads[side] = np.full(world.rows, MISSING, np.int64)
        heads[side][call] = source[first][of == -1]
        doubles += [(side, p, t, source[first][of == n]) for n, (p, t) in enumerate(twice)]
        frames[side] = _ledger(world, said, written[side], record, row, piece, start, source, gateways).iloc[order].reset_index(drop=True)
        many = np.flatnonzero(said["parts"][record][row] > 1)
        chains: dict[int, list[int]] = {}
        for index in many.tolist():
            chains.setdefault(int(source[first[row[index]]]), []).append(int(source[index]))
        parts[side] = {head: tuple(all_) for head, all_ in chains.items()}
    return _finish(seed, scene, written, columns, amounts, frames, heads, doubles, parts, names, gateways)


def _ledger(world, said, shows: Written, record, row, piece, start, source, gateways) -> pd.DataFrame:
    """Return one bill's rows as a reader gives them; calls in parts are cut."""
    frame = empty(LEDGER, len(row))
    call = record[row]
    frame["source"], frame["caller"], frame["callee"] = source, world.caller[call] + PLAIN, world.callee[call] + PLAIN
    frame["start_ms"] = start
    last = piece == said["parts"][call] - 1
    cut = said["part_s"][call] * 1000
    talk = np.where(last, said["duration_ms"][call] - piece * cut, cut)
    frame["duration_ms"] = talk
    whole = said["parts"][call] == 1
    billed, charge = said["billed_ms"][call].copy(), said["charge_micro"][call].copy()
    if not whole.all():
        rest = np.flatnonzero(~whole)
        full: Method = said["_full"]
        at = call[rest]
        own = Method(
            talk[rest],
            full.minimum_s[at],
            full.increment_s[at],
            full.rate_nano[at],
            full.fee_micro[at],
            full.from_zero,
            full.free_s,
            full.grace_s,
            full.scale,
            full.digits,
            full.mode,
        )
        billed[rest], charge[rest] = price(own)
    frame["charge_micro"] = charge
    if shows.billed:
        frame["billed_ms"] = billed
    if shows.rate:
        frame["rate_nano"] = said["rate_nano"][call]
    if shows.gateway:
        frame["gateway"] = gateways[call]
    if shows.ring:
        frame["ring_ms"] = np.where(piece == 0, said["ring_ms"][call] // 1000 * 1000, 0)
    if shows.answered:
        frame["answered"] = said["answered"][call]
    frame["parts"] = 1
    return hold(frame, LEDGER)


def _finish(seed, scene, written, columns, amounts, frames, heads, doubles, parts, names, gateways) -> Dispute:
    """Return the dispute with its true pairs and the money of each cause in each of them."""
    world = scene.world
    call = np.flatnonzero((heads["local"] != MISSING) | (heads["customer"] != MISSING)).astype(np.int64)
    index = np.concatenate([call, *(t for _, _, t, _ in doubles)])
    pairs = empty(PAIRS, len(index))
    pairs["caller"], pairs["callee"] = world.caller[index] + PLAIN, world.callee[index] + PLAIN
    for side in SIDES:
        told = np.full(len(index), MISSING, np.int64)
        told[: len(call)] = heads[side][call]
        at = len(call)
        for other, _, rows, sources in doubles:
            if other == side:
                told[at : at + len(rows)] = sources
            at += len(rows)
        pairs[f"{side[0]}_source"] = told
        here = told != MISSING
        shows = written[side]
        for name in PAIRED:
            if name in ("billed_ms", "rate_nano", "gateway", "ring_ms", "answered") and not getattr(shows, name.split("_")[0]):
                continue
            value = gateways if name == "gateway" else columns[side][name]
            if name == "ring_ms":
                value = value // 1000 * 1000
            pairs[f"{side[0]}_{name}"] = np.where(here, value[index], MISSING)
    worth = {}
    for cause in scene.planted:
        told = amounts[id(cause)][index]
        told[len(call) :] = 0
        at = len(call)
        for side, by, rows, _ in doubles:
            if by is cause:
                told[at : at + len(rows)] = (1 if side == "local" else -1) * columns[side]["charge_micro"][rows]
            at += len(rows)
        worth[f"{cause.code}/{cause.departs}"] = told
        both = (pairs["l_source"] != MISSING).to_numpy() & (pairs["c_source"] != MISSING).to_numpy()
        cause.amount_micro = int(told.sum())
        cause.records = int((cause.rows[index] & both).sum()) if cause.rows is not None else int((told != 0).sum())
    order = np.lexsort((pairs["c_source"].to_numpy(), pairs["l_source"].to_numpy()))
    pairs = hold(pairs.iloc[order].reset_index(drop=True), PAIRS)
    table = pd.DataFrame(worth, index=range(len(index)), copy=False).iloc[order].reset_index(drop=True)
    return Dispute(seed, scene.deal, world, names, frames["local"], frames["customer"], pairs, tuple(scene.planted), table, parts, written)
