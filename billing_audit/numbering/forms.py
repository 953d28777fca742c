"""Which prefix rules make both bills write a number alike: learned from calls that both surely have."""

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from billing_audit.ledger import Bill, Names
from billing_audit.matching.align import Ints
from billing_audit.numbering.alike import rules_of
from billing_audit.numbering.e164 import best_head, plausible
from billing_audit.numbering.rewriting import Rule, tokens
from billing_audit.numbers import PLUS, TAG, TECH_UNIT, digits, length

LEAST_END: Final = 7
DEEPEST: Final = 4  # digits of a number that a rule may look at beyond the prefix it takes off
AGREE: Final = 0.98
LEAST: Final = 3  # numbers that a rule must fit
MOST_TAILS: Final = 24
MOST_RULES: Final = 64

Action = tuple[str, str]  # strip, add
Node = tuple[int, str, str]  # which bill, a front, the first digits behind it
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


class Form(NamedTuple):
    """How numbers of the same calls differ: what stands in front in each bill, one end of those that begin alike, in how many rows."""

    one: str
    other: str
    tail: str
    rows: int


def _field(field: str, ours: Ints, theirs: Ints, names: Names, deck: Ints | None) -> list[Rule]:
    a, b = digits(ours), digits(theirs)
    able = (length(a) >= LEAST_END) & (length(b) >= LEAST_END) & (a % 10**LEAST_END == b % 10**LEAST_END)
    ours, theirs, a, b = ours[able], theirs[able], a[able], b[able]
    kinds = _kind(ours), _kind(theirs)
    same = (a == b) & (kinds[0] == kinds[1])
    if same.all():
        return _both(field, ours, deck)
    forms = _forms((kinds[0][~same], kinds[1][~same]), a[~same], b[~same], names)
    seen: tuple[Seen, Seen] = (Counter(), Counter())
    for form, target in _targets(forms, deck):
        _note(seen[0], form.one, target, form.tail, form.rows)
        _note(seen[1], form.other, target, form.tail, form.rows)
    rules = [_tree(seen[0]), _tree(seen[1])]
    alike = _alike(kinds[0][same], a[same], names) if rules[0] or rules[1] else {}
    for _ in range(3):  # numbers that both write alike must still be alike afterwards
        if not _carry(alike, seen, rules, deck):
            break
        rules = [_tree(seen[0]), _tree(seen[1])]
    return [
        Rule(bill, field, strip, add, rows)
        for bill, found in zip((Bill.LOCAL, Bill.CUSTOMER), rules, strict=True)
        for strip, add, rows in found
    ]


def _both(field: str, codes: Ints, deck: Ints | None) -> list[Rule]:
    """Return rules for both bills, which write numbers alike but not as the deck does."""
    if field != "callee":
        return []
    return [Rule(bill, field, strip, add, len(codes)) for bill in Bill for strip, add in rules_of(codes[_kind(codes) == 0], deck)]


def _forms(kinds: tuple[Ints, Ints], a: Ints, b: Ints, names: Names) -> list[Form]:
    """Return the forms in which two numbers differ; a trunk or access code that both write before their end belongs to what is in front."""
    least = np.minimum(length(a), length(b))
    common = np.full(len(a), LEAST_END, np.int64)
    for size in range(LEAST_END + 1, 18):
        unit = 10**size
        common += (common == size - 1) & (least >= size) & (a % unit == b % unit)
    for _ in range(2):
        common -= (common > LEAST_END) & (_tail(a, common) // 10 ** (common - 1) == 10)
    unit = 10**common
    tail = _tail(a, common)
    columns = [kinds[0], a // unit, kinds[1], b // unit, tail // 10 ** (common - DEEPEST)]
    return [
        Form(_front(kind_a, names) + str(head_a)[1:], _front(kind_b, names) + str(head_b)[1:], str(whole)[1:], count)
        for kind_a, head_a, kind_b, head_b, _, whole, count in _counted(columns, tail)
    ]


def _counted(columns: list[Ints], whole: Ints) -> list[list[int]]:
    """Return the distinct rows of the columns, the least of `whole` in each and how many there are; sorted."""
    order = np.lexsort((whole, *reversed(columns)))
    if not len(order):
        return []
    table = np.stack([*columns, whole], axis=1)[order]
    first = np.flatnonzero(np.append(True, (table[1:, :-1] != table[:-1, :-1]).any(axis=1)))
    counts = np.diff(np.append(first, len(table)))
    return [[*row, count] for row, count in zip(table[first].tolist(), counts.tolist(), strict=True)]


def _alike(kinds: Ints, a: Ints, names: Names) -> dict[str, int]:
    """Return numbers that both bills write alike, one for all that begin with the same digits, and how many these are."""
    size = length(a)
    start = a // 10 ** np.maximum(size - DEEPEST - 2, 0)
    return {_front(kind, names) + str(whole)[1:]: count for kind, _, whole, count in _counted([kinds, start], a)}


def _tail(sentinel: Ints, count: Ints) -> Ints:
    """Return the last `count` digits (a count for each) with a 1 before."""
    unit = 10**count
    return unit + sentinel % unit


def _kind(codes: Ints) -> Ints:
    """Return 0 for digits alone, 1 after a "+", 2 + n behind tech prefix number n."""
    return np.where(codes >= 5 * TAG, 2 + codes % TAG // TECH_UNIT, np.where(codes >= PLUS, 1, 0))


def _front(kind: int, names: Names) -> str:
    return "" if kind == 0 else "+" if kind == 1 else names.text(kind - 2)


def _targets(forms: list[Form], deck: Ints | None) -> list[tuple[Form, str]]:
    """Return the forms that are no chance, and the digits that both their fronts become.

    Fronts that stand before the same kind of number (its first two digits) and meet one another become the same digits, whichever two of
    them meet; a country code found for some is proposed for all.
    """
    met: Counter[tuple[str, str]] = Counter()
    for form in forms:
        met[form.one, form.other] += form.rows
    kept = [form for form in forms if met[form.one, form.other] >= LEAST]
    union: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while union.setdefault(node, node) != node:
            node = union[node]
        return node

    for one, other, kind in sorted({(form.one, form.other, form.tail[:2]) for form in kept}):
        union[root((0, one, kind))] = root((1, other, kind))
    groups: dict[Node, list[Form]] = {}
    for form in kept:
        groups.setdefault(root((0, form.one, form.tail[:2])), []).append(form)
    wide = _wide(kept, deck)
    homes: set[str] = set()
    for _ in range(2):
        made = {key: _target(group, homes, deck, wide[0, group[0].one]) for key, group in groups.items()}
        homes = _homes(groups, made)
    return [(form, made[key]) for key, group in groups.items() for form in group]


def _wide(forms: list[Form], deck: Ints | None) -> dict[tuple[int, str], str]:
    """Return what fronts that meet one another, before whatever numbers, would become together: one rule for all is likelier than many."""
    union: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while union.setdefault(node, node) != node:
            node = union[node]
        return node

    for one, other in sorted({(form.one, form.other) for form in forms}):
        union[root((0, one))] = root((1, other))
    groups: dict[tuple[int, str], list[Form]] = {}
    for form in forms:
        groups.setdefault(root((0, form.one)), []).append(form)
    made = {key: _target(group, set(), deck, all_=True) for key, group in groups.items()}
    return {node: made[root(node)] for node in list(union)}


def _homes(groups: dict[Node, list[Form]], made: dict[Node, str]) -> set[str]:
    """Return the country codes that a fifth or more of the numbers get that a bill writes as inside a country."""
    found: Counter[str] = Counter()
    for key, head in made.items():
        if any(form.one in ("", "0") or form.other in ("", "0") for form in groups[key]):
            found[head] += sum(form.rows for form in groups[key])
    whole = sum(found.values())
    return {head for head, count in found.items() if head and count * 5 >= whole}


def _target(group: list[Form], homes: set[str], deck: Ints | None, wide: str | None = None, *, all_: bool = False) -> str:
    tails = sorted({form.tail for form in group})
    fronts = {front for form in group for front in (form.one, form.other)}
    return best_head(fronts, homes, tails[:: max(len(tails) // MOST_TAILS, 1)][:MOST_TAILS], deck, wide, all_=all_)


def _note(seen: Seen, head: str, target: str, tail: str, count: int) -> None:
    start = tuple(tokens(head + tail)[: len(tokens(head)) + DEEPEST])
    seen[start, (head, target)] += count


def _carry(alike: dict[str, int], seen: tuple[Seen, Seen], rules: list[list[tuple[str, str, int]]], deck: Ints | None) -> bool:
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
