"""The exchange's lists: the habits of the real files, and what is refused."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from market_data.providers import SourceUnreadable
from market_data.providers.nse import lists


def write(folder: Path, name: str, text: str, *, encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def test_equities_have_blanks_in_their_header(tmp_path):
    write(
        tmp_path,
        "EQUITY_L.csv",
        "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE\n"
        "1AAA,1 Aaa Limited,EQ,06-OCT-2008,5,1,INEZ00101018,5\n"
        'AAA,"Comma, Limited",BE,-,5,1,INE000A01010,-\n',
    )
    first, second = lists.listed_equities(tmp_path).to_dict("records")
    assert first["listed_on"] == pd.Timestamp("2008-10-06")
    assert (first["face_value"], first["isin"], first["series"]) == (5.0, "INEZ00101018", "EQ")
    assert second["stock_name"] == "Comma, Limited"
    assert pd.isna(second["listed_on"])
    assert pd.isna(second["face_value"])


def test_actions_carry_a_byte_order_mark_and_blanks(tmp_path):
    write(
        tmp_path,
        "CF-CA-equities.csv",
        '"SYMBOL","COMPANY NAME","SERIES","PURPOSE","FACE VALUE","EX-DATE","RECORD DATE"\n'
        '"AAA","Aaa Limited","EQ"," Bonus 1:2","10","05-Jan-2016","06-Jan-2016"\n',
        encoding="utf-8-sig",
    )
    (action,) = lists.listed_actions(tmp_path).to_dict("records")
    assert action["purpose"] == "Bonus 1:2"
    assert action["ex_date"] == action["known_on"] == pd.Timestamp("2016-01-05")


def test_renames_come_without_a_header(tmp_path):
    text = "Aaa Limited,AAA,BBB,09-APR-2025\nA, Limited,OLD,NEW,01-JAN-2024\nbroken line\n"
    write(tmp_path, "symbolchange.csv", text)
    assert lists.symbol_changes(tmp_path)[["from_symbol", "to_symbol"]].to_numpy().tolist() == [
        ["AAA", "BBB"],
        ["OLD", "NEW"],
    ]


def test_reports_give_capital_in_crores_and_no_ratio_of_zero(tmp_path):
    pack = tmp_path / "2025-12-17"
    write(
        pack,
        "mcap17122025.csv",
        "Trade Date,Symbol,Series,Security Name,Category,Last Trade Date,Face Value(Rs.),Issue Size,"
        "Close Price/Paid up value(Rs.),Market Cap(Rs.)              \n"
        "17 DEC 2025,AAA,EQ,AAA LTD           ,Listed    ,17 DEC 2025,   5.00,   1000,  191.20,   6000000000.50 \n"
        "17 DEC 2025,AAA,X1,AAA PP            ,Listed    ,17 DEC 2025,   5.00,   1000,  191.20,   1.00 \n"
        "17 DEC 2025,BBB,SM,BBB LTD           ,Listed    ,17 DEC 2025,   0.00,      0,  191.20,   0.00 \n",
    )
    write(pack, "PE_171225.csv", "SYMBOL,SYMBOL P/E,ADJUSTED P/E\nAAA,51.40,51.40\nBBB,0,0\nCCC,-,-\n")
    facts = lists.daily_facts(pack).set_index("symbol")
    assert facts.at["AAA", "market_cap_crores"] == pytest.approx(600.00000005)
    assert (facts.at["AAA", "issue_size"], facts.at["AAA", "pe_ratio"]) == (1000, 51.40)
    assert facts.loc["BBB", ["issue_size", "market_cap_crores", "pe_ratio"]].isna().all()
    assert "CCC" not in facts.index
    assert len(facts) == 2


def test_changes_of_series_concern_shares(tmp_path):
    write(
        tmp_path,
        "series_change.csv",
        "Symbol,Security,From Series,To Series,Change Date,Remarks\n"
        'AAA,AAA LTD,EQ,BE,16-DEC-2025,"GSM STAGE - 0"\nBOND,BOND,N1,N2,16-DEC-2025,"-"\n',
    )
    assert lists.changed_series(tmp_path) == {"AAA"}


def test_report_packs_are_dated_folders_only(tmp_path):
    for name in ("2025-12-17", "2025-12-16", "2025-13-40", "notes"):
        (tmp_path / name).mkdir()
    assert [day for day, _ in lists.report_packs(tmp_path)] == [date(2025, 12, 16), date(2025, 12, 17)]
    assert list(lists.report_packs(tmp_path / "nowhere")) == []


def test_holidays_are_those_of_the_cash_market(tmp_path):
    answer = {
        "CM": [{"tradingDate": "26-Jan-2024", "description": "Republic Day"}],
        "FO": [{"tradingDate": "19-Feb-2024", "description": "Elsewhere"}],
    }
    write(tmp_path, "nse-holidays-2024-api.json", json.dumps(answer))
    assert lists.holidays(tmp_path)["date"].tolist() == [pd.Timestamp("2024-01-26")]
    write(tmp_path, "nse-holidays-2025-api.json", "<html>")
    with pytest.raises(SourceUnreadable, match="nse-holidays-2025"):
        lists.holidays(tmp_path)


@pytest.mark.parametrize("text", ["", "<html>busy</html>", "A,B\n1,2\n"])
def test_what_is_no_list_is_refused_by_name(tmp_path, text):
    write(tmp_path, "EQUITY_L.csv", text)
    with pytest.raises(SourceUnreadable, match=r"EQUITY_L\.csv"):
        lists.listed_equities(tmp_path)


def test_a_list_in_an_older_encoding_is_read(tmp_path):
    path = write(tmp_path, "x.csv", "SYMBOL,NAME\nA,Café\n", encoding="latin-1")
    assert lists.text_table(path, ("SYMBOL",))["NAME"].tolist() == ["Café"]


def test_a_list_without_a_bad_line_reports_none(tmp_path):
    """Nor do lists without any row, whose lines left out are none either."""
    header = "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE\n"
    write(
        tmp_path,
        lists.EQUITIES,
        f"{header}TRIALA,Trial A Limited,EQ,06-OCT-2008,5,1,INE000A01012,5\n"
        "M&M,Mahindra Example Limited,EQ,03-JAN-1996,5,1,INE000B01010,5\n",
    )
    write(tmp_path, lists.CHANGES, "Old Limited,OLD,NEW,03-JAN-2025\n")
    write(tmp_path, lists.ACTIONS, "SYMBOL,SERIES,PURPOSE,FACE VALUE,EX-DATE\n")
    skipped: lists.SkippedLines = []
    for read in (lists.listed_equities, lists.symbol_changes, lists.listed_actions):
        read(tmp_path, skipped)
    assert skipped == []
    assert lists.findings(tmp_path, tmp_path / "reports") == []


def test_a_bad_line_is_reported_as_it_stands(tmp_path):
    write(tmp_path, lists.CHANGES, "Old Limited,OLD,OLD,03-JAN-2025\n")
    skipped: lists.SkippedLines = []
    assert lists.symbol_changes(tmp_path, skipped).empty
    assert [line.raw for _, line in skipped] == ["OLD,OLD,2025-01-03 00:00:00"]
