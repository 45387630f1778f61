"""A result of ``report`` as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from ml.evaluation.numbers import interval, number

Row = Mapping[str, Any]


def report_text(content: Mapping[str, Any]) -> str:
    """The table of the rows, the ablations and the controls."""
    halves = sorted({half for row in content["rows"].values() for half in row["segments"]["half_year"]})
    return "\n".join([*_table(content, halves), *_ablations(content["ablations"]), *_controls(content["controls"])])


def _table(content: Mapping[str, Any], halves: list[str]) -> Iterator[str]:
    yield (
        f"Walk-forward {content['first_test']} … {content['last_test']}, {content['sessions']} sessions. Net: percent a"
        " year over the equal-weight universe,"
    )
    yield (
        "after charges and impact, 50 shares kept until rank 150, with its 90 % interval; >10 cr: among shares of more"
        " than ₹10 crore a day."
    )
    yield f"{'':17}{'rank IC':>8}{'±95%':>7}{'net':>7}{'90 %':>16}{'>10 cr':>8}{'bought':>8}" + (
        "".join(f"{half:>9}" for half in halves) + "  net against plain"
    )
    for name, row in content["rows"].items():
        cells = f"{name:17}{_figures(row)}{number(row['bought'], 2):>8}"
        yield cells + "".join(f"{_half(row, half):>9}" for half in halves) + _pair(row)


def _figures(row: Row) -> str:
    net, liquid, ic = row["net_excess_pct"], row["liquid_net_excess_pct"], row["rank_ic"]
    money = f"{number(net['mean'], 1):>7}{interval(net):>16}{number(liquid['mean'], 1):>8}"
    return f"{number(ic['mean']):>8}{number(ic['half_width_95']):>7}{money}"


def _half(row: Row, half: str) -> str:
    part = row["segments"]["half_year"].get(half)
    return number(part["net_excess_pct"]["mean"] if part else None, 1)


def _pair(row: Row) -> str:
    pair = row.get("paired", {}).get("net_excess_pct")
    return f"  {number(pair['mean'], 1)} {interval(pair)}" if pair else ""


def _ablations(section: Row | None) -> Iterator[str]:
    if section is None:
        return
    yield f"Ablations: {section['note']}"
    yield f"{'':25}{'rank IC':>8}{'±95%':>7}{'net':>7}{'90 %':>16}{'>10 cr':>8}  net against all features"
    for name, row in section["rows"].items():
        yield f"{name:25}{_figures(row)}{_pair(row)}"


def _controls(controls: Row) -> Iterator[str]:
    if not controls["values"]:
        return
    yield (
        f"{'shuffled':17}{number(controls['mean']):>8}  {len(controls['values'])} controls, highest"
        f" {number(controls['highest'])}: mean within 2 standard errors of 0: {_yes_no(controls['passed_zero'])};"
        f" all below the model: {_yes_no(controls['passed_below'])};"
    )
    yield (
        f"{'':25}  net {number(controls['net_excess_pct'], 1)} on average,"
        f" none earns significantly after costs: {_yes_no(controls['passed_money'])}"
    )


def _yes_no(passed: bool) -> str:
    return "yes" if passed else "NO"
