"""What the service works by: the value that the configuration becomes, and how it is loaded."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from checks.history import RULE, Rule
from probe.agent.settings.document import Document, read_document
from probe.agent.settings.feeds import Feed, read_feeds
from probe.agent.settings.forms import AgentForm, CredentialForm, InventoryForm, MainForm, StoreForm
from probe.agent.settings.inventory import read_inventory
from probe.agent.settings.jobs import JobKey, read_jobs
from probe.agent.settings.listen import read_listen
from probe.agent.settings.maintenance import read_maintenance
from probe.agent.settings.problem import Problem, SettingsError
from probe.agent.settings.reader import beside, known_fields, read, show
from probe.agent.settings.secret import Secret
from probe.agent.settings.store import check_store
from probe.agent.settings.tables import refuse_unknown
from probe.inventory import Inventory, Node
from probe.job import Job

ENVIRONMENT = "FIRSTLINE_CONFIG"
PLACES = ("firstline.toml", "/etc/firstline/firstline.toml")


class Agent(msgspec.Struct, frozen=True):
    """The service itself. `state_dir` None: $STATE_DIRECTORY or the user's own; `socket` None: beside the store."""

    name: str
    state_dir: str | None = None
    host: str = "127.0.0.1"
    port: int = 8470
    socket: str | None = None
    language: str | None = None
    per_target_metrics: bool = False
    token: Secret | None = None

    @property
    def listen(self) -> str:
        """Address and port as the configuration writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Settings(msgspec.Struct, frozen=True):
    """All of it. `file` is None when there is none; `files` are all that were read, `file` first.

    `limits` holds the levels in force for each job, by the job's key. When nothing is configured to be measured (`not jobs`), the
    service measures what discovery finds.
    """

    agent: Agent
    inventory: Inventory
    jobs: tuple[Job, ...] = ()
    limits: Mapping[JobKey, Any] = {}
    store: StoreForm = StoreForm()
    credentials: Mapping[str, CredentialForm] = {}
    feeds: tuple[Feed, ...] = ()
    maintenance: tuple[Any, ...] = ()
    rules: Rule = RULE
    file: str | None = None
    files: tuple[str, ...] = ()


def find(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the file to load when none is named: $FIRSTLINE_CONFIG, ./firstline.toml, /etc/firstline/firstline.toml; None without any."""
    named = environ.get(ENVIRONMENT)
    return named or next((place for place in PLACES if Path(place).exists()), None)


def load(path: str | Path | None = None) -> Settings:
    """Return the settings of a file (or of the one that `find` names; without any, those of no file). SettingsError lists all problems."""
    settings, problems = read_settings(path)
    if problems:
        raise SettingsError(problems)
    return settings


def read_settings(path: str | Path | None = None) -> tuple[Settings, list[Problem]]:
    """Return the settings as far as they can be used, and every problem; secrets are not read, no packet is sent."""
    file = str(path) if path is not None else find()
    if file is None:
        return no_file(), []
    main = read_document(file)
    refuse_unknown(main, known_fields(MainForm))
    more = _inventory_files(main)
    for document in more:
        refuse_unknown(document, known_fields(InventoryForm), tuple(key for key in known_fields(MainForm) if key not in INVENTORY))
    settings = _settings(main, [main, *more])
    problems = [problem for document in (main, *more) for problem in document.problems]
    return settings, sorted(problems)


INVENTORY = frozenset(known_fields(InventoryForm))


def no_file(host: str | None = None) -> Settings:
    """Return the settings that hold without a file: this host under its own name, nothing to measure yet."""
    name = host or host_name()
    return Settings(Agent(name), Inventory(name, {name: Node(name)}))


def host_name() -> str:
    """Return the short name of this host."""
    return socket.gethostname().split(".")[0] or "localhost"


def _settings(main: Document, documents: list[Document]) -> Settings:
    form = read(AgentForm, main.data.get("agent", {}), main, ("agent",)) or AgentForm()
    name = form.name or host_name()
    agent = _agent(form, name, main)
    tables = read_inventory(form, name, main, documents)
    jobs, limits = read_jobs(name, tables.inventory, tables.nodes)
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
        main.file,
        tuple(document.file for document in documents),
    )


def _agent(form: AgentForm, name: str, main: Document) -> Agent:
    host, port = read_listen(form, main)
    folder, path = (None if value is None else beside(main, value) for value in (form.state_dir, form.socket))
    return Agent(name, folder, host, port, path, form.language, form.per_target_metrics, form.token)


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
        documents[file] = read_document(file)
    return list(documents.values())
