"""`firstline check`: what a person types becomes the measurement that was meant, or a refusal with the cure; secrets are never arguments."""

import asyncio
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from probe.agent.actions.check import CheckProblem, check, is_here, known_job, read_job
from probe.agent.cli import firstline
from probe.agent.cli.check import ABOUT, EXAMPLES
from probe.agent.cli.check import check as check_group
from probe.agent.settings.load import load
from probe.observation.icmp import EchoSample
from probe.probers.catalogue import PROBERS

INVENTORY = """
[agent]
name = "here"
[[node]]
name = "here"
[[node]]
name = "sbc-1"
address = "127.0.0.1"
[[node.check]]
prober = "tcp"
port = 5060
[[node.check]]
prober = "tcp"
port = 5061
timeout = "2s"
[[node.check]]
prober = "icmp"
count = 7
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(firstline, ["check", *words])


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "firstline.toml"
    file.write_text(INVENTORY)
    return file


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_exit_codes_are_those_of_the_states() -> None:
    assert run("icmp", "127.0.0.1").exit_code == 0
    assert run("tcp", f"127.0.0.1:{closed_port()}").exit_code == 2
    assert run("icmp", "224.0.0.1").exit_code == 3, "ours: nobody says that it is down"


def test_a_burst_longer_than_five_seconds_is_no_silence() -> None:
    job = read_job("icmp", "127.0.0.1", {"count": 3, "interval_ms": 3000.0})
    assert job.timeout_s > 7


def test_of_a_burst_cut_short_by_the_deadline_what_came_counts() -> None:
    async def one() -> object:
        job = read_job("icmp", "127.0.0.1", {"count": 1000, "interval_ms": 100.0, "wait_ms": 200.0}, 0.5)
        (reading,) = [reading async for reading in check(job, lambda: datetime.now(UTC))]
        return reading.seen.outcome

    seen = asyncio.run(one())
    assert isinstance(seen, EchoSample)
    assert seen.sent == seen.received
    assert 2 <= seen.sent <= 5


@pytest.mark.parametrize("target", ["localhost", "LOCALHOST", socket.gethostname(), "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_what_is_this_machine(target: str) -> None:
    assert is_here(target)


@pytest.mark.parametrize("target", ["192.0.2.77", "2001:db8::77", "x" * 70, "a..b", ""])
def test_what_is_another_machine(target: str) -> None:
    assert not is_here(target)


@pytest.mark.parametrize("prober", ["host", "interfaces", "sockets"])
def test_the_readings_of_this_machine_are_not_shown_as_anothers(prober: str, inventory: Path) -> None:
    with pytest.raises(CheckProblem, match="is not this one"):
        read_job(prober, "192.0.2.77", {})
    with pytest.raises(CheckProblem, match="is not this one"):
        known_job(load(inventory), prober, "sbc-1", {})
    assert known_job(load(inventory), prober, "here", {}) is not None


def test_a_node_with_one_check_is_asked_as_configured(inventory: Path) -> None:
    job = known_job(load(inventory), "icmp", "sbc-1", {})
    assert job is not None
    assert job.options.count == 7


def test_a_node_with_two_checks_asks_which(inventory: Path) -> None:
    settings = load(inventory)
    with pytest.raises(CheckProblem, match="2 tcp checks: 5060, 5061"):
        known_job(settings, "tcp", "sbc-1", {})
    for port, timeout_s in ((5061, 2.0), (5060, 5.0), (5062, 5.0)):
        job = known_job(settings, "tcp", "sbc-1", {"port": port})
        assert job is not None
        assert (job.options.port, job.timeout_s) == (port, timeout_s)


def test_a_password_is_read_from_its_own_file_and_is_no_argument(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    file.chmod(0o600)
    logins: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"R\0\0\0\x0c\0\0\0\5salt")
            logins.append(peer.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        target = f"127.0.0.1:{listening.getsockname()[1]}"
        run("postgresql", target, "--user", "u", "--tls", "off", "--password-file", str(file))
        thread.join()
    assert logins[0].startswith(b"p\0\0\0\x28md5"), "a password was there to log in with"
    refused = run("postgresql", target, "--password", "hunter2")
    assert refused.exit_code != 0
    assert "hunter2" not in refused.output


@pytest.mark.parametrize(("mode", "words"), [(0o644, "open to others"), (None, "no such file")])
def test_a_password_file_that_can_not_be_used_is_refused(tmp_path: Path, mode: int | None, words: str) -> None:
    file = tmp_path / "password"
    if mode is not None:
        file.write_text("hunter2\n")
        file.chmod(mode)
    refused = run("mysql", "127.0.0.1:1", "--user", "u", "--password-file", str(file))
    assert refused.exit_code != 0
    assert words in refused.output
    assert "hunter2" not in refused.output


def test_headers_are_given_one_by_one() -> None:
    assert "not NAME=VALUE" in run("http", "127.0.0.1:1", "--headers", "x").output
    assert run("http", f"127.0.0.1:{closed_port()}", "--headers", "X-A=b=c", "--headers", "X-B=").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], 'no command named "chek"; did you mean "check"?'),
        (["frobnicate"], "there are: audit, case, check,"),
        (["check", "imcp", "127.0.0.1"], 'no prober named "imcp"; did you mean "icmp"?'),
        (["checks", "tpc"], "'tpc' is not one of"),
    ],
)
def test_mistyped_word_is_answered_with_what_there_is(words: list[str], said: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("firstline")), *words], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 3
    assert said in done.stderr


@pytest.mark.parametrize(
    "words", [["icmp", "no-such-name.invalid"], ["tcp", "no-such-name.invalid:80"], ["http", "http://no-such-name.invalid/"]]
)
def test_typed_name_that_does_not_resolve_is_a_slip_not_an_outage(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = run(*words, "--format", "nagios")
    assert result.exit_code != 0
    assert "the name does not resolve" in result.output
    assert "give the address instead" in result.output


def test_every_prober_says_what_it_is_for_and_its_examples_can_be_typed() -> None:
    assert set(ABOUT) == set(EXAMPLES) == set(PROBERS)
    for prober, lines in EXAMPLES.items():
        for line in lines:
            command = check_group.get_command(click.Context(check_group), prober)
            assert command is not None
            with suppress(click.BadParameter):  # a file of the example is not here
                command.make_context(prober, shlex.split(line)[1:])


def test_options_that_take_several_words_say_so_and_offer_their_words() -> None:
    said = CliRunner().invoke(firstline, ["check", "snmp", "--help"]).output
    assert "--auth-password-file" in said
    assert "repeat it for several" in " ".join(said.split())
    refused = CliRunner().invoke(firstline, ["check", "snmp", "192.0.2.1", "--parts", "all"])
    assert "'neighbours'" in refused.output


def test_an_empty_name_of_a_configuration_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRSTLINE_CONFIG", "")
    assert "configuration" not in CliRunner().invoke(firstline, ["check", "tcp", "127.0.0.1:1"]).stderr
