"""Telephone numbers of a column → codes of `numbers`."""

import re
import unicodedata

import numpy as np
import pyarrow as pa

from billing_audit.ledger import MISSING, Names
from billing_audit.numbers import MOST_DIGITS, PLAIN, PLUS, encode
from billing_audit.readers.digits import POWERS, Ints, Texts, integers, texts
from billing_audit.readers.texts import Flags, Once, rest
from billing_audit.readers.unreadable import FLAG, REMARK

_PLUS_SIGN = 43
_EXCEL = re.compile(r"[+\-]?\d(?:[.,]\d+)?[eE]\+?\d{1,3}")
_ADDRESSED = re.compile(r"[<@;%]")
_ADDRESS = re.compile(  # RFC 3261: "Bob" <sip:+8613900002222@host;user=phone>;tag=1, also without scheme or brackets
    r"(?:[^<>]*<)?(?:sips?:|tel:)?(?P<user>(?:\+|%2[Bb])?[\d*#().\- ]*\d)(?:;[^@<>]*)?(?:@[^<>]*)?(?:>.*)?", re.IGNORECASE
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){2,}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_POINT_ZERO = re.compile(r"\+?\d+\.0+")


def number(text: str, names: Names) -> tuple[int, int]:
    """Return code and flag of a number as written: ="0086…", '0086… and 8613….0 are what programs made of it; 8.6E+12 has lost digits."""
    told = text.strip().lstrip("=").strip("\"'\t ")
    if not told.isascii():
        told = _ascii(told)
    if _ADDRESSED.search(told) and (found := _ADDRESS.fullmatch(told)):
        told = found["user"].replace("%2B", "+").replace("%2b", "+")
    if _EXCEL.fullmatch(told):
        return MISSING, FLAG["number_excel"]
    if _POINT_ZERO.fullmatch(told):
        return encode(told.split(".")[0], names), REMARK["number_point_zero"]
    if _GROUPED.fullmatch(told):
        return encode(told.replace(",", ""), names), REMARK["number_grouped"]
    if len(told) > 200 or _CONTROL.search(told):
        return MISSING, FLAG["number"]
    return encode(told, names), 0


def _ascii(text: str) -> str:
    """Return a text with every decimal digit of any script, and full-width letters, as ASCII has them: ８６, ٨٦ → 86."""
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in unicodedata.normalize("NFKC", text))


def codes(array: pa.Array, parse: Once) -> tuple[Ints, Flags]:
    """Return code and flag of every number; digits alone, also behind a "+", by arithmetic."""
    column = texts(array)
    lengths = column.lengths
    odd = np.flatnonzero((column.data - 48).view(np.uint8) > 9)
    ok = (lengths >= 1) & (lengths <= MOST_DIGITS)
    if odd.size == 0:
        values = integers(column, ok) + POWERS[np.where(ok, lengths, 0)] + PLAIN
        return rest(array, values, ok, parse)
    row = np.searchsorted(column.offsets[1:], odd, side="right")
    plus = (column.data[odd] == _PLUS_SIGN) & (odd == column.offsets[row])
    signed = np.zeros(len(column), np.bool_)
    signed[row[plus]] = True
    ok = (lengths >= 1 + signed) & (lengths <= MOST_DIGITS + signed)
    ok[row[~plus]] = False
    data = column.data.copy()
    data[odd[plus]] = 48  # a zero in front changes no value, and the length is told by `signed`
    values = integers(Texts(data, column.offsets), ok)
    values = values + POWERS[np.where(ok, lengths - signed, 0)] + np.where(signed, PLUS, PLAIN)
    return rest(array, values, ok, parse)
