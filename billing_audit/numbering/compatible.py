"""Whether two numbers can be the same: masks compared where digits are seen, unequal forms by their ends."""

from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit.matching.align import Ints
from billing_audit.numbers import MASK_COUNT, MASK_HEAD, TAG, digits, length

Mask = npt.NDArray[np.bool_]
ENDS: Final = 7  # so many last digits tell a subscriber nearly everywhere


def visible(codes: Ints) -> Mask:
    """Tell which numbers are seen whole."""
    seen: Mask = (codes >= TAG) & ((codes < 3 * TAG) | (codes >= 5 * TAG))
    return seen


def callers_agree(ours: Ints, theirs: Ints) -> Mask:
    """Tell which callers can be the same where at least one of them is not seen whole; two that are seen never are said to be."""
    return ~(visible(ours) & visible(theirs)) & masks_agree(ours, theirs)


def numbers_agree(ours: Ints, theirs: Ints) -> Mask:
    """Tell which numbers are equal, end in the same seven digits, or can be the same behind a mask."""
    a, b = digits(ours), digits(theirs)
    ends: Mask = (length(a) >= ENDS) & (length(b) >= ENDS) & (a % 10**ENDS == b % 10**ENDS)
    hidden = ~(visible(ours) & visible(theirs))
    agree: Mask = (ours == theirs) | ends | (hidden & masks_agree(ours, theirs))
    return agree


def masks_agree(ours: Ints, theirs: Ints) -> Mask:
    """Tell which numbers do not contradict one another: nothing told, or all digits that both show are the same.

    Heads are compared only where the masks say that both numbers have as many digits. Words ("Restricted") contradict other words alone.
    """
    kind, other = ours // TAG, theirs // TAG
    head_a, count_a, tail_a = _shown(ours, kind)
    head_b, count_b, tail_b = _shown(theirs, other)
    silent = (kind == 0) | (other == 0) | ((kind == 4) ^ (other == 4))
    seen = np.minimum(length(tail_a), length(tail_b))
    unit = 10**seen
    agree: Mask = tail_a % unit == tail_b % unit
    size_a, size_b = length(head_a), length(head_b)
    common = np.minimum(size_a, size_b)
    first = head_a // 10 ** (size_a - common) == head_b // 10 ** (size_b - common)
    agree &= first | (count_a != count_b)
    words = (kind == 4) & (other == 4)
    told: Mask = silent | np.where(words, ours == theirs, agree)
    return told


def _shown(codes: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Return what stands in front (1 and digits), how many digits there are in all, and what stands behind."""
    rest = codes % TAG
    masked = kind == 3
    head = np.where(masked, rest // MASK_HEAD, digits(codes))
    tail = np.where(masked, rest % MASK_COUNT, head)
    count = np.where(masked, rest % MASK_HEAD // MASK_COUNT + length(head) + length(tail), length(head))
    return np.maximum(head, 1), count, np.maximum(tail, 1)
