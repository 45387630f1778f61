"""The system's own row in `strategies` for each entry of the screening registry."""

from typing import Any

from django.apps import apps as installed_apps

from stocks.picks import screening


def record_system_strategies(*, using: str, apps: Any = installed_apps, **_: Any) -> None:
    """Insert the rows that are missing; receives `post_migrate`, so a new strategy needs no migration of its own.

    The state of the models after a migration (`apps`) has no such table if it is an older one.
    """
    try:
        strategy = apps.get_model("portfolio", "Strategy")
    except LookupError:
        return
    rows = [strategy(owner=None, name=name, kind=name) for name in screening.STRATEGIES]
    strategy._base_manager.using(using).bulk_create(rows, ignore_conflicts=True)
