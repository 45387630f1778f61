"""The scheduled jobs, one a line; `sync_schedules` writes them into the queue's schedules.

The clock (India Standard Time) says when a job may start; what it waits for, of the same session, says whether it may.
"""

from dataclasses import dataclass

SAME_DAY, EVENING_BEFORE, NO_SESSION = "same day", "evening before", "none"


@dataclass(frozen=True)
class Job:
    """One scheduled job.

    Attributes
    ----------
    name : str
        Name of the saga it runs.
    cron : str
        Minute, hour, day, month, weekday; India Standard Time.
    cluster : str
        Queue that plans and runs it.
    waits_for : tuple of str
        Jobs of the same session that must have completed; ``|`` joins alternatives.
    stands_for : str
        Which session the planned time stands for.
    """

    name: str
    cron: str
    cluster: str
    waits_for: tuple[str, ...] = ()
    stands_for: str = SAME_DAY


EVENING = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection", "csv_export")
"""The jobs of a whole evening in the order in which they are done at a stretch: by `run_all`, or by one button."""

JOBS = (
    Job("symbol_master", "0 6 * * 1", "data", stands_for=NO_SESSION),
    Job("quotes", "*/30 9-15 * * 1-5", "data"),
    Job("pipeline", "0 21 * * *", "data"),
    Job("fill_data", "30 21 * * *", "data", ("pipeline",)),
    Job("business_logic", "45 21 * * *", "data", ("fill_data",)),
    Job("csv_export", "0 22 * * *", "data", ("business_logic",)),
    Job("validation", "30 22 * * *", "data", ("business_logic",)),
    Job("training", "0 2 * * *", "ml", ("validation",), EVENING_BEFORE),
    Job("selection", "15 2 * * *", "ml", ("validation", "training|recent_model|training_failed"), EVENING_BEFORE),
    # After the selection, whatever the evening came to: a back-up waits for nobody's success.
    Job("backup", "0 4 * * *", "data", stands_for=NO_SESSION),
    Job("cleanup", "0 3 * * 0", "data", stands_for=NO_SESSION),
)
