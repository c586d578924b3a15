"""What both markets tell alike: numbers as text, books, tickers, candles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.servers.exchange.book import Level
from tests.servers.exchange.engine import Engine
from tests.servers.exchange.values import ZERO, Printed

Json = Any
DAY = 86_400_000
INTERVALS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": DAY,
}


def fixed(value: Decimal, places: int = 8) -> str:
    return f"{value:.{places}f}"


def plain(value: Decimal) -> str:
    """As few digits as tell it."""
    return f"{value.normalize():f}" if value else "0"


def book_levels(found: Iterable[Level]) -> list[list[str]]:
    return [[fixed(price), fixed(quantity)] for price, quantity in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The last 24 hours of a symbol; all zero before the first trade."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    volume: Decimal
    quote: Decimal
    count: int
    close_time: int

    @property
    def change(self) -> Decimal:
        return self.last - self.open

    @property
    def percent(self) -> Decimal:
        return self.change / self.open * 100 if self.open else ZERO

    @property
    def average(self) -> Decimal:
        return self.quote / self.volume if self.volume else ZERO


def day(engine: Engine, symbol: str) -> Day:
    since = engine.now - DAY
    prints = [printed for printed in engine.tape[symbol] if printed.time >= since]
    prices = [p.price for p in prints] or [engine.price(symbol) or ZERO]
    return Day(
        open=prices[0],
        high=max(prices),
        low=min(prices),
        last=prices[-1],
        last_quantity=prints[-1].quantity if prints else ZERO,
        volume=sum((p.quantity for p in prints), ZERO),
        quote=sum((p.quantity * p.price for p in prints), ZERO),
        count=len(prints),
        close_time=engine.now,
    )


Candle = list[Any]


def candles(prints: Iterable[Printed], length: int) -> list[Candle]:
    """Klines of *length* milliseconds, from the tape; a bar without a trade is left out."""
    bars: dict[int, list[Printed]] = {}
    for printed in prints:
        bars.setdefault(printed.time - printed.time % length, []).append(printed)
    return [_candle(start, length, bar) for start, bar in bars.items()]


def _candle(start: int, length: int, bar: list[Printed]) -> Candle:
    prices = [printed.price for printed in bar]
    bought = [printed for printed in bar if not printed.buyer_maker]
    return [
        start,
        fixed(prices[0]),
        fixed(max(prices)),
        fixed(min(prices)),
        fixed(prices[-1]),
        fixed(sum((p.quantity for p in bar), ZERO)),
        start + length - 1,
        fixed(sum((p.quantity * p.price for p in bar), ZERO)),
        len(bar),
        fixed(sum((p.quantity for p in bought), ZERO)),
        fixed(sum((p.quantity * p.price for p in bought), ZERO)),
        "0",
    ]


def ticker(engine: Engine, symbol: str) -> Json:
    """`ticker/24hr`, the keys that both markets have."""
    of = day(engine, symbol)
    return {
        "symbol": symbol,
        "priceChange": fixed(of.change),
        "priceChangePercent": fixed(of.percent, 3),
        "weightedAvgPrice": fixed(of.average),
        "lastPrice": fixed(of.last),
        "lastQty": fixed(of.last_quantity),
        "openPrice": fixed(of.open),
        "highPrice": fixed(of.high),
        "lowPrice": fixed(of.low),
        "volume": fixed(of.volume),
        "quoteVolume": fixed(of.quote),
        "openTime": of.close_time - DAY,
        "closeTime": of.close_time,
        "firstId": 0,
        "lastId": of.count,
        "count": of.count,
    }


def best(engine: Engine, symbol: str) -> tuple[str, str, str, str]:
    """Bid price and quantity, ask price and quantity; zeros where there is none."""
    bids, asks = (engine.books[symbol].depth(side, 1) for side in ("BUY", "SELL"))
    (bid, bid_size), (ask, ask_size) = ((side or [(ZERO, ZERO)])[0] for side in (bids, asks))
    return fixed(bid), fixed(bid_size), fixed(ask), fixed(ask_size)


def book_ticker(engine: Engine, symbol: str) -> Json:
    bid, bid_size, ask, ask_size = best(engine, symbol)
    return {
        "symbol": symbol,
        "bidPrice": bid,
        "bidQty": bid_size,
        "askPrice": ask,
        "askQty": ask_size,
    }


# --- streams -------------------------------------------------------------------------------------


def mini_ticker_event(engine: Engine, symbol: str) -> Json:
    of = day(engine, symbol)
    return {
        "e": "24hrMiniTicker",
        "E": engine.now,
        "s": symbol,
        "c": fixed(of.last),
        "o": fixed(of.open),
        "h": fixed(of.high),
        "l": fixed(of.low),
        "v": fixed(of.volume),
        "q": fixed(of.quote),
    }


def ticker_event(engine: Engine, symbol: str) -> Json:
    """`24hrTicker`, the keys that both markets have."""
    of = day(engine, symbol)
    return mini_ticker_event(engine, symbol) | {
        "e": "24hrTicker",
        "p": fixed(of.change),
        "P": fixed(of.percent, 3),
        "w": fixed(of.average),
        "Q": fixed(of.last_quantity),
        "O": of.close_time - DAY,
        "C": of.close_time,
        "F": 0,
        "L": of.count,
        "n": of.count,
    }


def kline_event(engine: Engine, symbol: str, interval: str, bar: Candle) -> Json:
    return {
        "e": "kline",
        "E": engine.now,
        "s": symbol,
        "k": {
            "t": bar[0],
            "T": bar[6],
            "s": symbol,
            "i": interval,
            "f": 0,
            "L": bar[8],
            "o": bar[1],
            "c": bar[4],
            "h": bar[2],
            "l": bar[3],
            "v": bar[5],
            "n": bar[8],
            "x": engine.now > bar[6],
            "q": bar[7],
            "V": bar[9],
            "Q": bar[10],
            "B": "0",
        },
    }


def book_ticker_event(engine: Engine, symbol: str) -> Json:
    bid, bid_size, ask, ask_size = best(engine, symbol)
    return {
        "u": engine.books[symbol].update_id,
        "s": symbol,
        "b": bid,
        "B": bid_size,
        "a": ask,
        "A": ask_size,
    }


def trade_event(printed: Printed, number: int) -> Json:
    return {
        "e": "trade",
        "E": printed.time,
        "s": printed.symbol,
        "t": number,
        "p": fixed(printed.price),
        "q": fixed(printed.quantity),
        "T": printed.time,
        "m": printed.buyer_maker,
        "M": True,
    }
