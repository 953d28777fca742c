"""Evidence is kept small, and what was kept before still reads."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.opening import plan
from reports.store.errors import StoreAway
from reports.store.packed import FEW_BYTES, pack, unpack
from reports.store.store import open_store

LONG = b'{"strands":[' + b'{"node":"web-1","prober":"icmp"},' * 10_000 + b"0]}"


@given(st.text())
def test_what_was_packed_unpacks_to_the_same(text: str) -> None:
    for one in (b"{" + text.encode() + b"}", b"{" + text.encode() * FEW_BYTES + b"}"):
        assert unpack(pack(one)) == one


@pytest.mark.parametrize("kept", [b"{}", b"", b'{"rules":"1"}', LONG])
def test_what_was_kept_before_there_was_packing_is_read_as_it_is(kept: bytes) -> None:
    assert unpack(kept) == kept


@pytest.mark.parametrize("damaged", [pack(LONG)[:-9], pack(LONG)[:30] + b"?" + pack(LONG)[31:], b"x"])
def test_damage_is_told(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="the evidence is"):
        unpack(damaged)


def test_long_evidence_lies_compressed_in_the_store_and_is_given_back_whole(tmp_path: Path, making: Any) -> None:
    file = tmp_path / "firstline.sqlite"
    with open_store(str(tmp_path), agent="pop-1", feeds=(), service=True) as store:
        (step,) = plan([making.diagnose()], {}, [], making.START)
        store.accept([msgspec.structs.replace(step, evidence=LONG)], making.START)
        (case,) = store.cases()
        assert store.evidence(case.id) == LONG
        with sqlite3.connect(file) as beside:
            ((kept,),) = beside.execute("select body from evidence").fetchall()
            assert len(kept) < len(LONG) / 50
            beside.execute("update evidence set body = ?", (LONG,))
            beside.commit()
            assert store.evidence(case.id) == LONG
            beside.execute("update evidence set body = ?", (kept[:100],))
            beside.commit()
        beside.close()
        with pytest.raises(StoreAway, match="cut off"):
            store.evidence(case.id)
