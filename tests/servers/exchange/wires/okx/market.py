"""What OKX tells about its markets to everybody: over REST and in the public streams."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.servers.exchange.figures import INTERVALS, Candle, candles, day, plain
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Printed
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.okx.rendering import (
    instrument,
    instrument_type,
    is_swap,
    size,
)
from tests.servers.exchange.wires.okx.words import absent, parameter

Json = Any
TYPES = {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}
HOURS = 8 * INTERVALS["1h"]
"""Long bars open with the day of Hong Kong, unless their name ends with `utc`."""
FRAMES = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "2H": "2h",
    "4H": "4h", "6H": "6h", "12H": "12h", "1D": "1d",
    "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d",
}  # fmt: skip
LONG = {"6H", "12H", "1D"}
RECENT = 1_440
"""Bars that `candles` knows; older ones are told by `history-candles`."""


class Market:
    """Each method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self._klines = site.klines
        self._ids: dict[str, str] = {
            instrument(self._engine, symbol): symbol for symbol in self._engine.rules
        }

    def symbol(self, ask: Ask) -> str:
        if not ask.text("instId"):
            raise absent("instId")
        return self.named(ask.text("instId"))

    def named(self, instrument_id: str) -> str:
        symbol: str = self._ids.get(instrument_id, "")
        if symbol not in self._engine.listed:
            raise Refusal(Why.UNKNOWN_SYMBOL, instrument_id)
        return symbol

    def kind(self, ask: Ask) -> str:
        """`instType`; each venue here has one that has markets."""
        kind = ask.text("instType")
        if not kind:
            raise absent("instType")
        if kind not in TYPES:
            raise parameter("instType")
        return kind

    def time(self, _ask: Ask) -> Json:
        return [{"ts": str(self._engine.now)}]

    def status(self, _ask: Ask) -> Json:
        """Of planned maintenance: none."""
        return []

    def instruments(self, ask: Ask) -> Json:
        if self.kind(ask) != instrument_type(self._engine):
            return []
        only = ask.text("instId")
        return [
            self._instrument(symbol)
            for symbol in self._engine.listed
            if only in {"", instrument(self._engine, symbol)}
        ]

    def _instrument(self, symbol: str) -> Json:
        rules, swap = self._engine.rules[symbol], is_swap(self._engine)
        family = f"{rules.base}-{rules.quote}"
        most, least = (
            size(self._engine, symbol, rules.most),
            size(self._engine, symbol, rules.least),
        )
        return {
            "alias": "",
            "baseCcy": "" if swap else rules.base,
            "category": "1",
            "ctMult": "1" if swap else "",
            "ctType": "linear" if swap else "",
            "ctVal": plain(rules.contract) if swap else "",
            "ctValCcy": rules.base if swap else "",
            "expTime": "",
            "instFamily": family if swap else "",
            "instId": instrument(self._engine, symbol),
            "instType": instrument_type(self._engine),
            "lever": str(rules.max_leverage) if swap else "10",
            "listTime": "1606468572000",
            "lotSz": size(self._engine, symbol, rules.lot),
            "maxIcebergSz": most,
            "maxLmtAmt": "20000000",
            "maxLmtSz": most,
            "maxMktAmt": "" if swap else "1000000",
            "maxMktSz": size(self._engine, symbol, rules.market_most) if swap else "1000000",
            "maxStopSz": most,
            "maxTriggerSz": most,
            "maxTwapSz": most,
            "minSz": least,
            "optType": "",
            "quoteCcy": "" if swap else rules.quote,
            "settleCcy": rules.quote if swap else "",
            "state": "suspend" if symbol in self._engine.halted else "live",
            "stk": "",
            "tickSz": plain(rules.tick),
            "uly": family if swap else "",
        }

    def tickers(self, ask: Ask) -> Json:
        if self.kind(ask) != instrument_type(self._engine):
            return []
        return [self.ticker(symbol) for symbol in self._engine.listed]

    def one_ticker(self, ask: Ask) -> Json:
        return [self.ticker(self.symbol(ask))]

    def ticker(self, symbol: str) -> Json:
        """`vol24h` is in contracts where there are contracts, `volCcy24h` then in coins."""
        engine, of = self._engine, day(self._engine, symbol)
        (bid, bid_size), (ask, ask_size) = (
            (engine.books[symbol].depth(side, 1) or [(ZERO, ZERO)])[0] for side in ("BUY", "SELL")
        )
        return {
            "instType": instrument_type(engine),
            "instId": instrument(engine, symbol),
            "last": plain(of.last),
            "lastSz": size(engine, symbol, of.last_quantity),
            "askPx": plain(ask),
            "askSz": size(engine, symbol, ask_size),
            "bidPx": plain(bid),
            "bidSz": size(engine, symbol, bid_size),
            "open24h": plain(of.open),
            "high24h": plain(of.high),
            "low24h": plain(of.low),
            "volCcy24h": plain(of.volume if is_swap(engine) else of.quote),
            "vol24h": size(engine, symbol, of.volume),
            "sodUtc0": plain(of.open),
            "sodUtc8": plain(of.open),
            "ts": str(engine.now),
        }

    def book(self, ask: Ask) -> Json:
        symbol = self.symbol(ask)
        return [self.levels(symbol, min(ask.integer("sz", 1), 400))]

    def levels(self, symbol: str, limit: int) -> Json:
        """Price, size, a zero that is deprecated, and how many orders."""
        book = self._engine.books[symbol]
        return {
            "asks": [self.level(symbol, *level) for level in book.depth("SELL", limit)],
            "bids": [self.level(symbol, *level) for level in book.depth("BUY", limit)],
            "ts": str(self._engine.now),
        }

    def level(self, symbol: str, price: Decimal, quantity: Decimal) -> list[str]:
        return [plain(price), size(self._engine, symbol, quantity), "0", "1" if quantity else "0"]

    def candles(self, ask: Ask) -> Json:
        return self._candles(ask, most=300, recent=RECENT)

    def history_candles(self, ask: Ask) -> Json:
        """100 at a time [?: ccxt asks for 300]."""
        return self._candles(ask, most=100, recent=0)

    def _candles(self, ask: Ask, *, most: int, recent: int) -> Json:
        """Newest first: `after` (older than) and `before` (newer than) leave their moment out."""
        symbol = self.symbol(ask)
        after, before = ask.integer("after"), ask.integer("before")
        bars = self.bars(symbol, ask.text("bar", "1m"))[-recent:]
        found = [bar for bar in bars if bar[0] > before and (not after or bar[0] < after)]
        limit = min(ask.integer("limit", 100), most)
        return [self.bar(symbol, bar, ask.text("bar", "1m")) for bar in found[::-1][:limit]]

    def bars(self, symbol: str, name: str) -> list[Candle]:
        """Oldest first: what the test has set, else those of the tape."""
        if name not in FRAMES:
            raise parameter("bar")
        frame, shift = FRAMES[name], HOURS if name in LONG else 0
        bars = self._klines.get((symbol, frame))
        if bars is None:
            tape = [_shifted(printed, shift) for printed in self._engine.tape[symbol]]
            bars = candles(tape, INTERVALS[frame])
        return [[bar[0] - shift, *bar[1:]] for bar in bars]

    def bar(self, symbol: str, bar: Candle, name: str) -> list[str]:
        ended = self._engine.now >= bar[0] + INTERVALS[FRAMES[name]]
        volume = Decimal(bar[5])
        return [
            str(bar[0]), *(str(price) for price in bar[1:5]),
            size(self._engine, symbol, volume),
            plain(volume if is_swap(self._engine) else Decimal(bar[7])),
            plain(Decimal(bar[7])), "1" if ended else "0",
        ]  # fmt: skip

    def trades(self, ask: Ask) -> Json:
        symbol = self.symbol(ask)
        tape = list(self._engine.tape[symbol])[-min(ask.integer("limit", 100), 500) :]
        return [self.trade(printed, number) for number, printed in enumerate(tape)][::-1]

    def trade(self, printed: Printed, number: int) -> Json:
        return {
            "instId": instrument(self._engine, printed.symbol),
            "side": "sell" if printed.buyer_maker else "buy",
            "sz": size(self._engine, printed.symbol, printed.quantity),
            "px": plain(printed.price),
            "tradeId": str(number),
            "ts": str(printed.time),
        }

    def mark_prices(self, ask: Ask) -> Json:
        self.kind(ask)
        only = ask.text("instId")
        return [
            {
                "instType": "SWAP",
                "instId": instrument(self._engine, symbol),
                "markPx": plain(self._engine.mark(symbol) or ZERO),
                "ts": str(self._engine.now),
            }
            for symbol in self._engine.listed
            if is_swap(self._engine) and only in {"", instrument(self._engine, symbol)}
        ]

    def funding_rate(self, ask: Ask) -> Json:
        symbol, now = self.symbol(ask), self._engine.now
        if not is_swap(self._engine):
            raise Refusal(Why.UNKNOWN_SYMBOL, symbol)
        due = now // HOURS * HOURS + HOURS
        return [
            {
                "fundingRate": plain(self._engine.funding_rate),
                "fundingTime": str(due),
                "instId": instrument(self._engine, symbol),
                "instType": "SWAP",
                "method": "current_period",
                "maxFundingRate": "0.00375",
                "minFundingRate": "-0.00375",
                "nextFundingTime": str(due + HOURS),
                "premium": "0",
                "settFundingRate": plain(self._engine.funding_rate),
                "settState": "settled",
                "ts": str(now),
            }
        ]


def _shifted(printed: Printed, shift: int) -> Printed:
    return replace(printed, time=printed.time + shift) if shift else printed
