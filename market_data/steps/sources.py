"""The provider of a run, and the day whose data it reads."""

from datetime import date

from market_data import trading_calendar
from market_data.providers import Provider, SessionMisdated, SessionNotAvailable, provider
from market_data.runs.saga import NotYet, StepContext
from market_data.storage import queries


def run_provider(context: StepContext) -> Provider:
    """Return the run's provider, built once per process."""
    return context.once("provider", lambda: provider(context.run.provider))


def as_of(context: StepContext) -> date:
    """Return the run's session, or the Indian date of its creation for a job without a session."""
    return context.run.session or context.run.created_at.astimezone(trading_calendar.IST).date()


def require_bars(context: StepContext, source: Provider, reason: str = "") -> None:
    """Raise NotYet, with the reason of a failed download, unless the session's bars are offered or already stored."""
    if source.sessions(context.session, context.session) or queries.is_loaded(context.session):
        return
    try:
        source.fingerprint(context.session)
    except SessionMisdated as error:
        reason = f"{error} {reason}".strip()
    except SessionNotAvailable:
        pass
    offered = source.sessions(None, context.session)
    raise NotYet(
        f"{source.name} has no bars for {context.session}"
        f" (its latest session is {offered[-1] if offered else 'none'}); "
        f"put the day's file in place, or pass --date with a session it has." + (f" {reason}" if reason else ""),
        runbook="file-missing",
    )
