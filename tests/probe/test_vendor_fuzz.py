"""Whatever a device of a vendor answers in the tables of its file: no crash, no number that can't be, names unique."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from probe.observation.device import Identity
from probe.observation.sensor import Gap
from probe.snmp.forms import POSSIBLE
from probe.snmp.recognise import recognise
from probe.snmp.sensors import read_vendor
from probe.snmp.talk import Value
from probe.snmp.vendor import FILES, read_file

INDEXES = ("", "0", "1", "2", "1.1", "1.2.3", "1.49.3.65.83.69", "1.1.1.1.3", "4294967295", "7.0", "99999.1.2.3.4.5.6.7.8.9.10")
VALUES: tuple[Value, ...] = (
    0, 1, -1, 2, 3, 5, 25, 436, -10000, 65535, 2**31 - 1, -(2**31), 2**63, float("nan"), float("inf"), float("-inf"), 1e308, b"", b"\0\xff\xfe",
    b"-13.2 dBm", b"1,2,,x", b"," * 200, b"9" * 400, b"1e999", b"On Hook", "1.3.6.1.2.1.2.2.1.1.1", "", "text", "\u4e2d\u6587".encode("gb2312"),
)  # fmt: skip


class Random:
    """An agent that has every column it is asked for, with anything in it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    async def get(self, oids: Sequence[str], keep: bool = False) -> Mapping[str, Value]:
        return {oid: self.dice.choice(VALUES) for oid in oids if self.dice.random() < 0.8}

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        if self.dice.random() < 0.2:
            return {}
        return {index: self.dice.choice(VALUES) for index in INDEXES if self.dice.random() < 0.7}

    async def walk_all(self, columns: Sequence[str], keep: bool = False) -> Sequence[Mapping[str, Value]]:
        return [await self.walk(column, keep) for column in columns]

    def odd(self, table: str, what: str, detail: str = "", count: int = 1) -> None:
        pass


@pytest.mark.parametrize("prefix", ["99999", *sorted(FILES)])
def test_a_device_that_answers_anything_is_survived(prefix: str) -> None:
    description = "Huawei Integrated Access Software" if prefix == "2011" else "a device"
    for seed in range(12):
        talk = Random(seed)
        asyncio.run(recognise(talk))
        found = asyncio.run(read_vendor(talk, Identity(f"1.3.6.1.4.1.{prefix}.1", description), {"1": "Gi0/1", "2": "Gi0/2", "7": ""}))
        for sample in found.sensors:
            assert (sample.value is None) == (sample.gap is not Gap.NONE)
            least, most = POSSIBLE.get(sample.kind, (-math.inf, math.inf))
            if sample.value is not None:
                assert math.isfinite(sample.value)
                assert least <= sample.value <= most
        for ratio in (*(p.busy_ratio for p in found.processors), *(p.used_ratio for p in found.pools)):
            assert ratio is None or 0 <= ratio <= 1.05
        for group in (found.sensors, found.states):
            assert max(Counter((sample.kind, sample.name) for sample in group).values(), default=1) == 1
    assert read_file(FILES.get(prefix, "standard")).vendor
