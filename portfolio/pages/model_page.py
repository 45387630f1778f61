"""What the model's page shows: the card, its figures in order, and their plots."""

from typing import Any

from django.conf import settings

from ml.model_card import reading
from ml.model_card.figure import Part
from ml.model_card.queries import Card, Report
from portfolio.pages.figures import model_plots
from portfolio.pages.figures.plot import Plot
from stocks.picks.screening import STRATEGIES

_PLAIN_BASELINE = "plain boosted"


def page_context(card: Card) -> dict[str, Any]:
    """Context of the page; what no report says yet is empty."""
    context: dict[str, Any] = {"card": card}
    if card.report:
        context |= {"report": card.report} | _report_context(card, card.report)
    if card.evaluation:
        content = card.evaluation.content
        context |= {
            "experiments": reading.experiments(content),
            "controls": content.at("controls"),
            "control_figures": _control_figures(content.at("controls")),
            "ablations": reading.ablations(content),
        }
    return context


def _report_context(card: Card, report: Report) -> dict[str, Any]:
    periods = reading.half_years(report.row, baseline_row(card))
    known = [period for period in periods if period.net.mean.value is not None]
    return {
        "headlines": reading.headlines(report.row, card.skill),
        "net": report.row.estimate("yearly", "net_excess_pct"),
        "weakest": min(known, key=lambda period: period.net.mean.value or 0.0) if known else None,
        "periods": len(known),
        "sessions": report.content.figure("count", "sessions"),
        "first": report.content.text("first_test"),
        "last": report.content.text("last_test"),
        "plots": plots(card),
        "levels": reading.levels(report.row),
        "lengths": reading.lengths(report.row),
        "trials": [*reading.stress(report.row), *reading.thirds(report.row)],
        "beta": report.row.estimate("ratio", "stress", "beta"),
        "r2": report.row.estimate("share", "expectations", "r2"),
        "r2_in_sample": report.row.figure("share", "r2_in_sample"),
        "skill_limit": settings.ABSTAIN_SKILL,
        "lists": lists_shown(card),
        "plots_of_lists": plots_of_lists(card),
    }


def lists_shown(card: Card) -> list[reading.ListFigures]:
    """The figures of the lists, in the order of the registry; empty where none are stored."""
    return reading.lists(card.report.content.at("lists"), list(STRATEGIES)) if card.report else []


def plots_of_lists(card: Card) -> list[Plot]:
    """The lists beside each other."""
    drawn = model_plots.lists_plot(lists_shown(card))
    return [drawn] if drawn else []


def baseline_row(card: Card) -> Part:
    """The plain baseline's row of the walk-forward report; empty without one."""
    return card.evaluation.content.at("rows", _PLAIN_BASELINE) if card.evaluation else Part({})


def plots(card: Card) -> list[Plot]:
    """The plots whose figures are stored, in the order of the page."""
    if card.report is None:
        return []
    row, baseline = card.report.row, baseline_row(card)
    inside = row.figure("share", "expectations", "interval", "stated")
    # The curves of one report begin on one session; those of two reports could not be compared.
    beside = reading.curve(baseline)
    drawn = [
        model_plots.cumulative_plot(reading.curve(card.evaluation.row if card.evaluation and beside else row), beside),
        model_plots.half_years_plot(reading.half_years(row, baseline)),
        model_plots.groups_plot(reading.rank_groups(row)),
        model_plots.reliability_plot(reading.reliability(row)),
        model_plots.coverage_plot(reading.coverage_by_month(row), inside),
        model_plots.ablations_plot(reading.ablations(card.evaluation.content)) if card.evaluation else None,
    ]
    return [plot for plot in drawn if plot]


def _control_figures(controls: Part) -> dict[str, Any]:
    values = controls.at("values").content
    return {
        "count": len(values) if isinstance(values, list) else 0,
        "mean": controls.figure("correlation", "mean"),
        "highest": controls.figure("correlation", "highest"),
        "net": controls.figure("yearly", "net_excess_pct"),
    }
