"""What the service works by: the value that the configuration becomes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from checks.history import RULE, Rule
from probe.agent.settings.endpoints import Stamp, Traps
from probe.agent.settings.feeds import Feed
from probe.agent.settings.forms import CredentialForm, StoreForm
from probe.agent.settings.inboxes import Inbox
from probe.agent.settings.jobs import JobKey
from probe.agent.settings.secret import Secret
from probe.inventory import Inventory
from probe.job import Job


class Agent(msgspec.Struct, frozen=True):
    """The service itself. `state_dir` None: $STATE_DIRECTORY or the user's own; `socket` None: beside the store; `recording` None: none."""

    name: str
    state_dir: str | None = None
    host: str = "127.0.0.1"
    port: int = 8470
    socket: str | None = None
    language: str | None = None
    per_target_metrics: bool = False
    token: Secret | None = None
    recording: str | None = None
    recording_mb: int = 64

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
    traps: Traps | None = None
    stamp: Stamp | None = None
    inboxes: tuple[Inbox, ...] = ()
    file: str | None = None
    files: tuple[str, ...] = ()
