"""Who may import what: the right to upload files and the right to add rows of the table that a file is for."""

from typing import Final

from django.apps import apps
from django.contrib.auth.models import AbstractUser, AnonymousUser

from market_data.imports.kinds import KINDS

UPLOAD: Final = "market_data.add_importedfile"


def may_import(user: AbstractUser | AnonymousUser, kind: str) -> bool:
    """Whether a user may check and import files of a kind."""
    return user.has_perm(UPLOAD) and kind in KINDS and user.has_perm(_add_row(KINDS[kind].table))


def importable(user: AbstractUser | AnonymousUser) -> list[str]:
    """The kinds of files that a user may import."""
    return [kind for kind in KINDS if may_import(user, kind)]


def _add_row(table: str) -> str:
    [model] = [model for model in apps.get_models() if model._meta.db_table == table]
    return f"{model._meta.app_label}.add_{model._meta.model_name}"
