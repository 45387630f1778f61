"""Checks of each bar against itself and against the symbol's earlier bars; pure."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from market_data.quality.checks.check import Blocks, Check, Fault, first_reason, limit_of, symbol_faults
from market_data.quality.checks.evidence import Evidence

TURNOVER_TOLERANCE = 0.005
TURNOVER_ROUNDING_LAKH = 0.0051
PRICE_ROUNDING = 0.0051
PREVIOUS_CLOSE_TOLERANCE = 0.0005
MISSING_DAY_SHARE = 0.1
SPIKE_UP, SPIKE_DOWN = 1.25, 0.75
OUTLIER_UP, OUTLIER_DOWN = 1.25, 0.75
FROZEN_BARS, FROZEN_PRICE, FROZEN_VOLUME = 2, 10.0, 100
DOUBLED_VOLUME = 100
VOLUME_TIMES, LOT_TIMES = 100, 100


def unit_error(evidence: Evidence) -> list[Fault]:
    """Bars whose turnover divided by volume lies outside their price range."""
    rows = evidence.traded
    value = rows["volume"].astype(float) / 1e5
    most = (rows["high"] + PRICE_ROUNDING) * value * (1 + TURNOVER_TOLERANCE)
    least = (rows["low"] - PRICE_ROUNDING) * value * (1 - TURNOVER_TOLERANCE)
    above = rows["turnover_lakh"] - TURNOVER_ROUNDING_LAKH > most
    below = rows["turnover_lakh"] + TURNOVER_ROUNDING_LAKH < least
    wrong = rows[above | below].assign(paid=lambda bars: bars["turnover_lakh"] * 1e5 / bars["volume"])
    text = "{symbol} traded between {low:.2f} and {high:.2f}, but turnover divided by volume is {paid:.4g}"
    return symbol_faults(wrong, text, "low", "high", "paid", "volume", "turnover_lakh")


def previous_close(evidence: Evidence) -> list[Fault]:
    """Bars whose PREV_CLOSE is not the close of the previous session."""
    rows = evidence.adjacent
    rows = rows[rows["prev_close"].notna()]
    off = (rows["prev_close"] - rows["last_close"]).abs()
    wrong = rows[off > PRICE_ROUNDING + PREVIOUS_CLOSE_TOLERANCE * rows["last_close"]]
    if len(wrong) > max(limit_of(len(evidence.bars)), MISSING_DAY_SHARE * len(rows)):
        before = wrong["last_date"].max().date()
        between = [day.date() for day in pd.date_range(before, evidence.session, inclusive="neither")]
        if between:
            return [_missing_day(before, evidence.session, between, len(wrong), len(rows))]
    text = "{symbol} closed the previous session at {last_close:.2f}, but its previous close is {prev_close:.2f}"
    return symbol_faults(wrong, text, "last_close", "prev_close")


def _missing_day(before: date, session: date, between: Sequence[date], wrong: int, compared: int) -> Fault:
    days = " or ".join(f"{day:%A} {day}" for day in between)
    message = (
        f"{wrong} of {compared} previous closes of {session} are not the closes of {before}: a session in between looks"
        f" missing ({days})"
    )
    remedy = (
        f"See whether the exchange traded on {days}. If so, record that day as a session (Market days in the admin, or"
        " import_market_days), put its file in place unless the files are downloaded, and run the pipeline again. If"
        f" not, the file of {before} or {session} is wrong: replace it and run the pipeline again."
    )
    sample = {"count": wrong, "compared": compared, "days": [str(day) for day in between]}
    return Fault("", message, sample, remedy)


def range_spike(evidence: Evidence) -> list[Fault]:
    """Highs and lows so far from open, close and previous close that no price band allows a trade there."""
    rows = evidence.bars
    anchors = rows[["open", "close"]].assign(before=rows["prev_close"] * rows["factor"])
    up, down = rows["high"] / anchors.max(axis=1), rows["low"] / anchors.min(axis=1)
    text = "{symbol} opened at {open:.2f} and closed at {close:.2f}, but its range is {low:.2f} to {high:.2f}"
    wrong = rows[(up > SPIKE_UP) | (down < SPIKE_DOWN)]
    return symbol_faults(wrong, text, "open", "high", "low", "close", "prev_close")


def frozen_price(evidence: Evidence) -> list[Fault]:
    """Shares that repeat the previous session's bar exactly, or the same prices for three sessions."""
    rows = evidence.traded
    rows = rows[rows["kind"].ne("fund") & (rows["volume"] >= FROZEN_VOLUME)]
    copied = rows["repeats"] == 1
    unchanged = (rows["identical"] >= FROZEN_BARS) & (rows["close"] >= FROZEN_PRICE)
    wrong = rows[copied | unchanged].assign(sessions=lambda bars: bars["identical"] + 1)
    text = "{symbol} has the same prices on {sessions} sessions in a row ({close:.2f}, volume {volume})"
    return symbol_faults(wrong, text, "sessions", "open", "high", "low", "close", "volume")


def doubled_bar(evidence: Evidence) -> list[Fault]:
    """Bars that two symbols share, volume included."""
    rows = evidence.traded
    rows = rows[rows["volume"] >= DOUBLED_VOLUME]
    key = ["open", "high", "low", "close", "volume"]
    doubled = rows[rows.duplicated(key, keep=False)]
    partners = doubled.groupby(key)["symbol"].transform(lambda symbols: ", ".join(sorted(symbols)))
    text = "the same bar is stored under {partners}"
    return symbol_faults(doubled.assign(partners=partners), text, "partners", "close", "volume")


def impossible_figures(evidence: Evidence) -> list[Fault]:
    """Impossible quantities and prices: more delivered or more trades than shares, an average out of range."""
    rows = evidence.bars
    low, high = rows["low"] - PRICE_ROUNDING, rows["high"] + PRICE_ROUNDING
    reasons = {
        "more shares delivered than traded": rows["delivered_quantity"] > rows["volume"],
        "more trades than shares": rows["trades"] > rows["volume"],
        "shares without a trade": (rows["trades"] == 0) & (rows["volume"] > 0),
        "turnover without a share": (rows["volume"] == 0) & (rows["turnover_lakh"] > 0),
        "a negative turnover": rows["turnover_lakh"] < 0,
        "an average price outside its range": ~rows["vwap"].between(low, high) & rows["vwap"].notna(),
        "a last price outside its range": ~rows["last_price"].between(low, high) & rows["last_price"].notna(),
    }
    reason = first_reason(rows, reasons)
    wrong = rows.assign(reason=reason)[reason.ne("")]
    columns = ("reason", "low", "high", "vwap", "last_price", "volume", "trades", "delivered_quantity", "turnover_lakh")
    return symbol_faults(wrong, "{symbol} has {reason}", *columns)


def price_outlier(evidence: Evidence) -> list[Fault]:
    """Opens and closes beyond any price band that neither an event nor a flagged jump explains."""
    rows = evidence.bars[~evidence.bars["symbol"].isin(evidence.jumps) & evidence.bars["prev_close"].gt(0)]
    rows = rows[rows["first_seen"] < rows["date"]]
    base = rows["prev_close"] * rows["factor"]
    rows = rows.assign(opening=rows["open"] / base, change=rows["close"] / base)
    far = ~rows["opening"].between(OUTLIER_DOWN, OUTLIER_UP) | ~rows["change"].between(OUTLIER_DOWN, OUTLIER_UP)
    text = "{symbol} opened at {opening:.3f} and closed at {change:.3f} of its previous close"
    return symbol_faults(rows[far], text, "opening", "change", "prev_close", "open", "close")


def volume_outlier(evidence: Evidence) -> list[Fault]:
    """Shares whose volume and shares per trade are both a hundred times the usual."""
    rows = evidence.traded[evidence.traded["kind"].ne("fund")]
    times, lots = rows["volume"] / rows["usual_volume"], rows["lot"] / rows["usual_lot"]
    wrong = rows.assign(times=times, lots=lots)[(times > VOLUME_TIMES) & (lots > LOT_TIMES)]
    text = "{symbol} traded {times:.0f} times its usual volume, in trades of {lots:.0f} times the usual size"
    return symbol_faults(wrong, text, "volume", "usual_volume", "lot", "usual_lot")


CHECKS = (
    Check(
        "unit_error",
        "error",
        Blocks.SYMBOL,
        "Turnover divided by volume is the average price paid, so it lies between low and high. Allowed are the "
        "rounding of the turnover to ₹1,000 and 0.5 %; no bar of the real sample is outside, even without the 0.5 %.",
        "Compare price, volume and turnover with the exchange's: one has the wrong unit. Download the file again.",
        unit_error,
    ),
    Check(
        "previous_close",
        "error",
        Blocks.SYMBOL,
        "The file's previous close is the unadjusted close of the previous session, even across splits; 0.05 % and "
        "half a paisa are allowed. Checked only if the symbol traded then; no bar of the real sample deviates.",
        "Compare both closes with the exchange's: one session is wrong. Replace its file and run the pipeline.",
        previous_close,
    ),
    Check(
        "range_spike",
        "error",
        Blocks.SYMBOL,
        "The high is at most 1.25 times the highest, the low at least 0.75 times the lowest of open, close and "
        "previous close: the widest price band is 20 %. 1.2 and 0.8 find five in half of the real sample.",
        "Compare the bar with the exchange's: a digit of high or low is wrong. Replace the file and run the pipeline.",
        range_spike,
    ),
    Check(
        "frozen_price",
        "error",
        Blocks.SYMBOL,
        "A share with a volume of at least 100 that repeats the previous session's bar, volume included, or the same "
        "four prices for three sessions at ₹10 or more. Money-market funds and shares of a few rupees, whose price is "
        "a few ticks, do stand still; in the first half of the real sample no other did.",
        "Compare with the exchange's file: the source repeats an old price. Replace the file and run the pipeline.",
        frozen_price,
    ),
    Check(
        "doubled_bar",
        "error",
        Blocks.SYMBOL,
        "Two symbols with the same prices and the same volume of at least 100 shares in one session: a row was written "
        "twice. Never in the real sample.",
        "Compare both symbols with the exchange's file: one of them has the other's bar. Replace the file and run the "
        "pipeline.",
        doubled_bar,
    ),
    Check(
        "impossible_figures",
        "error",
        Blocks.SYMBOL,
        "True by definition: at most as many shares delivered as traded, at most as many trades as shares, average and "
        "last price within the range. True of every bar of the real sample.",
        "Compare the row with the exchange's file: columns may be swapped. Replace the file and run the pipeline.",
        impossible_figures,
    ),
    Check(
        "price_outlier",
        "warning",
        Blocks.NOTHING,
        "Open or close more than 25 % from the factor-adjusted previous close without a flagged jump: shares without "
        "a price band, stray opening trades. All of those in the real sample are true, so they do not block. First "
        "sessions are not checked: their previous close is an issue price, or decades old.",
        "Compare with the exchange's file; if a corporate action explains it, add it to lists/CF-CA-equities.csv.",
        price_outlier,
    ),
    Check(
        "volume_outlier",
        "info",
        Blocks.NOTHING,
        "Volume and shares per trade both above 100 times the median of ten bars: a wrong unit, or a block deal. "
        "Funds, which mostly trade in blocks, are not checked.",
        "Compare with the exchange's file; a block deal needs no action.",
        volume_outlier,
    ),
)
