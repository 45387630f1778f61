"""The kill switch."""

from django.db import models
from django.db.models.functions import Now


class KillSwitch(models.Model):
    """Each time that the kill switch was switched; the newest row holds, and none is ever changed."""

    is_on = models.BooleanField(help_text="on: no order is sent")
    operator = models.CharField(max_length=150, help_text="who switched it: a user, or the machine's account")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "kill_switch"
        ordering = ("-id",)
        verbose_name = verbose_name_plural = "kill switch"
        constraints = (models.CheckConstraint(condition=~models.Q(reason=""), name="kill_switch_has_reason"),)

    def __str__(self) -> str:
        return f"{'on' if self.is_on else 'off'}: {self.reason}"
