"""The minute task in two clusters at once, and the two commands."""

import io
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_q.models import OrmQ
from pytest_django import Settings

from market_data.models import Heartbeat
from tests.tradingsite.alerts.conftest import PASSWORD, TOKEN
from tests.tradingsite.alerts.servers import MailSink, WebSink
from tradingsite.alerts import deliveries, tasks
from tradingsite.alerts.symptoms import Symptom
from tradingsite.alerts.troubles import record_symptoms
from tradingsite.models import AlertTimer, Trouble

NOW = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)


def output(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_two_concurrent_checks_report_a_trouble_once(web: WebSink):
    Heartbeat.objects.create(cluster="ml", finished_at=NOW - timedelta(hours=1))
    OrmQ.objects.create(key="ml", payload="x", lock=NOW - timedelta(hours=1))
    ready = threading.Barrier(4)

    def minute(cluster: str) -> None:
        try:
            ready.wait()
            tasks.check_and_record(cluster, NOW)
            deliveries.deliver_due(NOW)
        finally:
            connection.close()

    threads = [threading.Thread(target=minute, args=(cluster,)) for cluster in ("data", "ml", "data", "ml")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = "\n".join(body["text"] for _, _, body in web.requests)
    assert text.count("The cluster ml has shown no sign of life for 60 minutes") == 1
    assert Trouble.objects.filter(key="clusters:ml").count() == 1


@pytest.mark.django_db
def test_the_task_checks_and_delivers(web: WebSink):
    long_ago = datetime.now(UTC) - timedelta(minutes=30)
    Heartbeat.objects.create(cluster="data", finished_at=long_ago)
    OrmQ.objects.create(key="data", payload="x", lock=long_ago)
    tasks.check_alerts("ml")
    assert any("cluster data" in body["text"] for _, _, body in web.requests)
    assert "clusters:data" in output("alerts")


@pytest.mark.django_db
def test_the_list_names_troubles_channels_and_no_secret(web: WebSink, settings: Settings):
    assert "No alert is open." in output("alerts")
    web.codes = [500]
    record_symptoms([Symptom("jobs:pipeline", "The job is late.", "Start it.")], NOW)
    deliveries.deliver_due(NOW)
    listed = output("alerts")
    assert (
        "since 30 Apr 21:30  jobs:pipeline\n    The job is late.\n    Start it.\n    not delivered yet: webhook 1"
        in listed
    )
    assert "webhook 1 (127.0.0.1): no success; failed 1 times since: 127.0.0.1 answered 500." in listed
    web.codes = [200]
    deliveries.deliver_due(NOW + timedelta(hours=1))
    Trouble.objects.update(over_at=NOW + timedelta(hours=2))
    assert "jobs:pipeline" not in output("alerts")
    everything = output("alerts", "--all")
    assert "until 30 Apr 23:30  jobs:pipeline" in everything
    assert "delivered: webhook 1" in everything
    assert TOKEN not in listed + everything


def test_the_test_alert_prints_outcomes_and_no_secret(web: WebSink, post_office: MailSink, settings: Settings):
    settings.DEADMAN_PING_SECRET_URL = f"{web.address}/ping/{TOKEN}"
    settings.EMAIL_HOST_PASSWORD = PASSWORD
    out = output("send_test_alert")
    assert out.splitlines() == [
        "mail (1 address): delivered",
        "webhook 1 (127.0.0.1): delivered",
        "dead-man ping: delivered",
    ]
    assert "a test alert" in post_office.mails[0]
    web.codes = [403]
    out_file = io.StringIO()
    with pytest.raises(CommandError, match="2 of 3 could not be delivered"):
        call_command("send_test_alert", stdout=out_file)
    assert "webhook 1 (127.0.0.1): 127.0.0.1 answered 403." in out_file.getvalue()
    assert TOKEN not in out + out_file.getvalue()
    assert PASSWORD not in out + out_file.getvalue()


def test_without_channels_the_test_alert_names_the_settings():
    with pytest.raises(CommandError, match="ALERT_WEBHOOK_URLS"):
        call_command("send_test_alert")


@pytest.mark.django_db
def test_a_list_without_channels_says_so():
    AlertTimer.objects.create(name="dead-man ping", since=NOW, next_at=NOW, succeeded_at=NOW)
    listed = output("alerts")
    assert "No channel is configured" in listed
    assert "dead-man ping: last success 30 Apr 21:30" in listed
