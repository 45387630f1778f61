"""The contract's JSON API for operators: system status, triggers, the status of a task, its retry.

The console's buttons call the same functions (`actions`). Staff with the right only, by session with CSRF or by token;
keys without a value are omitted.
"""

from collections.abc import Mapping
from typing import ClassVar, cast

from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from market_data.models import PipelineRun
from market_data.runs.saga import AlreadyRunning, NoSuchRun, NotRetryable, OtherMarket, SagaError
from market_data.trading_calendar import CalendarError
from portfolio.models import Scope
from stocks.api.answers import ErrorAnswer
from stocks.error_responses import error_body
from tradingsite.operations import actions, task_states
from tradingsite.operations.jobs import MayNotStart, UnknownJob
from tradingsite.operations.rights import may_operate, may_view_runs
from tradingsite.operations.serializers import RetryResponse, StatusResponse, TaskResponse, TriggerResponse

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
    401: OpenApiResponse(ErrorAnswer, "Neither a session nor a token was sent."),
    403: OpenApiResponse(
        ErrorAnswer, "Not an operator, the CSRF token is missing, or the API token lacks the scope `operate`."
    ),
    404: OpenApiResponse(ErrorAnswer, "No such job or task, or a `format` that is not offered."),
    405: OpenApiResponse(ErrorAnswer, "Another method."),
    406: OpenApiResponse(ErrorAnswer, "The `Accept` header names no format that is offered."),
}
_CHANGES = _ERRORS | {
    400: OpenApiResponse(ErrorAnswer, "The request body cannot be parsed."),
    409: OpenApiResponse(ErrorAnswer, "Refused in the current state; `task_id` names the active run, if there is one."),
    415: OpenApiResponse(ErrorAnswer, "The request body is of an unsupported media type."),
}


def error_response(error: SagaError | CalendarError) -> Response:
    """Translate a refusal; of an active run it names the id."""
    known = (answer for kind, answer in _CODES.items() if isinstance(error, kind))
    status, code = next(known, (409, "refused"))
    body = error_body(status, str(error), code)
    if isinstance(error, AlreadyRunning):
        body["task_id"] = error.run_id
    return Response(body, status=status)


class IsOperator(BasePermission):
    """Staff who may view runs may read; staff who may change them may also act."""

    message = "Only staff who may view runs may read this, and only those who may change runs may start and retry them."

    def has_permission(self, request: Request, view: APIView) -> bool:
        is_allowed = may_view_runs if request.method in SAFE_METHODS else may_operate
        return is_allowed(request.user)


class _OperatorView(APIView):
    token_scopes: ClassVar[Mapping[str, str]] = {"GET": Scope.OPERATE, "POST": Scope.OPERATE}
    permission_classes = (IsOperator,)

    @property
    def operator(self) -> AbstractUser:
        return cast("AbstractUser", self.request.user)


class SystemStatusView(_OperatorView):
    @extend_schema(operation_id="admin_system_status", responses={200: StatusResponse, **_ERRORS})
    def get(self, request: Request) -> Response:
        """State of tables, jobs, clusters, models and picks; totals are maintained by the writers, not counted."""
        return Response({"success": True, "status": task_states.contract_status(timezone.now())})


class TriggerView(_OperatorView):
    @extend_schema(
        operation_id="admin_trigger",
        request=None,
        parameters=[OpenApiParameter("job", str, OpenApiParameter.PATH, description="`all`, or a job: see a 404.")],
        responses={200: TriggerResponse, **_CHANGES},
    )
    def post(self, request: Request, job: str) -> Response:
        """Start a job, or `all` jobs of an evening, for the latest completed session; 409 when it is already active."""
        try:
            result = actions.start_job(self.operator, job)
        except (SagaError, CalendarError) as error:
            return error_response(error)
        body = {"success": True, "task_id": result.task_id, "message": result.message}
        if result.run and result.run.status == PipelineRun.Status.WAITING:
            body |= {"status": result.run.status}
        return Response(body)


class TaskStatusView(_OperatorView):
    @extend_schema(operation_id="admin_task_status", responses={200: TaskResponse, **_ERRORS})
    def get(self, request: Request, task_id: str) -> Response:
        """A run with its steps; of a whole evening, the runs of its jobs."""
        try:
            return Response({"success": True, "task": task_states.task_status(task_id)})
        except SagaError as error:
            return error_response(error)


class RetryFailedView(_OperatorView):
    @extend_schema(operation_id="admin_task_retry_failed", request=None, responses={200: RetryResponse, **_CHANGES})
    def post(self, request: Request, task_id: str) -> Response:
        """Make the failed steps ready again; the same run continues under an additional id."""
        try:
            result = actions.retry_failed(self.operator, task_states.failed_run(task_id).id)
        except SagaError as error:
            return error_response(error)
        body = {"success": True, "task_id": result.task_id, "message": result.message, "failed_steps": result.steps}
        return Response(body)
