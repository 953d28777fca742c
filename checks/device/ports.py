"""The ports of a device by their many names, and whether light is to be expected at them."""

import re
from collections.abc import Iterable
from enum import StrEnum

from probe.observation.interfaces import InterfaceSample

# Names as makers write them, by the longest first; one word stands for each kind of port.
_KINDS = {
    "fa": ("fastethernet", "fastethe", "fasteth", "fa"),
    "gi": ("gigabitethernet", "gigabiteth", "gige", "gig", "gi"),
    "two": ("twogigabitethernet", "tw"),
    "five": ("fivegigabitethernet", "fi"),
    "te": ("tengigabitethernet", "ten-gigabitethernet", "xgigabitethernet", "tengige", "tengig", "xge", "te"),
    "twe": ("twentyfivegige", "twentyfivegigabitethernet", "twe"),
    "fo": ("fortygigabitethernet", "fortygige", "fge", "fo"),
    "hu": ("hundredgige", "hundredgigabitethernet", "hgige", "hge", "hu"),
    "eth": ("ethernet", "eth", "et"),
    "po": ("port-channel", "portchannel", "po"),
    "bagg": ("bridge-aggregation", "bagg"),
    "vlan": ("vlanif", "vlan-interface", "vlan", "vl"),
    "lo": ("loopback", "lo"),
    "ge": ("ge",),
}
_BY_WORD = {word: kind for kind, words in _KINDS.items() for word in words}
_PARTS = re.compile(r"([a-z][a-z-]*?)-?\s*(\d.*)?")


def same_port(first: str, second: str) -> bool:
    """Tell whether two names mean the same port: Gi0/1, GigabitEthernet0/1, and GE0/1 where it is short for gigabit Ethernet."""
    return bool(_forms(first) & _forms(second))


def _forms(name: str) -> set[str]:
    """Return every normal form of a port's name; GE is Gigabit Ethernet for most makers and a kind of its own for others."""
    plain = name.strip().lower()
    found = _PARTS.fullmatch(plain)
    if found is None:
        return {plain}
    word, number = found[1], found[2] or ""
    forms = {plain, f"{_BY_WORD.get(word, word)} {number}"}
    if word == "ge":
        forms.add(f"gi {number}")
    return forms


class Port(StrEnum):
    """What is to be expected of a port."""

    UP = "up"
    DOWN = "down"  # and it should be up
    FELL = "fell"  # down, nobody asked for it, and it was up in the last week
    LEFT = "left"  # down for longer, and it was up once
    UNUSED = "unused"  # down, and nothing says that it was ever up
    OFF = "off"  # administratively down
    UNKNOWN = "unknown"  # not known to us, or the sensor names none


BOOT_S = 600.0  # our choice: changes of state within ten minutes of the start belong to it
RECENT_S = 7 * 86400.0  # our choice: a port that is down for longer was left so


class Ports:
    """The ports of one look."""

    def __init__(self, interfaces: Iterable[InterfaceSample], uptime_s: float | None = None) -> None:
        """Note every port; `uptime_s` is the age of the agent, by which it tells when a port changed."""
        self._uptime_s = uptime_s
        self._by_name = {one.name: one for one in interfaces}
        self._by_form: dict[str, InterfaceSample] | None = None  # made when a name is not found as it is

    def get(self, name: str) -> InterfaceSample | None:
        """Return the port of that name, None when there is none."""
        if not name:
            return None
        if name in self._by_name:
            return self._by_name[name]
        if self._by_form is None:
            self._by_form = {form: one for one in reversed(self._by_name.values()) for form in _forms(one.name)}
        return next((self._by_form[form] for form in sorted(_forms(name)) if form in self._by_form), None)

    def of(self, name: str) -> Port:
        """Return what is to be expected of the port of that name."""
        port = self.get(name)
        if port is None:
            return Port.UNKNOWN
        if not port.admin_up:
            return Port.OFF
        if port.oper_up:
            return Port.UP
        if port.oper in ("unknown", "testing"):
            return Port.UNKNOWN
        if port.expected:
            return Port.DOWN
        since = port.last_change_s
        if since is None or self._uptime_s is None or self._uptime_s - since < BOOT_S:
            return Port.UNUSED
        return Port.FELL if since <= RECENT_S else Port.LEFT
