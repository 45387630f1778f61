"""Costs of a round trip, by answers worked out from the published rates, and properties."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charges import BROKERS, FIRST_DAY, ChargesError
from ml import costs
from ml.costs import Ticket, impact_pct, plain_charges_pct, round_trip_cost_pct, ticket_charges_pct

DAY = date(2025, 6, 30)


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        # STT 0.2, stamp duty 0.015, exchange 2 × 0.00297, IPFT and SEBI 2 × 0.0001 each, GST 18 % of the last three.
        (DAY, 0.2 + 0.015 + 1.18 * 2 * (0.00297 + 0.0001 + 0.0001)),
        # The exchange took 0.00345 and IPFT next to nothing in 2022.
        (date(2022, 6, 30), 0.2 + 0.015 + 1.18 * 2 * (0.00345 + 0.0000001 + 0.0001)),
    ],
)
def test_plain_charges_are_taxes_and_fees_alone(day, percent):
    assert plain_charges_pct(day) == pytest.approx(percent, abs=1e-7)


def test_plain_charges_of_2025_are_the_published_figure():
    assert round(plain_charges_pct(DAY), 4) == 0.2225


def test_plain_charges_hold_no_brokerage_whoever_the_broker_is(monkeypatch):
    """Fyers' own brokerage does not show; its GST leaves out IPFT and SEBI."""
    without_gst_on_two = plain_charges_pct(DAY) - 0.18 * 2 * 0.0002
    monkeypatch.setattr(costs, "_PLAIN_BROKER", "fyers")
    assert plain_charges_pct.__wrapped__(DAY) == pytest.approx(without_gst_on_two, abs=1e-7)


@pytest.mark.parametrize(
    ("ticket", "rupees"),
    [
        # A side: STT 50, exchange 1.485, IPFT 0.05, SEBI 0.05, GST 18 % of 1.585 = 0.2853; stamp 7.50; DP 13 × 1.18.
        (Ticket("zerodha", 50_000), 2 * (50 + 1.49 + 0.05 + 0.05 + 0.29) + 7.50 + 15.34),
        # Brokerage 20 a side; GST 18 % of 21.485 = 3.8673; DP 12.50 × 1.18.
        (Ticket("fyers", 50_000), 2 * (50 + 1.49 + 0.05 + 0.05 + 20 + 3.87) + 7.50 + 14.75),
        # A small ticket carries the whole DP charge: STT 5, exchange 0.1485, IPFT and SEBI 0.005 → 0.01, GST 0.0285.
        (Ticket("zerodha", 5_000), 2 * (5 + 0.15 + 0.01 + 0.01 + 0.03) + 0.75 + 15.34),
    ],
)
def test_a_ticket_pays_brokerage_and_the_dp_charge(ticket, rupees):
    assert ticket_charges_pct(DAY, ticket) == pytest.approx(rupees / ticket.rupees * 100, abs=1e-12)


def test_impact_depends_on_the_turnover_alone():
    assert impact_pct([1000.01, 1000.0, 50.0, 0.0, np.nan]).tolist() == pytest.approx(
        [0.1, 0.2, 0.2, 0.2, np.nan], nan_ok=True
    )


def test_a_round_trip_is_charges_and_twice_the_impact():
    ticket = Ticket("zerodha", 50_000)
    charges = ticket_charges_pct(DAY, ticket)
    costs = round_trip_cost_pct(DAY, [5000.0, 60.0, np.nan], ticket)
    assert costs.tolist() == pytest.approx([charges + 0.2, charges + 0.4, np.nan], nan_ok=True)


@given(st.sampled_from(BROKERS), st.integers(1_000, 10_000_000), st.dates(FIRST_DAY, date(2027, 1, 1)))
def test_a_ticket_costs_at_least_the_plain_charges_and_a_larger_one_no_larger_share(broker, rupees, day):
    """Up to the rounding of the lines: the transaction tax to half a rupee a side, six others to half a paisa."""
    ticket, larger = Ticket(broker, rupees), Ticket(broker, 2 * rupees)
    rounding_pct = (2 * 0.5 + 12 * 0.005) / rupees * 100
    assert ticket_charges_pct(day, ticket) >= plain_charges_pct(day) - rounding_pct
    assert ticket_charges_pct(day, larger) <= ticket_charges_pct(day, ticket) + 2 * rounding_pct


@pytest.mark.parametrize(
    ("ticket", "day", "sentence"),
    [
        (Ticket("nobody", 50_000), DAY, "no charges of 'nobody'"),
        (Ticket("zerodha", 0), DAY, "price 0 is not a positive amount"),
        (Ticket("zerodha", 50_000), date(2020, 12, 31), "2020-12-31 lies before 2021-01-01"),
    ],
)
def test_what_cannot_be_charged_is_a_sentence(ticket, day, sentence):
    with pytest.raises(ChargesError, match=sentence):
        round_trip_cost_pct(day, [100.0], ticket)


def test_plain_charges_before_the_first_rate_are_refused():
    with pytest.raises(ChargesError, match="first day whose rates are known"):
        plain_charges_pct(date(2020, 12, 31))
