"""Which prefix rules make both bills write a number alike: learned from calls that both surely have."""

from collections import Counter
from typing import Final

import numpy as np
import pandas as pd

from billing_audit.align import Ints
from billing_audit.e164 import best_head, plausible
from billing_audit.ledger import Bill, Names
from billing_audit.numbers import PLUS, TAG, TECH_UNIT, digits, length
from billing_audit.rewriting import Rule, tokens

LEAST_END: Final = 7
DEEPEST: Final = 6  # digits of a number that a rule may look at beyond the prefix it takes off
AGREE: Final = 0.98
LEAST: Final = 3  # numbers that a rule must fit
MOST_TAILS: Final = 24
MOST_FORMS: Final = 4_000
MOST_RULES: Final = 64

Action = tuple[str, str]  # strip, add
Seen = Counter[tuple[tuple[str, ...], Action]]


def learn_rules(
    local: pd.DataFrame, customer: pd.DataFrame, near: tuple[Ints, Ints], names: Names, given: set[Bill], deck: Ints | None
) -> tuple[Rule, ...]:
    """Return the rules of both bills and fields under which numbers of the same calls agree, in the international form if there is one."""
    made: list[Rule] = []
    for field in ("caller", "callee"):
        ours, theirs = local[field].to_numpy()[near[0]], customer[field].to_numpy()[near[1]]
        made += [rule for rule in _field(field, ours, theirs, names, deck) if rule.bill not in given]
    return tuple(made)


def _field(field: str, ours: Ints, theirs: Ints, names: Names, deck: Ints | None) -> list[Rule]:
    a, b = digits(ours), digits(theirs)
    able = (length(a) >= LEAST_END) & (length(b) >= LEAST_END) & (a % 10**LEAST_END == b % 10**LEAST_END)
    ours, theirs, a, b = ours[able], theirs[able], a[able], b[able]
    if not len(a) or (np.where(ours < 3 * TAG, ours % TAG, ours) == np.where(theirs < 3 * TAG, theirs % TAG, theirs)).all():
        return []
    forms = _forms(ours, theirs, a, b, names)
    seen: tuple[Seen, Seen] = (Counter(), Counter())
    alike: Counter[str] = Counter()
    for (head_a, head_b), tails in forms.items():
        if head_a == head_b:
            alike.update({head_a + tail: count for tail, count in tails.items()})
    for (head_a, head_b, tail), target in _targets(forms, deck).items():
        count = forms[head_a, head_b][tail]
        _note(seen[0], head_a, target, tail, count)
        _note(seen[1], head_b, target, tail, count)
    rules = [_tree(seen[0]), _tree(seen[1])]
    for _ in range(3):  # numbers that both write alike must still be alike afterwards
        if not _carry(alike, seen, rules, deck):
            break
        rules = [_tree(seen[0]), _tree(seen[1])]
    return [
        Rule(bill, field, strip, add, rows)
        for bill, found in zip((Bill.LOCAL, Bill.CUSTOMER), rules, strict=True)
        for strip, add, rows in found
    ]


def _forms(ours: Ints, theirs: Ints, a: Ints, b: Ints, names: Names) -> dict[tuple[str, str], Counter[str]]:
    """Return pairs of heads → tails: what stands before the digits that both numbers end in alike, and these digits; counted."""
    least = np.minimum(length(a), length(b))
    common = np.zeros(len(a), np.int64)
    for size in range(LEAST_END, 18):
        same = (a % 10**size == b % 10**size) & (least >= size)
        common[same & (common == np.where(size == LEAST_END, 0, size - 1))] = size
    unit = 10**common
    kinds = np.stack([_kind(ours), a // unit, _kind(theirs), b // unit, suffix_of(a, common)], axis=1)
    order = np.lexsort(kinds.T[::-1])
    kinds = kinds[order]
    fresh = np.flatnonzero(np.append(True, (kinds[1:] != kinds[:-1]).any(axis=1))) if len(kinds) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(fresh, len(kinds)))
    heads: dict[tuple[str, str], Counter[str]] = {}
    for (kind_a, head_a, kind_b, head_b, tail), count in zip(kinds[fresh].tolist(), sizes.tolist(), strict=True):
        told = str(tail)[1:]
        zeros = told[
            : len(told) - len(told[:2].lstrip("0")) - len(told[2:])
        ]  # a trunk or access code that both write is no part of the number
        key = _front(kind_a, names) + str(head_a)[1:] + zeros, _front(kind_b, names) + str(head_b)[1:] + zeros
        tails = heads.setdefault(key, Counter())
        told = told[len(zeros) :]
        tails[told if len(tails) < MOST_FORMS else told[:DEEPEST]] += count
    return heads


def suffix_of(sentinel: Ints, count: Ints) -> Ints:
    """Return the last `count` digits (a count for each) with a 1 before."""
    unit = 10**count
    return unit + sentinel % unit


def _kind(codes: Ints) -> Ints:
    """Return 0 for digits alone, 1 after a "+", 2 + n behind tech prefix number n."""
    return np.where(codes >= 5 * TAG, 2 + codes % TAG // TECH_UNIT, np.where(codes >= PLUS, 1, 0))


def _front(kind: int, names: Names) -> str:
    return "" if kind == 0 else "+" if kind == 1 else names.text(kind - 2)


def _targets(forms: dict[tuple[str, str], Counter[str]], deck: Ints | None) -> dict[tuple[str, str, str], str]:
    """Return, for each form (two unequal heads and a tail) that is no chance, the digits that both heads become.

    Heads that stand before the same kind of number (its first two digits) and meet one another become the same digits, whichever two of
    them meet; a country code found for some is proposed for all.
    """
    parts = [(one, other, tail) for (one, other), tails in sorted(forms.items()) for tail in sorted(tails) if one != other]
    union: dict[tuple[int, str, str], tuple[int, str, str]] = {}

    def root(node: tuple[int, str, str]) -> tuple[int, str, str]:
        while union.setdefault(node, node) != node:
            node = union[node]
        return node

    common = {pair for pair, tails in forms.items() if sum(tails.values()) >= LEAST}
    parts = [part for part in parts if part[:2] in common]
    for one, other, kind in sorted({(one, other, tail[:2]) for one, other, tail in parts}):
        union[root((0, one, kind))] = root((1, other, kind))
    groups: dict[tuple[int, str, str], list[tuple[str, str, str]]] = {}
    for part in parts:
        groups.setdefault(root((0, part[0], part[2][:2])), []).append(part)
    homes: set[str] = set()
    for _ in range(2):
        made = {key: _target(group, homes, deck) for key, group in groups.items()}
        homes = _homes(groups, made)
    return {part: made[key] for key, group in groups.items() for part in group}


def _homes(groups: dict[tuple[int, str, str], list[tuple[str, str, str]]], made: dict[tuple[int, str, str], str]) -> set[str]:
    """Return the country codes that a fifth or more of the numbers get that a bill writes as inside a country."""
    found: Counter[str] = Counter()
    for key, head in made.items():
        if any(part[side] in ("", "0") for part in groups[key] for side in (0, 1)):
            found[head] += len(groups[key])
    whole = sum(found.values())
    return {head for head, count in found.items() if head and count * 5 >= whole}


def _target(group: list[tuple[str, str, str]], homes: set[str], deck: Ints | None) -> str:
    tails = sorted({tail for _, _, tail in group if len(tail) > DEEPEST})
    return best_head({head for part in group for head in part[:2]}, homes, tails[:: max(len(tails) // MOST_TAILS, 1)][:MOST_TAILS], deck)


def _note(seen: Seen, head: str, target: str, tail: str, count: int) -> None:
    start = tuple(tokens(head + tail)[: len(tokens(head)) + DEEPEST])
    seen[start, (head, target)] += count


def _carry(alike: Counter[str], seen: tuple[Seen, Seen], rules: list[list[tuple[str, str, int]]], deck: Ints | None) -> bool:
    """Note one action for both bills on numbers that both write alike and their rules would part; tell whether that is new."""
    groups: dict[tuple[Action, ...], Counter[str]] = {}
    for number, count in alike.items():
        steps = tokens(number)
        actions = [_action(found, steps) for found in rules]
        if _after(number, actions[0]) != _after(number, actions[1]):
            able = {*actions, ("", ""), *([("00", "")] if number.startswith("00") else [])}
            groups.setdefault(tuple(sorted(able)), Counter())[number] += count
    changed = False
    for choices, numbers in groups.items():
        some = sorted(numbers)[:: max(len(numbers) // MOST_TAILS, 1)][:MOST_TAILS]
        wanted = max(choices, key=lambda action: (plausible([_after(number, action) for number in some], deck), len(action[1]), action))
        for number, count in numbers.items():
            key = tuple(tokens(number)[: len(tokens(wanted[0])) + DEEPEST]), wanted
            for side in seen:
                changed |= not side[key]
                side[key] = max(side[key], count)
    return changed


def _after(number: str, action: Action) -> str:
    return action[1] + "".join(tokens(number)[len(tokens(action[0])) :])


def _action(rules: list[tuple[str, str, int]], steps: list[str]) -> Action:
    best: Action = ("", "")
    for strip, add, _ in rules:
        mine = tokens(strip)
        if steps[: len(mine)] == mine and len(mine) >= len(tokens(best[0])):
            best = (strip, add)
    return best


def _tree(seen: Seen) -> list[tuple[str, str, int]]:
    """Return (strip, add, rows) such that the longest prefix that fits does to each number what was seen; as few and short as can be."""
    found: list[tuple[str, str, int]] = []
    _branch((), seen, ("", ""), found)
    return found[:MOST_RULES]


def _branch(prefix: tuple[str, ...], seen: Seen, inherited: Action, found: list[tuple[str, str, int]]) -> None:
    """Add the rule that this prefix needs beyond what it inherits, and those of longer prefixes."""
    here: Counter[Action] = Counter()
    for (_, action), count in seen.items():
        if len(tokens(action[0])) <= len(prefix):
            here[action] += count
    best = max(here.items(), key=lambda entry: (entry[1], entry[0]), default=None)
    whole = sum(here.values())
    if best is not None and best[1] >= LEAST and best[1] >= AGREE * whole and (prefix or best[1] >= 0.995 * whole):
        strip, add = best[0]
        rest = "".join(prefix[len(tokens(strip)) :])
        rule = "".join(prefix), add + rest
        if rule[0] != rule[1] or inherited != ("", ""):
            if _effect(inherited, prefix) != rule:
                found.append((*rule, best[1]))
            inherited = rule
        if whole == sum(seen.values()):
            return
    elif best is not None and len(prefix) >= DEEPEST + len(tokens(best[0][0])):
        return
    steps: dict[str, Seen] = {}
    for (start, action), count in seen.items():
        if len(start) > len(prefix):
            steps.setdefault(start[len(prefix)], Counter())[start, action] += count
    for step in sorted(steps):
        _branch((*prefix, step), steps[step], inherited, found)


def _effect(action: Action, prefix: tuple[str, ...]) -> Action:
    """Return what an inherited rule does, told for a longer prefix."""
    rest = "".join(prefix[len(tokens(action[0])) :])
    return "".join(prefix), action[1] + rest
