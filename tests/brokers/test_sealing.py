"""A sealed secret opens by its key and in its place; swapped, copied, changed and old ones are refused."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from brokers.accounts import SECRETS, account_of, drop_expired_tokens, secret_of, store_secrets, unreadable_secrets
from brokers.connections import open_account
from brokers.models import BrokerConfiguration
from brokers.protocol import BrokerError
from brokers.sealing import Place, SecretUnreadable, earlier_cipher, key_id, seal, sealing_key_id, unseal
from market_data.runs.saga import purges
from portfolio.models import User

KEYS = ["first key of the tests", "second key of the tests"]
NOW = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)
PLACE = Place(3, "fyers", "access_token")
NAMED = {"app_key": "APP-100", "api_secret": "of-the-app", "access_token": "of-today"}
seal_stored = import_module("brokers.migrations.0009_seal_stored_secrets")


@given(st.text(min_size=1, max_size=300), st.integers(0, 1))
def test_a_secret_comes_back_from_its_place(secret: str, number: int) -> None:
    sealed = seal(secret, PLACE, KEYS[number])
    assert unseal(sealed, PLACE, KEYS) == secret
    assert sealing_key_id(sealed) == key_id(KEYS[number])
    assert seal(secret, PLACE, KEYS[number]) != sealed


def test_nothing_is_sealed_as_nothing() -> None:
    assert seal("", PLACE, KEYS[0]) == unseal("", PLACE, []) == ""


@pytest.mark.parametrize(
    "place", [Place(4, *PLACE[1:]), Place(3, "zerodha", PLACE.column), Place(3, "fyers", "api_secret")]
)
def test_it_opens_nowhere_else(place: Place) -> None:
    with pytest.raises(SecretUnreadable, match="copied from another account, broker or column"):
        unseal(seal("of-today", PLACE, KEYS[0]), place, KEYS)


def test_no_changed_character_opens() -> None:
    sealed = seal("of-today", PLACE, KEYS[0])
    for index, character in enumerate(sealed.rstrip("=")):
        changed = f"{sealed[:index]}{'A' if character != 'A' else 'B'}{sealed[index + 1 :]}"
        with pytest.raises(SecretUnreadable):
            unseal(changed, PLACE, KEYS)
    for length in range(1, len(sealed)):
        with pytest.raises(SecretUnreadable):
            unseal(sealed[:length], PLACE, KEYS)


def test_a_key_that_is_gone_is_named() -> None:
    with pytest.raises(SecretUnreadable, match=f"sealed with key {key_id(KEYS[1])}, .* Put that key back"):
        unseal(seal("of-today", PLACE, KEYS[1]), PLACE, KEYS[:1])


@pytest.fixture
def accounts(settings: Any, db: None) -> dict[str, BrokerConfiguration]:
    """Asha's accounts at two brokers, and Ravi's."""
    settings.CREDENTIAL_KEYS = [*KEYS]
    asha, ravi = User.objects.create_user("asha"), User.objects.create_user("ravi")
    accounts = {
        "hers": account_of("fyers", asha),
        "zerodha": account_of("zerodha", asha),
        "his": account_of("fyers", ravi),
    }
    for whose, account in accounts.items():
        given: dict[str, Any] = {name: f"{value}-{whose}" for name, value in NAMED.items()}
        store_secrets(account, **given)
    return accounts


def moved(accounts: dict[str, BrokerConfiguration], how: str) -> None:
    """Spoil the token of Asha's account at Fyers, as somebody does who can write the table."""
    hers = BrokerConfiguration.objects.filter(pk=accounts["hers"].pk)
    sources = {"copied from his": "his", "copied from her other broker": "zerodha"}
    if how in sources:
        source = accounts[sources[how]]
        hers.update(**{name: getattr(source, name) for name in (*SECRETS, "key_id")})
    elif how == "swapped columns":
        hers.update(api_secret=accounts["hers"].access_token, access_token=accounts["hers"].api_secret)
    elif how == "the row is his now":
        BrokerConfiguration.objects.filter(pk=accounts["his"].pk).delete()
        hers.update(user=accounts["his"].user)
    elif how == "plain":
        hers.update(access_token="of-today-hers")
    elif how == "of an earlier version":
        hers.update(access_token=earlier_cipher(KEYS).encrypt(b"of-today").decode())


WAYS = (
    *("copied from his", "copied from her other broker", "swapped columns"),
    *("the row is his now", "plain", "of an earlier version"),
)


@pytest.mark.parametrize("how", WAYS)
def test_a_moved_value_opens_no_account(accounts: dict[str, BrokerConfiguration], how: str) -> None:
    moved(accounts, how)
    hers = BrokerConfiguration.objects.get(pk=accounts["hers"].pk)
    with pytest.raises(BrokerError) as raised:
        open_account(hers, lambda: NOW)
    assert (raised.value.word, raised.value.sent) == ("refused", False)
    assert str(raised.value).startswith(f"The access_token of {hers.user} at Fyers does not open: it ")
    assert unreadable_secrets(hers)


def test_a_value_of_a_key_that_is_gone_opens_no_account(accounts: Any, settings: Any) -> None:
    settings.CREDENTIAL_KEYS = KEYS[1:]
    with pytest.raises(BrokerError, match="Put that key back"):
        open_account(accounts["hers"], lambda: NOW)
    settings.CREDENTIAL_KEYS = KEYS[::-1]
    assert secret_of(accounts["hers"], "access_token") == "of-today-hers"


def test_storing_one_secret_seals_the_other_anew_if_it_opens(accounts: Any, settings: Any) -> None:
    hers, his = accounts["hers"], accounts["his"]
    settings.CREDENTIAL_KEYS = ["third key", *KEYS]
    store_secrets(hers, access_token="of-tomorrow")
    settings.CREDENTIAL_KEYS = ["third key"]
    assert [secret_of(hers, name) for name in SECRETS] == ["of-the-app-hers", "of-tomorrow"]
    assert hers.key_id == key_id("third key")
    store_secrets(his, access_token="of-tomorrow")
    [sentence] = unreadable_secrets(BrokerConfiguration.objects.get(pk=his.pk))
    assert key_id(KEYS[0]) in sentence
    assert secret_of(his, "access_token") == "of-tomorrow"


# --- the end of a token ---------------------------------------------------------------------------------------------
def test_a_token_that_ended_is_not_sent_and_is_dropped(accounts: dict[str, BrokerConfiguration]) -> None:
    hers, his = accounts["hers"], accounts["his"]
    store_secrets(hers, access_token="of-yesterday", token_expires_at=NOW)
    store_secrets(his, access_token="of-today", token_expires_at=NOW + timedelta(seconds=1))
    with pytest.raises(BrokerError, match=r"ended on 30 November 2026 at 10:00 IST: log in to it again\.") as raised:
        open_account(hers, lambda: NOW)
    assert (raised.value.word, raised.value.sent) == ("not_authenticated", False)
    open_account(his, lambda: NOW).close()
    assert [drop_expired_tokens(NOW), drop_expired_tokens(NOW)] == [1, 0]
    kept = {row.pk: row for row in BrokerConfiguration.objects.all()}
    assert (kept[hers.pk].access_token, kept[hers.pk].token_expires_at) == ("", NOW)
    assert [bool(kept[account.pk].access_token) for account in (his, accounts["zerodha"])] == [True, True]
    assert secret_of(kept[hers.pk], "api_secret") == "of-the-app-hers"


def test_the_nightly_cleanup_drops_what_ended(accounts: dict[str, BrokerConfiguration]) -> None:
    now = timezone.now()
    store_secrets(accounts["hers"], access_token="of-yesterday", token_expires_at=now)
    store_secrets(accounts["his"], access_token="of-today", token_expires_at=now + timedelta(hours=1))
    BrokerConfiguration.objects.filter(pk=accounts["hers"].pk).update(api_secret="")
    assert purges()["ended tokens of brokers"](now.date()) == 1
    assert BrokerConfiguration.objects.get(pk=accounts["hers"].pk).key_id == ""


# --- what the earlier version stored --------------------------------------------------------------------------------
def stored_earlier(accounts: dict[str, BrokerConfiguration], key: str) -> None:
    for account in accounts.values():
        texts = {name: earlier_cipher([key]).encrypt(name.encode()).decode() for name in SECRETS}
        BrokerConfiguration.objects.filter(pk=account.pk).update(key_id="", **texts)


def migrate(function: Any) -> list[BrokerConfiguration]:
    function(apps, SimpleNamespace(connection=connection))
    return list(BrokerConfiguration.objects.order_by("pk"))


def test_stored_rows_are_carried_over_and_back(accounts: dict[str, BrokerConfiguration]) -> None:
    stored_earlier(accounts, KEYS[1])
    for _again in range(2):
        rows = migrate(seal_stored.seal_stored)
        assert [[secret_of(row, name) for name in SECRETS] for row in rows] == [list(SECRETS)] * 3
        assert {row.key_id for row in rows} == {key_id(KEYS[0])}
    back = [row.access_token for row in migrate(seal_stored.encrypt_as_before)]
    assert [earlier_cipher(KEYS[:1]).decrypt(text) for text in back] == [b"access_token"] * 3


def test_a_row_that_no_key_opens_is_kept_with_a_sentence(accounts: dict[str, BrokerConfiguration]) -> None:
    stored_earlier(accounts, "a key that is gone")
    before = list(BrokerConfiguration.objects.order_by("pk").values_list(*SECRETS))
    rows = migrate(seal_stored.seal_stored)
    assert [(row.api_secret, row.access_token) for row in rows] == before
    for row in rows:
        assert ["rotate_credential_keys" in sentence for sentence in unreadable_secrets(row)] == [True, True]
