"""Every kind of feed by name; a module is imported when it is first used.

A feed module offers `Options` (a Struct; secrets only as the path of a file) and `open(name, options, *, now, render) -> Feed`: `now`
gives the time, `render(event, language) -> (subject, body)` the words for a person. ValueError from `open` when the options contradict
themselves.
"""

from importlib import import_module
from types import ModuleType

FEEDS = {
    "jsonl": "reports.feeds.jsonl",
    "mail": "reports.feeds.mail",
    "memory": "reports.feeds.memory",
    "webhook": "reports.feeds.webhook",
}


def load(kind: str) -> ModuleType:
    """Return the module of the feed `kind`; KeyError when there is none."""
    return import_module(FEEDS[kind])
