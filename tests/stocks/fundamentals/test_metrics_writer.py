"""The writer of metrics, on a real PostgreSQL."""

import json
from datetime import date

import pandas as pd
import pytest

from stocks.fundamentals import metrics_writer
from stocks.models import Stock, StockMetrics
from stocks.storage import bulk
from tests.stocks.dated_frames import metrics_row

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29)


@pytest.fixture(autouse=True)
def _stocks():
    Stock.objects.create(symbol="A", stock_name="A Ltd", provenance={"stock_name": {"source": "EQUITY_L.csv"}})
    Stock.objects.create(symbol="B")


def test_stocks_are_the_latest_metrics():
    tuesday = metrics_row(
        "A", TUESDAY, current_price=110.0, pe_ratio=12.0, provenance=json.dumps({"pe_ratio": {"source": "screener"}})
    )
    metrics_writer.record_metrics(tuesday, TUESDAY, "run_1")
    assert metrics_writer.refresh_stocks(TUESDAY, "run_1") == 1
    assert metrics_writer.refresh_stocks(TUESDAY, "run_1") == 0
    stock = Stock.objects.get(symbol="A")
    assert (stock.current_price, stock.pe_ratio) == (110.0, 12.0)
    assert set(stock.provenance) == {"stock_name", "pe_ratio"}
    assert stock.last_updated is not None
    metrics_writer.record_metrics(metrics_row("A", MONDAY, current_price=100.0), MONDAY, "run_2")
    assert metrics_writer.refresh_stocks(MONDAY, "run_2") == 0, "an older session rewrites nothing"
    wednesday = metrics_row("A", WEDNESDAY, current_price=111.0)
    metrics_writer.record_metrics(wednesday, WEDNESDAY, "run_3")
    metrics_writer.refresh_stocks(WEDNESDAY, "run_3")
    stock.refresh_from_db()
    assert (stock.current_price, stock.pe_ratio) == (111.0, None)
    assert set(stock.provenance) == {"stock_name"}
    assert Stock.objects.get(symbol="B").current_price is None


def test_a_symbol_missing_from_a_session_loses_its_metrics():
    both = pd.concat([metrics_row("A", MONDAY), metrics_row("B", MONDAY)])
    metrics_writer.record_metrics(both, MONDAY, "run_1")
    assert metrics_writer.record_metrics(metrics_row("A", MONDAY), MONDAY, "run_2") == (0, 1)
    assert StockMetrics.objects.get().symbol_id == "A"
    bulk.roll_back("stock_metrics", "run_2")
    assert StockMetrics.objects.count() == 2


def test_filling_touches_only_what_is_null():
    metrics_writer.record_metrics(metrics_row("A", MONDAY, pe_ratio=12.0), MONDAY, "run_1")
    news = pd.concat([metrics_row("A", MONDAY, pe_ratio=99.0, roe=18.0), metrics_row("B", MONDAY, roe=7.0)])
    assert metrics_writer.fill_metrics(news, MONDAY, "run_2") == {"roe": 2}
    rows = StockMetrics.objects.order_by("symbol").values_list("symbol_id", "pe_ratio", "roe", "run_id")
    assert [tuple(row) for row in rows] == [("A", 12.0, 18.0, "run_1"), ("B", None, 7.0, "run_2")]
    assert metrics_writer.fill_metrics(news, MONDAY, "run_3") == {}
