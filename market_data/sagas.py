"""The sagas of collecting and computing: each step is one entry."""

from market_data.imports import steps as csv_steps
from market_data.providers import TransientProviderError
from market_data.runs.saga import Saga, Step, register_sagas
from market_data.steps import collection, metrics, upkeep
from market_data.steps import fundamentals as fundamentals_step
from market_data.steps import indicators as indicator_step

_BARS = ("technical_indicators", "historical_data", "source_files")
_FACTS = ("stock_metrics", "corporate_actions", "exchange_facts", "symbol_changes", "stocks", "market_days")
_SAID = ("financial_statements", "findings", "rejected_rows")
_KNOWN = (*_BARS, *_FACTS, "financial_statements", "fundamental_snapshots", "findings")
_HANDED_IN = ("financial_statements", "fundamental_snapshots", "stocks", "market_days", "rejected_rows")
_ASKS = (TransientProviderError,)

SYMBOL_MASTER = Step("SYMBOL_MASTER", collection.read_symbol_master, collection.record_symbol_master, transient=_ASKS)
VALIDATION = Step("PIPELINE_VALIDATION", metrics.check, metrics.record_check)

register_sagas(
    Saga("symbol_master", "Symbol master", (SYMBOL_MASTER,), tables=(*_FACTS, "findings"), needs_session=False),
    Saga(
        "pipeline",
        "Data Pipeline (6-step saga)",
        (
            SYMBOL_MASTER,
            Step("STOCKS", collection.read_universe, collection.record_universe, transient=_ASKS),
            Step(
                "HISTORICAL_DATA",
                indicator_step.step_of_bars,
                indicator_step.record_step_of_bars,
                chunks=collection.bar_chunks,
                transient=_ASKS,
            ),
            Step(
                "TECHNICAL_INDICATORS",
                indicator_step.compute_indicators,
                indicator_step.record_indicators,
                chunks=indicator_step.indicator_chunks,
            ),
            Step("COMPREHENSIVE_METRICS", metrics.compute_metrics, metrics.record_metrics),
            VALIDATION,
        ),
        tables=(*_BARS, *_FACTS, *_SAID),
        reads=("fundamental_snapshots",),
    ),
    Saga(
        "import_fundamentals",
        "Import of fundamentals",
        (Step("READ_FILES", fundamentals_step.read, fundamentals_step.record),),
        tables=("financial_statements", "fundamental_snapshots", "rejected_rows"),
        needs_session=False,
    ),
    Saga(
        "check_csv",
        "Check of a handed-in file",
        (Step("CHECK_FILE", csv_steps.check, csv_steps.record_check),),
        needs_session=False,
    ),
    Saga(
        "import_csv",
        "Import of a handed-in file",
        (
            Step("WRITE_ROWS", csv_steps.read_rows, csv_steps.record_rows),
            Step(
                "INDICATORS_ANEW",
                csv_steps.compute_indicators,
                csv_steps.record_indicators,
                chunks=csv_steps.indicator_chunks,
            ),
        ),
        tables=("technical_indicators", "historical_data", *_HANDED_IN),
        reads=("corporate_actions",),
        needs_session=False,
    ),
    Saga(
        "fill_data",
        "Fill missing data",
        (Step("FILL_DATA", metrics.compute_missing, metrics.record_missing),),
        tables=("technical_indicators", "stock_metrics", "stocks"),
        reads=_KNOWN,
    ),
    Saga(
        "business_logic",
        "Business logic (ratios from statements)",
        (Step("BUSINESS_LOGIC", metrics.compute_ratios, metrics.record_ratios),),
        tables=("stock_metrics", "stocks"),
        reads=_KNOWN,
    ),
    Saga(
        "validation",
        "Data-quality validation",
        (Step("VALIDATION", metrics.check, metrics.record_check),),
        tables=("findings",),
        reads=_KNOWN,
        replays=True,
    ),
    Saga("csv_export", "CSV export", (Step("CSV_EXPORT", upkeep.export, upkeep.record_export),), replays=True),
    Saga(
        "quotes",
        "Quotes of the running session",
        (Step("QUOTES", upkeep.read_quotes, upkeep.record_quotes, transient=_ASKS),),
    ),
    Saga("cleanup", "Cleanup", (Step("CLEANUP", upkeep.old_things, upkeep.remove_old),), needs_session=False),
)
