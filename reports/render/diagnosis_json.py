"""Shows a diagnosis to programs: JSON whose keys stay (the handbook names them)."""

from collections.abc import Sequence
from typing import Any

from checks.verdict import Diagnosis
from reports.case import Case
from reports.diagnosis import Conclusion, Ended, Verified, exit_code, verified_code
from reports.locale.text import Texts
from reports.render.diagnosis import customer_texts
from reports.render.json import finding_data, pretty


def diagnosis_json(steps: Sequence[Ended], told: Conclusion, similar: Sequence[Case], texts: Texts) -> str:
    """Return one diagnosis as one JSON object, ending in a newline.

    Keys: answer ("fault", "none", "undetermined"), exit_code, complaint, steps, diagnosis (null without a fault), others, next_test (null
    where there is none), todo, ruled_out, not_looked_at, similar (numbers of cases), case (null: on none), joined, readings, took_s, at,
    agent, rules.
    """
    asked = told.request
    one = told.diagnosis
    return pretty(
        {
            "answer": told.answer,
            "exit_code": exit_code(told),
            "complaint": {
                "kind": asked.kind,
                "customer": asked.customer,
                "node": asked.node,
                "number": asked.number,
                "symptoms": asked.symptoms,
                "since": asked.since,
            },
            "steps": [_step(step, texts) for step in steps],
            "diagnosis": None if one is None else {**_diagnosis(one, texts), "to_customer": customer_texts(one, told, texts)},
            "others": [_diagnosis(other, texts) for other in told.others],
            "next_test": None if told.decides is None else texts.say(told.decides),
            "todo": [{"who": todo.who, "what": texts.say(todo.what)} for todo in told.todo],
            "ruled_out": dict(told.ruled_out),
            "not_looked_at": [texts.say(message) for message in told.not_looked],
            "calls": [texts.say(message) for message in told.calls],
            "similar": [case.id for case in similar],
            "case": None if told.opened is None else told.opened.case,
            "joined": told.opened is not None and told.opened.joined,
            "not_opened": None if told.open_problem is None else texts.say(told.open_problem),
            "readings": told.readings,
            "took_s": round(told.took_s, 3),
            "at": told.at,
            "agent": told.agent,
            "rules": told.rules,
        }
    )


def verified_json(told: Verified, texts: Texts) -> str:
    """Return a verification as one JSON object, ending in a newline: case, result, exit_code, good, bad, unknown, said, took_s."""
    return pretty(
        {
            "case": told.case,
            "result": told.result,
            "exit_code": verified_code(told),
            "good": told.good,
            "bad": told.bad,
            "unknown": told.unknown,
            "said": [{"node": one.node, "state": one.state, "message": texts.say(one.message)} for one in told.tellings],
            "took_s": round(told.took_s, 3),
            "not_noted": told.problem or None,
        }
    )


def _step(step: Ended, texts: Texts) -> dict[str, Any]:
    return {
        "question": step.question,
        "state": step.state,
        "took_s": round(step.took_s, 3),
        "nodes": step.nodes,
        "good": step.good,
        "bad": step.bad,
        "unknown": step.unknown,
        "said": [{"node": one.node, "state": one.state, "message": texts.say(one.message)} for one in step.tellings],
        "note": None if step.note is None else texts.say(step.note),
    }


def _diagnosis(one: Diagnosis, texts: Texts) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "cause": one.cause,
        "element": one.element,
        "side": one.side,
        "area": one.area,
        "urgency": one.urgency,
        "severity": one.state,
        "confidence": one.confidence,
        "since": one.since,
        "affected": one.affected,
        "alternatives": one.alternatives,
        "elsewhere": one.elsewhere,
        "summary": texts.say(one.summary),
        "action": texts.say(one.action),
        "decides": None if one.decides is None else texts.say(one.decides),
        "findings": [{"node": found.seen.node, **finding_data(found, texts)} for found in one.findings],
        "cleared_by": [{"node": found.seen.node, **finding_data(found, texts)} for found in one.ruled_out],
    }
