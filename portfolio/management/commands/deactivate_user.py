"""`manage.py deactivate_user NAME`: ends somebody's access without the admin."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portfolio import people
from portfolio.models import User


class Command(BaseCommand):
    help = "Deactivate an account and end its sessions and tokens; accounts are never deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        name = options["name"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}; the names are in the admin under Users.")
        try:
            people.deactivate(user)
        except people.LastSuperuser as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{name} is deactivated; sessions and tokens have ended.")
