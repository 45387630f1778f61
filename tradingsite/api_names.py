"""Names that sets of choices have in the API's description: without one, equal names of fields would collide."""

from typing import Final

ENUM_NAMES: Final = {
    "BacktestStatus": "portfolio.models.Backtest.Status",
    "AccountKind": "portfolio.models.TradingAccount.AccountKind",
    "DifferenceKind": "portfolio.models.Difference.DifferenceKind",
    "EntryKind": "portfolio.models.LedgerEntry.EntryKind",
    "OrderState": "portfolio.api.choices.STATES",
    "PlanStatus": "portfolio.models.Plan.PlanStatus",
    "ModelStatus": "ml.models.TrainedModel.Status",
}
