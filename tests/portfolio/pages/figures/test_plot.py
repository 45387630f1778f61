"""Frames, axes and whiskers by hand."""

import pytest

from ml.model_card.figure import Part
from portfolio.pages.figures.plot import HEIGHT, WIDTH, Frame, extremes, tick_text, ticks


def estimate(mean, low=None, high=None):
    return Part({"mean": mean, "low_90": low, "high_90": high}).estimate("yearly")


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-3, 41, [-10, 0, 10, 20, 30, 40, 50]),
        (0.42, 0.58, [0.4, 0.45, 0.5, 0.55, 0.6]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_ticks_are_round_and_span_the_values(low, high, marks):
    assert ticks(low, high) == pytest.approx(marks)


def test_a_frame_maps_its_corners_to_the_box():
    frame = Frame(0, 10, -5, 5)
    assert (frame.x(0), frame.x(10)) == (50, WIDTH - 20)
    assert (frame.y(5), frame.y(-5)) == (14, HEIGHT - 30)
    assert frame.x(5) == (50 + WIDTH - 20) / 2
    assert frame.line([(0, -5), (10, 5)]) == f"M50.0 {HEIGHT - 30}.0 L{WIDTH - 20}.0 14.0"


def test_whiskers_reach_the_ends_of_the_interval_and_are_left_out_without_one():
    frame = Frame(0, 10, 0, 10)
    [stroke] = frame.whisker(5, estimate(4, 2, 8))
    assert stroke.path == f"M{frame.x(5)} {frame.y(2)}V{frame.y(8)}" + "".join(
        f"M{frame.x(5) - 4} {end}h8.0" for end in (frame.y(2), frame.y(8))
    )
    assert frame.whisker(5, estimate(4)) == frame.lying_whisker(5, estimate(4)) == []


def test_extremes_leave_unknown_ends_out():
    assert extremes([estimate(4, 2, 8), estimate(None), estimate(9)], 0.0) == (0.0, 9)
    assert extremes([estimate(None)]) == (0.0, 1.0)


def test_tick_labels_have_no_zeros_at_their_end():
    assert (tick_text(-0.5, " %"), tick_text(20.0), tick_text(0)) == ("−0.5 %", "20", "0")
