"""The voice service watched by a real firstline: a 503 becomes a case, and nobody has it dial what the configuration does not list."""

from collections.abc import Callable
from typing import Any

import pytest

from probe.agent.client import ServiceProblem, ask
from tests.probe.sip_lab import Device, replying

SOFTSWITCH = """
[[node]]
name = "here"
address = "127.0.0.1"

[[node]]
name = "softswitch"
address = "127.0.0.1"
role = "softswitch"

[[node.check]]
prober = "sip"
port = {port}
every = "5s"

[[node.check]]
prober = "call"
port = {port}
number = "8888"
allowed = ["8888"]
every = "1h"
"""


def test_a_503_is_one_case_and_no_call_is_made_that_is_not_due(
    service: Any, until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Device(replying("503 Service Unavailable")) as softswitch:
        service.configure(SOFTSWITCH.format(port=softswitch.port))
        service.start()
        case = until(service.cases, why="a case")[0]
        assert (case["cause"], case["severity"], case["side"]) == ("service_error", "critical", "company")
        assert case["element"] == "softswitch:sip"
        monkeypatch.setenv("FIRSTLINE_SOCKET", str(service.socket))
        for options in ({"number": "0900123", "allowed": ["0900123"]}, {"at_once": True}, {"daily_cap": 1000}, {"domain": "x.example"}):
            with pytest.raises(ServiceProblem, match="only the configuration of the service sets"):
                ask("POST", "/v1/check", {"prober": "call", "target": "softswitch", "options": options})
        with pytest.raises(ServiceProblem, match="not listed"):
            ask("POST", "/v1/check", {"prober": "call", "target": "softswitch", "options": {"number": "0900123"}})
        assert "no call made" in service.run("check", "call", "softswitch", expect=3)
        assert set(softswitch.methods()) == {"OPTIONS"}
