"""Writes a simulated market in the exchange's file formats, so that their readers can be tested without real files.

The files have the habits of the real ones: padded values, ``-`` for unknown, a byte-order mark before the list of
corporate actions, securities of other series among the shares.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from market_data.prices.bars import SERIES_ORDER
from market_data.providers.nse.files import UDIFF
from market_data.providers.nse.lists import ACTIONS, CHANGES, EQUITIES

if TYPE_CHECKING:
    from market_data.providers.simulator.provider import Simulator

_FULL_HEADER = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, "
    "TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER"
)
_CM_HEADER = "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,"
_UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)
# A government security, as every real file of all series has them.
_BOND = {"symbol": "718SIM2037", "series": "GS", "isin": "IN0020990018"}


def write_archive(
    simulator: "Simulator", folder: Path, sessions: Sequence[date], *, layout: str = "full", lists: bool = True
) -> list[Path]:
    """Write sessions as an archive of the exchange, and return the files of bars in the order of the sessions.

    Bars go into ``bhavcopy/`` below the folder, the lists and the report pack as of the last session into ``lists/``
    and ``reports/``. The layout is ``full``, ``cm`` or ``udiff`` (zipped; KeyError for another). The simulator's
    ``series`` says whether BE is written.
    """
    write = _WRITERS[layout]
    bars = folder / "bhavcopy"
    bars.mkdir(parents=True, exist_ok=True)
    written = [write(bars, simulator.bars(session).frame, session) for session in sessions]
    if lists and sessions:
        _write_lists(simulator, folder / "lists", sessions[-1])
        _write_report(simulator, folder / "reports", sessions[-1])
    return written


def _write_full(folder: Path, bars: pd.DataFrame, session: date) -> Path:
    day = f"{session:%d-%b-%Y}"
    lines = [
        _FULL_HEADER,
        f"{_BOND['symbol']}, GS, {day}, 99.50, 99.60, 99.60, 99.60, 99.60, 99.60, 99.60, 10, 0.01, 1, 10, 100.00",
    ]
    for row in bars.to_dict("records"):
        known = not pd.isna(row["delivered_quantity"])
        delivered = str(row["delivered_quantity"]) if known else "-"
        percent = f"{100 * row['delivered_quantity'] / row['volume']:.2f}" if known else "-"
        prices = ", ".join(
            f"{row[column]:.2f}" for column in ("prev_close", "open", "high", "low", "last_price", "close", "vwap")
        )
        lines.append(
            f"{row['symbol']}, {row['series']}, {day}, {prices}, {row['volume']}, {row['turnover_lakh']:.2f}, "
            f"{row['trades']}, {delivered}, {percent}"
        )
    path = folder / f"sec_bhavdata_full_{session:%d%m%Y}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _write_cm(folder: Path, bars: pd.DataFrame, session: date) -> Path:
    day = f"{session:%d-%b-%Y}".upper()
    lines = [_CM_HEADER, f"{_BOND['symbol']},GS,99.6,99.6,99.6,99.6,99.6,99.5,10,996,{day},1,{_BOND['isin']},"]
    for row in bars.to_dict("records"):
        prices = ",".join(f"{row[column]:.2f}".rstrip("0").rstrip(".") for column in _CM_PRICES)
        rupees = row["turnover_lakh"] * 1e5
        lines.append(
            f"{row['symbol']},{row['series']},{prices},{row['volume']},{rupees:.2f},{day},{row['trades']},{row['isin']},"
        )
    return _zipped(folder / f"cm{session:%d%b%Y}bhav.csv".replace(f"{session:%b}", f"{session:%b}".upper()), lines)


_CM_PRICES = ("open", "high", "low", "close", "last_price", "prev_close")


def _write_udiff(folder: Path, bars: pd.DataFrame, session: date) -> Path:
    header = _UDIFF_HEADER.split(",")
    constant = {
        "TradDt": session,
        "BizDt": session,
        "Sgmt": "CM",
        "Src": "NSE",
        "FinInstrmTp": "STK",
        "SsnId": "F1",
        "NewBrdLotQty": 1,
    }
    theirs = {ours: column for column, ours in UDIFF.columns.items() if ours not in ("date", "turnover")}
    bond = _BOND | dict.fromkeys(("open", "high", "low", "close", "last_price", "prev_close"), 99.6)
    lines = [_UDIFF_HEADER]
    rows: list[dict[Any, Any]] = [bond | {"volume": 10, "trades": 1, "turnover_lakh": 0.01}]
    for row in rows + bars.to_dict("records"):
        values: dict[str, Any] = constant | {column: row[ours] for ours, column in theirs.items()}
        values["TtlTrfVal"] = f"{row['turnover_lakh'] * 1e5:.2f}"
        for column in ("OpnPric", "HghPric", "LwPric", "ClsPric", "LastPric", "PrvsClsgPric"):
            values[column] = f"{float(values[column]):.2f}"
        lines.append(",".join(str(values.get(column, "")) for column in header))
    return _zipped(folder / f"BhavCopy_NSE_CM_0_0_0_{session:%Y%m%d}_F_0000.csv", lines)


_WRITERS: dict[str, Callable[[Path, pd.DataFrame, date], Path]] = {
    "full": _write_full,
    "cm": _write_cm,
    "udiff": _write_udiff,
}


def _zipped(path: Path, lines: list[str]) -> Path:
    packed = path.with_name(path.name + ".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed time inside keeps equal content equal in bytes.
        archive.writestr(zipfile.ZipInfo(path.name, (2024, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n")
    return packed


def _write_lists(simulator: "Simulator", folder: Path, as_of: date) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    listed = simulator.listed_symbols(as_of)
    shares = listed[listed["kind"] == "share"]
    lines = ["SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE"]
    lines += [
        f"{row['symbol']},{row['stock_name']},EQ,{row['listed_on']:%d-%b-%Y},{row['face_value']:g},1,{row['isin']},"
        f"{row['face_value']:g}"
        for row in shares.to_dict("records")
    ]
    (folder / EQUITIES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    named = shares.set_index("symbol")["stock_name"]
    rows = [
        f'"{row["symbol"]}","{named.get(row["symbol"], "")}","EQ"," {row["purpose"]}","{row["face_value"]:g}",'
        f'"{row["ex_date"]:%d-%b-%Y}","-","-","-"'
        for row in simulator.published_actions(as_of).to_dict("records")
    ]
    head = '"SYMBOL","COMPANY NAME","SERIES","PURPOSE","FACE VALUE","EX-DATE",'
    head += '"RECORD DATE","BOOK CLOSURE START DATE","BOOK CLOSURE END DATE"'
    (folder / ACTIONS).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8-sig")
    changes = [
        f"Simulated,{row['from_symbol']},{row['to_symbol']},{row['date']:%d-%b-%Y}"
        for row in simulator.symbol_changes(as_of).to_dict("records")
    ]
    (folder / CHANGES).write_text("".join(f"{line}\n" for line in changes), encoding="utf-8")
    members = simulator.index_members().merge(shares, on="symbol", suffixes=("_of_index", ""))
    rows = [
        f"{row['stock_name']},{row['industry_of_index']},{row['symbol']},EQ,{row['isin']}"
        for row in members.to_dict("records")
    ]
    text = "\n".join(["Company Name,Industry,Symbol,Series,ISIN Code", *rows]) + "\n"
    (folder / "ind_nifty500list.csv").write_text(text, encoding="utf-8")
    holiday = {"tradingDate": f"26-Jan-{as_of.year}", "weekDay": "", "description": "Republic Day", "Sr_no": 1}
    (folder / f"nse-holidays-{as_of.year}-api.json").write_text(json.dumps({"CM": [holiday]}), encoding="utf-8")


def _write_report(simulator: "Simulator", folder: Path, session: date) -> None:
    """Write mcap, PE, pd and series_change of one session; the share's closing price stands for its market cap."""
    pack = folder / f"{session:%Y-%m-%d}"
    pack.mkdir(parents=True, exist_ok=True)
    bars = simulator.bars(session).frame
    facts = simulator.facts_on(session).set_index("symbol")
    listed = simulator.listed_symbols(session).set_index("symbol")
    names, faces = listed["stock_name"].to_dict(), listed["face_value"].to_dict()
    lines = [
        "Trade Date,Symbol,Series,Security Name,Category,Last Trade Date,Face Value(Rs.),Issue Size,"
        "Close Price/Paid up value(Rs.),Market Cap(Rs.)              "
    ]
    day = f"{session:%d %b %Y}".upper()
    for row in facts.reset_index().to_dict("records"):
        symbol = row["symbol"]
        name, face = names[symbol][:25], faces[symbol]
        cap = row["market_cap_crores"] * 1e7
        lines.append(
            f"{day},{symbol},EQ,{name:25},Listed    ,{day},{face:>19.2f},{row['issue_size']:>18.0f},1.00,{cap:>18.2f} "
        )
    (pack / f"mcap{session:%d%m%Y}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ratios = [f"{symbol},{ratio:.2f},{ratio:.2f}" for symbol, ratio in facts["pe_ratio"].dropna().items()]
    text = "\n".join(["SYMBOL,SYMBOL P/E,ADJUSTED P/E", *ratios]) + "\n"
    (pack / f"PE_{session:%d%m%y}.csv").write_text(text, encoding="utf-8")
    head = "MKT,SERIES,SYMBOL,SECURITY,PREV_CL_PR,OPEN_PRICE,HIGH_PRICE,LOW_PRICE,CLOSE_PRICE,NET_TRDVAL"
    rows = ["Y, , ,Nifty 50,     100.00,     100.00,     100.00,     100.00,     100.00,0.00"]
    rows += [
        f"N,{row['series']},{row['symbol']},{names[row['symbol']]},{row['prev_close']:.2f},{row['open']:.2f},"
        f"{row['high']:.2f},{row['low']:.2f},{row['close']:.2f},{row['turnover_lakh'] * 1e5:.2f}"
        for row in bars.to_dict("records")
        if row["series"] in SERIES_ORDER
    ]
    (pack / f"pd{session:%d%m%Y}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    nothing = "Symbol,Security,From Series,To Series,Change Date,Remarks\nNIL,,,,,\n"
    (pack / "series_change.csv").write_text(nothing, encoding="utf-8")
