"""The tables of the handbook's chapter Diagnosis: the plan of the flow, and which words which causes explain."""

from checks.diagnosis.explains import EXPLAINS
from checks.diagnosis.plan import FLOWS, Place
from checks.diagnosis.symptom import CHINESE
from checks.verdict import CaseKind
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


TABLES = {"plan": plan, "symptoms": symptoms}
