"""Faults put into real sessions: how many of two hundred symbol-days of each kind are found, and what else is.

`-s` prints the table.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.test import override_settings

from market_data.prices.bars import checked_bars
from market_data.prices.jumps import unexplained_jumps
from market_data.providers import provider
from market_data.quality.checks import days, prices
from market_data.quality.checks.check import Blocks
from market_data.quality.checks.evidence import Evidence, bars_with_past, factors_on
from tests.market_data import real_market
from tests.market_data.quality.injected import FAULTS

pytestmark = pytest.mark.real
SESSIONS, SYMBOLS_A_SESSION, LOOKED_BACK = 10, 20, 26
LIQUID_LAKH, PRICE = 50.0, 20.0
WANTED = {"price × 1.05": 0.9, "one bar under two symbols": 1.0}
USUAL = 0.99


@pytest.fixture(scope="module")
def windows(sample_dir: Path) -> list[tuple[pd.DataFrame, list[date]]]:
    """Bars of ten sessions of the second half, without funds, each with those looked back at."""
    with override_settings(NSE_ARCHIVE_DIR=sample_dir / "nse", NSE_ARCHIVE_SERIES="eq"):
        feed = provider("nse_archive")
        known = feed.sessions(None, date(2026, 4, 30))
        second = np.arange(len(known) // 2 + LOOKED_BACK, len(known))
        chosen = np.random.default_rng(11).choice(second, SESSIONS, replace=False)
        read = cache(lambda day: checked_bars(feed.bars(day).frame, session=day)[0])
        listed = feed.listed_symbols(date(2026, 4, 30))
        funds = set(listed.loc[listed["kind"].eq("fund"), "symbol"])
        detected = []
        for place in sorted(chosen):
            sessions = known[place - LOOKED_BACK : place + 1]
            bars = pd.concat([read(day) for day in sessions], ignore_index=True)
            bars = bars.loc[~bars["symbol"].isin(funds)]
            detected.append((bars.sort_values(["symbol", "date"], ignore_index=True), sessions))
    return detected


def candidates(bars: pd.DataFrame, session: date) -> pd.Index:
    """Rows of a session whose shares could be picked and traded on the three sessions before."""
    row = bars["date"].eq(pd.Timestamp(session)) & (bars["close"] > PRICE) & (bars["turnover_lakh"] > LIQUID_LAKH)
    stamps = sorted(bars["date"].unique())
    for back in (1, 2, 3):
        row &= bars["symbol"].eq(bars["symbol"].shift(back)) & bars["date"].shift(back).eq(stamps[-1 - back])
    return bars.index[row]


def evidence(bars: pd.DataFrame, sessions: Sequence[date]) -> Evidence:
    """The evidence of the last session; all are shares that traded before."""
    session, stamp = sessions[-1], pd.Timestamp(sessions[-1])
    events = real_market.events()
    events = events.loc[events["known_on"] <= stamp]
    known = bars_with_past(bars.assign(adj_close=bars["close"]), sessions)
    known = known.assign(kind="share", first_seen=pd.Timestamp("2023-04-03"))
    today, before = known.loc[known["date"] == stamp], known.loc[known["date"] == pd.Timestamp(sessions[-2])]
    by_day = known.groupby("date")["turnover_lakh"].agg(["size", "sum"])
    jumps = unexplained_jumps(today[bars.columns], bars.loc[bars["date"] < stamp], events)
    nothing = known.iloc[:0]
    return Evidence(
        session=session,
        bars=today.assign(factor=factors_on(today, events)),
        before=before,
        counts=by_day["size"],
        totals=by_day["sum"],
        provisional=0,
        loaded=sessions,
        calendar=dict.fromkeys(sessions, "normal"),
        known_until=date(2099, 1, 1),
        indicators=nothing,
        metrics=nothing,
        events=events,
        jumps=frozenset(jumps["symbol"]),
    )


def found_in(known: Evidence) -> dict[str, set[str]]:
    """Symbols kept out, by the check that does; "" where too many have the fault and the day is kept out."""
    blocking = [check for check in prices.CHECKS if check.blocks == Blocks.SYMBOL]
    return {check.name: {fault.symbol for fault in check.find(known)} for check in blocking} | {
        "price_jump": set(known.jumps)
    }


def test_two_hundred_symbol_days_of_each_fault(windows: Any) -> None:
    random = np.random.default_rng(5)
    lines, short = [], {}
    for name, inject in FAULTS.items():
        injected, detected = 0, 0
        by: Counter[str] = Counter()
        for whole, sessions in windows:
            rows = pd.Index(random.choice(candidates(whole, sessions[-1]), SYMBOLS_A_SESSION, replace=False))
            bars = whole.loc[whole["symbol"].isin(whole.loc[rows, "symbol"])].copy()
            inject(bars, rows, rows - 1)
            symbols = set(whole.loc[rows, "symbol"])
            known = found_in(evidence(bars.reset_index(drop=True), sessions))
            injected += len(symbols)
            hits = {check: symbols if "" in hit else symbols & hit for check, hit in known.items()}
            detected += len(set().union(*hits.values()))
            by.update({check: len(hit) for check, hit in hits.items() if hit})
        lines.append(f"{name:<36}{detected:>4} of {injected}   {dict(by)}")
        if detected < WANTED.get(name, USUAL) * injected:
            short[name] = detected
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert not short


def test_without_a_fault_nothing_blocks_but_real_jumps(windows: Any) -> None:
    kept_out: Counter[str] = Counter()
    for bars, sessions in windows:
        known = evidence(bars, sessions)
        kept_out.update({check: len(symbols) for check, symbols in found_in(known).items() if symbols})
        assert [check.name for check in days.CHECKS if check.blocks == Blocks.DAY and check.findings(known)] == []
    sys.stdout.write(f"\nkept out without a fault, in {len(windows)} sessions: {dict(kept_out)}\n")
    assert set(kept_out) <= {"price_jump"}


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_fault_in_every_share_keeps_out_the_day(windows: Any, name: str) -> None:
    whole, sessions = windows[0]
    rows = candidates(whole, sessions[-1])
    if name == "prices of three sessions the same":
        rows = rows[:60]
    bars = whole.copy()
    FAULTS[name](bars, rows[: len(rows) // 2 * 2], rows[: len(rows) // 2 * 2] - 1)
    known = evidence(bars, sessions)
    findings = [one for check in (*days.CHECKS, *prices.CHECKS) for one in check.findings(known) if one["blocks"]]
    of_day = {one["check_name"] for one in findings if not one["symbol"]}
    assert of_day or len(known.jumps) > 25, findings[:3]
    assert len(findings) < 60
    if name == "the bar of the day before":
        assert "repeated_day" in of_day
