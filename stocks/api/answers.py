"""The keys of the responses under `/api/suggested-stocks/`, as the OpenAPI schema describes them."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from stocks.picks.standings import Standing

WARNINGS = "a sentence for each parameter that is not known and was ignored"
RECOMMENDATIONS = [
    ("STRONG_BUY", "worth its costs, with a fair reward for its risk, a high score and agreement"),
    ("BUY", "worth its costs, with a fair score and risk"),
    ("HOLD", "worth keeping, not worth the costs of buying"),
    ("AVOID", "a low score at a high risk"),
]


class PickIndicators(serializers.Serializer[Any]):
    rsi_14 = serializers.FloatField(allow_null=True, help_text="0-100")
    macd = serializers.FloatField(allow_null=True, help_text="₹")
    sma_50 = serializers.FloatField(allow_null=True, help_text="₹")
    sma_200 = serializers.FloatField(allow_null=True, help_text="₹")


class PickFundamentals(serializers.Serializer[Any]):
    pe_ratio = serializers.FloatField(allow_null=True, help_text="ratio")
    pb_ratio = serializers.FloatField(allow_null=True, help_text="ratio")
    roe = serializers.FloatField(allow_null=True, help_text="percent")
    eps = serializers.FloatField(allow_null=True, help_text="₹ per share")
    beta = serializers.FloatField(allow_null=True, help_text="ratio")
    revenue_growth = serializers.FloatField(allow_null=True, help_text="percent")
    earnings_growth = serializers.FloatField(allow_null=True, help_text="percent")
    operating_margin = serializers.FloatField(allow_null=True, help_text="percent")


class TradingSignals(serializers.Serializer[Any]):
    target_price = serializers.FloatField(
        allow_null=True, help_text="₹, level that the highest high of the ten sessions reaches with target_probability"
    )
    stop_loss = serializers.FloatField(
        allow_null=True, help_text="₹, level that the lowest low of the ten sessions undercuts with stop_probability"
    )
    recommendation = serializers.ChoiceField(choices=RECOMMENDATIONS, allow_null=True)


class SuggestedStockAnswer(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    stock_name = serializers.CharField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    current_price = serializers.FloatField(allow_null=True, help_text="₹, close of `date`")
    market_cap = serializers.FloatField(allow_null=True, help_text="₹ crore")
    sector = serializers.CharField(allow_null=True)
    ml_prediction_score = serializers.FloatField(allow_null=True, help_text="0-1")
    ml_price_target = serializers.FloatField(
        allow_null=True, help_text="₹, price expected at the exit: expected_entry plus the expected absolute return"
    )
    ml_confidence = serializers.FloatField(allow_null=True, help_text="0-1, agreement of the ensemble's members")
    ml_risk_score = serializers.FloatField(allow_null=True, help_text="0-1, lower is safer")
    technical_indicators = PickIndicators()
    fundamentals = PickFundamentals()
    trading_signals = TradingSignals()
    ml_probability = serializers.FloatField(allow_null=True, help_text="0-1, chance to beat the day's median share")
    predicted_return = serializers.FloatField(allow_null=True, help_text="percent, the same as expected_excess_pct")
    predicted_drawdown = serializers.FloatField(allow_null=True, help_text="percent below the entry")
    selection_score = serializers.FloatField(allow_null=True, help_text="0-1, the strategy's own score")
    market_cap_category = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    place = serializers.IntegerField(allow_null=True, help_text="among all shares that passed, 1 is the best")
    standing = serializers.ChoiceField(
        choices=[(Standing.NEW, "was not on the list before"), (Standing.KEPT, "was on the list before")],
        allow_null=True,
        help_text="against the list before",
    )
    listed_since = serializers.DateField(allow_null=True, help_text="first session of its unbroken stay on the list")
    expected_entry = serializers.FloatField(allow_null=True, help_text="₹, expected at the next open")
    round_trip_cost_pct = serializers.FloatField(
        allow_null=True, help_text="percent of the value, charges and impact of buying and selling once"
    )
    target_probability = serializers.FloatField(allow_null=True, help_text="0-1, chance that target_price is reached")
    stop_probability = serializers.FloatField(allow_null=True, help_text="0-1, chance that stop_loss is undercut")
    reward_to_risk = serializers.FloatField(
        allow_null=True, help_text="ratio, way from expected_entry to target_price over the way to stop_loss"
    )
    expected_excess_pct = serializers.FloatField(
        allow_null=True,
        help_text="percent over the day's mean share in the ten sessions held, before costs; the absolute return adds"
        " the market's own, which is taken to be 0",
    )
    excess_low_pct = serializers.FloatField(
        allow_null=True, help_text="percent, lower end of the excess's 80 % interval"
    )
    excess_high_pct = serializers.FloatField(
        allow_null=True, help_text="percent, upper end of the excess's 80 % interval"
    )


class DepartureAnswer(serializers.Serializer[Any]):
    """A share of the list before that is not on this one."""

    symbol = serializers.CharField()
    stock_name = serializers.CharField(allow_null=True)
    last_rank = serializers.IntegerField(allow_null=True, help_text="rank on the list before")
    last_place = serializers.IntegerField(allow_null=True, help_text="place in the ranking then")
    listed_since = serializers.DateField(help_text="first session of its stay")
    place = serializers.IntegerField(allow_null=True, help_text="place in the ranking now; null: it no longer passes")
    reason = serializers.CharField(allow_blank=True, help_text="why it left; empty where that was not kept")


class SuggestedStocksAnswer(serializers.Serializer[Any]):
    """The picks of one strategy, and the publication they come from."""

    success = serializers.BooleanField()
    count = serializers.IntegerField()
    strategy = serializers.CharField()
    generated_at = serializers.DateTimeField(allow_null=True, help_text="time of publication, with offset")
    stocks = SuggestedStockAnswer(many=True)
    date = serializers.DateField(allow_null=True, help_text="session whose close was used")
    valid_for = serializers.DateField(allow_null=True, help_text="session the picks are meant for")
    total = serializers.IntegerField(help_text="number of picks that match the filters")
    version = serializers.IntegerField(allow_null=True)
    model_id = serializers.CharField(allow_null=True)
    head_hash = serializers.CharField(
        allow_null=True, help_text="SHA-256 of the list's head, see `verify_publications`; null: none was kept"
    )
    previous_hash = serializers.CharField(
        allow_null=True, help_text="head_hash published before on this list; null: this is the first with a hash"
    )
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    reason = serializers.CharField(allow_null=True, help_text="why the list is empty or short, in plain words")
    notice = serializers.CharField(
        allow_null=True, help_text="set when a later session has ended whose picks are not published yet"
    )
    compared_with = serializers.DateField(allow_null=True, help_text="session of the list before")
    departures = DepartureAnswer(many=True)
    warnings = serializers.ListField(child=serializers.CharField(), help_text=WARNINGS)


class ErrorFacts(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class ErrorAnswer(serializers.Serializer[Any]):
    """The form of every error response."""

    success = serializers.BooleanField()
    error = ErrorFacts()


def documented_responses(answer: type[serializers.BaseSerializer[Any]]) -> dict[int, Any]:
    """What a view for reading may answer, for the schema: its answer, unchanged, or one of the errors."""
    return {
        200: answer,
        304: OpenApiResponse(description="Unchanged since the response whose ETag was sent."),
        400: ErrorAnswer,
        401: ErrorAnswer,
        403: OpenApiResponse(ErrorAnswer, "The API token lacks the scope `read`."),
        404: OpenApiResponse(ErrorAnswer, "An unsupported `format`."),
        405: OpenApiResponse(ErrorAnswer, "A method other than GET, HEAD and OPTIONS."),
        429: OpenApiResponse(
            ErrorAnswer, "More requests in a minute than the reading limit allows; see `Retry-After`."
        ),
        406: OpenApiResponse(ErrorAnswer, "An unsupported media type in `Accept`."),
    }
