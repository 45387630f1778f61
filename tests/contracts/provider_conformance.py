"""What every provider of market data keeps; the tests of each provider inherit it."""

import contextlib
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from market_data.prices.bars import BAR_DTYPES, REJECT_COLUMNS, SERIES_ORDER, checked_bars
from market_data.prices.events import EVENT_COLUMNS
from market_data.providers import (
    CHANGE_COLUMNS,
    DAY_COLUMNS,
    FACT_COLUMNS,
    LIMIT_DTYPES,
    LISTED_DTYPES,
    MEMBER_COLUMNS,
    QUOTE_COLUMNS,
    STATEMENT_COLUMNS,
    NotOffered,
    Provider,
    SessionNotAvailable,
    SourceFinding,
)


class ProviderConformance:
    """Inherit, and give the fixtures ``feed`` and ``as_of`` (a session with at least one session before it)."""

    @pytest.fixture
    def feed(self) -> Provider:
        raise NotImplementedError

    @pytest.fixture
    def as_of(self) -> date:
        raise NotImplementedError

    @pytest.fixture
    def earlier(self, feed: Provider, as_of: date) -> date:
        """The session before ``as_of``."""
        return feed.sessions(as_of - timedelta(days=30), as_of)[-2]

    def test_it_is_a_provider(self, feed):
        assert isinstance(feed, Provider)
        assert feed.kind in ("real", "simulated")
        assert feed.name

    def test_sessions_ascend_inside_the_bounds(self, feed, as_of):
        start = as_of - timedelta(days=20)
        sessions = feed.sessions(start, as_of)
        assert sessions == sorted(set(sessions))
        assert sessions[-1] == as_of
        assert min(sessions) >= start
        assert feed.sessions(as_of + timedelta(days=1), as_of) == []
        assert as_of in feed.sessions(None, as_of)

    def test_bars_have_the_shape_of_a_bar_frame(self, feed, as_of):
        frame = feed.bars(as_of).frame
        assert frame.dtypes.astype(str).to_dict() == BAR_DTYPES
        assert len(frame) > 0
        assert frame["date"].eq(pd.Timestamp(as_of)).all()
        assert frame["symbol"].is_unique
        assert frame["symbol"].is_monotonic_increasing
        assert frame.index.equals(pd.RangeIndex(len(frame)))
        assert set(frame["series"]) <= set(SERIES_ORDER)
        assert frame["symbol"].str.strip().eq(frame["symbol"]).all()

    def test_bars_pass_the_checks(self, feed, as_of):
        raw = feed.bars(as_of)
        bars, rejects = checked_bars(raw.frame, session=as_of)
        assert len(bars) + len(rejects) == len(raw.frame)
        assert len(rejects) <= 0.01 * len(raw.frame)
        assert tuple(raw.rejects.columns) == REJECT_COLUMNS
        assert raw.source.startswith(feed.name)

    def test_a_second_answer_is_the_same_and_its_own(self, feed, as_of):
        first = feed.bars(as_of).frame
        kept = first.copy()
        first.loc[:, "close"] = -1.0
        pd.testing.assert_frame_equal(feed.bars(as_of).frame, kept)

    def test_a_day_that_is_no_session_is_refused(self, feed):
        for question in (feed.bars, feed.fingerprint):
            with pytest.raises(SessionNotAvailable, match="1999"):
                question(date(1999, 1, 2))

    def test_a_fingerprint_identifies_the_source_of_a_session(self, feed, as_of, earlier):
        first, again, other = feed.fingerprint(as_of), feed.fingerprint(as_of), feed.fingerprint(earlier)
        assert first == again
        assert first.sha256 == again.sha256 != other.sha256
        assert len(first.sha256) == 64
        assert first.size > 0

    def test_every_traded_symbol_is_listed_once(self, feed, as_of):
        listed = feed.listed_symbols(as_of)
        assert listed.dtypes.astype(str).to_dict() == LISTED_DTYPES
        assert listed["symbol"].is_unique
        assert listed["symbol"].is_monotonic_increasing
        assert set(feed.bars(as_of).frame["symbol"]) <= set(listed["symbol"])
        assert set(listed["kind"]) <= {"share", "fund", "unknown"}
        assert listed["source"].str.len().gt(0).all()

    def test_nothing_listed_later_shows(self, feed, as_of):
        listed_on = pd.to_datetime(feed.listed_symbols(as_of)["listed_on"])
        assert not (listed_on > pd.Timestamp(as_of)).any()

    def test_corporate_actions_are_known_by_the_day_asked_for(self, feed, as_of, earlier):
        for day in (earlier, as_of):
            events = feed.corporate_actions(day)
            assert tuple(events.columns) == EVENT_COLUMNS
            assert (events["known_on"] <= pd.Timestamp(day)).all()
            assert (events["ex_date"] <= pd.Timestamp(day) + pd.Timedelta(days=30)).all()
            assert (events["status"] == "official").all()

    def test_an_earlier_day_knows_no_action_that_a_later_one_does_not(self, feed, as_of, earlier):
        key = ["ex_date", "kind", "factor"]
        before, now = (feed.corporate_actions(day)[key].fillna(0) for day in (earlier, as_of))
        assert before.value_counts().sub(now.value_counts(), fill_value=0).le(0).all()

    def test_the_coverage_of_official_events_is_a_day_or_none(self, feed):
        assert feed.official_coverage() is None or isinstance(feed.official_coverage(), date)

    def test_renames_are_known_by_the_day_asked_for(self, feed, as_of):
        changes = feed.symbol_changes(as_of)
        assert tuple(changes.columns) == CHANGE_COLUMNS
        assert (pd.to_datetime(changes["date"]) <= pd.Timestamp(as_of)).all()

    def test_facts_are_positive_or_unknown(self, feed, as_of):
        facts = feed.daily_facts(as_of)
        assert tuple(facts.columns) == FACT_COLUMNS
        assert facts["symbol"].is_unique
        for column in FACT_COLUMNS[1:4]:
            assert facts[column].dropna().gt(0).all()

    def test_trading_limits_are_typed_and_say_something(self, feed, as_of):
        limits = feed.trading_limits(as_of)
        assert limits.dtypes.astype(str).to_dict() == LIMIT_DTYPES
        assert limits["symbol"].is_unique
        assert limits["date"].eq(pd.Timestamp(as_of)).all()
        assert limits.drop(columns=["symbol", "date", "source"]).notna().any(axis=1).all()

    def test_sessions_are_market_days(self, feed, as_of):
        days = feed.market_days(as_of)
        assert tuple(days.columns) == DAY_COLUMNS
        assert days["date"].is_unique
        sessions = set(days.loc[days["is_session"].astype(bool), "date"])
        assert set(feed.sessions(None, as_of)) <= sessions

    def test_index_members_have_their_shape(self, feed):
        assert tuple(feed.index_members().columns) == MEMBER_COLUMNS

    def test_quotes_have_their_shape_or_are_not_offered(self, feed):
        with contextlib.suppress(NotOffered):
            assert tuple(feed.quotes(["X"], datetime(2026, 4, 30, 10, tzinfo=UTC)).frame.columns) == QUOTE_COLUMNS

    def test_statements_were_published_by_the_day_asked_for_or_are_not_offered(self, feed, as_of):
        with contextlib.suppress(NotOffered):
            statements = feed.statements(as_of)
            assert tuple(statements.columns) == STATEMENT_COLUMNS
            assert (statements["published_on"] <= as_of).all()
            assert (statements["published_on"] >= statements["period_end"]).all()

    def test_findings_say_what_to_do(self, feed):
        for finding in feed.findings():
            assert isinstance(finding, SourceFinding)
            assert finding.severity in ("info", "warning", "error")
            assert finding.message
            assert finding.remedy
