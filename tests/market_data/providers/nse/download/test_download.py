"""Downloads that go well, or go on after trouble: what is asked for, how, and what lies in the folder afterwards."""

import hashlib
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
from market_data.providers.nse.download import ArchiveDownload, Hosts, Outcome, Politeness
from market_data.providers.simulator import Simulator, simulated_sessions, write_archive
from tests.market_data.providers.nse.download.bad_answers import broken_off, says, zipped
from tests.market_data.providers.nse.download.exchange_server import Exchange, serving

DAY = date(2024, 3, 11)
NOW = datetime(2024, 3, 11, 15, 30, tzinfo=UTC)
QUICK = Politeness(wait_seconds=0, attempts=3)
TONIGHT = "sec_bhavdata_full_11032024.csv"


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
) -> Outcome:
    return download(root, exchange).bring(first, DAY, simulated_sessions, now, lambda done, total: None, **options)


def test_an_empty_folder_is_filled_with_what_the_exchange_has(
    root: Path, exchange: Exchange, published: Path, market: Simulator
) -> None:
    outcome = bring(root, exchange)
    assert (outcome.troubles, outcome.absent, outcome.left) == ([], [], 0)
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
    download(root, exchange, politeness).bring(DAY, DAY, simulated_sessions, NOW, lambda done, total: None)
    assert exchange.seen[0].path == "/", "cookies come first"
    assert max(one.at_once for one in exchange.seen) == 1
    gaps = [later.at - earlier.at for earlier, later in zip(exchange.seen, exchange.seen[1:], strict=False)]
    assert min(gaps) >= 0.03
    assert len(exchange.asked("/")) - len(exchange.asked("nifty50list")) == len({one.path for one in exchange.seen}) - 1


def test_only_sessions_are_asked_for_and_nothing_twice(root: Path, exchange: Exchange) -> None:
    bring(root, exchange, first=date(2024, 3, 6))
    days = {one.path[-12:-4] for one in exchange.asked("sec_bhavdata_full")}
    assert days == {"06032024", "07032024", "08032024", "11032024"}
    asked = len(exchange.seen)
    assert bring(root, exchange, NOW + timedelta(minutes=5)) == Outcome()
    assert len(exchange.seen) == asked


def test_without_the_file_that_tells_deliveries_the_other_layout_is_taken_until_it_comes(
    root: Path, exchange: Exchange, published: Path, market: Simulator
) -> None:
    kept = (published / "bhavcopy" / TONIGHT).rename(published / "kept")
    write_archive(market, published, [DAY], layout="cm", lists=False)
    assert "cm11MAR2024bhav.csv.zip" in bring(root, exchange).fetched
    assert NseArchive(root).bars(DAY).source == "nse_archive:cm"
    kept.rename(published / "bhavcopy" / TONIGHT)
    assert bring(root, exchange, NOW + timedelta(hours=7)).fetched == [TONIGHT]
    assert NseArchive(root).bars(DAY).source == "nse_archive:full"


def test_cookies_that_ran_out_are_renewed_once(root: Path, exchange: Exchange) -> None:
    bring(root, exchange, first=date(2024, 3, 8))
    exchange.token += 1

    def expired(handler, content):
        exchange.token += 1
        handler.send(401)

    exchange.faults["07032024"] = [expired]
    exchange.seen.clear()
    assert bring(root, exchange, NOW + timedelta(minutes=1)).troubles == []
    assert [one.path.rpartition("/")[2] for one in exchange.seen[:4]] == [
        "",
        "sec_bhavdata_full_07032024.csv",
        "",
        "sec_bhavdata_full_07032024.csv",
    ]


def test_it_waits_as_long_as_it_is_told_to(root: Path, exchange: Exchange) -> None:
    exchange.faults[TONIGHT] = [says(429, Retry_After="1"), says(500), says(503)]
    politeness = replace(QUICK, attempts=4)
    outcome = download(root, exchange, politeness).bring(DAY, DAY, simulated_sessions, NOW, lambda done, total: None)
    assert TONIGHT in outcome.fetched
    first, second, *_ = exchange.asked(TONIGHT)
    assert second.at - first.at >= 1.0


def test_who_is_asked_to_stay_away_for_long_does_so(root: Path, exchange: Exchange) -> None:
    exchange.faults[TONIGHT] = says(429, Retry_After="1800")
    assert bring(root, exchange).left == 3
    asked = len(exchange.seen)
    assert "asked not to be asked" in bring(root, exchange, NOW + timedelta(minutes=25)).troubles[0]
    assert len(exchange.seen) == asked
    exchange.faults.clear()
    assert bring(root, exchange, NOW + timedelta(minutes=31)).troubles == []


@pytest.mark.parametrize("offers_ranges", [True, False])
def test_an_answer_that_broke_off_is_gone_on_with_or_begun_anew(
    root: Path, exchange: Exchange, published: Path, offers_ranges: bool
) -> None:
    exchange.offers_ranges = offers_ranges
    tags: list[str] = []

    def half(handler, content):
        tags.append(f'"{hashlib.sha256(content).hexdigest()[:12]}"')
        handler.send(200, content[: len(content) // 2], {"Content-Length": len(content), "ETag": tags[0]})
        handler.hang_up()

    exchange.faults[TONIGHT] = [half]
    assert bring(root, exchange, first=DAY).troubles == []
    size = (published / "bhavcopy" / TONIGHT).stat().st_size
    again = exchange.asked(TONIGHT)[1].headers
    assert again["Range"] == f"bytes={size // 2}-"
    assert again["If-Range"] == tags[0]
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == (published / "bhavcopy" / TONIGHT).read_bytes()


def test_a_half_without_a_version_is_not_gone_on_with(root: Path, exchange: Exchange) -> None:
    def half(handler, content):
        handler.send(200, content[: len(content) // 2], {"Content-Length": len(content)})
        handler.hang_up()

    exchange.faults[TONIGHT] = [half]
    assert bring(root, exchange, first=DAY).troubles == []
    assert "Range" not in exchange.asked(TONIGHT)[1].headers


def test_packed_transfer_is_unpacked(root: Path, exchange: Exchange, published: Path) -> None:
    exchange.zips = True
    assert bring(root, exchange, first=DAY).troubles == []
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == (published / "bhavcopy" / TONIGHT).read_bytes()


def test_a_session_without_a_file_is_told_remembered_and_asked_for_again_later(
    root: Path, exchange: Exchange, published: Path
) -> None:
    missing = published / "bhavcopy" / "sec_bhavdata_full_07032024.csv"
    content = missing.read_bytes()
    missing.unlink()
    one = download(root, exchange)

    def ask(hours: float) -> list[date]:
        moment = NOW + timedelta(hours=hours)
        return one.bring(date(2024, 3, 6), DAY, simulated_sessions, moment, lambda done, total: None).absent

    assert ask(0) == [date(2024, 3, 7)]
    found = {finding.check: finding for finding in one.findings()}["source_sessions"]
    assert "2024-03-07" in found.message
    assert "No session?" in found.message
    assert "import_market_days" in found.remedy
    asked = len(exchange.asked("07032024.csv"))
    assert ask(1) == [date(2024, 3, 7)], "told each evening"
    assert len(exchange.asked("07032024.csv")) == asked, "and not asked for again so soon"
    missing.write_bytes(content)
    assert ask(21) == []
    assert (root / "bhavcopy" / missing.name).is_file()


def test_tonight_is_asked_for_whenever_somebody_asks(root: Path, exchange: Exchange, published: Path) -> None:
    kept = (published / "bhavcopy" / TONIGHT).rename(published / "kept")
    feed = NseArchive(root, download=download(root, exchange))
    for minutes in (0, 5, 10):
        with pytest.raises(SessionNotAvailable, match="does not have it"):
            feed.fetch(DAY, simulated_sessions, NOW + timedelta(minutes=minutes), lambda done, total: None)
    assert len(exchange.asked(TONIGHT)) == 3
    kept.rename(published / "bhavcopy" / TONIGHT)
    feed.fetch(DAY, simulated_sessions, NOW + timedelta(minutes=40), lambda done, total: None)
    assert feed.sessions(DAY, DAY) == [DAY]


def test_a_revised_file_replaces_ours_and_nobody_elses(
    root: Path, exchange: Exchange, published: Path, market: Simulator
) -> None:
    foreign = root / "bhavcopy" / "sec_bhavdata_full_08032024.csv"
    write_archive(market, root, [date(2024, 3, 8)], lists=False)
    bring(root, exchange)
    before = NseArchive(root).fingerprint(DAY).sha256
    for path in (published / "bhavcopy").glob("*.csv"):
        path.write_text(path.read_text().replace("99.60", "99.70"))
    kept = foreign.read_bytes()
    exchange.seen.clear()
    outcome = bring(root, exchange, NOW + timedelta(hours=7))
    assert len(outcome.revised) == 3
    assert TONIGHT in outcome.revised
    assert NseArchive(root).fingerprint(DAY).sha256 != before
    assert foreign.read_bytes() == kept
    assert not exchange.asked("08032024.csv")
    exchange.seen.clear()
    assert bring(root, exchange, NOW + timedelta(hours=14)).revised == []
    assert all("If-None-Match" in one.headers for one in exchange.asked("sec_bhavdata_full")), "asked conditionally"


def test_a_bad_revision_is_not_taken(root: Path, exchange: Exchange) -> None:
    bring(root, exchange)
    before = (root / "bhavcopy" / TONIGHT).read_bytes()
    exchange.faults["11032024"] = says(200)
    outcome = bring(root, exchange, NOW + timedelta(hours=7))
    assert "web page" in outcome.troubles[0]
    assert (root / "bhavcopy" / TONIGHT).read_bytes() == before


def test_yesterdays_file_under_todays_name_is_not_taken(root: Path, exchange: Exchange, published: Path) -> None:
    shutil.copy(published / "bhavcopy" / "sec_bhavdata_full_08032024.csv", published / "bhavcopy" / TONIGHT)
    outcome = bring(root, exchange)
    assert "holds 2024-03-08 although its name says 2024-03-11" in outcome.troubles[0]
    assert not (root / "bhavcopy" / TONIGHT).exists()


def test_yesterdays_reports_under_todays_name_are_not_taken(root: Path, exchange: Exchange, published: Path) -> None:
    pack = published / "reports" / "2024-03-11"
    older = shutil.copytree(pack, published / "reports" / "2024-03-08")
    (older / "PE_110324.csv").rename(older / "PE_080324.csv")
    for path in older.glob("mcap*"):
        path.write_text(path.read_text().replace("11 MAR 2024", "08 MAR 2024"))
    for path in pack.glob("mcap*"):
        path.write_text(path.read_text().replace("11 MAR 2024", "08 MAR 2024"))
    before = download(root, exchange)
    before.bring(date(2024, 3, 8), date(2024, 3, 8), simulated_sessions, NOW, lambda done, total: None)
    told = " ".join(bring(root, exchange, NOW + timedelta(hours=1)).troubles)
    assert "market caps of 08 MAR 2024 instead of 2024-03-11" in told
    assert "PE_110324.csv is the file of an earlier session" in told
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


def test_a_bad_list_stays_what_it_was_and_is_told(root: Path, exchange: Exchange) -> None:
    bring(root, exchange)
    before = (root / "lists" / "EQUITY_L.csv").read_bytes()
    exchange.faults["EQUITY_L"] = lambda handler, content: handler.send(200, content[: len(content) // 3])
    exchange.faults["ind_nifty500"] = says(200)
    exchange.faults["holiday"] = says(200, b'{"error": "busy"}')
    one = download(root, exchange)
    one.bring(DAY, DAY, simulated_sessions, NOW + timedelta(hours=21), lambda done, total: None)
    assert len(one.outcome.troubles) == 3
    assert (root / "lists" / "EQUITY_L.csv").read_bytes() == before
    assert {finding.check for finding in one.findings()} == {"source_download"}


def test_corporate_actions_are_added_to_what_is_at_hand(root: Path, exchange: Exchange, published: Path) -> None:
    (root / "lists").mkdir()
    listed = root / "lists" / "CF-CA-equities.csv"
    head = (published / "lists" / "CF-CA-equities.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    old = '"OLDONE","Old Limited","EQ","Bonus 1:1","10","{}","-","-","-"'
    listed.write_text("\n".join([head, old.format("05-Jan-2022"), old.format("01-Mar-2024")]), encoding="utf-8-sig")
    told = bring(root, exchange).troubles
    assert told == []
    actions = NseArchive(root).corporate_actions(DAY)
    assert set(actions.loc[actions["symbol"] == "OLDONE", "ex_date"]) == {pd.Timestamp("2022-01-05")}, (
        "what the exchange no longer lists of the days asked for goes, what is older stays"
    )
    asked = exchange.asked("corporateActions")
    assert "from_date=16-01-2024" in asked[0].path
    assert "to_date=11-03-2024" in asked[0].path


def test_an_exchange_that_does_not_answer_is_left_alone_soon(root: Path, exchange: Exchange) -> None:
    exchange.faults["."] = says(500)
    outcome = bring(root, exchange)
    assert len(outcome.troubles) == 3
    assert outcome.left == 1
    nobody = ArchiveDownload(root, Hosts("http://127.0.0.1:9", ""), QUICK, days=5)
    with pytest.raises(SessionNotAvailable, match=r"127\.0\.0\.1:9 does not answer"):
        nobody.fetch(DAY, simulated_sessions, NOW, lambda done, total: None)


def test_the_time_for_all_downloads_is_limited(root: Path, exchange: Exchange) -> None:
    late = download(root, exchange, replace(QUICK, deadline_seconds=0))
    outcome = late.bring(date(2024, 3, 6), DAY, simulated_sessions, NOW, lambda done, total: None)
    assert "NSE_DOWNLOAD_DEADLINE_SECONDS" in outcome.troubles[0]
    assert outcome.left == 3
    assert exchange.seen == []


def test_two_downloads_at_once_do_the_work_once(root: Path, exchange: Exchange) -> None:
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(bring(root, exchange))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(outcome.troubles) for outcome in outcomes] == [0, 0, 0]
    assert max(one.at_once for one in exchange.seen) == 1
    assert len(exchange.asked("sec_bhavdata_full")) == 4


def test_what_a_killed_download_left_is_removed_and_never_read(root: Path, exchange: Exchange) -> None:
    for folder in ("", "bhavcopy", "lists", "reports"):
        work = root / folder / ".download"
        work.mkdir(parents=True)
        (work / TONIGHT).write_text("half a fi")
    assert NseArchive(root, download=download(root, exchange)).sessions(None, DAY) == []
    bring(root, exchange)
    assert not list(root.rglob(".download"))


def test_a_broken_memory_is_no_trouble(root: Path, exchange: Exchange) -> None:
    (root / ".download.json").write_text('{"fetched": [')
    assert bring(root, exchange).troubles == []


def test_a_folder_that_cannot_be_written_is_said(root: Path, exchange: Exchange) -> None:
    (root / "bhavcopy").write_text("a file where the folder should be")
    with pytest.raises(ProviderError, match="NSE_ARCHIVE_DIR"):
        bring(root, exchange)


def test_a_foreign_half_is_not_mixed_in(root: Path, exchange: Exchange) -> None:
    exchange.faults[TONIGHT] = [broken_off]
    assert bring(root, exchange, first=DAY).troubles == [], "another version came in between: begun anew"
