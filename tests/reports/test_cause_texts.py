"""The texts of causes: who acts stands first, and what the customer is told is plain, sorry, and blames nobody."""

import re

import pytest

from checks.causes import CAUSES, OTHER, Cause
from checks.finding import Message
from reports.locale.text import LANGUAGES, texts

ALL = (*CAUSES, OTHER)
JARGON = re.compile(
    r"\b(?:SIP|NAT|DMZ|ALG|BGP|OSPF|DNS|RTP|MTU|SNMP|TCP|UDP|IP|ICMP|CPU|RAM|SDP|VLAN|UPS|NTP|TLS|inode|socket|conntrack|packet|ping)s?\b",
    re.IGNORECASE,
)
BLAME = re.compile(r"your fault|you should have|negligen|责任|过错|疏忽", re.IGNORECASE)
SORRY = {"en": "We are sorry: ", "zh": "非常抱歉："}
BETWEEN = {"en": ": ", "zh": "："}


def test_these_are_all_languages() -> None:
    assert set(LANGUAGES) == set(SORRY)


@pytest.mark.parametrize("language", sorted(SORRY))
@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.code)
def test_the_action_begins_with_who_acts(cause: Cause, language: str) -> None:
    told = texts(language)
    action = told.text(cause.action, element="e", node="n")
    assert action.startswith(told.text(f"taker.{cause.taker}") + BETWEEN[language])
    assert action.endswith("." if language == "en" else "。")


@pytest.mark.parametrize("language", sorted(SORRY))
@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.code)
def test_the_customer_is_told_plainly_what_is_wrong_and_what_is_done(cause: Cause, language: str) -> None:
    said = texts(language).text(cause.customer)
    assert said.startswith(SORRY[language])
    assert JARGON.findall(said) == []
    assert BLAME.findall(said) == []
    assert "{" not in said
    assert len(re.findall(r"[.。]", said)) >= 2, "what is wrong, and what is done about it"


@pytest.mark.parametrize("language", sorted(SORRY))
@pytest.mark.parametrize("cause", [cause for cause in ALL if cause.like], ids=lambda cause: cause.code)
def test_what_cannot_be_told_apart_has_its_words_and_the_test_that_decides(cause: Cause, language: str) -> None:
    told = texts(language)
    assert told.text(f"class.{cause.code}")
    assert cause.decides is not None
    assert told.say(Message(cause.decides, {"element": "e", "node": "n"})) != cause.decides
