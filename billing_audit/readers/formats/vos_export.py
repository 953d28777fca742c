"""VOS3000: CDR exports with Chinese titles, and with the English titles of the client. Local time unless told."""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "vos3000-export"
TITLE: Final = "VOS3000 CDR export (话单)"
SOURCE: Final = "VOS3000: titles of the CDR export of its client"

NEEDS: Final = (frozenset(("通话时长",)), frozenset(("通话时长(秒)",)))
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


_ONLY = """
话单流水号 流水号 话单号 终止时间 终止原因 挂断方向 挂断原因 落地成本 代理商费用 代理商计费时长
主叫接入号码 被叫接入号码 主叫呼入号 被叫呼入号 主叫网关
"""
_MORE = """
主叫ip 被叫ip 主叫到网关号码 被叫到网关号码 计费方式 计费模式 呼叫等级 税费 套餐费用 套餐计费时长 账户名称 账户号码 地区 主叫地区 被叫地区
代理商账户 代理商名称 计费类型 主叫编码 被叫编码 主叫pdd 被叫pdd 软交换名称 序号 费率前缀 主叫设备 被叫设备
"""
ONLY_VOS: Final = frozenset(_ONLY.split())
TITLES: Final = frozenset(title for known in FIELDS.values() for title in known) | ONLY_VOS | frozenset(_MORE.split())
"""All titles of the client's export: a file with any other title is somebody else's, and is read by its headers."""


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has the titles."""
    for needs in NEEDS:
        found = titles.find(head, needs, FIELDS)
        if found is None or not set(found.titles) <= TITLES | {""} or not set(found.titles) & ONLY_VOS:
            continue
        if {"caller", "callee", "answer"} <= found.columns.keys() and titles.plain(head, found):
            return Layout(format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip)
    return None
