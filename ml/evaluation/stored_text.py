"""A result of ``stored_report`` as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from ml.evaluation.numbers import interval, number, percent, rupees

Row = Mapping[str, Any]


def stored_report_text(content: Mapping[str, Any]) -> str:
    """All sections, one below the other; money in percent a year over the equal-weight universe, after costs."""
    [(name, row)] = content["rows"].items()
    lines = [
        f"{name} (recipe {row['recipe']}): {content['sessions']} sessions from {content['first_test']} to"
        f" {content['last_test']}, outcomes known as of {content['as_of']}.",
        "Money is percent a year over the equal-weight universe, with its 90 % interval; errors are Newey-West.",
    ]
    for section in (_heads, _lengths, _segments, _stress, _expectations):
        lines += ["", *section(row)]
    lines += ["", *_lists(content), "", *_exits(content)]
    return "\n".join(lines)


def _heads(row: Row) -> Iterator[str]:
    yield f"{'order':<14}{'rank IC ± 95 %':>18}{'ratio':>8}{'hit rate':>10}{'first less last tenth (not tradable)':>40}"
    for name, head in row["heads"].items():
        ic = f"{number(head['rank_ic']['mean'])} ± {number(head['rank_ic']['half_width_95'])}"
        spread = percent(head["decile_spread"]["mean"], 2)
        yield f"{name + ' head':<14}{ic:>18}{number(head['ratio']['mean'], 2):>8}" + (
            f"{percent(head['hit_rate']['mean']):>10}{spread:>40}"
        )


def _lengths(row: Row) -> Iterator[str]:
    yield f"{'first':<8}{'gross':>22}{'net':>22}{'bought':>8}{'deepest fall':>14}{'capacity: every order, half':>32}"
    for places, top in row["lengths"].items():
        room = f"{rupees(top['capacity']['every_order'])}, {rupees(top['capacity']['half_of_orders'])}"
        yield f"{places:<8}{_money(top['gross_excess_pct']):>22}{_money(top['net_excess_pct']):>22}" + (
            f"{number(top['bought']['mean'], 2):>8}{number(top['deepest_fall_pct'], 1):>14}{room:>32}"
        )


def _segments(row: Row) -> Iterator[str]:
    parts = row["segments"]
    yield f"{'part':<32}{'rank IC ± 95 %':>18}{'net':>22}"
    named = {**parts["year"], **parts["half_year"], **parts["liquidity"], "> ₹10 crore a day": parts["above_10_crore"]}
    for name, part in named.items():
        yield f"{name:<32}{_ic(part):>18}{_money(part['net_excess_pct']):>22}"
    yield f"{'sector (1 % of the places or more)':<34}{'rank IC ± 95 %':>16}{'gross of its places':>22}{'places':>8}"
    # Of a sector with fewer places an interval is as wide as the room; --json has them all.
    for name, part in _of_size(parts["sector"]).items():
        places = percent(part["places"]["mean"])
        yield f"{name[:31]:<32}{_ic(part):>18}{_money(part['gross_excess_pct']):>22}{places:>8}"


def _of_size(sectors: Mapping[str, Row]) -> dict[str, Row]:
    return {name: part for name, part in sectors.items() if (part["places"]["mean"] or 0) >= 0.01}


def _stress(row: Row) -> Iterator[str]:
    yield f"{'stress':<32}{'net':>22}{'> ₹10 crore':>22}"
    for name, title in (("impact_doubled", "impact doubled"), ("entry_late", "entry one session late")):
        part = row["stress"][name]
        yield f"{title:<32}{_money(part['net_excess_pct']):>22}{_money(part['liquid_net_excess_pct']):>22}"
    beta = row["stress"]["beta"]
    yield f"beta to the universe {number(beta['mean'], 2)} ± {number(beta['half_width_95'], 2)}"


def _expectations(row: Row) -> Iterator[str]:
    stated = row["expectations"]
    if stated is None:
        yield "No prediction of the span was calibrated."
        return
    yield f"stated against what came, {stated['sessions']} sessions from {stated['first']}"
    yield f"{'rank':<10}{'expected %':>12}{'came %':>10}{'error':>8}  within two errors"
    for name, group in stated["excess"]["groups"].items():
        error = number(group["difference_pct"]["standard_error"], 2)
        yield f"{name:<10}{number(group['expected_pct'], 2):>12}{number(group['came_pct']['mean'], 2):>10}" + (
            f"{error:>8}  {'yes' if group['within_two_errors'] else 'NO'}"
        )
    over = stated["excess"]["first_50_over_costs"]
    yield f"first 50 expected above their costs ({over['cost_pct']:.2f} %) on {percent(over['mean'])} of the days"
    inner = number(row["r2_in_sample"], 4)
    yield f"R² of the expected excess {number(stated['r2']['mean'], 4)} {interval(stated['r2'], 4)}, in sample {inner}"
    chance = stated["probability"]
    yield f"probability by tenths: Spearman {number(chance['spearman'], 2)}, calibration error" + (
        f" {number(chance['calibration_error']['mean'], 4)}"
    )
    inside = stated["interval"]
    yield f"interval of {percent(inside['stated'])}: {percent(inside['pooled']['mean'])} came, worst of" + (
        f" {inside['months']} months {percent(inside['worst_month'])}"
    )
    for name, level in stated["levels"].items():
        yield f"{name}: stated {percent(level['stated'])}, came {percent(level['came']['mean'])}, of the first 50" + (
            f" {percent(level['came_first_50']['mean'])}"
        )
    risk = stated["risk"]
    alone = number(risk["atr"]["mean"]) if risk["atr"] else "–"
    yield f"risk: rank IC with the drawdown {number(risk['model']['mean'])}, of the ATR alone {alone}"


def _lists(content: Row) -> Iterator[str]:
    yield f"{'list':<10}{'sessions':>9}{'full':>6}{'since':>12}{'shares':>8}{'net':>22}{'bought':>8}" + (
        f"{'net less that of model':>26}"
    )
    for name, row in content["lists"].items():
        pair = _money(row["paired"]) if "paired" in row else ""
        facts = f"{row['sessions']:>9}{row['full_sessions']:>6}{row['first'] or '–':>12}{number(row['shares'], 0):>8}"
        yield f"{name:<10}{facts}{_money(row['net_excess_pct']):>22}{number(row['bought']['mean'], 2):>8}{pair:>26}"


def _exits(content: Row) -> Iterator[str]:
    exits = content["exits"]
    late, unsold = f"{exits['late']:,}", f"{exits['unsold']:,}"
    yield f"exits due {exits['due']:,}, sold more than 5 sessions late {late}, not sold at last {unsold}"


def _ic(part: Row) -> str:
    return f"{number(part['rank_ic']['mean'])} ± {number(part['rank_ic']['half_width_95'])}"


def _money(figures: Mapping[str, float | None]) -> str:
    return f"{number(figures['mean'], 1)} {interval(figures)}"
