"""Says a message in the reader's language: English or Chinese."""

import gettext
import os
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any

from checks.finding import Message, Value
from reports.locale.figures import rate, size, span

LANGUAGES = ("en", "zh")
DOMAIN = "firstline"
_FOLDER = os.path.dirname(__file__)  # no pathlib: 3 ms of a check's start
_SPECS = {"bytes": size, "rate": rate, "span": span}


class _Format(Formatter):
    """str.format with three more format specs: `{x:bytes}`, `{x:rate}` (bit/s) and `{x:span}` (seconds)."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value; TypeError or ValueError when the spec does not fit it."""
        own = _SPECS.get(format_spec)
        text = own(value) if own else str(super().format_field(value, format_spec))
        return printable(text)


class Texts:
    """The texts of one language. An id without text is shown as it is, with its values: never a crash, never nothing."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._own = _catalogue(language)
        self._english = _catalogue("en")
        self._format = _Format()

    def say(self, message: Message) -> str:
        """Return the text of a message. With a value n = 1 the id's form `.one` is taken where there is one."""
        template = self._template(message.id, singular=message.values.get("n") == 1)
        if template is None:
            return _bare(message)
        try:
            text = self._format.vformat(template, (), message.values)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return _bare(message)
        return text.rstrip(" :：") if "" in message.values.values() else text  # an empty detail leaves no dangling colon

    def text(self, id: str, **values: Value) -> str:
        """Return the text of an id with its values."""
        return self.say(Message(id, values))

    def word(self, group: str, name: str) -> str:
        """Return the word for one member of an enum (`word("state", "ok")`); a member without word is shown as it is."""
        template = self._template(f"{group}.{name}", singular=False)
        return name if template is None else template

    def _template(self, id: str, singular: bool) -> str | None:
        for name in (f"{id}.one", id) if singular else (id,):
            for catalogue in (self._own, self._english):
                found = catalogue.gettext(name)
                if found != name:
                    return found
        return None


@cache
def texts(language: str | None = None) -> Texts:
    """Return the texts of a language ("en", "zh", "zh_CN.UTF-8" …); without one the reader's environment decides."""
    return Texts(choose(language, os.environ))


def choose(language: str | None, environment: Mapping[str, str]) -> str:
    """Return "zh" or "en": the first that is set of the argument, FIRSTLINE_LANG, and the locale of messages (POSIX 8.2)."""
    names = ("FIRSTLINE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    wish = language or next((environment[name] for name in names if environment.get(name)), "")
    return "zh" if wish.lower().startswith("zh") else "en"


def printable(text: str) -> str:
    """Return the text with control characters written out: a peer's words must not steer the reader's terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in text)


def _bare(message: Message) -> str:
    values = ", ".join(f"{key}={value}" for key, value in message.values.items())
    return printable(f"{message.id} ({values})" if values else message.id)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, _FOLDER, [language], fallback=True)
