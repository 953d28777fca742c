"""The written flow: its order, what it asks for, which question a reading answers, and which diagnosis explains a complaint."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.causes import CAUSES
from checks.diagnosis.explains import ANY, EXPLAINS, UNHEARD, next_test, rank
from checks.diagnosis.ground import Trouble, question_of, survey, wanted
from checks.diagnosis.plan import FLOWS, Place
from checks.diagnosis.symptom import CHINESE, Heard, Symptom, heard
from checks.diagnosis.verdict import Answer, judge, needed, remedy
from checks.finding import Finding, Message, State, Value
from checks.topology import Topology
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Owner, Site
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.probers.catalogue import BY_HAND, PROBERS

AT = datetime(2026, 10, 20, 8, 0, tzinfo=UTC)
OWN_FOUR = ["servers", "resources", "devices", "fibre"]
CODES = {cause.code for cause in CAUSES}


def _nodes() -> dict[str, Node]:
    customer, carrier = Owner.CUSTOMER, Owner.CARRIER
    made = (
        Node("here", site="pop-a"),
        Node("core", "10.0.0.2", "pop-a", "switch", "core"),
        Node("edge", "10.0.0.1", "pop-a", "router"),
        Node("soft", "10.0.0.20", "pop-a", role="softswitch"),
        Node("web", "10.0.0.21", "pop-a", role="web"),
        Node("nameless", None, "pop-a"),
        Node("pop", "203.0.113.1", "room", "carrier", owner=carrier),
        Node("site-a", "10.254.0.2", "harbour", "router", owner=customer),
        Node("gw-a", "192.168.50.10", "harbour", "gateway", owner=customer, supplied_by=Owner.COMPANY, warranty_until=date(2027, 3, 31)),
        Node("gw-a2", "192.168.50.11", "harbour", "gateway", owner=Owner.COMPANY),
        Node("site-b", "10.254.0.6", "clinic", "router", owner=customer),
        Node("gw-b", "192.168.60.10", "clinic", "gateway", "gateway", owner=customer),
    )
    return {node.name: node for node in made}


LINKS = (
    Link("patch-1", "here", "core", ("eth0", "p1")),
    Link("patch-2", "soft", "core", ("eth0", "p2")),
    Link("patch-3", "web", "core", ("eth0", "p3")),
    Link("patch-4", "edge", "core", ("lan0", "p4")),
    Link("fib0", "edge", "pop", ("fib0", "x0"), "fibre", "North", "CT-1"),
    Link("fib1", "edge", "pop", ("fib1", "x1"), "fibre", "North", "CT-2"),
    Link("line-a", "edge", "site-a", ("cust0", "wan0")),
    Link("line-b", "edge", "site-b", ("cust1", "wan0")),
    Link("lan-a", "site-a", "gw-a", ("lan0", "eth0")),
    Link("lan-a2", "site-a", "gw-a2", ("lan1", "eth0")),
    Link("lan-b", "site-b", "gw-b", ("lan0", "eth0")),
)
INVENTORY = Inventory(
    "here",
    _nodes(),
    {
        "pop-a": Site("pop-a", "pop"),
        "room": Site("room", "carrier"),
        "harbour": Site("harbour", "customer", customer="Harbour"),
        "clinic": Site("clinic", "customer", customer="Clinic"),
    },
    {link.name: link for link in LINKS},
    {"North": Carrier("North", ("+86 10 5555",))},
    {"Harbour": Customer("Harbour", contacts=("Ms Chen",)), "Clinic": Customer("Clinic")},
)
TOPOLOGY = Topology(INVENTORY)
HARBOUR = Trouble("Harbour")


@pytest.mark.parametrize("kind", [CaseKind.NETWORK, CaseKind.EQUIPMENT])
def test_the_four_of_our_own_side_always_come_first_and_in_order(kind: CaseKind) -> None:
    names = [question.name for question in FLOWS[kind]]
    assert names[:5] == ["sight", *OWN_FOUR]
    assert [question.name for question in FLOWS[kind] if question.ours] == names[:5]
    assert set(names) == {question.name for question in FLOWS[CaseKind.NETWORK]}, "both flows ask the same"


def test_flow_b_asks_for_the_way_before_the_gateway_and_flow_c_the_other_way_round() -> None:
    assert [question.name for question in FLOWS[CaseKind.NETWORK]][5:] == ["line", "router", "nat", "gateway", "standard"]
    assert [question.name for question in FLOWS[CaseKind.EQUIPMENT]][5:] == ["line", "router", "gateway", "standard", "nat"]


def test_every_measurement_of_the_plan_exists_and_every_cause_is_one_of_the_catalogue() -> None:
    for question in FLOWS[CaseKind.NETWORK]:
        assert question.probers
        assert {*question.probers, *question.default} <= set(PROBERS) - BY_HAND
        assert set(question.default) <= set(question.probers)
        assert set(question.causes) <= CODES


def test_every_cause_is_one_that_somebody_notices_or_one_that_nobody_does() -> None:
    felt = {code for causes in (*ANY, *(column for columns in EXPLAINS.values() for column in columns)) for code in causes}
    assert felt | UNHEARD == CODES
    assert felt & UNHEARD == set()
    assert set(EXPLAINS) == set(Symptom)


@pytest.mark.parametrize(
    ("symptom", "cause", "place"),
    [
        ("one-way-audio", "nat_dmz", 0),
        ("one-way-audio", "sip_alg", 0),
        ("one-way-audio", "host_down", 2),
        ("drops", "sip_alg", 0),
        ("no-calls", "fibre_cut", 0),
        ("no-calls", "cpu", 1),
        ("wrong-number", "gateway_standard", 0),
        ("wrong-number", "fibre_cut", None),
        ("no-calls", "fan", None),
        ("no-calls", "redundancy_lost", None),
        ("drops", "bgp_flapping", 0),
        ("bad-quality", "bgp_flapping", None),
    ],
)
def test_what_explains_which_words(symptom: str, cause: str, place: int | None) -> None:
    assert rank(cause, {Symptom(symptom)}) == place


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("one-way-audio", Heard(Symptom.ONE_WAY_AUDIO)),
        ("One_Way Audio", Heard(Symptom.ONE_WAY_AUDIO)),
        ("单通", Heard(Symptom.ONE_WAY_AUDIO)),
        ("drops", Heard(Symptom.DROPS)),
        ("drops-after-30", Heard(Symptom.DROPS, 30)),
        ("drops:30", Heard(Symptom.DROPS, 30)),
        ("drops after 30 s", Heard(Symptom.DROPS, 30)),
        ("掉线30秒", Heard(Symptom.DROPS, 30)),
    ],
)
def test_the_users_words_are_understood(typed: str, means: Heard) -> None:
    assert heard(typed) == means
    assert heard(means.word) == means, "the word by which it is kept means the same"


def test_every_symptom_has_chinese_words_and_none_two_meanings() -> None:
    words = [word for words in CHINESE.values() for word in words]
    assert set(CHINESE) == set(Symptom)
    assert len(words) == len(set(words))


@pytest.mark.parametrize("typed", ["", "no call", "echoes", "掉", "drops after lunch"])
def test_other_words_are_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Symptom"):
        heard(typed)


def test_places_of_the_inventory() -> None:
    ground = survey(INVENTORY, HARBOUR)
    assert ground.nodes[Place.SERVERS] == {"here", "soft", "web", "nameless"}
    assert ground.nodes[Place.DEVICES] == {"core", "edge"}
    assert ground.nodes[Place.CARRIER] == {"pop", "edge"}
    assert ground.nodes[Place.LINE] == {"edge", "site-a"}
    assert ground.nodes[Place.ROUTER] == {"site-a"}
    assert ground.nodes[Place.GATEWAY] == {"gw-a", "gw-a2"}
    assert ground.ports[Place.CARRIER] == {("edge", "fib0"), ("edge", "fib1")}
    assert ground.ports[Place.LINE] == {("edge", "cust0")}


def test_one_gateway_named_is_the_only_one_and_says_whose_it_is() -> None:
    ground = survey(INVENTORY, Trouble(None, "gw-a2"))
    assert ground.nodes[Place.GATEWAY] == {"gw-a2"}
    assert ground.nodes[Place.ROUTER] == {"site-a"}


def test_without_a_customer_nothing_of_any_is_asked_for() -> None:
    ground = survey(INVENTORY, Trouble())
    flow = FLOWS[CaseKind.NETWORK]
    known = [("gw-a", "gateway", ""), ("site-b", "icmp", "")]
    assert [wanted(question, ground, known, INVENTORY) for question in flow if not question.ours] == [(), (), (), (), ()]


def test_configured_checks_are_asked_for_and_a_default_one_where_there_is_none() -> None:
    ground = survey(INVENTORY, HARBOUR)
    known = [("soft", "sip", ""), ("soft", "icmp", ""), ("soft", "call", ""), ("gw-b", "icmp", ""), ("web", "tcp", "80")]
    flow = {question.name: question for question in FLOWS[CaseKind.NETWORK]}

    def keys(name: str) -> set[tuple[str, str, str]]:
        return {(ask.node, ask.prober, ask.item) for ask in wanted(flow[name], ground, known, INVENTORY)}

    assert keys("servers") == {("soft", "sip", ""), ("soft", "icmp", ""), ("web", "tcp", "80"), ("web", "icmp", "")}, "no address, no echo"
    assert keys("gateway") == {("gw-a", "icmp", ""), ("gw-a2", "icmp", "")}, "nothing of another customer's"
    assert keys("nat") == set(), "without the customer's consent nothing is asked"
    assert keys("sight") == {("here", "interfaces", "")}


def _finding(node: str, check: str, item: str = "", said: str = "x", state: State = State.CRITICAL) -> Finding:
    seen = Observation("here", node, check.partition("/")[0], AT, 1.0, Failure(Kind.TIMEOUT))
    return Finding(check, seen, state, Message(said), item=item)


@pytest.mark.parametrize(
    ("finding", "question"),
    [
        (_finding("here", "interfaces/oper", "eth0"), "sight"),
        (_finding("soft", "dns/answer"), "sight"),
        (_finding("here", "host/cpu"), "servers"),
        (_finding("soft", "sip/answer"), "servers"),
        (_finding("soft", "database/connections"), "resources"),
        (_finding("edge", "snmp/sessions"), "resources"),
        (_finding("edge", "interfaces/utilisation", "lan0"), "resources"),
        (_finding("core", "snmp/temperature", "board"), "devices"),
        (_finding("edge", "interfaces/oper", "lan0"), "devices"),
        (_finding("edge", "interfaces/oper", "fib0"), "fibre"),
        (_finding("edge", "snmp/rx-power", "fib1 #2"), "fibre"),
        (_finding("edge", "snmp/bgp", "203.0.113.1"), "fibre"),
        (_finding("pop", "icmp/loss"), "fibre"),
        (_finding("edge", "interfaces/oper", "cust0"), "line"),
        (_finding("edge", "interfaces/oper", "cust1"), "devices"),
        (_finding("site-a", "icmp/loss"), "line"),
        (_finding("site-a", "icmp/latency"), "router"),
        (_finding("gw-a", "icmp/loss"), "gateway"),
        (_finding("gw-a", "gateway/standard", "registration"), "gateway"),
        (_finding("gw-a", "gateway/standard", "firmware"), "standard"),
        (_finding("gw-a", "gateway/nat"), "nat"),
        (_finding("gw-b", "gateway/nat"), None),
    ],
    ids=lambda one: " ".join(one.key[1:]) if isinstance(one, Finding) else str(one),
)
def test_which_question_a_reading_answers(finding: Finding, question: str | None) -> None:
    assert question_of(finding, FLOWS[CaseKind.NETWORK], survey(INVENTORY, HARBOUR)) == question


def diagnosis(
    cause: str, element: str, side: Side = Side.COMPANY, affected: tuple[str, ...] = (), state: State = State.CRITICAL, **more: object
) -> Diagnosis:
    found = _finding(element.partition(":")[0], "icmp/loss")
    plain = Diagnosis(
        CaseKind.NETWORK, cause, element, side, Area.SERVER, Urgency.URGENT, 0.9, AT, (found.key,), (found,), Message("s"), Message("a")
    )
    return msgspec.structs.replace(plain, affected=affected, state=state, **more)


MY_GATEWAY = diagnosis("gateway_down", "gw-a", Side.CUSTOMER, ("Harbour",))
HIS_GATEWAY = diagnosis("gateway_down", "gw-b", Side.CUSTOMER, ("Clinic",))
SOFTSWITCH = diagnosis("process_down", "soft", affected=("Clinic", "Harbour"))
FAN = diagnosis("fan", "core:fan 1")
SHAKY = diagnosis("gateway_standard", "gw-a", Side.CUSTOMER, ("Harbour",), State.WARNING)
SPARE = diagnosis("redundancy_lost", "fib0", Side.CARRIER)
CUT = diagnosis("fibre_cut", "fib0+fib1", Side.CARRIER, ("Harbour", "Clinic"))
PORTAL = diagnosis("process_down", "web:80")
SPARE_OFF = diagnosis("interface_admin_down", "fib0")
SPARE_PORT_OFF = diagnosis("interface_admin_down", "edge:fib1")
SPARE_LOSSY = diagnosis("loss", "fib0", Side.CARRIER)  # what crosses it is lost: no other way is taken
LINE_OFF = diagnosis("interface_admin_down", "line-a")
BOTH_OFF = diagnosis("interface_admin_down", "fib0+fib1")
MISSED = diagnosis("interface_down", "fib0", affected=("Harbour",))
OPEN = diagnosis("gateway_down", "gw-a", Side.UNDETERMINED, ("Harbour",), decides=Message("decides.x"))


@pytest.mark.parametrize(
    ("found", "symptom", "answer", "chosen"),
    [
        ((), "no-calls", Answer.NONE, None),
        ((MY_GATEWAY,), "no-calls", Answer.FAULT, MY_GATEWAY),
        ((HIS_GATEWAY,), "no-calls", Answer.NONE, None),
        ((HIS_GATEWAY, MY_GATEWAY), "no-calls", Answer.FAULT, MY_GATEWAY),
        ((SOFTSWITCH, MY_GATEWAY), "no-calls", Answer.FAULT, SOFTSWITCH),
        ((SOFTSWITCH, SHAKY), "no-calls", Answer.FAULT, SOFTSWITCH),
        ((FAN, SPARE), "no-calls", Answer.NONE, None),
        ((CUT,), "no-calls", Answer.FAULT, CUT),
        ((SPARE_OFF, SPARE_PORT_OFF), "no-calls", Answer.NONE, None),  # the other fibre carries on
        ((SPARE_OFF, MY_GATEWAY), "no-calls", Answer.FAULT, MY_GATEWAY),
        ((MISSED,), "no-calls", Answer.FAULT, MISSED),
        ((BOTH_OFF,), "no-calls", Answer.FAULT, BOTH_OFF),
        ((LINE_OFF,), "no-calls", Answer.FAULT, LINE_OFF),
        ((SPARE_LOSSY,), "bad-quality", Answer.FAULT, SPARE_LOSSY),
        ((MY_GATEWAY,), "echo", Answer.FAULT, MY_GATEWAY),
        ((SHAKY,), "wrong-number", Answer.FAULT, SHAKY),
        ((PORTAL,), "no-calls", Answer.NONE, None),
        ((OPEN,), "no-calls", Answer.UNDETERMINED, OPEN),
    ],
)
def test_which_diagnosis_explains_the_complaint(
    found: tuple[Diagnosis, ...], symptom: str, answer: Answer, chosen: Diagnosis | None
) -> None:
    verdict = judge(found, TOPOLOGY, HARBOUR, {Symptom(symptom)})
    assert (verdict.answer, verdict.diagnosis) == (answer, chosen)
    assert list(verdict.others) == [one for one in found if one is not chosen], "what does not explain it is told as well"


ALL = (MY_GATEWAY, HIS_GATEWAY, SOFTSWITCH, FAN, SHAKY, SPARE, CUT, PORTAL)


@given(st.permutations(ALL), st.sets(st.sampled_from(Symptom)), st.sampled_from(["Harbour", "Clinic", None]))
def test_no_diagnosis_is_lost_and_the_order_of_them_decides_nothing(
    found: list[Diagnosis], symptoms: set[Symptom], customer: str | None
) -> None:
    verdict = judge(found, TOPOLOGY, Trouble(customer), symptoms)
    told = [*verdict.others, *([verdict.diagnosis] if verdict.diagnosis else [])]
    assert sorted(map(repr, told)) == sorted(map(repr, ALL))
    first = judge(ALL, TOPOLOGY, Trouble(customer), symptoms)
    assert (first.answer, first.diagnosis and first.diagnosis.cause) == (verdict.answer, verdict.diagnosis and verdict.diagnosis.cause)


def test_what_his_calls_need() -> None:
    assert needed(TOPOLOGY, HARBOUR) == {"here", "core", "edge", "soft", "site-a", "gw-a", "gw-a2"}
    assert needed(TOPOLOGY, Trouble(None, "web")) == {"here", "core", "soft", "web"}


def test_blind_eyes_are_the_verdict_only_when_nothing_else_explains_it() -> None:
    blind = diagnosis("agent_blind", "here")
    assert judge([blind], TOPOLOGY, HARBOUR, set()).diagnosis == blind
    assert judge([blind, MY_GATEWAY], TOPOLOGY, HARBOUR, set()).diagnosis == MY_GATEWAY


def test_what_was_not_seen_is_not_called_good() -> None:
    verdict = judge([], TOPOLOGY, HARBOUR, {Symptom.SLOW}, seen=False)
    assert (verdict.answer, verdict.decides) == (Answer.UNDETERMINED, Message("next.unseen"))
    assert judge([], TOPOLOGY, HARBOUR, {Symptom.SLOW}).decides == next_test({Symptom.SLOW}) == Message("next.slow")


def test_the_carrier_is_called_with_the_circuit_and_the_sheet() -> None:
    (_, report) = remedy(CUT, INVENTORY)
    told: dict[str, Value] = {"carrier": "North", "circuit": "CT-1", "contacts": "+86 10 5555", "link": "fib0"}
    assert report == ("carrier", Message("todo.report", told))


@pytest.mark.parametrize(
    ("element", "who", "what"),
    [
        ("gw-a", "commerce", Message("todo.commerce-warranty", {"node": "gw-a", "until": "2027-03-31"})),
        ("gw-a2", "commerce", Message("todo.commerce", {"node": "gw-a2"})),
        ("gw-b", "vendor", Message("todo.vendor", {"node": "gw-b"})),
    ],
)
def test_who_answers_for_a_dead_gateway_is_who_supplied_it(element: str, who: str, what: Message) -> None:
    assert remedy(diagnosis("gateway_down", element, Side.CUSTOMER), INVENTORY)[-1] == (who, what)


def test_a_port_forwarding_is_no_reason_to_exchange_the_gateway() -> None:
    steps = remedy(diagnosis("nat_dmz", "gw-a", Side.CUSTOMER), INVENTORY)
    assert [who for who, _ in steps] == ["technician", "technician"]
