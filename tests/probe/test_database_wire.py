"""The databases' bytes: known answers of the standards, and no bytes of a stranger that raise something else than a refusal."""

import asyncio
import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire import mysql, postgresql
from probe.wire.connection import RefusedError
from probe.wire.database import LONGEST_DETAIL, clean
from probe.wire.scram import Scram, ScramError, saslprep

SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_scram_is_the_exchange_of_rfc_7677() -> None:
    scram = Scram("pencil", "rOprNGfwEbeRWgbNEkqO", "user")
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = asyncio.run(scram.final(SERVER_FIRST))
    assert final == b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert not scram.verified
    scram.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert scram.verified


@pytest.mark.parametrize("final", [b"", b"v=", b"v=AAAA", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl96G4=", b"e=invalid-proof", b"v=\xff"])
def test_server_that_does_not_know_the_password_is_found_out(final) -> None:
    scram = Scram("pencil", "rOprNGfwEbeRWgbNEkqO", "user")
    asyncio.run(scram.final(SERVER_FIRST))
    with pytest.raises(ScramError):
        scram.check(final)
    assert not scram.verified


def test_proof_before_the_exchange_is_none() -> None:
    with pytest.raises(ScramError):
        Scram("pencil").check(b"v=")


# RFC 4013 section 3, and what PostgreSQL does with what it forbids
@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007é", "\u0007é"),
        ("\u06271", "\u06271"),
        ("a\u00a0é", "a é"),
    ],
)
def test_password_is_prepared_as_the_standard_says(text, prepared) -> None:
    assert saslprep(text) == prepared


def refused_or(read, data: bytes) -> None:
    with contextlib.suppress(RefusedError):
        read(data)


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_a_refusal(data) -> None:
    refused_or(postgresql.row, data)
    refused_or(postgresql.parameter, data)
    refused_or(postgresql.mechanisms, data)
    refused_or(mysql.read_greeting, b"\x0a" + data)
    assert isinstance(postgresql.refusal(data), RefusedError)
    assert isinstance(mysql.refusal(b"\xff" + data), RefusedError)


@given(st.lists(st.none() | st.text(max_size=5), max_size=5))
def test_row_is_read_as_it_was_written(values) -> None:
    def field(value: str | None) -> bytes:
        return struct.pack("!i", -1) if value is None else struct.pack("!i", len(value.encode())) + value.encode()

    assert postgresql.row(struct.pack("!H", len(values)) + b"".join(map(field, values))) == values


@given(words=st.text(max_size=60), secret=st.text(min_size=1, max_size=6))
def test_secret_does_not_survive_cleaning_and_the_line_is_short_and_printable(words, secret) -> None:
    shown = clean(words + secret + words, secret)
    assert len(shown) <= LONGEST_DETAIL
    assert shown.isprintable()
    if "*" not in secret:
        assert secret not in shown
