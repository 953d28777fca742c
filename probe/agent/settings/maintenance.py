"""What is not alarmed: [[maintenance]], once (with dates) or every week (by a wall clock), and [[silence]], for good."""

from datetime import datetime
from typing import Any

from checks.maintenance import Always, Once, Scope, Weekly, Window
from probe.agent.settings.document import Document
from probe.agent.settings.forms import OnceForm, ScopeForm, SilenceForm, WeeklyForm
from probe.agent.settings.reader import read, show
from probe.agent.settings.toml_lines import Path
from probe.inventory import Inventory

WILD = frozenset("*?[")


def read_maintenance(documents: list[Document], inventory: Inventory) -> tuple[Window, ...]:
    """Return the maintenance windows and the silences of all files."""
    windows = []
    for document in documents:
        for kind, read_one in (("maintenance", _read_window), ("silence", _read_silence)):
            tables = document.data.get(kind, [])
            if not isinstance(tables, list):
                document.refuse((kind,), f"{show(tables)} is not a list of tables; write [[{kind}]]")
                continue
            for index, table in enumerate(tables):
                window = read_one(table, document, (kind, index))
                if window is not None:
                    _check_scope(window.scope, inventory, document, (kind, index))
                    windows.append(window)
    return tuple(windows)


def _read_silence(table: Any, document: Document, path: Path) -> Window | None:
    form = read(SilenceForm, table, document, path)
    if form is None:
        return None
    if not (form.nodes or form.checks or form.sites):
        document.refuse(path, "silences everything; name nodes, checks or sites")
        return None
    return Always(form.name, _scope(form))


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
