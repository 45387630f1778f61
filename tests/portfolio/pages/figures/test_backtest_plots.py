"""Where the curves of a backtest lie."""

import pytest

from portfolio.pages.figures import backtest_plots
from portfolio.pages.figures.backtest_plots import Line
from portfolio.pages.figures.plot import Frame

EQUITY = [["2024-12-30", "100.00"], ["2024-12-31", "120.00"], ["2025-01-01", "90.00"], ["2025-01-02", "150.00"]]


def test_gains_and_drawdowns_by_hand():
    assert [value for _, value in backtest_plots.gains(EQUITY)] == pytest.approx([0, 20, -10, 50])
    assert [value for _, value in backtest_plots.drawdowns(EQUITY)] == pytest.approx([0, 0, -25, 0])


def test_the_list_lies_above_its_yardsticks_on_the_same_days():
    plot = backtest_plots.value_plot(EQUITY, {"equal_weight": EQUITY[1:], "niftybees": None})
    assert plot is not None
    assert [stroke.kind for stroke in plot.strokes if stroke.kind in ("model", "plain", "fund")] == ["plain", "model"]
    frame = Frame(0, 3, -40, 60)
    model, plain = (next(each.path for each in plot.strokes if each.kind == kind) for kind in ("model", "plain"))
    assert model == frame.line([(0, 0), (1, 20), (2, -10), (3, 50)])
    assert plain == frame.line([(1, 0), (2, -25), (3, 25)])
    assert [label.x for label in plot.labels if label.text == "2025-01"] == [frame.x(2)]
    assert [tuple(row) for row in plot.rows] == [
        ("2024-12-31", "+20.00 %", "+0.00 %"),
        ("2025-01-02", "+50.00 %", "+25.00 %"),
    ]


def test_one_day_is_no_plot():
    assert backtest_plots.lines_plot("n", "t", [Line("model", "w", [("2025-01-01", 0.0)])]) is None
