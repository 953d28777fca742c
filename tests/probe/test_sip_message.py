"""SIP messages as real devices write them, digest answers by the RFCs' examples, session descriptions; and nothing breaks on nonsense."""

import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from probe.sip import fields, sdp
from probe.sip.client import allowed, reason_of
from probe.sip.conversation import answers, tag_of
from probe.sip.digest import Challenge, challenge, credentials
from probe.sip.message import MOST_BYTES, MOST_HEADERS, MalformedError, SipMessage, build, parse

ODD = (
    b"\r\n\r\nsip/2.0 401   Not  Authorised \xff\r\n"
    b"v : SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc;\r\n"
    b"\t received=192.0.2.7;rport=40000\r\n"
    b'F:"A, <b>" <sip:a@x>;tag=1\n'
    b"t: <sip:b@x>\r\n   ;tag=xyz\r\n"
    b"i: 77@x\r\n"
    b"CSEQ: 0009  OPTIONS\r\n"
    b'm: "Gate, way" <sip:b@192.168.50.10:5062;transport=udp>;expires=60, <sip:c@[2001:db8::1]>\r\n'
    b'WWW-Authenticate: Digest realm="a,b", nonce="n\\"1", algorithm=SHA-256, qop="auth,auth-int"\r\n'
    b'www-authenticate: digest realm="a",nonce="n2"\r\n'
    b"L: 3\r\n\r\nabcdef"
)


def test_a_message_as_odd_as_devices_make_them_is_read() -> None:
    got = parse(ODD)
    assert (got.code, got.reason, got.method, got.body) == (401, "Not  Authorised �", "", b"abc")
    assert got.cseq == (9, "OPTIONS")
    via, params = fields.parameters(got.first("via") or "")
    assert (via, params) == ("SIP/2.0/UDP 10.0.0.1:5060", {"branch": "z9hG4bKabc", "received": "192.0.2.7", "rport": "40000"})
    assert tag_of(got.first("to")) == "xyz"
    first, second = (fields.address(one) for one in fields.split(got.first("contact") or ""))
    assert (first.host, first.port, first.user, first.params) == ("192.168.50.10", 5062, "b", {"expires": "60"})
    assert (second.host, second.port) == ("2001:db8::1", None)
    assert answers(got, "z9hG4bKabc", "OPTIONS")
    assert not answers(got, "z9hG4bKabd", "OPTIONS")
    assert not answers(got, "z9hG4bKabc", "INVITE")


def test_the_strongest_challenge_is_taken() -> None:
    found = challenge(parse(ODD))
    assert found == Challenge("Authorization", "a,b", 'n"1', "SHA-256", False, "auth", None, False)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "no SIP message"),
        (b"\r\n\r\n", "no SIP message"),
        (b"hello", "no SIP message"),
        (b"GET / HTTP/1.1\r\n\r\n", "no SIP message"),
        (b"SIP/2.0 99 Low\r\n\r\n", "status code"),
        (b"SIP/2.0 700 High\r\n\r\n", "status code"),
        (b"SIP/2.0 2x0 OK\r\n\r\n", "status code"),
        (b"SIP/2.0 200 OK\r\nno colon here\r\n\r\n", "no header"),
        (b"SIP/2.0 200 OK\r\nbad name: x\r\n\r\n", "no header"),
        (b"SIP/2.0 200 OK\r\nl: x\r\n\r\n", "Content-Length"),
        (b"SIP/2.0 200 OK\r\nl: 1\r\nl: 2\r\n\r\n", "differ"),
        (b"SIP/2.0 200 OK\r\n" + b"a: b\r\n" * (MOST_HEADERS + 1) + b"\r\n", "header lines"),
        (b"SIP/2.0 200 OK\r\na: " + b"b" * 20_000 + b"\r\n\r\n", "octets"),
        (b"SIP/2.0 200 OK\r\na: b\r\n" + b" c\r\n" * 9_000 + b"\r\n", "header|octets"),
        (b"S" * (MOST_BYTES + 1), "more than a message"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(data: bytes, wrong: str) -> None:
    with pytest.raises(MalformedError, match=wrong):
        parse(data)


def test_a_value_that_would_make_another_header_is_never_sent() -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        build("OPTIONS sip:x SIP/2.0", [("To", "<sip:x>\r\nContact: <sip:evil>")])


def test_digests_are_those_of_the_standards() -> None:
    """RFC 2617 3.5; RFC 7616 3.9.1."""
    old = Challenge(
        "", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "MD5", False, "auth", "5ccc069c403ebaf9f0171e9517f40e41", False
    )
    said = credentials(old, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", cnonce="0a4f113b")
    assert 'response="6629fae49393a05397450978507c4ef1"' in said
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in said
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        new = Challenge("", "http-auth@example.org", nonce, algorithm, False, "auth", None, False)
        said = credentials(new, "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce=cnonce)
        assert f'response="{response}"' in said
        assert "Circle" not in said


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ("Digest realm=x", None),
        ("Basic realm=x", None),
        ('Digest realm="x", nonce="n", algorithm=token', None),
        ('Digest realm="x", nonce="n", qop="other"', None),
        ('Digest realm="x", nonce="n"', ("MD5", False, "")),
        ('Digest nonce="n",realm="x",algorithm=md5-sess,qop=auth-int', ("MD5", True, "auth-int")),
        ('Digest realm="x", nonce="n", algorithm=SHA-512-256', ("SHA-512-256", False, "")),
    ],
)
def test_challenges_that_we_can_and_can_not_answer(text: str, sees: tuple[str, bool, str] | None) -> None:
    found = challenge(SipMessage("", "", 407, "", (("proxy-authenticate", text),), b""))
    assert (found and (found.algorithm, found.session, found.qop)) == sees
    if found:
        assert found.header == "Proxy-Authorization"
        assert credentials(found, 'a"b', "p", "REGISTER", "sip:x").startswith('Digest username="a\\"b"')


def test_a_session_tells_codecs_and_where_audio_goes() -> None:
    body = (
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\na=recvonly\r\n"
        b"m=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        b"m=audio 4000/2 RTP/AVP 8 18 101 300 x\r\nc=IN IP4 192.0.2.1/127\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\na=ptime:30\r\n"
        b"m=audio 5000 RTP/AVP 0\r\n"
    )
    got = sdp.parse(body)
    assert (got.host, got.port, got.codecs, got.direction, got.packet_ms) == (
        "192.0.2.1", 4000, ("PCMA", "G729", "TELEPHONE-EVENT"), "sendonly", 30.0,
    )  # fmt: skip
    assert sdp.parse(b"").port is None
    ours = sdp.parse(sdp.offer("2001:db8::1", 40000, ("PCMA", "PCMU"), 7))
    assert (ours.host, ours.port, ours.payloads) == ("2001:db8::1", 40000, ((8, "PCMA"), (0, "PCMU")))


@pytest.mark.parametrize(
    ("text", "value"),
    [(None, None), ("", None), ("x", None), ("120", 120), ("18000;duration=3600", 18000), ("5 (busy)", 5), ("9" * 50, 2**32 - 1)],
)
def test_seconds_are_read_as_far_as_they_are_seconds(text: str | None, value: int | None) -> None:
    assert fields.seconds(text) == value


def test_reason_tells_the_q850_cause() -> None:
    got = SipMessage(
        "", "", 503, "", (("reason", 'SIP;cause=503, Q.850 ;cause=34;text="no circuit"'), ("allow", "invite, ACK"), ("allow", "BYE")), b""
    )
    assert reason_of(got) == ("SIP;cause=503", 34)
    assert allowed(got) == ("INVITE", "ACK", "BYE")


def everything(data: bytes) -> None:
    """Read a datagram as the probers do; MalformedError is all that may come of it."""
    try:
        got = parse(data)
    except MalformedError:
        return
    for name, value in got.headers:
        fields.parameters(value)
        fields.shown(value)
        fields.seconds(value)
        tag_of(value)
        for part in fields.split(value):
            fields.address(part)
        if name == "via":
            fields.hostport(value)
    assert got.cseq is not None
    reason_of(got)
    allowed(got)
    answers(got, "z9hG4bKabc", "OPTIONS")
    sdp.parse(got.body)
    found = challenge(got)
    if found:
        credentials(found, "u", "p", "OPTIONS", "sip:x")


SEEDS = (
    ODD,
    b"SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP [::1]:5060;branch=z9hG4bKabc\r\nRetry-After: 120;x\r\n"
    b'Reason: Q.850;cause=34;text="No circuit"\r\nWarning: 399 gw "x"\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n',
    b"INVITE sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\r\nContact: <sip:x@10.0.0.1>;expires=3\r\n"
    b"Content-Type: application/sdp\r\n\r\n" + sdp.offer("10.0.0.1", 4000, ("PCMA", "PCMU"), 1),
)
SPLICES = (
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b'"',
    b"<",
    b">",
    b";",
    b",",
    b"\\",
    b"\0",
    b"\xff\xfe",
    b" ",
    b":",
    b"=",
    b"l: 99999\r\n",
    b"l: -1\r\n",
    b"9" * 40,
    b"%" * 9,
)


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Return a message with a few things wrong: octets changed, cut out, doubled, put in."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if data:
                data[at % len(data)] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2:
                data[at:at] = data[at : at + chance.randint(1, 200)] * chance.randint(1, 3)
            case 3:
                data[at:at] = chance.choice(SPLICES)
            case 4:
                data[at:at] = chance.choice(SPLICES) * chance.randint(1, 300)
            case _:
                data = data[:at]
    return bytes(data)


def fuzz(count: int, seed: int) -> float:
    """Read so many mutated messages; return the longest time that one took, in seconds."""
    chance, longest = random.Random(seed), 0.0
    for _ in range(count):
        data = mutated(chance.choice(SEEDS), chance)
        start = time.perf_counter()
        everything(data)
        longest = max(longest, time.perf_counter() - start)
    return longest


def test_mutated_messages_neither_break_nor_hold_up_the_reader() -> None:
    assert fuzz(5_000, 1) < 1.0


@pytest.mark.long
def test_a_million_mutated_messages_neither_break_nor_hold_up_the_reader() -> None:
    assert fuzz(1_000_000, 2) < 1.0


@given(some.binary(max_size=400))
@example(b'SIP/2.0 200\r\nm: <<<"\\\r\nvia: ;;;=,\r\n\r\n')
@example("SIP/2.0 200 OK\r\ncseq: ² OPTIONS\r\nl: ２\r\n\r\n".encode())
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    everything(data)
    everything(b"SIP/2.0 200 OK\r\n" + data)


@given(
    some.lists(some.text(min_size=1, alphabet=some.characters(min_codepoint=33, max_codepoint=126, exclude_characters='",<>')), max_size=30)
)
def test_splitting_a_list_and_joining_it_is_the_same(parts: list[str]) -> None:
    assert fields.split(", ".join(parts)) == parts


@pytest.mark.parametrize("nasty", ['"' * 60_000, "<" * 60_000, "\\" * 60_000, ";" * 60_000, '"\\' * 30_000, "," * 60_000, "<>" * 30_000])
def test_a_nasty_value_takes_no_longer_than_its_length(nasty: str) -> None:
    start = time.perf_counter()
    fields.split(nasty)
    fields.parameters(nasty)
    fields.address(nasty)
    fields.unquote(nasty)
    assert time.perf_counter() - start < 2.0
