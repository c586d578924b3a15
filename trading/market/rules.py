"""Filters of real markets, as data: what one step of price and quantity is there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from trading.types import MarketRules, Symbol


def _table(*rows: tuple[str, str, str, str]) -> Mapping[Symbol, MarketRules]:
    return MappingProxyType(
        {
            Symbol.parse(symbol): MarketRules(
                tick=Decimal(tick), lot=Decimal(lot), min_notional=Decimal(min_notional)
            )
            for symbol, tick, lot, min_notional in rows
        }
    )


BINANCE_PERPETUALS_2021 = _table(
    # symbol, tick (quote), lot (base), least notional (quote)
    ("BTC/USDT", "0.01", "0.001", "5"),
    ("ETH/USDT", "0.01", "0.001", "5"),
    ("XRP/USDT", "0.0001", "0.1", "5"),
    ("ADA/USDT", "0.0001", "1", "5"),
    ("DOGE/USDT", "0.00001", "1", "5"),
)
"""Binance USDT perpetuals: PRICE_FILTER, LOT_SIZE and MIN_NOTIONAL of `/fapi/v1/exchangeInfo` as
recorded on 22 July 2021 (github.com/bmoscon/cryptofeed, commit ce58c2a, sample_data).  Two months
after the recorded crash, and the nearest there is; the recorded prices fit these ticks exactly."""

BINANCE_PERPETUALS_2025 = _table(
    ("BTC/USDT", "0.1", "0.001", "100"),
    ("ETH/USDT", "0.01", "0.001", "20"),
    ("SOL/USDT", "0.01", "1", "5"),
    ("XRP/USDT", "0.0001", "0.1", "5"),
    ("DOGE/USDT", "0.00001", "1", "5"),
    ("1000PEPE/USDT", "0.0000001", "1", "5"),
    ("SUI/USDT", "0.0001", "0.1", "5"),
    ("LINK/USDT", "0.001", "0.01", "5"),
    ("AVAX/USDT", "0.001", "1", "5"),
    ("LTC/USDT", "0.01", "0.001", "5"),
    ("APE/USDT", "0.0001", "1", "5"),
    ("GMT/USDT", "0.00001", "1", "5"),
    ("COTI/USDT", "0.00001", "1", "5"),
    ("ZRX/USDT", "0.0001", "0.1", "5"),
)
"""The same as recorded in November 2025 (github.com/vStrek01/ai-binance-bot-v3, commit 7ce7b11,
data/exchange_info.json); the hours recorded in 2026 fit these ticks exactly."""
