"""Announced work: [[maintenance]]."""

from typing import Any

from probe.agent.settings.document import Document
from probe.inventory import Inventory


def read_maintenance(documents: list[Document], inventory: Inventory) -> tuple[Any, ...]:
    """Return the maintenance windows of all files."""
    return ()
