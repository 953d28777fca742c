"""The words for what a verdict can't be told from."""

from checks.finding import Message
from reports.locale.text import Texts


def could_be(cause: str, codes: tuple[str, ...], element: str, texts: Texts) -> str:
    """Return what it may be: the class that the cause declares, in its words; of a cause without one each other cause. "" for no others."""
    others = [code for code in codes if code != cause]
    declared = texts.word("class", cause)
    if others and declared != cause:
        return declared
    node = element.partition(":")[0]
    return "; ".join(texts.say(Message(f"cause.{code}", {"element": element, "node": node})) for code in others)


def alternatives(cause: str, codes: tuple[str, ...], element: str, texts: Texts) -> str:
    """Return the same as a sentence that stands by itself."""
    said = could_be(cause, codes, element, texts)
    if not said:
        return ""
    return texts.text("alike.class" if texts.word("class", cause) != cause else "alike.causes", causes=said)
