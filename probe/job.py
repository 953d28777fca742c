"""What to measure: one prober's question to one node, and how often."""

from functools import cached_property
from typing import Any

import msgspec

from probe.inventory import Node
from probe.probers.catalogue import SECRET_FIELDS


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every prober's options: fields are `Annotated[type, Meta(description=…, ge=…)]`, all with defaults where one is sensible."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields to show: a secret shows only that there is one, whoever prints structures field by field."""
        fields = [(name, getattr(self, name)) for name in self.__struct_fields__]
        return [(name, "(set)" if name in SECRET_FIELDS and value is not None else value) for name, value in fields]

    def __repr__(self) -> str:
        """Show the options without their secrets."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    @property
    def item(self) -> str:
        """Tell several checks of one prober on one node apart (a port, a URL); empty where one is enough."""
        return ""


class Job(msgspec.Struct, frozen=True, dict=True):
    """One question, asked every `every_s` seconds and given up after `timeout_s`."""

    agent: str
    node: Node
    prober: str
    options: Any
    every_s: float = 60.0
    timeout_s: float = 5.0

    @cached_property  # asked for at every step of every measurement: two properties and a tuple each time were a tenth of its cost
    def key(self) -> tuple[str, str, str]:
        """What tells one job from every other: node, prober, item."""
        return (self.node.name, self.prober, self.options.item)
