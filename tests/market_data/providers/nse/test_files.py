"""Daily files of the exchange: names, layouts, and everything that can be wrong with one."""

import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.providers import RawBars, SourceUnreadable
from market_data.providers.nse.files import (
    CM,
    FULL,
    UDIFF,
    content_of,
    layout_of,
    parsed_bars,
    traded_prices,
)
from stocks.storage.file_contents import MAX_BYTES

DAY = date(2025, 1, 1)
HEAD = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, "
    "TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER"
)
SHARE = "AAA, EQ, 01-Jan-2025, 100.00, 101.00, 103.50, 99.50, 102.00, 102.05, 101.70, 1000, 1.02, 25, 400, 40.00"
BOND = "718GS2037, GS, 01-Jan-2025, 99.50, 99.60, 99.60, 99.60, 99.60, 99.60, 99.60, 10, 0.01, 1, 10, 100.00"
SURVEILLED = "BBB, BE, 01-Jan-2025, 50.00, 50.00, 51.00, 49.00, 50.50, 50.45, 50.10, 200, 0.10, 9, -, -"


def read(*lines: str, head: str = HEAD, session: date = DAY) -> RawBars:
    """Read lines as a full file of a session."""
    content = "\n".join([head, *lines]).encode()
    return parsed_bars(content, name="sec_bhavdata_full_01012025.csv", layout=FULL, session=session)


@pytest.mark.parametrize(
    ("name", "layout", "day"),
    [
        ("sec_bhavdata_full_30042026.csv", FULL, date(2026, 4, 30)),
        ("BhavCopy_NSE_CM_0_0_0_20250910_F_0000.csv.zip", UDIFF, date(2025, 9, 10)),
        ("BhavCopy_NSE_CM_0_0_0_20250910_F_0000.csv", UDIFF, date(2025, 9, 10)),
        ("cm01JAN2020bhav.csv.zip", CM, date(2020, 1, 1)),
        ("cm01JAN2020bhav.csv", CM, date(2020, 1, 1)),
    ],
)
def test_a_file_is_recognised_by_its_name(name, layout, day):
    assert layout_of(name) == (layout, day)


@pytest.mark.parametrize(
    "name",
    [
        "readme.txt",
        "sec_bhavdata_full_31022026.csv",
        "cm01XYZ2020bhav.csv",
        "fo01JAN2020bhav.csv",
        "sec_bhavdata_full_1.csv",
    ],
)
def test_other_files_are_left_alone(name):
    assert layout_of(name) is None


def test_a_row_becomes_a_bar_and_a_bond_is_out_of_scope():
    raw = read(BOND, SHARE, SURVEILLED)
    share, surveilled = raw.frame.to_dict("records")
    assert share["symbol"] == "AAA"
    assert [share[column] for column in ("open", "high", "low", "close", "prev_close", "last_price", "vwap")] == [
        101.0,
        103.5,
        99.5,
        102.05,
        100.0,
        102.0,
        101.7,
    ]
    assert (share["volume"], share["turnover_lakh"], share["trades"], share["delivered_quantity"]) == (
        1000,
        1.02,
        25,
        400,
    )
    assert share["isin"] is None
    assert surveilled["series"] == "BE"
    assert pd.isna(surveilled["delivered_quantity"])
    assert raw.out_of_scope == {"GS": 1}
    assert raw.rejects.empty
    assert raw.source == "nse_archive:full"


def test_a_line_of_the_udiff_layout_is_read():
    """Thirty-four columns, of which thirteen matter; the turnover is in rupees."""
    head = (
        "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
        "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
        "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
    )
    line = (
        "2025-01-01,2025-01-01,CM,NSE,STK,77,INEZ00101018,AAA,EQ,,,,,AAA LIMITED,101.00,103.50,99.50,102.05,102.00,"
        "100.00,,102.05,,,1000,101700.50,25,F1,1,,,,,"
    )
    raw = parsed_bars(f"{head}\n{line}\n".encode(), name="u.csv", layout=UDIFF, session=DAY)
    (bar,) = raw.frame.to_dict("records")
    assert (bar["symbol"], bar["isin"], bar["open"], bar["close"]) == ("AAA", "INEZ00101018", 101.0, 102.05)
    assert (bar["high"], bar["low"], bar["last_price"], bar["prev_close"]) == (103.5, 99.5, 102.0, 100.0)
    assert bar["turnover_lakh"] == pytest.approx(1.017005)
    assert raw.frame["vwap"].isna().all()
    assert pd.isna(bar["delivered_quantity"])


def test_a_byte_order_mark_blank_lines_and_unknown_columns_do_no_harm():
    content = ("\ufeff" + HEAD + ", NEW_COLUMN\n" + SHARE + ", 7\n\n").encode()
    raw = parsed_bars(content, name="f.csv", layout=FULL, session=DAY)
    assert raw.frame["symbol"].tolist() == ["AAA"]


def test_columns_may_stand_in_another_order_and_optional_ones_be_absent():
    head = "SERIES,SYMBOL,DATE1,PREV_CLOSE,OPEN_PRICE,HIGH_PRICE,LOW_PRICE,CLOSE_PRICE,TTL_TRD_QNTY,TURNOVER_LACS"
    raw = read("EQ,AAA,01-Jan-2025,100,101,103.5,99.5,102,1000,1.02", head=head)
    assert raw.frame.loc[0, "open"] == 101.0
    assert raw.frame["vwap"].isna().all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"<!DOCTYPE html><html><body>Access denied</body></html>", "web page"),
        (b'{"error": "busy"}', "web page"),
        (HEAD.encode(), "no rows"),
        (b"SYMBOL, SERIES, DATE1\nAAA, EQ, 01-Jan-2025\n", "lacks the columns PREV_CLOSE"),
        (f"{HEAD}\n{SHARE}\n{SHARE[:40]}".encode(), "middle of a line"),
        (f"{HEAD}\n{SHARE}\n".replace("01-Jan-2025", "02-Jan-2025").encode(), "holds 2025-01-02"),
        (f"{HEAD}\n{SHARE}\n".replace("01-Jan-2025", "some day").encode(), "holds no date"),
    ],
)
def test_what_is_no_daily_file_is_refused_with_name_and_remedy(content, message):
    with pytest.raises(SourceUnreadable, match=message) as error:
        parsed_bars(content, name="sec_bhavdata_full_01012025.csv", layout=FULL, session=DAY)
    assert "sec_bhavdata_full_01012025.csv" in str(error.value)
    assert "again" in str(error.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (SHARE.replace("AAA", "CCC").replace("1000,", "many,"), "a number is missing or unreadable"),
        (SHARE.replace("AAA", "CCC").replace("101.00", "1O1.00"), "a number is missing or unreadable"),
        (SHARE.replace("AAA", "CCC").replace("1000,", "-,"), "a number is missing or unreadable"),
        (SHARE.replace("AAA", "CCC").replace("1000,", "10.5,"), "a number is missing or unreadable"),
        (SHARE.replace("AAA", "CCC").replace("01-Jan-2025", "02-Jan-2025"), "date is not 2025-01-01"),
        ("CCC, EQ, 01-Jan-2025, 100.00", "line has 4 fields instead of 15"),
        (SURVEILLED.replace("BBB", "AAA"), "also traded in BE; the first series is kept"),
    ],
)
def test_a_bad_line_is_set_aside_and_the_others_are_taken(line, reason):
    raw = read(line, SHARE)
    assert raw.frame["symbol"].tolist() == ["AAA"]
    assert raw.rejects["reason"].tolist() == [reason]
    assert raw.rejects["raw"].str.len().gt(10).all()


def test_a_text_in_one_line_leaves_the_numbers_of_the_others_exact():
    spoiled = read(SHARE.replace("AAA", "CCC").replace("101.00", "?"), SHARE, SURVEILLED)
    pd.testing.assert_frame_equal(spoiled.frame, read(SHARE, SURVEILLED).frame)


def test_an_unknown_price_stays_unknown_for_the_checks_to_judge():
    raw = read(SHARE, SURVEILLED.replace("50.00, 50.00", "-, -"))
    assert raw.frame.set_index("symbol").loc["BBB", ["prev_close", "open"]].isna().all()


@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 3))
def test_every_line_is_accounted_for(shares, bonds, broken):
    lines = [SHARE.replace("AAA", f"S{number}") for number in range(shares)]
    lines += [BOND] * bonds + ["X, EQ, 01-Jan-2025"] * broken + [SHARE.replace("AAA", "LAST")]
    raw = read(*lines)
    assert len(raw.frame) + len(raw.rejects) + sum(raw.out_of_scope.values()) == len(lines)


def test_the_short_reading_agrees_with_the_long_one():
    content = "\n".join([HEAD, BOND, SHARE, SURVEILLED]).encode()
    table = traded_prices(content, name="f.csv", layout=FULL, session=DAY).to_pandas()
    assert table["symbol"].str.strip().tolist() == ["718GS2037", "AAA", "BBB"]
    assert table.loc[1, ["open", "high", "low", "last_price"]].tolist() == [101.0, 103.5, 99.5, 102.0]
    assert table["isin"].isna().all()


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_gives_its_one_csv(tmp_path):
    assert content_of(packed(tmp_path / "a.zip", {"a.csv": b"x", "readme.txt": b"y"})) == b"x"
    (tmp_path / "b.csv").write_bytes(b"z")
    assert content_of(tmp_path / "b.csv") == b"z"


def test_damaged_ambiguous_and_swelling_zips_are_refused(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"not a zip at all")
    cut = packed(tmp_path / "cut.zip", {"a.csv": bytes(range(256)) * 50})
    cut.write_bytes(cut.read_bytes()[:200])
    swelling = packed(tmp_path / "bomb.zip", {"a.csv": b"0" * (MAX_BYTES + 1)})
    assert swelling.stat().st_size < 1_000_000
    for path, message in (
        (tmp_path / "no.zip", "not a readable zip"),
        (cut, "not a readable zip"),
        (packed(tmp_path / "two.zip", {"a.csv": b"", "b.csv": b""}), "2 csv files"),
        (packed(tmp_path / "none.zip", {"a.txt": b""}), "0 csv files"),
        (swelling, "holds more than"),
    ):
        with pytest.raises(SourceUnreadable, match=message) as error:
            content_of(path)
        assert path.name in str(error.value)


def test_a_plain_file_far_too_large_is_not_even_read(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(SourceUnreadable, match="bytes"):
        content_of(path)
