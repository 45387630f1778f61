"""Users and their strategies."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now

from portfolio.models.amounts import money
from portfolio.strategy_parameters import validate_parameters
from stocks.picks import screening


def strategy_kinds() -> list[tuple[str, str]]:
    """Choices of `Strategy.kind`: a callable, so that a new entry of the registry needs no migration."""
    return [(name, name.capitalize()) for name in screening.STRATEGIES]


class User(AbstractUser):
    """A person's account: deactivated, never deleted, because history names people (triggers see to it).

    In a table of the project's own from the first migration: it cannot be replaced later.
    """

    class Meta(AbstractUser.Meta):
        db_table = "users"


class Strategy(models.Model):
    """A way of choosing shares: a system row of the screening registry, or a user's own variation of one."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, help_text="empty: a system row"
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=50, choices=strategy_kinds)
    parameters = models.JSONField(default=dict, blank=True, validators=[validate_parameters])
    capital = money("₹", null=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "strategies"
        verbose_name_plural = "strategies"
        constraints = (
            models.UniqueConstraint(fields=("owner", "name"), name="strategies_owner_name", nulls_distinct=False),
            models.CheckConstraint(condition=models.Q(capital__gte=0), name="strategies_capital_not_negative"),
        )

    def __str__(self) -> str:
        return self.name
