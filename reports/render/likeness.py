"""The words for what a case can't be told from."""

from checks.finding import Message
from reports.locale.text import Texts


def alternatives(cause: str, codes: tuple[str, ...], element: str, texts: Texts) -> str:
    """Return what else it may be: each cause in its own line's words, where it is not the class that the cause itself declares."""
    node = element.partition(":")[0]
    said = (texts.say(Message(f"cause.{code}", {"element": element, "node": node})) for code in codes if code != cause)
    return "; ".join(said)
