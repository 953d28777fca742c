"""Tracks and baseline hours as rows; inside the caller's transaction."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa

from checks.finding import Key
from checks.history import Track
from reports.store import tables
from reports.store.accept import insert
from reports.store.values import Hour

DAYS_KEPT = 14
MAX_SERIES = 5000  # 5000 series x 336 hours = 1.7 million rows, about 60 MB

_KEY = ("agent", "node", "question", "item")
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def save_tracks(connection: sa.Connection, tracks: Iterable[Track]) -> None:
    """Write or replace these tracks."""
    rows = [{**dict(zip(_KEY, one.key, strict=True)), "body": msgspec.json.encode(one).decode()} for one in tracks]
    if rows:
        put = insert(connection, tables.track)
        connection.execute(put.on_conflict_do_update(index_elements=list(_KEY), set_={"body": put.excluded.body}), rows)


def read_tracks(connection: sa.Connection, agent: str | None) -> dict[Key, Track]:
    """Return the tracks of one agent, or of all, by key."""
    query = sa.select(tables.track.c.body)
    if agent is not None:
        query = query.where(tables.track.c.agent == agent)
    read = msgspec.json.Decoder(Track)
    return {one.key: one for one in (read.decode(body) for body in connection.execute(query).scalars())}


def drop_tracks(connection: sa.Connection, keys: Iterable[Key]) -> None:
    """Forget the tracks of these keys."""
    rows = [{f"the_{name}": part for name, part in zip(_KEY, key, strict=True)} for key in keys]
    if rows:
        this = [tables.track.c[name] == sa.bindparam(f"the_{name}") for name in _KEY]
        connection.execute(sa.delete(tables.track).where(*this), rows)


def save_hours(connection: sa.Connection, hours: list[Hour]) -> list[Key]:
    """Write or replace these hours; returns the keys beyond MAX_SERIES, not kept. ValueError for a median or MAD that is no number.

    Of the same agents all is dropped that is older than DAYS_KEPT before the newest of these hours, or DAYS_KEPT after it: such was
    written while a clock was wrong, and would be the newest for years.
    """
    if odd := [one.key for one in hours if not (math.isfinite(one.median) and math.isfinite(one.mad))]:
        raise ValueError(f"no number for {odd[0]}")
    ids = _series(connection, {one.key for one in hours})
    rows = [
        {"series_id": ids[one.key], "hour": _number(one.at), "count": one.count, "median": one.median, "mad": one.mad}
        for one in hours
        if one.key in ids
    ]
    if rows:
        put = insert(connection, tables.baseline_hour)
        new = {name: put.excluded[name] for name in ("count", "median", "mad")}
        connection.execute(put.on_conflict_do_update(index_elements=["hour", "series_id"], set_=new), rows)
        _prune(connection, {one.key[0] for one in hours}, max(_number(one.at) for one in hours if one.key in ids))
    return sorted({one.key for one in hours} - ids.keys())


def read_hours(connection: sa.Connection, hour_of_day: int, agent: str | None) -> list[Hour]:
    """Return the kept hours that begin at `hour_of_day` (UTC, 0 … 23), oldest first."""
    row, names = tables.baseline_hour.c, tables.series.c
    joined = tables.baseline_hour.join(tables.series, row.series_id == names.id)
    whose = sa.true() if agent is None else names.agent == agent
    newest = connection.execute(sa.select(row.hour).select_from(joined).where(whose).order_by(row.hour.desc()).limit(1)).scalar()
    if newest is None:
        return []
    wanted = [hour for hour in range(newest - DAYS_KEPT * 24 + 1, newest + 1) if hour % 24 == hour_of_day]
    query = (
        sa.select(*(names[name] for name in _KEY), row.hour, row.count, row.median, row.mad)
        .select_from(joined)
        .where(row.hour.in_(wanted), whose)
        .order_by(row.hour, row.series_id)
    )
    return [Hour((a, n, q, i), _EPOCH + hour * _HOUR, *rest) for a, n, q, i, hour, *rest in connection.execute(query)]


def _series(connection: sa.Connection, wanted: set[Key]) -> dict[Key, int]:
    """Return the ids of these keys, new ones made as far as MAX_SERIES allows."""
    known = _known(connection)
    new = sorted(wanted - known.keys())[: max(0, MAX_SERIES - len(known))]
    if new:
        rows = [dict(zip(_KEY, key, strict=True)) for key in new]
        connection.execute(insert(connection, tables.series).on_conflict_do_nothing(), rows)
        known = _known(connection)
    return {key: known[key] for key in wanted & known.keys()}


def _known(connection: sa.Connection) -> dict[Key, int]:
    names = tables.series.c
    query = sa.select(names.id, *(names[name] for name in _KEY))
    return {(a, n, q, i): number for number, a, n, q, i in connection.execute(query)}


def _prune(connection: sa.Connection, agents: set[str], newest: int) -> None:
    row, kept = tables.baseline_hour.c, DAYS_KEPT * 24
    theirs = row.series_id.in_(sa.select(tables.series.c.id).where(tables.series.c.agent.in_(sorted(agents))))
    odd = (row.hour <= newest - kept) | (row.hour >= newest + kept)
    if connection.execute(sa.delete(tables.baseline_hour).where(odd, theirs)).rowcount:
        used = sa.select(row.series_id).distinct()  # one pass over the hours, not one a series: others wait for this lock
        connection.execute(sa.delete(tables.series).where(tables.series.c.id.not_in(used)))


def _number(at: datetime) -> int:
    return (at - _EPOCH) // _HOUR
