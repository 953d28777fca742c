"""The words of `case explain`: a verdict derived again, and the readings that lead to it."""

from checks.proof import Explanation, Proof
from checks.verdict import Width
from reports.locale.text import Texts
from reports.render.columns import clip, paint, width, wrap
from reports.render.findings import limit_text
from reports.render.outcome import outcome_text

MOST_TAKEN = 5  # findings of one check that are named as taken along


def explanation_text(proof: Proof, explanation: Explanation, said: Texts, colour: bool, columns: int) -> str:
    """Return the page: whether it comes out the same, by which rules, and every observation that it stands on."""
    verdict = proof.verdict
    lines = wrap(said.say(verdict.summary), columns)
    if proof.evidence.width is Width.NONE:
        return "\n".join([*lines, *_note(said.text("explain.no-evidence"), columns)]) + "\n"
    lines += _note(said.text("explain.same" if explanation.same else "explain.differs"), columns)
    if not explanation.same_rules:
        lines += _note(said.text("explain.other-rules", rules=proof.evidence.rules), columns)
    if explanation.derived is None:
        others = [said.say(other.summary) for other in explanation.others]
        lines += _note(said.text("explain.others", others="; ".join(others)) if others else said.text("explain.nothing"), columns)
    for strand in proof.evidence.strands:
        lines += ["", said.text("explain.strand", name=" ".join(filter(None, (strand.node, strand.prober, strand.item))))]
        before = strand.start.before
        steps = [*([before] if before is not None else []), *(step.seen for step in strand.steps)]
        lines += [clip(f"   {seen.at.astimezone():%H:%M:%S}  {outcome_text(seen.outcome, said)}", columns) for seen in steps]
        taken = [" ".join(filter(None, (one.check, one.item))) for one in strand.found[:MOST_TAKEN]]
        lines += [clip(f"   {name}  {said.text('explain.taken')}", columns) for name in taken]
    if explanation.derived is not None:
        lines += ["", said.text("explain.findings")]
        for found in explanation.derived.findings:
            limits = f"  ({limit_text(found.levels, said)}; {found.levels.source})" if found.levels is not None else ""
            word = paint(said.word("state", found.state), found.state, colour)
            name = " ".join(filter(None, (found.check, found.key[3])))
            lines.append(clip(f"   {name}  {word}  {said.say(found.message)}{limits}", columns + 10 * colour))
        todo = said.text("case.todo") + "  "
        body = wrap(said.say(explanation.derived.action), max(20, columns - width(todo)))
        lines += ["", todo + body[0], *(" " * width(todo) + line for line in body[1:])]
    return "\n".join(lines) + "\n"


def _note(text: str, columns: int) -> list[str]:
    return [" " + line for line in wrap(text, max(20, columns - 1))]
