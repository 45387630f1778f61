"""The simulated securities as of the first session, drawn once from the seed.

They deliberately resemble no real company: names are made of syllables, ISINs use the issuer letter Z. One security in
sixteen is a fund.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.object_]

SECTORS: dict[str, tuple[str, ...]] = {
    "Financial Services": ("Private Sector Bank", "Non Banking Financial Company", "Stockbroking"),
    "Capital Goods": ("Industrial Products", "Electrical Equipment"),
    "Healthcare": ("Pharmaceuticals", "Hospital"),
    "Information Technology": ("Computers - Software", "IT Enabled Services"),
    "Chemicals": ("Specialty Chemicals", "Commodity Chemicals"),
    "Automobile and Auto Components": ("Auto Components", "Two Wheelers"),
    "Fast Moving Consumer Goods": ("Packaged Foods", "Personal Care"),
    "Consumer Services": ("Retailing", "Leisure Services"),
    "Consumer Durables": ("Household Appliances", "Gems and Jewellery"),
    "Construction": ("Civil Construction",),
    "Metals & Mining": ("Iron & Steel Products", "Aluminium"),
    "Oil Gas & Consumable Fuels": ("Refineries", "Gas Distribution"),
    "Power": ("Power Generation", "Power Transmission"),
    "Realty": ("Residential Projects",),
    "Services": ("Logistics", "Engineering Services"),
    "Textiles": ("Other Textile Products",),
    "Telecommunication": ("Telecom Services",),
    "Media Entertainment & Publication": ("Broadcasting",),
}
_SECTOR_WEIGHTS = (15, 12, 10, 8, 9, 7, 7, 6, 5, 5, 5, 3, 3, 4, 4, 6, 1, 2)
_FIRST = ("KA", "VE", "RI", "MO", "SHA", "TU", "BHA", "NU", "DRA", "PU", "LO", "GA", "ZI", "AR", "IN", "O", "YU", "SA")
_SECOND = ("VI", "LA", "RO", "ME", "NTA", "KSHI", "DU", "PRA", "JA", "TE", "NO", "RI", "GU", "SHA", "BI", "MA")
_THIRD = ("RA", "NI", "TA", "LEX", "VAN", "DEEP", "MIT", "KO", "SUN", "TEL", "POL", "NIX", "DHA", "GEN")
_FUND_THEMES = ("NIFTY", "GOLD", "SILVER", "BANK", "LIQUID", "MIDCAP", "IT", "PSU", "VALUE", "MOMENTUM")
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

FUND_EVERY = 16
MAX_SYMBOLS = 20_000


@dataclass(frozen=True)
class Companies:
    """Securities by place; all arrays have one entry each.

    ``symbol``, ``price`` (₹), ``shares`` (issued) and ``face_value`` (₹) are as of the first session, ``new_symbol`` is
    that after a rename. ``beta`` and ``sector_beta`` are sensitivities, ``sector`` an index into ``SECTORS``,
    ``volatility`` the daily idiosyncratic one (ratio), ``turnover`` the median daily one in ₹. ``lists_at`` is the
    index of the first session; 0 for those listed before it.
    """

    symbol: Words
    new_symbol: Words
    stock_name: Words
    industry: Words
    issuer: Words
    is_fund: npt.NDArray[np.bool_]
    sector: Whole
    price: Floats
    shares: Floats
    face_value: Floats
    beta: Floats
    sector_beta: Floats
    volatility: Floats
    turnover: Floats
    lists_at: Whole
    listed_on: Words

    def __len__(self) -> int:
        return len(self.symbol)


def companies(count: int, seed: int, epoch: date) -> Companies:
    """Draw the securities of a market, funds included; ``epoch`` is its first session.

    The same seed and count give the same securities in every process. Raises ValueError when more are requested than
    there are names.
    """
    if not 1 <= count <= MAX_SYMBOLS:
        raise ValueError(f"The simulator makes 1 to {MAX_SYMBOLS} symbols, not {count}.")
    rng = np.random.default_rng([seed, 1])
    place = np.arange(count)
    is_fund = place % FUND_EVERY == FUND_EVERY - 1
    weights = np.array(_SECTOR_WEIGHTS, dtype=float)
    sector = rng.choice(len(SECTORS), size=count, p=weights / weights.sum())
    size = rng.normal(size=count)
    cap_crores = np.exp(7.0 + 1.7 * size)
    price = np.exp(rng.normal(5.6, 1.0, count)).clip(12, 9000)
    shares = np.floor(cap_crores * 1e7 / price).clip(100_000)
    # The larger the company, the calmer its share and the more of it changes hands.
    volatility = np.exp(-3.95 - 0.12 * size + 0.22 * rng.normal(size=count)).clip(0.008, 0.05)
    turnover = cap_crores * 1e7 * np.exp(-6.3 + 0.25 * size + 0.6 * rng.normal(size=count))
    lists_at = np.where(rng.random(count) < 0.10, rng.integers(1, 2500, count), 0)
    aged = [epoch - timedelta(days=int(days)) for days in rng.integers(200, 9000, count)]
    symbol, name = _names(is_fund, sector)
    return Companies(
        symbol=symbol,
        new_symbol=_distinct([*symbol, *(f"{word}X" for word in symbol)])[count:],
        stock_name=name,
        industry=_industries(sector, is_fund, place),
        issuer=np.array([_issuer(number, fund) for number, fund in enumerate(is_fund)], dtype=object),
        is_fund=is_fund,
        sector=sector,
        price=price,
        shares=shares,
        face_value=rng.choice([10.0, 5.0, 2.0, 1.0], size=count, p=[0.5, 0.12, 0.2, 0.18]),
        beta=rng.normal(1.0, 0.3, count).clip(0.2, 2.0),
        sector_beta=rng.normal(1.0, 0.25, count).clip(0.2, 2.0),
        volatility=np.where(is_fund, 0.002, volatility),
        turnover=turnover.clip(2e4),
        lists_at=np.where(is_fund, 0, lists_at),
        listed_on=np.array(aged, dtype=object),
    )


def isin(issuer: str, face_value_changes: int) -> str:
    """Return the ISIN of a company's share; each change of the face value issues a new one."""
    body = f"{issuer}01{face_value_changes + 1:02d}"
    return body + _check_digit(body)


def _issuer(number: int, fund: bool) -> str:
    code = "".join(_BASE36[number // 36**power % 36] for power in (2, 1, 0))
    return f"{'INF' if fund else 'INE'}Z{code}"


def _check_digit(body: str) -> str:
    """Luhn's digit over the letters' numbers, as ISO 6166 requires."""
    digits = "".join(str(_BASE36.index(letter)) for letter in body)
    total = sum(
        sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def _names(is_fund: npt.NDArray[np.bool_], sector: Whole) -> tuple[Words, Words]:
    """Return a distinct symbol and name for each place, from its number alone."""
    tails = [name.split()[0] for name in SECTORS]
    symbols, names = [], []
    for place, fund in enumerate(is_fund):
        if fund:
            number = place // FUND_EVERY
            theme = _FUND_THEMES[number % len(_FUND_THEMES)]
            symbols.append(f"SIM{theme[:6]}{number // len(_FUND_THEMES) or ''}ETF")
            names.append(f"Simulated AMC - {theme} {number}")
            continue
        # 4,032 words of three syllables; 1,871 has no factor in common with that, so neighbours differ.
        word = place * 1871 % (len(_FIRST) * len(_SECOND) * len(_THIRD))
        first, rest = divmod(word, len(_SECOND) * len(_THIRD))
        second, third = divmod(rest, len(_THIRD))
        stem = _FIRST[first] + _SECOND[second] + _THIRD[third]
        symbols.append(stem)
        names.append(f"Simulated {stem.title()} {tails[sector[place]]} Limited")
    return _distinct(symbols), np.array(names, dtype=object)


def _distinct(symbols: list[str]) -> Words:
    numbers: dict[str, int] = {}
    distinct: dict[str, None] = {}
    for symbol in symbols:
        name = symbol
        while name in distinct:
            numbers[symbol] = numbers.get(symbol, 1) + 1
            name = f"{symbol}{numbers[symbol]}"
        distinct[name] = None
    return np.array(list(distinct), dtype=object)


def _industries(sector: Whole, is_fund: npt.NDArray[np.bool_], place: Whole) -> Words:
    choices = list(SECTORS.values())
    chosen = [
        None if fund else choices[code][number % len(choices[code])]
        for code, fund, number in zip(sector, is_fund, place, strict=True)
    ]
    return np.array(chosen, dtype=object)
