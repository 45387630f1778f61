"""The tables of market_data; the app's other modules import them from here."""

from market_data.models.evidence import Finding, RejectedRow, SourceFile
from market_data.models.imports import ImportedFile
from market_data.models.market import (
    CalendarYear,
    CorporateAction,
    DailyBar,
    MarketDay,
    Quote,
    TechnicalIndicator,
    TradingLimits,
    TradingPhase,
)
from market_data.models.runs import EveningHold, Heartbeat, PipelineRun, PipelineStep, RunUndo, StepAttempt, TableTotal

__all__ = [
    "CalendarYear",
    "CorporateAction",
    "DailyBar",
    "EveningHold",
    "Finding",
    "Heartbeat",
    "ImportedFile",
    "MarketDay",
    "PipelineRun",
    "PipelineStep",
    "Quote",
    "RejectedRow",
    "RunUndo",
    "SourceFile",
    "StepAttempt",
    "TableTotal",
    "TechnicalIndicator",
    "TradingLimits",
    "TradingPhase",
]
