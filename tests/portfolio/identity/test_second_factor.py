"""A second factor: enrolled, asked for, used up, refused, lost, reset; as pages, commands and tables show it."""

import base64
import io
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from brokers.sealing import SecretUnreadable
from portfolio.identity import second_factor
from portfolio.identity.proofs import missing_proof
from portfolio.models import LivePermission, RecoveryCode, SecondFactor, User
from tests.accounts import live_account, may_trade_live
from tests.portfolio.identity.clock import START, Clock

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
PAGE, CONFIRM = "/second-factor/", "/confirm/"
ADD = "/admin/brokers/brokerconfiguration/add/"
WRONG, USED = "The code is not right", "That code has served already"


@pytest.fixture
def asha(clock: Clock, client: Client) -> User:
    """A superuser who has just logged in."""
    user = User.objects.create_superuser("asha", password=PASSWORD)
    client.force_login(user)
    return user


def app_code(person: User, at: datetime) -> str:
    """What a person's app shows, computed as an app does."""
    secret = second_factor.secret_of(SecondFactor.objects.get(user=person))
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(at.timestamp())).decode()


def enrol(person: User, at: datetime = START) -> list[str]:
    second_factor.begin(person)
    return second_factor.confirm(person, app_code(person, at), at)


def confirm(client: Client, typed: str, back: str = ADD) -> Any:
    return client.post(CONFIRM, {"proof": typed, "next": back})


def may_enter_secrets(client: Client) -> bool:
    return "id_new_api_secret" in client.get(ADD).content.decode()


def test_nobody_is_asked_who_did_not_enrol(client, asha, clock):
    assert "It is off" in client.get(PAGE).content.decode()
    clock.pass_minutes(16)
    assert "Your password on this site" in client.get(CONFIRM).content.decode()
    assert confirm(client, PASSWORD).status_code == 302


def test_it_is_enrolled_by_a_picture_or_a_text_and_a_code(client, asha, clock):
    assert client.post(PAGE, {"do": "begin"})["Location"] == PAGE
    html = client.get(PAGE).content.decode()
    secret = re.sub(r"\s", "", re.search(r'class="secret">([A-Z2-7 ]+)<', html)[1])  # type: ignore[index]
    assert len(base64.b32decode(secret)) == 20
    assert "data:image/svg+xml" in html
    shown = TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(clock.now.timestamp())).decode()
    assert client.post(PAGE, {"do": "confirm", "code": "000000" if shown != "000000" else "000001"}).status_code == 400
    answer = client.post(PAGE, {"do": "confirm", "code": f" {shown[:3]} {shown[3:]} "})
    html = answer.content.decode()
    codes = re.findall(r"<code>((?:[a-z2-7]{4}-){3}[a-z2-7]{4})</code>", html)
    assert (answer.status_code, len(codes), len(set(codes))) == (200, 10, 10)
    assert "no-store" in answer["Cache-Control"]
    again = client.get(PAGE).content.decode()
    assert "10 recovery codes left" in again
    assert not any(code in again for code in codes)
    assert secret not in again
    assert "Code of your second factor" in client.get(CONFIRM).content.decode()


def test_its_address_is_read_by_any_app(asha):
    address = second_factor.enrolment_address(asha, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert address.startswith("otpauth://totp/NSE%20trading%20system:asha?")
    assert "issuer=NSE%20trading%20system" in address
    assert "secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" in address


def test_to_enrol_the_password_was_given_a_moment_ago(client, asha, clock):
    clock.pass_minutes(16)
    assert client.post(PAGE, {"do": "begin"})["Location"] == f"{CONFIRM}?next={PAGE}"
    assert not SecondFactor.objects.exists()


def test_a_code_takes_the_place_of_the_password_for_a_quarter_of_an_hour(client, asha, clock):
    enrol(asha)
    assert not may_enter_secrets(client)  # the log-in was by the password
    assert confirm(client, PASSWORD).status_code == 400
    clock.pass_minutes(1)
    assert confirm(client, app_code(asha, clock.now))["Location"] == ADD
    assert may_enter_secrets(client)
    clock.pass_minutes(15)
    assert not may_enter_secrets(client)


def test_a_password_of_before_is_no_proof_in_any_session(client, asha, clock):
    assert may_enter_secrets(client)
    other = Client()
    other.force_login(asha)
    enrol(asha)
    assert not may_enter_secrets(client)
    assert not may_enter_secrets(other)


def test_a_log_in_asks_for_no_code(client, asha, clock):
    enrol(asha)
    client.post("/logout/")
    assert client.post("/login/", {"username": "asha", "password": PASSWORD})["Location"] == "/"
    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize(("steps", "words"), [(0, ""), (-1, ""), (1, ""), (-2, WRONG), (2, WRONG)])
def test_a_clock_may_be_off_by_one_step(asha, steps, words):
    enrol(asha, START - timedelta(hours=1))
    typed = app_code(asha, START + timedelta(seconds=30 * steps))
    assert missing_proof(asha, typed, START).partition(":")[0] == words


def test_a_code_serves_once_and_none_before_it(asha):
    enrol(asha, START)
    assert missing_proof(asha, app_code(asha, START), START).startswith(USED)
    later = START + timedelta(seconds=60)
    earlier_code = app_code(asha, later - timedelta(seconds=30))
    assert missing_proof(asha, app_code(asha, later), later) == ""
    assert missing_proof(asha, app_code(asha, later), later).startswith(USED)
    assert missing_proof(asha, earlier_code, later).startswith(USED)


def test_the_code_of_another_person_is_none(asha):
    bina = User.objects.create_user("bina")
    codes = enrol(bina)
    enrol(asha)
    later = START + timedelta(minutes=5)
    assert missing_proof(asha, app_code(bina, later), later).startswith(WRONG)
    assert missing_proof(asha, codes[0], later).startswith(WRONG)
    assert missing_proof(bina, codes[0], later) == ""


def test_a_recovery_code_serves_once_however_it_is_typed(asha):
    first, second, *_ = enrol(asha)
    assert missing_proof(asha, f" {first.upper().replace('-', ' ')} ", START) == ""
    assert missing_proof(asha, first, START).startswith(WRONG)
    assert missing_proof(asha, second.replace("-", ""), START) == ""
    assert RecoveryCode.objects.filter(used_at=None).count() == 8


def test_a_lost_device_is_replaced_by_a_recovery_code(client, asha, clock):
    code = enrol(asha)[0]
    assert client.post(PAGE, {"do": "remove"})["Location"] == f"{CONFIRM}?next={PAGE}"
    assert confirm(client, code, PAGE)["Location"] == PAGE
    assert client.post(PAGE, {"do": "remove"})["Location"] == PAGE
    assert not SecondFactor.objects.exists()
    assert not may_enter_secrets(client)  # by the password from now on
    assert confirm(client, PASSWORD)["Location"] == ADD
    client.post(PAGE, {"do": "begin"})
    assert client.post(PAGE, {"do": "confirm", "code": app_code(asha, clock.now)}).status_code == 200


def test_new_recovery_codes_end_the_earlier_ones(client, asha, clock):
    earlier = enrol(asha)
    assert client.post(PAGE, {"do": "renew"})["Location"].startswith(CONFIRM)
    confirm(client, earlier[0])
    html = client.post(PAGE, {"do": "renew"}).content.decode()
    codes = re.findall(r"<code>((?:[a-z2-7]{4}-){3}[a-z2-7]{4})</code>", html)
    assert len(codes) == 10
    assert missing_proof(asha, earlier[1], START).startswith(WRONG)
    assert missing_proof(asha, codes[0], START) == ""


def test_twenty_wrong_codes_are_refused_and_so_is_the_right_one_then(client, asha, clock):
    enrol(asha)
    clock.pass_minutes(16)
    right = app_code(asha, clock.now)
    wrong = [f"{number:06}" for number in range(30) if f"{number:06}" != right][:20]
    sentences = [confirm(client, typed).content.decode() for typed in wrong]
    assert [WRONG in html for html in sentences] == [True] * 5 + [False] * 15
    assert all("wait 15 minutes" in html for html in sentences[5:])
    assert "wait 15 minutes" in confirm(client, right).content.decode()
    assert SecondFactor.objects.get().failures == 5
    clock.pass_minutes(15)
    assert confirm(client, app_code(asha, clock.now)).status_code == 302
    assert SecondFactor.objects.get().failures == 0


@pytest.mark.parametrize(
    "typed", ["", " ", "12345", "1234567", "١٢٣٤٥٦", "a" * 40, "' OR 1=1 --", "12e456", "－１２３４５"]
)
def test_what_is_no_code_is_refused_by_a_sentence(client, asha, clock, typed):
    enrol(asha)
    assert confirm(client, typed).status_code == 400
    assert not may_enter_secrets(client)


def test_one_that_is_on_is_not_replaced_nor_confirmed_again(client, asha, clock):
    enrol(asha)
    before = SecondFactor.objects.get().secret
    clock.pass_minutes(1)
    confirm(client, app_code(asha, clock.now), PAGE)
    client.post(PAGE, {"do": "begin"})
    assert "remove it before you set up another" in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"do": "confirm", "code": "123456"}).status_code == 400
    assert client.post(PAGE, {"do": "unheard of"})["Location"] == PAGE
    assert SecondFactor.objects.get().secret == before


def test_what_waits_is_left_or_begun_anew_and_counts_for_nothing(client, asha, clock):
    client.post(PAGE, {"do": "begin"})
    first = SecondFactor.objects.get().secret
    client.post(PAGE, {"do": "begin"})
    assert SecondFactor.objects.get().secret != first
    assert may_enter_secrets(client)
    clock.pass_minutes(16)
    client.post(PAGE, {"do": "remove"})
    assert not SecondFactor.objects.exists()


def test_a_session_that_ended_in_the_middle_comes_back_to_the_page(client, asha, settings, clock):
    client.post(PAGE, {"do": "begin"})
    code = app_code(asha, clock.now)
    client.post("/logout/")
    assert client.post(PAGE, {"do": "confirm", "code": code})["Location"] == f"/login/?next={PAGE}"
    assert SecondFactor.objects.get().confirmed_at is None


def rows_of_audit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(audit_log::text, E'\\n') FROM audit_log")
        return str(cursor.fetchone()[0])


def test_no_secret_of_it_is_stored_in_the_clear_or_in_the_audit(asha):
    codes = enrol(asha)
    factor = SecondFactor.objects.get()
    secret = second_factor.secret_of(factor)
    missing_proof(asha, codes[0], START)
    missing_proof(asha, "000000", START)
    digests = list(RecoveryCode.objects.values_list("digest", flat=True))
    second_factor.remove(asha)
    assert secret not in factor.secret
    audit = rows_of_audit()
    hidden = [secret, factor.secret, *codes, *(code.replace("-", "") for code in codes), *digests]
    assert [text for text in hidden if text in audit] == []
    assert "second_factors" in audit
    assert "recovery_codes" in audit


def test_its_secret_opens_for_its_person_alone(asha):
    enrol(asha)
    bina = User.objects.create_user("bina")
    enrol(bina)
    SecondFactor.objects.filter(user=bina).update(secret=SecondFactor.objects.get(user=asha).secret)
    with pytest.raises(SecretUnreadable):
        second_factor.secret_of(SecondFactor.objects.get(user=bina))
    assert missing_proof(bina, "123456", START).startswith("The secret of your second factor does not open here")


def test_keys_are_rotated_with_the_brokers(asha, settings):
    settings.CREDENTIAL_KEYS = ["an older key of the tests"]
    enrol(asha)
    secret = second_factor.secret_of(SecondFactor.objects.get())
    settings.CREDENTIAL_KEYS = ["a newer key of the tests", "an older key of the tests"]
    for count in (1, 0):
        out = io.StringIO()
        call_command("rotate_credential_keys", "--json", stdout=out)
        assert json.loads(out.getvalue())["second_factors"] == count
    settings.CREDENTIAL_KEYS = ["a newer key of the tests"]
    assert second_factor.secret_of(SecondFactor.objects.get()) == secret
    settings.CREDENTIAL_KEYS = ["a key of nobody"]
    with pytest.raises(CommandError, match="1 second factors have a secret that does not open"):
        call_command("rotate_credential_keys", stdout=io.StringIO())


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("second_factor", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_who_has_one_and_readmits_with_a_reason(client, asha, clock):
    enrol(asha)
    [row] = json.loads(command("status", "--json"))["second_factors"]
    assert row == {"user": "asha", "since": "2026-04-30T09:30:00+05:30", "recovery_codes_left": 10, "blocked": False}
    assert "asha: since 2026-04-30T09:30:00+05:30, 10 recovery codes left." in command("status")
    assert "asha has no second factor any more" in command("reset", "asha", "--reason", "Phone lost on the train.")
    assert not SecondFactor.objects.exists()
    assert "Phone lost on the train." in rows_of_audit()
    assert confirm(client, PASSWORD).status_code == 302
    assert command("status").strip() == "Nobody has a second factor."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "--reason", "x"), "There is no user 'nobody'"),
        (("asha", "--reason", "x"), "asha has no second factor"),
        (("asha", "--reason", " "), "--reason says why"),
        (("asha",), "--reason"),
    ],
)
def test_a_reset_that_cannot_be_changes_nothing(asha, arguments, words):
    with pytest.raises(CommandError, match=words):
        command("reset", *arguments)
    assert "second factor reset" not in rows_of_audit()


def test_live_trading_is_turned_on_by_a_code_on_the_page(client, asha, clock, settings):
    may_trade_live(settings)
    client.force_login(asha)  # sessions are signed by a key that is another now
    account = live_account(asha)
    page = f"/accounts/{account.pk}/live/"
    sent = {"strategy": "by_hand", "days": "2", "account_name": account.name}
    assert "Your password on this site" in client.get(page).content.decode()
    enrol(asha)
    clock.pass_minutes(2)
    assert "Code of your second factor" in client.get(page).content.decode()
    assert client.post(page, sent | {"proof": PASSWORD}).status_code == 400
    code = app_code(asha, clock.now)
    assert client.post(page, sent | {"proof": code, "account_name": "another"}).status_code == 400
    assert not LivePermission.objects.exists()
    assert client.post(page, sent | {"proof": code}).status_code == 302  # what was wrong beside it did not use it up
    assert USED in client.post(page, sent | {"proof": code}).content.decode()
    assert LivePermission.objects.count() == 1


def test_live_trading_is_turned_on_by_a_code_on_the_machine(asha, clock, settings, monkeypatch):
    may_trade_live(settings)
    live_account(asha)
    recovery = enrol(asha)[0]
    on = (
        "live",
        "on",
        "--account",
        "Real",
        "--by-hand",
        "--user",
        "asha",
        "--until",
        "2026-05-02",
        "--confirm",
        "Real",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(CommandError, match=WRONG):
        call_command(*on, stdout=io.StringIO())
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{recovery}\n"))
    call_command(*on, stdout=io.StringIO())
    assert LivePermission.objects.get().given_by == asha
