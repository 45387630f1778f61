"""One row of every table, for the tests that open every page of the admin."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.signing import SignedPackage

from brokers.accounts import account_of, store_secrets
from brokers.files.contract_notes import LINES
from brokers.models import ImportedNote
from market_data import models as market
from market_data import phase_records
from ml.models import (
    ChampionChange,
    Evaluation,
    PickHistoryDay,
    PickOutcome,
    PickPlace,
    Prediction,
    TrainedModel,
)
from portfolio.models import (
    AccountLimits,
    Backtest,
    Difference,
    KillSwitch,
    LedgerEntry,
    LivePermission,
    Order,
    OrderAlarm,
    OrderEvent,
    OrderIntent,
    PaperVenue,
    Plan,
    Position,
    RecoveryCode,
    SecondFactor,
    Strategy,
    Trade,
    TradedStrategy,
    User,
)
from stocks import models as stocks
from tests.accounts import A_FILL, AN_ORDER, paper_account
from tests.backtests import store_completed
from tests.published import NEXT_SESSION, SESSION, pick, publish
from tests.runs import make_run
from tests.tokens import token_key
from tradingsite.models import AlertDelivery, AlertTimer, Trouble

NOW = datetime(2026, 4, 30, 15, 30, tzinfo=UTC)
SECRET = "topsecret-of-the-broker"


def fill_every_table() -> None:
    """Store one row of each."""
    _fill_stocks()
    _fill_market()
    _fill_models()
    _fill_outcomes()
    _fill_people()
    _fill_libraries()
    _fill_alerts()


def _fill_stocks() -> None:
    stocks.Stock.objects.create(symbol="AAA", stock_name="A Limited", kind="share", sector="Realty", last_seen=SESSION)
    stocks.SymbolChange.objects.create(from_symbol="OLD", to_symbol="AAA", date=SESSION, proof="isin")
    stocks.StockMetrics.objects.create(symbol_id="AAA", date=SESSION, current_price=10.5, tradable=True)
    stocks.FinancialStatement.objects.create(
        symbol="AAA", period_end=date(2026, 3, 31), kind="quarter", published_on=SESSION, source="test"
    )
    stocks.FundamentalSnapshot.objects.create(symbol="AAA", snapshot=SESSION, source="test")
    stocks.ExchangeFact.objects.create(symbol="AAA", date=SESSION, source="test")
    publish("balanced", [pick("AAA")])


def _fill_market() -> None:
    market.DailyBar.objects.create(
        symbol_id="AAA", date=SESSION, series="EQ", open=10, high=11, low=9, close=10, volume=5, source="test"
    )
    market.TechnicalIndicator.objects.create(symbol_id="AAA", date=SESSION, rsi_14=50)
    market.Quote.objects.create(symbol_id="AAA", at=NOW, last_price=10, source="test")
    market.TradingLimits.objects.create(symbol="AAA", date=SESSION, lower_band=9, upper_band=11, source="test")
    market.MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="test")
    market.CalendarYear.objects.create(
        year=SESSION.year, first=date(SESSION.year, 1, 1), last=date(SESSION.year, 12, 31), source="test"
    )
    phase_records.record_phases([])
    market.CorporateAction.objects.create(
        symbol="AAA", ex_date=SESSION, kind="split", factor=0.5, known_on=SESSION, status="official", source="test"
    )
    market.SourceFile.objects.create(
        session=SESSION, name="a.csv", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0
    )
    run = make_run(status="failed", step_status="errored")
    step = run.steps.get(status="errored")
    market.StepAttempt.objects.create(step=step, number=1, fence=1, ended_at=NOW, outcome="errored", reason="It broke.")
    market.RunUndo.objects.create(run_id="r", table_name="stocks", row_image={"symbol": "AAA"})
    market.RejectedRow.objects.create(run_id="r", session=SESSION, symbol="AAA", source="a.csv", reason="price 0")
    market.Finding.objects.create(run_id="r", session=SESSION, check_name="bars", severity="warning", message="few")
    market.TableTotal.objects.create(table_name="historical_data", rows=1, symbols=1, latest_date=SESSION)
    market.EveningHold.objects.create(session=SESSION, held_by="asha", reason="The file is wrong.")
    market.Heartbeat.objects.create(cluster="data", finished_at=NOW)
    market.ImportedFile.objects.create(
        name="a.csv", kind="market_days", content=b"x", size=1, sha256="0" * 64, uploaded_by="asha"
    )


def _fill_models() -> None:
    TrainedModel.objects.create(
        id="lightgbm_2026-04-30_abc",
        estimator="lightgbm",
        session=SESSION,
        train_from=SESSION - timedelta(days=365),
        train_until=SESSION,
        samples=10,
        data_hash="0" * 64,
        path="a",
        status="accepted",
    )
    ChampionChange.objects.create(
        session=SESSION,
        kind="first",
        recipe="0123456789ab",
        estimator="lightgbm",
        figures={"differences_pct": {"champion": {"mean": 1.0, "low_90": None, "high_90": None}}},
        reason="It was the first.",
    )
    Prediction.objects.create(symbol="AAA", date=SESSION, recipe="0123456789ab", score=1.2, expected_excess=0.01)
    recipe: dict[str, Any] = {"strategy": "balanced", "session": SESSION, "recipe": "0123456789ab"}
    PickPlace.objects.create(symbol="AAA", place=1, selection_score=0.7, source="walk_forward", **recipe)
    PickHistoryDay.objects.create(rules="0123456789ab", considered=1, passed=1, **recipe)
    Evaluation.objects.create(
        as_of=SESSION,
        estimator="lightgbm",
        first_test=SESSION,
        last_test=SESSION,
        data_hash="0" * 64,
        report={"ic": 0.08},
        seconds=1.5,
    )


def _fill_outcomes() -> None:
    PickOutcome.objects.create(
        date=SESSION,
        strategy="balanced",
        symbol="AAA",
        version=1,
        publication_version=1,
        published_at=NOW,
        is_late=False,
        result="not_bought",
        entry_date=NEXT_SESSION,
        universe_shares=0,
        as_of=SESSION,
        run_id="r",
    )


def _fill_people() -> None:
    user = get_user_model().objects.create_user("asha")
    strategy = Strategy.objects.create(owner=user, name="Mine", kind="growth")
    _fill_trading(user, strategy)
    store_secrets(account_of("fyers", user), client_id="XA1", api_secret=SECRET)
    lines = {"total": "23.74"} | dict.fromkeys(LINES[:-1], "0.00")
    ImportedNote.objects.create(
        user=user, broker="fyers", session=SESSION, number="CN-1", fills=[], stated=lines, computed=lines, differing=0
    )
    KillSwitch.objects.create(is_on=False, operator="asha", reason="AAA is settled")
    token_key(user)
    factor = SecondFactor.objects.create(user=user, secret="")
    RecoveryCode.objects.create(factor=factor, digest="0" * 64)
    store_completed(user)
    Backtest.objects.update(started_at=NOW, finished_at=NOW)
    Group.objects.create(name="Operators")


def _fill_trading(user: User, strategy: Strategy) -> None:
    account = paper_account(user)
    on = {"account": account, "strategy": strategy}
    intent = OrderIntent.objects.create(session=SESSION, symbol="AAA", side="buy", purpose="plan", **on)
    order = Order.objects.create(intent=intent, user=user, tag="TAG1", **on, **AN_ORDER)
    OrderEvent.objects.create(order=order, key="create", kind="create", at=NOW, broker_at=NOW, digest="0")
    OrderAlarm.objects.create(order=order, alarm="overfill", since=NOW, closed_at=NOW, closed_by="asha", reason="AAA")
    Trade.objects.create(order=order, account=account, date=SESSION, **A_FILL)
    Position.objects.create(account=account, symbol="AAA", product="cnc", quantity=1)
    LedgerEntry.objects.create(account=account, day=SESSION, kind="fill", symbol="AAA", quantity=1, reference="1")
    Difference.objects.create(
        account=account,
        kind="cash_differs",
        subject="cash",
        ours="0.00",
        theirs="2.00",
        since=NOW,
        checked_at=NOW,
        closed_at=NOW,
        action="AAA is blocked",
    )
    AccountLimits.objects.create(account=account, order_value=50_000)
    TradedStrategy.objects.create(terms={"holdings": 20}, first_session=SESSION, **on)
    plan = {"session": SESSION, "trades_on": NEXT_SESSION, "content": {}, "digest": "0"}
    Plan.objects.create(approved_by=user, approved_at=NOW, **plan, **on)
    ended = {"ended_at": NOW, "ended_by": "asha"}
    LivePermission.objects.create(given_by=user, until=NOW, release="1", parameters_digest="0", **ended, **on)
    PaperVenue.objects.create(account=account, snapshot={})


def _fill_libraries() -> None:
    Schedule.objects.create(
        name="pipeline", func="market_data.tasks.start_scheduled", schedule_type="C", cron="0 21 * * *"
    )
    Schedule.objects.create(
        name="heartbeat_data", func="market_data.tasks.heartbeat", schedule_type="C", cron="* * * * *"
    )
    facts: dict[str, Any] = {"func": "a.b", "started": NOW, "stopped": NOW}
    Task.objects.create(id="0" * 32, name="good", success=True, **facts)
    Task.objects.create(id="1" * 32, name="bad", success=False, result="broke", **facts)
    assert Success.objects.count() == Failure.objects.count() == 1
    payload = SignedPackage.dumps({"id": "2" * 32, "name": "queued", "func": "a.b", "args": (), "kwargs": {}})
    OrmQ.objects.create(key="data", payload=payload, lock=NOW)
    access: dict[str, Any] = {"username": "asha", "ip_address": "127.0.0.1", "user_agent": "x", "attempt_time": NOW}
    AccessAttempt.objects.create(get_data="", post_data="", failures_since_start=1, **access)
    AccessFailureLog.objects.create(**access)
    AccessLog.objects.create(**access)


def _fill_alerts() -> None:
    trouble = Trouble.objects.create(key="clusters:ml", title="AAA is silent.", since=NOW, last_seen_at=NOW)
    AlertDelivery.objects.create(trouble=trouble, event="begun", channel="mail")
    AlertTimer.objects.create(name="mail", since=NOW, next_at=NOW)
