"""What both of Binance's markets tell alike: books, tickers, candles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.servers.exchange.book import Level
from tests.servers.exchange.engine import Engine
from tests.servers.exchange.figures import DAY, Candle, day, fixed
from tests.servers.exchange.values import ZERO, Printed

Json = Any


def book_levels(found: Iterable[Level]) -> list[list[str]]:
    return [[fixed(price), fixed(quantity)] for price, quantity in found]


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
