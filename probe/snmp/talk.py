"""The form of a conversation with one SNMP agent, as the readers of tables see it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from probe.observation.device import Anomaly

Value = int | float | str | bytes  # OCTET STRING and Opaque are bytes, OBJECT IDENTIFIER and IpAddress are dotted text


class Talk(Protocol):
    """One poll of one device. OIDs are numeric text without a leading dot; an index is what follows the column's OID.

    Errors rise as `probe.snmp.failure` has them; a table that breaks off in the middle is returned as far as it came, with an anomaly.
    """

    @property
    def anomalies(self) -> Sequence[Anomaly]:
        """What was odd so far in this poll."""
        ...

    async def get(self, oids: Sequence[str], keep: bool = False) -> Mapping[str, Value]:
        """Return the values of scalars or instances; what the agent has not is not in the answer.

        `keep`: this hardly ever changes; an answer may be an hour old, and no older than the device's last restart.
        """
        ...

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        """Return a column (or any subtree) by index, in the agent's order; empty where the agent has none.

        A column found empty is not asked for again for an hour, unless the device restarted.
        """
        ...

    async def walk_all(self, columns: Sequence[str], keep: bool = False) -> Sequence[Mapping[str, Value]]:
        """Return several columns of one table, each as `walk` does."""
        ...

    def odd(self, table: str, what: str, detail: str = "", count: int = 1) -> None:
        """Note something wrong about an answer (see Anomaly); the same table and fault are counted together."""
        ...
