"""The tax of a year: worked examples by hand, and properties of any years."""

from datetime import date
from decimal import Decimal
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.ledger.capital_gains import financial_year, tax_years, year_name
from portfolio.ledger.tax_lots import Disposal, Term
from tests.portfolio.ledger.ledgers import statement


def gain(day, term, amount):
    """A disposal with a gain or loss."""
    amount, nothing = Decimal(amount), Decimal(0)
    return Disposal(
        "A", date.fromisoformat(day), date(2018, 1, 1), 1, max(amount, nothing), -min(amount, nothing), term
    )


SHORT, LONG, INTRADAY = Term.SHORT, Term.LONG, Term.INTRADAY


def test_a_year_with_two_rates():
    """2024-25: the short loss goes against the 20 % gain although it is of the months at 15 %; so does the long one.

    Short: 20,000 − 5,000 at 20 % = 3,000; 10,000 at 15 % = 1,500. Long: 150,000 − 30,000 at 12.5 % is exempt, as are
    5,000 of the 100,000 at 10 %: 95,000 at 10 % = 9,500.
    """
    [year] = tax_years(
        [
            gain("2024-05-02", SHORT, 10_000),
            gain("2024-06-03", SHORT, -5_000),
            gain("2024-07-22", LONG, 100_000),
            gain("2024-07-23", LONG, 150_000),
            gain("2024-08-01", SHORT, 20_000),
            gain("2024-09-02", INTRADAY, -700),
            gain("2025-03-31", LONG, -30_000),
        ]
    )
    assert year.name == "2024-25"
    assert year.short == {20: 20_000, 15: 5_000}
    assert year.long == {Decimal("12.5"): 120_000, 10: 100_000}
    assert year.taxed_short == {20: 15_000, 15: 10_000}
    assert year.taxed_long == {Decimal("12.5"): 0, 10: 95_000}
    assert attrgetter("exempt", "tax", "intraday")(year) == (125_000, 14_000, -700)
    assert attrgetter("carried_short", "carried_long")(year) == ({}, {})


def test_losses_are_carried_and_used_before_the_exemption():
    """2021-22: of 100 short, 30 go against short gains and 70 against long ones, then 50 long: 100,380 remain.

    100,000 are exempt, and 380 at 10 % are 38.
    """
    first, second = tax_years(
        [
            gain("2021-03-30", SHORT, -100),
            gain("2021-03-31", LONG, -50),
            gain("2021-04-01", SHORT, 30),
            gain("2022-03-31", LONG, 100_500),
        ]
    )
    assert attrgetter("tax", "carried_short", "carried_long")(first) == (0, {"2020-21": 100}, {"2020-21": 50})
    assert attrgetter("exempt", "tax", "carried_short", "carried_long")(second) == (100_000, 38, {}, {})


def test_this_years_losses_go_first_and_short_before_long():
    """2022-23: long gains of 100 meet short losses of 60, then 70 long ones: 30 join the 40 of 2021-22."""
    years = tax_years(
        [
            gain("2022-03-31", LONG, -40),
            gain("2022-06-01", SHORT, -60),
            gain("2022-06-01", LONG, 100),
            gain("2022-06-02", LONG, -70),
        ]
    )
    assert years[1].carried_short == {}
    assert years[1].carried_long == {"2021-22": 40, "2022-23": 30}
    assert attrgetter("exempt", "tax")(years[1]) == (0, 0)


def test_a_long_loss_never_reduces_a_short_gain():
    [year] = tax_years([gain("2025-06-02", LONG, -1_000), gain("2025-06-02", SHORT, 1_000)])
    assert attrgetter("tax", "carried_long")(year) == (200, {"2025-26": 1_000})


@pytest.mark.parametrize(("day", "tax", "carried"), [("2027-03-31", 0, {}), ("2027-04-01", 20, {})])
def test_a_loss_may_be_used_for_eight_years(day, tax, carried):
    years = tax_years([gain("2018-04-02", SHORT, -100), gain("2020-04-02", LONG, -1), gain(day, SHORT, 100)])
    assert years[1].carried_short == {"2018-19": 100}
    assert attrgetter("tax", "carried_short")(years[2]) == (tax, carried)
    assert years[2].carried_long == {"2020-21": 1}


def test_the_tax_is_rounded_once():
    """0.04 above the exemption at 12.5 % are half a paisa; so are 0.01 at 20 % and 0.024 of the rest together."""
    [year] = tax_years([gain("2025-06-02", LONG, "125000.04")])
    assert attrgetter("exempt", "tax")(year) == (125_000, Decimal("0.01"))
    [year] = tax_years([gain("2025-06-02", LONG, "125000.02"), gain("2025-06-02", SHORT, "0.01")])
    assert year.tax == Decimal("0.00")  # 0.0025 + 0.002


def test_a_statement_from_purchase_to_tax():
    """Short in 2025-26: 10 × 200 − 3 less 10 × 100 + 5 = 992 at 20 %. The JSON has text and whole numbers."""
    assert statement(
        "2025-01-02 buy A quantity=15 price=100 charges=7.50",
        "2025-04-01 sell A quantity=10 price=200 charges=3",
        "2026-03-02 buy A quantity=1 price=50",
        "2026-03-02 sell A quantity=1 price=49",
    ) == {
        "lots": [{"symbol": "A", "bought_on": "2025-01-02", "quantity": 5, "cost": "502.50"}],
        "disposals": [
            {
                "symbol": "A",
                "sold_on": "2025-04-01",
                "bought_on": "2025-01-02",
                "quantity": 10,
                "proceeds": "1997.00",
                "cost": "1005.00",
                "gain": "992.00",
                "term": "short",
            },
            {
                "symbol": "A",
                "sold_on": "2026-03-02",
                "bought_on": "2026-03-02",
                "quantity": 1,
                "proceeds": "49.00",
                "cost": "50.00",
                "gain": "-1.00",
                "term": "intraday",
            },
        ],
        "years": {
            "2025-26": {
                "short": {"20": "992.00"},
                "long": {"12.5": "0.00"},
                "exempt": "0.00",
                "tax": "198.40",
                "carried_short": "0.00",
                "carried_long": "0.00",
                "intraday": "-1.00",
            }
        },
    }


GAINS = st.lists(
    st.builds(
        gain,
        st.dates(date(2018, 4, 1), date(2026, 3, 31)).map(str),
        st.sampled_from([*Term]),
        st.decimals(-300_000, 300_000, places=2),
    ),
    max_size=30,
)


@given(GAINS)
def test_every_rupee_is_taxed_exempt_or_set_off(disposals):
    """Over eight years no loss lapses: gains less losses are what is taxed and exempt, less what is still carried."""
    years = tax_years(disposals)
    for year in years:
        of_year = [row.gain for row in disposals if year_name(financial_year(row.sold_on)) == year.name]
        assert sum(year.short.values()) + sum(year.long.values()) + year.intraday == sum(of_year)
        taxed = [*year.taxed_short.items(), *year.taxed_long.items()]
        assert all(amount >= 0 for _, amount in taxed)
        assert year.tax == sum((rate * amount / 100 for rate, amount in taxed), Decimal(0)).quantize(
            Decimal("0.01"), "ROUND_HALF_UP"
        )
        assert 0 <= year.exempt <= (125_000 if year.name >= "2024" else 100_000)
        assert not any(year.carried_short.values()) or not any(year.taxed_short.values())
    settled = sum(sum(year.taxed_short.values()) + sum(year.taxed_long.values()) + year.exempt for year in years)
    carried = sum([*years[-1].carried_short.values(), *years[-1].carried_long.values()]) if years else 0
    assert settled - carried == sum(row.gain for row in disposals if row.term != INTRADAY)
    assert tax_years(disposals[::-1]) == years
