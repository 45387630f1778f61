"""Who may import what: the right to upload files, and those to add and to change rows of a file's table."""

from typing import Final

from django.apps import apps
from django.contrib.auth.models import AbstractUser, AnonymousUser

from market_data.imports.kinds import KINDS

UPLOAD: Final = "market_data.add_importedfile"


def may_import(user: AbstractUser | AnonymousUser, kind: str) -> bool:
    """Whether a user may check and import files of a kind."""
    return user.has_perm(UPLOAD) and kind in KINDS and user.has_perms(_writing(KINDS[kind].table))


def importable(user: AbstractUser | AnonymousUser) -> list[str]:
    """The kinds of files that a user may import."""
    return [kind for kind in KINDS if may_import(user, kind)]


def _writing(table: str) -> list[str]:
    """The rights to what an import does to rows: those that are stored are replaced."""
    [model] = [model for model in apps.get_models() if model._meta.db_table == table]
    return [f"{model._meta.app_label}.{act}_{model._meta.model_name}" for act in ("add", "change")]
