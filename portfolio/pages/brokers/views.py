"""Pages of a person's own brokers: connect, the way back from a broker's page, test, readiness."""

import logging
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from brokers import log_in
from brokers.models import BrokerConfiguration
from brokers.registry import WITH_LOG_IN
from portfolio.accounts.rights import record_right_to_sell
from portfolio.identity.proofs import is_recently_proved
from portfolio.models import User
from portfolio.pages.access import person_view
from portfolio.pages.brokers import page, readiness
from portfolio.pages.brokers.account_tests import keep_test, kept_test, run_test
from portfolio.pages.views import render_page
from stocks.picks.public_state import day_words, time_words

logger = logging.getLogger(__name__)
_BACK: Final = {"brokers": "portfolio:brokers", "readiness": "portfolio:broker-readiness"}


@require_safe
@person_view
def brokers(request: HttpRequest) -> HttpResponse:
    """Each broker with the person's own account there."""
    own, now = page.accounts_of(_person(request)), timezone.now()
    entries = [_entry(request, name, title, own.get(name), now) for name, title in page.named_brokers()]
    context = {"entries": entries, "callback": f"{_site(request)}{log_in.CALLBACK}"}
    return render_page(request, "portfolio/brokers/brokers.html", context)


@require_POST
@person_view
def connect(request: HttpRequest, broker: str) -> HttpResponse:
    """Begin a log-in, and show the link to the broker's page: the content policy lets no form redirect elsewhere."""
    account = _own(request, broker)
    if not is_recently_proved(request, timezone.now()):
        return redirect_to_login(reverse("portfolio:brokers"), reverse("portfolio:confirm-identity"))
    try:
        begun = log_in.begin(account, _session_key(request), _site(request))
    except log_in.LogInRefused as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("portfolio:brokers"))
    context = {
        "account": account,
        "login_url": begun.login_url,
        "until": time_words(timezone.localtime(begun.expires_at)),
        "callback": f"{_site(request)}{log_in.CALLBACK}",
    }
    return _secretive(render_page(request, "portfolio/brokers/connect.html", context))


@require_safe
@sensitive_variables()
def callback(request: HttpRequest) -> HttpResponse:
    """Take what a broker's page comes back with; the code is in no page, log or further address."""
    query = dict(request.GET.lists())
    _forget_query(request)
    if not request.user.is_authenticated:
        reason = "You are not logged in here, so nothing was sent to the broker. Log in, then connect again."
        return _refused(request, reason, 403)
    if request.method == "HEAD":
        return _secretive(HttpResponse())
    try:
        connected = log_in.complete(query, _person(request), _session_key(request), timezone.now)
    except log_in.LogInRefused as refusal:
        return _refused(request, str(refusal), 400)
    except Exception:  # while debugging, Django's page of an error would show the code among the variables
        logger.exception("a log-in at a broker broke")
        return _refused(request, "The log-in broke, and the server's log says why. Connect again.", 500)
    until = time_words(timezone.localtime(connected.token_expires_at))
    messages.success(request, f"{connected.title} is connected as {connected.client_id}, until {until}.")
    return _secretive(HttpResponseRedirect(reverse("portfolio:brokers")))


@require_POST
@person_view
def run_account_test(request: HttpRequest, broker: str) -> HttpResponse:
    """Call profile and funds once, and go back to where the button was."""
    account = _own(request, broker)
    test = run_test(account, timezone.now)
    keep_test(request.session, account, test)
    record_right_to_sell(account, test.sell_authorisation)
    return HttpResponseRedirect(reverse(_BACK.get(request.POST.get("from", ""), _BACK["brokers"])))


@require_safe
@person_view
def broker_readiness(request: HttpRequest) -> HttpResponse:
    """Whether today can be traded, line by line."""
    now = timezone.now()
    accounts = [
        (account, readiness.account_lines(account, kept_test(request.session, account, now), now))
        for account in page.accounts_of(_person(request)).values()
    ]
    local = timezone.localtime(now)
    context = {
        "today": day_words(local.date()),
        "is_early": local.time() < readiness.READY_FROM,
        "market": readiness.market_lines(now),
        "accounts": accounts,
    }
    return render_page(request, "portfolio/brokers/readiness.html", context)


def _entry(
    request: HttpRequest, name: str, title: str, account: BrokerConfiguration | None, now: Any
) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "title": title, "account": account, "abilities": page.abilities(name)}
    if account is not None:
        kept = kept_test(request.session, account, now)
        entry |= {
            "token": readiness.token_line(account, kept, now),
            "address": readiness.address_line(account),
            "test": kept,
            "usages": page.usages(account),
        }
    return entry


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)


def _own(request: HttpRequest, broker: str) -> BrokerConfiguration:
    account = page.accounts_of(_person(request)).get(broker)
    if account is None:
        raise Http404(f"You have no account at {broker[:20]!r}; brokers with a log-in: {', '.join(WITH_LOG_IN)}.")
    return account


def _session_key(request: HttpRequest) -> str:
    return request.session.session_key or ""


def _site(request: HttpRequest) -> str:
    return log_in.site_address(f"{request.scheme}://{request.get_host()}")


def _forget_query(request: HttpRequest) -> None:
    """Keep the code out of links, of error pages and of whatever else looks at the request."""
    for name in ("QUERY_STRING", "RAW_URI", "REQUEST_URI"):  # the latter by gunicorn and others
        if name in request.META:
            request.META[name] = ""
    request.GET = QueryDict()


def _refused(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    context = {"reason": reason, "after_login": reverse("portfolio:brokers")}
    answer = render_page(request, "portfolio/brokers/refused.html", context)
    answer.status_code = status
    return _secretive(answer)


def _secretive(answer: HttpResponse) -> HttpResponse:
    """Let no browser or server pass on the address of this page, nor keep it."""
    answer["Referrer-Policy"] = "no-referrer"
    answer["Cache-Control"] = "no-store, private"
    return answer
