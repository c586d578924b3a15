"""What Gate tells about its markets to everybody: over REST and in the public streams."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.figures import INTERVALS, Candle, candles, day, plain
from tests.servers.exchange.paging import between
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Printed
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.gate.rendering import contracts, instrument, is_swap
from tests.servers.exchange.wires.gate.words import invalid, missing

Json = Any
FRAMES = {"1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"}


class Market:
    """Each method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self._klines = site.klines
        self._ids: dict[str, str] = {
            instrument(self._engine, symbol): symbol for symbol in self._engine.rules
        }
        self._name = "contract" if is_swap(self._engine) else "currency_pair"

    def symbol(self, ask: Ask) -> str:
        if not ask.text(self._name):
            raise missing(self._name)
        return self.named(ask.text(self._name))

    def named(self, market_id: str) -> str:
        symbol: str = self._ids.get(market_id, "")
        if symbol not in self._engine.listed:
            raise Refusal(Why.UNKNOWN_SYMBOL, market_id)
        return symbol

    def settles_here(self, ask: Ask) -> bool:
        return ask.text("settle") == "usdt"

    def time(self, _ask: Ask) -> Json:
        return {"server_time": self._engine.now}

    def nothing(self, _ask: Ask) -> Json:
        """Of markets that this venue does not have."""
        return []

    def pairs(self, _ask: Ask) -> Json:
        return [self._pair(symbol) for symbol in self._engine.listed]

    def _pair(self, symbol: str) -> Json:
        rules = self._engine.rules[symbol]
        return {
            "id": instrument(self._engine, symbol),
            "base": rules.base,
            "quote": rules.quote,
            "fee": plain(self._engine.taker_fee * 100),
            "min_base_amount": plain(rules.least),
            "min_quote_amount": plain(rules.notional),
            "max_base_amount": plain(rules.most),
            "max_quote_amount": "10000000",
            "amount_precision": rules.quantity_places,
            "precision": rules.price_places,
            "trade_status": "untradable" if symbol in self._engine.halted else "tradable",
            "sell_start": 1516378650,
            "buy_start": 1516378650,
        }

    def contracts(self, ask: Ask) -> Json:
        found = self._engine.listed if self.settles_here(ask) else {}
        return [self._contract(symbol) for symbol in found]

    def one_contract(self, ask: Ask) -> Json:
        return self._contract(self.symbol(ask))

    def _contract(self, symbol: str) -> Json:
        rules, mark = self._engine.rules[symbol], plain(self._engine.mark(symbol) or ZERO)
        return {
            "name": instrument(self._engine, symbol),
            "type": "direct",
            "quanto_multiplier": plain(rules.contract),
            "ref_discount_rate": "0",
            "order_price_deviate": plain(rules.band_up - 1),
            "maintenance_rate": plain(rules.maintenance),
            "mark_type": "index",
            "last_price": plain(self._engine.price(symbol) or ZERO),
            "mark_price": mark,
            "index_price": mark,
            "funding_rate_indicative": plain(self._engine.funding_rate),
            "mark_price_round": "0.01",
            "funding_offset": 0,
            "in_delisting": symbol in self._engine.halted,
            "risk_limit_base": "1000000",
            "interest_rate": "0.0003",
            "order_price_round": plain(rules.tick),
            "order_size_min": plain(rules.least / rules.contract),
            "ref_rebate_rate": "0.2",
            "funding_interval": 28800,
            "risk_limit_step": "1000000",
            "leverage_min": "1",
            "leverage_max": str(rules.max_leverage),
            "risk_limit_max": "8000000",
            "maker_fee_rate": plain(self._engine.maker_fee),
            "taker_fee_rate": plain(self._engine.taker_fee),
            "funding_rate": plain(self._engine.funding_rate),
            "order_size_max": plain(rules.most / rules.contract),
            "funding_next_apply": self._engine.now // 1000 // 28800 * 28800 + 28800,
            "short_users": 977,
            "config_change_time": 1609899548,
            "trade_size": "37838374",
            "position_size": "40177",
            "long_users": 455,
            "funding_impact_value": "60000",
            "orders_limit": rules.max_orders,
            "trade_id": 1,
            "orderbook_id": self._engine.books[symbol].update_id,
            "enable_bonus": True,
            "enable_credit": True,
            "create_time": 1669688556,
            "funding_cap_ratio": "0.75",
            "enable_decimal": False,
            "status": "suspend" if symbol in self._engine.halted else "trading",
        }

    def tickers(self, ask: Ask) -> Json:
        if ask.text(self._name):
            return [self.ticker(self.symbol(ask))]
        here = not is_swap(self._engine) or self.settles_here(ask)
        return [self.ticker(symbol) for symbol in self._engine.listed] if here else []

    def ticker(self, symbol: str) -> Json:
        engine, of = self._engine, day(self._engine, symbol)
        (bid, bid_size), (ask, ask_size) = (
            (engine.books[symbol].depth(side, 1) or [(ZERO, ZERO)])[0] for side in ("BUY", "SELL")
        )
        shown = {
            "last": plain(of.last),
            "lowest_ask": plain(ask),
            "highest_bid": plain(bid),
            "change_percentage": plain(round(of.percent, 2)),
            "high_24h": plain(of.high),
            "low_24h": plain(of.low),
        }
        if not is_swap(engine):
            return shown | {
                "currency_pair": instrument(engine, symbol),
                "change_utc0": plain(round(of.percent, 2)),
                "change_utc8": plain(round(of.percent, 2)),
                "base_volume": plain(of.volume),
                "quote_volume": plain(of.quote),
            }
        mark = plain(engine.mark(symbol) or ZERO)
        return shown | {
            "contract": instrument(engine, symbol),
            "total_size": "32323904",
            "volume_24h": contracts(engine, symbol, of.volume, "BUY"),
            "volume_24h_btc": plain(of.volume),
            "volume_24h_usd": plain(of.quote),
            "volume_24h_base": plain(of.volume),
            "volume_24h_quote": plain(of.quote),
            "volume_24h_settle": plain(of.quote),
            "mark_price": mark,
            "funding_rate": plain(engine.funding_rate),
            "funding_rate_indicative": plain(engine.funding_rate),
            "index_price": mark,
            "lowest_size": contracts(engine, symbol, ask_size, "BUY"),
            "highest_size": contracts(engine, symbol, bid_size, "BUY"),
        }

    def book(self, ask: Ask) -> Json:
        """With an id for those who count differences, when they ask for it."""
        symbol = self.symbol(ask)
        limit = min(ask.integer("limit", 10), 300 if is_swap(self._engine) else 1000)
        now, book = self._engine.now, self._engine.books[symbol]
        sides = {"asks": book.depth("SELL", limit), "bids": book.depth("BUY", limit)}
        levels = {
            name: [self.level(symbol, *level) for level in side] for name, side in sides.items()
        }
        when: Any = now / 1000 if is_swap(self._engine) else now
        told = {"current": when, "update": when, **levels}
        return told | ({"id": book.update_id} if ask.flag("with_id") else {})

    def level(self, symbol: str, price: Any, quantity: Any) -> Json:
        if is_swap(self._engine):
            return {"p": plain(price), "s": contracts(self._engine, symbol, quantity, "BUY")}
        return [plain(price), plain(quantity)]

    def candles(self, ask: Ask) -> Json:
        """Oldest first; `from` and `to` are in seconds, and leave no room for a limit."""
        symbol, frame = self.symbol(ask), ask.text("interval", "5m")
        begin, end = ask.integer("from"), ask.integer("to")
        if (begin or end) and ask.text("limit") and begin:
            raise invalid("limit")
        bars = self.bars(symbol, frame)
        if begin or end:
            kept = between(bars, lambda bar: int(bar[0]), begin * 1000, end * 1000)
        else:
            kept = bars
        most = 2000 if is_swap(self._engine) else 1000
        limit = most if begin else min(ask.integer("limit", 100), most)
        return [self.bar(symbol, bar, frame) for bar in kept[-limit:]]

    def bars(self, symbol: str, frame: str) -> list[Candle]:
        if frame not in FRAMES:
            raise invalid("interval")
        bars = self._klines.get((symbol, frame))
        return candles(self._engine.tape[symbol], INTERVALS[frame]) if bars is None else bars

    def bar(self, symbol: str, bar: Candle, frame: str) -> Json:
        if is_swap(self._engine):
            return {
                "t": bar[0] // 1000,
                "v": float(bar[5]) / float(self._engine.rules[symbol].contract),
                "c": bar[4],
                "h": bar[2],
                "l": bar[3],
                "o": bar[1],
                "sum": bar[7],
            }
        ended = self._engine.now >= bar[0] + INTERVALS[frame]
        return [
            str(bar[0] // 1000), bar[7], bar[4], bar[2], bar[3], bar[1], bar[5],
            "true" if ended else "false",
        ]  # fmt: skip

    def trades(self, ask: Ask) -> Json:
        symbol = self.symbol(ask)
        tape = list(self._engine.tape[symbol])[-min(ask.integer("limit", 100), 1000) :]
        return [self.trade(printed, number) for number, printed in enumerate(tape)][::-1]

    def trade(self, printed: Printed, number: int) -> Json:
        side = "SELL" if printed.buyer_maker else "BUY"
        told = {
            "id": number,
            "create_time": printed.time // 1000,
            "create_time_ms": f"{printed.time}.000",
            "price": plain(printed.price),
        }
        named = instrument(self._engine, printed.symbol)
        if is_swap(self._engine):
            size = contracts(self._engine, printed.symbol, printed.quantity, side)
            return told | {"contract": named, "size": size}
        return told | {
            "currency_pair": named, "side": side.lower(), "amount": plain(printed.quantity),
        }  # fmt: skip
