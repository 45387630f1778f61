"""The libraries' own tables in the admin's theme, without actions that would bypass our engine."""

from typing import Any

from axes.admin import AccessAttemptAdmin, AccessFailureLogAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin

from brokers.admin import is_superuser
from stocks.admin import ReadOnlyAdmin
from tradingsite.audit.admin import AuditEntryAdmin as AuditEntryAdmin
from tradingsite.imports.admin import ImportedFileAdmin as ImportedFileAdmin
from tradingsite.models import AlertDelivery, AlertTimer, Trouble
from tradingsite.operations.run_admin import OperatedAdmin, start_jobs
from tradingsite.schedule import cron_words, scheduled_jobs

for _model in (Group, Schedule, Success, Failure, OrmQ, AccessAttempt, AccessFailureLog, AccessLog):
    admin.site.unregister(_model)


@admin.register(Group)
class ThemedGroupAdmin(GroupAdmin, ModelAdmin):
    """Groups: whoever could change one could give themselves any right, so only superusers do."""

    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)


@admin.register(Schedule)
class ThemedScheduleAdmin(OperatedAdmin, ScheduleAdmin):
    """Scheduled jobs; the sagas decide what they are, so they are only shown and started here."""

    list_display = ("name", "when", "cluster", "next_run", "last_start")
    list_display_links = ("name",)
    list_filter = ("cluster",)
    actions = ("run_now",)

    @admin.display(description="when (Indian time)", ordering="cron")
    def when(self, schedule: Schedule) -> str:
        return (
            cron_words(schedule.cron or "")
            if schedule.schedule_type == Schedule.CRON
            else schedule.get_schedule_type_display()
        )

    @admin.display(description="last start")
    def last_start(self, schedule: Any) -> str:
        """Whether its last task could start the job; the run's own page says what became of it."""
        if schedule.task_id is None:
            return "never"
        return "done" if schedule.task_success else "failed"

    @admin.action(description="Run now, for the latest session", permissions=["operate"])
    def run_now(self, request: HttpRequest, selected: "QuerySet[Schedule]") -> None:
        """Start the selected jobs in the order of the evening."""
        names = set(selected.values_list("name", flat=True))
        jobs = [saga.job for saga in scheduled_jobs() if saga.job in names]
        for other in sorted(names - set(jobs)):
            messages.warning(request, f"{other} is not a job that can be started by hand.")
        start_jobs(request, jobs)


class _ResultAdmin(ReadOnlyAdmin):
    """Results of the queue, without its *resubmit*: that would queue a second copy, while a retry continues the run."""

    actions: tuple[str, ...] = ()


@admin.register(Success)
class ThemedSuccessAdmin(_ResultAdmin, TaskAdmin):
    """Tasks that succeeded."""


@admin.register(Failure)
class ThemedFailureAdmin(_ResultAdmin, FailAdmin):
    """Tasks that raised an exception."""


@admin.register(OrmQ)
class ThemedQueueAdmin(ReadOnlyAdmin, QueueAdmin):
    """Tasks that are queued or running."""

    list_display = ("id", "key", "name", "group", "func", "lock")


@admin.register(AccessAttempt)
class ThemedAccessAttemptAdmin(AccessAttemptAdmin, ModelAdmin):
    """Failed log-ins that count towards a lock; deleting one lifts the lock."""

    actions = ()  # the library's own would purge what purges itself


@admin.register(AccessFailureLog)
class ThemedAccessFailureLogAdmin(ReadOnlyAdmin, AccessFailureLogAdmin):
    """All failed log-ins."""


@admin.register(AccessLog)
class ThemedAccessLogAdmin(ReadOnlyAdmin, AccessLogAdmin):
    """All log-ins."""


@admin.register(Trouble)
class TroubleAdmin(ReadOnlyAdmin):
    """Open and resolved alerts; only the alerts job writes here."""

    list_display = ("key", "since", "over_at", "title")
    list_filter = (("over_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "title")


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnlyAdmin):
    """Which alert was sent through which channel."""

    list_display = ("trouble", "event", "channel", "delivered_at")
    list_filter = ("channel", ("delivered_at", admin.EmptyFieldListFilter))
    list_select_related = ("trouble",)


@admin.register(AlertTimer)
class AlertTimerAdmin(ReadOnlyAdmin):
    """Channels and the dead-man ping: the outcome of the last attempt."""

    list_display = ("name", "succeeded_at", "failures", "last_error", "next_at")
