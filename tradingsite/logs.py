"""Structured logs: one JSON object per line in files, readable lines on the console, secrets redacted.

Web and commands write `logs/app.log`, the cluster `data` writes `data_scheduler.log`, the cluster `ml` `scheduler.log`.
Each file has several writers (gunicorn's processes and every command; a cluster's forked workers), so
`concurrent-log-handler` rotates it by size: it writes and rotates under one lock file. The standard library's
RotatingFileHandler would rename the file under the other writers, which would go on writing into the old one; its
WatchedFileHandler leaves the rotation to a program that laptops and containers lack.
"""

import logging.config
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from brokers.redaction import redacted, without_secrets, without_values

FILES = {"data": "data_scheduler.log", "ml": "scheduler.log"}


def redact_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of secret-sounding fields, and secrets inside texts, by stars (a structlog processor)."""
    for name, value in event.items():
        event[name] = redacted(value, name)
    return event


def redact_line(_logger: object, _method: str, line: str) -> str:
    """Replace known secrets in a finished line, where an object's `repr` may have brought them."""
    return without_values(line)


def print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught exception without secrets: containers and the supervisor keep standard error as a log."""
    sys.stderr.write(without_secrets("".join(traceback.format_exception(kind, error, trace))))


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
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, redact_line],
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
            # Django's own handlers write unredacted lines: while debugging, and each request of the development server.
            "django": {"handlers": []},
            "django.server": {"handlers": [], "propagate": True},
            "django_q": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            # At lower levels it logs request paths, and those of webhooks are secrets.
            "urllib3": {"level": "WARNING"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Make the log folder and configure the standard library's logging, structlog and uncaught exceptions."""
    sys.excepthook = print_exception
    Path(settings["handlers"]["file"]["filename"]).parent.mkdir(parents=True, exist_ok=True)
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
