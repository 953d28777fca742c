"""Marks of a currency beside the prices of a deck: taken off where all are of one currency, doubt where one is of another."""

import re
from collections import Counter
from collections.abc import Iterable

from billing_audit.decks.cells import doubt
from billing_audit.readers.amounts import CURRENCIES

_MARK = "|".join(re.escape(mark) for mark in sorted(CURRENCIES, key=len, reverse=True))
_MARKED = re.compile(rf"(?P<before>{_MARK})?\s*(?P<price>-?[\d.,]*\d)\s*(?P<behind>{_MARK})?(?:\s*/\s*(?:min|分钟))?", re.IGNORECASE)


def parted(text: str) -> tuple[str, str]:
    """Return a price without the mark of its currency, and the currency (ISO 4217); "" where none is written."""
    if text[:1].isdecimal() and text[-1:].isdecimal():
        return text, ""
    found = _MARKED.fullmatch(text)
    mark = (found["before"] or found["behind"]) if found else None
    return (found["price"], CURRENCIES[mark.upper()]) if found and mark else (text, "")


def currency_of(prices: Iterable[str]) -> str:
    """Return the currency that most prices name; "" when none does."""
    counts = Counter(currency for price in prices if (currency := parted(price)[1]))
    return min(counts, key=lambda code: (-counts[code], code)) if counts else ""


def bare(price: str, currency: str) -> str:
    """Return a price without its mark; Doubtful when it names another currency than the deck's."""
    told, named = parted(price)
    if named and named != currency and not (named == "CNY" and currency == "JPY" and re.search("[¥￥]", price)):
        raise doubt("currency", text=price[:40], wanted=currency)
    return told
