"""Rules for tables and migrations."""

import io
import re

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from tests.architecture.sources import APPS, ROOT

UNIT = re.compile(r"₹|percent|ratio|plain|0-1|crore|lakh|share|session|day|second|multiplier|standard deviation|score")


def our_models() -> list[type[models.Model]]:
    """The models of our apps."""
    return [model for model in apps.get_models() if model._meta.app_label in APPS]


def test_every_float_names_its_unit():
    silent = {
        f"{model._meta.label}.{field.name}: {field.help_text!r}"
        for model in our_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.FloatField | models.DecimalField) and not UNIT.search(str(field.help_text))
    }
    assert silent == set()


def test_every_table_can_be_named_in_the_admin():
    assert {model._meta.label for model in our_models() if model.__str__ is models.Model.__str__} == set()


@pytest.mark.django_db
def test_the_migrations_are_complete():
    output = io.StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=output)
    except SystemExit:
        pytest.fail(f"The models changed without a migration:\n{output.getvalue()}")


def test_migrations_are_named_after_their_effect():
    names = [path.stem for app in APPS for path in (ROOT / app).glob("migrations/0*.py")]
    assert [name for name in names if re.search(r"_(auto|initial|alter|merge)(_|$)", name)] == []
