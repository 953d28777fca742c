"""The columns of the calls that go to the customer with a statement: theirs and ours, without what is our own business."""

from collections.abc import Sequence

from reports.audit.call_columns import Column, amounts, causes, concerned, numbers, places, rates, raws, thousandths, times
from reports.locale.text import Texts


def statement_columns(texts: Texts, hide: bool) -> Sequence[Column]:
    """Return the columns after the running number; with `hide` the raw lines, which hold whole numbers, are left out."""
    both = [("l", texts.text("audit.letter.ours")), ("c", texts.text("audit.letter.yours"))]
    columns = [
        Column(texts.text("audit.head.caller"), 17, "number", numbers("caller"), text=True),
        Column(texts.text("audit.head.callee"), 17, "number", numbers("callee"), text=True),
    ]
    for side, whose in both:
        columns.append(Column(f"{texts.text('audit.head.start')}\n{whose}", 19, "time", times(f"{side}_start_ms")))
    for id, name in (("audit.head.talk", "duration_ms"), ("audit.head.billed", "billed_ms")):
        columns += [Column(f"{texts.text(id)}\n{whose}", 10, "seconds", thousandths(f"{side}_{name}")) for side, whose in both]
    for side, whose in both:
        columns.append(Column(f"{texts.text('audit.head.rate')}\n{whose}", 11, "rate", rates(f"{side}_rate_nano")))
    for side, whose in both:
        name = f"{side}_charge_micro"
        columns.append(Column(f"{texts.text('audit.head.charge')}\n{whose}", 14, "exact", amounts(name), sums=name))
    columns += [
        Column(texts.text("audit.letter.concerned"), 15, "exact", concerned, sums="concerned"),
        Column(texts.text("audit.letter.point"), 26, "text", causes(0), text=True),
        Column(texts.text("audit.letter.place"), 28, "text", places("c_source"), text=True),
    ]
    if not hide:
        columns.append(Column(texts.text("audit.letter.raw"), 70, "raw", raws("c_source"), text=True, raw="c_source", aside=True))
    return columns
