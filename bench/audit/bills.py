"""Two bills of a dispute of any size, with contract and rates: `python -m bench.audit.bills FOLDER ROWS few|all`."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc

Ints = npt.NDArray[np.int64]
SEED = 20261001
BEGIN_S = 1_790_812_800  # 2026-10-01 00:00 UTC
PERIOD_S = 31 * 86_400
CHUNK = 500_000
PREFIXES = 2_000
CONTRACT = """currency = "USD"
timezone = "UTC"
increment = "60/60"
[period]
start = 2026-10-01
end = 2026-11-01
"""


def deck(random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return prefixes (5 digits) and rates (10⁻⁴ a minute)."""
    return np.sort(random.choice(np.arange(20_000, 99_999), PREFIXES, replace=False)), random.integers(50, 4_000, PREFIXES)


def write(folder: Path, rows: int, differ: str) -> None:
    """Write local.csv, customer.csv, contract.toml, rates.csv. 1 % missing on either side, 1 % redials; 5 % or all of the calls differ."""
    random = np.random.default_rng(SEED)
    prefixes, rates = deck(random)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.toml").write_text(CONTRACT)
    lines = [f"{prefix},zone {prefix},{rate / 1e4:.4f},2026-01-01" for prefix, rate in zip(prefixes, rates, strict=True)]
    (folder / "rates.csv").write_text("\n".join(["prefix,destination,rate,effective_from", *lines]) + "\n")
    callees = prefixes[random.integers(0, PREFIXES, max(rows // 20, 1_000))] * 10**7 + random.integers(10**6, 10**7, max(rows // 20, 1_000))
    wrong = random.random(PREFIXES) < 0.05
    with pc.CSVWriter(folder / "local.csv", SCHEMA) as ours, pc.CSVWriter(folder / "customer.csv", SCHEMA) as theirs:
        for first in range(0, rows, CHUNK):
            _chunk(random, ours, theirs, first, min(CHUNK, rows - first), rows, (prefixes, rates, wrong, callees), differ)


SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("caller", pa.int64()),
        ("callee", pa.int64()),
        ("start_time", pa.timestamp("s")),
        ("duration", pa.int64()),
        ("billed", pa.int64()),
        ("rate", pa.decimal128(9, 4)),
        ("charge", pa.decimal128(18, 6)),
    ]
)


def _chunk(
    random: np.random.Generator, ours: pc.CSVWriter, theirs: pc.CSVWriter, first: int, rows: int, of: int,
    world: tuple[Ints, Ints, npt.NDArray[np.bool_], Ints], differ: str,
) -> None:  # fmt: skip
    prefixes, rates, wrong, callees = world
    caller = 10**10 * 3 + random.integers(10**6, 10**7, rows)
    callee = callees[random.integers(0, callees.size, rows)]
    start = BEGIN_S + np.sort(random.integers(0, PERIOD_S // -(-of // CHUNK), rows)) + PERIOD_S * (first // CHUNK) // -(-of // CHUNK)
    again = np.flatnonzero(random.random(rows - 1) < 0.01) + 1  # redials: the same two numbers half a minute later
    caller[again], callee[again], start[again] = caller[again - 1], callee[again - 1], start[again - 1] + 30
    duration = random.geometric(1 / 120, rows)
    group = np.searchsorted(prefixes, callee // 10**7)
    rate = rates[group]
    identity = np.arange(first, first + rows)
    ours.write_table(_table(random, identity, caller, callee, start, duration, rate, 60))
    late = start + random.integers(0, 2, rows)
    if differ == "all":
        theirs.write_table(_table(random, identity, caller, callee, late, duration, rate, 1))
    else:
        theirs.write_table(_table(random, identity, caller, callee, late, duration, np.where(wrong[group], rate * 9 // 10, rate), 60))


def _table(
    random: np.random.Generator, identity: Ints, caller: Ints, callee: Ints, start: Ints, duration: Ints, rate: Ints, step: int
) -> pa.Table:
    kept = np.flatnonzero(random.random(identity.size) >= 0.01)
    billed = -(-duration // step) * step
    charge = (rate * billed * 100 * 2 + 60) // 120  # rate · 10⁻⁴ · billed / 60, to micro-units, half up
    columns = [identity, caller, callee, start, duration, billed]
    arrays = [pa.array(column[kept]) for column in columns]
    arrays[3] = arrays[3].cast(pa.timestamp("s"))
    return pa.Table.from_arrays([*arrays, _decimal(rate[kept], SCHEMA.types[6]), _decimal(charge[kept], SCHEMA.types[7])], schema=SCHEMA)


def _decimal(values: Ints, kind: pa.DataType) -> pa.Array:
    words = np.zeros((values.size, 2), np.int64)
    words[:, 0] = values
    return pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(words)])


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
