"""The model card page: every figure on it is the stored one."""

import html
import re

import pytest
from django.urls import reverse

from ml.model_card.figure import STYLES
from tests import model_cards
from tests.published import pick, publish

pytestmark = pytest.mark.django_db
DATA = re.compile(r'<data value="([^"]*)" data-figure="(\w+):([^"]*)">([^<]*)</data>')


def page(client, address="/models/"):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def shown_figures(text):
    """Path, style, value and wording of each figure on a page."""
    return [
        (html.unescape(path), style, html.unescape(value), html.unescape(words))
        for value, style, path, words in DATA.findall(text)
    ]


def at_path(sources, path):
    """What is stored at a path, and the number of keys that it takes; keys may contain no slash."""
    content = sources
    for key in path.split("/"):
        content = content[int(key)] if isinstance(content, list) else content[key]
    return content


def test_every_figure_on_the_page_is_the_stored_one_to_the_last_digit(client):
    champion = model_cards.store_champion()
    reports = {"report": model_cards.store_report(), "evaluation": model_cards.store_evaluation()}
    for stored in reports.values():
        stored.refresh_from_db()
    sources = {name: stored.report for name, stored in reports.items()}
    sources["model"] = {"skill_above_noise": model_cards.SKILL}
    figures = shown_figures(page(client))
    assert len(figures) > 250
    for path, style, value, words in figures:
        stored = at_path(sources, path)
        assert float(value) == stored, path
        assert words == STYLES[style](stored), path
    paths = {path for path, *_ in figures}
    row = "report/rows/ensemble"
    assert {
        f"{row}/net_excess_pct/mean",
        f"{row}/net_excess_pct/low_90",
        f"{row}/liquid_net_excess_pct/high_90",
        f"{row}/heads/rank/rank_ic/low_95",
        "model/skill_above_noise/low_90",
        f"{row}/expectations/probability/calibration_error/mean",
        f"{row}/expectations/interval/pooled/mean",
        f"{row}/expectations/levels/stop/came/mean",
        f"{row}/deepest_fall_pct",
        f"{row}/lengths/50/capacity/half_of_orders",
        f"{row}/segments/half_year/2024-I/net_excess_pct/mean",
        f"{row}/segments/half_year/2024-II/net_excess_pct/mean",
        f"{row}/stress/impact_doubled/liquid_net_excess_pct/mean",
        f"{row}/segments/liquidity/most traded/rank_ic/mean",
        f"{row}/expectations/levels/target/came_first_50/mean",
        f"{row}/expectations/r2/mean",
        "report/lists/growth/paired/mean",
        "report/lists/model/cost_pct/mean",
        "evaluation/rows/plain boosted/net_excess_pct/mean",
        "evaluation/ablations/rows/without sector/paired/net_excess_pct/mean",
        "evaluation/controls/highest",
    } <= paths
    assert champion.recipe in page(client)


def test_no_number_of_a_report_stands_outside_a_figure(client):
    """Decimals appear only inside figures, plots' axes, and what is known without a report."""
    model_cards.store_champion()
    model_cards.store_report()
    model_cards.store_evaluation()
    text = page(client)
    main = text[text.index("<main") : text.index("</main>")]
    bare = re.sub(r"<data .*?</data>|<svg .*?</svg>|<code>.*?</code>|<[^>]*>", " ", main, flags=re.S)
    decimals = set(re.findall(r"\d[\d,]*\.\d+", bare))
    assert decimals == {"0.05", "0.1", "0.2", "4.6.0"[:3]}


def test_the_page_says_which_recipe_picks_since_when_and_on_what_it_learnt(client):
    champion = model_cards.store_champion()
    text = page(client)
    for words in (champion.recipe, "2 Jan 2026", "3 Apr 2023", "8 Apr 2026", "9,62,138 samples of 62 features"):
        assert words in text
    assert "It was the first accepted model." in text
    assert "lightgbm 4.6.0" in text


def test_what_is_not_stored_yet_is_said_with_the_command_that_makes_it(client):
    text = page(client)
    assert "There is no model yet" in text
    assert "./run.sh manage run_all" in text
    model_cards.store_champion()
    text = page(client)
    assert "No report about this model is stored yet" in text
    assert "./run.sh manage model_report" in text
    assert "./run.sh manage evaluate_models" in text
    assert shown_figures(text) == []
    assert "<table" in text  # of the decisions
    assert "None" not in text


def test_a_report_about_another_recipe_is_not_shown(client):
    model_cards.store_champion()
    content = model_cards.report()
    content["rows"]["ensemble"]["recipe"] = "0" * 12
    model_cards.store_evaluation(content)
    assert "No report about this model is stored yet" in page(client)


def test_a_figure_that_a_report_lacks_is_a_dash_and_no_plot(client):
    model_cards.store_champion()
    content = model_cards.report()
    row = content["rows"]["ensemble"]
    del row["expectations"], row["curve"], content["lists"]
    model_cards.store_report(content)
    text = page(client)
    assert 'class="big">–</p>' in text
    assert re.findall(r'id="figure-(cumulative|groups|reliability|coverage|half-years|ablations)"', text) == [
        "half-years"
    ]
    assert "What each list would have earned is not stored yet" in text
    assert "None" not in text


def test_the_page_has_its_place_in_the_navigation(client):
    assert f'<a href="{reverse("portfolio:models")}" aria-current="page">Model</a>' in page(client)


@pytest.mark.parametrize("address", ["/strategies/", "/picks/?strategy=growth"])
def test_a_list_says_what_its_thresholds_cost_or_gain_against_the_model(client, address):
    model_cards.store_champion()
    stored = model_cards.store_report()
    publish("growth", [pick("AAA")])
    text = page(client, address)
    growth = stored.report["lists"]["growth"]
    shown = {path: (float(value), words) for path, _, value, words in shown_figures(text)}
    for name, style in (("net_excess_pct", "yearly"), ("paired", "yearly"), ("cost_pct", "cost"), ("bought", "share")):
        mean = growth[name]["mean"]
        assert shown[f"report/lists/growth/{name}/mean"] == (mean, STYLES[style](mean))
    verb = "cost" if growth["paired"]["mean"] < 0 else "gain"
    assert f": what its thresholds and weights {verb}" in text


def test_without_a_report_a_list_has_no_figures(client):
    publish("growth", [pick("AAA")])
    assert "would have earned" not in page(client, "/picks/?strategy=growth")
    assert "What the lists would have earned is not stored yet" in page(client, "/strategies/")
