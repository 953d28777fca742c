"""Real calls to capture: sipp calls sipp, and voice with a known loss and jitter is sent beside it; run in a namespace of its own.

`python voice_lab.py FOLDER` (in the namespace, as root) makes FOLDER/calls.pcap and FOLDER/sent.json: what was left out on purpose.
"""

import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

HEAD = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:02155556666@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
"""
SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio [voice] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""
NONE = "Content-Length: 0\n"
BACK = "[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]b\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port]>\n"


def message(text: str) -> str:
    return f"<send><![CDATA[\n{text}\n]]></send>"


def caller(hold_ms: int, refused: int | None = None) -> str:
    """The calling side: INVITE, and after an answer BYE; `refused` is the final code it expects instead."""
    invite = message("INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n" + HEAD + "CSeq: 1 INVITE\n" + SDP)
    invite = invite.replace("<send>", '<send retrans="500">')
    ack = message("ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n" + HEAD + "CSeq: 1 ACK\n" + NONE)
    bye = message(
        "BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n" + HEAD + 'CSeq: 2 BYE\nReason: Q.850;cause=16;text="Normal"\n' + NONE
    ).replace("<send>", '<send retrans="500">')
    early = '<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="183" optional="true"/>'
    if refused:
        steps = [invite, early, f'<recv response="{refused}"/>', ack]
    else:
        steps = [invite, early, '<recv response="200"/>', ack, f'<pause milliseconds="{hold_ms}"/>', bye, '<recv response="200"/>']
    return f'<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="caller">{"".join(steps)}</scenario>'


def callee(ring_ms: int = 0, early: bool = False, mute_ms: int = 0, refuse: str = "") -> str:
    """The called side: silent for `mute_ms`, rings (with voice when `early`), answers after `ring_ms`, or refuses with a status line."""
    steps = ['<recv request="INVITE"/>']
    if mute_ms:  # it hears the repetitions of the INVITE and says nothing
        steps += [f'<pause milliseconds="{mute_ms}"/>']
    if refuse:
        steps += [message(f"SIP/2.0 {refuse}\n{BACK}Reason: Q.850;cause=34\n{NONE}"), '<recv request="ACK"/>']
    else:
        steps += [message(f"SIP/2.0 {'183 Session Progress' if early else '180 Ringing'}\n{BACK}{SDP if early else NONE}")]
        steps += [f'<pause milliseconds="{ring_ms}"/>', message(f"SIP/2.0 200 OK\n{BACK}{SDP}"), '<recv request="ACK"/>']
        steps += ['<recv request="BYE"/>', message(f"SIP/2.0 200 OK\n{BACK}{NONE}")]
    return f'<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="callee">{"".join(steps)}</scenario>'


def voice(source: int, target: int, seed: int, packets: int, loss: float = 0.0, jitter_s: float = 0.0) -> int:
    """Send PCMA to a port, begun near the end of the sequence numbers and of the timestamps; return how many were left out."""
    chance, left_out, start = random.Random(seed), 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", source))
        for count in range(packets):
            time.sleep(max(0.0, start + count * 0.02 + chance.random() * jitter_s - time.monotonic()))
            if 0 < count < packets - 1 and chance.random() < loss:
                left_out += 1
                continue
            head = struct.pack("!BBHII", 0x80, 8, (65_480 + count) & 0xFFFF, (4_294_960_000 + count * 160) & 0xFFFFFFFF, 0xA0000000 + seed)
            sock.sendto(head + b"\xd5" * 160, ("127.0.0.1", target))
    return left_out


# name, ports of caller and callee, caller's and callee's scenario, transport, streams (after s, from, to, packets, loss, jitter in s)
CALLS = (
    ("good", 5070, 6000, caller(3800), callee(), "u1", ((0.3, 0, 2, 160, 0.05, 0.012), (0.3, 2, 0, 160, 0.0, 0.0))),
    ("oneway", 5074, 6010, caller(2600), callee(), "u1", ((0.3, 0, 2, 100, 0.0, 0.0),)),
    ("early", 5078, 6020, caller(3000), callee(1200, True), "u1", ((0.2, 2, 0, 100, 0.02, 0.004), (1.6, 0, 2, 30, 0.0, 0.0))),
    ("refused", 5082, 6030, caller(0, 503), callee(refuse="503 Service Unavailable"), "u1", ()),
    ("repeated", 5086, 6040, caller(300), callee(mute_ms=1200), "u1", ()),
    ("tcp", 5090, 6050, caller(2600), callee(), "t1", ((0.3, 0, 2, 100, 0.1, 0.0), (0.3, 2, 0, 100, 0.0, 0.02))),
)


def make(folder: Path) -> None:
    """Make all calls at once and write down what was sent."""
    sent: dict[str, int] = {}
    capture = subprocess.Popen(
        ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-Z", "root", "-B", "8192", "-w", str(folder / "calls.pcap")],
        stderr=subprocess.PIPE,
    )
    assert capture.stderr is not None
    capture.stderr.readline()  # "listening on lo": from here on it sees everything
    started, threads = [], []
    for name, port, media, asks, answers, transport, streams in CALLS:
        for side, script in (("uac", asks), ("uas", answers)):
            (folder / f"{name}-{side}.xml").write_text(script)
        callee_at = sipp(folder, f"{name}-uas", port, media + 2, transport)
        started.append(callee_at)
        wait_for_port(port, transport)
        started.append(sipp(folder, f"{name}-uac", port + 1, media, transport, f"127.0.0.1:{port}"))
        for after, source, target, packets, loss, jitter in streams:
            seed = media + source
            work = (after, f"{media + source}-{media + target}", media + source, media + target, seed, packets, loss, jitter, sent)
            threads.append(threading.Thread(target=later, args=work))
            threads[-1].start()
    codes = [process.wait(20) for process in started]
    for thread in threads:
        thread.join()
    time.sleep(0.3)  # tcpdump reads its ring once in a while
    capture.send_signal(signal.SIGINT)
    capture.wait(10)
    (folder / "sent.json").write_text(json.dumps({"left_out": sent, "codes": codes}))


def later(
    after: float, name: str, source: int, target: int, seed: int, packets: int, loss: float, jitter: float, sent: dict[str, int]
) -> None:
    time.sleep(after)
    sent[name] = voice(source, target, seed, packets, loss, jitter)


def sipp(folder: Path, script: str, port: int, media: int, transport: str, peer: str = "") -> "subprocess.Popen[bytes]":
    command = [
        "sipp",
        "-sf",
        str(folder / f"{script}.xml"),
        "-i",
        "127.0.0.1",
        "-p",
        str(port),
        "-mp",
        str(20_000 + (port - 5070) * 10),
        "-t",
        transport,
    ]
    command += ["-m", "1", "-nostdin", "-s", "13800138000", "-key", "voice", str(media), "-timeout", "15s", *([peer] if peer else [])]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=folder)


def wait_for_port(port: int, transport: str) -> None:
    """Return once the port is listened to, by the kernel's own table."""
    table = Path("/proc/net/tcp" if transport == "t1" else "/proc/net/udp")
    for _ in range(400):
        if f":{port:04X} " in table.read_text():
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens at {port}")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
