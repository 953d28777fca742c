"""What lies where: packing, slots, runs in memory and in the file, partitions."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit.engine import spill as spills
from billing_audit.engine.packing import pack, unpack
from billing_audit.engine.spill import SLOTS, Spill, Stretch, ordered, slots
from billing_audit.ledger import LEDGER, MISSING, Bill, Names, empty
from billing_audit.numbers import TAG, decode, encode
from billing_audit.options import AuditError

NUMBERS = st.one_of(
    st.just(MISSING), st.integers(0, 300), st.integers(-70_000, 70_000), st.integers(-(2**33), 2**33), st.integers(MISSING + 1, 2**63 - 1)
)


def frame_of(rows: int, seed: int = 1, **given: object) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = empty(LEDGER, rows)
    values = {
        "source": np.arange(rows),
        "caller": 10**18 + 10**11 + random.integers(0, 10**10, rows),
        "callee": 10**18 + 10**13 + random.integers(0, 10**12, rows),
        "start_ms": 1_790_000_000_000 + random.integers(0, 10**9, rows),
        "duration_ms": random.integers(0, 4000, rows) * 1000,
        "charge_micro": random.integers(-5, 10**7, rows),
        "parts": np.ones(rows, np.int64),
        **given,
    }
    for name, column in values.items():
        frame[name] = column
    return frame


@given(st.lists(st.lists(NUMBERS, max_size=8), min_size=1, max_size=4))
def test_column_comes_back_as_it_was_packed(parts: list[list[int]]) -> None:
    arrays = [np.array(part, np.int64) for part in parts]
    whole = np.concatenate(arrays)
    order = np.arange(whole.size)[::-1]
    form, stored = pack(arrays, order)
    out = np.empty(whole.size, np.int64)
    unpack(form, stored, out)
    assert out.tolist() == whole[::-1].tolist()


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([MISSING, MISSING], 0),
        ([7, 7], 0),
        ([7, 7 + 255], 1),
        ([7, 7 + 256], 2),
        ([7, MISSING], 1),
        ([7, 7 + 254, MISSING], 1),
        ([7, 7 + 255, MISSING], 2),
        ([0, 65_535], 2),
        ([0, 65_536], 4),
        ([0, 2**32 - 1], 4),
        ([0, 2**32], 8),
    ],
)
def test_column_takes_no_more_bytes_than_it_needs(values: list[int], width: int) -> None:
    form, stored = pack([np.array(values, np.int64)], np.arange(len(values)))
    assert form.width == width
    assert (0 if stored is None else stored.nbytes) == width * len(values)


@pytest.mark.parametrize("told", ["8613812345678", "+8613812345678", "13812345678", "013812345678", "8888#13812345678", "138****5678"])
def test_every_form_of_a_number_has_one_slot(told: str) -> None:
    names = Names()
    both = slots(np.array([encode(told, names), encode("0086138123 45678", names)], np.int64))
    assert both[0] == both[1]


def test_slots_are_spread_evenly() -> None:
    every = slots(10**18 + 10**11 + np.arange(SLOTS, dtype=np.int64))
    assert sorted(every.tolist()) == list(range(SLOTS))
    assert abs(int(every[1]) - int(every[0])) > 100


def collected(spill: Spill, stretches: "list[Stretch] | tuple[Stretch, ...]") -> list[tuple[int, ...]]:
    found = []
    for stretch in stretches:
        frame = spill.read(Bill.LOCAL, stretch)
        assert list(frame.columns) == list(LEDGER)
        found += [tuple(row) for row in frame.itertuples(index=False)]
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.integers(1, 200), st.sampled_from((0, 3_000, 1 << 30)), st.randoms(use_true_random=False))
def test_no_row_is_lost_or_doubled_whatever_order_partitions_and_budget(rows: int, partition: int, budget: int, chance) -> None:
    frame = frame_of(rows)
    shuffled = frame.sample(frac=1, random_state=chance.randrange(2**31)) if rows else frame
    with Spill(budget) as spill:
        cuts = sorted(chance.sample(range(rows + 1), min(3, rows + 1)))
        for first, last in zip([0, *cuts], [*cuts, rows], strict=True):
            spill.add(Bill.LOCAL, shuffled.iloc[first:last])
        spill.seal(Names())
        stretches = spill.partitions(partition)
        assert sorted(collected(spill, stretches)) == sorted(tuple(row) for row in frame.itertuples(index=False))
        assert spill.rows(Bill.LOCAL) == rows
        assert [first.last for first in stretches[:-1]] <= [second.first for second in stretches[1:]]


def test_several_runs_in_memory_and_file_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spills, "RUN_ROWS", 100)
    frame = frame_of(1_050)
    with Spill(8_000) as spill:
        for first in range(0, 1_050, 70):
            spill.add(Bill.LOCAL, frame.iloc[first : first + 70])
        spill.seal(Names())
        assert 0 < spill.held <= 8_000
        assert spill.spilled > 0
        assert sorted(collected(spill, spill.partitions(90))) == sorted(tuple(row) for row in frame.itertuples(index=False))


def test_partitions_hold_about_the_rows_asked_for_and_never_cut_a_slot() -> None:
    with Spill(1 << 30) as spill:
        spill.add(Bill.LOCAL, frame_of(20_000))
        spill.add(Bill.CUSTOMER, frame_of(20_000, callee=np.full(20_000, 10**18 + 10**11 + 4321)))
        spill.seal(Names())
        sizes = [sum(len(spill.read(bill, one)) for bill in Bill) for one in spill.partitions(5_000)]
    assert sum(sizes) == 40_000
    assert sum(size > 5_000 for size in sizes) == 1  # the number that is called by everybody
    assert len(sizes) <= 7


def test_sample_is_the_same_for_any_order_and_never_empty() -> None:
    frame = frame_of(5_000)
    told = []
    for order in (frame, frame.iloc[::-1]):
        with Spill(1 << 30) as spill:
            spill.add(Bill.LOCAL, order)
            spill.seal(Names())
            told.append(spill.first_slots(1_000))
            assert 900 < len(spill.read(Bill.LOCAL, told[-1])) <= 1_000
            assert spill.first_slots(0) == Stretch(0, 1)
    assert told[0] == told[1]


def test_names_are_the_same_in_whatever_order_they_were_met() -> None:
    texts = ["zebra", "8888#", "alpha", "99*"]
    seen = []
    for order in (texts, texts[::-1]):
        names = Names()
        for text in order:
            names.index(text)
        callee = np.array([encode(text, names) for text in ("8888#13812345678", "hotline", "99*13812345678", "13812345678")], np.int64)
        gateway = np.array([names.index(text) for text in ("alpha", "zebra", "alpha")] + [MISSING], np.int64)
        with Spill(1 << 30) as spill:
            spill.add(Bill.LOCAL, frame_of(4, callee=callee, caller=callee, gateway=gateway))
            told = spill.seal(names)
            frame = spill.read(Bill.LOCAL, Stretch(0, SLOTS)).sort_values("source")
        assert [decode(code, told) for code in frame["callee"]] == ["8888#13812345678", "hotline", "99*13812345678", "13812345678"]
        assert [told.text(index) for index in frame["gateway"]] == ["alpha", "zebra", "alpha", ""]
        seen.append((told.texts, frame["callee"].tolist(), frame["gateway"].tolist()))
    assert seen[0] == seen[1]


def test_file_has_no_name_and_is_ours_alone(tmp_path: Path) -> None:
    with Spill(0, tmp_path) as spill:
        spill.add(Bill.LOCAL, frame_of(10))
        spill.seal(Names())
        assert spill.spilled > 0
        assert list(tmp_path.iterdir()) == []
        assert stat.S_IMODE(os.fstat(spill.file).st_mode) == 0o600


def test_nothing_stays_behind_when_the_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, numpy as np\nfrom pathlib import Path\nfrom billing_audit.engine.spill import Spill\nfrom billing_audit.ledger import *\n"
        "s = Spill(0, Path(sys.argv[1])); f = empty(LEDGER, 9).copy(); f['source'] = np.arange(9)\n"
        "s.add(Bill.LOCAL, f); s.seal(Names()); assert s.spilled; os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_named_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with Spill(0, tmp_path) as spill:
        spill.add(Bill.LOCAL, frame_of(10))
        with pytest.raises(AuditError) as told:
            spill.seal(Names())
    assert told.value.what.id == "audit.unreadable.no_room"
    assert told.value.what.values == {"folder": str(tmp_path), "mib": 0}


def test_a_tech_prefix_behind_a_thousand_other_texts_keeps_its_code() -> None:
    names = Names()
    for number in range(1_500):
        names.index(f"gateway {number:04}")
    code = encode("8888#8613900002222", names)
    assert code // TAG == 5
    told, renamed = ordered(names)
    assert renamed is None
    assert decode(code, told) == "8888#8613900002222"
