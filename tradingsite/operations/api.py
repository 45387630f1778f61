"""The contract's JSON for operators: the system's status, triggers, the status of a task, its retry.

The buttons of the console call the same functions (`actions`). Staff only, by session with CSRF or by token; keys
without a value are left out.
"""

from typing import cast

from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from market_data.runs.saga import AlreadyRunning, NoSuchRun, NotRetryable, OtherMarket, SagaError
from market_data.trading_calendar import CalendarError
from stocks.api import ErrorAnswer
from stocks.error_answers import error_body
from tradingsite.operations import actions, task_states
from tradingsite.operations.answers import RetryAnswer, StatusAnswer, TaskAnswer, TriggerAnswer
from tradingsite.operations.jobs import MayNotStart, UnknownJob

OPERATE = "market_data.change_pipelinerun"
_CODES: dict[type[Exception], tuple[int, str]] = {
    UnknownJob: (404, "unknown_job"),
    NoSuchRun: (404, "not_found"),
    AlreadyRunning: (409, "already_running"),
    NotRetryable: (409, "not_retryable"),
    MayNotStart: (409, "may_not_start"),
    OtherMarket: (409, "other_market"),
    CalendarError: (409, "calendar"),
}
_ERRORS = {
    401: OpenApiResponse(ErrorAnswer, "Neither a session nor a token."),
    403: OpenApiResponse(ErrorAnswer, "Not an operator, or the CSRF token is missing."),
    404: OpenApiResponse(ErrorAnswer, "No such job or task, or a `format` that is not offered."),
    405: OpenApiResponse(ErrorAnswer, "Another method."),
    406: OpenApiResponse(ErrorAnswer, "A form asked for by `Accept` that is not offered."),
}
_CHANGES = _ERRORS | {
    400: OpenApiResponse(ErrorAnswer, "A body that cannot be read."),
    409: OpenApiResponse(ErrorAnswer, "Refused as things stand; `task_id` names the run that is active."),
    415: OpenApiResponse(ErrorAnswer, "A body of another type."),
}


def refused(error: SagaError | CalendarError) -> Response:
    """Return the answer to something refused; of an active run it names the id."""
    status, code = next((told for kind, told in _CODES.items() if isinstance(error, kind)), (409, "refused"))
    body = error_body(status, str(error), code)
    if isinstance(error, AlreadyRunning):
        body["task_id"] = error.run_id
    return Response(body, status=status)


class IsOperator(BasePermission):
    """Staff may look; staff with the right to change runs may act."""

    message = "Only staff may see this, and only staff who may change runs may start and retry them."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the person may do what is asked."""
        user = request.user
        if not (user.is_authenticated and user.is_active and user.is_staff):
            return False
        return request.method in ("GET", "HEAD", "OPTIONS") or user.has_perm(OPERATE)


class _OperatorView(APIView):
    # The first one decides between 401 and 403 for the unknown: a token can be asked for.
    authentication_classes = (TokenAuthentication, SessionAuthentication)
    permission_classes = (IsOperator,)

    def person(self) -> AbstractUser:
        """Return who asks."""
        return cast("AbstractUser", self.request.user)


class SystemStatusView(_OperatorView):
    """How things stand."""

    @extend_schema(operation_id="admin_system_status", responses={200: StatusAnswer, **_ERRORS})
    def get(self, request: Request) -> Response:
        """Return the state of tables, jobs, clusters, models and picks; totals are what the writers keep."""
        return Response({"success": True, "status": task_states.contract_status(timezone.now())})


class TriggerView(_OperatorView):
    """Starts a job."""

    @extend_schema(
        operation_id="admin_trigger",
        request=None,
        parameters=[OpenApiParameter("job", str, OpenApiParameter.PATH, description="`all`, or a job: see a 404.")],
        responses={200: TriggerAnswer, **_CHANGES},
    )
    def post(self, request: Request, job: str) -> Response:
        """Start a job, or `all` of an evening, for the latest completed session; one that is active answers 409."""
        try:
            done = actions.start(self.person(), job)
        except (SagaError, CalendarError) as error:
            return refused(error)
        return Response({"success": True, "task_id": done.task_id, "message": done.message})


class TaskStatusView(_OperatorView):
    """A run and its steps."""

    @extend_schema(operation_id="admin_task_status", responses={200: TaskAnswer, **_ERRORS})
    def get(self, request: Request, task_id: str) -> Response:
        """Return a run with its steps; of a whole evening, the runs of its jobs."""
        try:
            return Response({"success": True, "task": task_states.task(task_id)})
        except SagaError as error:
            return refused(error)


class RetryFailedView(_OperatorView):
    """Retries what failed of a run."""

    @extend_schema(operation_id="admin_task_retry_failed", request=None, responses={200: RetryAnswer, **_CHANGES})
    def post(self, request: Request, task_id: str) -> Response:
        """Make the failed steps ready again; the run goes on with its own rows under a further id."""
        try:
            done = actions.retry_failed(self.person(), task_states.failed_run(task_id).id)
        except SagaError as error:
            return refused(error)
        return Response({"success": True, "task_id": done.task_id, "message": done.message, "failed_steps": done.steps})
