"""VOS3000: CDR exports with Chinese titles, and with the English titles of the client. Local time unless told."""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "vos3000-export"
TITLE: Final = "VOS3000 CDR export (话单)"
SOURCE: Final = "VOS3000: titles of the CDR export of its client"

NEEDS: Final = (frozenset(("通话时长", "计费时长")), frozenset(("通话时长(秒)", "计费时长(秒)")), frozenset(("通话时长", "落地网关")))
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("话单流水号", "流水号", "话单号"),
    "account": ("对账账户", "账户号码", "账户名称"),
    "caller": ("主叫号码", "主叫", "主叫呼入号", "主叫接入号码"),
    "callee": ("被叫号码", "被叫", "被叫呼入号", "被叫接入号码"),
    "gateway": ("落地网关", "被叫网关"),
    "answer": ("通话开始时间", "开始时间", "起始时间"),
    "end": ("通话结束时间", "结束时间", "终止时间"),
    "duration": ("通话时长", "通话时长(秒)"),
    "billed": ("计费时长", "计费时长(秒)"),
    "rate": ("费率", "费率(元)"),
    "charge": ("结算费用", "通话费用", "费用", "结算费用(元)", "通话费用(元)", "费用(元)"),
}
"""落地成本 (agentfee) is the carrier's cost and no charge of this bill."""


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has the titles."""
    for needs in NEEDS:
        found = titles.find(head, needs, FIELDS)
        if found is not None and {"caller", "callee", "answer"} <= found.columns.keys() and titles.plain(head, found):
            return Layout(format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip)
    return None
