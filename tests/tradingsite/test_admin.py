"""Every table in the admin: it opens with data, owned tables are only shown, runs are started and retried by POST."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ
from unfold.admin import ModelAdmin

from brokers.accounts import secret_of
from brokers.models import BrokerConfiguration
from market_data.models import CorporateAction, DailyBar, PipelineRun, PipelineStep, RunUndo, TechnicalIndicator
from portfolio.models import ApiToken, Strategy, User
from portfolio.tokens import token_of
from stocks.admin import EstimatingPaginator, ReadOnlyAdmin
from stocks.models import ExchangeFact, Stock, StockMetrics
from tests.published import SESSION
from tests.runs import make_run
from tests.tables import SECRET, fill_every_table
from tests.tokens import token_key

pytestmark = pytest.mark.django_db

# Tables of libraries that hold nothing to look at, or that another entry shows.
NOT_SHOWN = {
    *("Permission", "ContentType", "Session", "LogEntry", "Token", "Task", "AccessAttemptExpiration"),
    "BrokerCall",  # the limiter's own count
    "BrokerLogIn",  # log-ins of ten minutes: nobody can do anything with a row
    *("SecondFactor", "RecoveryCode"),  # each person has a page of their own: no list of them is anybody's
}
EDITABLE = {
    "ImportedFile",
    "User",
    "Group",
    "Strategy",
    "BrokerConfiguration",
    "MarketDay",
    "AccessAttempt",
    "AccountLimits",
    "ApiToken",
}
ADMINS = sorted(admin.site._registry.items(), key=lambda entry: entry[0].__name__)


def name(model, page):
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


@pytest.fixture
def operator(client):
    user = get_user_model().objects.create_superuser("operator")
    client.force_login(user)
    return client


def test_every_table_is_registered_in_the_theme():
    shown = {model.__name__ for model in admin.site._registry}
    assert {model.__name__ for model in apps.get_models()} - shown - NOT_SHOWN == set()
    assert [model for model, page in ADMINS if not isinstance(page, ModelAdmin)] == []


def test_a_file_of_a_filter_that_does_not_exist_is_refused_as_the_list_is(operator):
    for query in ("nonsense=1", "session__gte=2026-13-45"):
        for page in ("/admin/market_data/finding/", "/admin/market_data/finding/export/"):
            answer = operator.get(f"{page}?{query}")
            assert (answer.status_code, answer["Location"]) == (302, "/admin/market_data/finding/?e=1")


def test_tables_with_a_writer_are_read_only():
    assert {model.__name__ for model, page in ADMINS if not isinstance(page, ReadOnlyAdmin)} == EDITABLE


def test_every_list_and_every_row_opens_with_data(operator):
    fill_every_table()
    for model, _ in ADMINS:
        row = model._default_manager.first()
        assert row is not None, model
        listed = operator.get(reverse(name(model, "changelist")), {"q": "AAA 2026-04-30"})
        detail = operator.get(reverse(name(model, "change"), args=[row.pk]))
        assert (listed.status_code, detail.status_code) == (200, 200), model
        assert SECRET not in listed.content.decode() + detail.content.decode(), model


@pytest.mark.long
@pytest.mark.parametrize("query", [{}, {"q": "AAA"}, {"q": "nothing-such"}], ids=str)
def test_every_list_is_searched(operator, query):
    fill_every_table()
    for model, _ in ADMINS:
        listed = operator.get(reverse(name(model, "changelist")), query)
        assert listed.status_code == 200, model
        assert SECRET not in listed.content.decode(), model


def test_an_owned_row_cannot_be_changed_even_by_a_superuser(operator):
    fill_every_table()
    for model in [model for model, page in ADMINS if isinstance(page, ReadOnlyAdmin)]:
        row = model._default_manager.first()
        assert row is not None, model
        answers = (
            operator.post(reverse(name(model, "change"), args=[row.pk]), {"x": 1}),
            operator.post(reverse(name(model, "delete"), args=[row.pk]), {"post": "yes"}),
            operator.post(reverse(name(model, "add")), {"x": 1}),
        )
        assert [answer.status_code for answer in answers] == [403, 403, 403], model


# Attempts to log in can be deleted, which lifts a lock, but not added.
@pytest.mark.parametrize("model_name", sorted(EDITABLE - {"AccessAttempt"}))
def test_an_editable_table_has_a_form(operator, model_name):
    [model] = [model for model, _ in ADMINS if model.__name__ == model_name]
    assert operator.get(reverse(name(model, "add"))).status_code == 200


# --- runs -----------------------------------------------------------------------------------------------------------
def act(client, model, action, *rows):
    response = client.post(
        reverse(name(model, "changelist")),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def test_a_failed_run_is_retried_from_its_list_and_from_its_steps(operator):
    run = make_run(status="failed", step_status="failed", done=1)
    messages = act(operator, PipelineRun, "retry", run)
    assert messages == [f"{run.id} continues with STOCKS."]
    run.refresh_from_db()
    assert run.status == "running"
    assert OrmQ.objects.filter(key="data").count() == 1
    messages = act(operator, PipelineStep, "retry", *run.steps.all()[:3])
    assert len(messages) == 1
    assert "no failed step" in messages[0]


def test_a_job_starts_once_and_a_second_start_names_the_run(operator):
    make_run("cleanup_1", job="cleanup", status="completed", done=1, names=("CLEANUP",), session=None)
    old = PipelineRun.objects.get()
    [message] = act(operator, PipelineRun, "run_again", old)
    started = PipelineRun.objects.exclude(pk="cleanup_1").get()
    assert message == f"cleanup started as {started.id}."
    assert started.triggered_by == "operator"
    [message] = act(operator, PipelineStep, "run_again", *old.steps.all())
    assert started.id in message
    assert PipelineRun.objects.count() == 2


def test_a_scheduled_job_starts_from_its_schedule(operator):
    fill_every_table()
    from django_q.models import Schedule

    Schedule.objects.create(name="cleanup", func="x", schedule_type="C", cron="0 3 * * 0")
    messages = act(operator, Schedule, "run_now", *Schedule.objects.filter(name__in=("cleanup", "heartbeat_data")))
    assert messages[0].startswith("heartbeat_data is not a job")
    assert messages[1].startswith("cleanup started as cleanup_")


def test_actions_need_the_permission_and_a_post(client):
    run = make_run(status="failed", step_status="failed", done=1)
    watcher = get_user_model().objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    client.force_login(watcher)
    address = reverse(name(PipelineRun, "changelist"))
    assert client.get(address).status_code == 200
    client.post(address, {"action": "retry", "_selected_action": [run.pk]})
    client.get(address, {"action": "retry", "_selected_action": run.pk})
    run.refresh_from_db()
    assert run.status == "failed"


@pytest.mark.parametrize("model", ["success", "failure"])
def test_the_queues_own_resubmit_is_removed(operator, model):
    fill_every_table()
    html = operator.get(reverse(f"admin:django_q_{model}_changelist")).content.decode()
    assert "resubmit" not in html.lower()


# --- secrets --------------------------------------------------------------------------------------------------------
def account_form(account, **changes):
    return {"user": account.user_id, "broker": account.broker, "client_id": "XA1", "is_active": "on", **changes}


def secrets_of(account):
    return [secret_of(account, "api_secret"), secret_of(account, "access_token")]


def test_a_brokers_secret_goes_in_and_never_comes_out(operator):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    operator.post(address, account_form(account, new_access_token="tok-123", registered_ips="203.0.113.7 2001:db8::1"))
    account.refresh_from_db()
    assert secrets_of(account) == [SECRET, "tok-123"]
    assert account.registered_ips == ["203.0.113.7", "2001:db8::1"]
    operator.post(address, account_form(account, new_api_secret="second"))
    account.refresh_from_db()
    assert secrets_of(account) == ["second", "tok-123"]
    html = operator.get(address).content.decode() + operator.get(f"{address}../history/").content.decode()
    assert account.key_id in html
    assert [text for text in ("second", "tok-123", account.api_secret, account.access_token) if text in html] == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_secret, access_token FROM broker_configurations")
        assert not {"second", "tok-123"} & set(cursor.fetchone())
    operator.post(address, account_form(account, forget_secrets="on"))
    account.refresh_from_db()
    assert (account.api_secret, account.access_token, account.key_id) == ("", "", "")


def test_a_new_token_has_no_end_unless_it_is_entered_with_it(operator):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    ended = {"token_expires_at_0": "2026-04-30", "token_expires_at_1": "06:00:00"}
    for changes, end in ((ended, True), (ended | {"new_access_token": "tok-456"}, False)):
        assert operator.post(address, account_form(account, new_access_token="tok-123") | changes).status_code == 302
        account.refresh_from_db()
        assert (account.token_expires_at is not None) is end


def test_registered_addresses_that_are_none_are_refused_in_a_sentence(operator):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    refused = operator.post(address, account_form(account, registered_ips="203.0.113.7/24")).content.decode()
    assert "&#x27;203.0.113.7/24&#x27; is no IPv4 or IPv6 address" in refused


def test_one_account_of_a_broker_reads_data_for_everybody(operator):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    other = BrokerConfiguration.objects.create(
        user=get_user_model().objects.get(username="operator"), broker="fyers", is_data_account=True
    )
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    refused = operator.post(address, account_form(account, is_data_account="on")).content.decode()
    assert "reads this broker&#x27;s data: unmark that one first" in refused
    BrokerConfiguration.objects.filter(pk=other.pk).update(is_data_account=False)
    assert operator.post(address, account_form(account, is_data_account="on")).status_code == 302
    assert BrokerConfiguration.objects.get(is_data_account=True) == account


def test_a_secret_that_no_key_opens_breaks_no_page_and_can_be_replaced(operator, settings):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    settings.CREDENTIAL_KEYS = ["another key"]
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    assert operator.get(reverse(name(BrokerConfiguration, "changelist"))).status_code == 200
    shown = operator.get(address).content.decode()
    assert f"sealed with key {account.key_id}, which is none of CREDENTIAL_KEYS" in shown
    assert operator.post(address, account_form(account, new_api_secret="new one")).status_code == 302
    account.refresh_from_db()
    assert secrets_of(account) == ["new one", ""]


def test_a_secret_with_a_null_character_is_refused_in_a_sentence(operator):
    fill_every_table()
    account = BrokerConfiguration.objects.get()
    address = reverse(name(BrokerConfiguration, "change"), args=[account.pk])
    refused = operator.post(address, account_form(account, new_api_secret="two\0parts"))
    assert refused.status_code == 200
    assert "Null characters are not allowed." in refused.content.decode()
    account.refresh_from_db()
    assert secrets_of(account)[0] == SECRET


def test_a_token_is_shown_once(operator):
    sent = {"name": "the notebook", "scopes": ["read", "operate"], "days": "30"}
    made = operator.post(reverse(name(ApiToken, "add")), sent)
    [key] = re.findall(r'id="key">([0-9a-f]{48})<', made.text)
    token = ApiToken.objects.get()
    assert (token_of(key), token.scopes, token.name) == (token, ["read", "operate"], "the notebook")
    assert "no-store" in made["Cache-Control"]
    assert key not in str(made.cookies)
    again = operator.post(reverse(name(ApiToken, "add")), sent)
    assert "has a token named &#x27;the notebook&#x27;" in again.text
    kept = ("change", "history")
    pages = [
        reverse(name(ApiToken, "changelist")),
        *(reverse(name(ApiToken, each), args=[token.pk]) for each in kept),
    ]
    texts = [operator.get(page).text for page in pages]
    assert all("the notebook" in text for text in texts)
    assert not any(secret in text for text in texts for secret in (key, key[8:], token.digest))


def test_a_token_is_revoked_once(operator):
    token_key(User.objects.create_user("asha"))
    token = ApiToken.objects.get()
    sent = {"action": "revoke_tokens", "_selected_action": [token.pk]}
    answers = [operator.post(reverse(name(ApiToken, "changelist")), sent, follow=True).text for _ in range(2)]
    assert ["1 revoked" in answers[0], "0 revoked" in answers[1]] == [True, True]
    assert operator.post(reverse(name(ApiToken, "delete"), args=[token.pk]), {"post": "yes"}).status_code == 403


# --- big tables -----------------------------------------------------------------------------------------------------
def test_a_big_table_is_estimated_and_never_counted(operator, django_assert_max_num_queries):
    Stock.objects.create(symbol="AAA")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO corporate_actions (symbol, ex_date, kind, known_on, status, purpose, source)"
            " SELECT 'AAA', '2026-04-30', 'other', '2026-04-30', 'official', n::text, 't'"
            " FROM generate_series(1, 12000) n"
        )
        cursor.execute("ANALYZE corporate_actions")
    whole = EstimatingPaginator(CorporateAction.objects.all(), 50)
    assert abs(whole.count - 12000) < 600
    assert EstimatingPaginator(CorporateAction.objects.filter(status="official"), 50).count == 10001
    assert EstimatingPaginator(CorporateAction.objects.filter(purpose="7"), 50).count == 1
    assert EstimatingPaginator([1, 2, 3], 50).count == 3


def test_bars_are_found_by_symbol_and_date_through_an_index(operator, rf):
    fill_every_table()
    for words, count in (("aaa", 1), ("2026-04-30", 1), ("AAA 2026-04-30", 1), ("AA", 0), ("AAA 2026-04-29", 0)):
        page = operator.get(reverse(name(DailyBar, "changelist")), {"q": words})
        assert page.context["cl"].result_count == count
    sql = str(admin.site._registry[DailyBar].get_search_results(rf.get("/"), DailyBar.objects.all(), "aaa")[0].query)
    assert "UPPER" not in sql
    assert "JOIN" not in sql


@pytest.mark.parametrize("model", [DailyBar, TechnicalIndicator, StockMetrics, ExchangeFact, RunUndo])
def test_no_list_of_a_big_table_reads_all_of_it(operator, model):
    fill_every_table()
    with CaptureQueriesContext(connection) as queries:
        operator.get(reverse(name(model, "changelist")))
    table = model._meta.db_table
    whole = [query["sql"] for query in queries.captured_queries if table in query["sql"]]
    assert whole
    assert [sql for sql in whole if "DISTINCT" in sql or ("COUNT(" in sql and "LIMIT" not in sql)] == []


# --- export ---------------------------------------------------------------------------------------------------------
def test_an_export_has_no_formula_and_keeps_negative_numbers(operator):
    Stock.objects.create(
        symbol="AAA", stock_name="=HYPERLINK(1)", industry="-1+1", earnings_growth=-12.5, last_seen=SESSION
    )
    address = reverse(name(Stock, "export"))
    assert operator.get(address).status_code == 200
    fields = {"resource": "0", "format": "0"}
    for field in ("symbol", "stock_name", "industry", "earnings_growth"):
        fields[f"stockresource_{field}"] = "on"
    answer = operator.post(address, fields)
    assert answer["Content-Type"].startswith("text/csv")
    text = answer.content.decode()
    assert "'=HYPERLINK(1)" in text
    assert "'-1+1" in text
    assert re.search(r"(?<!')-12\.5", text)


@pytest.mark.parametrize("model", ["portfolio_strategy", "portfolio_order", "portfolio_trade", "portfolio_position"])
def test_user_owned_tables_can_be_exported(operator, model):
    fill_every_table()
    assert operator.get(reverse(f"admin:{model}_export")).status_code == 200


def test_a_strategys_parameters_are_checked(operator):
    form = {"name": "Mine", "kind": "growth", "is_active": "on", "parameters": '{"limit": 500}'}
    page = operator.post(reverse("admin:portfolio_strategy_add"), form)
    assert page.status_code == 200
    assert "500 is greater than the maximum of 50" in page.content.decode()
    form["parameters"] = '{"limit": 20}'
    assert operator.post(reverse("admin:portfolio_strategy_add"), form).status_code == 302
    assert Strategy.objects.get(name="Mine").parameters == {"limit": 20}
