"""`firstline diagnose` against real sockets on loopback: the action, the exit codes, the service's answer, the case it opens."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from checks.diagnosis.plan import FLOWS
from checks.finding import Message
from checks.verdict import CaseKind
from probe.agent.actions.diagnose import Wrong, diagnose, whose
from probe.agent.cli import firstline
from probe.agent.settings.load import load
from probe.run import Runner
from reports.diagnosis import Begun, Conclusion, Ended, Request, StepState
from tests.agent.conftest import Door, Service, free_port

OPERATOR = """
[[customer]]
name = "Harbour"
contacts = ["Ms Chen"]
accounts = ["1001"]
[[site]]
name = "centre"
[[site]]
name = "harbour"
kind = "customer"
customer = "Harbour"
[[node]]
name = "here"
site = "centre"
[[node.check]]
prober = "interfaces"
names = ["lo"]
[[node]]
name = "soft"
site = "centre"
role = "softswitch"
address = "127.0.0.1"
[[node.check]]
prober = "tcp"
port = {port}
every = "5s"
[[node]]
name = "gw-a"
site = "harbour"
kind = "gateway"
owner = "customer"
supplied_by = "company"
address = "127.0.0.2"
[[node.check]]
prober = "icmp"
[[node.check]]
prober = "sip"
port = {sip}
timeout = "400ms"
every = "5s"
[[link]]
name = "patch"
a = "here"
b = "soft"
[[link]]
name = "line"
a = "here"
b = "gw-a"
"""


class Gateway:
    """Answers OPTIONS on a UDP port of 127.0.0.2 until it is closed."""

    def __init__(self) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.2", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                asked, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not asked:
                return
            lines = asked.decode().split("\r\n")
            kept = [line for line in lines if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))]
            answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
            self._socket.sendto(answer.encode(), peer)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.2", self.port))
        self._socket.close()


@contextmanager
def gateway() -> Iterator[Gateway]:
    one = Gateway()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def operator(tmp_path: Path, door: Callable[[], Door]) -> Iterator[tuple[Path, Door, Gateway]]:
    with gateway() as sip:
        one = door()
        file = tmp_path / "firstline.toml"
        text = f'[agent]\nname = "here"\nnode = "here"\nstate_dir = "{tmp_path}/state"\nsocket = "{tmp_path}/none"\n'
        file.write_text(text + OPERATOR.format(port=one.port, sip=sip.port))
        yield file, one, sip


def now() -> datetime:
    return datetime.now(UTC)


def told(file: Path, **words: Any) -> list[Begun | Ended | Conclusion]:
    async def all_of_it() -> list[Begun | Ended | Conclusion]:
        async with Runner(now) as runner:
            return [line async for line in diagnose(load(file), Request(CaseKind.NETWORK, **words), runner, now)]

    return asyncio.run(all_of_it())


def concluded(file: Path, **words: Any) -> Conclusion:
    last = told(file, **words)[-1]
    assert isinstance(last, Conclusion)
    return last


def test_steps_come_in_the_order_of_the_flow_each_begun_before_it_ends(operator: tuple[Path, Door, Gateway]) -> None:
    lines = told(operator[0], customer="Harbour", symptoms=("no-calls",))
    names = [question.name for question in FLOWS[CaseKind.NETWORK]]
    assert [line.question for line in lines if isinstance(line, Begun)] == names
    ended = [line for line in lines if isinstance(line, Ended)]
    assert [line.question for line in ended] == names
    assert [line.took_s for line in ended] == sorted(line.took_s for line in ended)
    assert [isinstance(line, Begun) for line in lines[:4]] == [True, False, True, False]


def test_nothing_wrong_is_no_fault_and_says_what_was_not_looked_at(operator: tuple[Path, Door, Gateway]) -> None:
    found = concluded(operator[0], customer="Harbour", symptoms=("one-way-audio",))
    assert (found.answer, found.diagnosis) == ("none", None)
    assert found.decides is not None
    assert found.decides.id == "next.one-way-audio"
    assert {message.id for message in found.not_looked} >= {"skipped.fibre", "skipped.devices", "skipped.consent"}
    assert dict(found.ruled_out)["gateway"] >= 2


def test_dead_service_of_ours_is_believed_within_seconds_and_is_ours(operator: tuple[Path, Door, Gateway]) -> None:
    file, door, _ = operator
    door.shut()
    found = concluded(file, customer="Harbour", symptoms=("no-calls",))
    assert found.diagnosis is not None
    assert (found.answer, found.diagnosis.cause, found.diagnosis.side) == ("fault", "process_down", "company")
    assert found.diagnosis.element.partition(":")[0] == "soft"
    assert found.took_s < 10


def test_gateway_without_its_program_is_the_customers(operator: tuple[Path, Door, Gateway]) -> None:
    file, _, sip = operator
    sip.close()
    lines = told(file, customer="Harbour", symptoms=("no-calls",))
    states = {line.question: line.state for line in lines if isinstance(line, Ended)}
    assert states["servers"] is StepState.GOOD
    assert states["gateway"] is StepState.BAD
    found = lines[-1]
    assert isinstance(found, Conclusion)
    assert found.diagnosis is not None
    assert found.diagnosis.element.partition(":")[0] == "gw-a"
    assert "Ms Chen" in str(found.todo) or found.diagnosis.side != "customer"


def test_gateway_without_a_public_address_is_not_asked_for_its_nat(operator: tuple[Path, Door, Gateway]) -> None:
    file, _, sip = operator
    check = f'[[node.check]]\nprober = "gateway"\nport = {sip.port}\nagreed = "Ms Chen, 1 June"\n'
    file.write_text(file.read_text().replace("[[link]]", check + "[[link]]", 1))
    lines = told(file, customer="Harbour", symptoms=("no-calls",))
    nat = next(line for line in lines if isinstance(line, Ended) and line.question == "nat")
    assert nat.state is StepState.SKIPPED
    assert nat.note == Message("skipped.nat-address")


def test_single_bad_reading_is_no_verdict(operator: tuple[Path, Door, Gateway]) -> None:
    """The door opens again before the look that would make it believed."""
    file, door, _ = operator
    door.shut()
    timer = threading.Timer(0.2, door.open)
    timer.start()
    found = concluded(file, customer="Harbour")
    timer.join()
    assert found.diagnosis is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"customer": "Nobody"}, 'no customer named "Nobody" in the inventory; there are: Harbour'),
        ({"node": "nowhere"}, 'no node named "nowhere"'),
        ({"number": "+4930123"}, "nobody in the inventory has the number"),
        ({"symptoms": ("moody",)}, 'no symptom "moody"; there are: no-calls'),
    ],
)
def test_what_the_inventory_does_not_know_is_refused_with_the_cure(
    operator: tuple[Path, Door, Gateway], words: dict[str, Any], why: str
) -> None:
    with pytest.raises(Wrong, match=why.replace("+", r"\+")):
        told(operator[0], **words)


@pytest.mark.parametrize(("number", "customer"), [("1001", "Harbour"), ("+86 21 1001", "Harbour"), ("1002", None)])
def test_number_says_whose_it_is(operator: tuple[Path, Door, Gateway], number: str, customer: str | None) -> None:
    assert whose(number, load(operator[0]))[0] == customer


def test_number_is_looked_up_in_the_configured_records(operator: tuple[Path, Door, Gateway], tmp_path: Path) -> None:
    file = operator[0]
    assert [message.id for message in concluded(file, number="1001").calls] == ["calls.no-records"]
    records = tmp_path / "Master.csv"
    records.write_text(f"1001,8001,{now().isoformat()},0,503\n")
    check = f'[[node.check]]\nprober = "cdr"\ncdr_file = "{records}"\nzone = "UTC"\n'
    columns = 'columns = { caller = "1", callee = "2", end = "3", talk = "4", cause = "5" }\n'
    file.write_text(file.read_text().replace('names = ["lo"]\n', f'names = ["lo"]\n{check}{columns}'))
    (told_of,) = concluded(file, number="+86 21 1001").calls
    assert (told_of.id, told_of.values["n"], told_of.values["causes"]) == ("calls.some", 1, "503 ×1")
    assert told_of.values["number"] == "…1001", "numbers are masked"


def test_of_too_much_what_his_calls_need_is_measured(operator: tuple[Path, Door, Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    file = operator[0]
    others = "".join(f'[[node]]\nname = "a{at}"\nsite = "centre"\naddress = "127.0.1.{at}"\n' for at in range(1, 40))
    file.write_text(file.read_text() + others)
    monkeypatch.setattr("probe.agent.actions.diagnose.MOST", 10)
    lines = told(file, customer="Harbour")
    states = {line.question: line.state for line in lines if isinstance(line, Ended)}
    assert states["gateway"] is StepState.GOOD
    last = lines[-1]
    assert isinstance(last, Conclusion)
    assert {message.id for message in last.not_looked} >= {"unmeasured.many"}


def run(file: Path, *words: str) -> Any:
    place = {"FIRSTLINE_SOCKET": str(file.parent / "none"), "FIRSTLINE_LANG": "en"}
    return CliRunner().invoke(firstline, ["diagnose", *words, "--config", str(file)], env=place)


def test_exit_codes_and_what_is_printed(operator: tuple[Path, Door, Gateway]) -> None:
    file, door, _ = operator
    good = run(file, "network", "--customer", "Harbour")
    assert good.exit_code == 0, good.output
    assert "no fault found here" in good.output
    assert good.output.splitlines()[0] == "network · Harbour · no symptom named"
    door.shut()
    bad = run(file, "network", "--customer", "Harbour", "--symptom", "打不通")
    assert bad.exit_code == 1, bad.output
    assert bad.output.splitlines()[0] == "network · Harbour · no calls"
    assert " ✗ servers" in bad.output
    assert "\x1b" not in bad.output


def test_json_says_the_same(operator: tuple[Path, Door, Gateway]) -> None:
    file, door, _ = operator
    door.shut()
    done = run(file, "network", "--customer", "Harbour", "--symptom", "no-calls", "--format", "json")
    said = json.loads(done.output)
    assert (said["answer"], said["exit_code"], done.exit_code) == ("fault", 1, 1)
    assert said["diagnosis"]["cause"] == "process_down"
    assert [step["question"] for step in said["steps"]] == [question.name for question in FLOWS[CaseKind.NETWORK]]
    assert len(said["diagnosis"]["to_customer"]) == 2


def test_running_service_looks_into_it_opens_the_case_and_a_second_complaint_joins(service: Service, door: Callable[[], Door]) -> None:
    one = door()
    with gateway() as sip:
        service.configure(OPERATOR.format(port=one.port, sip=sip.port))
        service.start()
        words = ("diagnose", "network", "--customer", "Harbour", "--format", "json", "--open")
        assert json.loads(service.run(*words, "--symptom", "no-calls", expect=0))["not_opened"].startswith("no case was opened")
        one.shut()
        said = json.loads(service.run(*words, "--symptom", "no-calls", expect=1))
        assert said["case"] is not None
        again = json.loads(service.run(*words, "--symptom", "slow", expect=1))
        assert (again["case"], again["joined"]) == (said["case"], True), (again, service.cases())
        cases = [case for case in service.cases() if case["cleared_at"] is None]
        assert [(case["id"], case["cause"]) for case in cases] == [(said["case"], "process_down")], "one case, one cause"


def test_verification_says_whether_the_symptom_is_gone_and_is_noted(service: Service, door: Callable[[], Door]) -> None:
    one = door()
    with gateway() as sip:
        service.configure(OPERATOR.format(port=one.port, sip=sip.port))
        service.start()
        one.shut()
        words = ("diagnose", "network", "--customer", "Harbour", "--symptom", "no-calls", "--format", "json", "--open")
        number = str(json.loads(service.run(*words, expect=1))["case"])
        there = service.run("case", "verify", number, expect=1)
        assert "the symptom is still there" in there
        assert " ✗ servers" in there, "the flow goes on"
        one.open()
        assert "the symptom is gone" in service.run("case", "verify", number, expect=0)
        said = json.loads(service.run("case", "verify", number, "--format", "json", expect=0))
        assert (said["result"], said["bad"], said["unknown"]) == ("gone", 0, 0)
        noted = [event for event in service_events(service, number) if event["kind"] == "verified"]
        assert [event["body"]["result"] for event in noted] == ["still", "gone", "gone"]
        service.run("case", "verify", "99", expect=3)


def service_events(service: Service, number: str) -> list[dict[str, Any]]:
    return list(json.loads(service.ask("GET", f"/v1/cases/{number}/events")[1]))


def test_what_is_not_there_ends_with_3_with_a_service_and_without(service: Service, operator: tuple[Path, Door, Gateway]) -> None:
    service.configure(OPERATOR.format(port=operator[1].port, sip=operator[2].port))
    service.run("diagnose", "network", "--customer", "Nobody", expect=3)
    service.run("case", "verify", "7", expect=3)
    service.start()
    service.run("diagnose", "network", "--customer", "Nobody", expect=3)
    service.run("case", "verify", "7", expect=3)
    service.run("diagnose", "network", "--symptom", "moody", expect=3)
    service.run("diagnose", "network", "--since", "yesterday-ish", expect=3)
