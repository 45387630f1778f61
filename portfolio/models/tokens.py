"""API tokens: bearer keys of programs, each for what its scopes say. The key itself is stored nowhere."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

SHOWN: Final = 8
"""Characters of a key that are stored and shown, to tell tokens apart."""


class Scope(models.TextChoices):
    """What a token may be used for, within the rights of its person. There is none for trading live."""

    READ = "read", "read picks, scoreboard, models and the API's description"
    PORTFOLIO = "portfolio", "read one's own accounts, orders and backtests; compute backtests and taxes"
    TRADE_PAPER = "trade_paper", "open paper accounts and place, change and cancel their orders"
    OPERATE = "operate", "read the system's status, start and retry jobs"


class ApiToken(models.Model):
    """A key by which a program acts for a person, until it expires or is revoked."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="what uses it")
    prefix = models.CharField("begins with", max_length=SHOWN, help_text="beginning of the key")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the key, in hex")
    scopes = models.JSONField(help_text="list of what it may be used for")
    created_at = models.DateTimeField("made", db_default=Now())
    expires_at = models.DateTimeField("expires", null=True, blank=True, help_text="empty: never")
    last_used_at = models.DateTimeField("last used", null=True, blank=True, help_text="to a quarter of an hour")
    revoked_at = models.DateTimeField("revoked", null=True, blank=True)

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("user", "name"), condition=models.Q(revoked_at=None), name="api_tokens_name_of_its_person"
            ),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=Scope.values) & ~models.Q(scopes=[]),
                name="api_tokens_known_scopes",
            ),
            models.CheckConstraint(
                condition=models.Q(digest__regex=r"^[0-9a-f]{64}$"), name="api_tokens_digest_is_a_hash"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
