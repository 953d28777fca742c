"""The E-model against what ITU-T G.107 publishes, and the laws that it keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from checks import emodel
from checks.emodel import G711, G711_PLC, G729A, Transmission, mos, pure_delay, rating, transmission_rating


def test_the_default_connection_has_the_published_rating() -> None:
    """G.107, Table 1: all parameters at their defaults give R = 93.2; G.107 B.2: an MOS of 4.41."""
    assert round(transmission_rating(Transmission()), 1) == 93.2
    assert round(mos(93.2), 2) == 4.41
    assert rating(0.0, 0.0, G711).r == transmission_rating(Transmission())


@pytest.mark.parametrize(("r", "published"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)])
def test_ratings_become_the_published_opinion_scores(r: float, published: float) -> None:
    """G.107, Table B.1 (its 4.03 is 4.024 by its own formula)."""
    assert mos(r) == pytest.approx(published, abs=0.0061)


@pytest.mark.parametrize(("ta", "idd"), [(0, 0.0), (100, 0.0), (200, 3.04), (400, 24.07), (800, 40.83)])
def test_delay_costs_what_its_formula_says_worked_by_hand(ta: float, idd: float) -> None:
    """X = 1, 2, 3: 25 ((1+X^6)^(1/6) - 3 (1+(X/3)^6)^(1/6) + 2)."""
    assert pure_delay(Transmission(ta=ta)) == pytest.approx(idd, abs=0.01)


@pytest.mark.parametrize(
    ("codec", "loss", "ie_eff"),
    [
        (G711, 0.01, 95 / 5.3),
        (G711, 0.02, 190 / 6.3),
        (G711_PLC, 0.02, 190 / 27.1),
        (G729A, 0.0, 11.0),
        (G729A, 0.02, 11 + 84 * 2 / 21),
        (emodel.G723_63, 0.01, 15 + 80 / 17.1),
        (emodel.GSM_EFR, 0.04, 5 + 90 * 4 / 14),
    ],
)
def test_random_loss_costs_what_the_codec_bears(codec: emodel.Codec, loss: float, ie_eff: float) -> None:
    assert rating(0.0, 0.0, G711).r - rating(0.0, loss, codec).r == pytest.approx(ie_eff, abs=1e-6)


def test_the_same_loss_in_bursts_is_worse() -> None:
    """G.107, equation 7-29: with BurstR the loss in the denominator shrinks."""
    assert rating(0, 0.02, G711, burst_ratio=2.0).r == pytest.approx(rating(0, 0, G711).r - 190 / (1 + 4.3), abs=1e-6)
    assert emodel.burst_ratio(1 / (1 - 0.1), 0.1) == pytest.approx(1.0)  # random loss of 10 % makes runs of 1.11 packets
    assert emodel.burst_ratio(3.0, 0.1) == pytest.approx(2.7)


def test_a_talker_hears_his_echo_the_more_the_later_it_comes() -> None:
    """G.107: with the default echo loss (TELR 65 dB) an echo costs little, with 35 dB nearly all users are dissatisfied."""
    assert transmission_rating(Transmission(ta=100.0)) == pytest.approx(90.66, abs=0.01)
    assert transmission_rating(Transmission(ta=100.0, telr=45.0)) == pytest.approx(70.1, abs=0.1)
    assert transmission_rating(Transmission(ta=100.0, telr=35.0)) < 50.0
    assert transmission_rating(Transmission(ta=100.0, t=0.0, tr=0.0)) == pytest.approx(93.2, abs=0.01)


@pytest.mark.parametrize(("jitter", "buffer_ms"), [(0.0, 0.0), (5.0, 30.0), (33.0, 198.0), (34.0, 200.0), (500.0, 200.0)])
def test_jitter_becomes_delay_up_to_what_a_buffer_holds(jitter: float, buffer_ms: float) -> None:
    assert emodel.buffered(jitter)[0] == buffer_ms


def test_jitter_beyond_the_buffer_becomes_loss() -> None:
    assert emodel.buffered(30.0)[1] < 1e-4
    assert 0.02 < emodel.buffered(100.0)[1] < 0.03


def test_terminals_add_frames_and_look_ahead() -> None:
    """G.114, Table A.2: G.729 in packets of 20 ms has 35 ms, G.723.1 67.5 ms."""
    assert emodel.terminal_delay_ms(G729A) == 35.0
    assert emodel.terminal_delay_ms(emodel.G723_63) == 67.5


CODECS = some.sampled_from([G711, G711_PLC, G729A, emodel.G723_53, emodel.GSM_EFR])
DELAYS = some.floats(0, 5000)
LOSSES = some.floats(0, 1)


@given(CODECS, DELAYS, DELAYS, LOSSES, LOSSES, some.floats(0, 1000))
def test_more_delay_or_loss_never_sounds_better(
    codec: emodel.Codec, delay: float, more: float, loss: float, other: float, jitter: float
) -> None:
    low, high = sorted((loss, other))
    better, worse = rating(delay, low, codec, jitter_ms=jitter), rating(delay + more, high, codec, jitter_ms=jitter)
    room = 0.1  # G.107 itself: an echo within the first millisecond is sidetone, which is missed when it comes later
    assert 0.0 <= worse.r <= better.r + room <= 93.4
    assert 1.0 <= worse.mos <= better.mos + room <= 4.6
