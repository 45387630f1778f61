"""Checks of a session as a whole: number of bars, place in the calendar, similarity to earlier sessions; pure."""

from datetime import timedelta

import pandas as pd

from market_data.quality.checks.check import Blocks, Check, Fault, counted, day_fault
from market_data.quality.checks.evidence import REPEAT_SESSIONS, Evidence

FEWEST_BARS, MOST_BARS = 0.90, 1.10
LOST_SYMBOLS, FEWEST_LOST = 0.08, 5
REPEATED = 0.05
TURNOVER_RANGE = (0.4, 2.5)
MARKET_MOVE = 0.10
KIND_CHANGE, FEWEST_CHANGED = 0.06, 10
CALENDAR_WARNING_DAYS = 30
MISSING_LOOKBACK_DAYS = 365
LIQUID_LAKH = 50.0
GAP_SESSIONS = 5


def no_bars(evidence: Evidence) -> list[Fault]:
    """A session without a single final bar."""
    if len(evidence.bars):
        return []
    if evidence.provisional:
        return day_fault(f"all {evidence.provisional} bars of {evidence.session} are provisional, a broker's")
    return day_fault(f"there are no bars of {evidence.session}")


def bar_count(evidence: Evidence) -> list[Fault]:
    """A number of bars far from the median of the previous sessions."""
    before = evidence.counts.iloc[:-1]
    if before.empty:
        return []
    count, usual = len(evidence.bars), float(before.median())
    if FEWEST_BARS * usual <= count <= MOST_BARS * usual:
        return []
    return day_fault(f"{count} bars on {evidence.session}, usually {usual:.0f}", count=count, usual=usual)


def lost_symbols(evidence: Evidence) -> list[Fault]:
    """A session that lacks many symbols of the previous one."""
    before, today = evidence.before["symbol"], evidence.bars["symbol"]
    gone = sorted(before[~before.isin(today)].astype(str))
    if len(gone) < FEWEST_LOST or len(gone) <= LOST_SYMBOLS * len(before):
        return []
    return counted(
        gone,
        "1 of the previous session's {before} symbols has no bar: {some}",
        "{count} of the previous session's {before} symbols have no bar: {some}",
        before=len(before),
    )


def not_a_session(evidence: Evidence) -> list[Fault]:
    """Bars on a day that is no session of the calendar."""
    if evidence.session in evidence.calendar:
        return []
    return day_fault(f"{len(evidence.bars)} bars on {evidence.session}, which is no session of the calendar")


def missing_session(evidence: Evidence) -> list[Fault]:
    """Sessions of the past year, since the first one loaded, without a file."""
    loaded = set(evidence.loaded)
    if not loaded:
        return []
    since = max(min(loaded), evidence.session - timedelta(days=MISSING_LOOKBACK_DAYS))
    missing = [str(day) for day in sorted(evidence.calendar) if since < day <= evidence.session and day not in loaded]
    return counted(missing, "1 session has no bars: {some}", "{count} sessions have no bars: {some}")


def repeated_day(evidence: Evidence) -> list[Fault]:
    """A session with the bars of one of the five previous sessions."""
    traded = evidence.traded
    repeats = traded.loc[traded["repeats"] > 0, "repeats"]
    if len(repeats) <= REPEATED * len(traded):
        return []
    ago = int(repeats.mode().iloc[0])
    text = f"{len(repeats)} of {len(traded)} bars of {evidence.session} repeat those of {ago} session(s) earlier"
    return day_fault(text, count=len(repeats), sessions_before=ago)


def market_turnover(evidence: Evidence) -> list[Fault]:
    """A market turnover out of proportion to the previous sessions; special sessions are short and not checked."""
    before = evidence.totals.iloc[:-1]
    if before.empty or evidence.calendar.get(evidence.session, "normal") != "normal":
        return []
    total, usual = float(evidence.totals.iloc[-1]), float(before.median())
    if not usual or TURNOVER_RANGE[0] <= total / usual <= TURNOVER_RANGE[1]:
        return []
    message = f"the market's turnover of {evidence.session} is {total:,.0f} ₹ lakh, usually {usual:,.0f}"
    return day_fault(message, turnover_lakh=round(total), usual_lakh=round(usual))


def market_move(evidence: Evidence) -> list[Fault]:
    """A median share that moved further than the market may before the exchange halts it."""
    bars = evidence.adjacent
    shares = bars[bars["kind"].ne("fund")]
    move = (shares["close"] / shares["prev_close"]).median() - 1
    if pd.isna(move) or abs(move) <= MARKET_MOVE:
        return []
    return day_fault(f"the median share moved {move:+.1%} on {evidence.session}", move_pct=round(100 * float(move), 2))


def universe_jump(evidence: Evidence) -> list[Fault]:
    """A sudden change in the number of shares, funds or unknown securities."""
    now = evidence.bars["kind"].value_counts()
    faults = []
    for kind, before in evidence.before["kind"].value_counts().items():
        today = int(now.get(kind, 0))
        if abs(today - before) > max(FEWEST_CHANGED, KIND_CHANGE * before):
            message = f"{today} securities of kind {kind} on {evidence.session}, {before} on the previous session"
            faults += day_fault(message, kind=str(kind), today=today, before=int(before))
    return faults


def market_days_end(evidence: Evidence) -> list[Fault]:
    """A calendar that ends within thirty days."""
    last = evidence.known_until
    if (last - evidence.session).days > CALENDAR_WARNING_DAYS:
        return []
    return day_fault(f"the market days are known only until {last}; no run starts after that", last=str(last))


def provisional_bars(evidence: Evidence) -> list[Fault]:
    """Bars that the exchange's own file has not replaced yet."""
    if not evidence.provisional:
        return []
    return day_fault(f"{evidence.provisional} bars of {evidence.session} are provisional", count=evidence.provisional)


def absent_shares(evidence: Evidence) -> list[Fault]:
    """Liquid shares of the previous session without a bar today."""
    before = evidence.before
    liquid = before.loc[before["kind"].ne("fund") & (before["usual_turnover"] > LIQUID_LAKH), "symbol"]
    gone = sorted(liquid[~liquid.isin(evidence.bars["symbol"])].astype(str))
    return counted(
        gone,
        "1 liquid share of the previous session has no bar: {some}",
        "{count} liquid shares of the previous session have no bar: {some}",
    )


def back_after_gap(evidence: Evidence) -> list[Fault]:
    """Symbols that trade again after more than five sessions without a bar."""
    bars = evidence.bars
    # No earlier bar within the lookback, yet not new: the gap is longer than the lookback.
    away = bars["age"].isna() & (bars["first_seen"] < bars["date"])
    rows = bars[away | (bars["age"] > GAP_SESSIONS)]
    return counted(
        sorted(rows["symbol"].astype(str)),
        "1 symbol trades again after a gap: {some}",
        "{count} symbols trade again after a gap: {some}",
    )


CHECKS = (
    Check(
        "no_bars",
        "error",
        Blocks.DAY,
        "A session without bars has nothing to pick from.",
        "Run the pipeline for this session.",
        no_bars,
        needs="",
    ),
    Check(
        "bar_count",
        "error",
        Blocks.DAY,
        "The number of final bars must be 90 % to 110 % of the median of up to 25 previous sessions. In the first half "
        "of the real sample it was 94.5 % to 103.6 %, short special sessions included.",
        "Compare the session's file with the exchange's, replace it, and run the pipeline again.",
        bar_count,
    ),
    Check(
        "lost_symbols",
        "error",
        Blocks.DAY,
        "More than 8 % (at least 5) of the previous session's symbols without a bar mean a truncated file. The most in "
        "the first half of the real sample was 3.7 %, when many shares moved to series BE at once.",
        "The file is truncated: download it again, and run the pipeline again.",
        lost_symbols,
    ),
    Check(
        "not_a_session",
        "error",
        Blocks.DAY,
        "Bars on a day on which the exchange is closed according to the calendar.",
        "Check the date in the file; if the exchange did trade, add the day with import_market_days.",
        not_a_session,
    ),
    Check(
        "missing_session",
        "warning",
        Blocks.NOTHING,
        "A session of the past year without a file: averages reach one bar further back.",
        "Put the missing day's file in place; the next pipeline run loads it.",
        missing_session,
        needs="",
    ),
    Check(
        "repeated_day",
        "error",
        Blocks.DAY,
        f"Bars with the same prices and volume as on one of the {REPEAT_SESSIONS} previous sessions: more than 5 % of "
        "the market means an old file under a new date. In the real sample at most two symbols repeat.",
        "The file repeats an earlier session: download it again, and run the pipeline again.",
        repeated_day,
    ),
    Check(
        "market_turnover",
        "warning",
        Blocks.NOTHING,
        "The market's turnover must be 0.4 to 2.5 times the median of up to 25 previous sessions. Normal sessions of "
        "the first half of the real sample were above 0.7; Muhurat sessions and drills are short and not checked.",
        "Compare the total with the exchange's; if the unit is wrong, download the file again.",
        market_turnover,
    ),
    Check(
        "market_move",
        "warning",
        Blocks.NOTHING,
        "The median share's change from its previous close: beyond 10 % the exchange halts trading. The largest in the "
        "real sample was 5.7 %, on 2024-06-04.",
        "Compare a few closes with the exchange's; a real crash needs no action.",
        market_move,
    ),
    Check(
        "universe_jump",
        "warning",
        Blocks.NOTHING,
        "The number of shares, funds or unknown securities changed by more than 6 % (at least 10) since the previous "
        "session.",
        "Check whether the lists or the file changed their contents; compare them with the exchange's.",
        universe_jump,
    ),
    Check(
        "market_days_end",
        "warning",
        Blocks.NOTHING,
        "The calendar ends within 30 days; beyond its end sessions are not guessed.",
        "Add the exchange's whole list of holidays of the coming year with import_market_days.",
        market_days_end,
        needs="",
    ),
    Check(
        "provisional_bars",
        "warning",
        Blocks.NOTHING,
        "A vendor's bars that the exchange's file has not replaced: models and picks ignore them.",
        "Wait for the exchange's file of the session, then run the pipeline again.",
        provisional_bars,
        needs="",
    ),
    Check(
        "absent_shares",
        "info",
        Blocks.NOTHING,
        "Shares with a turnover above ₹50 lakh that traded on the previous session: moved to another series, renamed "
        "without proof, suspended or delisted.",
        "None if the exchange confirms it; with files of all series the bars continue.",
        absent_shares,
    ),
    Check(
        "back_after_gap",
        "info",
        Blocks.NOTHING,
        "Symbols without a bar for more than five sessions; no bars are invented for the gap.",
        "None; the previous close carries the return across the gap.",
        back_after_gap,
    ),
)
