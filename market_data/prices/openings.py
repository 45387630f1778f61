"""Openings far from the previous close, and what an opening can prove.

On consecutive sessions no share opens further from its previous close than its price band allows, which is 20 % at
most; shares with derivatives, which have no band during the day, have one as wide in the pre-open that makes the
opening. So an opening beyond it proves that the exchange itself changed the base price. PREV_CLOSE in the daily files
stays the raw close on every ex-date (on each of the real sample's, and on each of its 1.5 million pairs of sessions):
the new base is not published there and has to be measured. After a gap or a listing an opening proves nothing: no band
ties it to an old close.

Funds are another matter: their base is the net asset value, and a stray first order may lie anywhere in its band.
"""

from collections.abc import Hashable, Set

import pandas as pd

from market_data.prices.events import UNREAD
from stocks.universe.renames import ISIN_ISSUER_LENGTH

PRICE_BAND = 0.20
"""The widest daily band of a share's price around its base."""

# Prices move in steps; on a base between two the limit is rounded.
PRICE_STEP = 0.05
HISTORY_ROWS = 20
# Nearer to the previous close than this, an opening is neither a simple ratio nor a jump.
FAR_OPENING = (0.85, 1.25)
# Over a gap (suspension, another series) prices move by themselves: only a change this large is flagged.
GAP_JUMP_DOWN, GAP_JUMP_UP = 0.45, 2.2


def below_band(facts: pd.DataFrame) -> pd.Series:
    """Whether each opening lies further below the previous close than any price band."""
    return facts["open"] < facts["prev_close"] * (1 - PRICE_BAND) - PRICE_STEP


def far_openings(bars: pd.DataFrame, events: pd.DataFrame | None = None) -> pd.Series:
    """Return which rows of a long history may hold an inferred event or a jump; only those need a closer look.

    Parameters
    ----------
    bars
        Bar frame sorted by symbol and date.
    events
        Event frame; with it, the first row of a symbol on or after the ex-date of each factor, demerger and unread
        action counts too: a factor that the price does not follow is a jump, and the opening tells a demerger's.

    Returns
    -------
    Series of bool
        Same index: the opening lies far from the previous close, or from the close of the symbol's row before.
    """
    same = bars["symbol"].eq(bars["symbol"].shift())
    last_close = bars["close"].shift().where(same)
    near = (bars["open"] / bars["prev_close"]).between(*FAR_OPENING)
    near &= (bars["open"] / last_close).between(GAP_JUMP_DOWN, GAP_JUMP_UP)
    far = ~near & last_close.notna()
    if events is None or events.empty:
        return far
    is_acting = events["factor"].gt(0) | events["kind"].isin(("demerger", UNREAD))
    acting = events.loc[is_acting, ["symbol", "ex_date"]]
    rows = bars.loc[bars["symbol"].isin(acting["symbol"]), ["symbol", "date"]].rename_axis("row").reset_index()
    rows = rows.merge(acting, on="symbol")
    first = rows[rows["date"] >= rows["ex_date"]].drop_duplicates(["symbol", "ex_date"])
    return far | pd.Series(bars.index.isin(first["row"]), index=bars.index) & last_close.notna()


def session_of(today: pd.DataFrame) -> pd.Timestamp | None:
    dates = today["date"].unique()
    if len(dates) > 1:
        raise ValueError(f"bars of one session expected, got {len(dates)} dates: pass one session at a time")
    return pd.Timestamp(dates[0]) if len(dates) else None


def opening_facts(
    today: pd.DataFrame, history: pd.DataFrame, issue_sizes: pd.DataFrame | None, always: Set[Hashable]
) -> pd.DataFrame:
    """Facts of each symbol that opened far from its previous close or came back after a gap, and of those in `always`.

    Indexed by symbol: the bar of the day; opening (over the previous close); last_close and last_date of the row
    before; adjacent (it traded on the session just before, and closed there at the previous close); rows and
    usual_turnover_lakh of the last ``HISTORY_ROWS``; turnover_ratio; new_isin; issue_ratio (issued shares before over
    after, NaN where unknown).
    """
    previous_session = history["date"].max()
    neighbours = history.loc[history["date"].eq(previous_session), "symbol"]
    opening = today["open"] / today["prev_close"]
    far = ~opening.between(*FAR_OPENING) | ~today["symbol"].isin(neighbours) | today["symbol"].isin(always)
    facts = today[far & today["prev_close"].gt(0) & today["open"].gt(0)].set_index("symbol")
    past = history[history["symbol"].isin(facts.index)].sort_values("date", kind="stable")
    past = past.groupby("symbol").tail(HISTORY_ROWS)
    last = past.drop_duplicates("symbol", keep="last").set_index("symbol")
    facts = facts[facts.index.isin(last.index)]
    last = last.reindex(facts.index)
    by_symbol = past.groupby("symbol")
    # Two plain aggregations: `agg` with names takes as long as all the rest of a day.
    facts = facts.assign(usual_turnover_lakh=by_symbol["turnover_lakh"].median(), rows=by_symbol.size())
    sizes = issue_sizes.set_index("symbol") if issue_sizes is not None else pd.DataFrame(columns=["before", "today"])
    with_isin = "isin" in facts and "isin" in last
    return facts.assign(
        opening=facts["open"] / facts["prev_close"],
        last_close=last["close"],
        last_date=last["date"],
        adjacent=last["date"].eq(previous_session) & (facts["prev_close"] / last["close"] - 1).abs().lt(0.005),
        new_isin=_changed_isin(facts["isin"], last["isin"]) if with_isin else False,
        turnover_ratio=facts["turnover_lakh"] / facts["usual_turnover_lakh"],
        issue_ratio=(sizes["before"] / sizes["today"]).astype(float).reindex(facts.index),
    )


def _changed_isin(now: pd.Series, before: pd.Series) -> pd.Series:
    both = now.notna() & before.notna()
    same_issuer = now.astype(str).str[:ISIN_ISSUER_LENGTH].eq(before.astype(str).str[:ISIN_ISSUER_LENGTH])
    return both & now.ne(before) & same_issuer
