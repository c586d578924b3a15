"""What a market looks like, in no exchange's words: numbers as text, the last day, candles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.servers.exchange.engine import Engine
from tests.servers.exchange.values import ZERO, Printed

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
