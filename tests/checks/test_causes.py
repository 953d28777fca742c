from collections import Counter

import pytest

from checks import catalogue
from checks.causes import BY_CODE, CAUSES, EXPLAINED_BY, OTHER, Sort, cause_of, default, sort_of

ROOMS = sorted(set(catalogue.JUDGES.values()))


@pytest.mark.parametrize("prober", sorted(catalogue.JUDGES))
def test_every_check_has_a_cause(prober: str) -> None:
    for check in catalogue.load(prober).CHECKS:
        assert default(check.name) is not None, check.name
        assert default(f"{check.name}.usual") is default(check.name)
        assert default(f"{check.name}.trend") is default(check.name)


def test_nothing_is_explained_by_two_causes() -> None:
    assert [finding for finding, times in Counter(one for cause in CAUSES for one in cause.explains).items() if times > 1] == []
    assert len(BY_CODE) == len(CAUSES)
    assert OTHER not in CAUSES


def test_no_cause_explains_a_check_that_does_not_exist() -> None:
    known = {check.name for prober in catalogue.JUDGES for check in catalogue.load(prober).CHECKS} | {"*"}
    assert {finding.split(":")[0] for finding in EXPLAINED_BY} - known == set()


@pytest.mark.parametrize(
    ("check", "said", "code"),
    [
        ("tcp/port", "failure.refused", "process_down"),
        ("tcp/port", "failure.timeout", "service_hung"),
        ("dns/answer", "failure.timeout", "dns"),
        ("dns/answer", "failure.refused", "process_down"),
        ("dns/answer", "dns.servfail", "dns"),
        ("ntp/answer", "failure.timeout", "time_server"),
        ("tls/handshake", "failure.rejected", "service_error"),
        ("tls/handshake", "tls.handshake", "service_slow"),
        ("database/answer", "failure.unreachable", "host_down"),
        ("icmp/latency.usual", "usual.higher", "delay"),
        ("host/disk.trend", "trend.full-in", "disk_full"),
    ],
)
def test_the_more_exact_explanation_wins(check: str, said: str, code: str) -> None:
    cause = cause_of(check, said)
    assert cause is not None
    assert cause.code == code


def test_a_check_nobody_knows_has_no_cause() -> None:
    assert cause_of("nobody/knows", "x") is None


@pytest.mark.parametrize(
    ("check", "said", "sort"),
    [
        ("icmp/loss", "icmp.no-reply", Sort.SILENT),
        ("icmp/loss", "icmp.loss", Sort.POOR),
        ("icmp/latency.usual", "usual.higher", Sort.POOR),
        ("tcp/port", "failure.timeout", Sort.SILENT),
        ("tcp/port", "failure.refused", Sort.OWN),
        ("tcp/connect", "tcp.connect", Sort.POOR),
        ("dns/answer", "failure.timeout", Sort.SILENT),
        ("dns/answer", "dns.servfail", Sort.OWN),
        ("dns/time", "dns.time", Sort.POOR),
        ("ntp/answer", "failure.timeout", Sort.SILENT),
        ("ntp/offset", "ntp.offset.ahead", Sort.OWN),
        ("database/answer", "failure.timeout", Sort.SILENT),
        ("database/answer", "database.full", Sort.OWN),
        ("database/ready-time", "database.ready", Sort.POOR),
        ("snmp/answer", "failure.timeout", Sort.SILENT),
        ("snmp/answer", "failure.rejected", Sort.OWN),
        ("snmp/rx-power.loss", "loss.fallen", Sort.OWN),
        ("sip/answer", "sip.unavailable", Sort.OWN),
        ("path/reach", "path.ends.line", Sort.SILENT),
        ("path/reach", "path.loop", Sort.OWN),
        ("stamp/answer", "stamp.silent", Sort.SILENT),
        ("stamp/answer", "failure.refused", Sort.OWN),
        ("gateway/nat", "gateway.nat-silent", Sort.OWN),
        ("gateway/nat", "gateway.nat-alone", Sort.SILENT),
        ("host/disk.trend", "trend.full-in", Sort.OWN),
        ("nobody/knows", "failure.timeout", Sort.SILENT),
        ("nobody/knows", "x", Sort.OWN),
    ],
)
def test_what_a_finding_says_of_the_way_to_its_target(check: str, said: str, sort: Sort) -> None:
    assert sort_of(check, said) is sort


def test_only_what_a_cause_explains_can_be_of_another_sort_than_the_rest() -> None:
    for cause in CAUSES:
        assert set(cause.besides) <= set(cause.explains), cause.code
        assert cause.sort not in cause.besides.values(), cause.code
