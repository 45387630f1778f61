"""Structured logs: one JSON object per line in files, readable lines on the console, secrets redacted.

Web and commands write `logs/app.log`, the cluster `data` writes `data_scheduler.log`, the cluster `ml` `scheduler.log`.
Each file has several writers (gunicorn's processes and every command; a cluster's forked workers), so
`concurrent-log-handler` rotates it by size: it writes and rotates under one lock file. The standard library's
RotatingFileHandler would rename the file under the other writers, which would go on writing into the old one; its
WatchedFileHandler leaves the rotation to a program that laptops and containers lack.
"""

import logging.config
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

FILES = {"data": "data_scheduler.log", "ml": "scheduler.log"}
_SECRET_NAME = re.compile(r"(secret|token|password|passwd|authorization|api_?key|cookie)", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i)((?:secret|token|password|api_?key)[\"']?\s*[=:]\s*[\"']?|://[^:/\s]+:)([^\s\"'&,@]{3,})"
)


def without_secrets(text: str) -> str:
    """Return the text with everything that looks like a secret replaced by stars."""
    return _SECRET_TEXT.sub(r"\1***", text)


def redact_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of secret-sounding fields, and secrets inside texts, by stars (a structlog processor)."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = without_secrets(value)
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.format_exc_info,
    redact_secrets,
]


def _formatter(renderer: Any) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    }


def logging_settings(
    level: str, app_log: Path, *, cluster: str, to_console: bool, megabytes: float = 20, files_kept: int = 5
) -> dict[str, Any]:
    """Return the dictionary for :func:`configure` in a process of a cluster, or, if that is empty, of web or commands.

    The clusters' files are in the folder of the web's `app_log`; a file is rotated to ``name.1`` at `megabytes`.
    """
    path = app_log.with_name(FILES.get(cluster, app_log.name))
    handlers = ["file", "console"] if to_console else ["file"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": _formatter(structlog.processors.JSONRenderer()),
            "plain": _formatter(structlog.dev.ConsoleRenderer(colors=False)),
        },
        "handlers": {
            "file": {
                "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
                "filename": str(path),
                "formatter": "json",
                "encoding": "utf-8",
                "maxBytes": int(megabytes * 1_000_000),
                "backupCount": files_kept,
            },
            "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        },
        "root": {"handlers": handlers, "level": level},
        "loggers": {
            "django.db.backends": {"level": "INFO"},
            "django_q": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            # At lower levels it logs request paths, and those of webhooks are secrets.
            "urllib3": {"level": "WARNING"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Make the log folder and configure the standard library's logging and structlog."""
    Path(settings["handlers"]["file"]["filename"]).parent.mkdir(parents=True, exist_ok=True)
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
