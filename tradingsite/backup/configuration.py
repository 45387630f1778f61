"""The settings in a back-up: those listed here, none of which is secret, and the screening thresholds.

Left out, though a restored system needs them: SECRET_KEY, CREDENTIAL_KEYS (which seal the brokers' secrets in the
database), the passwords of database and cache, tokens, and URLs that may contain one (DATABASE_URL, REDIS_URL).
"""

import json
from typing import Any

from django.conf import settings

from tradingsite.backup.archive import ArchiveReader, ArchiveWriter

NAMES = (
    "APP_ENV",
    "PORT",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "MARKET_DATA_PROVIDER",
    "NSE_ARCHIVE_DIR",
    "NSE_ARCHIVE_SERIES",
    "FUNDAMENTALS_DIR",
    "SIMULATOR_SYMBOLS",
    "SIMULATOR_SESSIONS",
    "SIMULATOR_SEED",
    "ESTIMATOR",
    "TRAINING_LOOKBACK_DAYS",
    "MODELS_DIR",
    "STOCK_FILTERS_FILE",
    "SCREENING_OVERRIDES",
    "ABSTAIN_MODEL_AGE_SESSIONS",
    "ABSTAIN_DRIFT",
    "ABSTAIN_SKILL",
    "ABSTAIN_BELOW_COSTS",
    "EXPORT_DIR",
    "BACKUP_DIR",
    "BACKUPS_KEPT",
    "LOG_LEVEL",
)
SETTINGS_MEMBER = "configuration/settings.json"
FILTERS_MEMBER = "configuration/stock_filters.yaml"


def current_settings() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps({name: getattr(settings, name) for name in NAMES}, default=str))
    return values


def write_configuration(writer: ArchiveWriter) -> None:
    """Add settings and thresholds to a back-up."""
    with writer.member(SETTINGS_MEMBER) as sink:
        sink.write(json.dumps(current_settings(), indent=1, sort_keys=True).encode())
    if settings.STOCK_FILTERS_FILE.is_file():
        with writer.member(FILTERS_MEMBER) as sink:
            sink.write(settings.STOCK_FILTERS_FILE.read_bytes())


def changed_settings(reader: ArchiveReader) -> list[str]:
    """Return a sentence for each setting that differs from the back-up's; none is changed."""
    then, now = json.loads(reader.content(SETTINGS_MEMBER)), current_settings()
    changed = {name: value for name, value in then.items() if name in now and now[name] != value}
    differences = [f"{name} was {value!r} and is {now[name]!r}." for name, value in changed.items()]
    path = settings.STOCK_FILTERS_FILE
    is_stored = FILTERS_MEMBER in reader.members
    if is_stored and not (path.is_file() and path.read_bytes() == reader.content(FILTERS_MEMBER)):
        differences.append(f"The thresholds of {path} differ from the back-up's ({FILTERS_MEMBER} in it).")
    return differences
