"""Tables of a stock's figures with unit and provenance."""

import pytest

from stocks.models import Stock, StockMetrics
from stocks.storage.figure_columns import figure_words
from stocks.storage.html_tables import figures_table


def test_each_figure_has_value_unit_source_date_and_kind():
    origin = {"pe_ratio": {"source": "nse_archive:PE", "as_of": "2026-04-30", "how": "measured"}}
    html = figures_table(Stock(symbol="AAA", pe_ratio=24.5, market_cap=1658000.0, provenance=origin))
    cells = (
        "<td>24.50</td><td>ratio, price over trailing earnings per share</td><td>nse_archive:PE</td><td>2026-04-30</td>"
    )
    assert cells + "<td>measured</td>" in html
    assert "<td>16,58,000.00</td><td>₹ crore, issued shares × close</td><td>–</td>" in html
    assert html.count("not known") > 20


def test_provenance_is_escaped():
    html = figures_table(StockMetrics(symbol_id="AAA", roe=1, provenance={"roe": {"source": "<script>"}}))
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("pe_ratio", "P/E"),
        ("avg_volume_30d", "Average volume 30 sessions"),
        ("ml_prediction_score", "ML prediction score"),
        ("roe", "ROE"),
        ("debt_to_equity", "Debt to equity"),
    ],
)
def test_columns_have_the_labels_that_readers_know(column, words):
    assert figure_words(column) == words
