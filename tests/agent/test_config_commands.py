"""`firstline config`: what it prints, what it exits with, and that what it proposes and shows is itself a good configuration."""

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from checks import catalogue as judges
from probe.agent.cli.config import config
from probe.agent.draft import COLUMNS, draft, read_nodes
from probe.agent.settings.load import load, no_file, read_settings
from probe.agent.settings.problem import SettingsError
from probe.agent.settings.schema import make_schema
from probe.agent.settings.show import show_settings
from probe.probers import catalogue as probers
from reports.feeds import catalogue as feeds

EXAMPLE = Path(__file__).parents[2] / "examples" / "firstline.toml"
BAD = Path(__file__).parent / "bad_configs"


def run(*words: str, **environ: str | None) -> Result:
    return CliRunner().invoke(config, list(words), env=environ)


def test_the_example_is_good() -> None:
    result = run("check", "--config", str(EXAMPLE))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{EXAMPLE} and 1 inventory files: good; 10 nodes, 3 links, 21 checks, 1 feeds\n"


def test_without_a_file_check_says_so_and_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("probe.agent.settings.load.PLACES", ())
    result = run("check", FIRSTLINE_CONFIG=None)
    assert (result.exit_code, result.stdout.split(":")[0]) == (0, "no configuration")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["config", "check", "--config", str(EXAMPLE)], 0),
        (["config", "check", "--config", str(BAD / "rules.toml")], 1),
        (["config", "show", "--config", str(BAD / "rules.toml")], 1),
        (["config", "draft", "--from", str(BAD / "rules.toml")], 1),
        (["config", "check", "--confg", "x"], 3),
        (["config", "chekc"], 3),
    ],
)
def test_the_exit_code_tells_good_bad_and_misused_apart(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from probe.agent.cli import main; main()", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) is (code != 0)


def test_check_resolves_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "firstline.toml"
    file.write_text('[[node]]\nname = "a"\naddress = "web-1.invalid"\n')
    asked: list[str] = []

    def look(name: str) -> Any:
        asked.append(name)
        raise OSError("nobody knows")

    monkeypatch.setattr("probe.agent.settings.resolve.look_up", look)
    assert run("check", "--config", str(file)).exit_code == 0
    assert asked == []
    result = run("check", "--config", str(file), "--resolve")
    assert result.exit_code == 1
    assert f'{file}:3: node[0].address: "web-1.invalid" can\'t be looked up (nobody knows)' in result.stderr


def test_what_is_shown_is_read_back_as_the_same_settings(tmp_path: Path) -> None:
    first = load(EXAMPLE)
    file = tmp_path / "shown.toml"
    file.write_text(show_settings(first), encoding="utf-8")
    second, problems = read_settings(file)
    assert problems == []
    for part in ("agent", "inventory", "rules", "feeds", "maintenance", "store", "jobs"):
        assert getattr(second, part) == getattr(first, part), part
    assert show_settings(second) == show_settings(first)


def test_show_writes_every_default_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s3cret")
    (tmp_path / "hook").write_text("s3cret")
    (tmp_path / "hook").chmod(0o600)
    file = tmp_path / "firstline.toml"
    file.write_text(
        '[agent]\ntoken = { env = "A_SECRET" }\n[store]\nurl = "postgresql://a@b/c"\npassword = { env = "A_SECRET" }\n'
        '[[credential]]\nname = "c"\nsnmp = "v3"\nuser = "u"\nauth = "sha256"\nauth_password = { env = "A_SECRET" }\n'
        '[[node]]\nname = "db"\naddress = "::1"\n[[node.check]]\nprober = "mysql"\nuser = "u"\npassword = { env = "A_SECRET" }\n'
        '[[feed]]\nkind = "webhook"\nurl = "https://a.example/"\nsecret = { file = "hook" }\n'
    )
    assert run("check", "--config", str(file)).exit_code == 0
    shown = run("show", "--config", str(file)).stdout
    assert "s3cret" not in shown
    assert shown.count('"(set)"') == 5
    data = tomllib.loads(shown)
    assert data["node"][0]["check"][0]["every"] == "1m"
    assert data["node"][0]["check"][0]["port"] == 3306
    assert "connect" in data["node"][0]["check"][0]["levels"] or data["node"][0]["check"][0]["levels"]


def fits(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> bool:
    """The part of JSON Schema that the schema uses, by its own rules."""
    if "$ref" in schema:
        return fits(value, defs[schema["$ref"].rpartition("/")[2]], defs)
    if isinstance(value, date | datetime | time):
        value = value.isoformat()
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}
    kind = schema.get("type")
    if kind and (not isinstance(value, types[kind]) or (isinstance(value, bool) and kind in {"integer", "number"})):  # type: ignore[arg-type]
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties", True)
        if any(name not in value for name in schema.get("required", [])):
            return False
        if any(not (fits(one, known[name], defs) if name in known else extra) for name, one in value.items()):
            return False
    if isinstance(value, list):
        items = schema.get("prefixItems", [])
        if len(value) > schema.get("maxItems", len(value)) or len(value) < schema.get("minItems", 0):
            return False
        rest = schema.get("items", {})
        if any(not fits(one, items[n] if n < len(items) else rest, defs) for n, one in enumerate(value)):
            return False
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return "anyOf" not in schema or any(fits(value, one, defs) for one in schema["anyOf"])


def test_the_schema_accepts_the_example_and_what_is_shown(tmp_path: Path) -> None:
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for text in (EXAMPLE.read_text(), (EXAMPLE.parent / "sites/harbour.toml").read_text(), show_settings(load(EXAMPLE))):
        assert fits(tomllib.loads(text), schema, schema["$defs"])


STRUCTURAL = ["unknown_key", "unknown_table", "wrong_type", "not_a_list_of_tables", "missing_key", "unknown_prober", "unknown_option"]
STRUCTURAL += ["option_out_of_range", "secret_by_no_reference", "feeds", "rules"]


@pytest.mark.parametrize("name", STRUCTURAL)
def test_the_schema_refuses_what_the_reader_refuses_for_its_form(name: str) -> None:
    schema = make_schema()
    assert not fits(tomllib.loads((BAD / f"{name}.toml").read_text()), schema, schema["$defs"])


@pytest.mark.parametrize("prober", sorted(probers.PROBERS))
def test_the_schema_has_every_option_and_level_of_a_prober(prober: str) -> None:
    checks = make_schema()["$defs"]["NodeForm"]["properties"]["check"]["items"]["anyOf"]
    mine = next(one for one in checks if one["properties"]["prober"] == {"const": prober})
    options = {field.encode_name for field in msgspec.structs.fields(probers.load(prober).Options)}
    assert options <= set(mine["properties"])
    assert set(judges.load(prober).Limits.__struct_fields__) == set(mine["properties"]["levels"]["properties"])


@pytest.mark.parametrize("kind", sorted(set(feeds.FEEDS) - {"memory"}))
def test_the_schema_has_every_option_of_a_feed(kind: str) -> None:
    kinds = make_schema()["properties"]["feed"]["items"]["anyOf"]
    mine = next(one for one in kinds if one["properties"]["kind"] == {"const": kind})
    options = {field.encode_name for field in msgspec.structs.fields(feeds.load(kind).Options)}
    assert {"secret" if name == "secret_file" else "password" if name == "password_file" else name for name in options} <= set(
        mine["properties"]
    )


def test_a_draft_passes_config_check(tmp_path: Path) -> None:
    file = tmp_path / "draft.toml"
    file.write_text(run("draft").stdout, encoding="utf-8")
    result = run("check", "--config", str(file))
    assert (result.exit_code, result.stderr) == (0, "")


def network(root: Path) -> Path:
    (root / "proc/net").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "proc/net/route").write_text("head\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
    (root / "proc/net/ipv6_route").write_text("")
    arp = "192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0\n192.0.2.7 0x1 0x2 02:fc:00:00:00:07 * eth0\n192.0.2.8 0x1 0x2 02:fc:00:00:00:08 * eth0\n"
    (root / "proc/net/arp").write_text("head\n" + arp)
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    return root


def test_a_draft_holds_gateway_resolver_neighbours_and_listed_nodes_once(tmp_path: Path) -> None:
    listed = tmp_path / "nodes.csv"
    listed.write_text('name,address,site,kind,owner\n"core ""1""",192.0.2.8,harbour,switch,customer\nups-1,,harbour,ups,\n')
    text = draft(no_file("web-1"), network(tmp_path), read_nodes(str(listed)), live=False)
    file = tmp_path / "draft.toml"
    file.write_text(text)
    settings = load(file)
    assert set(settings.inventory.nodes) == {"web-1", "gateway-192.0.2.1", "resolver-192.0.2.53", 'core "1"', "ups-1", "host-192.0.2.7"}
    assert settings.inventory.nodes['core "1"'].owner == "customer"
    assert settings.inventory.sites.keys() == {"harbour"}
    asked = {(job.node.name, job.prober) for job in settings.jobs}
    assert asked >= {("host-192.0.2.7", "icmp"), ('core "1"', "icmp"), ("gateway-192.0.2.1", "icmp"), ("resolver-192.0.2.53", "dns")}
    assert not any(name == "ups-1" for name, _ in asked)
    assert "# answered on eth0, 02:fc:00:00:00:07" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"nme,address\na,b\n",
            [
                f"nodes.csv:1: has no column name; the first line names the columns: {', '.join(COLUMNS)}",
                'nodes.csv:1: nme: unknown column; did you mean "name"?',
            ],
        ),
        (b"", [f"nodes.csv:1: has no column name; the first line names the columns: {', '.join(COLUMNS)}"]),
        (
            b"name;kind\na;swich\n\nb\n",
            [
                'nodes.csv:2: kind: "swich" is none of server, switch, router, firewall, gateway, ups, carrier; did you mean "switch"?',
                "nodes.csv:4: has 1 fields, the header has 2",
            ],
        ),
        (
            b"name,address\na,192.0.2.300\na,192.0.2.3\n",
            ['nodes.csv:2: address: "192.0.2.300" is not an address', 'nodes.csv:3: name: "a" stands on line 2 already'],
        ),
        (b"name,warranty_until\na,soon\n", ['nodes.csv:2: warranty_until: "soon" is not a date (2027-03-31)']),
        (b"name\n\xff\n", ["nodes.csv:2: not UTF-8 text; save it as UTF-8"]),
        (b'name\n"a\n', ["nodes.csv:2: not CSV: unexpected end of data"]),
        (b"name,address\n,192.0.2.1\n", ["nodes.csv:2: name is missing"]),
    ],
)
def test_a_bad_list_of_nodes_is_told_by_its_lines(content: bytes, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nodes.csv").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_nodes("nodes.csv")
    assert [str(problem) for problem in caught.value.problems] == said
    result = run("draft", "--from", "nodes.csv")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:-1] == [f" {line}" for line in said]


def test_a_list_of_a_spreadsheet_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_bytes("\ufeffName;Address\r\n交换机;192.0.2.1\r\n".encode())
    assert [(node.name, node.address) for node in read_nodes(str(tmp_path / "nodes.csv"))] == [("交换机", "192.0.2.1")]


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from probe.agent.cli.config import config; print([m for m in ('sqlalchemy', 'starlette', 'psutil') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout == "[]\n"
