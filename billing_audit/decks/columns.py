"""Which column of a deck says what.

By its header: the project's own, those of A-Z decks in English and Chinese, of A2Billing, ASTPP, JeraSoft, Kazoo; else by the shape of the
decks without a header that are met.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from billing_audit.decks.sheets import Row

_WORDS: Final = {
    "prefix": "prefix code dialprefix dialcode dialcodes dialingcode destinationcode destinationprefix codes digits "
    "前缀 号段 被叫前缀 地区前缀 费率前缀 字冠 号码前缀 目的码",
    "country_code": "countrycode countryprefix cc 国家代码 国家区号 国家码 国码",
    "area_code": "areacode areacodes citycode citycodes 区号 地区代码 地区码 城市代码 城市区号",
    "country": "country countryname 国家 国家名称 国家地区",
    "destination": "destination destinationname description codename name zone ratename 目的地 名称 目的地名称 地区名称 费率名称",
    "region": "region area city network operator carrier type 地区 城市 区域 运营商 网络",
    "new_rate": "newrate newprice 新费率 新价格 现费率 调整后费率",
    "rate": "rate price rateinitial sellrate sellingrate ratecost cost perminutecost costperminute costmin costperminutes rateperminute "
    "ratemin pricemin priceperminute rateminute 费率 单价 价格 资费 结算价 结算费率 每分钟费率 每分钟价格",
    "buy": "buyrate buyingrate buyprice purchaserate pvtratecost 成本 成本价 成本费率 落地费率",
    "from": "effectivefrom effectivedate effective effectivetime startdate validfrom datefrom startingdate "
    "生效日期 生效时间 生效 开始日期 起始日期",
    "to": "effectiveto effectivetill effectiveuntil enddate expirationdate expirydate expiredate stopdate expires validto validuntil "
    "失效日期 失效时间 截止日期 结束日期 到期日期",
    "increment": "increment increments billingincrement billingincrements interval intervals payinterval billingblock rateincrement "
    "intervaln nextinterval subsequentincrement rounding 计费周期 计费单位 计费步长 计费间隔 步长 计费增量",
    "minimum": "minimum minvolume minimalvolume minduration minimumduration initblock initialincrement interval1 firstinterval rateminimum "
    "minimalduration 起计时长 最低计费 最低时长 首次计费 首周期",
    "fee": "connectionfee connectcharge connectfee connectcost connectioncost connectioncharge setupfee setupcharge ratesurcharge "
    "接续费 接通费 建立费 起步费",
    "free": "freeseconds includedseconds freetime ratenochargetime 免费秒数 免费时长",
    "grace": "gracevolume graceperiod grace graceseconds 宽限秒数",
    "band": "band timeband timeprofile timeperiod 时段 时间段",
    "change": "change changes changetype status mark action ratechange codechange 变化 变更 变动 状态 调整 变动情况 更改",
}
FIELDS: Final = {word: field for field, words in _WORDS.items() for word in words.split()}
MOST_ROWS_ABOVE: Final = 60  # of titles and addresses, before the header
_BRACKETS = re.compile(r"[(（\[][^)）\]]*[)）\]]")
_NOISE = re.compile(r"[\s_\-./#*:：'\"]+")
_PER = re.compile(r"(?:/|每|per)\s*(\d*)\s*(秒|s(?:ec(?:ond)?s?)?\b|分钟?|min(?:ute)?s?\b)", re.IGNORECASE)


class Layout(msgspec.Struct, frozen=True):
    """Where a deck says what: field → column; how many of the file's rows come before the first entry; what its prices are."""

    columns: dict[str, int]
    skip: int
    per_minute: tuple[int, int] = (1, 1)  # what a price is multiplied with to be one a minute
    name: str = "headers"


def find(rows: Sequence[Row], side: str) -> Layout | None:
    """Return the layout of a table: by the first row that names a code and a rate, else by the shape of a table without header."""
    for at, row in enumerate(rows[:MOST_ROWS_ABOVE]):
        columns = named(row.cells)
        if side == "buy" and "buy" in columns:
            columns["rate"] = columns["buy"]
        elif "new_rate" in columns:
            columns["rate"] = columns["new_rate"]
        elif "rate" not in columns and "buy" in columns:
            columns["rate"] = columns["buy"]
        if "prefix" not in columns and "country_code" not in columns and "area_code" in columns:
            columns["prefix"] = columns.pop("area_code")
        if "rate" in columns and ("prefix" in columns or "country_code" in columns):
            return Layout(columns, at + 1, _unit(row.cells[columns["rate"]]))
    return _bare(rows, side)


def named(cells: Sequence[str]) -> dict[str, int]:
    """Return which field each cell of a header names, the first one of each."""
    found: dict[str, int] = {}
    for at, cell in enumerate(cells):
        bare = _NOISE.sub("", _BRACKETS.sub("", cell)).lower()
        field = FIELDS.get(bare) or FIELDS.get(_NOISE.sub("", _PER.sub("", _BRACKETS.sub("", cell))).lower())
        if field is not None:
            found.setdefault(field, at)
    return found


def _unit(header: str) -> tuple[int, int]:
    """Return by what a price is multiplied to be one a minute, as its header says ("rate (per second)", "元/6秒"); 1 if it does not."""
    told = _PER.search(header.replace("(", " ").replace(")", " ").replace("（", " ").replace("）", " "))
    if told is None:
        return 1, 1
    seconds = int(told[1] or 1) * (60 if told[2].lower()[0] in "分m" else 1)
    share = Fraction(60, seconds or 60)
    return share.numerator, share.denominator


def _bare(rows: Sequence[Row], side: str) -> Layout | None:
    """Return the layout of a table without header: `prefix;name;trunk;0;0;buy;sell` in 10⁻⁴, or `prefix[,name],rate[,date]`."""
    if not rows:
        return None
    seen = rows[:200]
    width = len(seen[0].cells)
    if any(len(row.cells) != width or not row.cells[0].isdecimal() for row in seen):
        return None
    columns = list(zip(*(row.cells for row in seen), strict=True))
    if width == 7 and all(all(cell.isdecimal() for cell in columns[at]) for at in (3, 4, 5, 6)):
        return Layout({"prefix": 0, "destination": 1, "rate": 5 if side == "buy" else 6}, 0, (1, 10_000), "prefix;name;trunk;0;0;buy;sell")
    if width == 2 and _prices(columns[1]):
        return Layout({"prefix": 0, "rate": 1}, 0, name="prefix,rate")
    if width in (3, 4) and _prices(columns[2]) and not any(cell.isdecimal() for cell in columns[1]):
        dated = {"from": 3} if width == 4 else {}
        return Layout({"prefix": 0, "destination": 1, "rate": 2, **dated}, 0, name="prefix,name,rate")
    return None


def _prices(cells: Sequence[str]) -> bool:
    """Tell whether a column holds prices beyond doubt: decimals, and one with a decimal mark at least."""
    return all(re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", cell) for cell in cells) and any(Decimal(cell) % 1 for cell in cells)
