"""Who may import files of which kind."""

from django.apps import apps
from django.contrib.auth.models import AbstractUser, AnonymousUser

from market_data.imports.kinds import KINDS
from stocks.storage.import_rights import may_import_into


def may_import(user: AbstractUser | AnonymousUser, kind: str) -> bool:
    """Whether a user may check and import files of a kind."""
    if kind not in KINDS:
        return False
    [model] = [model for model in apps.get_models() if model._meta.db_table == KINDS[kind].table]
    return may_import_into(user, model)


def importable(user: AbstractUser | AnonymousUser) -> list[str]:
    """The kinds of files that a user may import."""
    return [kind for kind in KINDS if may_import(user, kind)]
