"""The exchange's archive: conformance on files that the simulator wrote, in all layouts, and on the real sample."""

import csv
import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from market_data.prices.bars import checked_bars
from market_data.providers import ProviderError, SessionMisdated, SessionNotAvailable, SourceUnreadable
from market_data.providers.nse.archive import NseArchive
from market_data.providers.simulator import Incident, Simulator, write_archive
from tests.contracts.provider_conformance import ProviderConformance

DAY = date(2024, 3, 11)


@pytest.fixture(scope="module")
def market() -> Simulator:
    moved = Incident("surveillance", date(2024, 3, 5), 9, length=4)
    return Simulator(symbols=90, sessions=30, seed=3, series="all", incidents=(moved,))


@pytest.fixture(scope="module", params=["full", "cm", "udiff"])
def archive(request: pytest.FixtureRequest, market: Simulator, tmp_path_factory: pytest.TempPathFactory) -> NseArchive:
    root = tmp_path_factory.mktemp(request.param)
    write_archive(market, root, market.sessions(None, DAY), layout=request.param)
    return NseArchive(root)


@pytest.fixture
def own_archive(market: Simulator, tmp_path: Path) -> Path:
    """A small archive that a test may spoil."""
    write_archive(market, tmp_path, market.sessions(None, DAY)[-3:])
    return tmp_path


class TestConformance(ProviderConformance):
    @pytest.fixture
    def feed(self, archive):
        return archive

    @pytest.fixture
    def as_of(self):
        return DAY

    def test_what_was_written_is_read(self, feed, market):
        for session in feed.sessions(None, DAY):
            read, meant = feed.bars(session), market.bars(session).frame
            # Each layout leaves something out; what it has must be equal.
            absent = [column for column in meant if read.frame[column].isna().all()]
            assert set(absent) <= {"isin", "vwap", "delivered_quantity"}
            pd.testing.assert_frame_equal(
                read.frame.drop(columns=absent), meant.drop(columns=absent), check_exact=False, rtol=1e-12
            )
            assert read.rejects.empty
            assert read.out_of_scope == {"GS": 1}

    def test_kinds_names_and_events_are_those_of_the_market(self, feed, market):
        listed, meant = (source.listed_symbols(DAY).set_index("symbol") for source in (feed, market))
        traded = market.bars(DAY).frame["symbol"]
        assert listed.loc[traded, "kind"].equals(meant.loc[traded, "kind"])
        shares = meant.index[meant["kind"] == "share"]
        assert listed.loc[shares, "stock_name"].equals(meant.loc[shares, "stock_name"])
        assert listed.loc[shares, "isin"].equals(meant.loc[shares, "isin"])
        key = ["symbol", "ex_date", "kind", "factor"]
        due = market.corporate_actions(DAY).query("ex_date <= @DAY")[key].reset_index(drop=True)
        pd.testing.assert_frame_equal(feed.corporate_actions(DAY)[key], due)

    def test_facts_are_those_of_the_market(self, feed, market):
        read, meant = feed.daily_facts(DAY), market.facts_on(DAY)
        pd.testing.assert_frame_equal(read.drop(columns="source"), meant.drop(columns="source"), atol=1e-4)


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path):
    with pytest.raises(ProviderError, match="NSE_ARCHIVE_DIR"):
        NseArchive(tmp_path / "nowhere")
    with pytest.raises(ProviderError, match="no daily file"):
        NseArchive(tmp_path)
    with pytest.raises(ProviderError, match="eq or all"):
        NseArchive(tmp_path, series="some")


def test_files_may_lie_in_the_top_folder(own_archive):
    for path in (own_archive / "bhavcopy").iterdir():
        path.rename(own_archive / path.name)
    assert len(NseArchive(own_archive).sessions(None, DAY)) == 3


def test_a_file_that_arrives_later_is_seen(own_archive, market):
    late = own_archive / "bhavcopy" / "sec_bhavdata_full_11032024.csv"
    kept = late.rename(own_archive / "kept")
    feed = NseArchive(own_archive)
    with pytest.raises(SessionNotAvailable, match="11032024"):
        feed.bars(DAY)
    kept.rename(late)
    assert len(feed.bars(DAY).frame) == len(market.bars(DAY).frame)


def test_a_revised_file_has_another_fingerprint(own_archive):
    feed = NseArchive(own_archive)
    before = feed.fingerprint(DAY)
    path = own_archive / before.name
    path.write_text(path.read_text().replace("99.60", "99.70"))
    after = feed.fingerprint(DAY)
    assert after.sha256 != before.sha256 or after.size == before.size
    assert (after.size, after.mtime_ns) != (before.size, before.mtime_ns)


def test_all_series_take_precedence_only_when_asked_for(own_archive, market):
    shutil.move(own_archive / "bhavcopy", own_archive / "bhavcopy_all_series")
    in_eq = Simulator(symbols=90, sessions=30, seed=3, incidents=market._added)
    write_archive(in_eq, own_archive, market.sessions(None, DAY)[-3:-1], lists=False)
    day = market.sessions(None, DAY)[-3]
    equities, everything = NseArchive(own_archive), NseArchive(own_archive, series="all")
    assert set(equities.bars(day).frame["series"]) == {"EQ"}
    assert set(everything.bars(day).frame["series"]) == {"EQ", "BE"}
    assert len(equities.sessions(None, DAY)) == 2
    assert len(everything.sessions(None, DAY)) == 3


def test_the_layout_that_tells_most_wins_a_date(own_archive, market):
    write_archive(market, own_archive, [DAY], layout="udiff", lists=False)
    assert NseArchive(own_archive).bars(DAY).source == "nse_archive:full"


def test_missing_lists_are_findings_and_no_errors(own_archive):
    shutil.rmtree(own_archive / "lists")
    shutil.rmtree(own_archive / "reports")
    feed = NseArchive(own_archive)
    messages = " ".join(finding.message for finding in feed.findings())
    for name in ("EQUITY_L.csv", "CF-CA-equities.csv", "ind_nifty500list.csv", "report pack"):
        assert name in messages
    assert feed.corporate_actions(DAY).empty
    assert feed.official_coverage() is None
    assert feed.index_members().empty
    assert feed.daily_facts(DAY).empty
    assert feed.symbol_changes(DAY).empty
    listed = feed.listed_symbols(DAY)
    assert set(listed.loc[listed["symbol"].str.endswith("ETF"), "kind"]) == {"fund"}
    # Three sessions are too few for the step of prices to prove a share, so nothing is guessed.
    assert set(listed.loc[~listed["symbol"].str.endswith("ETF"), "kind"]) <= {"unknown", "share"}
    proven = listed.loc[listed["kind"] == "share", "source"]
    assert proven.str.contains("series of shares").all()


def test_an_unreadable_day_is_told_where_it_is_read_and_spoils_no_other(own_archive):
    (own_archive / "bhavcopy" / "sec_bhavdata_full_11032024.csv").write_text("<html>busy</html>")
    feed = NseArchive(own_archive)
    with pytest.raises(SourceUnreadable, match="web page"):
        feed.bars(DAY)
    assert len(feed.listed_symbols(DAY)) > 60


def test_official_events_that_end_before_the_bars_are_a_finding(own_archive):
    covered = NseArchive(own_archive).official_coverage()
    assert covered is not None
    path = own_archive / "lists" / "CF-CA-equities.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([lines[0], lines[1]]), encoding="utf-8-sig")
    messages = [
        finding.message for finding in NseArchive(own_archive).findings() if finding.check == "official_coverage"
    ]
    assert "inferred from prices" in messages[0]


def test_actions_of_a_report_are_known_from_its_day_on(own_archive):
    pack = own_archive / "reports" / "2024-03-07"
    pack.mkdir()
    (pack / "bc07032024.csv").write_text(
        "SERIES,SYMBOL,SECURITY,RECORD_DT,BC_STRT_DT,BC_END_DT,EX_DT,ND_STRT_DT,ND_END_DT,PURPOSE\n"
        "EQ,AHEAD,Ahead Limited,2024-03-20,,,2024-03-20,,,BONUS 1:1\n"
        "N0,BOND,Bond,2024-03-20,,,2024-03-20,,,INTEREST PAYMENT\n"
    )
    feed = NseArchive(own_archive)
    assert "AHEAD" not in set(feed.corporate_actions(date(2024, 3, 6))["symbol"])
    event = feed.corporate_actions(date(2024, 3, 7)).set_index("symbol").loc["AHEAD"]
    assert (event["factor"], event["known_on"]) == (0.5, pd.Timestamp("2024-03-07"))
    covered = feed.official_coverage()
    assert covered is not None
    assert covered < date(2024, 3, 20), "one report proves no completeness"


SUNDAY = date(2024, 3, 10)


@pytest.mark.parametrize("layout", ["full", "cm", "udiff"])
def test_a_file_of_another_day_proves_no_session_under_any_name(market, tmp_path, layout):
    *_, friday, monday = market.sessions(None, DAY)
    served = write_archive(market, tmp_path, [friday, monday], layout=layout, lists=False)[0]
    named = {day: served.with_name(_named(served.name, friday, day)) for day in (SUNDAY, monday)}
    shutil.copy(served, named[SUNDAY])
    feed = NseArchive(tmp_path)
    assert feed.sessions(None, DAY) == [friday, monday]
    assert SUNDAY not in set(feed.market_days(DAY)["date"])
    with pytest.raises(SessionMisdated, match=f"holds {friday} although its name says {SUNDAY}"):
        feed.bars(SUNDAY)
    [report] = [finding for finding in feed.findings() if finding.check == "source_misdated"]
    assert f"{named[SUNDAY].name} holds {friday}" in report.message
    # The same file under a session's name is no session either, until the session's own file lies there.
    own = named[monday].read_bytes()
    shutil.copy(served, named[monday])
    assert feed.sessions(None, DAY) == [friday]
    named[monday].write_bytes(own)
    assert feed.sessions(None, DAY) == [friday, monday]
    named[SUNDAY].unlink()
    assert not [finding for finding in feed.findings() if finding.check == "source_misdated"]


def _named(name: str, day: date, other: date) -> str:
    for written in ("%d%m%Y", "%Y%m%d", "%d%b%Y"):
        name = name.replace(f"{day:{written}}".upper(), f"{other:{written}}".upper())
    return name


def test_of_several_files_of_a_date_the_one_of_that_day_is_read(own_archive, market):
    before = market.sessions(None, DAY)[-2]
    full = own_archive / "bhavcopy" / f"sec_bhavdata_full_{DAY:%d%m%Y}.csv"
    write_archive(market, own_archive, [DAY], layout="udiff", lists=False)
    shutil.copy(own_archive / "bhavcopy" / f"sec_bhavdata_full_{before:%d%m%Y}.csv", full)
    feed = NseArchive(own_archive)
    assert feed.bars(DAY).source == "nse_archive:udiff"
    assert feed.fingerprint(DAY).name.endswith(".zip")


def test_reports_of_another_day_are_left_aside(own_archive):
    reports = own_archive / "reports"
    (reports / str(DAY)).rename(reports / "2024-03-07")
    feed = NseArchive(own_archive)
    assert feed.daily_facts(date(2024, 3, 7)).empty
    [report] = [finding for finding in feed.findings() if finding.check == "source_misdated"]
    assert report.message == f"reports/2024-03-07 was left aside: its market caps are of {DAY}."


def test_an_announced_session_is_one_with_and_without_its_file(own_archive):
    listed = [
        {"tradingDate": "29-Mar-2024", "description": "Good Friday"},
        {"tradingDate": "10-Mar-2024", "description": "Diwali Laxmi Pujan*"},
        {"tradingDate": "14-Apr-2024", "description": "Dr. Baba Saheb Ambedkar Jayanti"},
        {"tradingDate": "16-Mar-2024", "description": "Live Trading Session on the Disaster Recovery site"},
        {"tradingDate": "23-Mar-2024", "description": "Union Budget"},
        {"tradingDate": "31-Oct-2024", "description": "Muhurat Trading"},
    ]
    (own_archive / "lists" / "nse-holidays-2024-api.json").write_text(json.dumps({"CM": listed}))
    days = NseArchive(own_archive).market_days(DAY).set_index("date")
    kinds = {day: (days.at[day, "kind"], days.at[day, "is_session"]) for day in days.index if day.weekday() > 4}
    assert kinds == {
        SUNDAY: ("muhurat", True),
        date(2024, 3, 16): ("drill", True),
        date(2024, 3, 23): ("special", True),
        date(2024, 4, 14): ("holiday", False),
    }
    assert (days.at[date(2024, 3, 29), "kind"], days.at[date(2024, 10, 31), "kind"]) == ("holiday", "muhurat")
    special: list[Any] = [SUNDAY, date(2024, 10, 31)]
    assert days.loc[special, ["open", "close"]].isna().to_numpy().all()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("<html>busy</html>", "is not an answer of the holiday service"),
        ('{"FO": [{"tradingDate": "26-Jan-2024", "description": "Republic Day"}]}', "no list of the cash market"),
        ('{"CM": "busy"}', "is not an answer of the holiday service"),
    ],
)
def test_what_is_no_list_of_holidays_is_refused_by_name(own_archive, answer, sentence):
    (own_archive / "lists" / "nse-holidays-2024-api.json").write_text(answer)
    with pytest.raises(SourceUnreadable, match=f"nse-holidays-2024-api.json .*{sentence}"):
        NseArchive(own_archive).market_days(DAY)


def test_an_empty_list_of_holidays_closes_nothing(own_archive):
    (own_archive / "lists" / "nse-holidays-2024-api.json").write_text('{"CM": []}')
    assert NseArchive(own_archive).market_days(DAY)["is_session"].all()


@pytest.fixture(scope="module")
def sample(sample_dir: Path) -> NseArchive:
    """The real archive."""
    return NseArchive(sample_dir / "nse")


class TestRealSample(ProviderConformance):
    """The real files; every figure asserted here was counted with other tools."""

    pytestmark = pytest.mark.real
    ROWS, SESSIONS = 1_522_969, 762

    @pytest.fixture
    def feed(self, sample):
        return sample

    @pytest.fixture
    def as_of(self):
        return date(2026, 4, 30)

    def test_every_row_of_every_file_is_a_bar(self, feed, as_of):
        sessions = feed.sessions(None, as_of)
        assert len(sessions) == self.SESSIONS
        rows = 0
        for session in sessions:
            raw = feed.bars(session)
            bars, rejects = checked_bars(raw.frame, session=session)
            assert raw.rejects.empty
            assert rejects.empty
            assert not raw.out_of_scope
            rows += len(bars)
        assert rows == self.ROWS

    def test_every_row_of_all_series_is_accounted_for(self, sample):
        feed = NseArchive(sample.root, series="all")
        own = sorted((feed.root / "bhavcopy_all_series").glob("*.csv"))
        taken, outside = 0, Counter[str]()
        for path in own:
            raw = feed.bars(date(*(int(path.stem[-8:][part]) for part in (slice(4, 8), slice(2, 4), slice(0, 2)))))
            assert raw.rejects.empty
            taken += len(raw.frame)
            outside.update(raw.out_of_scope)
        assert (taken, sum(outside.values())) == (215_711, 9_216)
        assert outside["GS"] == 3_442
        assert outside["GB"] == 4_187

    def test_funds_are_told_apart(self, feed, as_of):
        listed = feed.listed_symbols(as_of).set_index("symbol")
        for fund in ("NIFTYBEES", "GOLDBEES", "LIQUIDBEES", "SILVERBETA", "ICICINIFTY", "MON100"):
            assert listed.at[fund, "kind"] == "fund", fund
        for share in (
            "RELIANCE",
            "GOLDIAM",
            "JETFREIGHT",
            "HDFCBANK",
            "HDFCAMC",
            "TATATECH",
            "HDFC",
            "ZOMATO",
            "ETERNAL",
        ):
            assert listed.at[share, "kind"] == "share", share
        counts = listed["kind"].value_counts()
        assert counts["fund"] == 411
        assert counts["unknown"] <= 100

    def test_the_issued_capital_of_a_report_gives_its_market_cap(self, feed):
        """Against the file itself, read the plain way."""
        facts = feed.daily_facts(date(2025, 12, 17)).set_index("symbol")
        with (feed.root / "reports" / "2025-12-17" / "mcap17122025.csv").open(newline="") as stream:
            published = {(row[1].strip(), row[2].strip()): row for row in csv.reader(stream)}
        for (symbol, series), row in published.items():
            if series == "EQ" and float(row[7]) > 0:
                assert facts.at[symbol, "issue_size"] == float(row[7])
                assert facts.at[symbol, "market_cap_crores"] == pytest.approx(float(row[9]) / 1e7)
        assert facts["market_cap_crores"].notna().sum() > 2_700
        assert facts["pe_ratio"].notna().sum() > 2_000

    def test_official_events_end_where_the_list_does(self, feed, as_of):
        assert feed.official_coverage() == date(2025, 7, 18)
        events = feed.corporate_actions(as_of)
        assert len(events.query("kind == 'split' and ex_date >= '2023-04-03'")) > 80
