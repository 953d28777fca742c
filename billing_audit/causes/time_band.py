"""`time_band`: the side leaves out the hours with a price of their own, moves them, gives them another ratio, or makes some of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from billing_audit.infer.amount import mode_of, plainest
from billing_audit.infer.machine import Straight
from billing_audit.infer.rates import ratio_of
from billing_audit.infer.view import FEW, Departure, View
from billing_audit.ledger import MISSING, Note, Value
from billing_audit.terms import Band, Terms

CODE = "time_band"
WEEK, END = (0, 1, 2, 3, 4), (5, 6)
TURNS = ((5, 6), (4, 5), (6, 0), (4,), (5,), (6,), (0, 1, 2, 3, 4, 5), WEEK, (0, 1, 2, 3, 4, 5, 6))
MOST_OWN = 3  # bands that only the charges know
MOST_LOOKED = 30_000  # calls on which bands are tried


@dataclass(frozen=True)
class Bend(Straight):
    """Other bands."""

    bands: tuple[Band, ...]
    boundary: str

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with these bands."""
        return msgspec.structs.replace(terms, bands=self.bands, band_boundary="split" if self.boundary == "split" else "start")


def find(view: View) -> Departure | None:
    """Return the departure in bands: of those tried the one with which most calls fit."""
    fits = view.fits()
    odd = int((~fits).sum())
    if odd < max(FEW, 0.002 * fits.size):
        return None
    step = max(1, fits.size // MOST_LOOKED)
    part = view.part(np.arange(0, fits.size, step))
    terms = view.reference.terms
    before = int(part.fits().sum())
    size = part.calls.charge.size
    best: tuple[int, str, Bend] | None = None
    for name, bands, boundary in (*_moved(terms), *_ratios(part)):
        bend = Bend(bands, boundary)
        hits = int(part.fits([*view.bends, bend]).sum())
        if best is None or hits > best[0] + max(2, 0.0005 * size):
            best = (hits, name, bend)
    if best is None or best[0] - before < max(FEW, 0.002 * size):
        return None
    hits, name, bend = best
    touched = _touched(part, bend)
    within = int((part.fits([*view.bends, bend]) & touched).sum())
    if within < 0.5 * int(touched.sum()):
        return None
    told: dict[str, Value] = {"rows": within * step, "of": int(touched.sum()) * step, "what": name}
    parameters: dict[str, Value] = {
        "what": name,
        "bands": " ".join(text(band) for band in bend.bands),
        "contract": " ".join(text(b) for b in terms.bands),
    }
    return Departure(
        CODE,
        bend,
        "bands",
        parameters,
        within / max(1, int(touched.sum())),
        within * step,
        (Note("audit.evidence.time_band", told),),
        Note("audit.evidence.separates.time_band"),
    )


def text(band: Band) -> str:
    """Return a band as "weekend 00:00-00:00 ×0.75"."""
    days = "".join(str(day + 1) for day in band.weekdays)
    return f"{band.name} {band.start:%H:%M}-{band.end:%H:%M} {days} ×{'…' if band.ratio is None else band.ratio}"


def _touched(view: View, bend: Bend) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which calls cost something else with the bend than without."""
    return np.asarray(np.abs(view.charge([*view.bends, bend]) - view.charge()) > view.tolerance, np.bool_)


def _moved(terms: Terms) -> Iterator[tuple[str, tuple[Band, ...], str]]:
    """Yield the ways to have the contract's bands wrong: none, split or not, other hours, other days, a zone's shift."""
    bands, boundary = terms.bands, terms.band_boundary
    if not bands:
        return
    yield "left out", (), boundary
    yield "boundary", bands, "start" if boundary == "split" else "split"
    for hours in (*range(-12, 0), *range(1, 13)):
        yield "shifted", tuple(_turned(band, hours, hours) for band in bands), boundary
    for head in (-2, -1, 0, 1, 2):
        for tail in (-2, -1, 0, 1, 2):
            if head != tail:
                yield "hours", tuple(_turned(band, head, tail) for band in bands), boundary
    for index, band in enumerate(bands):
        for days in TURNS:
            if days != band.weekdays:
                other = msgspec.structs.replace(band, weekdays=days)
                yield "weekdays", (*bands[:index], other, *bands[index + 1 :]), boundary
                for hours in (-2, -1, 1, 2):
                    rest = tuple(other if n == index else _turned(b, hours, hours) for n, b in enumerate(bands))
                    yield "hours and weekdays", rest, boundary
        yield "one left out", (*bands[:index], *bands[index + 1 :]), boundary


def _turned(band: Band, head: int, tail: int) -> Band:
    if band.start == band.end:
        return band
    return msgspec.structs.replace(band, start=_hour(band.start, head), end=_hour(band.end, tail))


def _hour(at: time, hours: int) -> time:
    return time((at.hour + hours) % 24, at.minute)


def _ratios(view: View) -> Iterator[tuple[str, tuple[Band, ...], str]]:
    """Yield the contract's bands with the ratio that the charges within each imply, and bands that only the charges know."""
    terms = view.reference.terms
    prices, _ = view.desk.prices(view.bends)
    seconds = view.desk.billed_ms(view.bends) // 1000
    cost = ratio_of(view)
    plain = prices.rate_nano.astype(np.float64) * seconds / 60_000
    good = (prices.rate_nano != MISSING) & (plain > 20 * view.grain)
    if good.sum() < 50:
        return
    odd = good & ~view.fits()
    if terms.bands:
        new = []
        for index, band in enumerate(terms.bands):
            rows = good & (prices.band == index)
            own = band.ratio
            if own is not None and rows.sum() >= 20:
                share = mode_of(cost[rows] / plain[rows], view.grain / plain[rows])
                own = Decimal(str(round(plainest(float(own) * share, 0.001), 6)))
            new.append(msgspec.structs.replace(band, ratio=own))
        yield "ratio", tuple(new), terms.band_boundary
        return
    made: list[Band] = []
    least = 0.5 if "bands" in view.reference.fixed else 0.3  # of what does not fit
    paid, width = cost / np.maximum(plain, 1e-9), view.grain / np.maximum(plain, 1e-9)
    for _ in range(MOST_OWN):
        if odd.sum() < max(20, 0.01 * odd.size):
            return
        ratio = plainest(mode_of(paid[odd], width[odd]), 0.001)
        near = odd & (np.abs(paid - ratio) <= 0.003 * ratio)
        found = _own(view, near, good, ratio) if near.sum() >= least * odd.sum() and abs(ratio - 1) >= 0.005 else None
        if found is None:
            return
        made.append(found)
        yield "own", tuple(made), "start"
        odd &= ~near


def _own(view: View, near: np.ndarray, good: np.ndarray, ratio: float) -> Band | None:
    """Return a band made of the hours and weekdays in which nearly all calls have this ratio."""
    local = calendar_hours(view)
    hour, day = local // 3_600_000 % 24, (local // 86_400_000 + 3) % 7
    share = np.zeros((7, 24))
    many = np.zeros((7, 24))
    np.add.at(many, (day[good], hour[good]), 1)
    np.add.at(share, (day[near], hour[near]), 1)
    full = (share > 0.6 * np.maximum(many, 1)) & (many > 0)
    days = tuple(d for d in range(7) if full[d].any())
    if not days:
        return None
    in_band = full[list(days)].mean(axis=0) >= 0.5
    hours = np.flatnonzero(in_band)
    if not hours.size:
        return None
    if in_band.all():
        begin = end = 0
    else:
        begin = int(next(h for h in hours if not in_band[h - 1]))
        end = int(next(h for h in hours if not in_band[(h + 1) % 24]) + 1) % 24
    return Band("own", time(begin), time(end), days, ratio=Decimal(str(round(ratio, 6))))


def calendar_hours(view: View) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return starts on the wall clock of the contract's zone, ms."""
    start = view.calls.start_ms
    hours, inverse = np.unique(start // 3_600_000, return_inverse=True)
    zone = ZoneInfo(view.reference.zone)
    offsets = [datetime.fromtimestamp(hour * 3600, zone).utcoffset() or timedelta() for hour in hours.tolist()]
    return np.asarray(start + np.array([int(one.total_seconds()) * 1000 for one in offsets], np.int64)[inverse], np.int64)
