"""Both bills of a dispute as files, each in a form that a switch or a finance office might send: drawn from the seed, or named."""

import gzip
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from billing_audit.ledger import MISSING
from billing_audit.numbers import TAG
from tests.billing_audit.dispute import papers
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.plant import SIDES
from tests.billing_audit.dispute.world import Clock

TITLES: Final = {
    "zh": {
        "account": ("对账账户", "账户号码"),
        "caller": ("主叫号码", "主叫"),
        "callee": ("被叫号码", "被叫"),
        "gateway": ("落地网关",),
        "setup": ("呼叫时间", "起始时间"),
        "start": ("通话开始时间", "开始时间"),
        "duration": ("通话时长", "通话时长(秒)"),
        "billed": ("计费时长", "计费时长(秒)"),
        "rate": ("费率", "费率(元/分钟)"),
        "charge": ("通话费用", "结算费用", "费用"),
        "answered": ("接通状态",),
    },
    "en": {
        "account": ("Account", "Customer Account"),
        "caller": ("Caller", "Calling Number", "A-Number"),
        "callee": ("Callee", "Called Number", "B-Number", "Destination Number"),
        "gateway": ("Gateway", "Trunk"),
        "setup": ("Setup Time",),
        "start": ("Answer Time", "Start Time", "Connect Time"),
        "duration": ("Duration", "Duration (s)", "Talk Time"),
        "billed": ("Billed Duration", "Billed Seconds"),
        "rate": ("Rate", "Rate per Minute"),
        "charge": ("Charge", "Amount", "Cost"),
        "answered": ("Disposition",),
    },
}
VOS: Final = {
    "account": "账户号码",
    "caller": "主叫号码",
    "callee": "被叫号码",
    "gateway": "落地网关",
    "start": "起始时间",
    "end": "终止时间",
    "duration": "通话时长",
    "billed": "计费时长",
    "rate": "费率",
    "charge": "通话费用",
}
DATES: Final = {"iso": "%Y-%m-%d %H:%M:%S", "slashes": "%Y/%m/%d %H:%M:%S", "t": "%Y-%m-%dT%H:%M:%S", "packed": "%Y%m%d%H%M%S"}
ANSWERS: Final = {"zh": ("未接通", "已接通"), "en": ("NO ANSWER", "ANSWERED")}


@dataclass(frozen=True)
class Style:
    """How a bill looks."""

    kind: str = "csv"  # csv, vos, xlsx
    language: str = "en"
    delimiter: str = ","
    encoding: str = "utf-8"
    gzip: bool = False
    dates: str = "iso"  # of DATES, or epoch_s, epoch_ms, zoned
    caller: str = ""  # what stands in front of a number: "", "+", "00", or a tech prefix
    callee: str = ""
    durations: str = "s"  # s, clock
    comma: bool = False  # decimal comma
    files: int = 1
    letterhead: bool = False
    totals: bool = False
    titles: int = 0


def draw_style(rng: np.random.Generator, dispute: Dispute, side: str) -> Style:
    """Return a form by chance. Times carry their zone only where the side's clock is right."""
    kind = str(rng.choice(("csv", "csv", "csv", "csv", "vos", "xlsx"), p=(0.25, 0.25, 0.2, 0.1, 0.12, 0.08)))
    language = "zh" if kind == "vos" or rng.random() < 0.5 else "en"
    right = not any(p.departs == side and (p.wall or p.start) for p in dispute.planted)
    dates = [*DATES, "iso", "iso", *(("zoned", "epoch_s", "epoch_ms") if right and dispute.world.clock.change_ms is None else ())]
    comma = kind == "csv" and rng.random() < 0.1
    return Style(
        kind=kind,
        language=language,
        delimiter=str(rng.choice((";", "\t"))) if comma else str(rng.choice((",", ",", ";", "\t", "|"))) if kind == "csv" else ",",
        encoding=str(rng.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16")))
        if language == "zh"
        else str(rng.choice(("utf-8", "utf-8-sig", "utf-16"))),
        gzip=kind == "csv" and bool(rng.random() < 0.15),
        dates="iso" if kind in ("vos", "xlsx") else str(rng.choice(dates)),
        caller=str(rng.choice(("", "", "+", "00"))),
        callee=str(rng.choice(("", "", "", "+", "00", "8888#", "99*"))),
        durations="clock" if rng.random() < 0.1 else "s",
        comma=comma,
        files=int(rng.choice((1, 1, 1, 2, 3))),
        letterhead=kind != "vos" and bool(rng.random() < 0.1),
        totals=kind != "vos" and bool(rng.random() < 0.1),
        titles=int(rng.integers(4)),
    )


def write(dispute: Dispute, folder: Path, styles: dict[str, Style] | None = None) -> dict[str, Style]:
    """Write local.*, customer.*, contract.toml, deck.csv, outages.csv and truth.json; return the forms of the bills."""
    rng = np.random.default_rng((dispute.seed, 77))
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {side: (styles or {}).get(side) or draw_style(rng, dispute, side) for side in SIDES}
    for side in SIDES:
        _bill(dispute, side, chosen[side], folder)
    for name, text in (
        ("contract.toml", papers.contract(dispute)),
        ("deck.csv", papers.deck(dispute)),
        ("outages.csv", papers.outages(dispute)),
        ("truth.json", papers.truth(dispute)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    return chosen


def _bill(dispute: Dispute, side: str, style: Style, folder: Path) -> None:
    table = _table(dispute, side, style)
    ending = {"csv": ".csv", "vos": ".csv", "xlsx": ".xlsx"}[style.kind] + (".gz" if style.gzip else "")
    if style.files == 1:
        return _file(table, style, folder / f"{side}{ending}", dispute)
    place = folder / side
    place.mkdir(exist_ok=True)
    cuts = np.linspace(0, len(table), style.files + 1).astype(int)
    for number, (first, last) in enumerate(itertools.pairwise(cuts), 1):
        _file(table.iloc[first:last], style, place / f"{side}-{number}{ending}", dispute)
    return None


def _table(dispute: Dispute, side: str, style: Style) -> pd.DataFrame:
    """Return the bill as texts (a workbook: as cells), titles included."""
    frame = dispute.local if side == "local" else dispute.customer
    said = {name: column.to_numpy() for name, column in frame.items()}
    shown = dispute.written[side]
    cells: dict[str, object] = {
        "account": np.full(len(frame), "C1001"),
        "caller": _numbers(said["caller"], style.caller),
        "callee": _numbers(said["callee"], style.callee),
    }
    if shown.gateway:
        cells["gateway"] = np.array([*dispute.names.texts, ""])[said["gateway"]]
    if shown.ring:
        cells["setup"] = _times(said["start_ms"] - said["ring_ms"], style, dispute.deal.zone, dispute.world.clock)
    cells["start"] = _times(said["start_ms"], style, dispute.deal.zone, dispute.world.clock)
    if style.kind == "vos":
        cells["end"] = _times(said["start_ms"] + said["duration_ms"], style, dispute.deal.zone, dispute.world.clock)
    cells["duration"] = _durations(said["duration_ms"], style)
    if shown.billed:
        cells["billed"] = _durations(said["billed_ms"], style)
    if shown.rate:
        cells["rate"] = _decimals(said["rate_nano"], 9, style)
    cells["charge"] = _decimals(said["charge_micro"], 6, style)
    if shown.answered and style.kind != "vos":
        cells["answered"] = np.array(ANSWERS[style.language])[said["answered"]]
    titles = VOS if style.kind == "vos" else {k: v[style.titles % len(v)] for k, v in TITLES[style.language].items()}
    return pd.DataFrame({titles[name]: told for name, told in cells.items() if name in titles})


def _numbers(codes: np.ndarray, front: str) -> list[str]:
    return [front + str(code % TAG)[1:] if code > 0 else "" for code in codes.tolist()]


def _times(at_ms: np.ndarray, style: Style, zone: str, clock: Clock) -> object:
    wall = clock.wall(at_ms)
    if style.dates.startswith("epoch"):
        return at_ms // (1000 if style.dates == "epoch_s" else 1)
    told = pd.Series(wall.astype("datetime64[ms]"))
    if style.kind == "xlsx":
        return told.astype("datetime64[us]")
    if style.dates == "zoned":
        offset = int(clock.offsets_ms[0]) // 60_000
        return told.dt.strftime(f"%Y-%m-%dT%H:%M:%S{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}")
    return told.dt.strftime(DATES[style.dates])


def _durations(ms: np.ndarray, style: Style) -> object:
    seconds = ms // 1000
    if style.durations == "clock" and style.kind != "vos":
        return [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds.tolist()]
    return seconds


def _decimals(values: np.ndarray, places: int, style: Style) -> object:
    if style.kind == "xlsx":
        return np.where(values == MISSING, np.nan, values / 10.0**places)
    told = [f"{v // 10**places}.{v % 10**places:0{places}d}"[: -(places - 6) or None] for v in values.tolist()]
    return [t.replace(".", ",") for t in told] if style.comma else told


def _file(table: pd.DataFrame, style: Style, path: Path, dispute: Dispute) -> None:
    if style.kind == "xlsx":
        with pd.ExcelWriter(path, engine="xlsxwriter", datetime_format="yyyy-mm-dd hh:mm:ss") as book:
            table.to_excel(book, index=False, sheet_name="CDR", startrow=3 if style.letterhead else 0)
            if style.letterhead:
                book.sheets["CDR"].write(0, 0, _letterhead(style, dispute))
        return
    text = table.to_csv(index=False, sep=style.delimiter, lineterminator="\r\n" if style.titles % 2 else "\n")
    if style.letterhead:
        text = _letterhead(style, dispute) + "\n\n" + text
    if style.totals:
        last = [""] * len(table.columns)
        last[0] = "合计" if style.language == "zh" else "Total"
        charge = [float(str(c).replace(",", ".")) for c in table[table.columns[[str(t) in _CHARGES for t in table.columns]][0]]]
        last[[str(t) in _CHARGES for t in table.columns].index(True)] = f"{sum(charge):.6f}".replace(".", "," if style.comma else ".")
        text += style.delimiter.join(last) + "\n"
    data = text.encode(style.encoding)
    path.write_bytes(gzip.compress(data, 3, mtime=0) if style.gzip else data)


_CHARGES: Final = frozenset((*TITLES["zh"]["charge"], *TITLES["en"]["charge"]))


def _letterhead(style: Style, dispute: Dispute) -> str:
    if style.language == "zh":
        return f"话单明细 {dispute.deal.start} 至 {dispute.deal.end}"
    return f"Call details {dispute.deal.start} to {dispute.deal.end}"
