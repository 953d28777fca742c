"""Writes a setting of the kernel and puts the old one back when its input ends: `guard.py FILE VALUE`. It prints "guarded" in between.

It outlives who started it, even one that was killed.
"""

import signal
import sys
from pathlib import Path


def main(setting: Path, text: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    before = setting.read_text()
    setting.write_text(text)
    try:
        print("guarded", flush=True)
        sys.stdin.read()
    finally:
        setting.write_text(before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
