"""Checks before sending: each code by cases computed by hand, both sides of its line, and what unknown facts do.

The order that passes: on Wednesday 2026-08-05 at 10:00 buy 10 of AAA (EQ, no derivatives) at ₹100, limit. With the
reserve for charges it needs 10 × 100 × 1.005 + 5 = ₹1,010.
"""

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charges import Product, Side
from brokers.protocol import OrderType, SellAuthorisation
from market_data.trading_phases import IST, SessionDay
from portfolio.orders.evidence import Draft, Evidence, Holding, Limits, Share, Standing
from portfolio.orders.risk import CHECKS, refusals

DAY, YESTERDAY = date(2026, 8, 5), date(2026, 8, 4)
NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
BUY = Draft("A1", DAY, "AAA", Side.BUY, 10, OrderType.LIMIT, Decimal(100))
SELL = replace(BUY, side=Side.SELL)
MARKET = replace(BUY, order_type=OrderType.MARKET, price=None, market_protection=Decimal(1))
STOP_MARKET = replace(MARKET, order_type=OrderType.STOP_MARKET, trigger_price=Decimal(100))
RICH = Decimal(2000)
SHARE = Share(
    series="EQ",
    kind="share",
    suspended=False,
    quarantined=False,
    has_derivatives=False,
    lot=1,
    tick_size=Decimal("0.05"),
    lower_band=Decimal(90),
    upper_band=Decimal(110),
    last_price=Decimal(100),
    prices_of=YESTERDAY,
    sector="Power",
)
STANDING = Standing(
    is_live=True,
    holding=Holding(10),
    cash=Decimal(1010),
    equity=Decimal(10_000),
    peak=Decimal(10_000),
    profit_today=Decimal(0),
    position_value=Decimal(0),
    sector_value=Decimal(0),
    orders_today=0,
    orders_last_second=0,
    same_orders=0,
    unknown_symbols=(),
    blocked_by=(),
    sell_authorisation=SellAuthorisation.STANDING,
    outgoing_ip="203.0.113.7",
    registered_ips=("203.0.113.7",),
)
PASSES = Evidence(
    at=datetime(2026, 8, 5, 10, tzinfo=IST),
    day=SessionDay(DAY, "normal", True, time(9, 15), time(15, 30)),
    share=SHARE,
    standing=STANDING,
    latest_session=YESTERDAY,
    stopped_by="",
)
ALL_CODES = (
    *("session_closed", "phase", "not_tradable", "trade_to_trade", "band", "lot", "tick", "order_value"),
    *("position_share", "sector_share", "orders_a_day", "daily_loss", "drawdown", "stale_data", "funds"),
    *("not_authorised_to_sell", "not_delivered", "duplicate", "unknown_open", "account_blocked", "kill_switch"),
    *("static_ip", "rate", "market_protection"),
)
LIMIT_CODES = frozenset(ALL_CODES[7:13])


def changed(**facts: Any) -> Evidence:
    """The evidence that passes, with facts of the share, the standing, the limits or itself replaced."""
    evidence = PASSES
    for name, value in facts.items():
        if name in Evidence.__dataclass_fields__:
            evidence = replace(evidence, **{name: value})
        else:
            part = next(part for part in ("share", "standing") if hasattr(getattr(evidence, part), name))
            evidence = replace(evidence, **{part: replace(getattr(evidence, part), **{name: value})})
    return evidence


def limited(standing: dict[str, Any] | None = None, **limits: Any) -> Evidence:
    return replace(changed(**(standing or {})), limits=Limits(**limits))


def at(clock: str, **facts: Any) -> Evidence:
    return changed(at=datetime.fromisoformat(f"2026-08-05T{clock}+05:30"), **facts)


def codes(draft: Draft, evidence: Evidence) -> list[str]:
    return [refusal.code for refusal in refusals(draft, evidence)]


def priced(price: str, **more: Any) -> Draft:
    return replace(BUY, price=Decimal(price), **more)


def test_a_share_that_has_not_traded_lately_can_be_sold_at_a_price_of_its_own():
    """A thin share without a bar of yesterday: nothing of ours keeps a person in it; only a market order waits."""
    stale = changed(prices_of=date(2026, 7, 1))
    assert codes(SELL, stale) == []
    at_market = replace(MARKET, side=Side.SELL)
    assert (codes(at_market, stale), codes(BUY, stale)) == (["stale_data"], ["stale_data"])


def test_the_codes_are_those_agreed_on_and_the_base_passes():
    assert tuple(CHECKS) == ALL_CODES
    for draft in (BUY, SELL, MARKET, STOP_MARKET):
        assert refusals(draft, changed(cash=RICH)) == []
    assert refusals(BUY, PASSES) == []


HOLIDAY = SessionDay(DAY, "holiday", False)
MUHURAT = SessionDay(DAY, "muhurat", True, time(18), time(19))
BONDED = {"series": "BE"}

REFUSED: list[tuple[str, Draft, Evidence, str]] = [
    # the market
    ("session_closed", BUY, changed(day=None), "does not know 2026-08-05; add its market days"),
    ("session_closed", BUY, changed(day=HOLIDAY), "2026-08-05 is no session (holiday)"),
    (
        "session_closed",
        replace(BUY, session=YESTERDAY),
        PASSES,
        "for the session of 2026-08-04 and today is 2026-08-05",
    ),
    ("phase", BUY, at("08:59:59"), "At 08:59:59 nothing can be entered"),
    ("phase", BUY, at("09:08:00"), "At 09:08:00 nothing can be entered"),
    ("phase", BUY, at("15:30:00"), "nothing can be entered"),
    ("phase", BUY, at("15:45:00"), "nothing can be entered"),
    ("phase", STOP_MARKET, at("15:20:00", has_derivatives=True, cash=RICH), "takes market and limit orders, not sl-m"),
    ("phase", BUY, at("15:20:00", has_derivatives=None), "which AAA is is not known"),
    ("phase", BUY, changed(day=MUHURAT), "At 10:00:00 nothing can be entered"),
    ("phase", BUY, changed(day=replace(MUHURAT, opens=None)), "enter them in market_days"),
    # the share
    ("not_tradable", BUY, changed(series=None), "AAA is in no list of symbols"),
    ("not_tradable", BUY, changed(series="GB"), "series GB; only EQ, BE, BZ, SM, ST"),
    ("not_tradable", BUY, changed(renamed_to="NEW"), "AAA trades as NEW; order that"),
    ("not_tradable", SELL, changed(suspended=True), "AAA is suspended"),
    ("not_tradable", BUY, changed(quarantined=True), "Findings keep AAA out"),
    ("not_tradable", BUY, changed(quarantined=None), "let the evening's validation end"),
    ("not_tradable", BUY, changed(kind="fund"), "AAA is a fund"),
    ("not_tradable", BUY, changed(kind="unknown"), "Whether AAA is a share is not known"),
    ("trade_to_trade", replace(BUY, product=Product.INTRADAY), changed(**BONDED), "series BE, delivery only"),
    ("band", priced("110.05"), changed(cash=RICH), "110.05 is outside today's band, 90 to 110"),
    ("band", priced("89.95"), PASSES, "89.95 is outside"),
    ("band", replace(STOP_MARKET, trigger_price=Decimal("110.05")), changed(cash=RICH), "trigger price 110.05"),
    ("lot", replace(BUY, quantity=0), PASSES, "The quantity is 0"),
    ("lot", replace(BUY, quantity=-5), PASSES, "The quantity is -5"),
    ("lot", BUY, changed(series="SM", lot=None), "its lot is not known"),
    ("lot", BUY, changed(series="SM", lot=4), "10 is no multiple of AAA's lot, 4"),
    ("lot", BUY, changed(freeze_quantity=10), "an order has fewer than 10"),
    ("tick", priced("100.03"), changed(cash=RICH), "100.03 is no multiple of AAA's tick, 0.05"),
    ("tick", replace(BUY, order_type=OrderType.STOP), PASSES, "A sl order needs a trigger price, and None was given"),
    ("tick", replace(MARKET, price=Decimal(100)), changed(cash=RICH), "A market order has no price"),
    (
        "stale_data",
        BUY,
        changed(prices_of=date(2026, 8, 3)),
        "newest price of AAA is of 2026-08-03; load the session of 2026-08-04",
    ),
    ("stale_data", BUY, changed(prices_of=None), "No price of AAA is known"),
    ("stale_data", BUY, changed(latest_session=None), "latest completed session is not known"),
    ("market_protection", replace(MARKET, market_protection=None), changed(cash=RICH), "protection None"),
    ("market_protection", replace(MARKET, market_protection=Decimal(0)), changed(cash=RICH), "protection 0"),
    ("market_protection", replace(STOP_MARKET, market_protection=Decimal(-2)), changed(cash=RICH), "-2 is neither"),
    ("market_protection", replace(MARKET, market_protection=Decimal("100.5")), changed(cash=RICH), "100.5 is"),
    # the account's limits: 10 × 100 = 1,000 is 10 % of 10,000
    ("order_value", BUY, limited(order_value=Decimal("999.99")), "comes to ₹1000, above the limit of ₹999.99"),
    ("position_share", BUY, limited(position_share=Decimal("0.0999")), "AAA would be 10.00% of the account"),
    ("position_share", BUY, limited({"position_value": Decimal(1)}, position_share=Decimal("0.1")), "above the limit"),
    ("position_share", BUY, limited({"equity": None}, position_share=Decimal("0.1")), "is not known"),
    (
        "sector_share",
        BUY,
        limited({"sector_value": Decimal(2001)}, sector_share=Decimal("0.3")),
        "sector Power would be 30.01%",
    ),
    (
        "sector_share",
        BUY,
        limited({"sector": None}, sector_share=Decimal("0.3")),
        "sector unknown would be is not known",
    ),
    ("orders_a_day", BUY, limited({"orders_today": 3}, orders_a_day=3), "Today has 3 orders and the limit is 3"),
    ("orders_a_day", BUY, limited({"orders_today": None}, orders_a_day=3), "How many orders today has is not known"),
    (
        "daily_loss",
        BUY,
        limited({"profit_today": Decimal(-500)}, daily_loss=Decimal(500)),
        "lost ₹500, and the limit is ₹500",
    ),
    ("daily_loss", BUY, limited({"profit_today": None}, daily_loss=Decimal(500)), "What today has lost is not known"),
    ("drawdown", BUY, limited({"equity": Decimal(8000)}, drawdown=Decimal("0.2")), "20.00% below its peak of ₹10000"),
    ("drawdown", BUY, limited({"peak": None}, drawdown=Decimal("0.2")), "below its peak is not known"),
    # money and delivery
    ("funds", BUY, changed(cash=Decimal("1009.99")), "needs ₹1010.000 with its charges and ₹1009.99 is free"),
    ("funds", BUY, changed(cash=None), "What cash is free is not known"),
    ("funds", BUY, changed(charges=Decimal("10.01")), "needs ₹1010.01"),
    ("funds", MARKET, PASSES, "needs ₹1020.050"),  # 10 × 101 × 1.005 + 5
    ("funds", MARKET, changed(last_price=None), "give the order a price"),
    ("funds", replace(MARKET, market_protection=Decimal(-1)), changed(upper_band=None), "give the order a price"),
    ("funds", replace(BUY, quantity=10**30), PASSES, "is free; order fewer"),
    ("not_authorised_to_sell", SELL, changed(sell_authorisation=SellAuthorisation.UNKNOWN), "is not known"),
    ("not_authorised_to_sell", SELL, changed(sell_authorisation=SellAuthorisation.PER_DAY), "and there is none"),
    (
        "not_authorised_to_sell",
        SELL,
        changed(sell_authorisation=SellAuthorisation.PER_DAY, authorised_on=YESTERDAY),
        "eDIS authorisation of 2026-08-05, and the last was of 2026-08-04",
    ),
    ("not_delivered", replace(SELL, quantity=11), PASSES, "10 AAA can be sold, and the order sells 11"),
    ("not_delivered", SELL, changed(holding=None), "How many AAA the account holds is not known"),
    (
        "not_delivered",
        SELL,
        changed(holding=Holding(9, arriving=1), series="BE"),
        "9 AAA can be sold (1 of series BE arrive later)",
    ),
    (
        "not_delivered",
        SELL,
        changed(holding=Holding(5, bonus_due=5)),
        "5 AAA can be sold (a bonus of 5 is not credited yet)",
    ),
    # what stands in the way
    ("duplicate", BUY, changed(same_orders=1), "AAA (buy, 2026-08-05) was ordered already in account A1"),
    ("duplicate", BUY, changed(same_orders=None), "is not known"),
    ("unknown_open", SELL, changed(unknown_symbols={"AAA"}), "of unknown fate"),
    ("unknown_open", BUY, changed(unknown_symbols=None), "is not known"),
    ("account_blocked", BUY, changed(blocked_by=("overfill",)), "A1 is blocked by overfill"),
    ("account_blocked", BUY, changed(blocked_by=None), "is not known"),
    ("kill_switch", SELL, changed(stopped_by="asha: odd fills"), "The kill switch is on (asha: odd fills)"),
    ("kill_switch", BUY, changed(stopped_by=None), "counts as on"),
    ("static_ip", BUY, changed(outgoing_ip=None), "OUTGOING_IP"),
    ("static_ip", BUY, changed(registered_ips=()), "enter them in the account"),
    (
        "static_ip",
        BUY,
        changed(outgoing_ip="198.51.100.9"),
        "leave from 198.51.100.9, and the broker takes orders from 203.0.113.7",
    ),
    ("rate", BUY, changed(orders_last_second=10), "10 orders were sent within a second, and 10 are allowed"),
]


@pytest.mark.parametrize(("code", "draft", "evidence", "words"), REFUSED)
def test_what_is_refused(code: str, draft: Draft, evidence: Evidence, words: str):
    assert codes(draft, evidence) == [code]
    [refusal] = refusals(draft, evidence)
    assert words in refusal.sentence


def test_each_code_has_a_case():
    assert {case[0] for case in REFUSED} == set(ALL_CODES)


PER_DAY = SellAuthorisation.PER_DAY
PASSED: list[tuple[Draft, Evidence]] = [
    (BUY, at("09:00:00")),
    (BUY, at("09:07:59")),
    (BUY, at("15:29:59")),
    (BUY, at("15:50:00")),
    (BUY, at("15:20:00", has_derivatives=True)),
    (BUY, at("15:10:00", has_derivatives=None)),
    (BUY, at("18:30:00", day=MUHURAT)),
    (BUY, changed(suspended=None)),
    (SELL, changed(quarantined=True)),
    (SELL, changed(quarantined=None, kind=None)),
    (BUY, changed(series="BE")),
    (priced("110"), changed(cash=Decimal("1110.50"))),  # 10 × 110 × 1.005 + 5
    (priced("90"), PASSES),
    (BUY, changed(lower_band=None, upper_band=None)),
    (BUY, changed(lot=None)),
    (BUY, changed(series="SM", lot=5)),
    (BUY, changed(freeze_quantity=11)),
    (BUY, changed(tick_size=None)),
    (priced("99.99"), changed(tick_size=None, month_close=Decimal("249.95"))),
    (BUY, limited(order_value=Decimal(1000))),
    (BUY, limited(position_share=Decimal("0.1"))),
    (BUY, limited({"sector_value": Decimal(2000)}, sector_share=Decimal("0.3"))),
    (BUY, limited({"orders_today": 2}, orders_a_day=3)),
    (BUY, limited({"profit_today": Decimal("-499.99")}, daily_loss=Decimal(500))),
    (BUY, limited({"equity": Decimal(8001)}, drawdown=Decimal("0.2"))),
    (BUY, changed(equity=None, peak=None, profit_today=None, position_value=None, orders_today=None, sector=None)),
    (BUY, changed(prices_of=DAY)),
    (BUY, changed(charges=Decimal(10))),
    (MARKET, changed(cash=Decimal("1020.05"))),
    (SELL, changed(cash=None)),
    (replace(MARKET, market_protection=Decimal(-1)), changed(cash=Decimal("1110.50"))),  # up to the band, 110
    (SELL, changed(sell_authorisation=PER_DAY, authorised_on=DAY)),
    (SELL, changed(sell_authorisation=SellAuthorisation.UNKNOWN, is_live=False)),
    (BUY, changed(sell_authorisation=SellAuthorisation.UNKNOWN)),
    (SELL, changed(holding=Holding(9, arriving=1))),
    (SELL, changed(holding=Holding(10, bonus_due=5), series="BE")),
    (BUY, changed(unknown_symbols={"BBB"})),
    (BUY, changed(outgoing_ip=None, registered_ips=None, is_live=False)),
    (BUY, changed(orders_last_second=9)),
    (BUY, changed(orders_last_second=None)),
]


@pytest.mark.parametrize(("draft", "evidence"), PASSED)
def test_what_passes(draft: Draft, evidence: Evidence):
    assert refusals(draft, evidence) == []


@pytest.mark.parametrize("price", [None, Decimal(0), Decimal(-1), NAN, Decimal("sNaN"), INFINITE, Decimal("1e40")])
def test_a_price_that_is_none_is_refused_and_costs_are_not_guessed(price: Decimal | None):
    evidence = changed(lower_band=None, upper_band=None)
    assert codes(replace(BUY, price=price), evidence) == ["tick", "funds"]


def test_all_that_is_wrong_is_said_at_once():
    evidence = limited({"cash": Decimal(0), "blocked_by": ("overfill",)}, order_value=Decimal(1))
    assert codes(priced("100.03"), evidence) == ["tick", "order_value", "funds", "account_blocked"]


amounts = st.none() | st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=2)
parts = st.none() | st.decimals(0, 1, places=3)


@given(
    limits=st.builds(
        Limits,
        order_value=amounts,
        position_share=parts,
        sector_share=parts,
        orders_a_day=st.none() | st.integers(0, 100),
        daily_loss=amounts,
        drawdown=parts,
    ),
    standing=st.fixed_dictionaries(
        dict.fromkeys(("cash", "equity", "peak", "profit_today", "position_value", "sector_value"), amounts)
    ),
    orders_today=st.none() | st.integers(0, 10**6),
    quarantined=st.sampled_from([True, False, None]),
    kind=st.sampled_from(["share", "unknown", None]),
    held=st.integers(1, 10**9),
    price=st.integers(1, 22).map(lambda steps: Decimal(90) + steps * Decimal("0.05")),
)
def test_no_limit_and_no_quarantine_stops_a_sale_of_what_is_held(
    limits, standing, orders_today, quarantined, kind, held, price
):
    evidence = changed(**standing, orders_today=orders_today, quarantined=quarantined, kind=kind, holding=Holding(held))
    assert refusals(replace(SELL, quantity=held, price=price), replace(evidence, limits=limits)) == []
    assert "not_delivered" in codes(replace(SELL, quantity=held + 1, price=price), replace(evidence, limits=limits))
