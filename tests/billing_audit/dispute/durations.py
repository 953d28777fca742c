"""Causes of the measured length: duration_rounding, ring_time, hung_call, early_answer."""

import numpy as np

from tests.billing_audit.dispute.plant import VERDICT, Planted, Scene
from tests.billing_audit.dispute.price import Ints, whole_seconds


def duration_rounding(scene: Scene, side: str) -> Planted:
    """The side turns milliseconds into seconds another way, or subtracts truncated times: a second more or less."""
    talk, world = scene.world.talk_ms, scene.world
    others = [m for m in ("up", "down", "half_up") if m != scene.rounding]
    if scene.rng.random() < 0.3:
        way, written = (
            "truncated times",
            np.where(talk > 0, np.maximum((world.start_ms % 1000 + 317 * world.prefix % 1000 + talk) // 1000 * 1000, 1000), 0),
        )
    else:
        way = others[scene.rng.integers(len(others))]
        written = whole_seconds(talk, way) * 1000

    def duration(d: Ints) -> Ints:
        base = whole_seconds(talk, scene.rounding) * 1000
        return np.where(d == base, written, d)

    return Planted("duration_rounding", side, ("none",), {"rounding": way, "others": scene.rounding}, duration=duration)


def ring_time(scene: Scene, side: str) -> Planted:
    """The side counts from the INVITE; its start may be the INVITE's too."""
    ring, answered = scene.world.ring_ms, scene.world.answered
    from_invite = bool(scene.rng.random() < 0.5)
    return Planted(
        "ring_time",
        side,
        (VERDICT[side],),
        {"start": "invite" if from_invite else "answer"},
        duration=lambda d: np.where(answered, d + ring // 1000 * 1000, d),
        start=(lambda s: np.where(answered, s - ring // 1000 * 1000, s)) if from_invite else None,
    )


def hung_call(scene: Scene, side: str) -> Planted:
    """Some short calls were never closed on this side: they last until a timer ends them."""
    talk = scene.world.talk_ms
    chosen = scene.pick((talk > 0) & (talk < 600_000), int(scene.rng.integers(10, 60)))
    hours = scene.rng.choice(((1,), (2,), (4,), (12,), (24,), (1, 2, 4), (6, 12))[scene.rng.integers(7)], size=len(chosen))

    def duration(d: Ints) -> Ints:
        long = d.copy()
        long[chosen] = hours * 3_600_000
        return long

    return Planted(
        "hung_call", side, (VERDICT[side],), {"calls": len(chosen), "hours": str(sorted(set(hours.tolist())))}, duration=duration
    )


def early_answer(scene: Scene, side: str) -> Planted:
    """On one route the carrier answers before the called person does: one side counts that, and many calls end at once."""
    world, rng = scene.world, scene.rng
    counts = np.bincount(world.gateway[world.answered], minlength=len(world.gateways))
    route = int(rng.choice(np.flatnonzero(counts >= min(400, counts.max()))))
    here = (world.gateway == route) & world.answered & ~scene.gone
    short = here & (rng.random(world.rows) < 0.4)
    world.talk_ms[short] = rng.integers(1000, 7000, int(short.sum()))
    hit = here & (rng.random(world.rows) < rng.uniform(0.6, 0.95))
    extra = np.where(hit, rng.integers(3, 25, world.rows) * 1000, 0)
    scene.gone |= hit
    return Planted(
        "early_answer",
        side,
        ("carrier",),
        {"gateway": world.gateways[route]},
        duration=lambda d: d + extra,
        start=lambda s: s - extra,
    )
