"""`manage.py compare_models`: every estimator on the same folds, in one table; nothing is stored but the folds."""

from ml.management.commands import evaluate_models


class Command(evaluate_models.Command):
    help = (
        "Compare every estimator on the same sessions and folds, beside the baselines; the contract's forest is"
        " thinned. What was computed is reused."
    )
    compares = True
