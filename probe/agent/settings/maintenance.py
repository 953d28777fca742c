"""Announced work: [[maintenance]], once (with dates) or every week (with times of a wall clock)."""

from datetime import datetime
from typing import Any

from checks.maintenance import Once, Scope, Weekly, Window
from probe.agent.settings.document import Document
from probe.agent.settings.forms import OnceForm, ScopeForm, WeeklyForm
from probe.agent.settings.reader import read, show
from probe.agent.settings.toml_lines import Path
from probe.inventory import Inventory

WILD = frozenset("*?[")


def read_maintenance(documents: list[Document], inventory: Inventory) -> tuple[Window, ...]:
    """Return the maintenance windows of all files."""
    windows = []
    for document in documents:
        tables = document.data.get("maintenance", [])
        if not isinstance(tables, list):
            document.refuse(("maintenance",), f"{show(tables)} is not a list of tables; write [[maintenance]]")
            continue
        for index, table in enumerate(tables):
            window = _read_window(table, document, ("maintenance", index))
            if window is not None:
                _check_scope(window.scope, inventory, document, ("maintenance", index))
                windows.append(window)
    return tuple(windows)


def _read_window(table: Any, document: Document, path: Path) -> Window | None:
    once = isinstance(table, dict) and isinstance(table.get("starts"), datetime) and "zone" not in table
    form = read(OnceForm, table, document, path) if once else read(WeeklyForm, table, document, path)
    if form is None:
        return None
    try:
        if isinstance(form, OnceForm):
            return Once(form.name, form.starts, form.ends, _scope(form))
        return Weekly(form.name, form.starts, form.ends, form.zone, form.days, _scope(form))
    except ValueError as why:
        document.refuse(path, str(why).removeprefix(f"{form.name}: "))
        return None


def _scope(form: ScopeForm) -> Scope:
    return Scope(form.nodes, form.checks, form.sites)


def _check_scope(scope: Scope, inventory: Inventory, document: Document, path: Path) -> None:
    """Refuse a name without wildcards that nothing is called: such a window would silently cover nothing."""
    for field, names, known in (("nodes", scope.nodes, inventory.nodes), ("sites", scope.sites, inventory.sites)):
        for index, name in enumerate(names):
            if name not in known and not WILD & set(name):
                document.refuse((*path, field, index), f"no {field[:-1]} named {show(name)}{document.near(name, known)}")
