"""People leave by being deactivated: an account is never deleted, for orders, runs and history name it."""

from typing import Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from portfolio.models import ApiToken, User
from portfolio.tokens import revoke

LAST_SUPERUSER: Final = (
    "{name} is the last active superuser: nobody could administer the system any more. Make another superuser first, in"
    " the admin or with ./run.sh manage createsuperuser."
)


class LastSuperuser(Exception):
    """Somebody would leave the system without an active superuser."""


def require_other_superuser(user: User) -> None:
    """Raise LastSuperuser if no other superuser can open the admin; in a transaction, others wait to ask the same."""
    active = User.objects.select_for_update().filter(is_superuser=True, is_active=True, is_staff=True).order_by("pk")
    if {superuser.pk for superuser in active} <= {user.pk}:
        raise LastSuperuser(LAST_SUPERUSER.format(name=user.username))


def deactivate(user: User) -> None:
    """Deactivate an account and end its access at once; LastSuperuser for the last one."""
    with transaction.atomic():
        if user.is_superuser:
            require_other_superuser(user)
        user.is_active = False
        user.save(update_fields=["is_active"])
        end_access(user)


def end_access(user: User) -> None:
    """End a person's sessions and tokens: activating the account again revives none of them."""
    revoke(ApiToken.objects.filter(user=user))
    for session in Session.objects.iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
