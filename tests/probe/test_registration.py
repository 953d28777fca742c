"""Where a number is registered, asked of kamailio's registrar; and a request that never changes anything."""

import pytest

from probe.observation.failure import Kind
from probe.observation.sip import RegistrationSample
from probe.probers import registration
from tests.probe.sip_lab import Device, answer, kamailio, register, replying

CHALLENGE = 'WWW-Authenticate: Digest realm="x", nonce="{}", algorithm={}, qop="auth"'


@pytest.mark.needs("kamailio")
def test_a_registrar_tells_who_is_registered_and_for_how_long(ask, free_udp_port, binary) -> None:
    port = free_udp_port()
    with kamailio(port, binary("kamailio")):
        register(port, "1001", "sip:1001@192.168.50.10:5062", 600)
        right = {"domain": "127.0.0.1", "password": "secret"}
        for _ in range(3):  # asking changes nothing
            seen = ask("registration", port, number="1001", **right)
            assert isinstance(seen, RegistrationSample)
            assert (seen.answer.code, seen.authenticated, seen.aor) == (200, True, "sip:1001@127.0.0.1")
            assert [(one.contact, one.host) for one in seen.bindings] == [("sip:1001@192.168.50.10:5062", "192.168.50.10")]
            assert 590 <= (seen.bindings[0].expires_s or 0) <= 600
        none = ask("registration", port, number="1002", **right)
        assert (none.answer.code, none.bindings) == (200, ())
        register(port, "1001", "sip:1001@192.168.50.10:5062", 0)
        assert ask("registration", port, number="1001", **right).bindings == ()
        over_tcp = ask("registration", port, number="1001", transport="tcp", **right)
        assert (over_tcp.answer.code, over_tcp.authenticated) == (200, True)
        wrong = ask("registration", port, number="1001", domain="127.0.0.1", password="other")
        assert (wrong.answer.code, wrong.authenticated, wrong.bindings) == (401, True, ())
        open_ = ask("registration", port, number="1001", domain="127.0.0.1")
        assert (open_.answer.code, open_.authenticated) == (401, False)
        assert ask("registration", port, number="404").answer.code == 404
        assert ask("registration", port, number="403").answer.code == 403
    assert ask("registration", port, number="1001").kind is Kind.REFUSED


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess", "SHA-512-256"])
def test_no_request_can_change_a_binding_and_none_carries_the_password(ask, algorithm: str) -> None:
    def act(device: Device, request, source) -> None:
        first = "401 Unauthorized" if request.first("authorization") is None else "200 OK"
        device.say(answer(request, first, CHALLENGE.format("n1", algorithm)), source)

    with Device(act) as device:
        seen = ask("registration", device.port, number="1001", user="auth-name", password="very-secret")
    assert seen.authenticated
    assert len(device.requests) == 2
    for request in device.requests:
        assert request.method == "REGISTER"
        assert request.first("contact") is None
        assert request.first("expires") is None
        assert "very-secret" not in str(request.headers)
    assert [one.cseq[0] for one in device.requests] == [1, 2]
    assert 'username="auth-name"' in (device.requests[1].first("authorization") or "")


def test_an_old_nonce_is_answered_once_more_and_a_wrong_password_only_once(ask) -> None:
    def stale(device: Device, request, source) -> None:
        said = request.first("authorization") or ""
        if "n2" in said:
            device.say(answer(request, "200 OK"), source)
        elif "n1" in said:
            device.say(answer(request, "401 Unauthorized", CHALLENGE.format("n2", "MD5") + ", stale=true"), source)
        else:
            device.say(answer(request, "401 Unauthorized", CHALLENGE.format("n1", "MD5")), source)

    with Device(stale) as device:
        assert ask("registration", device.port, number="1", password="x").answer.code == 200
    with Device(replying("401 Unauthorized", CHALLENGE.format("n", "MD5"))) as device:
        assert ask("registration", device.port, number="1", password="x").answer.code == 401
    assert len(device.requests) == 2  # a third try would lock accounts


def test_bindings_are_read_as_registrars_write_them(ask) -> None:
    more = (
        'Contact: "A" <sip:1@10.0.0.1>;expires=3600;q=0.5, <sip:1@10.0.0.2>;expires=0',
        "m: <sip:1@10.0.0.3:5070;transport=tcp>",
        "Expires: 120",
    )
    with Device(replying("200 OK", *more)) as device:
        seen = ask("registration", device.port, number="1")
    assert [(one.host, one.expires_s) for one in seen.bindings] == [("10.0.0.1", 3600), ("10.0.0.3", 120)]


def test_a_number_that_would_break_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="can't stand in a SIP URI"):
        registration.Options(number="1>\r\nContact: x")


def test_the_password_is_in_no_representation() -> None:
    from probe.sip.conversation import Secret

    assert "hidden" not in repr(Secret("u", "hidden"))
