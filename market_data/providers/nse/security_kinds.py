"""Evidence that tells shares from funds (ETFs).

Funds trade in series EQ among the shares, and no daily file says which is which. The first evidence about a symbol, in
this order, decides, and its wording is stored with the symbol:

1. ISIN: ``INF`` is a fund's, ``INE`` and ``IN9`` a company's.
2. The exchange's list of equities, its list of companies with their issued capital (``mcap`` of the report pack) and
   its index lists hold companies only. What trades in series EQ on a day and is missing in that day's ``mcap``, which
   lists every company, is a fund.
3. Corporate actions of the equity series, and trading in BE, BZ, SM or ST, concern companies only.
4. Prices: until 2024-06-10 every share moved in steps of ₹0.05 while funds moved in steps of ₹0.01; afterwards this
   holds for prices above ₹250. One-sided each way: see ``tick_claims``.
5. The symbol's own wording (``NIFTYBEES``): see ``is_worded_as_fund``.

A symbol without evidence is ``unknown``. A kind never changes during a symbol's life, so evidence of a later date may
be used: the kind was public on the day of listing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

FIVE_PAISE_UNTIL = date(2024, 6, 10)
"""From this day shares under ₹250 move in steps of ₹0.01 (circular of the exchange of May 2024)."""

FIVE_PAISE_FROM_PRICE = 300.0
"""₹; well above the ₹250 of the rule, because the step is reviewed monthly and not daily."""

MIN_OFF_GRID = 3
MIN_ON_GRID = 8
MAX_OFF_SHARE = 0.05
TICK_COUNTS = ("early_off", "off", "sessions")

_HOUSES = "ABSL|AONE|BFAM|BSL|DSP|EDEL|HDFC|HSBC|IBMF|ICICI|IDBI|KOTAK|LICMF|LICN|NAVI|NIP|SBI|TWC|UTI|BBNPP"
_CONTENTS = (
    "GOLD|SILV|NIF|SENS|SENEX|N50|NXT|NEXT|MID|M150|SML|SMALL|MOM|VAL|QUAL|QTY|LOVOL|LOWVOL|ALPHA|ALPL|NV20|N?100|500|"
    "BANKN|BANKP|10BANK|BK|PSU|PVT|IT$|TECH|PHARM|HEAL|FMCG|AUTO|INFRA|CONS|COMMO|FIN$|LIQ|\\d*G(?:SEC|S\\d)|10GS|MNC|"
    "MSCI|MCAP|NF100|BSE|GROWTH"
)
_FUND_WORDING = (
    re.compile(r"ETF|BEES$|.ADD$|.BETA$|\dCASE$|NIFTY|SENSEX$"),
    re.compile(r"^(?:LIQUID|GILT\d|LTGILT|EBBETF|SDL\d|MON100|MON50|MOM\d|NEXT\d|MID\d|SML\d|NV20|CPSE$|GROWW[A-Z])"),
    re.compile(rf"^(?:{_HOUSES})[A-Z0-9]*?(?:{_CONTENTS})"),
    # Company names also start with the letters of two-letter houses, so these themes are spelt out.
    re.compile(
        r"^MA(?:N\d|NV\d|NXT|SILV|GOLD|FANG|M\d|SPTOP|HK)|^MO(?:BANK\d|LOWVOL|MOMENTUM|NEXT|QUALITY|VALUE|GOLD|SILV)"
    ),
    re.compile(r"^[EQ]?(?:GOLD|SILVER)(?:\d+|SHARE|CASE|HALF|BND|AG)?$|^E?LIQUID$"),
    # An index theme alone, where a company would have a name.
    re.compile(
        r"^(?:ALPHA|AUTO|BFSI|CHEMICAL|COMMO|CONS|CONSUMER|CONSUMPTION|DEFENCE|DIVIDEND|EBANK|ENERGY|EQUAL|ESG|FINANCIAL|FMCG|"
        r"HEALTHCARE|HEALTHY|INFRA|INTERNET|IT|LOWVOL|METAL|MID|MIDCAP|MIDSMALL|MNC|MOMENTUM|MULTICAP|PHARMA|PSUBANK|QUALITY|"
        r"REALTY|SELECTIPO|SMALL|SMALLCAP|TECH|TOP|VALUE)\d*$"
    ),
    re.compile(r"GSEC\d*(?:[A-Z]{4})?$|^(?:AXIS|UNION|TATA?|IVZIN|CHOICE)(?:GOLD|I?LVER|SILV)"),
)


@dataclass(frozen=True)
class Claim:
    """One source's evidence: these symbols are of a kind, for a reason."""

    kind: str
    symbols: frozenset[str]
    because: str


def isin_claims(isin: "pd.Series", where: str) -> list[Claim]:
    """Return claims from the prefixes of ISINs by symbol (index); missing ones claim nothing."""
    known = isin.dropna().astype(str)
    fund = known.str.startswith("INF")
    share = known.str.startswith(("INE", "IN9"))
    return [
        Claim("fund", frozenset(known.index[fund]), f"ISIN in {where}"),
        Claim("share", frozenset(known.index[share]), f"ISIN in {where}"),
    ]


def tick_counts(traded: pd.DataFrame) -> pd.DataFrame:
    """Count the sessions whose price steps are evidence; counts of several files add up.

    Takes symbol, date, open, high, low, last_price; not the close, which is an average. Returns by symbol (index)
    ``TICK_COUNTS``: sessions before ``FIVE_PAISE_UNTIL`` with a price off the ₹0.05 grid, sessions with such a price at
    any time, sessions in which shares had to be on the grid. Symbols without any are absent.
    """
    price = traded[["open", "high", "low", "last_price"]].to_numpy(dtype="float64")
    paise = np.rint(np.nan_to_num(price) * 100).astype("int64")
    early = (traded["date"] < pd.Timestamp(FIVE_PAISE_UNTIL)).to_numpy()
    off = (paise % 5 != 0).any(axis=1)
    is_evidence = early | (price.min(axis=1) > FIVE_PAISE_FROM_PRICE)
    rows = pd.DataFrame({"early_off": off & early, "off": off, "sessions": True})[is_evidence]
    counts: pd.DataFrame = rows.groupby(traded["symbol"].to_numpy()[is_evidence]).sum().astype("int64")
    return counts.rename_axis("symbol")


def tick_claims(counts: pd.DataFrame) -> list[Claim]:
    """Return claims from the price steps that `tick_counts` counted.

    *fund*: before ``FIVE_PAISE_UNTIL``, ``MIN_OFF_GRID`` sessions with a price off the ₹0.05 grid. *share*: at least
    ``MIN_ON_GRID`` sessions in which shares had to be on the grid, and at most ``MAX_OFF_SHARE`` of them off it. Some
    gold funds also keep to the grid, so the second claim counts only after the symbol's wording.
    """
    fund = counts["early_off"] >= MIN_OFF_GRID
    share = (counts["sessions"] >= MIN_ON_GRID) & (counts["off"] <= MAX_OFF_SHARE * counts["sessions"])
    return [
        Claim("fund", frozenset(counts.index[fund]), "prices off the ₹0.05 grid of shares"),
        Claim("share", frozenset(counts.index[share & ~fund]), "prices on the ₹0.05 grid of shares"),
    ]


def is_worded_as_fund(symbol: str) -> bool:
    """Whether a symbol is worded like a fund's: a fund house with a theme, an index, ``ETF``, ``BEES``."""
    return any(pattern.search(symbol) for pattern in _FUND_WORDING)


def decide_kinds(symbols: Iterable[str], claims: Iterable[Claim]) -> pd.DataFrame:
    """Return by symbol (index) its kind (share, fund, unknown) from the first claim about it, and because."""
    verdict = pd.DataFrame(
        {"kind": "unknown", "because": "no evidence"}, index=pd.Index(sorted(set(symbols)), name="symbol")
    )
    undecided = set(verdict.index)
    for claim in claims:
        symbols_decided = sorted(undecided & claim.symbols)
        verdict.loc[symbols_decided, "kind"] = claim.kind
        verdict.loc[symbols_decided, "because"] = claim.because
        undecided.difference_update(symbols_decided)
    return verdict
