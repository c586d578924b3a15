"""What Kraken tells about its markets to everybody, over REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.servers.exchange.figures import INTERVALS, Candle, candles, day, fixed, plain
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Printed
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.kraken import rendering
from tests.servers.exchange.wires.kraken.words import malformed

Json = Any
FRAMES = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}
NEWEST = 720
"""Bars that are told, however old the first one is that is asked for."""
PRINTS = 1000
TAKER = [[0, 0.26], [50000, 0.24], [100000, 0.22]]
MAKER = [[0, 0.16], [50000, 0.14], [100000, 0.12]]


def iso(millis: int) -> str:
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


class Market:
    """Each method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self._klines = site.klines

    # --- names ---

    def name(self, symbol: str) -> str:
        """Id and altname of a pair, which are one here."""
        rules = self._engine.rules[symbol]
        return rendering.pair(rules.base, rules.quote)

    def ws_name(self, symbol: str) -> str:
        """As the streams of the second version call it."""
        rules = self._engine.rules[symbol]
        return f"{rules.base}/{rules.quote}"

    def symbol_of(self, name: str) -> str:
        for symbol in self._engine.listed:
            if name in {self.name(symbol), self._wsname(symbol)}:
                return str(symbol)
        raise Refusal(Why.UNKNOWN_SYMBOL, name)

    def _wsname(self, symbol: str) -> str:
        """As `AssetPairs` calls it for the streams of the first version."""
        rules = self._engine.rules[symbol]
        return f"{'XBT' if rules.base == 'BTC' else rules.base}/{rules.quote}"

    def _asked(self, ask: Ask) -> str:
        return self.symbol_of(ask.required("pair"))

    # --- paths ---

    def time(self, _ask: Ask) -> Json:
        now = self._engine.now
        moment = datetime.fromtimestamp(now / 1000, UTC)
        return {"unixtime": now // 1000, "rfc1123": f"{moment:%a, %d %b %y %H:%M:%S} +0000"}

    def status(self, _ask: Ask) -> Json:
        return {"status": "online", "timestamp": iso(self._engine.now)}

    def assets(self, _ask: Ask) -> Json:
        names = {name for r in self._engine.listed.values() for name in (r.base, r.quote)}
        return {
            rendering.asset(name): {
                "aclass": "currency",
                "altname": "XBT" if name == "BTC" else name,
                "decimals": 10,
                "display_decimals": 5,
                "collateral_value": 1,
                "status": "enabled",
            }
            for name in sorted(names)
        }

    def pairs(self, ask: Ask) -> Json:
        """All, or those that are named."""
        wanted = ask.text("pair")
        found = [self.symbol_of(name) for name in wanted.split(",")] if wanted else []
        return {self.name(one): self._pair(one) for one in found or self._engine.listed}

    def _pair(self, symbol: str) -> Json:
        rules = self._engine.rules[symbol]
        return {
            "altname": self.name(symbol),
            "wsname": self._wsname(symbol),
            "aclass_base": "currency",
            "base": rendering.asset(rules.base),
            "aclass_quote": "currency",
            "quote": rendering.asset(rules.quote),
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": rules.price_places,
            "lot_decimals": rules.quantity_places,
            "lot_multiplier": 1,
            "leverage_buy": [2, 3],
            "leverage_sell": [2, 3],
            "fees": TAKER,
            "fees_maker": MAKER,
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": plain(rules.least),
            "costmin": plain(rules.notional),
            "tick_size": plain(rules.tick),
            "status": "cancel_only" if symbol in self._engine.halted else "online",
            "long_position_limit": 250,
            "short_position_limit": 200,
        }

    def tickers(self, ask: Ask) -> Json:
        """All without `pair`; one that is unknown refuses the whole."""
        wanted = ask.text("pair")
        found = [self.symbol_of(name) for name in wanted.split(",")] if wanted else []
        return {self.name(one): self._ticker(one) for one in found or self._engine.listed}

    def best(self, symbol: str, side: str) -> tuple[Any, Any]:
        book = self._engine.books[symbol]
        found = book.depth(side, 1)
        return found[0] if found else (ZERO, ZERO)

    def _ticker(self, symbol: str) -> Json:
        of = day(self._engine, symbol)
        (bid, bid_size), (ask, ask_size) = (self.best(symbol, side) for side in ("BUY", "SELL"))
        volume, average = fixed(of.volume), fixed(of.average or of.last, 5)
        return {
            "a": [fixed(ask, 5), str(int(ask_size)), fixed(ask_size, 3)],
            "b": [fixed(bid, 5), str(int(bid_size)), fixed(bid_size, 3)],
            "c": [fixed(of.last, 5), fixed(of.last_quantity)],
            "v": [volume, volume],
            "p": [average, average],
            "t": [of.count, of.count],
            "l": [fixed(of.low, 5), fixed(of.low, 5)],
            "h": [fixed(of.high, 5), fixed(of.high, 5)],
            "o": fixed(of.open, 5),
        }

    def depth(self, ask: Ask) -> Json:
        symbol, count = self._asked(ask), min(ask.integer("count", 100), 500)
        book, now = self._engine.books[symbol], self._engine.now // 1000
        sides = {
            side: [
                [fixed(price, 5), fixed(size, 3), now] for price, size in book.depth(word, count)
            ]
            for side, word in (("asks", "SELL"), ("bids", "BUY"))
        }
        return {self.name(symbol): sides}

    def ohlc(self, ask: Ask) -> Json:
        """After `since`, which is left out itself; never more than the newest 720, and the last
        one is not closed yet."""
        symbol, interval = self._asked(ask), ask.integer("interval", 1)
        if interval not in FRAMES:
            raise malformed("interval")
        since = ask.integer("since") * 1000
        kept = [bar for bar in self.bars(symbol, interval)[-NEWEST:] if int(bar[0]) > since]
        last = int(kept[-2][0]) // 1000 if len(kept) > 1 else since // 1000
        return {self.name(symbol): [_bar(bar) for bar in kept], "last": last}

    def bars(self, symbol: str, interval: int) -> list[Candle]:
        """Oldest first: what the test has set, else those of the tape."""
        frame = FRAMES[interval]
        bars = self._klines.get((symbol, frame))
        return candles(self._engine.tape[symbol], INTERVALS[frame]) if bars is None else bars

    def trades(self, ask: Ask) -> Json:
        """The oldest from `since` on, else the newest."""
        symbol, since = self._asked(ask), ask.integer("since")
        count = min(ask.integer("count", PRINTS), PRINTS)
        since = since // 1_000_000 if since > 10**15 else since * 1000
        tape = [(n, p) for n, p in enumerate(self._engine.tape[symbol]) if p.time > since]
        shown = tape[:count] if since else tape[-count:]
        last = shown[-1][1].time * 1_000_000 if shown else since * 1_000_000
        return {self.name(symbol): [_print(n, p) for n, p in shown], "last": str(last)}


def _bar(bar: Candle) -> Json:
    average = float(bar[7]) / float(bar[5]) if float(bar[5]) else float(bar[4])
    return [int(bar[0]) // 1000, *map(str, bar[1:5]), f"{average:.5f}", str(bar[5]), int(bar[8])]


def _print(number: int, printed: Printed) -> Json:
    side = "s" if printed.buyer_maker else "b"
    price, quantity = fixed(printed.price, 5), fixed(printed.quantity)
    return [price, quantity, printed.time / 1000, side, "m", "", 61_000_000 + number]
