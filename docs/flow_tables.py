"""The tables of the handbook's chapters on diagnosis: the plan of the flow, which words which causes explain, what follows from what."""

from datetime import timedelta

from checks import patience
from checks.correlation import absorb, sites, view
from checks.correlation import follows as rules
from checks.correlation.confidence import RIGHT, SINGLE
from checks.correlation.fault import Basis
from checks.diagnosis.explains import EXPLAINS
from checks.diagnosis.plan import FLOWS, Place
from checks.diagnosis.symptom import CHINESE
from checks.verdict import CaseKind
from reports.locale.figures import span
from reports.locale.text import texts

_WHERE = {
    Place.HERE: "the agent's own node, our name and time servers",
    Place.SERVERS: "our servers",
    Place.OURS: "our servers and devices",
    Place.DEVICES: "our devices",
    Place.CARRIER: "both ends of the lines to carriers, and beyond",
    Place.LINE: "both ends of the customer's line",
    Place.ROUTER: "what stands at the customer's and is no gateway",
    Place.GATEWAY: "the customer's gateways",
}

_GROUPS = {  # the sets of checks/correlation/follows.py, in words
    "LINK_DOWN": "line down",
    "GONE": "gone",
    "PORT": "a port's word",
    "ROUTING": "routing",
    "POOR": "poor way",
    "LATE": "late answers",
    "SERVICE": "a service",
    "STARVED": "a machine that lacks something",
    "CALLS": "calls",
    "HARDWARE": "hardware",
}
_BASES = {
    Basis.SAID: "the element itself said it",
    Basis.PORT: "a port that is down, and silence behind it",
    Basis.SILENCE: "silence, and good readings right before it",
    Basis.PLACED: "loss or delay that begins there",
    Basis.CLASS: "it can't be told from its declared alternatives, which count as right",
    Basis.WIDE: "more than one element may be it; they are named",
    Basis.AGAINST: "something good speaks against it: the inventory may be wrong",
}
_WAITS = (
    ("a verdict waits for measurements that it asked for, at most", patience.HOLD),
    ("… for another agent, dark to us and alive, to look around for itself, at most", patience.AGENT),
    ("what went dark within this time of each other at one site is one event", sites.TOGETHER),
    ("a session that came back and is lost again flaps, as long as it is lost for less than", rules.AGAIN),
    ("what another agent saw is believed, from its last word on", view.STALE),
    ("a cause may have been read this much later than its effect (devices keep readings for so long)", absorb.SLACK),
    ("a fault that is over explains what begins within", absorb.AFTER),
    ("what it explained may take this long to be believed good again", absorb.ENDING),
    ("loss counted over minutes may take this long to be forgotten", absorb.EMPTY),
    ("it explains what is told of it late, for", absorb.LINGER),
    ("it explains what only tells of the past (a path that changed, a restart), for", patience.ECHO),
    ("a BGP session that was gone for less than this has flapped, which is a fault by itself", absorb.FLAP),
)
_FEW = 6  # codes that a group may lack: "gone without …"

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # heads, rows


def plan() -> Table:
    """Return a row for each question in the order of flow B: its name, where it is put, by which probers, what a bad reading rules in."""
    network, equipment = (FLOWS[kind] for kind in (CaseKind.NETWORK, CaseKind.EQUIPMENT))
    english = texts("en")
    rows = []
    for number, question in enumerate(network, 1):
        probers = " ".join(f"`{prober}`" + ("*" if prober in question.default else "") for prober in question.probers)
        causes = " ".join(f"`{cause}`" for cause in question.causes) or "whatever else it can have"
        order = f"{number} / {equipment.index(question) + 1}"
        rows.append((order, english.word("question", question.name), _WHERE[question.place], probers, causes))
    return ("B / C", "question", "put to", "by (* by itself, where none is configured)", "a bad reading rules in"), rows


def symptoms() -> Table:
    """Return a row for each symptom: the words for it, and the causes that explain it, the likeliest group first."""
    rows = []
    for symptom, groups in EXPLAINS.items():
        likely = " ".join(f"`{cause}`" for cause in dict.fromkeys(groups[0]))
        rows.append((f"`{symptom.value}`", " ".join(CHINESE[symptom]), likely))
    return ("word", "the same in Chinese", "explained first of all by"), rows


def groups() -> Table:
    """Return a row for each group of causes that the rules speak of."""
    return ("group", "causes"), [(f"*{words}*", _codes(getattr(rules, name))) for name, words in _GROUPS.items()]


def follows() -> Table:
    """Return a row for each rule, in the order in which they are tried."""
    rows: list[tuple[str, ...]] = [
        (str(number), _grouped(rule.effects), _grouped(rule.causes), (rule.related.__doc__ or "").strip().rstrip("."))
        for number, rule in enumerate(rules.RULES, 1)
    ]
    return ("#", "what is bad", "is a consequence of", "where it is"), rows


def confidence() -> Table:
    """Return a row for each basis of a verdict: how sure it is."""
    rows: list[tuple[str, ...]] = [(f"{RIGHT[basis]:g}", words) for basis, words in _BASES.items()]
    return ("confidence", "the verdict rests on"), [
        *rows,
        (f"−{SINGLE:g}", "only one measurement says it, and it is not the element's own word"),
    ]


def waits() -> Table:
    """Return a row for each time that correlation allows."""
    return ("what", "time"), [(what, _length(time)) for what, time in _WAITS]


def _length(time: timedelta) -> str:
    return span(time.total_seconds())


def _grouped(codes: frozenset[str]) -> str:
    """Return a set of causes by the names of its groups, and the rest by their codes."""
    left, said = set(codes), []
    for name, words in sorted(_GROUPS.items(), key=lambda one: -len(getattr(rules, one[0]))):
        group = getattr(rules, name)
        lacks = group - codes
        if len(group & left) > 1 and len(lacks) <= min(_FEW, len(group) // 3):
            said.append(f"*{words}*" + (f" without {_codes(lacks)}" if lacks else ""))
            left -= group
    return ", ".join([*said, *([_codes(frozenset(left))] if left else [])])


def _codes(codes: frozenset[str]) -> str:
    return " ".join(f"`{code}`" for code in sorted(codes))


TABLES = {"plan": plan, "symptoms": symptoms, "groups": groups, "follows": follows, "confidence": confidence, "waits": waits}
