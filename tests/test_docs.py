"""README, handbook and the other pages are held to the code: what is there is written down, and what is written down is there."""

import importlib.util
import io
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from checks.assess import STALE_AFTER
from checks.catalogue import JUDGES
from checks.catalogue import load as judge_of
from checks.causes import CAUSES, KEY_GRADES, MAIN_ROLES
from checks.finding import Finding, Levels, Message, State
from checks.history import RULE
from checks.trend import LEFT
from probe.agent.cli import INTERRUPTED, USAGE_ERROR, firstline
from probe.agent.discovery import FAST_S, SLOW_S
from probe.agent.settings import forms
from probe.agent.settings.feeds import KINDS
from probe.agent.settings.load import read_settings
from probe.agent.watching import REPEAT_S
from probe.observation.failure import Kind
from probe.probers.catalogue import PROBERS
from reports.feeds.feed import CaseIdentity, FeedEvent
from reports.feeds.webhook import cloud_event, signature
from reports.locale.text import texts
from reports.render.json import case_data, check_json, finding_data, levels_data
from reports.render.nagios import exit_code
from reports.render.status import FeedTrouble, Maintenance, NotFresh, Status
from reports.store.baselines import DAYS_KEPT
from reports.web.app import create_app
from reports.web.guard import LEAST_TOKEN, Guard

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HANDBOOK = (DOCS / "handbook.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
CHINESE = sorted((DOCS / "zh").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROOMS = "probe|checks|billing_audit|reports|tests|docs|examples|deploy|bench"

spec = importlib.util.spec_from_file_location("handbook_tables", DOCS / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def english_of(page: Path) -> Path:
    """Return the page of which a Chinese one is the counterpart."""
    return ROOT / page.name if page.name == "README.md" else DOCS / page.name


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", text)


def headings(text: str, level: int | None = None) -> list[str]:
    found = re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)
    return [title for marks, title in found if level is None or len(marks) == level]


def section(title: str, text: str = HANDBOOK) -> str:
    """Return what stands under a heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"the handbook has no heading {title!r}"
    end = re.search(rf"^#{{1,{len(found[1])}}} ", text[found.end() :], re.MULTILINE)
    return text[found.end() : found.end() + end.start()] if end else text[found.end() :]


def first_cells(text: str) -> list[str]:
    """Return the code in the first column of every table."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


# the handbook and the code


def test_the_handbook_s_tables_are_as_the_code_has_them() -> None:
    assert generate.old(HANDBOOK) == [], "run: python docs/generate.py"


def test_a_table_that_the_code_has_changed_is_seen() -> None:
    assert generate.old(HANDBOOK.replace("echo requests of one burst", "echoes")) == ["options:icmp"]
    assert generate.old(re.sub(r"^\| `tcp/port` .*\n", "", HANDBOOK, flags=re.MULTILINE)) == ["checks:tcp"]


def test_every_prober_has_its_heading_and_tables_and_no_other_stands_there() -> None:
    assert sorted(headings(section("Probers"), 3)) == sorted(PROBERS)
    shared = {judged: prober for prober, judged in sorted(JUDGES.items(), reverse=True)}
    shared["checks.database"] = "postgresql"  # where its checks are written down; mysql refers to it
    for prober in PROBERS:
        wanted = ["options", "checks", "levels"] if shared[JUDGES[prober]] == prober else ["options"]
        marks = re.findall(r"<!-- table: (\S+) -->", section(prober))
        assert marks == [f"{kind}:{prober}" for kind in wanted]
        assert len(section(prober).split("<!--")[0].split()) >= 10, f"{prober}: say what it sends"


def test_every_check_is_in_the_handbook_and_every_check_named_anywhere_exists() -> None:
    known = {check.name for prober in JUDGES for check in judge_of(prober).CHECKS}
    assert known <= set(first_cells(section("Probers")))
    places = "|".join(sorted({name.partition("/")[0] for name in known}))
    for page in PAGES:
        named = set(re.findall(rf"`((?:{places})/[a-z-]+)`", page.read_text(encoding="utf-8")))
        assert named <= known, name_of(page)


def test_every_cause_is_in_the_handbook_and_no_other() -> None:
    assert first_cells(section("Causes")) == [*(cause.code for cause in CAUSES), "other"]


def test_the_roles_and_grades_that_make_an_emergency_are_in_the_handbook() -> None:
    said = section("Causes").partition("**Urgency.**")[2].partition("<!--")[0]
    named = {kind: set(re.findall(r"`([^`]+)`", found)) for kind, found in re.findall(r"\((role|grade) ([^)]+)\)", said)}
    assert named == {"role": MAIN_ROLES, "grade": KEY_GRADES}


def test_no_cell_of_the_handbook_s_tables_is_empty() -> None:
    tables = "\n".join(block[0] for block in generate.BLOCK.finditer(HANDBOOK))
    assert [line for line in tables.splitlines() if re.search(r"\|\s*\|", line.replace("\\|", ""))] == []


def test_every_table_of_the_configuration_has_its_heading_and_keys() -> None:
    wanted = {
        name
        for name, form in vars(forms).items()
        if isinstance(form, type) and issubclass(form, forms.Form) and name not in {"Form", "ScopeForm", "LimitForm", "InventoryForm"}
    }
    assert set(re.findall(r"<!-- table: keys:(\w+) -->", HANDBOOK)) == wanted | {"Rule"}
    tables = set(re.findall(r"`([a-z_]+)`", "\n".join(line for line in section("Top level").splitlines()[3:])))
    written = {title.strip("[]").partition(".")[0] for title in headings(section("Configuration"), 3) if title.startswith("[")}
    assert written <= tables | {"node"}


def test_every_feed_has_its_heading_and_options_and_no_other_stands_there() -> None:
    assert sorted(headings(section("Feeds"), 3)) == sorted(KINDS)
    for kind in KINDS:
        assert f"<!-- table: feed:{kind} -->" in section(kind)


def test_every_metric_named_anywhere_exists() -> None:
    known = set(first_cells(section("Metrics")))
    assert {"firstline_cases", "probe_success"} <= known
    for page in PAGES:
        named = set(re.findall(r"`?\b((?:firstline|probe)_[a-z_]+[a-z])\b", prose(page.read_text(encoding="utf-8"))))
        assert named <= known, name_of(page)


def test_environment_variables_are_those_of_the_code() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for room in ("probe", "reports") for path in (ROOT / room).rglob("*.py"))
    assert set(first_cells(section("Environment"))) == set(re.findall(r"\bFIRSTLINE_[A-Z]+\b", source))


def test_every_address_of_the_http_side_is_in_the_handbook_and_no_other() -> None:
    routes = create_app(None, Guard()).routes  # type: ignore[arg-type]
    served = {re.sub(r"\{.*?\}", "12", route.path) for route in routes}  # type: ignore[attr-defined]
    rows = section("HTTP").splitlines()
    written = {found[1].partition("?")[0] for row in rows if (found := re.match(r"\| `[A-Z]+ (\S+)` \|", row))}
    written |= {f"/v1/cases/12{more}" for more in re.findall(r"`(/[a-z]+)`", section("HTTP"))}
    assert written == served
    assert f"at least {LEAST_TOKEN}" in " ".join(section("Security").split())


def test_keys_of_a_check_are_in_the_handbook_and_no_other() -> None:
    seen = generate._finding().seen
    levels = Levels(1.0, 2.0, "ms", "a test")
    found = Finding("tcp/connect", seen, State.OK, Message("tcp.connect", {"ms": 1.0}), levels, value=1.0)
    said = texts("en")
    written = first_cells(section("Check"))
    top = list(json.loads(check_json("t", "tcp", seen, [found], said)))
    outcomes = first_cells(generate.table("outcomes"))
    assert written == [*top, *finding_data(found, said), *levels_data(levels), *outcomes]


def test_keys_of_the_status_and_of_the_list_of_checks_are_in_the_handbook_and_no_other() -> None:
    assert first_cells(section("Status")) == list(Status.__struct_fields__)
    for form, key in ((NotFresh, "stale"), (FeedTrouble, "feeds"), (Maintenance, "maintenance")):
        row = next(line for line in section("Status").splitlines() if line.startswith(f"| `{key}`"))
        assert re.findall(r"`(\w+)`", row) == [key, *form.__struct_fields__]
    listed = CliRunner().invoke(firstline, ["checks", "icmp", "--format", "json"])
    assert first_cells(section("List of checks")) == list(json.loads(listed.stdout)[0])


def test_keys_of_a_case_and_of_an_event_are_in_the_handbook_and_no_other() -> None:
    from datetime import UTC, datetime

    from checks.verdict import Area, CaseKind, Side, Urgency
    from reports.case import Case, CaseState

    at, text = datetime(2026, 1, 1, tzinfo=UTC), Message("tcp.open")
    case = Case(
        kind=CaseKind.NETWORK, cause="c", severity=State.OK, side=Side.COMPANY, area=Area.SERVER, urgency=Urgency.NORMAL, confidence=None,
        element="e", opened_at=at, since=at, updated_at=at, summary=text, action=text, agent="a", keys=(),
    )  # fmt: skip
    assert first_cells(section("Case")) == list(case_data(case, texts("en")))
    for enum, key in ((CaseKind, "kind"), (CaseState, "state"), (Side, "side"), (Area, "area"), (Urgency, "urgency")):
        row = next(line for line in section("Case").splitlines() if line.startswith(f"| `{key}`"))
        assert set(re.findall(r"`(\w+)`", row)) == {key, *enum}
    assert first_cells(section("Event")) == list(FeedEvent.__struct_fields__)
    row = next(line for line in section("Event").splitlines() if line.startswith("| `identity`"))
    assert re.findall(r"`(\w+)`", row) == ["identity", *CaseIdentity.__struct_fields__]


def test_keys_and_headers_of_the_webhook_are_in_the_handbook_and_no_other() -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 1, 1, tzinfo=UTC)
    words = dict.fromkeys(FeedEvent.__struct_fields__, "x") | {"identity": CaseIdentity("k", "c", "e", 1), "at": at, "agent": "a"}  # type: ignore[arg-type]
    envelope = json.loads(cloud_event(FeedEvent(**words)))  # type: ignore[arg-type]
    keys = section("webhook").partition("Its keys: ")[2].partition(".\n")[0]
    assert re.findall(r"`(\w+)`", keys) == list(envelope)
    headers = signature("a/1/1", 0, b"", "s")
    assert re.findall(r"^\| `(webhook-\w+)` \|", section("webhook"), re.MULTILINE) == list(headers)
    assert headers["webhook-signature"].startswith("v1,")


def test_numbers_in_the_running_text_are_those_of_the_code() -> None:
    said = " ".join(section("How readings become cases").split())
    for words in (
        f"no data for {['', 'one', 'two', 'three'][STALE_AFTER]} periods",
        f"`hard_after` ({RULE.hard_after}) bad readings",
        f"`recover_after` ({RULE.recover_after}) good ones",
        f"the last {DAYS_KEPT} days",
        f"warning below {LEFT.warning:g} h, critical below {LEFT.critical:g} h",
    ):
        assert words in said
    assert 1 <= REPEAT_S <= 2
    found = " ".join(section("Without a configuration").split())
    assert f"`sockets`, every {FAST_S:g} s)" in found
    assert f"`icmp`, every {FAST_S:g} s" in found
    assert SLOW_S == 60
    assert set(re.findall(r"`(\w+)`", section("JSON").partition("`kind` of a failure: ")[2].partition("\n")[0])) == set(Kind)


def test_exit_codes_are_those_of_the_code() -> None:
    rows = {
        cells[1]: cells[2:6] for line in section("Exit codes").splitlines() if (cells := [cell.strip(" `") for cell in line.split("|")])[1:]
    }
    seen = generate._finding().seen
    for state in State:
        code = exit_code([Finding("tcp/port", seen, state, Message("tcp.open"))])
        assert rows["check"][code] == str(state)
    assert f"internal errors are {USAGE_ERROR} everywhere" in section("Exit codes")
    assert f"(Ctrl-C) {INTERRUPTED}" in section("Exit codes")
    top = {name.split()[0] for name in rows if name not in {"command", "---", ""}}
    assert top <= set(firstline.list_commands(click.Context(firstline)))


# command lines


def command_lines(page: Path) -> Iterator[tuple[str, bool]]:
    """Yield every firstline command line of a page, and whether it must be whole: in a block it must, in the running text not."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCE.findall(text):
        for line in block.splitlines() if language in ("", "bash") else ():
            if found := re.match(r"(?:\$ )?(?:\.venv/bin/)?(firstline(?: .*|$))", line):
                yield found[1], True
    for words in re.findall(r"`(?:watch -n 5 )?(?:\.venv/bin/)?(firstline(?: [^`]*)?)`", prose(text)):
        yield words, False


LINES = [(name_of(page), *line) for page in PAGES for line in command_lines(page)]


def parse(line: str) -> None:
    """Parse a command line as click does, without running it; click.UsageError when it does not fit."""
    words = shlex.split(re.split(r" [>|#] ?", line)[0])[1:]
    command: click.Command = firstline
    context = None
    with ExitStack() as stack:
        while True:
            context = stack.enter_context(command.make_context(command.name or "", words, parent=context))
            words = [*context._protected_args, *context.args]
            if not isinstance(command, click.Group) or not words:
                return
            _, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found


@pytest.mark.parametrize(("page", "line", "whole"), LINES, ids=[f"{page}: {line}" for page, line, _ in LINES])
def test_command_line_of_the_pages_parses(page: str, line: str, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in re.findall(r"\S+\.(?:json|toml|csv)\b|(?<=password-file )[^-\s]\S*|(?<=community-file )[^-\s]\S*", line):
        if "/" not in file:
            Path(file).write_text("a secret" if "-file" in line else "", encoding="utf-8")
            Path(file).chmod(0o600)
    monkeypatch.setattr("sys.stdin", io.StringIO("a secret\n"))
    allowed: tuple[type[Exception], ...] = (click.exceptions.Exit,) if line.endswith("--help") else ()
    if not whole:
        line = line.replace("PROBER TARGET", "icmp 192.0.2.1")
        allowed += (click.MissingParameter, click.exceptions.NoArgsIsHelpError)
    with suppress(*allowed):
        parse(line)


def test_pages_show_command_lines_at_all() -> None:
    assert len(LINES) > 60


@pytest.mark.parametrize("line", ["firstline chek icmp 192.0.2.1", "firstline check icmp 192.0.2.1 --cuont 3", "firstline case show x"])
def test_command_line_that_does_not_fit_is_seen(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def test_every_command_is_in_the_handbook() -> None:
    written = first_cells(section("Commands"))
    assert [f"firstline {name}" for name in firstline.list_commands(click.Context(firstline))] == list(
        dict.fromkeys(" ".join(name.split()[:2]) for name in written)
    )


# links, files, targets


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    titles = headings(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_the_page_lead_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_link_to_nowhere_is_seen() -> None:
    page = ROOT / "README.md"
    assert broken_links(page, "[a](docs/gone.md) [b](docs/handbook.md#gone) [c](docs/handbook.md#tcp)") == [
        "docs/gone.md",
        "docs/handbook.md#gone",
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_the_page_names_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{ROOMS})/[\w./-]*|[\w-]+/[\w./-]+\.(?:py|toml|service|md))`", page.read_text(encoding="utf-8"))
    checks = {check.name for prober in JUDGES for check in judge_of(prober).CHECKS}
    gone = [name for name in named if not (ROOT / name).exists() and name not in checks and "NAME" not in name]
    assert gone == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_of_the_page_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(block for _, block in FENCE.findall(text))
    named = set(re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE)) | set(re.findall(r"`(?:sudo )?make ([a-z-]+)`", text))
    assert named <= known


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_example_is_a_good_configuration(example: Path) -> None:
    settings, problems = read_settings(example, every_secret=True)
    assert problems == []
    assert settings.jobs


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_toml_of_the_page_is_a_good_configuration(page: Path, tmp_path: Path) -> None:
    for number, (language, block) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
        if language == "toml":
            file = tmp_path / f"{number}.toml"
            file.write_text(block.replace("/etc/firstline/", f"{tmp_path}/"), encoding="utf-8")
            for secret in re.findall(r'file = "/etc/firstline/([^"]+)"', block):
                (tmp_path / secret).write_text("a secret of more than 32 characters in all", encoding="utf-8")
                (tmp_path / secret).chmod(0o600)
            assert read_settings(file)[1] == []


# the README


def test_readme_begins_with_what_a_bare_debian_lacks() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert "make" in first
    assert "python3-venv" in first


def test_ci_runs_the_readme_s_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "make test" in readme
    assert "make test" in ci


@pytest.mark.parametrize("page", CHINESE, ids=name_of)
def test_chinese_page_has_the_structure_and_commands_of_the_english_one(page: Path) -> None:
    def shape(text: str) -> list[str]:
        marks = re.findall(r"^(#+) |^(```\w*)$|^(\|)[-|]+\|$", FENCE.sub(lambda block: f"```{block[1]}\n", text), re.MULTILINE)
        return ["".join(mark) for mark in marks]

    def blocks(text: str) -> list[str]:
        return [block for language, block in FENCE.findall(text) if language == "bash" or (not language and "$" not in block)]

    chinese, english = page.read_text(encoding="utf-8"), english_of(page).read_text(encoding="utf-8")
    assert shape(chinese) == shape(english)
    assert blocks(chinese) == blocks(english)


def test_every_page_of_a_user_is_there_in_chinese() -> None:
    assert {page.name for page in CHINESE} == {"README.md", "causes.md", "technician.md", "finance.md", "service.md"}
    assert all(english_of(page).exists() for page in CHINESE)


# what has no place in the repository

MACHINE = re.compile(r"(?<![\w.])/(?:work|home|Users|root)/\w\w")
REGISTRY = re.compile(r"pypi\." + r"org|pythonhosted\." + r"org|artifactory|nexus\.|index-url\s*=|extra-index", re.IGNORECASE)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def strays(text: str) -> list[str]:
    return [found[0] for pattern in (MACHINE, REGISTRY) for found in pattern.finditer(text)]


def test_no_file_names_a_path_of_some_machine_or_a_registry() -> None:
    found = {}
    for path in tracked():
        if path.suffix in {".png", ".mo"} or path == Path(__file__):
            continue
        if stray := strays(path.read_text(encoding="utf-8", errors="replace")):
            found[str(path.relative_to(ROOT))] = stray
    assert found == {}


@pytest.mark.parametrize("text", ["see /home/li/x", "cd /Users/li", "https://pypi." + "org/simple", "a --extra-index"])
def test_a_stray_is_seen(text: str) -> None:
    assert strays(text)
