"""Announced work: while it lasts nothing new is alarmed at its nodes; measuring and recovery go on."""

from collections.abc import Iterable
from datetime import datetime

from checks.maintenance import Always, Window, covers
from checks.verdict import Diagnosis
from probe.agent.settings.settings import Settings
from probe.inventory import Node
from reports.store.values import Maintenance


class Planned:
    """The windows of the configuration, and the work that was announced since."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.announced: list[Maintenance] = []

    def covers(self, diagnosis: Diagnosis, at: datetime) -> bool:
        """Tell whether every finding of a diagnosis is covered, or every one at the culprit itself by work: the others follow from it.

        A silence speaks for what it names only.
        """
        reasons = {key: self.reason(key[1], key[2], at) for key in diagnosis.keys}
        if None not in reasons.values():
            return True
        own = [why for key, why in reasons.items() if f"{diagnosis.element}:".startswith(f"{key[1]}:")]
        return bool(own) and not any(why is None or isinstance(why, Always) for why in own)

    def reason(self, node: str, check: str, at: datetime) -> Window | Maintenance | None:
        """Return the window that covers a check of a node, None when none does."""
        known = self.settings.inventory.nodes.get(node) or Node(node)
        windows: tuple[Window, ...] = self.settings.maintenance
        for window in windows:
            if covers(window, at, known, check):
                return window
        return _announced(self.announced, node, at)


def _announced(announced: Iterable[Maintenance], node: str, at: datetime) -> Maintenance | None:
    return next((work for work in announced if work.node == node and work.starts_at <= at < work.ends_at), None)
