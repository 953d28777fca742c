"""The configuration's way from files to Settings: every problem of every file at once."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from checks.history import RULE, Rule
from probe.agent.settings.document import Document, read_document
from probe.agent.settings.endpoints import read_stamp, read_traps
from probe.agent.settings.feeds import read_feeds
from probe.agent.settings.forms import AgentForm, InventoryForm, MainForm, StoreForm
from probe.agent.settings.inboxes import read_inboxes
from probe.agent.settings.inventory import read_inventory
from probe.agent.settings.jobs import read_jobs
from probe.agent.settings.listen import read_listen
from probe.agent.settings.maintenance import read_maintenance
from probe.agent.settings.problem import Problem, SettingsError
from probe.agent.settings.reader import beside, known_fields, read, show
from probe.agent.settings.resolve import Look, resolve_all
from probe.agent.settings.secret import SecretError
from probe.agent.settings.settings import Agent, Settings
from probe.agent.settings.store import check_store
from probe.agent.settings.tables import refuse_unknown
from probe.inventory import Inventory, Node

__all__ = ["SettingsError", "find", "load", "no_file", "read_settings"]

ENVIRONMENT = "FIRSTLINE_CONFIG"
PLACES = ("firstline.toml", "/etc/firstline/firstline.toml")
INVENTORY = known_fields(InventoryForm)
MAIN_ONLY = tuple(key for key in known_fields(MainForm) if key not in INVENTORY)


def find(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the file to load when none is named: $FIRSTLINE_CONFIG, ./firstline.toml, /etc/firstline/firstline.toml; None without any."""
    named = environ.get(ENVIRONMENT)
    return named or next((place for place in PLACES if Path(place).exists()), None)


def load(path: str | Path | None = None, secrets: bool = True) -> Settings:
    """Return the settings of a file (or of the one that `find` names; without any, those of no file). SettingsError lists all problems.

    With `secrets` the options of checks and feeds that take a secret get it; without, only a mark that it is set, for showing.
    """
    settings, problems = read_settings(path, secrets)
    if problems:
        raise SettingsError(problems)
    return settings


def read_settings(
    path: str | Path | None = None, secrets: bool = True, every_secret: bool = False, look: Look | None = None
) -> tuple[Settings, list[Problem]]:
    """Return the settings as far as they can be used, and every problem.

    `every_secret`: try to read all that are named. `look` looks a node's name up (OSError: there is none); without it no packet is sent.
    """
    file = str(path) if path is not None else find()
    if file is None:
        return no_file(), []
    main = read_document(file, secrets)
    refuse_unknown(main, known_fields(MainForm))
    documents = [main, *_inventory_files(main)]
    for document in documents[1:]:
        refuse_unknown(document, INVENTORY, MAIN_ONLY)
    settings = _settings(main, documents, look)
    if every_secret:
        for document in documents:
            _try_secrets(document)
    return settings, sorted({problem for document in documents for problem in document.problems})


def _try_secrets(document: Document) -> None:
    for path, secret in document.secrets:
        try:
            secret.reveal()
        except SecretError as why:
            document.refuse(path, str(why))


def no_file(host: str | None = None) -> Settings:
    """Return the settings that hold without a file: this host under its own name, nothing to measure yet."""
    name = host or host_name()
    return Settings(Agent(name), Inventory(name, {name: Node(name)}))


def host_name() -> str:
    """Return the short name of this host."""
    return socket.gethostname().split(".")[0] or "localhost"


def _settings(main: Document, documents: list[Document], look: Look | None) -> Settings:
    form = read(AgentForm, main.data.get("agent", {}), main, ("agent",)) or AgentForm()
    name = form.name or host_name()
    agent = _agent(form, name, main)
    tables = read_inventory(form, name, main, documents)
    if look is not None:
        resolve_all(tables.nodes, look)
    jobs, limits = read_jobs(name, tables.inventory, tables.nodes, tables.credentials)
    store = read(StoreForm, main.data.get("store", {}), main, ("store",)) or StoreForm()
    check_store(store, main)
    return Settings(
        agent,
        tables.inventory,
        jobs,
        limits,
        store,
        tables.credentials,
        read_feeds(main),
        read_maintenance(documents, tables.inventory),
        read(Rule, main.data.get("rules", {}), main, ("rules",)) or RULE,
        read_traps(main),
        read_stamp(main),
        read_inboxes(main, tables.inventory.customers),
        main.file,
        tuple(document.file for document in documents),
    )


def _agent(form: AgentForm, name: str, main: Document) -> Agent:
    host, port = read_listen(form, main)
    named = (form.state_dir, form.socket, form.recording)
    folder, path, recording = (None if value is None else os.path.abspath(beside(main, value)) for value in named)
    own = (form.language, form.per_target_metrics, form.token, recording, form.recording_mb)
    return Agent(name, folder, host, port, path, *own)


def _inventory_files(main: Document) -> list[Document]:
    """Return the files that the main file names; a name given twice is refused."""
    names = main.data.get("inventory", [])
    if not isinstance(names, list):
        cure = f"; write [{show(names)}]" if isinstance(names, str) else ""
        main.refuse(("inventory",), f"{show(names)} is not a list of files{cure}")
        return []
    documents: dict[str, Document] = {}
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            main.refuse(("inventory", index), f"{show(name)} is not the name of a file")
            continue
        file = beside(main, name)
        if file in documents or os.path.abspath(file) == os.path.abspath(main.file):
            main.refuse(("inventory", index), f"{show(name)} is already read")
            continue
        documents[file] = read_document(file, main.reveals)
    return list(documents.values())
