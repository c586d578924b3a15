"""What Bybit tells about its markets to everybody: over REST and in the public streams."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.figures import INTERVALS, Candle, candles, day, plain
from tests.servers.exchange.paging import between
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Printed
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.bybit.rendering import PLACED, category, is_swap
from tests.servers.exchange.wires.bybit.words import malformed

Json = Any
CATEGORIES = {"spot", "linear", "inverse", "option"}
FRAMES = {
    "1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "120": "2h",
    "240": "4h", "360": "6h", "720": "12h", "D": "1d",
}  # fmt: skip


class Market:
    """Each method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self._klines = site.klines

    def category(self, ask: Ask) -> str:
        """The one that is asked about; each venue here has one with markets, the others empty."""
        wanted = ask.required("category")
        if wanted not in CATEGORIES:
            raise malformed("category")
        return wanted

    def symbol(self, ask: Ask) -> str:
        symbol = ask.required("symbol")
        if self.category(ask) != category(self._engine) or symbol not in self._engine.listed:
            raise Refusal(Why.UNKNOWN_SYMBOL, symbol)
        return symbol

    def time(self, _ask: Ask) -> Json:
        now = self._engine.now
        return {"timeSecond": str(now // 1000), "timeNano": f"{now}000000"}

    def status(self, _ask: Ask) -> Json:
        """Of planned maintenance: none."""
        return {"list": []}

    def instruments(self, ask: Ask) -> Json:
        wanted, only = self.category(ask), ask.text("symbol")
        found = self._engine.listed if wanted == category(self._engine) else {}
        trading = ask.text("status", "Trading") == "Trading"
        shown = [self._instrument(name) for name in found if only in {"", name} and trading]
        if only and not shown and trading:
            raise Refusal(Why.UNKNOWN_SYMBOL, only)
        return {"category": wanted, "list": shown, "nextPageCursor": ""}

    def _instrument(self, symbol: str) -> Json:
        rules = self._engine.rules[symbol]
        shown = {
            "symbol": symbol,
            "baseCoin": rules.base,
            "quoteCoin": rules.quote,
            "status": "Closed" if symbol in self._engine.halted else "Trading",
        }
        if not is_swap(self._engine):
            return shown | {
                "innovation": "0",
                "marginTrading": "utaOnly",
                "stTag": "0",
                "lotSizeFilter": {
                    "basePrecision": plain(rules.lot),
                    "quotePrecision": "0.00000001",
                    "minOrderQty": plain(rules.least),
                    "maxOrderQty": plain(rules.most),
                    "minOrderAmt": plain(rules.notional),
                    "maxOrderAmt": "2000000",
                },
                "priceFilter": {"tickSize": plain(rules.tick)},
                "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
            }
        return shown | {
            "contractType": "LinearPerpetual",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "deliveryFeeRate": "",
            "priceScale": str(rules.price_places),
            "leverageFilter": {
                "minLeverage": "1",
                "maxLeverage": f"{rules.max_leverage}.00",
                "leverageStep": "0.01",
            },
            "priceFilter": {
                "minPrice": plain(rules.tick),
                "maxPrice": "1999999.80",
                "tickSize": plain(rules.tick),
            },
            "lotSizeFilter": {
                "maxOrderQty": plain(rules.most),
                "maxMktOrderQty": plain(rules.market_most),
                "minOrderQty": plain(rules.least),
                "qtyStep": plain(rules.lot),
                "postOnlyMaxOrderQty": plain(rules.most),
                "minNotionalValue": plain(rules.notional),
            },
            "unifiedMarginTrade": True,
            "fundingInterval": 480,
            "settleCoin": rules.quote,
            "copyTrading": "none",
            "upperFundingRate": "0.00375",
            "lowerFundingRate": "-0.00375",
        }

    def tickers(self, ask: Ask) -> Json:
        wanted = self.category(ask)
        if ask.text("symbol"):
            return {"category": wanted, "list": [self.ticker(self.symbol(ask))]}
        found = self._engine.listed if wanted == category(self._engine) else {}
        return {"category": wanted, "list": [self.ticker(symbol) for symbol in found]}

    def ticker(self, symbol: str) -> Json:
        of, book = day(self._engine, symbol), self._engine.books[symbol]
        (bid, bid_size), (ask, ask_size) = (
            (book.depth(side, 1) or [(ZERO, ZERO)])[0] for side in ("BUY", "SELL")
        )
        shown = {
            "symbol": symbol,
            "bid1Price": plain(bid),
            "bid1Size": plain(bid_size),
            "ask1Price": plain(ask),
            "ask1Size": plain(ask_size),
            "lastPrice": plain(of.last),
            "prevPrice24h": plain(of.open),
            "price24hPcnt": plain(round(of.percent / 100, 6)),
            "highPrice24h": plain(of.high),
            "lowPrice24h": plain(of.low),
            "turnover24h": plain(of.quote),
            "volume24h": plain(of.volume),
        }
        if not is_swap(self._engine):
            return shown | {"usdIndexPrice": plain(of.last)}
        mark = plain(self._engine.mark(symbol) or ZERO)
        return shown | {
            "indexPrice": mark,
            "markPrice": mark,
            "prevPrice1h": plain(of.open),
            "openInterest": "373504",
            "openInterestValue": "2250567",
            "fundingRate": plain(self._engine.funding_rate),
            "nextFundingTime": str(self.next_funding()),
            "predictedDeliveryPrice": "",
            "basisRate": "",
            "deliveryFeeRate": "",
            "deliveryTime": "0",
            "basis": "",
        }

    def next_funding(self) -> int:
        eight_hours = 8 * INTERVALS["1h"]
        return int(self._engine.now) // eight_hours * eight_hours + eight_hours

    def streamed_ticker(self, symbol: str) -> Json:
        """As the stream has it: of spot without the best prices."""
        shown = self.ticker(symbol)
        if is_swap(self._engine):
            return shown | {"tickDirection": "PlusTick"}
        return {name: value for name, value in shown.items() if "1" not in name}

    def book(self, ask: Ask) -> Json:
        symbol = self.symbol(ask)
        most = 500 if is_swap(self._engine) else 200
        return self.levels(symbol, min(ask.integer("limit", 25 if most > 200 else 1), most)) | {
            "ts": self._engine.now
        }

    def levels(self, symbol: str, limit: int) -> Json:
        book = self._engine.books[symbol]
        return {
            "s": symbol,
            "b": [[plain(price), plain(size)] for price, size in book.depth("BUY", limit)],
            "a": [[plain(price), plain(size)] for price, size in book.depth("SELL", limit)],
            "u": book.update_id,
            "seq": book.update_id,
        }

    def kline(self, ask: Ask) -> Json:
        """Newest first; with a start the first *limit* from there, else the last ones."""
        symbol, limit = self.symbol(ask), min(ask.integer("limit", 200), 1000)
        start, end = ask.integer("start"), ask.integer("end")
        found = between(self.bars(symbol, ask.required("interval")), _opened, start, end)
        kept = found[:limit] if start else found[-limit:]
        shown = [[str(bar[0]), *bar[1:6], bar[7]] for bar in reversed(kept)]
        return {"category": category(self._engine), "symbol": symbol, "list": shown}

    def bars(self, symbol: str, interval: str) -> list[Candle]:
        """Oldest first: what the test has set, else those of the tape."""
        if interval not in FRAMES:
            raise malformed("interval")
        frame = FRAMES[interval]
        bars = self._klines.get((symbol, frame))
        return candles(self._engine.tape[symbol], INTERVALS[frame]) if bars is None else bars

    def streamed_bar(self, symbol: str, interval: str) -> Json | None:
        bars = self.bars(symbol, interval)
        if not bars:
            return None
        bar, length, now = bars[-1], INTERVALS[FRAMES[interval]], self._engine.now
        return {
            "start": bar[0],
            "end": bar[0] + length - 1,
            "interval": interval,
            "open": bar[1],
            "close": bar[4],
            "high": bar[2],
            "low": bar[3],
            "volume": bar[5],
            "turnover": bar[7],
            "confirm": now >= bar[0] + length,
            "timestamp": now,
        }

    def trades(self, ask: Ask) -> Json:
        symbol = self.symbol(ask)
        most = 1000 if is_swap(self._engine) else 60
        tape = list(self._engine.tape[symbol])[-min(ask.integer("limit", 500), most) :]
        shown = [
            {
                "execId": f"21000000{number}",
                "symbol": symbol,
                "price": plain(printed.price),
                "size": plain(printed.quantity),
                "side": _side(printed),
                "time": str(printed.time),
                "isBlockTrade": False,
            }
            for number, printed in enumerate(tape)
        ]
        return {"category": category(self._engine), "list": shown[::-1]}


def streamed_trade(printed: Printed) -> Json:
    return {
        "T": printed.time,
        "s": printed.symbol,
        "S": _side(printed),
        "v": plain(printed.quantity),
        "p": plain(printed.price),
        "L": "PlusTick",
        "i": f"20f43950-d8dd-5b31-9112-{printed.time:012x}",
        "BT": False,
    }


def _side(printed: Printed) -> str:
    """The taker's."""
    return PLACED["SELL" if printed.buyer_maker else "BUY"]


def _opened(bar: Candle) -> int:
    return int(bar[0])
