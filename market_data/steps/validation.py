"""PIPELINE_VALIDATION: the checks of data quality on the session, and on earlier ones whose bars the run changed."""

from collections import Counter
from datetime import date
from typing import NamedTuple

from market_data import quality
from market_data.runs.saga import StepContext
from market_data.steps.factors import sessions_to_check
from market_data.storage import writer as market_writer


class Validation(NamedTuple):
    """Findings per session, the run's own session last, and findings about the system itself."""

    sessions: list[tuple[date, quality.Findings]]
    system: quality.Findings


def validate(context: StepContext) -> Validation:
    """Check the session, and those of the month before whose bars the run loaded or changed."""
    affected = sessions_to_check(context)[-quality.HOLDS_SESSIONS :]
    sessions = sorted({*affected, context.session})
    system = [] if context.run.is_replay else quality.system_findings(context.run.created_at)
    return Validation(list(quality.findings_between(sessions, context.report)), system)


def record_validation(context: StepContext, validation: Validation) -> int:
    """Replace the stored findings; those that block keep a symbol, or the whole day, out of the selection."""
    if not context.run.is_replay:
        names = [check.name for check in quality.CHECKS]
        for session, findings in validation.sessions:
            market_writer.replace_findings(context.run.id, session, names, findings)
        system_names = quality.system_check_names()
        market_writer.replace_findings(context.run.id, context.session, system_names, validation.system)
    own = [*validation.sessions[-1][1], *validation.system]
    severities = Counter(finding["severity"] for finding in own)
    day = [finding["message"] for finding in own if finding["blocks"] and not finding["symbol"]]
    symbols = sorted({finding["symbol"] for finding in own if finding["blocks"] and finding["symbol"]})
    context.summarise(findings=dict(severities) or "none", day_blocked=day or "no", newly_blocked=symbols or "none")
    if not context.run.is_replay:
        context.summarise(kept_out=dict(Counter(quality.excluded_symbols(context.session).values())) or "none")
    return sum(len(findings) for _, findings in validation.sessions) + len(validation.system)
