"""The architecture is a test: who may import whom, no circle, no file or function too long."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("probe", "checks", "billing_audit", "reports")
VALUES = ("probe.observation", "probe.inventory")
MAY_IMPORT = {
    "probe.agent": ROOMS,
    "probe": ("probe",),
    "checks": ("checks", *VALUES),
    "billing_audit": ("billing_audit",),
    "reports": (
        "reports",
        *VALUES,
        "checks.finding",
        "checks.history",
        "checks.causes",
        "checks.verdict",
        "billing_audit.ledger",
        "billing_audit.audit",
    ),
}
BANNED_NAMES = {"core", "common", "utils", "util", "helpers", "misc", "models", "base"}


def inside(module: str, place: str) -> bool:
    return module == place or module.startswith(place + ".")


def room_of(module: str) -> str:
    return max((place for place in MAY_IMPORT if inside(module, place)), key=len)


def imported(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield line, module and whether the import runs when the file is loaded."""
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}", id(node) in top


def breaches(module: str, tree: ast.Module) -> list[str]:
    """Return the imports of `module` that its room may not make."""
    room = room_of(module)
    found = []
    for line, name, _ in imported(tree):
        if name.split(".")[0] not in ROOMS:
            continue
        allowed = any(inside(name, place) for place in MAY_IMPORT[room])
        if not allowed or (inside(name, "probe.agent") and room != "probe.agent"):
            found.append(f"{module}:{line} imports {name}")
    return found


def modules() -> dict[str, tuple[Path, ast.Module]]:
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


MODULES = modules()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_room_imports_only_what_it_may(name: str) -> None:
    assert breaches(name, MODULES[name][1]) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("checks.icmp", "from reports.case import Case"),
        ("checks.icmp", "import probe.run"),
        ("probe.run", "from checks.finding import State"),
        ("probe.run", "from probe.agent import service"),
        ("reports.case", "from checks.correlate import correlate"),
        ("reports.case", "def late():\n    import probe.run"),
        ("billing_audit.rating", "import probe.inventory"),
    ],
)
def test_breach_is_seen(module: str, source: str) -> None:
    assert breaches(module, ast.parse(source))


def test_no_import_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, (_, tree) in MODULES.items():
        targets = {
            target for _, wanted, top in imported(tree) if top for target in (wanted, wanted.rpartition(".")[0]) if target in MODULES
        }
        graph[name] = targets - {name}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in sorted(graph[name]):
                walk(target, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("name", sorted(MODULES))
def test_file_and_functions_are_short(name: str) -> None:
    path, tree = MODULES[name]
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 <= 60, f"{node.name}: more than 60 lines"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_drawer(name: str) -> None:
    assert not BANNED_NAMES & set(name.split("."))


def test_every_room_has_an_init_of_one_docstring_line() -> None:
    for room in ROOMS:
        body = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")).body
        assert [type(node) for node in body] == [ast.Expr]


def test_only_the_named_things_stand_at_the_top() -> None:
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    top = {line.split("/")[0] for line in tracked if line}
    files = {"pyproject.toml", "README.md", "Makefile", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "requirements.lock"}
    folders = {*ROOMS, "tests", ".ci", "bench", "deploy", "docs", "examples"}
    assert top <= files | folders


def test_lock_file_names_no_host_and_hashes_everything() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pins = [line for line in lock.splitlines() if "==" in line]
    assert pins
    assert all(line.rstrip().endswith("\\") for line in pins)


def test_no_clock_outside_the_agent() -> None:
    """`datetime.now()` stands only in probe.agent, so that everything else can be replayed."""
    for name, (_, tree) in MODULES.items():
        if inside(name, "probe.agent"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"} and isinstance(node.value, ast.Name):
                assert node.value.id not in {"datetime", "date"}, f"{name}:{node.lineno} reads the clock"
