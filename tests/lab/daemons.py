"""The lab's real daemons, each started in a machine: SNMP agents, BGP speakers, SIP server."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import kernel, topology
from tests.lab.node import FILES, Daemon, Node

COMMUNITY, OWN_COMMUNITY = "public", "private"
KAMAILIO_MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
REFUSALS = (401, 403, 404, 408, 480, 486, 488, 500, 503)
SOFTSWITCH_CONTROL = "unix:/run/kamailio.ctl"
LOAD = "1.3.6.1.4.1.2021.10.1.3"  # UCD-SNMP-MIB laLoad: of the machine under the lab, were it not said otherwise
IF_IN_ERRORS = "1.3.6.1.2.1.2.2.1.14"  # IF-MIB ifInErrors
HUAWEI_ROUTER = "1.3.6.1.4.1.2011.2.62.2.5"  # below Huawei's products


def wait_until(true: Callable[[], object], why: str, within_s: float = 20.0) -> None:
    """Return as soon as it is true; fail when it has not become so."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"not within {within_s:g} s: {why}"
        time.sleep(0.02)


def snmpd(node: Node, *more: str, just_up: bool = False, community: str = COMMUNITY) -> Daemon:
    """Start an SNMP agent: v1 and v2c with this community, master of AgentX; `more` are lines of snmpd.conf(5).

    just_up: in the agent's eyes the machine has been up for a second at most, whatever it says itself.
    """
    lines = [
        "agentAddress udp:161",
        f"rocommunity {community}",
        f"rwcommunity {OWN_COMMUNITY} 127.0.0.1",
        f"sysName {node.name}",
        "sysLocation lab",
        "sysServices 72",
        "master agentx",
        f"agentXSocket {FILES}/agentx",
        "agentXPerms 0777 0777",
        *(f'override -rw {LOAD}.{place} octet_str "{kernel.USUAL_LOAD}"' for place in (1, 2, 3)),
        *more,
    ]
    config = node.write("snmpd.conf", "\n".join(lines) + "\n")
    surroundings = {"MIBS": "", "SNMP_PERSISTENT_DIR": f"{FILES}/snmp"}
    command = ["snmpd", "-f", "-Le", "-C", "-c", config, "-p", f"{FILES}/snmpd.pid"]
    if just_up:
        up_s = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        command = ["unshare", "--time", "--boottime", str(-up_s), "--fork", "--kill-child=SIGKILL", *command]
    return node.start("snmpd", *command, environment=surroundings)


def believe_interfaces_at_once(node: Node) -> None:
    """Let an SNMP agent that answers read its interfaces anew at each request, instead of every 3 s."""
    timeout_of_interfaces = "1.3.6.1.4.1.8072.1.5.3.1.2.1.3.6.1.2.1.2.2"  # NET-SNMP-AGENT-MIB nsCacheTimeout
    node.run("snmpset", "-v2c", "-c", OWN_COMMUNITY, "127.0.0.1", timeout_of_interfaces, "i", "0")


def say_load(node: Node, load: float) -> None:
    """Let an SNMP agent say that so many tasks run or wait, over each of its three times."""
    words = [word for place in (1, 2, 3) for word in (f"{LOAD}.{place}", "s", f"{load:.2f}")]
    node.run("snmpset", "-v2c", "-c", OWN_COMMUNITY, "127.0.0.1", *words)


def recorded(node: Node, name: str, rows: str, *trees: str) -> list[str]:
    """Write a recording into the machine; return the lines that make its snmpd serve these subtrees of it."""
    path = node.write(name, rows)
    program = f"{sys.executable} -S -E {Path(__file__).with_name('recorded.py')} {path}"
    return [f"pass_persist -p 10 .{tree} {program}" for tree in trees]


def bgp(node: Node, own_as: int, router_id: str, remote_as: int, peers: tuple[str, ...], networks: tuple[str, ...]) -> None:
    """Start zebra and bgpd; the first peer is preferred.

    Its BGP4-MIB is in the machine's snmpd by AgentX, if that runs already.
    """
    lines = [
        f"router bgp {own_as}",
        f" bgp router-id {router_id}",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
        " coalesce-time 0",
    ]
    for place, peer in enumerate(peers):
        lines += [
            f" neighbor {peer} remote-as {remote_as}",
            f" neighbor {peer} timers 1 3",
            f" neighbor {peer} timers connect 1",
            f" neighbor {peer} advertisement-interval 0",
        ]
        if place == 0:
            lines.append(f" neighbor {peer} weight 200")
    lines += [" address-family ipv4 unicast", *(f"  network {network}" for network in networks), " exit-address-family"]
    if "snmpd" in node.daemons:
        wait_until((node.files / "agentx").exists, "AgentX")  # else bgpd tries again after 15 s
        lines.append("agentx")
    node.write("frr.conf", f"agentXSocket {FILES}/agentx\n")
    config, empty = node.write("bgpd.conf", "\n".join(lines) + "\n"), node.write("zebra.conf", "")
    node.run("sh", "-c", f"mkdir -p /run/frr && chown frr:frr /run/frr && chmod 644 {FILES}/*.conf")
    surroundings = {"SNMPCONFPATH": FILES, "MIBS": ""}
    node.start("zebra", "/usr/lib/frr/zebra", "-f", empty, "-A", "127.0.0.1", environment=surroundings)
    wait_until((node.root / "run/frr/zserv.api").exists, "zebra")  # else bgpd tries again after 10 s
    start_bgpd(node, config)


def start_bgpd(node: Node, config: str = f"{FILES}/bgpd.conf") -> Daemon:
    surroundings = {"SNMPCONFPATH": FILES, "MIBS": ""}
    return node.start("bgpd", "/usr/lib/frr/bgpd", "-f", config, "-A", "127.0.0.1", "-M", "snmp", environment=surroundings)


def kamailio(node: Node, address: str) -> Daemon:
    """Start the softswitch: a registrar that sends calls to who has registered, else to the carrier.

    `lab.reply` is what it answers to every request: 200 works, 0 says nothing, one of `REFUSALS` is sent as it is.
    """
    retry = 'append_to_reply("Retry-After: 30\\r\\n"); '
    refusals = "\n".join(
        f'  if (@cfg_get.lab.reply == "{code}") {{ {retry if code == 503 else ""}sl_send_reply("{code}", "Lab"); exit; }}'
        for code in REFUSALS
    )
    text = f"""#!KAMAILIO
debug=1
log_stderror=yes
auto_aliases=no
dns=no
rev_dns=no
children=1
tcp_children=1
listen=udp:{address}:5060
listen=tcp:{address}:5060
mpath="{KAMAILIO_MODULES}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("ctl", "binrpc", "{SOFTSWITCH_CONTROL}")
modparam("registrar", "min_expires", 1)
lab.reply = 200 desc "the answer to every request; 0 is none"
request_route {{
  if (@cfg_get.lab.reply == "0") {{ exit; }}
{refusals}
  if (has_totag()) {{ loose_route(); t_relay(); exit; }}
  if (is_method("CANCEL")) {{ t_relay(); exit; }}
  if (is_method("REGISTER")) {{ save("location"); exit; }}
  if (is_method("INVITE")) {{
    record_route();
    if (!lookup("location")) {{ $du = "sip:{topology.CARRIER}:5060"; }}
    t_relay();
    exit;
  }}
  sl_send_reply("200", "OK");
}}
"""
    config = node.write("kamailio.cfg", text)
    command = ["kamailio", "-DD", "-E", "-f", config, "-m", "16", "-M", "2", "-P", f"{FILES}/kamailio.pid", "-w", FILES]
    return node.start("kamailio", *command)


def registered(node: Node) -> int:
    """Return how many users are registered at the softswitch."""
    return node.run("kamcmd", "-s", SOFTSWITCH_CONTROL, "ul.dump", check=False).count("AoR:")


def softswitch_answers(node: Node, code: int) -> None:
    """Make kamailio answer every request so; 0 is silence, 200 normal."""
    node.run("kamcmd", "-s", SOFTSWITCH_CONTROL, "cfg.seti", "lab", "reply", str(code))


def port_index(node: Node, port: str) -> int:
    """Return the ifIndex of an interface."""
    found = re.match(r"(\d+):", node.run("ip", "-o", "link", "show", port))
    assert found
    return int(found[1])
