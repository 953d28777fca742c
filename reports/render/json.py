"""Shows findings and cases to programs: JSON whose keys stay (the handbook names them)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from checks.finding import Finding, Levels, worst
from probe.observation.observation import Observation
from reports.case import Case
from reports.complaint import Complaint
from reports.locale.text import Texts

_ENCODER = msgspec.json.Encoder()
_ESCAPED = {code: f"\\u{code:04x}" for code in (0x7F, *range(0x80, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def check_json(target: str, prober: str, observation: Observation, findings: Sequence[Finding], texts: Texts) -> str:
    """Return one check as one JSON object, ending in a newline.

    Keys: target, prober, state (the one word for all findings), at (RFC 3339, UTC), took_ms, findings, and outcome: the sample or
    failure as measured, told apart by its key `type`.
    """
    document = {
        "target": target,
        "prober": prober,
        "state": worst({finding.state for finding in findings}),
        "at": observation.at,
        "took_ms": observation.took_ms,
        "findings": [finding_data(finding, texts) for finding in findings],
        "outcome": observation.outcome,
    }
    return pretty(document)


def finding_data(finding: Finding, texts: Texts) -> dict[str, Any]:
    """Return a finding's keys: check, item, state, value, unit, levels (null where nothing is judged), message."""
    return {
        "check": finding.check,
        "item": finding.item or finding.seen.item,
        "state": finding.state,
        "value": finding.value,
        "unit": finding.levels.unit if finding.levels else None,
        "levels": levels_data(finding.levels) if finding.levels else None,
        "message": texts.say(finding.message),
    }


def levels_data(levels: Levels) -> dict[str, Any]:
    """Return the limits' keys: warning, critical (null: not judged), low (small values are bad), source."""
    return {"warning": levels.warning, "critical": levels.critical, "low": levels.low, "source": levels.source}


def pretty(document: Any) -> str:
    """Return the document as indented JSON, ending in a newline; times in RFC 3339, numbers that are not finite as null.

    What a terminal would obey (C1 controls, changes of writing direction) is escaped: a peer may have put it into its answer.
    """
    return msgspec.json.format(_ENCODER.encode(document), indent=2).decode().translate(_ESCAPED) + "\n"


def cases_json(cases: Sequence[Case], texts: Texts) -> str:
    """Return cases as one JSON list, ending in a newline; see `case_data` for the keys."""
    return pretty([case_data(case, texts) for case in cases])


def case_data(case: Case, texts: Texts) -> dict[str, Any]:
    """Return a case's keys; times in RFC 3339, cleared_at null as long as it lasts, confidence null where nothing calibrates it."""
    return {
        "id": case.id,
        "kind": case.kind,
        "state": case.state,
        "severity": case.severity,
        "cause": case.cause,
        "side": case.side,
        "area": case.area,
        "element": case.element,
        "episode": case.episode,
        "affected": case.affected,
        "urgency": case.urgency,
        "confidence": case.confidence,
        "agent": case.agent,
        "since": case.since,
        "opened_at": case.opened_at,
        "updated_at": case.updated_at,
        "cleared_at": case.cleared_at,
        "cleared_by_itself": case.cleared_by_itself,
        "summary": texts.say(case.summary),
        "action": texts.say(case.action),
        "major": case.major,
        "alternatives": case.alternatives,
        "elsewhere": case.elsewhere,
        "decides": texts.say(case.decides) if case.decides is not None else None,
        "merged_into": case.merged_into,
        "complainants": case.complainants,
    }


def complaint_data(complaint: Complaint) -> dict[str, Any]:
    """Return a complaint's keys; times in RFC 3339, since null where the customer did not say."""
    return msgspec.structs.asdict(complaint)
