"""The words for what a case can't be told from."""

from checks.finding import Message
from reports.locale.text import Texts


def alternatives(cause: str, codes: tuple[str, ...], element: str, texts: Texts) -> str:
    """Return what it may be: the class that the cause declares, in its words; of a cause without one each other cause. "" for no others."""
    others = [code for code in codes if code != cause]
    declared = texts.word("class", cause)
    if others and declared != cause:
        return texts.text("alike.class", causes=declared)
    node = element.partition(":")[0]
    said = "; ".join(texts.say(Message(f"cause.{code}", {"element": element, "node": node})) for code in others)
    return texts.text("alike.causes", causes=said) if said else ""
