"""Symbols as people and programs write them: in columns, on the command line, in names of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from trading.errors import InvalidSymbol
from trading.market.rules import BINANCE_PERPETUALS_2021, BINANCE_PERPETUALS_2025
from trading.types import Symbol

QUOTES = (
    "FDUSD", "USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "CHF", "BTC", "ETH", "BNB",
)  # fmt: skip
"""Of symbols that are written in one word, as in BTCUSDT."""
_MORE_QUOTES = ("TUSD", "AUD", "CAD", "TRY", "BRL", "KRW", "DAI")
"""Only where something parts them from the base: country ends in TRY, and XBTUSD in TUSD."""
_CONTRACTS = ("SWAP", "PERP", "PERPETUAL", "P")
_NAMES = {
    "BITCOIN": "BTC", "ETHEREUM": "ETH", "ETHER": "ETH", "SOLANA": "SOL", "RIPPLE": "XRP",
    "CARDANO": "ADA", "DOGECOIN": "DOGE", "LITECOIN": "LTC",
}  # fmt: skip
_COINS = frozenset(s.base for s in (*BINANCE_PERPETUALS_2021, *BINANCE_PERPETUALS_2025))
_NO_BASES = re.compile(
    "BINANCE|BYBIT|OKX|KRAKEN|COINBASE|BITSTAMP|BITFINEX|KUCOIN|GATE|HUOBI|HTX|FTX|GEMINI|BITMEX|"
    "DERIBIT|POLONIEX|FUTURES|SPOT|SWAP|PERP|UM|CM|DATA|OHLC|OHLCVT?|KLINES?|CANDLES?|PRICES?|"
    "HISTORY|MARKET|ALL|AND|THE|MAJORS|TEST|EXPORT|DAILY|HOURLY|MINUTE"
)
"""Words in names of files that say something else than what is traded."""
_GLUED = re.compile(
    r"(.+?)(?:SWAP|PERPETUAL|PERP|SPOT)?(?:(?:19|20)\d{2,6}|\d{1,3}(?:MIN|[SMHDW])?)?"
)
"""What may stand right behind a symbol: BTCUSDT2024-01-01, BTCUSDTPERP, EURUSD60, ETHUSDT1h."""
_TIMEFRAME = re.compile(r"(\d+(s|m|min|h|d|w)|[mhdw]\d+|daily|hourly)", re.IGNORECASE)


def parse_symbol(text: str) -> Symbol:
    """`BTC/USDT`, `BTC_USDT`, `BTC-USDT-SWAP`, `BTC/USDT:USDT`, `BINANCE:BTCUSDT.P` or `BTCUSDT`.

    One word without a currency is a share, in USD.  Raises `ValueError` for anything else, also for
    a future that ends: it is another market than what it is made of.
    """
    name, colon, after = text.strip().upper().partition(":")
    if colon and not (re.search(r"[/_-]", name) or _in_one_word(name)):
        name = after  # the venue comes first: BINANCE:BTCUSDT
    if re.search(r"[:_\-\s]\d{6}\b", text):
        raise ValueError(f"{text!r} is a future that ends; only spot and perpetuals are known")
    parts = [part for part in re.split(r"[/_\-.\s]", name) if part]
    if len(parts) > 1 and parts[-1] in _CONTRACTS:
        parts.pop()
    if len(parts) == 3 and parts[2] in (*QUOTES, *_MORE_QUOTES):  # noqa: PLR2004  # base, quote, margin
        parts.pop()
    symbol = _in_one_word(parts[0]) if len(parts) == 1 else None
    if symbol is not None:
        return symbol
    try:
        return Symbol.parse("/".join([*parts, "USD"] if len(parts) == 1 else parts))
    except InvalidSymbol:
        raise ValueError(f"{text!r} is not a symbol; write it like BTC/USDT") from None


def _in_one_word(word: str) -> Symbol | None:
    """DATAUSDT, PERPUSDT and TUSDT are coins like any other; XUSD may as well be a share."""
    for quote in QUOTES:
        base = word.removesuffix(quote)
        if base != word and base.isalnum() and (len(base) > 1 or len(quote) > len("USD")):
            return Symbol(base, quote)
    return None


def _in_a_name(word: str) -> Symbol | None:
    """The same in the name of a file, which says other things as well."""
    found = _in_one_word(word)
    return found if found and len(found.base) > 1 and _is_base(found.base) else None


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a file says of what is in it."""

    symbol: Symbol | None = None
    """None: nothing, or several things."""
    has_quote: bool = False
    """Else its currency is a guess: only the base stands there, as in `BTC-1h.csv`."""
    several: tuple[str, ...] = ()
    """Things that it may be, of which nobody can say which."""
    by: str = "name of the file"


def named_of(file: Path) -> Named:
    """By its own name; where that says nothing, by its folder's, as in `ETHUSDT/2024-01.csv`."""
    own = named(file.name)
    if own.symbol is not None or own.several:
        return own
    folder = file.absolute().parent.name
    says = named(folder)
    is_alone = folder.upper() in {*_NAMES, *_COINS}  # in a longer name it may be any word
    return replace(says, by="name of its folder", several=()) if says.has_quote or is_alone else own


def named(file_name: str) -> Named:
    """`BTC_USDT_USDT-1h-futures.feather`, `Binance_BTCUSDT_d.csv`, `GOOG.csv`, `candles.csv`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", file_name.partition(".")[0]) if word]
    upper = [word.upper() for word in words]
    pairs = {
        Symbol(base, quote)
        for base, quote in pairwise([*upper[:1], *map(_bare, upper[1:])])
        if quote in (*QUOTES, *_MORE_QUOTES) and base != quote and _is_base(base)
    }
    whole = pairs or {found for found in map(_begun, upper) if found}
    if len(whole) > 1:
        return Named(several=tuple(sorted(map(str, whole))))
    if whole:
        return Named(whole.pop(), has_quote=True)
    bare = {*upper, *map(_bare, upper)}
    coins = {_NAMES.get(word, word) for word in bare if word in _NAMES or word in _COINS}
    if len(coins) > 1:
        return Named(several=tuple(sorted(coins)))
    if coins:
        return Named(Symbol(coins.pop(), "USD"))
    share = words[0] if words and not coins else ""
    is_share = re.fullmatch(r"[A-Z]{1,5}", share) and _is_base(share)
    return Named(Symbol(share, "USD")) if is_share else Named()


def _begun(word: str) -> Symbol | None:
    return _in_a_name(word) or _in_a_name(_bare(word))


def _bare(word: str) -> str:
    """Without what is glued to it."""
    found = _GLUED.fullmatch(word)
    return found[1] if found else word


def length_said(file_name: str) -> str:
    """`1h` of `BTC_USDT-1h.csv`; empty where a name says no length of its bars, or several."""
    words = re.findall(r"(?<![A-Za-z0-9])(\d+[smhd])(?![A-Za-z0-9])", file_name.partition(".")[0])
    return words[0] if len(words) == 1 else ""


def _is_base(word: str) -> bool:
    plain = _NO_BASES.fullmatch(word) or _TIMEFRAME.fullmatch(word) or word.isdecimal()
    return not plain


def meant(found: Symbol, wanted: Sequence[Symbol] | None, *, has_quote: bool = False) -> Symbol:
    """*found*, or the one of *wanted* with that base, where the quote was not said."""
    if wanted is None or has_quote or found in wanted:
        return found
    same = [symbol for symbol in wanted if symbol.base == found.base]
    return same[0] if len(same) == 1 else found


def has_quote(text: str) -> bool:
    """Whether a symbol written so names its currency: BTCUSDT and BTC/USDT do, BTC does not."""
    plain = re.sub(r"[/_\-.\s:]+", " ", text.strip().upper()).split()
    return len(plain) > 1 or (bool(plain) and _in_one_word(plain[0]) is not None)


def span(step: timedelta) -> str:
    """`1m`, `15m`, `1h`, `1d`, as timeframes are written."""
    seconds = int(step.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
