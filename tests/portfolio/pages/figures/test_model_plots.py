"""Where the marks of the model's plots lie."""

from ml.model_card.figure import Figure, Part
from ml.model_card.reading import Chance, Experiment, Group, Month, Period, Point
from portfolio.pages.figures import model_plots
from portfolio.pages.figures.plot import Frame
from tests.portfolio.pages.figures.test_plot import estimate

NOTHING = estimate(None)


def points(*values, start=0):
    days = ("2024-12-30", "2024-12-31", "2025-01-01", "2025-01-02")
    return [Point(day, Figure("", value, "cost")) for day, value in zip(days[start:], values, strict=False)]


def test_the_curve_runs_through_every_session_with_the_baseline_below():
    plot = model_plots.cumulative_plot(points(0.0, 1.0, 3.0, 10.0), points(1.0, 2.0, start=1))
    assert plot is not None
    frame = Frame(0, 3, 0, 10)
    model = next(stroke for stroke in plot.strokes if stroke.kind == "model")
    assert model.path == frame.line([(0, 0), (1, 1), (2, 3), (3, 10)])
    plain = next(stroke for stroke in plot.strokes if stroke.kind == "plain")
    assert plain.path == frame.line([(1, 1), (2, 2)])
    assert [label.x for label in plot.labels if label.text == "Jan 2025"] == [frame.x(2)]
    assert [row[0] for row in plot.rows] == ["2024-12-31", "2025-01-02"]
    assert plot.description.endswith("from 2024-12-30 to 2025-01-02: 10.0 % at the end.")


def test_a_curve_of_one_session_is_no_plot_and_without_a_baseline_has_no_key_for_it():
    assert model_plots.cumulative_plot(points(1.0), []) is None
    plot = model_plots.cumulative_plot(points(1.0, 2.0), [])
    assert plot is not None
    assert [kind for kind, _ in plot.keys] == ["model", "zero"]


def test_a_weak_half_year_hangs_below_zero():
    periods = [
        Period("2024-II", NOTHING, estimate(8, 2, 14), estimate(4)),
        Period("2025-I", NOTHING, estimate(-4), NOTHING),
    ]
    plot = model_plots.half_years_plot(periods)
    assert plot is not None
    frame = Frame(-0.5, 1.5, -5, 15)
    gain, loss = plot.boxes
    assert (gain.kind, gain.y, gain.y + gain.height) == ("gain", frame.y(8), frame.y(0))
    assert (loss.kind, loss.y, round(loss.y + loss.height, 1)) == ("loss", frame.y(0), frame.y(-4))
    assert [(dot.x, dot.y, dot.kind) for dot in plot.dots] == [(frame.x(0), frame.y(4), "plain")]
    assert len([stroke for stroke in plot.strokes if stroke.kind == "whisker"]) == 1
    assert plot.description.endswith("2024-II +8.0 %, 2025-I −4.0 %.")


def test_expected_is_a_dot_over_what_came():
    groups = [
        Group("1–10", Figure("", 1.5, "move"), estimate(1.0, 0.5, 1.5), True),
        Group("rest", Figure("", None, "move"), NOTHING, None),
    ]
    plot = model_plots.groups_plot(groups)
    assert plot is not None
    assert (len(plot.boxes), len(plot.dots)) == (1, 1)
    assert plot.dots[0].y < plot.boxes[0].y
    assert [row[3] for row in plot.rows] == ["yes", "–"]


def test_a_perfect_statement_lies_on_the_diagonal():
    chances = [Chance(Figure("", value, "share"), estimate(value)) for value in (0.4, 0.5, 0.6)]
    plot = model_plots.reliability_plot(chances)
    assert plot is not None
    frame = Frame(0.4, 0.6, 0.4, 0.6)
    assert [(dot.x, dot.y) for dot in plot.dots] == [(frame.x(v), frame.y(v)) for v in (0.4, 0.5, 0.6)]
    diagonal = next(stroke for stroke in plot.strokes if stroke.kind == "zero")
    assert diagonal.path == frame.line([(0.4, 0.4), (0.6, 0.6)])


def test_the_worst_month_is_named():
    months = [Month(f"2025-0{number}", Figure("", share, "share")) for number, share in enumerate((0.8, 0.68, 0.82), 1)]
    plot = model_plots.coverage_plot(months, Figure("", 0.8, "share"))
    assert plot is not None
    assert plot.description.endswith("the worst of 3 months is 2025-02 with 68.0 %.")
    assert model_plots.coverage_plot(months[:1], Figure("", 0.8, "share")) is None
    assert model_plots.coverage_plot(months, Figure("", None, "share")) is None


def test_groups_of_features_lie_below_each_other_with_their_differences():
    def row(name, paired):
        return Experiment(name, "ablation", "", NOTHING, NOTHING, NOTHING, paired)

    rows = [row("all features", NOTHING), row("without sector", estimate(-4, -10, 2)), row("without day", estimate(1))]
    plot = model_plots.ablations_plot(rows)
    assert plot is not None
    assert [cells[0] for cells in plot.rows] == ["sector", "day"]
    first, second = plot.dots
    assert first.y < second.y
    assert first.x < second.x
    assert model_plots.ablations_plot(rows[:1]) is None


def test_of_nothing_there_is_no_plot():
    assert model_plots.half_years_plot([]) is model_plots.groups_plot([]) is model_plots.lists_plot([]) is None
    assert model_plots.reliability_plot([]) is None
    assert Part({}).figure("share").text == "–"
