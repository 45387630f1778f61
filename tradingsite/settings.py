"""Settings of the whole site, from the environment, `.env` and `config/*.yaml` (see `.env.example`)."""

import hashlib
import sys
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from brokers.addresses import VENDORS_ROOTS
from brokers.charges import BROKERS
from brokers.redaction import register_secrets
from stocks.picks.public_state import KEEP_RANK, MAX_PICKS
from tradingsite import env
from tradingsite.api_names import ENUM_NAMES
from tradingsite.audit import origin
from tradingsite.embedded import servers
from tradingsite.logs import logging_settings

BASE_DIR = env.BASE_DIR
VAR_DIR = env.folder("VAR_DIR") or BASE_DIR / "var"
KILL_SWITCH_FILE = VAR_DIR / "kill_switch"

# --- environment ----------------------------------------------------------------------------------------------------
APP_ENV = env.text_or_old_name("APP_ENV", "FLASK_ENV", "development")
if APP_ENV not in ("development", "production"):
    raise ImproperlyConfigured(f"APP_ENV={APP_ENV!r} is neither development nor production.")
PRODUCTION = APP_ENV == "production"
DEBUG = env.boolean("DEBUG", env.text_or_old_name("DEBUG", "FLASK_DEBUG", "0")) and not PRODUCTION
SECRET_KEY = env.secret_key("SECRET_KEY", VAR_DIR, production=PRODUCTION)
DERIVED_CREDENTIAL_KEY = hashlib.sha256(f"credentials:{SECRET_KEY}".encode()).hexdigest()
CREDENTIAL_KEYS = env.strings("CREDENTIAL_KEYS") or [DERIVED_CREDENTIAL_KEY]
register_secrets(SECRET_KEY, DERIVED_CREDENTIAL_KEY, *CREDENTIAL_KEYS)
ALLOWED_HOSTS = env.strings("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.strings("CSRF_TRUSTED_ORIGINS")
PORT = env.integer("PORT", 5001, minimum=1, maximum=65535)
SITE_URL = env.web_address("SITE_URL").rstrip("/")

# --- market data ----------------------------------------------------------------------------------------------------
MARKET_DATA_PROVIDER = env.text("MARKET_DATA_PROVIDER", "simulator")
QUOTES_PROVIDER = env.text("QUOTES_PROVIDER")
NSE_ARCHIVE_DIR = env.folder("NSE_ARCHIVE_DIR")


def _provider_kind() -> str:
    """Return whether the market is real or simulated; the simulator leaves its answer key in the files it writes."""
    is_written = NSE_ARCHIVE_DIR is not None and (NSE_ARCHIVE_DIR / "incidents.json").is_file()
    return "simulated" if MARKET_DATA_PROVIDER == "simulator" or is_written else "real"


PROVIDER_KIND = _provider_kind()
NSE_ARCHIVE_SERIES = env.choice("NSE_ARCHIVE_SERIES", "eq", ("eq", "all"))
NSE_ARCHIVE_URL = env.web_address("NSE_ARCHIVE_URL")
NSE_SITE_URL = env.web_address("NSE_SITE_URL", "https://www.nseindia.com")
NSE_ARCHIVE_DAYS = env.integer("NSE_ARCHIVE_DAYS", 1100, minimum=1)
NSE_DOWNLOAD_WAIT_SECONDS = env.seconds("NSE_DOWNLOAD_WAIT_SECONDS", 1.0)
NSE_DOWNLOAD_TIMEOUT_SECONDS = env.seconds("NSE_DOWNLOAD_TIMEOUT_SECONDS", 30.0, above_zero=True)
NSE_DOWNLOAD_FILE_SECONDS = env.seconds("NSE_DOWNLOAD_FILE_SECONDS", 180.0, above_zero=True)
NSE_DOWNLOAD_DEADLINE_SECONDS = env.seconds("NSE_DOWNLOAD_DEADLINE_SECONDS", 3600.0, above_zero=True)
NSE_DOWNLOAD_ATTEMPTS = env.integer("NSE_DOWNLOAD_ATTEMPTS", 4, minimum=1)
FUNDAMENTALS_DIR = env.folder("FUNDAMENTALS_DIR")
SIMULATOR_SYMBOLS = env.integer("SIMULATOR_SYMBOLS", 2259, minimum=20)
SIMULATOR_SESSIONS = env.integer("SIMULATOR_SESSIONS", 500, minimum=30)
SIMULATOR_SEED = env.integer("SIMULATOR_SEED", 1, minimum=0)
SIMULATOR_INCIDENTS = env.strings("SIMULATOR_INCIDENTS", "usual")

# --- brokers --------------------------------------------------------------------------------------------------------
KITE_API_ROOT = env.broker_root("KITE_API_ROOT", VENDORS_ROOTS["KITE_API_ROOT"], debug=DEBUG)
FYERS_API_ROOT = env.broker_root("FYERS_API_ROOT", VENDORS_ROOTS["FYERS_API_ROOT"], debug=DEBUG)
FYERS_PUBLIC_ROOT = env.broker_root("FYERS_PUBLIC_ROOT", VENDORS_ROOTS["FYERS_PUBLIC_ROOT"], debug=DEBUG)
FYERS_CLIENT_ID = env.text("FYERS_CLIENT_ID").strip()
FYERS_ACCESS_TOKEN = env.secret("FYERS_ACCESS_TOKEN").strip()
BROKER_TIMEOUT_SECONDS = env.seconds("BROKER_TIMEOUT_SECONDS", 7.0, above_zero=True)
BROKER_ANSWER_SECONDS = env.seconds("BROKER_ANSWER_SECONDS", 20.0, above_zero=True)
OUTGOING_IP = env.ip_address("OUTGOING_IP")
LIVE_PERMISSION_DAYS = env.integer("LIVE_PERMISSION_DAYS", 7, minimum=1, maximum=92)

# --- models and picks -----------------------------------------------------------------------------------------------
ESTIMATOR = env.text("ESTIMATOR", "ensemble")
DASK_SCHEDULER_ADDRESS = env.scheduler_address("DASK_SCHEDULER_ADDRESS")
TRAINING_LOOKBACK_DAYS = env.integer("TRAINING_LOOKBACK_DAYS", 0, minimum=0)
MODELS_DIR = env.folder("MODELS_DIR") or VAR_DIR / "models"
STOCK_FILTERS_FILE = env.folder("STOCK_FILTERS_FILE") or BASE_DIR / "config" / "stock_filters.yaml"
PICKS_KEEP_RANK = env.integer("PICKS_KEEP_RANK", KEEP_RANK, minimum=MAX_PICKS)
SCREENING_OVERRIDES = {
    "min_price": env.number("SCREENING_MIN_PRICE_THRESHOLD"),
    "min_market_cap_crores": env.number("SCREENING_MIN_MARKET_CAP_CRORES"),
    "min_volume": env.number("SCREENING_MIN_VOLUME"),
}
# The order whose charges a pick's expected excess must exceed, and what target, stop and a STRONG_BUY stand for.
TICKET_BROKER = env.choice("TICKET_BROKER", "zerodha", BROKERS)
TICKET_RUPEES = env.integer("TICKET_RUPEES", 50_000, minimum=1_000, maximum=100_000_000)
TARGET_PROBABILITY = env.number_between("TARGET_PROBABILITY", 0.5, 0.05, 0.95)
STOP_PROBABILITY = env.number_between("STOP_PROBABILITY", 0.2, 0.05, 0.95)
# The database refuses a STRONG_BUY below 0.2, whatever the setting was.
STRONG_BUY_REWARD_TO_RISK = env.number_between("STRONG_BUY_REWARD_TO_RISK", 0.5, 0.2, 10)
# When no picks are published (ml/triggers): limits that tonight's figures must keep.
ABSTAIN_MODEL_AGE_SESSIONS = env.integer("ABSTAIN_MODEL_AGE_SESSIONS", 7, minimum=0, maximum=250)
ABSTAIN_DRIFT = env.number_between("ABSTAIN_DRIFT", 2.0, 0.5, 1e6)
ABSTAIN_SKILL = env.number_between("ABSTAIN_SKILL", 0.0, -1, 1)
ABSTAIN_BELOW_COSTS = env.flag("ABSTAIN_BELOW_COSTS")
BACKTESTS_WAITING = env.integer("BACKTESTS_WAITING", 5, minimum=1, maximum=100)
BACKTEST_SECONDS = env.integer("BACKTEST_SECONDS", 600, minimum=1, maximum=6000)
EXPORT_DIR = env.folder("EXPORT_DIR") or BASE_DIR / "exports"
BACKUP_DIR = env.folder("BACKUP_DIR") or VAR_DIR / "backups"
BACKUPS_KEPT = env.integer("BACKUPS_KEPT", 7, minimum=0)


# --- database and cache ---------------------------------------------------------------------------------------------
def _database_url() -> str:
    """Return the address from DATABASE_URL or POSTGRES_*; by default start or join the embedded server."""
    url = env.text("DATABASE_URL")
    if url:
        return url
    host = env.text("POSTGRES_HOST")
    if host:
        # A password may hold any character.
        user = quote(env.text("POSTGRES_USER", "trader"), safe="")
        password = quote(env.secret("POSTGRES_PASSWORD"), safe="")
        name = env.text("POSTGRES_DB", "trading_system")
        return f"postgresql://{user}:{password}@{host}:{env.integer('POSTGRES_PORT', 5432)}/{name}"
    return servers.database_url(PROVIDER_KIND)


def _cache() -> dict[str, Any]:
    """Return the cache: the configured server, the embedded one if it runs, else this process's memory."""
    url = env.cache_address("REDIS_URL")
    if not url and env.text("REDIS_HOST"):
        password = quote(env.secret("REDIS_PASSWORD"), safe="")
        login = f"default:{password}@" if password else ""
        url = f"redis://{login}{env.text('REDIS_HOST')}:{env.integer('REDIS_PORT', 6379)}/0"
    url = url or servers.cache_url() or ""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    options = {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 2}
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "OPTIONS": options}


DATABASES = {"default": env.database(_database_url()) | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}
_OPTIONS = DATABASES["default"].setdefault("OPTIONS", {})
_OPTIONS["application_name"] = "trading"
# Bars are stored in order of their dates. With the server's default, which assumes spinning disks, it would read ten
# years sequentially rather than one of them by the index.
_OPTIONS["options"] = f"{_OPTIONS.get('options', '')} -c random_page_cost=1.1".strip()
# Who this process is, for the audit; also for sessions beside Django's.
AUDIT_SESSION_OPTIONS = origin.session_options(sys.argv)
_OPTIONS["options"] += f" {AUDIT_SESSION_OPTIONS}"
CACHES = {"default": _cache()}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

# --- applications ---------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "django_q",
    "axes",
    "stocks",
    "brokers",
    "market_data",
    "ml",
    "portfolio",
    "tradingsite",
]
MIDDLEWARE = [
    "tradingsite.web.content_policy.ContentPolicy",
    "tradingsite.monitoring.health.answer_health",
    "tradingsite.monitoring.latency.measure_latency",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tradingsite.web.compression.CompressionMiddleware",
    "tradingsite.web.nul_bytes.reject_nul_bytes",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tradingsite.audit.context.name_person",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tradingsite.web.sessions.end_sessions",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "tradingsite.urls"
WSGI_APPLICATION = "tradingsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tradingsite.web.market_kind.market_kind",
            ],
        },
    },
]
AUTH_USER_MODEL = "portfolio.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),  # of new ones
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]
LOGIN_URL = "portfolio:login"
LOGIN_REDIRECT_URL = "portfolio:dashboard"
LOGOUT_REDIRECT_URL = "portfolio:login"
AXES_HANDLER = "tradingsite.web.login_limits.LoginLimits"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "tradingsite.web.login_limits.refused_login"
PROXY_COUNT = env.integer("PROXY_COUNT", 0, minimum=0)
CLIENT_ADDRESS_CALLABLE = AXES_CLIENT_IP_CALLABLE = "tradingsite.web.client_address.client_address"
# When a log-in ends (tradingsite/web/sessions.py); 0: never by that.
SESSION_HOURS = env.integer("SESSION_HOURS", 12 if PRODUCTION else 0, minimum=0, maximum=24 * 14)
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 30 if PRODUCTION else 0, minimum=0, maximum=24 * 60)

# --- time, language, files ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Asia/Kolkata"
USE_TZ = True
FORMAT_MODULE_PATH = "tradingsite.formats"
STATIC_URL = "static/"
STATIC_ROOT = env.folder("STATIC_DIR") or VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "tradingsite.web.package_files.PackageFileFinder",
]
# In development static files are served from the packages and `static/`; production collects them beforehand.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- API ------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first class decides whether anonymous requests get 401 or 403: only the token has a challenge to send.
        "portfolio.token_authentication.ScopedTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "stocks.api.schema.DocumentedSchema",
    "EXCEPTION_HANDLER": "stocks.api.error_response",
}
READING_NEEDS_LOGIN = PRODUCTION
API_READS_PER_MINUTE = env.integer("API_READS_PER_MINUTE", 600, minimum=0)
API_TOKEN_DAYS = env.integer("API_TOKEN_DAYS", 90, minimum=1, maximum=366)
# Without it every member of staff could export any table.
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
SPECTACULAR_SETTINGS = {
    "TITLE": "NSE trading system",
    "DESCRIPTION": "Daily picks for the Indian equity market, with the evidence behind them.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": ENUM_NAMES,
}
# The accent of the pages (static/portfolio/theme.css) from light to dark.
ADMIN_ACCENT = dict(
    zip(
        ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950"),
        (
            *("#effaf7", "#dff0ec", "#b4e4d9", "#84d0c0", "#5cc8b3", "#2a9d88"),
            *("#0f6b5c", "#0d5a4e", "#0c4840", "#0b3c36", "#05221f"),
        ),
        strict=True,
    )
)
UNFOLD = {
    "SITE_TITLE": "NSE trading system",
    "SITE_HEADER": "NSE trading system",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "tradingsite.operations.home.dashboard",
    "STYLES": [lambda request: static("tradingsite/admin.css")],
    "COLORS": {"primary": ADMIN_ACCENT},
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "tradingsite.operations.navigation.groups",
    },
}

# --- queue ----------------------------------------------------------------------------------------------------------
# `retry` must be above `timeout`, or a task still running is delivered again; that would be harmless, because a step is
# claimed by one conditional UPDATE. Each cluster is one more `qcluster` process with Q_CLUSTER_NAME.
_QUEUE: dict[str, Any] = {"workers": 1, "timeout": 7200, "retry": 7500, "queue_limit": 1, "bulk": 1, "max_attempts": 1}
CLUSTERS = ("data", "ml")
# How long a step's worker may stay silent; below, the first pause after a transient error.
STEP_LEASE_SECONDS = env.integer("STEP_LEASE_SECONDS", 60, minimum=1)
# A session that idles within a transaction for five leases (stopped, or cut off) is ended, which frees its locks.
_OPTIONS["options"] += f" -c idle_in_transaction_session_timeout={5 * STEP_LEASE_SECONDS}s"
STEP_PAUSE_SECONDS = env.integer("STEP_PAUSE_SECONDS", 20, minimum=0)
# Heartbeats are planned each minute, and the queue checks its schedules every 30 s: below the minimum a healthy cluster
# would be killed.
CLUSTER_STUCK_SECONDS = env.integer("CLUSTER_STUCK_SECONDS", 180, minimum=45)
Q_CLUSTER: dict[str, Any] = {
    "name": "trading",
    "orm": "default",
    "catch_up": False,
    "ack_failures": True,
    "save_limit": 2000,
    "poll": 0.5,
    "has_replica": False,
    **_QUEUE,
    "ALT_CLUSTERS": {"data": {**_QUEUE, "workers": 2}, "ml": {**_QUEUE}},
}

# --- security -------------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER = "tradingsite.web.error_pages.RedactingReporter"
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^metrics$"]  # Prometheus scrapes on the internal network, without TLS
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY") else None
    SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31536000, minimum=0)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
_SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [_SELF],
        "img-src": [_SELF, "data:"],
        "style-src": [_SELF],
        "script-src": [_SELF],
        "frame-ancestors": ["'none'"],
        "form-action": [_SELF],
        "base-uri": [_SELF],
        "object-src": ["'none'"],
    },
}

# --- alerts ---------------------------------------------------------------------------------------------------------
# Webhook addresses hold tokens: SECRET in these names makes Django's debug pages hide them.
ALERT_MAIL_TO = env.strings("ALERT_MAIL_TO")
DEFAULT_FROM_EMAIL = env.text("ALERT_MAIL_FROM", "trading-system@localhost")
ALERT_WEBHOOK_SECRET_URLS = env.secret_addresses("ALERT_WEBHOOK_URLS")
ALERT_WEBHOOK_PAYLOAD = env.text("ALERT_WEBHOOK_PAYLOAD") or '{"text": "$text"}'
DEADMAN_PING_SECRET_URL = env.secret_address("DEADMAN_PING_URL")
_MAIL = env.mail_server("EMAIL_URL")
EMAIL_BACKEND = _MAIL.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST, EMAIL_PORT = _MAIL.get("EMAIL_HOST") or "", _MAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.get("EMAIL_HOST_USER") or "", _MAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_TLS", False), _MAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10

# --- metrics ------------------------------------------------------------------------------------------------------
# The Prometheus library reads PROMETHEUS_MULTIPROC_DIR itself, on import.
METRICS_DIR = env.folder("PROMETHEUS_MULTIPROC_DIR")
METRICS_SECRET_TOKEN = env.secret("METRICS_TOKEN")

# --- logs -----------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_FILE = env.folder("LOG_FILE") or BASE_DIR / "logs" / "app.log"
LOG_MEGABYTES = env.integer("LOG_MEGABYTES", 20, minimum=1)
LOG_FILES_KEPT = env.integer("LOG_FILES_KEPT", 5, minimum=1)
LOGGING_CONFIG = "tradingsite.logs.configure"
LOGGING = logging_settings(
    LOG_LEVEL,
    LOG_FILE,
    cluster=env.text("Q_CLUSTER_NAME"),
    to_console=PRODUCTION or "qcluster" in sys.argv or "runserver" in sys.argv,
    megabytes=LOG_MEGABYTES,
    files_kept=LOG_FILES_KEPT,
)
