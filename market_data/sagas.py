"""The sagas of collecting and computing: each step is one entry."""

from market_data.exports.files import ExportError
from market_data.imports import steps as csv_steps
from market_data.providers import ProviderError, TransientProviderError
from market_data.runs.saga import NO_SESSION, Saga, Step, register_sagas
from market_data.steps import fundamentals as fundamentals_step
from market_data.steps import gaps, metrics, symbol_master, upkeep, validation
from market_data.steps.historical_data import bar_chunks
from market_data.steps.indicators import indicator_chunks
from market_data.steps.sources import as_of
from market_data.trading_calendar import CalendarError
from stocks.fundamentals.files import FundamentalsUnreadableError
from stocks.storage.file_contents import FileUnreadable

_CALENDAR = ("market_days", "market_years")
_BARS = ("technical_indicators", "historical_data", "source_files")
_FACTS = (
    *("stock_metrics", "corporate_actions", "exchange_facts", "trading_limits", "symbol_changes", "stocks"),
    *_CALENDAR,
)
_REPORTS = ("financial_statements", "findings", "rejected_rows")
_INPUTS = (*_BARS, *_FACTS, "financial_statements", "fundamental_snapshots", "findings")
_UPLOADED = (
    *("technical_indicators", "historical_data", "financial_statements", "fundamental_snapshots"),
    *("stocks", *_CALENDAR, "trading_phases", "rejected_rows"),
)
_EXPORTED = ("historical_data", "technical_indicators", "stock_metrics", "stocks", "daily_suggested_stocks")
_TRANSIENT, _REFUSALS = (TransientProviderError,), (ProviderError, CalendarError)

SYMBOL_MASTER = Step(
    "SYMBOL_MASTER", symbol_master.read_master, symbol_master.record_master, transient=_TRANSIENT, refusals=_REFUSALS
)
VALIDATION = Step("PIPELINE_VALIDATION", validation.validate, validation.record_validation)

register_sagas(
    Saga(
        "symbol_master",
        "Symbol master",
        (SYMBOL_MASTER,),
        tables=(*_FACTS, "findings"),
        command="run_pipeline",  # its first step does the same
        cron="0 6 * * 1",
        stands_for=NO_SESSION,
    ),
    Saga(
        "pipeline",
        "Data pipeline",
        (
            SYMBOL_MASTER,
            Step(
                "STOCKS",
                symbol_master.read_statements,
                symbol_master.record_universe,
                transient=_TRANSIENT,
                refusals=_REFUSALS,
            ),
            Step("HISTORICAL_DATA", chunks=bar_chunks, transient=_TRANSIENT, refusals=_REFUSALS),
            Step("TECHNICAL_INDICATORS", chunks=indicator_chunks),
            Step("COMPREHENSIVE_METRICS", metrics.compute_evening, metrics.record_evening),
            VALIDATION,
        ),
        tables=(*_BARS, *_FACTS, *_REPORTS),
        reads=("fundamental_snapshots",),
        command="run_pipeline",
        cron="0 21 * * *",
        description="Data Pipeline (6-step saga)",
        public_title="Prices and indicators",
    ),
    Saga(
        "import_fundamentals",
        "Fundamentals import",
        (
            Step(
                "READ_FILES",
                fundamentals_step.read_folder,
                fundamentals_step.record_folder,
                refusals=(FundamentalsUnreadableError,),
            ),
        ),
        tables=("financial_statements", "fundamental_snapshots", "rejected_rows"),
        command="import_fundamentals",
        stands_for=NO_SESSION,
    ),
    Saga(
        "check_csv",
        "Check of an uploaded file",
        (Step("CHECK_FILE", csv_steps.check, csv_steps.record_check),),
        reads=_UPLOADED,
        stands_for=NO_SESSION,
    ),
    Saga(
        "import_csv",
        "Import of an uploaded file",
        (
            Step("WRITE_ROWS", csv_steps.read_rows, csv_steps.record_rows, refusals=(FileUnreadable, CalendarError)),
            Step("INDICATORS_ANEW", chunks=csv_steps.indicator_chunks),
        ),
        tables=_UPLOADED,
        reads=("corporate_actions",),
        stands_for=NO_SESSION,
    ),
    Saga(
        "fill_data",
        "Fill missing data",
        (Step("FILL_DATA", metrics.compute_missing, metrics.record_missing),),
        tables=("technical_indicators", "stock_metrics", "stocks"),
        reads=_INPUTS,
        command="fill_data",
        cron="30 21 * * *",
        public_title="Missing figures",
        waits_for=("pipeline",),
    ),
    Saga(
        "business_logic",
        "Business logic",
        (Step("BUSINESS_LOGIC", metrics.compute_metrics, metrics.record_ratios),),
        tables=("stock_metrics", "stocks"),
        reads=_INPUTS,
        command="calculate_business_logic",
        cron="45 21 * * *",
        waits_for=("fill_data",),
        description="Business logic (ratios from statements)",
        public_title="Company figures",
    ),
    Saga(
        "validation",
        "Data-quality validation",
        (Step("VALIDATION", validation.validate, validation.record_validation),),
        tables=("findings",),
        reads=_INPUTS,
        command="validate_data",
        cron="30 22 * * *",
        public_title="Checks of the data",
        waits_for=("business_logic",),
        replays=True,
    ),
    Saga(
        "csv_export",
        "CSV export",
        (Step("CSV_EXPORT", upkeep.export, upkeep.record_export, refusals=(ExportError,)),),
        command="export_csv",
        cron="0 22 * * *",
        waits_for=("business_logic",),
        reads=_EXPORTED,
        replays=True,
    ),
    Saga(
        "quotes",
        "Quotes of the running session",
        (Step("QUOTES", upkeep.read_quotes, upkeep.record_quotes, transient=_TRANSIENT, refusals=_REFUSALS),),
        command="refresh_quotes",
        cron="*/30 9-15 * * 1-5",
    ),
    Saga(
        "fill_gaps",
        "Gaps filled from a broker's history",
        (Step("FILL_GAPS", gaps.read_gaps, gaps.record_gaps, transient=_TRANSIENT, refusals=_REFUSALS),),
        tables=("historical_data", "rejected_rows"),
        reads=("corporate_actions", "findings", *_CALENDAR),
        stands_for=NO_SESSION,
    ),
    Saga(
        "cleanup",
        "Cleanup",
        (Step("CLEANUP", as_of, upkeep.purge_expired),),
        command="cleanup",
        cron="0 3 * * 0",
        stands_for=NO_SESSION,
    ),
)
