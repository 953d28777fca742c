"""A verdict together with what it stands on: what is kept with a case, and derived again when somebody asks."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from checks.assess import Memory, Rules
from checks.correlate import RULES
from checks.correlation.fault import Fault
from checks.correlation.view import View
from checks.evidence import ByNode, derive, derive_all, derive_fault, gather, jobs_by_node, jobs_of, same_rules
from checks.strand import JobKey
from checks.verdict import Diagnosis, Evidence, Identity, Strand, Width
from probe.inventory import Inventory

MOST_BYTES = 16 * 1024**2  # of one proof as JSON
SLICED_BYTES = 256 * 1024  # from here on a proof is read in slices, and from so many strands on written so
SLICED = 100
WIDTHS = (Width.OWN, Width.NEAR, Width.BAD, Width.ALL)


_STRAND = msgspec.json.Decoder(Strand)


class Proof(msgspec.Struct, frozen=True):
    """A diagnosis as it was made, and its evidence; that of width `none` is empty: nothing of bounded size led to the verdict."""

    verdict: Diagnosis
    evidence: Evidence


class Explanation(msgspec.Struct, frozen=True):
    """What the evidence leads to now. `same` compares to the byte; `others` are what it leads to when it no longer leads to the verdict."""

    derived: Diagnosis | None
    same: bool
    same_rules: bool
    others: tuple[Diagnosis, ...] = ()


class _Raw(msgspec.Struct, frozen=True):
    verdict: msgspec.Raw
    evidence: dict[str, msgspec.Raw]


class _Widths(msgspec.Struct, frozen=True):
    width: Width = Width.OWN


class _Head(msgspec.Struct, frozen=True):
    evidence: _Widths


def prove(
    diagnosis: Diagnosis,
    memories: Mapping[JobKey, Memory],
    rules: Mapping[JobKey, Rules],
    inventory: Inventory,
    views: Iterable[View] = (),
    by_node: ByNode | None = None,
) -> bytes:
    """Return the proof of a diagnosis as JSON, with as little evidence as derives to the same bytes: it is derived from what was written.

    `by_node` is `jobs_by_node(memories)`, for who proves many. When nothing up to MOST_STRANDS jobs and MOST_BYTES leads there, the proof
    has no evidence and says so (`width_of`). ValueError when the memories lack a key of the diagnosis, or a name is no text.
    """
    verdict = msgspec.structs.replace(diagnosis, evidence=None)
    by_node = jobs_by_node(memories) if by_node is None else by_node
    jobs_of(diagnosis, memories, by_node)
    before: tuple[object, ...] | None = None
    views = tuple(views)
    made: dict[tuple[JobKey, bool], Strand] = {}
    for width in WIDTHS:
        try:
            evidence = gather(verdict, memories, rules, inventory, width, made, views, by_node)
        except (ArithmeticError, LookupError, ValueError):  # too much, or a reading that can't be judged a second time
            continue
        if (evidence.strands, evidence.inventory, evidence.views) == before:
            continue  # the same again would lead to the same
        before = (evidence.strands, evidence.inventory, evidence.views)
        text = _encoded(Proof(verdict, evidence))
        if len(text) <= MOST_BYTES and _leads(text):
            return text
    return _encoded(Proof(verdict, Evidence(RULES, (), Inventory(inventory.here, {}), Width.NONE)))


def read(text: bytes) -> Proof:
    """Return a proof from its JSON; msgspec.DecodeError says where it is none."""
    return Proof(*_parts(text))


def _parts(text: bytes) -> tuple[Diagnosis, Evidence]:
    """Return what a proof holds, strand by strand: megabytes read in one call would hold all measuring up that long."""
    if len(text) < SLICED_BYTES:
        whole = msgspec.json.decode(text, type=Proof)
        return whole.verdict, whole.evidence
    raw = msgspec.json.decode(text, type=_Raw)
    bare = msgspec.json.decode(msgspec.json.encode({**raw.evidence, "strands": ()}), type=Evidence)
    strands = tuple(_STRAND.decode(one) for one in msgspec.json.decode(raw.evidence["strands"], type=tuple[msgspec.Raw, ...]))
    return msgspec.json.decode(raw.verdict, type=Diagnosis), msgspec.structs.replace(bare, strands=strands)


def width_of(text: bytes) -> Width:
    """Return how much of the readings a proof needed, without reading all of it."""
    return msgspec.json.decode(text, type=_Head).evidence.width


def explain(proof: Proof) -> Explanation:
    """Derive the verdict again from the evidence alone; ValueError when its readings, changed by hand, are none that can be judged."""
    try:
        derived = derive(proof.evidence, proof.verdict.cause, proof.verdict.element)
        others = () if derived is not None else tuple(derive_all(proof.evidence))
    except (ArithmeticError, LookupError) as why:
        raise ValueError(f"{type(why).__name__}: {why}") from why
    same = derived is not None and _bytes(derived) == _bytes(proof.verdict)
    return Explanation(derived, same, same_rules(proof.evidence), others)


def fault_of(text: bytes) -> tuple[Identity, Fault] | None:
    """Return the fault that a proof leads to, and what its diagnosis is known by; None when it leads there no more, by other rules."""
    try:
        proof = read(text)
        fault = derive_fault(proof.evidence, proof.verdict.identity)
    except (ArithmeticError, LookupError, ValueError):
        return None
    return None if fault is None else (proof.verdict.identity, fault)


def _leads(text: bytes) -> bool:
    try:
        return explain(read(text)).same
    except ValueError:  # msgspec's errors too: what can't be read again proves nothing
        return False


def _encoded(proof: Proof) -> bytes:
    if len(proof.evidence.strands) < SLICED:
        return msgspec.json.encode(proof)  # nothing is sorted: the order of the inventory may break a tie
    strands: Any = tuple(msgspec.Raw(msgspec.json.encode(one)) for one in proof.evidence.strands)  # each by itself, as in `_parts`
    return msgspec.json.encode(Proof(proof.verdict, msgspec.structs.replace(proof.evidence, strands=strands)))


def _bytes(diagnosis: Diagnosis) -> bytes:
    """Return the one spelling of a diagnosis: read once, so that a whole number in a float field is written as a float on both sides."""
    spelled = msgspec.json.encode(diagnosis, order="deterministic")
    return msgspec.json.encode(msgspec.json.decode(spelled, type=Diagnosis), order="deterministic")
