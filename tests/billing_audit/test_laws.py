"""The laws of an audit, on real files: no line lost or doubled, no cent lost, the same bytes whatever order, partitions, workers, cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_audit import run
from billing_audit.audit import Audit
from billing_audit.ledger import LINE_BITS, MISSING, Bill, place_of
from billing_audit.options import AuditError, Options, Progress
from tests.billing_audit.dispute import files
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.files import Style
from tests.billing_audit.dispute.make import make
from tests.billing_audit.dispute.plant import Rejected
from tests.billing_audit.dispute.terms import contract_of, deck_of, outages_of

MIXED = (
    [("rate", "customer"), ("duplicate", "local"), ("cut_off", "customer")],
    [("increment", "customer"), ("missing_import", "customer"), ("failed_call", "local")],
    [("partial_records", "local"), ("rate_change", "local")],
    [("timezone", "customer"), ("connection_fee", "customer"), ("hung_call", "local")],
)
PLAIN = Style()


def dispute_of(seed: int, rows: int = 2_500) -> Dispute:
    """Return the first dispute from a seed on that is not rejected."""
    for at in range(seed, seed + 40):
        try:
            return make(at, MIXED[seed % len(MIXED)], rows, least=False)
        except Rejected:
            continue
    raise AssertionError("rejected forty times")


def asked(dispute: Dispute, **given: Any) -> Options:
    return Options(contract=contract_of(dispute), deck=deck_of(dispute), outages=outages_of(dispute), **given)


def shuffled(path: Path, to: Path, seed: int) -> Path:
    """Write the rows of a CSV file in another order."""
    head, *rows = path.read_bytes().splitlines(keepends=True)
    np.random.default_rng(seed).shuffle(rows)
    to.write_bytes(head + b"".join(rows))
    return to


def bare(told: Audit) -> bytes:
    """Return an audit without what must change with the order of rows: digests, and on which lines samples stand."""
    plain = msgspec.to_builtins(told)
    plain["digest"] = ""
    for bill in ("local", "customer"):
        for file in plain[bill]["files"]:
            file["digest"] = file["name"] = ""
    for cause in plain["causes"]:
        for sample in cause["samples"]:
            for side in ("l_source", "c_source"):
                sample[side] = None if sample[side] == MISSING else place_of(sample[side])[0]
    return msgspec.json.encode(plain, order="sorted")


def content(file: Path, lines: bool = True) -> pa.Table:
    table = pq.read_table(file)
    return table if lines else table.drop_columns(["l_file", "l_line", "c_file", "c_line"])


Bills = tuple[Dispute, Path, bytes]


def audited(number: int, folder: Path) -> Bills:
    """Return a dispute, its folder and the audit of it; pairs.parquet lies beside."""
    dispute = dispute_of(number)
    files.write(dispute, folder, {"local": PLAIN, "customer": PLAIN})
    with run.audit(*given_to(folder), asked(dispute, pairs=folder / "pairs.parquet")) as result:
        return dispute, folder, msgspec.json.encode(result.audit)


@pytest.fixture(scope="module", params=range(len(MIXED)))
def bills(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bills:
    """Give one dispute after the other."""
    return audited(request.param, tmp_path_factory.mktemp("laws"))


@pytest.fixture(scope="module")
def one_dispute(tmp_path_factory: pytest.TempPathFactory) -> Bills:
    """Give one dispute, for what takes its time."""
    return audited(3, tmp_path_factory.mktemp("one"))


def given_to(folder: Path) -> tuple[list[Path], list[Path]]:
    return [folder / "local.csv"], [folder / "customer.csv"]


@pytest.mark.parametrize(
    "given",
    [{"partition_rows": 700}, {"memory": 1, "partition_rows": 1_500}, {"memory": 1}, {"keep_pairs": False}],
    ids=str,
)
def test_same_bytes_for_any_partitions_and_memory(bills, given, tmp_path: Path) -> None:
    dispute, folder, told = bills
    pairs = None if given.get("keep_pairs") is False else tmp_path / "pairs.parquet"
    with run.audit(*given_to(folder), asked(dispute, work_dir=tmp_path, pairs=pairs, **given)) as result:
        assert msgspec.json.encode(result.audit) == told
    if pairs is not None:
        assert content(pairs).equals(content(folder / "pairs.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ([] if pairs is None else ["pairs.parquet"])


def test_same_bytes_for_any_order_of_rows(bills, tmp_path: Path) -> None:
    dispute, folder, told = bills
    local, customer = (shuffled(folder / f"{name}.csv", tmp_path / f"{name}.csv", 5) for name in ("local", "customer"))
    with run.audit([local], [customer], asked(dispute, pairs=tmp_path / "pairs.parquet", partition_rows=3_000)) as result:
        assert bare(result.audit) == bare(msgspec.json.decode(told, type=Audit))
    assert content(tmp_path / "pairs.parquet", lines=False).equals(content(folder / "pairs.parquet", lines=False))


def test_no_line_is_lost_or_doubled_and_no_cent(bills) -> None:
    dispute, folder, _ = bills
    with run.audit(*given_to(folder), asked(dispute, partition_rows=1_500)) as result:
        told, pairs = result.audit, pd.concat(list(result.pairs()), ignore_index=True)
        amounts = result.amounts
    for bill, side, total in ((told.local, "l", told.local.total_micro), (told.customer, "c", told.customer.total_micro)):
        source, parts = pairs[f"{side}_source"].to_numpy(), pairs[f"{side}_parts"].to_numpy()
        there = source != MISSING
        assert len(np.unique(source[there])) == there.sum()
        assert parts[there].sum() + bill.refused + sum(file.folded for file in bill.files) == bill.rows
        charge = pairs[f"{side}_charge_micro"].to_numpy()
        assert charge[charge != MISSING].sum() == total
    ours, theirs = (np.where(pairs[name] == MISSING, 0, pairs[name]) for name in ("l_charge_micro", "c_charge_micro"))
    assert (pairs[list(amounts)].sum(axis=1) == ours - theirs).all()
    assert sum(one.amount_micro for one in told.causes) + told.unexplained_micro == told.difference_micro == (ours - theirs).sum()
    assert told.matched + told.missing_in_customer == (pairs["l_source"] != MISSING).sum()
    assert told.matched + told.missing_in_local == (pairs["c_source"] != MISSING).sum()
    for slices in (told.by_day, told.by_prefix):
        assert sum((one.l_micro or 0) - (one.c_micro or 0) for one in slices) == told.difference_micro


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.integers(200, 3_000), st.integers(0, 100))
def test_laws_hold_for_disputes_of_any_kind(tmp_path_factory: pytest.TempPathFactory, seed: int, partition: int, order: int) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        dispute = make(seed, rows=1_200, least=False)
    except Rejected:
        return
    files.write(dispute, folder, {"local": PLAIN, "customer": PLAIN})
    with run.audit(*given_to(folder), asked(dispute)) as result:
        first, amounts = result.audit, result.amounts
        for frame in result.pairs():
            ours, theirs = (np.where(frame[name] == MISSING, 0, frame[name]) for name in ("l_charge_micro", "c_charge_micro"))
            assert (frame[list(amounts)].sum(axis=1) == ours - theirs).all()
    local, customer = (shuffled(folder / f"{name}.csv", folder / f"{name}-2.csv", order) for name in ("local", "customer"))
    with run.audit([local], [customer], asked(dispute, partition_rows=partition)) as result:
        assert bare(result.audit) == bare(first)


def test_processes_give_the_same_bytes(one_dispute, tmp_path: Path) -> None:
    dispute, folder, told = one_dispute
    with run.audit(*given_to(folder), asked(dispute, workers=2, partition_rows=2_000, pairs=tmp_path / "p")) as result:
        assert msgspec.json.encode(result.audit) == told
    assert content(tmp_path / "p").equals(content(folder / "pairs.parquet"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Give the address of a real Dask cluster of two worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as running:
        yield running.scheduler_address


def test_dask_cluster_gives_the_same_bytes(one_dispute, cluster: str, tmp_path: Path) -> None:
    dispute, folder, told = one_dispute
    assert cluster.startswith("tcp://127.0.0.1:")
    with run.audit(*given_to(folder), asked(dispute, scheduler=cluster, partition_rows=2_000, pairs=tmp_path / "p")) as result:
        assert msgspec.json.encode(result.audit) == told
    assert content(tmp_path / "p").equals(content(folder / "pairs.parquet"))


@pytest.mark.parametrize("address", ["tcp://10.1.2.3:8786", "http://127.0.0.1:1", "127.0.0.1:8786", "tcp://127.0.0.1.example:8786"])
def test_calls_are_not_sent_over_an_open_line(one_dispute, address: str) -> None:
    dispute, folder, _ = one_dispute
    with pytest.raises(AuditError) as told:
        run.audit(*given_to(folder), asked(dispute, scheduler=address, partition_rows=2_000))
    assert told.value.what.id == "audit.unreadable.scheduler_open"


def test_lines_are_shown_again_as_the_files_have_them(bills) -> None:
    dispute, folder, _ = bills
    with run.audit(*given_to(folder), asked(dispute)) as result:
        first = next(result.pairs())
        row = first[(first["l_source"] != MISSING) & (first["c_source"] != MISSING)].iloc[0]
        shown = result.lines([int(row["l_source"]), int(row["c_source"])])
    for source, name in ((int(row["l_source"]), "local"), (int(row["c_source"]), "customer")):
        line = source & ((1 << LINE_BITS) - 1)
        assert shown[source] == (folder / f"{name}.csv").read_text().splitlines()[line - 1]


def test_progress_tells_each_phase_to_its_end(one_dispute) -> None:
    dispute, folder, _ = one_dispute
    said: list[Progress] = []
    with run.audit(*given_to(folder), asked(dispute, partition_rows=2_000), said.append) as result:
        rows = result.audit.local.rows + result.audit.customer.rows
    assert list(dict.fromkeys((one.phase, one.bill) for one in said)) == [
        ("read", Bill.LOCAL), ("read", Bill.CUSTOMER), ("learn", None), ("attribute", None),
    ]  # fmt: skip
    assert all(0 <= one.share <= 1 for one in said)
    assert said[-1].share == 1
    assert said[-1].rows <= rows


def test_refused_rows_are_all_given_away(tmp_path: Path) -> None:
    dispute = dispute_of(0)
    files.write(dispute, tmp_path, {"local": PLAIN, "customer": PLAIN})
    broken = tmp_path / "local.csv"
    head, first, *rows = broken.read_text().splitlines()
    broken.write_text("\n".join([head, "not,a,call", first, *rows, *[first.replace("20", "99", 1)] * 3]) + "\n")
    given_away: list[Any] = []
    with run.audit(
        *given_to(tmp_path), asked(dispute, refused=lambda bill, rows: given_away.extend((bill, row) for row in rows))
    ) as result:
        told = result.audit.local
    assert told.refused == len(given_away) == len(told.refused_rows) > 0
    assert told.rows == told.records + told.refused + sum(file.folded for file in told.files)
    assert {bill for bill, _ in given_away} == {Bill.LOCAL}
