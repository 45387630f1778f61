"""How people prove who they are beyond their password."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from brokers.models import SealedField


class SecondFactor(models.Model):
    """One person's app that makes codes; it counts from the first code that confirmed it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="second_factor")
    secret = SealedField(help_text="sealed for its person; base32")
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0, help_text="of the last code that served; earlier ones serve no more")
    failures = models.PositiveIntegerField(default=0, help_text="wrong codes in a row")
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "second_factors"

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"


class RecoveryCode(models.Model):
    """A code for a lost device, by its hash; it serves once."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the code and its person")
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "recovery_codes"

    def __str__(self) -> str:
        return f"recovery code of {self.factor_id}"
