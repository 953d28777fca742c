"""Where case events go: [[feed]], each kind with its own options."""

import os
from typing import Any

import msgspec

from probe.agent.settings.document import Document
from probe.agent.settings.forms import FeedForm
from probe.agent.settings.reader import BAD, beside, known_fields, read, read_reference, refuse_key, show
from probe.agent.settings.spelling import did_you_mean
from probe.agent.settings.toml_lines import Path
from reports.feeds import catalogue

OWN = known_fields(FeedForm)
FOR_TESTS = "memory"
KINDS = tuple(kind for kind in catalogue.FEEDS if kind != FOR_TESTS)


class Feed(msgspec.Struct, frozen=True):
    """A feed: its name, the kind of system, and that kind's own Options."""

    name: str
    kind: str
    options: Any


def read_feeds(main: Document) -> tuple[Feed, ...]:
    """Return the feeds of the main file; names are unique, for the outbox knows feeds by them."""
    tables = main.data.get("feed", [])
    if not isinstance(tables, list):
        main.refuse(("feed",), f"{show(tables)} is not a list of tables; write [[feed]]")
        return ()
    feeds: dict[str, Feed] = {}
    for index, table in enumerate(tables):
        path = ("feed", index)
        feed = _read_feed(table, main, path)
        if feed is None:
            continue
        if feed.name in feeds:
            main.refuse((*path, "name") if "name" in table else path, f"there is already a feed named {show(feed.name)}; give it a name")
        feeds.setdefault(feed.name, feed)
    return tuple(feeds.values())


def _read_feed(table: Any, main: Document, path: Path) -> Feed | None:
    if not isinstance(table, dict):
        main.refuse(path, f"{show(table)} is not a table; write [[feed]]")
        return None
    own = {key: value for key, value in table.items() if key in OWN}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        if isinstance(kind, str):
            main.refuse((*path, "kind"), f"no feed of kind {show(kind)} ({', '.join(KINDS)}){did_you_mean(kind, KINDS)}")
        else:
            read(FeedForm, own, main, path)
        return None
    options_form = catalogue.load(kind).Options
    allowed = known_fields(options_form)
    # An option `secret_file` is written as the reference `secret = { file = … }`, like every other secret.
    references = {name.removesuffix("_file"): name for name in allowed if name in {"secret_file", "password_file"}}
    given: dict[str, Any] = {}
    good = True
    for key, value in table.items():
        if key in references:
            name = read_reference(value, main, (*path, key))
            good = good and name is not BAD
            given[references[key]] = name
        elif key in allowed and key not in references.values():
            given[key] = value
        elif key not in OWN:
            refuse_key(main, path, key, (*OWN, *references, *(name for name in allowed if name not in references.values())))
            good = False
    form = read(FeedForm, own, main, path)
    options = read(options_form, {key: value for key, value in given.items() if value is not BAD}, main, path)
    if form is None or options is None or not good:
        return None
    if isinstance(getattr(options, "path", None), str):
        options = msgspec.structs.replace(options, path=os.path.abspath(beside(main, options.path)))
    return Feed(form.name or kind, kind, options)
