"""All pairs as Parquet: decimals, timestamps, texts and nulls for people and other programs; read back here, the integers again."""

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing_audit.ledger import LINE_BITS, MISSING, PAIRED, PAIRS, Names
from billing_audit.numbers import MASK_COUNT, MASK_HEAD, MASKED, MOST_DIGITS, PLAIN, PLUS, TAG, decode, encode

Ints = npt.NDArray[np.int64]

APPLIES: Final = "applies"
CAUSES: Final = "causes"
MONEY: Final = pa.decimal64(18, 6)
RATE: Final = pa.decimal64(18, 9)
TIME: Final = pa.timestamp("ms", tz="UTC")
KINDS: Final = {"start_ms": TIME, "charge_micro": MONEY, "rate_nano": RATE, "answered": pa.bool_(), "parts": pa.int32()}
NAMED: Final = {"start_ms": "start", "charge_micro": "charge", "rate_nano": "rate"}
GROUP_ROWS: Final = 1 << 17
_STARS: Final = pa.array(["*" * count for count in range(100)])
_MOST_MASKED: Final = 99


def columns_of(amounts: Sequence[str]) -> list[str]:
    """Return the names of the columns, in order; `amounts` are "cause/side" and "unexplained"."""
    paired = [f"{side}_{NAMED.get(name, name)}" for side in "lc" for name in PAIRED]
    return ["l_file", "l_line", "c_file", "c_line", "caller", "callee", *paired, CAUSES, *amounts]


def table_of(pairs: pd.DataFrame, amounts: pd.DataFrame, applies: Ints, names: Names, files: Sequence[str]) -> pa.Table:
    """Return pairs (PAIRS) and amounts as people read them; `applies` has bit n set where the cause of column n shows itself."""
    arrays: list[pa.Array] = []
    for source in ("l_source", "c_source"):
        told = pairs[source].to_numpy()
        there = told != MISSING
        arrays.append(_looked_up(np.where(there, told >> LINE_BITS, MISSING), files))
        arrays.append(pa.array(told & ((1 << LINE_BITS) - 1), mask=None if there.all() else ~there))
    arrays += [_numbers(pairs["caller"].to_numpy(), names), _repeated(pairs["callee"].to_numpy(), names)]
    for side in "lc":
        for name in PAIRED:
            values = pairs[f"{side}_{name}"].to_numpy()
            arrays.append(_looked_up(values, names.texts) if name == "gateway" else _column(values, KINDS.get(name)))
    arrays.append(_causes(applies, list(amounts.columns)))
    arrays += [_column(amounts[name].to_numpy(), MONEY) for name in amounts.columns]
    return pa.Table.from_arrays(arrays, names=columns_of(list(amounts.columns)))


def _column(values: Ints, kind: pa.DataType | None) -> pa.Array:
    """Return a column in which MISSING is null, as `kind` without a change of its bits where that can be."""
    missing = bool(values.size) and int(values.min()) == MISSING
    plain = pa.array(values, mask=values == MISSING if missing else None)
    if kind is None:
        return plain
    if kind in (MONEY, RATE):
        return pa.Array.from_buffers(kind, len(plain), plain.buffers(), plain.null_count)
    return plain.cast(kind)


def _looked_up(index: Ints, texts: Sequence[str]) -> pa.Array:
    """Return the text of each index, null for MISSING."""
    if not texts:
        return pa.nulls(index.size, pa.dictionary(pa.int32(), pa.string()))
    codes = _column(index, pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(texts, pa.string()))


def _numbers(codes: Ints, names: Names) -> pa.Array:
    """Return the numbers as `numbers.decode` writes them; those without a text of their own are made in one go."""
    first = int(codes.min()) // TAG if codes.size else 0
    if first in _ALIKE and int(codes.max()) // TAG == first:
        return _ALIKE[first](codes - first * TAG)
    tag = codes // TAG
    rest = codes - tag * TAG
    found = np.full(codes.size, "", object)
    kinds: list[tuple[npt.NDArray[np.intp], pa.Array]] = []
    for kind in np.unique(tag).tolist():
        at = np.flatnonzero(tag == kind)
        if kind in _ALIKE:
            kinds.append((at, _ALIKE[kind](rest[at])))
        elif kind != 0:
            told, place = np.unique(codes[at], return_inverse=True)
            texts = pa.array([decode(int(code), names) for code in told], pa.string())
            kinds.append((at, texts.take(pa.array(place))))
    if not kinds:
        return pa.array(found, pa.string())
    joined = pa.concat_arrays([*(texts for _, texts in kinds), pa.array([""])])
    place = np.full(codes.size, len(joined) - 1, np.int64)
    begin = 0
    for at, _ in kinds:
        place[at] = np.arange(begin, begin + at.size)
        begin += at.size
    return joined.take(pa.array(place))


def _plain(rest: Ints) -> pa.Array:
    """Return what stands behind the first digit; where all are of one length the bytes are cut as a grid, at an eighth of the cost."""
    told = pa.array(rest).cast(pa.string())
    wide = len(str(int(rest.min()))) if rest.size else 0
    if wide < 2 or wide != len(str(int(rest.max()))):
        return pc.utf8_slice_codeunits(told, 1)
    letters = np.frombuffer(told.buffers()[2], np.uint8, rest.size * wide).reshape(rest.size, wide)
    begins = np.arange(rest.size + 1, dtype=np.int32) * (wide - 1)
    return pa.Array.from_buffers(pa.string(), rest.size, [None, pa.py_buffer(begins), pa.py_buffer(np.ascontiguousarray(letters[:, 1:]))])


def _repeated(codes: Ints, names: Names) -> pa.Array:
    """Return numbers of which most occur again (callees: a partition holds all calls of each), each made a text once."""
    coded = pa.array(codes).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, _numbers(coded.dictionary.to_numpy(), names))


def _plus(rest: Ints) -> pa.Array:
    return pc.binary_join_element_wise("+", _plain(rest), "")


def _masked(rest: Ints) -> pa.Array:
    head, tail = np.divmod(rest, MASK_HEAD)
    count, seen = np.divmod(tail, MASK_COUNT)
    return pc.binary_join_element_wise(_plain(head), _STARS.take(pa.array(np.minimum(count, _MOST_MASKED))), _plain(seen), "")


_ALIKE: Final = {1: _plain, 2: _plus, 3: _masked}


def _causes(applies: Ints, names: list[str]) -> pa.Array:
    """Return the names of the causes that show themselves on each pair, "" for none."""
    told = np.unique(applies)
    place = np.searchsorted(told, applies)  # few masks: several times as fast as np.unique's own inverse
    texts = [" ".join(name for bit, name in enumerate(names) if mask >> bit & 1) for mask in told.tolist()]
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(texts, pa.string()))


def _ways(amounts: Sequence[str]) -> dict[str, Any]:
    """Return how each column is stored, as measured on pairs: the least time that does not cost much room.

    Few values: as a dictionary. Whole numbers that grow or are small: delta-packed, which compression makes little smaller. What is 0 or
    1 in nearly every row, and callers: plain, packed by LZ4 (a third faster than Zstandard, which makes callers half as large).
    """
    told = columns_of(amounts)
    few = [name for name in told if name.endswith(("_file", "_gateway", "_rate", CAUSES)) or name == "callee"]
    packed = [name for name in told if name.endswith(("_parts", "_answered")) or name in ("caller", *amounts)]
    whole = [name for name in told if name not in few and name not in packed]
    return {
        "compression": {name: "none" if name in whole else "lz4" if name in packed else "zstd" for name in told},
        "use_dictionary": few,
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    }


class Writer:
    """Writes the tables of the partitions to one file, in the order in which they come."""

    def __init__(self, file: IO[bytes], amounts: Sequence[str]) -> None:
        self._file = file
        self._amounts = list(amounts)
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Add a table; all have the same columns."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._file,
                table.schema,
                **_ways(self._amounts),
                write_statistics=False,
                store_decimal_as_integer=True,
                store_schema=False,
            )
        self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def read(file: IO[bytes], amounts: Sequence[str], names: Names, files: tuple[Sequence[str], Sequence[str]]) -> Iterator[pd.DataFrame]:
    """Yield PAIRS, amounts and `applies` (bit n: the cause of amounts column n shows itself) by group of rows; `files`: ours, theirs."""
    file.seek(0)
    if not file.read(1):
        return
    file.seek(0)
    index = {text: at for at, text in enumerate(names.texts)}
    places = ({name: at for at, name in enumerate(files[0])}, {name: at + len(files[0]) for at, name in enumerate(files[1])})
    for batch in pq.ParquetFile(file).iter_batches(GROUP_ROWS):
        columns: dict[str, Ints] = {}
        for side, place in zip("lc", places, strict=True):
            at = _indices(batch[f"{side}_file"], place)
            line = _integers(batch[f"{side}_line"])
            columns[f"{side}_source"] = np.where(at == MISSING, MISSING, (at << LINE_BITS) | line)
        columns |= {name: _codes(batch[name], names) for name in ("caller", "callee")}
        for side in "lc":
            for name in PAIRED:
                told = batch[f"{side}_{NAMED.get(name, name)}"]
                columns[f"{side}_{name}"] = _indices(told, index) if name == "gateway" else _integers(told)
        bits = {name: 1 << bit for bit, name in enumerate(amounts)}
        masks = {text: sum(bits[name] for name in text.split()) for text in pc.unique(batch[CAUSES]).to_pylist()}
        columns = {name: columns[name] for name in PAIRS}
        columns |= {name: _integers(batch[name]) for name in amounts}
        columns[APPLIES] = _indices(batch[CAUSES], masks)
        yield pd.DataFrame(columns, copy=False)


def _indices(told: pa.Array, index: dict[str, int]) -> Ints:
    """Return the index of each text; MISSING for null."""
    coded = told.dictionary_encode()
    of = np.array([*(index[text] for text in coded.dictionary.to_pylist()), MISSING], np.int64)
    found: Ints = of[coded.indices.fill_null(len(of) - 1).to_numpy(zero_copy_only=False)]
    return found


def _integers(told: pa.Array) -> Ints:
    """Return the integers behind a column; MISSING for null."""
    kind = told.type
    found: Ints
    if pa.types.is_decimal(kind):
        words = np.frombuffer(told.buffers()[1], np.int64)
        step = kind.byte_width // 8
        plain = words[told.offset * step : (told.offset + len(told)) * step : step]
        if not told.null_count:
            return np.array(plain, np.int64)
        found = np.where(told.is_null().to_numpy(zero_copy_only=False), MISSING, plain)
        return found
    plain_ = told.cast(pa.int64()) if not pa.types.is_boolean(kind) else told.cast(pa.int8()).cast(pa.int64())
    found = plain_.fill_null(MISSING).to_numpy(zero_copy_only=False)
    return found


def _codes(told: pa.Array, names: Names) -> Ints:
    """Return the codes of numbers as `numbers.encode` gives them."""
    length = pc.utf8_length(told).to_numpy(zero_copy_only=False).astype(np.int64)
    plus = pc.starts_with(told, "+").to_numpy(zero_copy_only=False)
    bare = pc.if_else(pa.array(plus), pc.utf8_slice_codeunits(told, 1), told)
    figures = length - plus
    digits = pc.match_substring_regex(bare, r"^\d+$").to_numpy(zero_copy_only=False) & (figures <= MOST_DIGITS)
    value = pc.if_else(pa.array(digits), bare, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
    found: Ints = np.where(plus, PLUS, PLAIN) + 10 ** np.where(digits, figures, 0) + value
    odd = np.flatnonzero(~digits)
    if odd.size:
        coded = told.take(pa.array(odd)).dictionary_encode()
        codes = np.array([_odd(text, names) for text in coded.dictionary.to_pylist()], np.int64)
        found[odd] = codes[coded.indices.to_numpy(zero_copy_only=False)]
    return found


def _odd(text: str, names: Names) -> int:
    """Return the code of what is not digits alone; a mask without a digit ("***") too."""
    if text and not text.strip("*") and len(text) <= _MOST_MASKED:
        return MASKED + MASK_HEAD + len(text) * MASK_COUNT + 1
    return encode(text, names)
