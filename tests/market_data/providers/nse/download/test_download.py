"""Downloads that succeed, or recover: what is requested, how, and what the folder holds afterwards."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from market_data.providers import ProviderError, SessionNotAvailable
from market_data.providers.nse.archive import NseArchive
from market_data.providers.nse.download import ArchiveDownload, DownloadReport, Hosts, Politeness
from market_data.providers.simulator import Simulator, simulated_sessions, write_archive
from tests.market_data.providers.nse.download.bad_answers import answers, broken_off, zipped
from tests.market_data.providers.nse.download.exchange_server import Exchange, serving

DAY = date(2024, 3, 11)
NOW = datetime(2024, 3, 11, 15, 30, tzinfo=UTC)
QUICK = Politeness(wait_seconds=0, attempts=3)
TONIGHT = "sec_bhavdata_full_11032024.csv"


def ignore_progress(_done: int, _total: int) -> None: ...


@pytest.fixture(scope="module")
def market() -> Simulator:
    return Simulator(symbols=90, sessions=30, seed=3)


@pytest.fixture(scope="module")
def written(market: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_archive(market, folder, market.sessions(None, DAY)[-4:])
    return folder


@pytest.fixture
def published(written: Path, tmp_path: Path) -> Path:
    """What the exchange has; a test may change it."""
    return shutil.copytree(written, tmp_path / "published")


@pytest.fixture
def exchange(published: Path) -> Iterator[Exchange]:
    with serving(published) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


def download(root: Path, exchange: Exchange, politeness: Politeness = QUICK) -> ArchiveDownload:
    return ArchiveDownload(root, Hosts(exchange.address, exchange.address), politeness, days=5)


def bring(
    root: Path, exchange: Exchange, now: datetime = NOW, *, first: date = date(2024, 3, 6), **options: bool
) -> DownloadReport:
    return download(root, exchange).download_missing(first, DAY, simulated_sessions, now, ignore_progress, **options)


def test_an_empty_folder_is_filled_with_what_the_exchange_has(
    root: Path, exchange: Exchange, published: Path, market: Simulator
) -> None:
    outcome = bring(root, exchange)
    assert (outcome.problems, outcome.absent, outcome.unrequested) == ([], [], 0)
    for path in sorted((published / "bhavcopy").glob("*.csv")):
        if "05032024" not in path.name:
            assert (root / "bhavcopy" / path.name).read_bytes() == path.read_bytes()
    for name in ("EQUITY_L.csv", "symbolchange.csv", "ind_nifty500list.csv", "nse-holidays-2024-api.json"):
        assert (root / "lists" / name).read_bytes() == (published / "lists" / name).read_bytes()
    feed = NseArchive(root)
    meant = market.facts_on(DAY)
    pd.testing.assert_frame_equal(feed.daily_facts(DAY).drop(columns="source"), meant.drop(columns="source"), atol=1e-4)
    assert len(feed.bars(DAY).frame) == len(market.bars(DAY).frame)
    assert not list(root.rglob(".download"))


def test_it_asks_politely(root: Path, exchange: Exchange) -> None:
    politeness = replace(QUICK, wait_seconds=0.03)
    download(root, exchange, politeness).download_missing(DAY, DAY, simulated_sessions, NOW, ignore_progress)
    assert exchange.requests[0].path == "/", "cookies come first"
    assert max(request.at_once for request in exchange.requests) == 1
    gaps = [second.at - first.at for first, second in zip(exchange.requests, exchange.requests[1:], strict=False)]
    assert min(gaps) >= 0.03
    assert (
        len(exchange.requests_for("/")) - len(exchange.requests_for("nifty50list"))
        == len({request.path for request in exchange.requests}) - 1
    )


def test_only_sessions_are_requested_and_nothing_twice(root: Path, exchange: Exchange) -> None:
    bring(root, exchange, first=date(2024, 3, 6))
    days = {request.path[-12:-4] for request in exchange.requests_for("sec_bhavdata_full")}
    assert days == {"06032024", "07032024", "08032024", "11032024"}
    count = len(exchange.requests)
    assert bring(root, exchange, NOW + timedelta(minutes=5)) == DownloadReport()
    assert len(exchange.requests) == count


def test_another_layout_serves_until_the_file_with_deliveries_is_published(
    root: Path, exchange: Exchange, published: Path, market: Simulator
) -> None:
    kept = (published / "bhavcopy" / TONIGHT).rename(published / "kept")
    write_archive(market, published, [DAY], layout="cm", lists=False)
    assert "cm11MAR2024bhav.csv.zip" in bring(root, exchange).new
    assert NseArchive(root).bars(DAY).source == "nse_archive:cm"
    kept.rename(published / "bhavcopy" / TONIGHT)
    assert bring(root, exchange, NOW + timedelta(hours=7)).new == [TONIGHT]
    assert NseArchive(root).bars(DAY).source == "nse_archive:full"


def test_expired_cookies_are_renewed_once(root: Path, exchange: Exchange) -> None:
    bring(root, exchange, first=date(2024, 3, 8))
    exchange.token += 1

    def expired(handler, content):
        exchange.token += 1
        handler.send(401)

    exchange.faults["07032024"] = [expired]
    exchange.requests.clear()
    assert bring(root, exchange, NOW + timedelta(minutes=1)).problems == []
    assert [request.path.rpartition("/")[2] for request in exchange.requests[:4]] == [
        "",
        "sec_bhavdata_full_07032024.csv",
        "",
        "sec_bhavdata_full_07032024.csv",
    ]


def test_retry_after_is_obeyed(root: Path, exchange: Exchange) -> None:
    exchange.faults[TONIGHT] = [answers(429, Retry_After="1"), answers(500), answers(503)]
    politeness = replace(QUICK, attempts=4)
    outcome = download(root, exchange, politeness).download_missing(DAY, DAY, simulated_sessions, NOW, ignore_progress)
    assert TONIGHT in outcome.new
    first, second, *_ = exchange.requests_for(TONIGHT)
    assert second.at - first.at >= 1.0


def test_a_long_retry_after_is_remembered(root: Path, exchange: Exchange) -> None:
    exchange.faults[TONIGHT] = answers(429, Retry_After="1800")
    assert bring(root, exchange).unrequested == 3
    count = len(exchange.requests)
    assert "asked for no request" in bring(root, exchange, NOW + timedelta(minutes=25)).problems[0]
    assert len(exchange.requests) == count
    exchange.faults.clear()
    assert bring(root, exchange, NOW + timedelta(minutes=31)).problems == []


def test_an_answer_that_breaks_off_is_requested_again_from_its_start(
    root: Path, exchange: Exchange, published: Path
) -> None:
    exchange.faults[TONIGHT] = [broken_off]
    assert bring(root, exchange, first=DAY).problems == []
    assert "Range" not in exchange.requests_for(TONIGHT)[1].headers
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == (published / "bhavcopy" / TONIGHT).read_bytes()


def test_packed_transfer_is_unpacked(root: Path, exchange: Exchange, published: Path) -> None:
    exchange.zips = True
    assert bring(root, exchange, first=DAY).problems == []
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == (published / "bhavcopy" / TONIGHT).read_bytes()


def test_an_absent_session_is_reported_remembered_and_requested_later(
    root: Path, exchange: Exchange, published: Path
) -> None:
    missing = published / "bhavcopy" / "sec_bhavdata_full_07032024.csv"
    content = missing.read_bytes()
    missing.unlink()
    archive = download(root, exchange)

    def ask(hours: float) -> list[date]:
        moment = NOW + timedelta(hours=hours)
        return archive.download_missing(date(2024, 3, 6), DAY, simulated_sessions, moment, ignore_progress).absent

    assert ask(0) == [date(2024, 3, 7)]
    finding = {str(finding.check): finding for finding in archive.findings()}["source_sessions"]
    assert "2024-03-07" in finding.message
    assert "No session?" in finding.message
    assert "import_market_days" in finding.remedy
    count = len(exchange.requests_for("07032024.csv"))
    assert ask(1) == [date(2024, 3, 7)], "reported each evening"
    assert len(exchange.requests_for("07032024.csv")) == count, "and not requested again so soon"
    missing.write_bytes(content)
    assert ask(21) == []
    assert (root / "bhavcopy" / missing.name).is_file()


def test_tonight_is_requested_each_time(root: Path, exchange: Exchange, published: Path) -> None:
    kept = (published / "bhavcopy" / TONIGHT).rename(published / "kept")
    feed = NseArchive(root, download=download(root, exchange))
    for minutes in (0, 5, 10):
        with pytest.raises(SessionNotAvailable, match="does not have it"):
            feed.fetch(DAY, simulated_sessions, NOW + timedelta(minutes=minutes), ignore_progress)
    assert len(exchange.requests_for(TONIGHT)) == 3
    kept.rename(published / "bhavcopy" / TONIGHT)
    feed.fetch(DAY, simulated_sessions, NOW + timedelta(minutes=40), ignore_progress)
    assert feed.sessions(DAY, DAY) == [DAY]


def test_a_revised_file_replaces_ours_only(root: Path, exchange: Exchange, published: Path, market: Simulator) -> None:
    foreign = root / "bhavcopy" / "sec_bhavdata_full_08032024.csv"
    write_archive(market, root, [date(2024, 3, 8)], lists=False)
    bring(root, exchange)
    before = NseArchive(root).fingerprint(DAY).sha256
    for path in (published / "bhavcopy").glob("*.csv"):
        path.write_text(path.read_text().replace("99.60", "99.70"))
    kept = foreign.read_bytes()
    exchange.requests.clear()
    outcome = bring(root, exchange, NOW + timedelta(hours=7))
    assert len(outcome.revised) == 3
    assert TONIGHT in outcome.revised
    assert NseArchive(root).fingerprint(DAY).sha256 != before
    assert foreign.read_bytes() == kept
    assert not exchange.requests_for("08032024.csv")
    exchange.requests.clear()
    assert bring(root, exchange, NOW + timedelta(hours=14)).revised == []
    assert all("If-None-Match" in request.headers for request in exchange.requests_for("sec_bhavdata_full")), (
        "requested conditionally"
    )


def test_a_bad_revision_is_refused(root: Path, exchange: Exchange) -> None:
    bring(root, exchange)
    before = (root / "bhavcopy" / TONIGHT).read_bytes()
    exchange.faults["11032024"] = answers(200)
    outcome = bring(root, exchange, NOW + timedelta(hours=7))
    assert "web page" in outcome.problems[0]
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == before


def test_yesterdays_file_under_todays_name_is_refused(root: Path, exchange: Exchange, published: Path) -> None:
    shutil.copy(published / "bhavcopy" / "sec_bhavdata_full_08032024.csv", published / "bhavcopy" / TONIGHT)
    outcome = bring(root, exchange)
    assert "holds 2024-03-08 although its name says 2024-03-11" in outcome.problems[0]
    assert not (root / "bhavcopy" / TONIGHT).exists()


def test_yesterdays_reports_under_todays_name_are_refused(root: Path, exchange: Exchange, published: Path) -> None:
    pack = published / "reports" / "2024-03-11"
    older = shutil.copytree(pack, published / "reports" / "2024-03-08")
    (older / "PE_110324.csv").rename(older / "PE_080324.csv")
    for path in older.glob("mcap*"):
        path.write_text(path.read_text().replace("11 MAR 2024", "08 MAR 2024"))
    for path in pack.glob("mcap*"):
        path.write_text(path.read_text().replace("11 MAR 2024", "08 MAR 2024"))
    before = download(root, exchange)
    before.download_missing(date(2024, 3, 8), date(2024, 3, 8), simulated_sessions, NOW, ignore_progress)
    problems = " ".join(bring(root, exchange, NOW + timedelta(hours=1)).problems)
    assert "market caps of 08 MAR 2024 instead of 2024-03-11" in problems
    assert "PE_110324.csv is the file of an earlier session" in problems
    assert not (root / "reports" / "2024-03-11").exists()


def test_a_pack_cannot_write_outside_its_folder(root: Path, exchange: Exchange, published: Path) -> None:
    mcap = next((published / "reports" / "2024-03-11").glob("mcap*")).read_bytes()
    evil = zipped({"../../mcap11032024.csv": mcap, "/etc/pd_evil.csv": b"x", "..\\..\\bc.csv": b"y", "other.csv": b"z"})
    exchange.faults["PR110324"] = lambda handler, _: handler.send(200, evil)
    bring(root, exchange)
    assert {path.name for path in (root / "reports" / "2024-03-11").iterdir()} == {
        "mcap11032024.csv",
        "pd_evil.csv",
        "bc.csv",
        "PE_110324.csv",
    }
    assert not list(root.parent.glob("mcap*"))


def test_a_bad_list_is_refused_and_reported(root: Path, exchange: Exchange) -> None:
    bring(root, exchange)
    before = (root / "lists" / "EQUITY_L.csv").read_bytes()
    exchange.faults["EQUITY_L"] = lambda handler, content: handler.send(200, content[: len(content) // 3])
    exchange.faults["ind_nifty500"] = answers(200)
    exchange.faults["holiday"] = answers(200, b'{"error": "busy"}')
    archive = download(root, exchange)
    archive.download_missing(DAY, DAY, simulated_sessions, NOW + timedelta(hours=21), ignore_progress)
    assert len(archive.report.problems) == 3
    assert (root / "lists" / "EQUITY_L.csv").read_bytes() == before
    assert {finding.check for finding in archive.findings()} == {"source_download"}


def test_corporate_actions_are_merged_into_the_stored_list(root: Path, exchange: Exchange, published: Path) -> None:
    (root / "lists").mkdir()
    listed = root / "lists" / "CF-CA-equities.csv"
    head = (published / "lists" / "CF-CA-equities.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    old = '"OLDONE","Old Limited","EQ","Bonus 1:1","10","{}","-","-","-"'
    listed.write_text("\n".join([head, old.format("05-Jan-2022"), old.format("01-Mar-2024")]), encoding="utf-8-sig")
    assert bring(root, exchange).problems == []
    actions = NseArchive(root).corporate_actions(DAY)
    assert set(actions.loc[actions["symbol"] == "OLDONE", "ex_date"]) == {pd.Timestamp("2022-01-05")}, (
        "entries of the requested days that the exchange no longer lists are removed, older ones stay"
    )
    sent = exchange.requests_for("corporateActions")
    assert "from_date=16-01-2024" in sent[0].path
    assert "to_date=11-03-2024" in sent[0].path


def test_an_unreachable_exchange_ends_the_download(root: Path, exchange: Exchange) -> None:
    exchange.faults["."] = answers(500)
    outcome = bring(root, exchange)
    assert len(outcome.problems) == 3
    assert outcome.unrequested == 1
    nobody = ArchiveDownload(root, Hosts("http://127.0.0.1:9", ""), QUICK, days=5)
    with pytest.raises(SessionNotAvailable, match=r"127\.0\.0\.1:9 does not answer"):
        nobody.fetch(DAY, simulated_sessions, NOW, ignore_progress)


def test_the_time_for_all_downloads_is_limited(root: Path, exchange: Exchange) -> None:
    late = download(root, exchange, replace(QUICK, deadline_seconds=0))
    outcome = late.download_missing(date(2024, 3, 6), DAY, simulated_sessions, NOW, ignore_progress)
    assert "NSE_DOWNLOAD_DEADLINE_SECONDS" in outcome.problems[0]
    assert outcome.unrequested == 3
    assert exchange.requests == []


def test_concurrent_downloads_request_each_file_once(root: Path, exchange: Exchange) -> None:
    outcomes: list[DownloadReport] = []
    threads = [threading.Thread(target=lambda: outcomes.append(bring(root, exchange))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(outcome.problems) for outcome in outcomes] == [0, 0, 0]
    assert max(request.at_once for request in exchange.requests) == 1
    assert len(exchange.requests_for("sec_bhavdata_full")) == 4


def test_what_a_killed_download_left_is_removed_and_never_read(root: Path, exchange: Exchange) -> None:
    for folder in ("", "bhavcopy", "lists", "reports"):
        work = root / folder / ".download"
        work.mkdir(parents=True)
        (work / TONIGHT).write_text("half a fi")
    assert NseArchive(root, download=download(root, exchange)).sessions(None, DAY) == []
    bring(root, exchange)
    assert not list(root.rglob(".download"))


def test_a_damaged_log_is_ignored(root: Path, exchange: Exchange) -> None:
    (root / ".download.json").write_text('{"fetched": [')
    assert bring(root, exchange).problems == []


def test_an_unwritable_folder_is_an_error(root: Path, exchange: Exchange) -> None:
    (root / "bhavcopy").write_text("a file where the folder should be")
    with pytest.raises(ProviderError, match="NSE_ARCHIVE_DIR"):
        bring(root, exchange)
