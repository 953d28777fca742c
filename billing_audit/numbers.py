"""Telephone numbers as codes: one int64 each, so that millions are compared, cut and rewritten without a string.

The first digit of a code says what it is, the 18 behind it hold the number:
    0                    absent: empty, anonymous, private, unknown
    1·10¹⁸ + 1 digits    digits alone: a 1 before at most 17 digits keeps leading zeros ("0086" and "86" differ)
    2·10¹⁸ + 1 digits    the same after a "+"
    3·10¹⁸ + …           masked (two or more * x •): 1 and ≤ 7 digits before · 10¹⁰ + how many are masked · 10⁸ + 1 and ≤ 6 behind
    5·10¹⁸ + n·10¹⁵ + …  behind tech prefix number n (≤ 999) of Names (like "8888#"): 1 and at most 14 digits
    4·10¹⁸ + n           any other text: number n of Names
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit.ledger import Names

Codes = npt.NDArray[np.int64]

TAG: Final = 10**18
ABSENT: Final = 0
PLAIN, PLUS, MASKED, OTHER, TECH = (TAG * n for n in (1, 2, 3, 4, 5))
TECH_UNIT: Final = 10**15
MOST_DIGITS: Final = 17
MOST_BEHIND_TECH: Final = 14
MASK_HEAD: Final = 10**10
MASK_COUNT: Final = 10**8
NOBODY: Final = frozenset(
    ("", "anonymous", "private", "unknown", "unavailable", "restricted", "withheld", "none", "null", "n/a", "-", "匿名", "未知")
)
_SEPARATORS = re.compile(r"[\s().\-‐–/]+")
_MASKED = re.compile(r"(\d{0,7})([*xX•]{2,99})(\d{0,6})")
_TECH = re.compile(r"([\d*#]*[*#])(\d{1,14})")
_POWERS = 10 ** np.arange(19, dtype=np.int64)


def encode(text: str, names: Names) -> int:
    """Return the code of a number as a bill writes it; separators are dropped, a `sip:`/`tel:` address gives its user part."""
    told = text.strip()
    if told.lower() in NOBODY:
        return ABSENT
    if told[:4].lower() in ("sip:", "tel:") or told[:5].lower() == "sips:":
        told = told.split(":", 1)[1].split("@", 1)[0].split(";", 1)[0]
    bare = _SEPARATORS.sub("", told)
    if bare.isascii() and bare.isdecimal() and len(bare) <= MOST_DIGITS:
        return PLAIN + int("1" + bare)
    if bare[:1] == "+" and bare[1:].isascii() and bare[1:].isdecimal() and len(bare) <= MOST_DIGITS + 1:
        return PLUS + int("1" + bare[1:])
    if masked := _MASKED.fullmatch(bare.removeprefix("+")):  # before tech prefixes: "138****1234" is masked, "99*1234" is not
        return MASKED + int("1" + masked[1]) * MASK_HEAD + len(masked[2]) * MASK_COUNT + int("1" + masked[3])
    if tech := _TECH.fullmatch(bare):
        index = names.short(tech[1])
        if index < Names.SHORT:
            return TECH + index * TECH_UNIT + int("1" + tech[2])
    return OTHER + names.index(told)


def decode(code: int, names: Names) -> str:
    """Return the number as people write it; a mask is shown as stars."""
    tag, rest = divmod(code, TAG)
    if tag == 0:
        return ""
    if tag == 3:
        head, tail = divmod(rest, MASK_HEAD)
        count, seen = divmod(tail, MASK_COUNT)
        return str(head)[1:] + "*" * count + str(seen)[1:]
    if tag == 4:
        return names.text(rest)
    if tag == 5:
        index, digits = divmod(rest, TECH_UNIT)
        return names.text(index) + str(digits)[1:]
    return ("+" if tag == 2 else "") + str(rest)[1:]


def is_masked(codes: Codes) -> npt.NDArray[np.bool_]:
    """Tell which callers can't be compared digit by digit: absent, masked, or no number at all."""
    masked: npt.NDArray[np.bool_] = np.isin(codes // TAG, (0, 3, 4))
    return masked


def digits(codes: Codes) -> Codes:
    """Return a 1 before the digits of each plain, "+" or tech number (the tech prefix left out); 0 for all others."""
    tag, rest = np.divmod(codes, TAG)
    return np.where((tag == 1) | (tag == 2), rest, np.where(tag == 5, rest % TECH_UNIT, 0))


def length(sentinel: Codes) -> Codes:
    """Return how many digits stand behind the leading 1 of what `digits` gives; 0 for 0."""
    return np.maximum(np.searchsorted(_POWERS, sentinel, side="right") - 1, 0)


def suffix(sentinel: Codes, count: int) -> Codes:
    """Return the last `count` digits of what `digits` gives with a 1 before them: all of them where there are fewer; 0 for 0."""
    unit = 10**count
    return np.where(sentinel >= unit, unit + sentinel % unit, sentinel)
