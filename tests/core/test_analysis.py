"""What a conversation was like, from made-up loudness of its two sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.analysis.figures import analyse
from callctl.core.analysis.voice import FRAMES_A_SECOND, SILENT, find_stretches

VOICE, NOISE = -20, -60


def side(seconds: float, *spoken: tuple[float, float], noise: int = NOISE) -> list[int]:
    """Levels of a side that speaks from second to second."""
    levels = [noise] * round(seconds * FRAMES_A_SECOND)
    for begin, end in spoken:
        a, b = round(begin * FRAMES_A_SECOND), round(end * FRAMES_A_SECOND)
        levels[a:b] = [VOICE] * (b - a)
    return levels


def spoken(levels: list[int]) -> list[tuple[float, float]]:
    return [(s.begin / 50, s.end / 50) for s in find_stretches(levels)]


def test_shares_and_first_words() -> None:
    figures = analyse(side(20, (2, 6), (10, 12)), side(20, (1, 2), (5, 8)))
    assert figures.seconds == 20
    assert figures.caller_talk_share == pytest.approx(6 / 20)
    assert figures.called_talk_share == pytest.approx(4 / 20)
    assert figures.both_share == pytest.approx(1 / 20)
    assert figures.silence_share == pytest.approx(11 / 20)
    assert figures.caller_first_word_seconds == 2
    assert figures.called_first_word_seconds == 1


def test_pause_between_words_ends_no_stretch_and_a_click_is_no_word() -> None:
    assert spoken(side(20, (2, 3), (3.2, 4), (5, 6), (9, 9.04))) == [(2, 4), (5, 6)]


@pytest.mark.parametrize("noise", [SILENT, -70, -50, -38])
def test_threshold_goes_with_the_noise_of_the_line(noise: int) -> None:
    assert spoken(side(30, (4, 6), (20, 25), noise=noise)) == [(4, 6), (20, 25)]


def test_noise_alone_is_no_talk() -> None:
    figures = analyse(side(60, noise=-40), side(60, noise=SILENT))
    assert figures.silence_share == 1
    assert figures.caller_first_word_seconds is None
    assert (figures.longest_monologue_seconds, figures.longest_monologue_side) == (0, None)


def test_talk_without_a_pause_is_talk() -> None:
    assert analyse([VOICE] * 3000, [NOISE] * 3000).caller_talk_share == 1


def test_noise_that_rises_in_the_middle_is_followed() -> None:
    levels = side(60, (2, 5), noise=-65) + side(60, (40, 45), noise=-42)
    assert spoken(levels) == [(2, 5), (100, 105)]


@pytest.mark.parametrize(
    ("caller", "called", "interruptions"),
    [
        ([(0, 5)], [(4, 7)], (0, 1)),  # takes the word, and keeps it
        ([(0, 5)], [(2, 2.5)], (0, 0)),  # "mhm"
        ([(0, 5)], [(2, 4)], (0, 0)),  # says something meanwhile; the caller goes on
        ([(0, 5)], [(0.2, 6)], (0, 0)),  # both began
        ([(0, 5)], [(5.5, 7)], (0, 0)),  # waits for the end
        ([(4, 9)], [(0, 5), (8, 12)], (1, 1)),
    ],
)
def test_interruption_takes_the_word_from_who_has_it(
    caller: list[tuple[float, float]],
    called: list[tuple[float, float]],
    interruptions: tuple[int, int],
) -> None:
    figures = analyse(side(20, *caller), side(20, *called))
    assert (figures.caller_interruptions, figures.called_interruptions) == interruptions


@pytest.mark.parametrize(
    ("caller", "called", "longest"),
    [
        ([(1, 4), (5, 9)], [(12, 13)], (8, "caller")),  # a pause for breath
        ([(1, 4), (7, 9)], [(12, 13)], (3, "caller")),  # a pause too long
        ([(1, 4), (5, 9)], [(4.1, 4.6)], (8, "caller")),  # a remark in between
        ([(1, 4), (5, 9)], [(3.5, 5)], (4, "caller")),  # the other had the word in between
        ([(1, 2)], [(3, 9)], (6, "called")),
    ],
)
def test_longest_monologue(
    caller: list[tuple[float, float]],
    called: list[tuple[float, float]],
    longest: tuple[float, str],
) -> None:
    figures = analyse(side(20, *caller), side(20, *called))
    found = (figures.longest_monologue_seconds, figures.longest_monologue_side)
    assert found == (pytest.approx(longest[0]), longest[1])


LEVELS = st.lists(st.sampled_from([SILENT, -60, -45, -31, -30, -20, 0]), max_size=1500)


@given(LEVELS, LEVELS)
def test_figures_of_anything_are_sound(caller: list[int], called: list[int]) -> None:
    length = min(len(caller), len(called))
    f = analyse(caller[:length], called[:length])
    shares = (f.caller_talk_share, f.called_talk_share, f.both_share, f.silence_share)
    assert all(0 <= share <= 1 for share in shares)
    if length:
        talk = f.caller_talk_share + f.called_talk_share - f.both_share
        assert talk + f.silence_share == pytest.approx(1)
    assert 0 <= f.longest_monologue_seconds <= f.seconds
    turned = analyse(called[:length], caller[:length])
    assert turned.caller_interruptions == f.called_interruptions
    assert turned.both_share == f.both_share
