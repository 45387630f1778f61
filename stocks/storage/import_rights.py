"""What it takes to write a table by uploading a file."""

from typing import Final

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db.models import Model

UPLOAD: Final = "market_data.add_importedfile"


def may_import_into(user: AbstractUser | AnonymousUser, model: type[Model]) -> bool:
    """Whether a user may upload files and write the rows of a table: an import adds rows and replaces stored ones."""
    label, name = model._meta.app_label, model._meta.model_name
    return user.has_perms([UPLOAD, f"{label}.add_{name}", f"{label}.change_{name}"])
