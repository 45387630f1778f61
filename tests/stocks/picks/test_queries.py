"""Published picks: filters, order, the cache, and the version in force."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.core.cache import cache
from django.db import connections
from django.test.utils import CaptureQueriesContext

from stocks.picks import queries as pick_queries
from stocks.picks.queries import pick_list
from tests.published import SESSION, pick, publish, supersede

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def symbols(listed):
    return [entry["symbol"] for entry in listed.picks]


def test_missing_values_come_last_in_both_directions_and_ties_keep_the_rank():
    publish(
        "value",
        [
            pick("NONE", pe_ratio=None),
            pick("HIGH", pe_ratio=30.0),
            pick("TIE1", pe_ratio=10.0),
            pick("TIE2", pe_ratio=10.0),
            pick("NAN", pe_ratio=float("nan")),
        ],
    )
    assert symbols(pick_list("value", sort_by="pe_ratio", descending=True)) == ["HIGH", "TIE1", "TIE2", "NONE", "NAN"]
    assert symbols(pick_list("value", sort_by="pe_ratio", descending=False)) == ["TIE1", "TIE2", "HIGH", "NONE", "NAN"]


def test_a_float_that_json_cannot_represent_is_none():
    publish("value", [pick("A", pe_ratio=float("nan"), beta=float("inf"))])
    [only] = pick_list("value").picks
    assert only["pe_ratio"] is None
    assert only["beta"] is None


@pytest.mark.parametrize("sector", ["IT", "it", "information technology", "Information  Technology", "Technology"])
def test_a_sector_is_found_by_alias_in_any_case(sector):
    publish(
        "growth", [pick("TCS", sector="Information Technology"), pick("ITC", sector="FMCG"), pick("X", sector=None)]
    )
    assert symbols(pick_list("growth", sector=sector)) == ["TCS"]


def test_search_covers_symbol_and_name_and_explains_an_empty_result():
    publish("growth", [pick("TCS", stock_name="Tata Consultancy Services"), pick("INFY", stock_name=None)])
    assert symbols(pick_list("growth", search="tata")) == ["TCS"]
    assert symbols(pick_list("growth", search="inf")) == ["INFY"]
    nothing = pick_list("growth", search="zzz")
    assert nothing.picks == []
    assert "'zzz'" in nothing.reason


def test_an_absent_sector_is_answered_with_the_sectors_present():
    publish("growth", [pick("TCS", sector="Information Technology")])
    assert "Information Technology" in pick_list("growth", sector="Realty").reason


def test_total_counts_matches_before_the_limit():
    publish("growth", [pick(f"S{n}") for n in range(12)])
    listed = pick_list("growth", limit=5)
    assert (len(listed.picks), listed.total) == (5, 12)


def test_without_a_date_the_newest_list_is_returned_and_with_one_only_that_date():
    publish("growth", [pick("OLD")], session=date(2026, 4, 29))
    publish("growth", [pick("NEW")])
    assert symbols(pick_list("growth")) == ["NEW"]
    assert symbols(pick_list("growth", session=date(2026, 4, 29))) == ["OLD"]
    missing = pick_list("growth", session=date(2026, 5, 4))
    assert missing.publication is None
    assert "2026-05-04" in missing.reason


def test_an_abstention_hides_the_list_before_it():
    publish("growth", [pick("OLD")], session=date(2026, 4, 29))
    publish("growth", [], reason="internal", abstention="model")
    listed = pick_list("growth")
    assert listed.picks == []
    assert listed.reason == "There are no growth picks: no recent prediction model has passed its tests."
    assert listed.publication is not None
    assert listed.publication.date == SESSION


def test_a_new_version_replaces_the_old_one_at_once():
    first = publish("growth", [pick("FIRST")])
    assert symbols(pick_list("growth")) == ["FIRST"]
    supersede(first)
    publish("growth", [pick("SECOND")], version=2)
    assert symbols(pick_list("growth")) == ["SECOND"]


def test_the_list_is_read_once_per_publication_for_all_filters(django_assert_num_queries):
    publish("growth", [pick("TCS"), pick("INFY")])
    pick_list("growth")
    with django_assert_num_queries(1):
        pick_list("growth", search="tcs", sort_by="market_cap")


def test_a_list_without_rows_is_read_from_its_copy():
    publication = publish("growth", [pick("TCS"), pick("INFY")])
    publication.picks_in_force.all().delete()
    assert symbols(pick_list("growth")) == ["TCS", "INFY"]


def test_a_list_superseded_while_it_is_read_is_not_cached():
    publication = publish("growth", [pick("TCS")])
    publication.picks_in_force.all().delete()
    publication.picks = []
    publication.save()
    assert pick_queries.published_picks(publication) == []
    publication.picks = [pick("TCS")]
    publication.save()
    assert [entry["symbol"] for entry in pick_queries.published_picks(publication)] == ["TCS"]


def test_picks_are_served_with_the_cache_server_down(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
        }
    }
    publish("growth", [pick("TCS")])
    assert symbols(pick_list("growth")) == ["TCS"]


@pytest.mark.django_db(transaction=True)
def test_twenty_concurrent_readers_load_a_cold_list_once():
    publication = publish("growth", [pick(f"S{n}") for n in range(50)])
    cache.clear()
    start = threading.Barrier(20)

    def read() -> tuple[int, int]:
        start.wait()
        try:
            with CaptureQueriesContext(connections["default"]) as queries:
                count = len(pick_queries.published_picks(publication))
            return count, sum("daily_suggested_stocks" in query["sql"] for query in queries.captured_queries)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        results = [future.result() for future in [pool.submit(read) for _ in range(20)]]
    assert {count for count, _ in results} == {50}
    assert sum(reads for _, reads in results) == 1
    assert cache.get(f"picks:3:{pick_queries.publication_key(publication)}:lock") is None


def test_a_process_waits_for_the_loading_one_and_takes_over_when_it_died(monkeypatch):
    publication = publish("growth", [pick("TCS")])
    monkeypatch.setattr(pick_queries, "_WAIT_SECONDS", 0.1)
    cache.set(f"picks:3:{pick_queries.publication_key(publication)}:lock", 1, 60)
    assert [entry["symbol"] for entry in pick_queries.published_picks(publication)] == ["TCS"]
