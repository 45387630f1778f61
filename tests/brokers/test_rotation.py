"""All secrets are sealed by the first key, in batches; whatever is killed is continued by running it again."""

import json
import os
import subprocess
import sys
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from brokers.accounts import SECRETS, reseal, secret_of, unreadable_secrets
from brokers.models import BrokerConfiguration
from brokers.rotation import Rotation, rotate
from brokers.sealing import Place, earlier_cipher, key_id, seal
from portfolio.models import User
from tests.architecture.sources import ROOT

OLD, NEW = "an older key of the tests", "a newer key of the tests"


def store_accounts(count: int, key: str = OLD) -> list[BrokerConfiguration]:
    users = User.objects.bulk_create(User(username=f"person{number}") for number in range(count))
    return BrokerConfiguration.objects.bulk_create(
        BrokerConfiguration(
            user=user,
            broker="fyers",
            key_id=key_id(key),
            **{name: seal(f"{name} of {user.username}", Place(user.pk, "fyers", name), key) for name in SECRETS},
        )
        for user in users
    )


def are_readable(settings: Any, keys: list[str]) -> bool:
    settings.CREDENTIAL_KEYS = keys
    rows = BrokerConfiguration.objects.exclude(api_secret="").select_related("user")
    return all(secret_of(row, name) == f"{name} of {row.user.username}" for row in rows for name in SECRETS)


def report(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("rotate_credential_keys", "--json", *arguments, stdout=out)
    counted: dict[str, Any] = json.loads(out.getvalue())
    assert counted.pop("second_factors") == 0  # tests/portfolio/identity/test_second_factor.py
    return counted


@pytest.mark.django_db
def test_all_rows_are_sealed_by_the_first_key_and_only_once(settings):
    store_accounts(5)
    BrokerConfiguration.objects.create(user=User.objects.create_user("asha"), broker="fyers")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    texts = list(BrokerConfiguration.objects.order_by("pk").values_list(*SECRETS))
    counts = {"key_id": key_id(NEW), "resealed": 5, "current": 0, "unreadable": 0, "empty": 1}
    assert report("--dry-run") == {"dry_run": True} | counts
    assert list(BrokerConfiguration.objects.order_by("pk").values_list(*SECRETS)) == texts
    assert report() == {"dry_run": False} | counts
    texts = list(BrokerConfiguration.objects.order_by("pk").values_list(*SECRETS))
    assert report() == {"dry_run": False} | counts | {"resealed": 0, "current": 5}
    assert list(BrokerConfiguration.objects.order_by("pk").values_list(*SECRETS)) == texts
    assert set(BrokerConfiguration.objects.values_list("key_id", flat=True)) == {key_id(NEW), ""}
    assert are_readable(settings, [NEW])


@pytest.mark.django_db
def test_what_does_not_open_is_counted_and_stays(settings):
    lost, _, other = store_accounts(3)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    foreign = seal("api_secret", Place(lost.user_id, "fyers", "api_secret"), "a key that is gone")
    BrokerConfiguration.objects.filter(pk=lost.pk).update(api_secret=foreign)
    BrokerConfiguration.objects.filter(pk=other.pk).update(
        api_secret=earlier_cipher([OLD]).encrypt(f"api_secret of {other.user.username}".encode()).decode()
    )
    for resealed, current in ((2, 0), (0, 2)):
        out = StringIO()
        with pytest.raises(CommandError, match="1 accounts have a secret that does not open"):
            call_command("rotate_credential_keys", stdout=out)
        assert f"{resealed} accounts were sealed anew by key {key_id(NEW)}; {current} were so before" in out.getvalue()
    lost.refresh_from_db()
    assert lost.api_secret == foreign
    BrokerConfiguration.objects.filter(pk=lost.pk).delete()
    assert are_readable(settings, [NEW])


@pytest.mark.django_db
def test_the_first_key_ever_takes_over_what_was_sealed_without_any(settings):
    account, *_ = store_accounts(3, settings.DERIVED_CREDENTIAL_KEY)
    settings.CREDENTIAL_KEYS = [NEW]
    assert len(unreadable_secrets(account)) == len(SECRETS)
    assert rotate() == Rotation(resealed=3)
    assert are_readable(settings, [NEW])


@pytest.mark.django_db
def test_what_broke_off_is_continued(settings, monkeypatch):
    """The fast twin of the next test."""
    broken = store_accounts(7)[4]
    settings.CREDENTIAL_KEYS = [NEW, OLD]

    def break_off(account: BrokerConfiguration, **options: Any) -> bool:
        if account.pk == broken.pk:
            raise KeyboardInterrupt
        return reseal(account, **options)

    with monkeypatch.context() as patched:
        patched.setattr("brokers.rotation.reseal", break_off)
        with pytest.raises(KeyboardInterrupt):
            rotate(batch_rows=2)
    assert BrokerConfiguration.objects.filter(key_id=key_id(NEW)).count() == 4
    assert are_readable(settings, [NEW, OLD])
    assert rotate(batch_rows=2) == Rotation(resealed=3, current=4)
    assert are_readable(settings, [NEW])


@pytest.mark.crash
@pytest.mark.django_db(transaction=True)
def test_a_thousand_rows_killed_in_the_middle(settings):
    rows = store_accounts(1000)
    url = os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {"DATABASE_URL": url, "CREDENTIAL_KEYS": f"{NEW},{OLD}"}
    command = [sys.executable, "manage.py", "rotate_credential_keys", "--json"]
    anew = BrokerConfiguration.objects.filter(key_id=key_id(NEW))
    with transaction.atomic():
        # Whoever comes to this row waits for us.
        BrokerConfiguration.objects.select_for_update().get(pk=rows[550].pk)
        with subprocess.Popen(command, env=environment, cwd=ROOT) as process:
            while anew.count() < 500:
                assert process.poll() is None
                time.sleep(0.02)
            process.kill()
    assert process.returncode == -9
    assert anew.count() == 500
    assert are_readable(settings, [NEW, OLD])
    for resealed in (500, 0):
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["resealed"] == resealed
        assert "of person" not in done.stdout + done.stderr
    assert are_readable(settings, [NEW])
