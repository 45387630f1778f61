"""The writer of stocks, renames and exchange facts, on a real PostgreSQL."""

from datetime import date

import pandas as pd
import pytest
from django.db import connection

from stocks.fundamentals import metrics_writer, share_counts
from stocks.models import ExchangeFact, Stock, StockMetrics, SymbolChange
from stocks.storage import bulk
from stocks.universe import writer as universe_writer
from stocks.universe.symbols import successors
from tests.stocks.dated_frames import metrics_row

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29)


def listed(**columns):
    return pd.DataFrame({"source": ["EQUITY_L.csv"]} | {name: [value] for name, value in columns.items()})


def bars(*rows):
    frame = pd.DataFrame(rows, columns=["symbol", "date", "series"])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def stored_bars():
    with connection.cursor() as cursor:
        cursor.execute("SELECT symbol, date, close, run_id FROM historical_data ORDER BY date, symbol")
        return cursor.fetchall()


def write_bars(run_id, *rows):
    frame = pd.DataFrame(rows, columns=["symbol", "date", "close"])
    frame["date"] = pd.to_datetime(frame["date"])
    for column in ("open", "high", "low"):
        frame[column] = frame["close"]
    universe_writer.record_traded_symbols(frame.assign(series="EQ"), run_id)
    bulk.upsert("historical_data", frame.assign(series="EQ", volume=10, source="test"), ("symbol", "date"), run_id)


def rename(old, new, day):
    return pd.DataFrame(
        {"from_symbol": [old], "to_symbol": [new], "date": [pd.Timestamp(day)], "proof": ["prev_close"]}
    )


def undo(run_id):
    for table in ("historical_data", "stock_metrics", "exchange_facts", "symbol_changes", "stocks"):
        bulk.roll_back(table, run_id)


def test_a_list_gives_names_and_kinds_with_their_source():
    written = universe_writer.record_symbols(
        listed(
            symbol="TCS",
            stock_name="Tata Consultancy",
            kind="share",
            isin="INE467B01029",
            listed_on=pd.Timestamp("2004-08-25"),
        ),
        "run_1",
        MONDAY,
    )
    assert written == (1, 0)
    stock = Stock.objects.get()
    assert (stock.stock_name, stock.kind, stock.kind_source, stock.listed_on) == (
        "Tata Consultancy",
        "share",
        "EQUITY_L.csv",
        date(2004, 8, 25),
    )
    assert stock.provenance["stock_name"] == {"source": "EQUITY_L.csv", "as_of": "2026-04-27", "how": "measured"}
    assert stock.sector is None
    assert "sector" not in stock.provenance


def test_the_same_list_again_changes_nothing():
    frame = listed(symbol="TCS", stock_name="Tata", kind="share", listed_on=pd.Timestamp("2004-08-25"), face_value=1.0)
    universe_writer.record_symbols(frame, "run_1", MONDAY)
    assert universe_writer.record_symbols(frame, "run_2", TUESDAY) == (0, 0)


def test_an_unknown_value_never_replaces_a_known_one():
    universe_writer.record_symbols(listed(symbol="TCS", stock_name="Tata", kind="fund", sector="IT"), "run_1", MONDAY)
    universe_writer.record_symbols(
        listed(symbol="TCS", stock_name="Tata Consultancy", kind="unknown"), "run_2", TUESDAY
    )
    stock = Stock.objects.get()
    assert (stock.stock_name, stock.kind, stock.sector, stock.run_id) == ("Tata Consultancy", "fund", "IT", "run_1")


def test_an_older_list_only_fills():
    universe_writer.record_symbols(listed(symbol="TCS", stock_name="New name", kind="share"), "run_1", TUESDAY)
    universe_writer.record_traded_symbols(bars(("TCS", TUESDAY, "EQ")), "run_1")
    universe_writer.record_symbols(
        listed(symbol="TCS", stock_name="Old name", sector="IT", kind="fund"), "run_2", MONDAY
    )
    stock = Stock.objects.get()
    assert (stock.stock_name, stock.sector, stock.kind) == ("New name", "IT", "share")


def test_a_symbol_with_a_bar_has_a_row():
    universe_writer.record_traded_symbols(
        bars(("NEW", MONDAY, "EQ"), ("NEW", TUESDAY, "BE"), ("OTHER", MONDAY, "EQ")), "run_1"
    )
    stock = Stock.objects.get(symbol="NEW")
    assert (stock.first_seen, stock.last_seen, stock.series, stock.kind) == (MONDAY, TUESDAY, "BE", "unknown")
    universe_writer.record_traded_symbols(bars(("NEW", MONDAY, "EQ")), "run_2")
    stock.refresh_from_db()
    assert (stock.last_seen, stock.series) == (TUESDAY, "BE")
    universe_writer.record_traded_symbols(bars(("NEW", WEDNESDAY, "EQ")), "run_3")
    stock.refresh_from_db()
    assert (stock.first_seen, stock.last_seen, stock.series) == (MONDAY, WEDNESDAY, "EQ")
    assert universe_writer.symbols_with_history() == ["NEW", "OTHER"]


def test_a_screener_fills_what_no_list_has():
    universe_writer.record_traded_symbols(
        bars(("IPO", TUESDAY, "EQ"), ("ETF", TUESDAY, "EQ"), ("ALONE", TUESDAY, "EQ")), "run_1"
    )
    universe_writer.record_symbols(listed(symbol="ETF", kind="fund"), "run_1", TUESDAY)
    snapshot = pd.DataFrame(
        {
            "symbol": ["IPO", "ETF"],
            "snapshot": pd.Timestamp(MONDAY),
            "stock_name": ["Ipo Ltd", "Etf"],
            "sector": "Automobiles",
            "source": "s",
        }
    )
    bulk.upsert("fundamental_snapshots", snapshot, ("snapshot", "symbol"), "run_1")
    universe_writer.fill_symbols_from_snapshots(MONDAY, "run_2")
    assert Stock.objects.get(symbol="IPO").sector is None, "an evening counts from the next session on"
    universe_writer.fill_symbols_from_snapshots(TUESDAY, "run_2")
    stock = Stock.objects.get(symbol="IPO")
    assert (stock.kind, stock.sector, stock.stock_name) == ("share", "Automobile and Auto Components", "Ipo Ltd")
    assert universe_writer.kinds().to_dict() == {"IPO": "share", "ETF": "fund", "ALONE": "unknown"}
    assert universe_writer.fill_symbols_from_snapshots(TUESDAY, "run_3") == (0, 0)


def test_history_follows_a_rename():
    write_bars("run_1", ("OLD", MONDAY, 100.0), ("OLD", TUESDAY, 101.0), ("ELSE", MONDAY, 5.0))
    universe_writer.record_symbols(listed(symbol="OLD", stock_name="Old Ltd", kind="share"), "run_1", TUESDAY)
    metrics_writer.record_metrics(metrics_row("OLD", TUESDAY, current_price=101.0), TUESDAY, "run_1")
    write_bars("run_2", ("NEW", WEDNESDAY, 102.0))
    assert universe_writer.apply_renames(rename("OLD", "NEW", WEDNESDAY), "run_2") == 3
    assert [row[0] for row in stored_bars()] == ["ELSE", "NEW", "NEW", "NEW"]
    assert StockMetrics.objects.get().symbol_id == "NEW"
    stock = Stock.objects.get(symbol="NEW")
    assert (stock.first_seen, stock.last_seen, stock.stock_name, stock.kind) == (MONDAY, WEDNESDAY, "Old Ltd", "share")
    assert not Stock.objects.filter(symbol="OLD").exists()
    change = SymbolChange.objects.get()
    assert (change.from_symbol, change.to_symbol, change.date, change.proof) == ("OLD", "NEW", WEDNESDAY, "prev_close")


def test_a_rename_can_be_applied_twice_and_undone():
    write_bars("run_1", ("OLD", MONDAY, 100.0), ("OLD", TUESDAY, 101.0))
    metrics_writer.record_metrics(metrics_row("OLD", TUESDAY, current_price=101.0), TUESDAY, "run_1")
    before = stored_bars(), list(Stock.objects.values()), list(StockMetrics.objects.values())
    write_bars("run_2", ("NEW", WEDNESDAY, 102.0))
    universe_writer.apply_renames(rename("OLD", "NEW", WEDNESDAY), "run_2")
    assert universe_writer.apply_renames(rename("OLD", "NEW", WEDNESDAY), "run_2") == 0
    undo("run_2")
    assert (stored_bars(), list(Stock.objects.values()), list(StockMetrics.objects.values())) == before
    assert not SymbolChange.objects.exists()


def test_later_bars_of_the_old_symbol_stay():
    write_bars("run_1", ("OLD", MONDAY, 100.0), ("OLD", WEDNESDAY, 7.0), ("NEW", TUESDAY, 101.0))
    universe_writer.apply_renames(rename("OLD", "NEW", TUESDAY), "run_2")
    assert [row[:2] for row in stored_bars()] == [("NEW", MONDAY), ("NEW", TUESDAY), ("OLD", WEDNESDAY)]
    assert Stock.objects.count() == 2
    assert successors(WEDNESDAY) == {}, "the old symbol is in use again"


def test_chains_of_renames_lead_to_the_symbol_in_use():
    write_bars("run_1", ("C", WEDNESDAY, 7.0))
    universe_writer.apply_renames(pd.concat([rename("B", "C", WEDNESDAY), rename("A", "B", TUESDAY)]), "run_1")
    Stock.objects.exclude(symbol="C").delete()
    assert successors(WEDNESDAY) == {"A": "C", "B": "C"}
    assert successors(TUESDAY) == {"A": "B"}


def test_zeros_of_a_report_pack_become_null():
    facts = pd.DataFrame(
        {
            "symbol": ["A", "B"],
            "issue_size": [1000, 0],
            "market_cap_crores": [5.5, 0.0],
            "pe_ratio": [12.0, None],
            "source": "mcap",
        }
    )
    assert universe_writer.record_exchange_facts(facts, MONDAY, "run_1") == (2, 0)
    assert universe_writer.record_exchange_facts(facts, MONDAY, "run_2") == (0, 0)
    assert ExchangeFact.objects.get(symbol="B").issue_size is None
    frame = universe_writer.facts_frame(MONDAY)
    assert frame["issue_size"].tolist() == [1000, pd.NA]
    assert universe_writer.facts_frame(date(2026, 4, 26)).empty


def test_issue_sizes_around_a_session_need_a_pack_within_the_week_before():
    for day, size in ((MONDAY, 1000), (TUESDAY, 2000)):
        universe_writer.record_exchange_facts(
            listed(symbol="A", issue_size=size, market_cap_crores=1.0, pe_ratio=None), day, "run_1"
        )
    around = share_counts.issue_sizes_around(TUESDAY)
    assert around.to_dict("records") == [{"symbol": "A", "before": 1000, "today": 2000}]
    assert share_counts.issue_sizes_around(MONDAY).empty
