"""Trained models, their evaluations, and what came of the picks."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from ml.scoreboard.results import Level, Result
from stocks.models import amount


class TrainedModel(models.Model):
    """A fitted bundle (both heads, risk model, calibration) on disk, with its training data and metrics."""

    class Status(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"

    id = models.CharField(primary_key=True, max_length=100, help_text="estimator_session_hash")
    estimator = models.CharField(max_length=40, help_text="name in the registry of estimators")
    recipe = models.CharField(
        max_length=12, blank=True, default="", db_default="", help_text="hash of the estimator's members and settings"
    )
    session = models.DateField(help_text="last session whose facts were used")
    train_from = models.DateField()
    train_until = models.DateField(help_text="last session with a label")
    samples = models.BigIntegerField()
    features = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict, help_text="figures of the recipe's walk-forward predictions")
    data_hash = models.CharField(max_length=64)
    path = models.CharField(max_length=300, help_text="folder below MODELS_DIR")
    files = models.JSONField(default=dict, help_text="file → SHA-256")
    software = models.JSONField(
        default=dict, db_default={}, help_text="this system and the libraries of the fit → version"
    )
    status = models.CharField(max_length=10, choices=Status)
    reason = models.TextField(blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    trained_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trained_models"
        ordering = ("-session", "-trained_at")
        indexes = (models.Index(fields=("estimator", "status", "-session"), name="idx_models_estimator"),)

    def __str__(self) -> str:
        return self.id


class ChampionChange(models.Model):
    """A decision about which recipe picks. The newest row that is not ``kept`` names the champion; none is changed."""

    class Kind(models.TextChoices):
        FIRST = "first", "First"
        PROMOTED = "promoted", "Promoted"
        KEPT = "kept", "Kept"
        REVERTED = "reverted", "Put back"

    session = models.DateField(help_text="last session whose facts were used")
    kind = models.CharField(max_length=8, choices=Kind)
    recipe = models.CharField(max_length=12, help_text="champion from this decision on")
    estimator = models.CharField(max_length=40, help_text="name of the champion's estimator")
    parameters = models.JSONField(default=dict, help_text="members and settings of the champion's recipe")
    champion_recipe = models.CharField(max_length=12, blank=True, help_text="champion before; empty for the first")
    challenger_recipe = models.CharField(
        max_length=12, blank=True, help_text="what was compared with the champion, or had to give way to an earlier one"
    )
    compared_sessions = models.PositiveIntegerField(default=0, help_text="sessions of the comparison; 0: none was made")
    figures = models.JSONField(default=dict, help_text="percent a year after costs, and differences, with intervals")
    reason = models.TextField()
    operator = models.CharField(max_length=150, null=True, blank=True, help_text="who put an earlier champion back")
    run_id = models.CharField(max_length=64, null=True, blank=True)
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "champion_changes"
        ordering = ("-session", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("session", "champion_recipe", "challenger_recipe"),
                condition=models.Q(operator=None),
                name="champion_changes_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.session} {self.kind}: {self.estimator} {self.recipe}"


class Prediction(models.Model):
    """What a recipe says of a share at the close of a session, by models that learnt from earlier sessions alone."""

    symbol = models.CharField(max_length=50)
    date = models.DateField(help_text="session whose close was used")
    recipe = models.CharField(max_length=12, help_text="hash of the estimator's members and settings")
    score = amount("ratio, return head: mean of normal scores, for ranking only")
    rank_score = amount("ratio, rank head: mean of normal scores, for ranking only")
    risk_raw = amount("ratio, risk model: higher is a shallower drawdown, for ranking only")
    confidence = amount("0-1, agreement of the return head's members")
    expected_excess = amount("ratio, calibrated return of ten sessions less the day's mean share")
    excess_low = amount("ratio, below which the excess lies in one case of ten")
    excess_high = amount("ratio, above which the excess lies in one case of ten")
    probability = amount("0-1, calibrated chance to beat the day's median share")
    predicted_drawdown = amount("ratio, at most 0, calibrated")
    risk_score = amount("0-1, mapped from the predicted drawdown; lower is safer")
    high_level = amount("ratio over the entry price less 1, reached with the target's chance")
    low_level = amount("ratio over the entry price less 1, undercut with the stop's chance")
    entry_step = amount("ratio, mean of the next open over the close less 1")
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "predictions"
        constraints = (models.UniqueConstraint(fields=("date", "symbol", "recipe"), name="predictions_key"),)

    def __str__(self) -> str:
        return f"{self.recipe} {self.date} {self.symbol}"


class PickPlace(models.Model):
    """A share's place in a strategy's order on a session, whatever was held: the first 150, or those published."""

    class Source(models.TextChoices):
        WALK_FORWARD = "walk_forward", "walk-forward"
        PUBLISHED = "published", "published"

    strategy = models.CharField(max_length=50)
    session = models.DateField(help_text="session whose close was used")
    symbol = models.CharField(max_length=50, help_text="in use when it was written")
    place = models.PositiveIntegerField(
        validators=[MinValueValidator(1)], help_text="among all shares that passed, 1 is the best"
    )
    selection_score = amount("0-1, the strategy's own score")
    source = models.CharField(
        max_length=12,
        choices=Source,
        help_text="computed from the stored predictions of the recipe, or what the evening published",
    )
    recipe = models.CharField(
        max_length=12, blank=True, help_text="hash of the estimator's members and settings; empty: not known"
    )
    run_id = models.CharField(max_length=64, null=True, blank=True, help_text="empty: written by the command")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pick_history"
        constraints = (
            models.UniqueConstraint(fields=("strategy", "session", "symbol", "source"), name="pick_history_key"),
            models.CheckConstraint(condition=models.Q(place__gte=1), name="pick_history_place"),
        )
        # All lists of a session, in order: the admin's pages.
        indexes = (models.Index(fields=("-session", "strategy", "source", "place"), name="pick_history_session"),)

    def __str__(self) -> str:
        return f"{self.strategy} {self.session} {self.place}: {self.symbol}"


class PickHistoryDay(models.Model):
    """What a strategy came to on a session of the walk-forward: how many passed, or why it has no places."""

    strategy = models.CharField(max_length=50)
    session = models.DateField(help_text="session whose close was used")
    recipe = models.CharField(max_length=12, help_text="hash of the estimator's members and settings")
    rules = models.CharField(max_length=12, help_text="hash of the strategy's thresholds, weights and required figures")
    considered = models.PositiveIntegerField(help_text="shares with a prediction that could be picked")
    passed = models.PositiveIntegerField(help_text="of them, those that passed the strategy")
    reason = models.TextField(blank=True, help_text="why it has no places; empty: it has some")
    run_id = models.CharField(max_length=64, null=True, blank=True, help_text="empty: written by the command")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pick_history_days"
        constraints = (models.UniqueConstraint(fields=("strategy", "session"), name="pick_history_days_key"),)

    def __str__(self) -> str:
        return f"{self.strategy} {self.session}: {self.passed} passed"


class Evaluation(models.Model):
    """A report of out-of-sample figures: of models fitted for it beside baselines and controls, or of `predictions`."""

    class Kind(models.TextChoices):
        WALK_FORWARD = "walk_forward", "Walk-forward"
        STORED = "stored", "Stored predictions"

    kind = models.CharField(
        max_length=12, choices=Kind, default=Kind.WALK_FORWARD, db_default=Kind.WALK_FORWARD, help_text="what it is of"
    )
    recipe = models.CharField(
        max_length=12, blank=True, default="", db_default="", help_text="of the estimator; empty: stored before it was"
    )
    as_of = models.DateField(help_text="last session of the data")
    estimator = models.CharField(max_length=40)
    first_test = models.DateField()
    last_test = models.DateField()
    data_hash = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict)
    report = models.JSONField(help_text="figure tables: rank IC with interval, by year, controls")
    seconds = models.FloatField(help_text="seconds of computation")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "evaluations"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.estimator} {self.as_of}"


class PickOutcome(models.Model):
    """What came of one published pick; the database refuses any change. A correction is a row with a higher version."""

    date = models.DateField(help_text="session whose close was used")
    strategy = models.CharField(max_length=50)
    symbol = models.CharField(max_length=50, help_text="as published")
    version = models.PositiveIntegerField(help_text="1, or a correction of the version before")
    publication_version = models.PositiveIntegerField(help_text="of the list, in force when it was judged")
    head_hash = models.CharField(max_length=64, blank=True, help_text="of the publication")
    published_at = models.DateTimeField()
    is_late = models.BooleanField(help_text="published when the entry's session had opened: nobody could buy there")
    model_id = models.CharField(max_length=100, null=True, blank=True)
    rank = models.PositiveIntegerField(null=True, blank=True)
    recommendation = models.CharField(max_length=20, null=True, blank=True)
    target_price = amount("₹ of `date`, as published")
    stop_loss = amount("₹ of `date`, as published")
    result = models.CharField(max_length=10, choices=[(code.value, code.value.replace("_", " ")) for code in Result])
    entry_date = models.DateField(help_text="next session")
    entry_price = amount("₹ of `date`, adjusted; open of entry_date")
    exit_date = models.DateField(null=True, blank=True, help_text="eleventh session after `date`, or the next trade")
    exit_price = amount("₹ of `date`, adjusted; open of exit_date")
    first_touched = models.CharField(
        max_length=6,
        choices=[(code.value, code.value) for code in Level],
        null=True,
        blank=True,
        help_text="within the ten sessions held; both in one session: stop; NULL: no level, or not comparable",
    )
    touched_on = models.DateField(null=True, blank=True)
    return_pct = amount("percent, absolute, before charges")
    index_excess_pct = amount("percent, return less the NIFTY's; NULL: no series of an index is stored")
    universe_return_pct = amount("percent, equal-weighted mean of the day's tradable shares in the same trade")
    universe_shares = models.PositiveIntegerField(help_text="shares in that mean")
    excess_pct = amount("percent, return less the universe's")
    charges_pct = amount("percent, taxes and fees of the round trip at the entry's rates, without brokerage and impact")
    net_excess_pct = amount("percent, excess less charges")
    as_of = models.DateField(help_text="session whose bars were the last that the judgement used")
    run_id = models.CharField(max_length=64, help_text="run that judged")
    judged_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pick_outcomes"
        ordering = ("-date", "strategy", "rank", "-version")
        constraints = (
            models.UniqueConstraint(fields=("date", "strategy", "symbol", "version"), name="outcomes_version"),
        )

    def __str__(self) -> str:
        return f"{self.date} {self.strategy} {self.symbol}: {self.result}"
