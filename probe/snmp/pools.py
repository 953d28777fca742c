"""What can be used up, and the state of a UPS, by a vendor's rules."""

from collections.abc import Iterable, Iterator, Mapping

from probe.observation.device import PoolSample, UpsSample
from probe.snmp.columns import Columns, instance
from probe.snmp.forms import raw_number
from probe.snmp.place import Place, counts
from probe.snmp.vendor import Pool, Ups

UNTOLD = 2**31 - 1  # from here on a number is a sign that there is none (4294967295 minutes)


def columns_of_pool(pool: Pool) -> Iterator[str]:
    """Yield the columns of a pool's values."""
    return (oid for oid in (pool.ratio, pool.used, pool.free, pool.most) if oid)


def label_columns(pool: Pool, columns: Columns) -> Iterator[str]:
    """Yield the columns of a pool's names, if the device has such a pool."""
    if columns.rows(_leading(pool)):
        yield from pool.labels.values()


def _leading(pool: Pool) -> str:
    """Return the column whose rows are the pools: the first that the rule names of ratio, used and free."""
    return next(columns_of_pool(pool))


def read_pool(pool: Pool, columns: Columns, place: Place) -> Iterator[PoolSample]:
    """Yield the pools of one rule; what a row does not tell is None."""
    leading = _leading(pool)
    for index in columns.rows(leading):
        if not counts(pool.when, columns, leading, index):
            continue
        used, free, most, ratio = (
            raw_number(columns.value(spec, index)) if spec else None for spec in (pool.used, pool.free, pool.most, pool.ratio)
        )
        if most is None and used is not None and free is not None:
            most = used + free
        if used is None and most is not None and free is not None:
            used = most - free
        if most is not None and (most <= 0 or (used or 0) < 0):
            most = None
        share = round(ratio * pool.ratio_scale, 9) if ratio is not None else used / most if used is not None and most else None
        yield PoolSample(
            pool.kind,
            place.name(pool.name, pool.labels, index, ""),
            None if used is None or used < 0 else used * pool.scale,
            None if most is None else most * pool.scale,
            share if share is not None and 0 <= share <= 1.05 else None,
            instance(leading, index),
        )


def read_pools(pools: Iterable[Pool], columns: Columns, place: Place) -> list[PoolSample]:
    """Return the pools of all rules; what an earlier rule told of the same name stands (an older MIB beside its successor)."""
    found: dict[tuple[str, str], list[PoolSample]] = {}
    for pool in pools:
        told: dict[tuple[str, str], list[PoolSample]] = {}
        for sample in read_pool(pool, columns, place):
            told.setdefault((sample.kind, sample.name), []).append(sample)
        found |= {key: samples for key, samples in told.items() if key not in found}
    return [sample for samples in found.values() for sample in samples]


def columns_of_ups(ups: Ups) -> Iterator[str]:
    """Yield the columns and scalars of a UPS."""
    return (oid for oid in (ups.output, ups.battery, ups.replace, ups.on_battery, ups.minutes, ups.charge, ups.load) if oid)


def read_ups(ups: Ups, columns: Columns) -> UpsSample | None:
    """Return the state of a UPS; None where the device tells neither output, charge nor battery: it is none."""

    def told(oid: str, scale: float = 1) -> float | None:
        number = next((raw_number(value) for value in columns.rows(oid).values()), None) if oid else None
        return None if number is None or not 0 <= number < UNTOLD else round(number * scale, 9)

    def word(oid: str, words: Mapping[str, str]) -> str | None:
        number = told(oid)
        return None if number is None else words.get(str(int(number)), "other" if oid == ups.output else "unknown")

    output, battery, charge = word(ups.output, ups.output_words), word(ups.battery, ups.battery_words), told(ups.charge, ups.charge_scale)
    if output is None and battery is None and charge is None:
        return None
    if (replace := told(ups.replace)) is not None and int(replace) in ups.replace_is:
        battery = "replace"
    minutes, load = told(ups.minutes, ups.minutes_scale), told(ups.load, ups.load_scale)
    return UpsSample(output, battery, told(ups.on_battery, ups.on_battery_scale), minutes, charge, load)
