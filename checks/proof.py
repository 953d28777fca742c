"""A verdict together with what it stands on: what is kept with a case, and derived again when somebody asks."""

from collections.abc import Mapping

import msgspec

from checks.assess import Memory, Rules
from checks.evidence import JobKey, derive, derive_all, gather, same_rules
from checks.verdict import Diagnosis, Evidence
from probe.inventory import Inventory


class Proof(msgspec.Struct, frozen=True):
    """A diagnosis as it was made, and its evidence."""

    verdict: Diagnosis
    evidence: Evidence


class Explanation(msgspec.Struct, frozen=True):
    """What the evidence leads to now. `same` compares to the byte; `others` are what it leads to when it no longer leads to the verdict."""

    derived: Diagnosis | None
    same: bool
    same_rules: bool
    others: tuple[Diagnosis, ...] = ()


def prove(diagnosis: Diagnosis, memories: Mapping[JobKey, Memory], rules: Mapping[JobKey, Rules], inventory: Inventory) -> bytes:
    """Return the proof of a diagnosis as JSON; ValueError when the memories can't carry it."""
    verdict = msgspec.structs.replace(diagnosis, evidence=None)
    return msgspec.json.encode(Proof(verdict, gather(diagnosis, memories, rules, inventory)), order="deterministic")


def read(text: bytes) -> Proof:
    """Return a proof from its JSON; msgspec.DecodeError says where it is none."""
    return msgspec.json.decode(text, type=Proof)


def explain(proof: Proof) -> Explanation:
    """Derive the verdict again from the evidence alone; ValueError when its readings, changed by hand, are none that can be judged."""
    try:
        derived = derive(proof.evidence, proof.verdict.cause, proof.verdict.element)
        others = () if derived is not None else tuple(derive_all(proof.evidence))
    except (ArithmeticError, LookupError) as why:
        raise ValueError(f"{type(why).__name__}: {why}") from why
    same = derived is not None and _bytes(derived) == _bytes(proof.verdict)
    return Explanation(derived, same, same_rules(proof.evidence), others)


def _bytes(diagnosis: Diagnosis) -> bytes:
    """Return the one spelling of a diagnosis: read once, so that a whole number in a float field is written as a float on both sides."""
    spelled = msgspec.json.encode(diagnosis, order="deterministic")
    return msgspec.json.encode(msgspec.json.decode(spelled, type=Diagnosis), order="deterministic")
