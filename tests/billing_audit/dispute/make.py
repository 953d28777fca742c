"""make(seed) → a dispute nobody has seen: two bills, the contract, and the truth about every micro-unit between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from billing_audit.ledger import LEDGER, MISSING, PAIRED, PAIRS, Names, empty, hold, source_of
from billing_audit.numbers import PLAIN
from tests.billing_audit.dispute import durations, methods, presence, rates, times
from tests.billing_audit.dispute.plant import CODES, MINIMUM, NO_MONEY, ORDER, SIDES, Planted, Rejected, Scene
from tests.billing_audit.dispute.price import Ints, Method, parts_of, price
from tests.billing_audit.dispute.world import Deal, World, draw_deal, draw_world, kept

Demand = Callable[[np.random.Generator, Deal], None]

PLANT: Final[dict[str, Callable[[Scene, str], Planted]]] = {
    code: next(getattr(room, code) for room in (rates, methods, durations, presence, times) if hasattr(room, code)) for code in CODES
}
DEMANDS: Final[dict[str, Demand]] = {
    "increment_anchor": methods.demand_uneven,
    "free_seconds": methods.demand_free,
    "scale": methods.demand_fine,
    "time_band": rates.draw_bands,
    "dst": times.demand_dst,
}
PARAMETER: Final = {  # two causes that move one parameter can't be told apart
    "increment": "increment",
    "increment_anchor": "increment",
    "free_seconds": "fee",
    "connection_fee": "fee",
    "ring_time": "duration",
    "duration_rounding": "duration",
    "early_answer": "duration",
    "timezone": "zone",
    "dst": "zone",
    "hung_call": "long calls",
    "partial_records": "long calls",
    "cost_rounding": "unit",
    "scale": "unit",
}
FIRST: Final = ("cut_off", "early_answer")  # these move calls in the world itself
ONE_SIDED: Final = {"missing_outage": "local", "missing_import": "customer", "timezone": "customer"}


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


def conflict(codes: Sequence[tuple[str, str]]) -> str | None:
    """Return why these causes can't be told apart when they are planted together; None: they can."""
    seen: dict[str, str] = {}
    for code, _ in codes:
        told = PARAMETER.get(code)
        if told and told in seen:
            return f"{seen[told]} and {code} move one parameter: {told}"
        if told:
            seen[told] = code
    sides = dict(codes)
    if sides.get("dst") == "local" and {"time_band", "rate_change", "rate_change_zone"} & set(sides):
        return "a price by the clock, and our own clock is the one that departs"
    return None


def draw_codes(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """Return so many (code, departing bill) by chance; they may be in conflict."""
    chosen = rng.choice(CODES, size=count, replace=False)
    return [(str(c), ONE_SIDED.get(str(c), str(rng.choice(SIDES)))) for c in chosen]


def make(seed: int, codes: Sequence[tuple[str, str]] | None = None, rows: int = 20_000, least: bool = True) -> Dispute:
    """Return the dispute of this seed; without `codes`, 1 to 4 causes by chance. Rejected when nobody could tell its causes.

    `least=False` skips the test of the minimum effect (for those who plant below it on purpose).
    """
    rng = np.random.default_rng(seed)
    if codes is None:
        codes = draw_codes(rng, int(rng.integers(1, 5)))
    why = conflict(codes)
    if why:
        raise Rejected(why)
    sides = dict(codes)
    deal = draw_deal(rng)
    if "time_band" not in sides and sides.get("dst") != "local" and rng.random() < 0.1:
        rates.draw_bands(rng, deal)
    for code, demand in DEMANDS.items():
        if code in sides:
            demand(rng, deal)
    unanswered = "failed_call" in sides or rng.random() < 0.3
    world = draw_world(rng, deal, rows, float(rng.uniform(0.1, 0.35)) if unanswered else 0.0)
    scene = Scene(rng, deal, world, str(rng.choice(("up", "down", "half_up"))), gone=np.zeros(rows, bool))
    for code, side in sorted(codes, key=lambda c: (c[0] not in FIRST, CODES.index(c[0]))):
        scene.planted.append(PLANT[code](scene, side))
    listed = bool(unanswered and ("failed_call" not in sides or rng.random() < 0.6))
    # our own bill that counts from the INVITE and starts there has no answer time, so no set-up either
    blind = any(p.code == "ring_time" and p.departs == "local" and p.start for p in scene.planted)
    dispute = _bills(seed, scene, {side: _columns(rng, side, listed, sides, blind) for side in SIDES})
    if least:
        _enough(dispute)
    return dispute


def _columns(rng: np.random.Generator, side: str, listed: bool, sides: dict[str, str], blind: bool) -> Written:
    ours = side == "local"
    return Written(
        billed=bool(rng.random() < 0.75),
        rate=bool(rng.random() < 0.6),
        gateway=ours or bool(rng.random() < 0.4),
        ring=ours and not blind and ("ring_time" in sides or bool(rng.random() < 0.4)),
        answered=listed or "failed_call" in sides or bool(rng.random() < 0.3),
        unanswered=listed,
    )


def _side(scene: Scene, side: str) -> list[Planted]:
    return [p for p in scene.planted if p.departs == side]


def _durations(scene: Scene, base: Method, side: str) -> tuple[list[tuple[Planted, Ints]], Ints]:
    """Return what each cause of this side's durations is worth at the contract's price, and the durations as written."""
    worth, at, before = [], base.duration_ms, price(base)[1]
    for cause in (p for p in _side(scene, side) if p.duration):
        assert cause.duration
        at = cause.duration(at)
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


def _bills(seed: int, scene: Scene, written: dict[str, Written]) -> Dispute:
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
        shown = shown * over // under
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


def _enough(dispute: Dispute) -> None:
    """Raise Rejected when a cause has less than the least effect at which it can be told."""
    bill = max(1, int(dispute.customer["charge_micro"].sum()), int(dispute.local["charge_micro"].sum()))
    for cause in dispute.planted:
        rows, millionths = MINIMUM[cause.code]
        small = min(bill, int(dispute.local["charge_micro"].sum()) or bill, int(dispute.customer["charge_micro"].sum()) or bill)
        if cause.records < rows or (cause.code not in NO_MONEY and abs(cause.amount_micro) * 1_000_000 < small * millionths):
            raise Rejected(f"{cause.code} is below the least effect: {cause.records} records, {cause.amount_micro} micro-units")
