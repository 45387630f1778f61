"""Each rule of the simulation on a market of a few bars, with its arithmetic."""

from datetime import date
from decimal import Decimal

from portfolio.backtest.simulation import simulate
from tests.portfolio.backtest.markets import Day, Prices, one_price, orders, panel, simulated, terms, weekdays


def test_a_decision_is_carried_out_at_the_next_opening():
    result = simulated({"A": [10, 20, 25]}, d0="A")
    # The list of session 0 buys at the 20 of session 1: 1000 / 20 = 50 shares, worth 50 × 25 = 1250 at the end.
    assert orders(result) == ["1 buy 50 A @ 20.0"]
    assert result.equity == [1000, 1000, 1250]


def test_decisions_fall_on_the_first_session_and_every_second_after_it():
    flat = [10.0] * 6
    result = simulated({"A": flat, "B": flat, "C": flat}, every=2, d0="A", d1="B", d2="C", d3="A", d4="B", d5="C")
    assert orders(result) == [
        "1 buy 100 A @ 10.0",
        "3 sell 100 A @ 10.0",
        "3 buy 100 C @ 10.0",
        "5 sell 100 C @ 10.0",
        "5 buy 100 B @ 10.0",
    ]


def test_decisions_count_sessions_of_the_span_also_where_lists_are_missing():
    flat = [10.0] * 5
    assert orders(simulated({"A": flat}, every=2, d1="A", d3="A")) == []
    assert orders(simulated({"A": flat}, every=2, d1="A", d2="A")) == ["3 buy 100 A @ 10.0"]


def test_the_decision_of_the_last_session_does_nothing():
    assert orders(simulated({"A": [10, 10]}, d1="A")) == []


def test_the_span_begins_where_it_says_and_knows_the_bars_before():
    market = panel({"A": [10, 10, one_price(12), 12, 12]})
    days = market.sessions
    chosen = terms(market, first=days[1], last=days[3])
    result = simulate(market, {days[1]: [("A", 1)]}, chosen, lambda done, total: None)
    # Locked up on the session after the first: 12 ≥ 10 × 1.0195, known from the bar before the span's second session.
    assert result.sessions == days[1:4]
    assert result.trades == []


def test_slots_divide_what_the_account_is_worth_at_the_open():
    prices: Prices = {"A": [10, 10, Day(20, 40), 20], "B": [50, 50, 50, 50]}
    result = simulated(prices, holdings=2, keep=2, d0="A", d1="A B")
    # Session 1: slot 1000 / 2 = 500 → 50 A, 500 left. Session 2: V = 500 + 50 × 20 = 1500, slot 750, but only the 500
    # are there: 10 B. A, held, is left as it is.
    assert orders(result) == ["1 buy 50 A @ 10.0", "2 buy 10 B @ 50.0"]
    assert result.cash[-1] == 0
    # A third: 33 A for 330. V = 670 + 33 × 20 (its open) = 1330, slot 443.33: 8 B.
    assert orders(simulated(prices, holdings=3, keep=3, d0="A", d1="A B"))[1:] == ["2 buy 8 B @ 50.0"]


def test_a_share_without_a_bar_counts_at_its_last_close():
    prices: Prices = {"A": [10, Day(10, 12), None, 12], "B": [4, 4, 4, 4]}
    result = simulated(prices, holdings=3, keep=3, d0="A", d1="A B")
    # Slot 333.33 → 33 A for 330. Session 2: V = 670 + 33 × 12 (last close) = 1066, slot 355.33 → 88 B at 4.
    assert orders(result) == ["1 buy 33 A @ 10.0", "2 buy 88 B @ 4.0"]
    assert result.equity == [1000, 670 + 33 * 12, 670 + 33 * 12, 670 - 352 + 33 * 12 + 352]


def test_sales_come_first_by_symbol_then_purchases_by_place():
    flat = [10.0] * 3
    result = simulated(dict.fromkeys("ABCD", flat), holdings=2, keep=2, d0="B A", d1="D C")
    assert orders(result) == [
        "1 buy 50 B @ 10.0",
        "1 buy 50 A @ 10.0",
        "2 sell 50 A @ 10.0",
        "2 sell 50 B @ 10.0",
        "2 buy 50 D @ 10.0",
        "2 buy 50 C @ 10.0",
    ]


def test_a_sale_without_a_bar_is_tried_at_each_next_open():
    result = simulated({"A": [10, 10, None, None, 8, 8], "B": [5] * 6}, every=9, d0="A")
    assert orders(result) == ["1 buy 100 A @ 10.0"]
    result = simulated({"A": [10, 10, None, None, 8, 8], "B": [5] * 6}, d0="A", d1="B")
    # B is chosen on session 1; there is no money before A trades again, and no second try of the purchase.
    assert orders(result) == ["1 buy 100 A @ 10.0", "4 sell 100 A @ 8.0"]
    assert result.equity == [1000, 1000, 1000, 1000, 800, 800]


def test_a_newer_decision_replaces_the_sales_that_wait():
    result = simulated({"A": [10, 10, None, None, 8], "B": [5] * 5}, d0="A", d1="B", d2="A")
    assert orders(result) == ["1 buy 100 A @ 10.0"]


def test_a_decision_without_a_list_leaves_the_sales_that_wait():
    result = simulated({"A": [10, 10, None, 8, 8], "B": [5] * 5}, every=1, d0="A", d1="B", d4="A")
    assert orders(result) == ["1 buy 100 A @ 10.0", "3 sell 100 A @ 8.0"]


def test_a_share_that_waits_to_be_sold_is_held_and_may_stay():
    prices: Prices = {"A": [10, 10, None, 8, 8], "B": [10] * 5}
    result = simulated(prices, holdings=1, keep=2, d0="A", d1="B", d2="B A")
    # On session 1 A is not on the list and waits to be sold; on session 2 it has place 2 ≤ keep and stays, without B.
    assert orders(result) == ["1 buy 100 A @ 10.0"]


def test_who_is_locked_down_cannot_sell_and_who_is_locked_up_cannot_buy():
    down = simulated({"A": [100, 100, one_price(98), one_price(96), 95], "B": [5] * 5}, d0="A", d1="B")
    # 98 ≤ 100 × 0.9805 = 98.05: locked; 96 ≤ 98 × 0.9805 = 96.09: locked; then it opens.
    assert orders(down) == ["1 buy 10 A @ 100.0", "4 sell 10 A @ 95.0"]
    up = simulated({"A": [100, one_price(101.95), 110]}, d0="A")
    assert orders(up) == []
    assert orders(simulated({"A": [100, one_price(101.94), 110]}, d0="A")) == ["1 buy 9 A @ 101.94"]


def test_locks_are_judged_by_adjusted_prices_and_never_on_the_first_bar():
    # A split of one into two: the open of 50 is the close of 100 before, adjusted.
    split: list[float | Day | None] = [Day(100, factor=0.5), one_price(50), 50]
    assert orders(simulated({"A": split}, d0="A")) == ["1 buy 20 A @ 50.0"]
    # Before a split that is still to come, an unchanged price is no move either.
    assert orders(simulated({"A": [Day(100, factor=0.5), Day(100, 100, 100, 100, factor=0.5), 50]}, d0="A")) == [
        "1 buy 10 A @ 100.0"
    ]
    assert orders(simulated({"A": [None, one_price(50), 50], "B": [1, 1, 1]}, d0="A")) == ["1 buy 20 A @ 50.0"]


def test_equal_sells_down_to_the_slot_and_buys_up_to_it():
    prices: Prices = {"A": [10, 10, 30, 30], "B": [10, 10, 10, 10]}
    result = simulated(prices, holdings=2, keep=2, reweigh="equal", d0="A B", d1="A B")
    # V = 50 × 30 + 50 × 10 = 2000, slot 1000: ⌊1000 / 30⌋ = 33 A stay (17 sold for 510), B goes to 100 (50 for 500).
    assert orders(result)[2:] == ["2 sell 17 A @ 30.0", "2 buy 50 B @ 10.0"]
    assert result.cash[-1] == 10


def test_a_sale_down_to_the_slot_is_on_its_day_or_not_at_all():
    prices: Prices = {"A": [10, Day(10, 30), None, 30, 30], "B": [10, 10, 10, 10, 10]}
    result = simulated(prices, holdings=2, keep=2, reweigh="equal", every=1, d0="A B", d1="A B")
    # Session 2: V = 50 × 30 + 50 × 10 = 2000, but A has no bar; B cannot grow without cash, and nothing is tried later.
    assert orders(result) == ["1 buy 50 A @ 10.0", "1 buy 50 B @ 10.0"]


def test_a_purchase_with_charges_keeps_half_a_percent_and_five_rupees_back():
    result = simulated({"A": [10, 10, 10]}, d0="A", charges=True)
    # q × 10 × 1.005 + 5 ≤ 1000 → q ≤ 995 / 10.05 = 99.005: 99, though the slot would take 100.
    assert orders(result) == ["1 buy 99 A @ 10.0"]
    two = simulated({"A": [100, 100, 100], "B": [7, 7, 7]}, holdings=2, keep=2, d0="A B", charges=True)
    # A: ⌊500 / 100⌋ = 5 takes 500 × 1.005 + 5 = 507.50; of the 492.50 left B takes (492.5 − 5) / 7.035 = 69.3 → 69.
    assert orders(two) == ["1 buy 5 A @ 100.0", "1 buy 69 B @ 7.0"]


def test_parts_of_shares_take_all_that_is_free():
    result = simulated({"A": [10, 3, 6]}, d0="A", fractional=True)
    assert abs(result.holdings[-1]["A"] - Decimal(1000) / 3) < Decimal("1e-20")
    assert abs(result.equity[-1] - 2000) < Decimal("1e-20")


def test_no_purchase_without_a_bar_and_no_substitute():
    assert orders(simulated({"A": [10, None, 10], "B": [10, 10, 10]}, d0="A B")) == []


def test_proceeds_of_real_settlement_wait_by_date():
    flat = [10.0] * 5
    prices: Prices = {"A": flat, "B": flat}
    # Bought on session 1, sold on session 2, the session after: nothing is usable, and B is not tried again.
    quick = simulated(prices, d0="A", d1="B", settlement="real")
    assert orders(quick) == ["1 buy 100 A @ 10.0", "2 sell 100 A @ 10.0"]
    # It can be used on the next session.
    waited = simulated(prices, d0="A", d1="B", d2="B", settlement="real")
    assert orders(waited)[1:] == ["2 sell 100 A @ 10.0", "3 buy 100 B @ 10.0"]
    later = simulated(prices, d0="A", d2="B", settlement="real")
    assert orders(later)[1:] == ["3 sell 100 A @ 10.0", "3 buy 100 B @ 10.0"]
    before = simulated(prices, start=date(2024, 9, 2), d0="A", d2="B", settlement="real")
    # Before 7 October 2024 80 % of the 1000 are usable: 80 shares.
    assert orders(before)[1:] == ["3 sell 100 A @ 10.0", "3 buy 80 B @ 10.0"]
    ideal = simulated(prices, start=date(2024, 9, 2), d0="A", d1="B", settlement="ideal")
    assert orders(ideal)[1:] == ["2 sell 100 A @ 10.0", "2 buy 100 B @ 10.0"]


def test_the_usable_cash_at_the_end_leaves_out_what_is_not_settled():
    result = simulated({"A": [10, 10, 10], "B": [10, 10, 10]}, d0="A", d1="B", settlement="real")
    assert (result.cash[-1], result.usable_cash) == (Decimal(1000), Decimal(0))


def test_a_split_multiplies_the_shares_and_pays_the_fraction():
    split: Prices = {"A": [Day(30, factor=1 / 3), Day(30, factor=1 / 3), Day(10), Day(12)]}
    result = simulated(split, d0="A", capital="999.00")
    # 33 shares for 990; one into three makes 99.
    assert result.holdings[-1] == {"A": 99}
    assert result.equity == [999, 999, 999, 9 + 99 * 12]
    bonus: Prices = {"A": [Day(30, factor=2 / 3), Day(30, factor=2 / 3), Day(20.01, 20), Day(20)]}
    result = simulated(bonus, d0="A", capital="999.00")
    # Bonus 1:2 on 33: 49.5; the half is paid at the open of 20.01, 10.005 → ₹10.01.
    assert result.holdings[-1] == {"A": 49}
    assert result.cash[-1] == Decimal("19.01")


def test_a_consolidation_may_leave_no_share():
    prices: Prices = {"A": [Day(400, factor=10.0), Day(400, factor=10.0), Day(4000), Day(4000)]}
    result = simulated(prices, d0="A", capital="900")
    assert result.holdings[-1] == {}
    assert result.cash[-1] == 100 + Decimal("0.2") * 4000


def test_a_factor_counts_before_the_day_is_valued_and_traded():
    prices: Prices = {"A": [Day(100, factor=0.5), Day(100, factor=0.5), 50, 50], "B": [10] * 4}
    result = simulated(prices, d0="A", d1="B")
    assert orders(result) == ["1 buy 10 A @ 100.0", "2 sell 20 A @ 50.0", "2 buy 100 B @ 10.0"]


def test_a_factor_acts_at_the_first_bar_that_has_it_and_twice_if_there_are_two():
    prices: Prices = {"A": [Day(100, factor=0.25), Day(100, factor=0.25), None, Day(50, factor=0.5), 25, 25]}
    result = simulated(prices, d0="A")
    assert [held.get("A", 0) for held in result.holdings] == [0, 10, 10, 20, 40, 40]
    assert result.equity == [1000] * 6


def test_factors_that_differ_by_rounding_change_nothing():
    prices: Prices = {"A": [Day(10, factor=0.1), Day(10, factor=0.1 + 9e-7), Day(10, factor=0.1)]}
    assert simulated(prices, d0="A").holdings[-1] == {"A": 100}


def test_one_contract_note_a_session_is_debited_after_the_buys():
    prices: Prices = {"A": [100.0] * 4, "B": [100.0] * 4}
    result = simulated(prices, capital="20000", d0="A", d1="A", d2="B", charges=True, settlement="real")
    # Buys 198 A (198 × 100.5 + 5 = 19904 ≤ 20000): STT 19.80 → 20, exchange 0.588…, IPFT and SEBI 0.0198 each, stamp
    # 2.97, GST 18 % of 0.62766 = 0.113: 20 + 0.59 + 0.02 + 0.02 + 2.97 + 0.11 = 23.71; cash 200 − 23.71 = 176.29.
    assert result.cash[1] == Decimal("176.29")
    # Sells 198 A for 19800 (its own note 20 + 0.59 + 0.02 + 0.02 + 0.11 = 20.74, DP 15.34), free 19976.29 − 36.08 =
    # 19940.21: 198 B (19904). The note of both: turnover 39600, STT 39.6 → 40, exchange 1.17612, IPFT and SEBI 0.0396,
    # stamp 2.97, GST 0.2259…: 40 + 1.18 + 0.04 + 0.04 + 2.97 + 0.23 = 44.46, and DP 15.34.
    assert orders(result)[1:] == ["3 sell 198 A @ 100.0", "3 buy 198 B @ 100.0"]
    assert result.cash[3] == Decimal("176.29") - Decimal("44.46") - Decimal("15.34")
    assert result.charges["total"] == Decimal("23.71") + Decimal("44.46")
    assert result.charges["dp"] == Decimal("15.34")
    assert result.charges["turnover"] == 3 * 19800


def test_the_charges_of_the_sales_are_kept_back_before_anything_is_bought():
    flat = [10.0] * 4
    result = simulated({"A": flat, "B": flat}, capital="2000", d0="A", d2="B", charges=True)
    # Buys ⌊1995 / 10.05⌋ = 198 A for 1980, note 2 + 0.06 + 0.30 + 0.01 = 2.37: cash 17.63. The sale's own note is
    # 2 + 0.06 + 0.01 = 2.07, DP 15.34: free 1980.22 → ⌊1975.22 / 10.05⌋ = 196; without them it would be 198.
    assert orders(result) == ["1 buy 198 A @ 10.0", "3 sell 198 A @ 10.0", "3 buy 196 B @ 10.0"]


def test_charges_beyond_the_usable_cash_come_out_of_what_waits():
    prices: Prices = {"A": [10, 10, 10, 10], "B": [10] * 4}
    result = simulated(prices, d0="A", d1="B", charges=True, settlement="real", last=weekdays(3)[2])
    # 99 A for 990, note 1 + 0.03 + 0.15 + 0.01 = 1.19: cash 8.81. Sold a session later: 990 wait; note 1.04, DP 15.34.
    assert result.cash == [1000, Decimal("8.81"), Decimal("982.43")]
    assert result.usable_cash == 0


def test_the_cheapest_share_that_was_too_dear_is_named():
    result = simulated({"A": [5000, 5000, 4000, 4000]}, d0="A", d1="A")
    assert result.trades == []
    assert result.cheapest == 4000


def test_progress_is_reported_by_session():
    market, steps = panel({"A": [10, 10, 10]}), []
    simulate(market, {}, terms(market), lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
