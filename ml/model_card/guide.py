"""The guide to the models: its parts that the registry and stored reports know, as Markdown.

A part stands in the guide between `<!-- NAME -->` and `<!-- /NAME -->`, each alone on its line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ml.features.guide import feature_table
from ml.learning.estimators import ESTIMATORS, Estimator, Head, Member
from ml.model_card import reading
from ml.model_card.figure import Estimate, Figure
from ml.model_card.queries import Card

DEFAULT_ESTIMATOR: Final = "ensemble"
SETTINGS: Final = (
    *("ESTIMATOR", "TRAINING_LOOKBACK_DAYS", "PICKS_KEEP_RANK", "TICKET_BROKER", "TICKET_RUPEES"),
    *("TARGET_PROBABILITY", "STOP_PROBABILITY", "STRONG_BUY_REWARD_TO_RISK"),
    *("ABSTAIN_MODEL_AGE_SESSIONS", "ABSTAIN_DRIFT", "ABSTAIN_SKILL", "ABSTAIN_BELOW_COSTS"),
)
"""Settings that change what is learnt, chosen or withheld."""

IMAGES_A_ROW: Final = 3

_OUTCOMES: Final = {
    "forward_return": "return of ten sessions",
    "forward_return_5": "return of five sessions",
    "drawdown": "worst low of the ten sessions",
}
_HEADS: Final = {
    "return head": ("return_head", "selection, expected excess"),
    "rank head": ("rank_head", "probability to beat the median share"),
    "risk model": ("risk_head", "risk score"),
}


class GuideUnmarked(ValueError):
    """A part has no place in the guide; the sentence names its marks."""


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """The guide with these parts in place of what stood between their marks.

    Raises
    ------
    GuideUnmarked
        A part's marks are missing, or stand there twice.
    """
    for name, content in parts.items():
        pattern = re.compile(rf"^<!-- {name} -->\n.*?^<!-- /{name} -->$", re.DOTALL | re.MULTILINE)
        if len(pattern.findall(text)) != 1:
            raise GuideUnmarked(f"The guide needs the lines <!-- {name} --> and <!-- /{name} --> once; add them.")
        block = f"<!-- {name} -->\n{content}\n<!-- /{name} -->"
        text = pattern.sub(lambda _, block=block: block, text)  # type: ignore[misc]
    return text


def registry_parts(example: str) -> dict[str, str]:
    """The parts that need no database; ``example`` is the text of `.env.example`, which describes the settings."""
    return {
        "members": members_table(ESTIMATORS[DEFAULT_ESTIMATOR]),
        "estimators": estimators_table(),
        "settings": settings_table(example),
        "features": feature_table(),
    }


def members_table(estimator: Estimator) -> str:
    """Heads and risk model of an estimator with the weights of their members."""
    rows = []
    for title, (attribute, use) in _HEADS.items():
        head: Head = getattr(estimator, attribute)
        rows += [(title, f"1/{len(head.groups)}", *_member_cells(group), use) for group in head.groups]
    return _table(("part", "weight", "member", "learns", "of the", "on every", "used for"), rows)


def _member_cells(group: Sequence[Member]) -> tuple[str, str, str, str]:
    first = group[0]
    many = f"{len(group)} × " if len(group) > 1 else ""
    every = (
        "session"
        if first.every == 1
        else {2: "2nd session", 3: "3rd session"}.get(first.every, f"{first.every}th session")
    )
    return f"{many}{first.learner}", first.target.replace("_", " "), _OUTCOMES[first.outcome], every


def estimators_table() -> str:
    """Every estimator of the registry."""
    rows = [
        (f"`{name}`", each.note, str(len(each.members)), each.feature_set.replace("_", "-"), f"`{each.recipe}`")
        for name, each in ESTIMATORS.items()
    ]
    return _table(("estimator", "what it is", "members", "features", "recipe"), rows)


def settings_table(example: str) -> str:
    """The settings of the models with their defaults, as `.env.example` describes them."""
    rows = []
    for names, defaults, meaning in _example_settings(example):
        known = [
            (f"`{name}`", f"`{default}`") for name, default in zip(names, defaults, strict=True) if name in SETTINGS
        ]
        if known:
            rows.append((*(", ".join(cells) for cells in zip(*known, strict=True)), meaning))
    return _table(("setting", "default", "meaning"), rows)


def _example_settings(example: str) -> Iterator[tuple[list[str], list[str], str]]:
    """Names, defaults and meaning of settings that follow each other and share the comment before the first."""
    block = r"((?:^# (?![A-Z][A-Z0-9_]+=|---).*\n)+)((?:^# ?[A-Z][A-Z0-9_]+=.*\n?)+)"
    for comment, settings in re.findall(block, example, re.MULTILINE):
        pairs = [line.lstrip("# ").partition("=") for line in settings.splitlines()]
        meaning = " ".join(line.removeprefix("# ").strip() for line in comment.splitlines())
        yield [name for name, _, _ in pairs], [default for _, _, default in pairs], meaning


def figures_part(card: Card, lists: Sequence[reading.ListFigures], images: Sequence[tuple[str, str]]) -> str:
    """What the stored reports say of the champion; ``images`` are titles and paths of the plots."""
    if card.report is None:
        raise ValueError("No report about the champion is stored; model_report stores one.")
    content = card.report.content
    span = f"{content.figure('count', 'sessions').text} sessions from {content.text('first_test')} to"
    blocks = [
        f"Recipe `{card.champion.recipe if card.champion else ''}`, {span} {content.text('last_test')}, as of"
        f" {card.report.as_of}. In brackets 90 % intervals (of rank correlations 95 %).",
        _table(
            ("figure", "value", "meaning"),
            [(each.name, each.figure.text, each.sentence) for each in card.headlines],
        ),
        _gallery([f"![{title}]({path})" for title, path in images]),
    ]
    if lists:
        blocks.append(lists_table(lists))
    if card.evaluation:
        blocks.append(experiments_table(reading.experiments(card.evaluation.content)))
    return "\n\n".join(filter(None, blocks))


def _gallery(images: Sequence[str]) -> str:
    """Images in rows of ``IMAGES_A_ROW``."""
    if not images:
        return ""
    cells = [*images, *[""] * (-len(images) % IMAGES_A_ROW)]
    rows = [cells[start : start + IMAGES_A_ROW] for start in range(0, len(cells), IMAGES_A_ROW)]
    return _table([""] * IMAGES_A_ROW, rows)


def lists_table(rows: Sequence[reading.ListFigures]) -> str:
    """What each list would have earned, and against the list of the model alone."""
    head = ("list", "net, a year", "against `model`", "bought anew", "costs, a year", "deepest fall")
    cells = [
        (f"`{row.name}`", row.net, "–" if row.is_model else row.against_model, row.bought.mean, row.cost.mean, row.fall)
        for row in rows
    ]
    return _table(head, cells)


def experiments_table(rows: Sequence[reading.Experiment]) -> str:
    """Models and baselines on the same sessions."""
    head = (
        "on the same sessions",
        "rank correlation",
        "net, a year",
        "above ₹10 crore",
        "net less the plain baseline's",
    )
    return _table(head, [(row.name, row.rank_ic, row.net, row.liquid, row.paired) for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str | Figure | Estimate]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- ", "|---").replace("|--- |", "|---|")


def _cell(cell: str | Figure | Estimate) -> str:
    return cell if isinstance(cell, str) else cell.text
