"""The two rights over runs: to look at the system's state, and to operate it. Both are of staff alone.

Looking is Django's right to view the run's page, which whoever may change runs has too.
"""

from typing import Final

from django.contrib.auth.models import AbstractUser, AnonymousUser

VIEW: Final = "market_data.view_pipelinerun"
OPERATE: Final = "market_data.change_pipelinerun"


def may_operate(user: AbstractUser | AnonymousUser) -> bool:
    """Whether a user may start, stop, retry and roll back runs."""
    return _is_staff_with(user, OPERATE)


def may_view_runs(user: AbstractUser | AnonymousUser) -> bool:
    """Whether a user may read the console, the status of the system and its tasks, the metrics and the runbook."""
    return _is_staff_with(user, VIEW) or may_operate(user)


def _is_staff_with(user: AbstractUser | AnonymousUser, permission: str) -> bool:
    return user.is_active and user.is_staff and user.has_perm(permission)
