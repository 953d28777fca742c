"""One table of a contract, read key by key: a value of the wrong kind is a problem with its path, and so is every key nobody asked for."""

import datetime as moments
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from billing_audit import money

Path = tuple[str | int, ...]
Word = TypeVar("Word", bound=str)

MOST_TEXT: Final = 1000
MOST_ITEMS: Final = 10_000


class Problem(msgspec.Struct, frozen=True):
    """What is wrong in a contract, and where: the path from the document's top, and a sentence with the cure."""

    path: Path
    text: str


class Table:
    """A table and what was asked of it; `wrong` are the keys refused."""

    def __init__(self, table: Mapping[str, object], path: Path, problems: list[Problem]) -> None:
        self._table = table
        self._path = path
        self._problems = problems
        self._asked: list[str] = []
        self.wrong: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def refuse(self, key: str, text: str) -> None:
        """Note what is wrong with a key."""
        self.wrong.add(key)
        self._problems.append(Problem((*self._path, key), text))

    def end(self) -> None:
        """Refuse every key that nobody asked for."""
        for key in self._table:
            if key not in self._asked:
                near = get_close_matches(key, self._asked, 1) if len(key) <= 80 else []
                cure = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(sorted(self._asked))}"
                self.refuse(key, f"unknown; {cure}")

    def _get(self, key: str) -> object:
        if key not in self._asked:
            self._asked.append(key)
        return self._table.get(key)

    def is_text(self, key: str) -> bool:
        """Tell whether the key has a text."""
        return isinstance(self._get(key), str)

    def text(self, key: str, least: int = 1, most: int = MOST_TEXT) -> str | None:
        """Return a text that is not empty."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(key, f"expected a text in quotes, not {kind(value)}")
        elif not least <= len(value.strip()) <= most:
            self.refuse(key, f"expected a text of {least} … {most} characters, not {len(value.strip())}")
        else:
            return value.strip()
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        items = self._items(key, "texts")
        told = tuple(one.strip() for one in items if isinstance(one, str) and one.strip())
        if len(told) < len(items):
            self.refuse(key, "expected a list of texts, none of them empty")
        return told

    def prefix(self, key: str) -> str:
        """Return the beginning of a number: digits, +, * and #; "" when it is left out."""
        value = self._get(key)
        if value is None or value == "":
            return ""
        if not isinstance(value, str) or len(value) > 17 or not set(value) <= set("0123456789+*#"):
            self.refuse(key, 'expected the beginning of a number in quotes: at most 17 of 0-9, +, * and #, like "0086"')
            return ""
        return value

    def one_of(self, key: str, words: tuple[Word, ...]) -> Word | None:
        """Return one of these words."""
        value = self._get(key)
        if value is None:
            return None
        for word in words:
            if value == word:
                return word
        near = get_close_matches(value, words, 1) if isinstance(value, str) and len(value) <= 80 else []
        cure = f'; did you mean "{near[0]}"?' if near else ""
        said = f'"{value[:80]}"' if isinstance(value, str) else kind(value)
        self.refuse(key, f"{said} is none of {', '.join(words)}{cure}")
        return None

    def choices(self, key: str, words: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return indexes of words, told as words or as indexes, sorted; None when left out."""
        if key not in self._table:
            self._get(key)
            return None
        found: set[int] = set()
        for one in self._items(key, "days"):
            if isinstance(one, str) and one.lower()[:3] in words and one.isalpha():
                found.add(words.index(one.lower()[:3]))
            elif isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(words):
                found.add(one)
            else:
                self.refuse(key, f"expected {', '.join(words)}, or 0 (mon) … 6 (sun), not {str(one)[:40]}")
        return tuple(sorted(found))

    def zone(self, key: str) -> str | None:
        """Return the name of a time zone that there is."""
        value = self.text(key)
        if value is None:
            return None
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
            self.refuse(key, f'no time zone named "{value[:80]}"; they are named like "Asia/Shanghai"')
            return None
        return value

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number within bounds."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(key, f"expected a whole number, not {kind(value)}")
        elif not low <= value <= high:
            self.refuse(key, f"{value} is not within {low} … {high}")
        else:
            return value
        return None

    def number(self, key: str, low: Decimal | None = None) -> Decimal | None:
        """Return a number, told as a decimal text or as a number."""
        value = self._get(key)
        if value is None:
            return None
        number: Decimal | None = None
        if isinstance(value, str):
            try:
                number = money.decimal(value)
            except money.Doubtful:
                comma = "; a decimal mark is a point" if "," in value else ""
                self.refuse(key, f'"{value[:40]}" is not a number{comma}')
                return None
        elif isinstance(value, Decimal | int) and not isinstance(value, bool):
            number = Decimal(value)
        if number is None or not number.is_finite() or abs(number) >= 10**18:
            self.refuse(key, f'expected a number like "0.02", not {kind(value)}')
        elif low is not None and number < low:
            self.refuse(key, f"{number} is below {low}")
        else:
            return number
        return None

    def money(self, key: str, places: Literal[6, 9] = 6, low: Decimal | None = None) -> Decimal | None:
        """Return an amount that whole micro-units hold, or a price a minute that nano-units do."""
        value = self.number(key, low)
        if value is None:
            return None
        try:
            (money.micro if places == 6 else money.nano)(value)
        except money.Doubtful:
            self.refuse(key, f"{str(value)[:40]} has more than {places} decimal places, or is too large")
            return None
        return value

    def ratio(self, key: str) -> Decimal | None:
        """Return a share from 0 to below 1."""
        value = self.number(key, Decimal(0))
        if value is not None and value >= 1:
            self.refuse(key, f'{value} is no share: for {value} % write "{value / 100}"')
            return None
        return value

    def date(self, key: str) -> moments.date | None:
        """Return a TOML date."""
        value = self._get(key)
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, moments.date):
            self.refuse(key, f"expected a date without quotes, like 2026-10-01, not {kind(value)}")
            return None
        return value

    def dates(self, key: str) -> tuple[moments.date, ...]:
        """Return a list of TOML dates, sorted."""
        items = self._items(key, "dates")
        told = [one for one in items if isinstance(one, moments.date) and not isinstance(one, datetime)]
        if len(told) < len(items):
            self.refuse(key, "expected a list of dates without quotes, like [2026-10-01, 2026-10-02]")
        return tuple(sorted(set(told)))

    def time(self, key: str) -> moments.time | None:
        """Return a TOML time of the day."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, moments.time):
            self.refuse(key, f"expected a time without quotes, like 08:00:00, not {kind(value)}")
            return None
        if value.microsecond:
            self.refuse(key, "expected whole seconds")
            return None
        return value

    def table(self, key: str, like: str) -> "Table | None":
        """Return a table within this one."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.refuse(key, f"expected {like}, not {kind(value)}")
            return None
        return Table(value, (*self._path, key), self._problems)

    def tables(self, key: str, most: int) -> "list[Table]":
        """Return the tables of an array of tables."""
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            self.refuse(key, f"expected tables under [[{key}]], not {kind(value)}")
            return []
        if len(value) > most:
            self.refuse(key, f"there are {len(value)}; {most} at most")
        return [Table(one, (*self._path, key, at), self._problems) for at, one in enumerate(value[:most])]

    def _items(self, key: str, what: str) -> list[object]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            self.refuse(key, f"expected a list of {what}, not {kind(value)}")
            return []
        return value


def kind(value: object) -> str:
    """Return what a TOML value is, as people call it."""
    names: dict[type, str] = {
        bool: "true or false",
        str: "a text",
        int: "a number",
        Decimal: "a number",
        list: "a list",
        dict: "a table",
        datetime: "a date with time",
        moments.date: "a date",
        moments.time: "a time",
    }
    if isinstance(value, float):
        return "a binary float (TOML floats must be parsed as Decimal)"
    return names.get(
        type(value), {datetime: "a date with time", moments.date: "a date", moments.time: "a time"}.get(type(value), type(value).__name__)
    )
