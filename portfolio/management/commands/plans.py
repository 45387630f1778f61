"""`manage.py plans`: what accounts are to trade next; `plans approve`: the owner's approval of a live one."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from market_data.runs.command import parse_date
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.models import Plan, User
from portfolio.plans.approval import approve, closes_at
from portfolio.plans.places import PlansError


class Command(BaseCommand):
    help = (
        "Show the plans of accounts that trade a strategy, the newest first; `approve` approves one of a live account."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="A", help="number or name; all accounts where none is given")
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="of the list; the newest plan of each account if none")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")
        actions = parser.add_subparsers(dest="action")
        approval = actions.add_parser("approve", help="approve a plan, as its owner")
        approval.add_argument("plan", type=int, help="number of the plan")
        approval.add_argument("--user", required=True, metavar="NAME", help="who approves")
        approval.add_argument("--digest", required=True, help="of the plan that was read, as this command prints it")
        approval.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        if options["action"] == "approve":
            rows = [self._approved(options)]
        else:
            rows = list(_plans(options["account"], options["date"]))
        content = {"plans": [_json(plan) for plan in rows]}
        self.stdout.write(json.dumps(content) if options["json"] else "\n\n".join(map(_text, rows)) or "No plan.")

    def _approved(self, options: dict[str, Any]) -> Plan:
        plan = Plan.objects.filter(pk=options["plan"], account__is_replay=False).first()
        by = User.objects.filter(username=options["user"]).first()
        if plan is None:
            raise CommandError(f"There is no plan {options['plan']}; see `plans`.")
        if by is None:
            raise CommandError(f"There is no user {options['user'][:100]!r}.")
        try:
            return approve(plan, by, options["digest"], timezone.now())
        except PlansError as error:
            raise CommandError(str(error)) from error


def _plans(account: str | None, day: str | None) -> QuerySet[Plan]:
    plans = Plan.objects.filter(account__is_replay=False).select_related("account", "strategy")
    if account is not None:
        try:
            plans = plans.filter(account=account_named(account))
        except UnknownAccount as error:
            raise CommandError(str(error)) from error
    if day is not None:
        return plans.filter(session=parse_date(day))
    return plans.filter(pk__in=plans.order_by("account_id", "-pk").distinct("account_id").values("pk"))


def _json(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.pk,
        "account": plan.account_id,
        "strategy": plan.strategy.name,
        "session": plan.session.isoformat(),
        "trades_on": plan.trades_on.isoformat(),
        "status": plan.status,
        "reason": plan.reason,
        "approve_until": closes_at(plan).isoformat() if plan.account.is_live else "",
        "digest": plan.digest,
        **plan.content,
    }


def _text(plan: Plan) -> str:
    content = plan.content
    head = f"Plan {plan.pk} of {plan.session} for {plan.account} ({plan.strategy.name}), trades on {plan.trades_on}"
    lines = [f"{head}: {plan.status}{f' ({plan.reason})' if plan.reason else ''}", f"Digest {plan.digest}"]
    if content["why_no_decision"]:
        lines.append(f"No decision: {content['why_no_decision']}")
    lines += [
        f"  {ticket['side']:4} {ticket['quantity']:>7} {ticket['symbol']:12} at about ₹{ticket['price']},"
        f" ₹{ticket['value']}: {ticket['why']}"
        for ticket in content["tickets"]
    ]
    lines += [f"  left out: {each['symbol']}. {each['reason']}" for each in content["left_out"]]
    charges = content["charges"]
    lines.append(f"Expected: charges ₹{charges['total']}, DP charges ₹{charges['dp']}, impact ₹{content['impact']}")
    return "\n".join([*lines, content["overnight"]])
