"""System checks: report at start what would otherwise fail later and silently."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning

from tradingsite.alerts.channels import payload_templates
from tradingsite.private_files import open_to_others

_SHORTEST_SECRET = 32
_SHORTEST_KEY = 43  # 32 random bytes in base64
_FEWEST_CHARACTERS = 10  # different ones, which a random key of that length has even in hexadecimal


@register(Tags.compatibility)
def queue_timings(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject queue settings that would deliver a running task again; django-q only logs a warning.

    A task's retry time counts from when it is fetched, before it runs: so one task is fetched at a time, and the retry
    time is above the time limit.
    """
    messages: list[CheckMessage] = []
    queue = settings.Q_CLUSTER
    named = {f'Q_CLUSTER["ALT_CLUSTERS"]["{name}"]': queue | own for name, own in queue.get("ALT_CLUSTERS", {}).items()}
    for name, options in {"Q_CLUSTER": queue, **named}.items():
        timeout, retry = options.get("timeout"), options.get("retry", 0)
        if not timeout:
            message = f"{name} has no timeout: a task that hangs would block its worker forever."
            messages.append(Error(message, id="site.E001"))
        elif retry <= timeout:
            message = (
                f"{name}: retry ({retry} s) must be above timeout ({timeout} s), or running tasks are delivered again."
            )
            messages.append(Error(message, id="site.E002"))
        if options.get("bulk", 1) != 1 or options.get("queue_limit") != 1:
            message = f"{name}: bulk and queue_limit must be 1: the retry time of a fetched task runs while it waits."
            messages.append(Error(message, id="site.E003"))
    for cluster in settings.CLUSTERS:
        if cluster not in queue.get("ALT_CLUSTERS", {}):
            message = f"The cluster {cluster!r} is not in ALT_CLUSTERS: it would die with a KeyError."
            messages.append(Error(message, id="site.E004"))
    return messages


@register(Tags.security)
def production_secrets(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject production with a short secret, open hosts, debugging or clients without an address of their own."""
    if not settings.PRODUCTION:
        return []
    messages: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < _SHORTEST_SECRET:
        messages.append(Error(f"SECRET_KEY has fewer than {_SHORTEST_SECRET} characters.", id="site.E011"))
    messages += _short_keys(settings.CREDENTIAL_KEYS)
    if "*" in settings.ALLOWED_HOSTS:
        messages.append(Error("ALLOWED_HOSTS allows every host: name yours.", id="site.E012"))
    if settings.DEBUG:
        messages.append(Error("DEBUG is on: pages would show settings and source.", id="site.E013"))
    if settings.SECURE_PROXY_SSL_HEADER and not settings.PROXY_COUNT:
        message = (
            "BEHIND_PROXY is set, but PROXY_COUNT is 0: every client would have the proxy's address, and each could"
            " lock the others out of the log-in. Set PROXY_COUNT to the number of your proxies, usually 1."
        )
        messages.append(Error(message, id="site.E014"))
    return messages


@register(Tags.security, deploy=True)
def live_trading(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject live accounts where nothing may be traded live: DEBUG, a simulated market, default keys."""
    from django.db import DatabaseError

    from portfolio.live import installation
    from portfolio.models import TradingAccount

    sentences = installation.refusals()
    if not sentences:
        return []
    try:
        accounts = TradingAccount.objects.filter(kind=TradingAccount.AccountKind.LIVE, is_active=True).count()
    except DatabaseError:  # not there, or not migrated yet: nothing trades
        accounts = 0
    count = f"{accounts} live account{'s' if accounts > 1 else ''}"
    return [Error(f"With {count}: {sentence}", id="site.E051") for sentence in sentences if accounts]


def _short_keys(keys: Sequence[str]) -> list[CheckMessage]:
    return [
        Error(
            f"Key {number} of CREDENTIAL_KEYS is not 32 random bytes in base64: replace it by the output of"
            " `openssl rand -base64 32`, and enter the secrets of the broker accounts again.",
            id="site.E015",
        )
        for number, key in enumerate(keys, start=1)
        if len(key.rstrip("=")) < _SHORTEST_KEY or len(set(key)) < _FEWEST_CHARACTERS
    ]


@register(Tags.security)
def private_files(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject, in development warn of, files with secrets that other accounts of the machine can read."""
    messages: list[CheckMessage] = []
    for path in open_to_others():
        message = (
            f"Other accounts can read {path}, which holds secrets: chmod {'go-rw' if path.is_dir() else '600'} {path}"
        )
        messages.append(
            Error(message, id="site.E016") if settings.PRODUCTION else CheckWarning(message, id="site.W016")
        )
    return messages


@register(Tags.database)
def database_engine(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject any database but PostgreSQL: bulk loads, leases and constraints depend on it."""
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine != "django.db.backends.postgresql":
        return [Error(f"DATABASE_URL names {engine}; only PostgreSQL 15 or newer is supported.", id="site.E021")]
    return []


@register(Tags.compatibility)
def registries(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject unknown names of prerequisites, clusters and the provider."""
    # Imported here, so that commands without checks need not import every saga.
    from market_data.providers import PROVIDER_NAMES
    from market_data.runs.prerequisites import parse_all
    from market_data.runs.saga import sagas

    messages: list[CheckMessage] = []
    for saga in sagas().values():
        jobs = {job for wanted in parse_all(saga.waits_for) for job in wanted.jobs}
        messages += [
            Error(f"The job {saga.job} waits for {job}, which is neither a job nor a condition.", id="site.E032")
            for job in sorted(jobs - sagas().keys())
        ]
        if saga.cluster not in settings.CLUSTERS:
            messages.append(Error(f"The job {saga.job} runs on the unknown cluster {saga.cluster}.", id="site.E033"))
    for key in ("MARKET_DATA_PROVIDER", "QUOTES_PROVIDER"):
        chosen = getattr(settings, key) or settings.MARKET_DATA_PROVIDER
        if chosen not in PROVIDER_NAMES:
            messages.append(Error(f"{key}={chosen!r} is not one of {', '.join(PROVIDER_NAMES)}.", id="site.E034"))
    bars, quotes = settings.MARKET_DATA_PROVIDER, settings.QUOTES_PROVIDER or settings.MARKET_DATA_PROVIDER
    if (bars == "simulator") != (quotes == "simulator"):
        message = f"QUOTES_PROVIDER={quotes} and MARKET_DATA_PROVIDER={bars} are of a real and a simulated market."
        messages.append(Error(message, id="site.E035"))
    return messages


@register(Tags.compatibility)
def alert_channels(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Reject channels that could never deliver; the messages omit addresses, because they hold secrets."""
    messages: list[CheckMessage] = []
    if settings.ALERT_MAIL_TO and not settings.EMAIL_HOST and settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        messages.append(Error("ALERT_MAIL_TO is set, but EMAIL_URL names no mail server.", id="site.E041"))
    addresses = settings.ALERT_WEBHOOK_SECRET_URLS
    for number, address in enumerate(addresses, start=1):
        if not _is_web_address(address):
            message = f"Address {number} of ALERT_WEBHOOK_URLS is not an http(s):// address."
            messages.append(Error(message, id="site.E042"))
    try:
        payload_templates(settings.ALERT_WEBHOOK_PAYLOAD, len(addresses))
    except ValueError as error:
        messages.append(Error(str(error), id="site.E043"))
    if settings.DEADMAN_PING_SECRET_URL and not _is_web_address(settings.DEADMAN_PING_SECRET_URL):
        messages.append(Error("DEADMAN_PING_URL is not an http(s):// address.", id="site.E044"))
    return messages


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
