"""The pages of causes from the catalogue: the facts of each cause, in English (docs/causes.md) and Chinese (docs/zh/causes.md).

A fact block stands between `<!-- cause: CODE -->` and `<!-- end -->` below the heading of the cause; the rest is written by hand.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from checks.causes import CAUSES, OTHER, Cause, Sort, sort_of
from reports.locale.text import texts

DOCS = Path(__file__).parent
PAGES = {"en": DOCS / "causes.md", "zh": DOCS / "zh" / "causes.md"}
BLOCK = re.compile(r"<!-- cause: (?P<code>\S+) -->\n.*?<!-- end -->", re.DOTALL)
BY_CODE = {cause.code: cause for cause in (*CAUSES, OTHER)}
_NAMES = {"element": "…", "node": "…", "item": "…"}
_WORDS = {
    "en": {
        "means": "means",
        "action": "to do",
        "customer": "to the customer",
        "side": "side",
        "area": "area",
        "urgency": "at worst",
        "seen": "seen by",
        "class": "can't be told apart from outside",
        "decides": "the test that decides",
        "owner": "of whoever owns what is broken",
        "several": "several findings laid side by side",
        "rest": "what no other cause explains",
        "felt": "customers notice it though calls go through",
        "comma": ", ",
        "or": "or",
    },
    "zh": {
        "means": "含义",
        "action": "处理",
        "customer": "对客户说",
        "side": "责任侧",
        "area": "范围",
        "urgency": "最高紧迫程度",
        "seen": "依据",
        "class": "从外部无法区分",
        "decides": "判别测试",
        "owner": "归故障部分的所有方",
        "several": "由多项结果综合得出",
        "rest": "其他原因未能解释的结果",
        "felt": "呼叫可通但客户有感知",
        "comma": "、",
        "or": "或",
    },
}
_SORTS = {
    "en": {Sort.SILENT: "silent", Sort.POOR: "poor", Sort.OWN: "own"},
    "zh": {Sort.SILENT: "无应答", Sort.POOR: "质量差", Sort.OWN: "自身显示"},
}


def rows() -> Iterator[tuple[str, ...]]:
    """Yield a row of the handbook's table for each cause."""
    english = texts("en")
    for cause in (*CAUSES, OTHER):
        said, action = english.text(f"cause.{cause.code}", **_NAMES), english.text(cause.action, **_NAMES)
        found = ", ".join(f"`{one}`" for one in cause.explains) or _found_otherwise(cause, "en")
        yield f"`{cause.code}`", said, cause.area, cause.urgency, cause.sort, found, action


def facts(cause: Cause, language: str) -> str:
    """Return the block of one cause: what the catalogue knows of it."""
    words, told = _WORDS[language], texts(language)
    side = told.text(f"side.{cause.side}") if cause.side else words["owner"]
    urgency = told.text(f"urgency.{cause.urgency}").lower() + (f" ({words['felt']})" if cause.felt else "")
    lines = [
        (words["means"], told.text(f"cause.{cause.code}", **_NAMES)),
        (words["seen"], _seen(cause, language)),
        (words["side"], f"{side} · {told.text(f'area.{cause.area}')} · {words['urgency']} {urgency}"),
    ]
    if cause.decides:
        same = words["comma"].join(f"[`{code}`](#{code})" for code in cause.like)
        lines.append((words["class"], f"{told.text(f'class.{cause.code}')} ({words['or']} {same})"))
        lines.append((words["decides"], told.text(cause.decides, **_NAMES)))
    lines.append((words["action"], told.text(cause.action, **_NAMES)))
    lines.append((words["customer"], f"“{told.text(cause.customer)}”"))
    return "\n".join(f"- **{name}**: {said}" for name, said in lines)


def _seen(cause: Cause, language: str) -> str:
    if not cause.explains:
        return _found_otherwise(cause, language)
    by_sort: dict[Sort, list[str]] = {}
    for one in cause.explains:
        check, _, said = one.partition(":")
        by_sort.setdefault(sort_of(check, said), []).append(f"`{one}`")
    return "; ".join(f"{', '.join(found)} ({_SORTS[language][sort]})" for sort, found in by_sort.items())


def _found_otherwise(cause: Cause, language: str) -> str:
    return _WORDS[language]["rest" if cause is OTHER else "several"]


def filled(text: str, language: str) -> str:
    """Return a page with the facts of every cause as the catalogue has them; KeyError for a code that it does not have."""
    return BLOCK.sub(lambda found: f"<!-- cause: {found['code']} -->\n{facts(BY_CODE[found['code']], language)}\n<!-- end -->", text)


def old() -> list[str]:
    """Return language and code of each block that the catalogue has changed since."""
    pages = {language: page.read_text(encoding="utf-8") for language, page in PAGES.items()}
    return [
        f"{language}: {found['code']}"
        for language, text in pages.items()
        for found in BLOCK.finditer(text)
        if found[0] != filled(found[0], language)
    ]


def write() -> None:
    """Fill the pages."""
    for language, page in PAGES.items():
        page.write_text(filled(page.read_text(encoding="utf-8"), language), encoding="utf-8")
