"""Exchanges, one file each: `binance.py` holds `EXCHANGES`, one `Exchange` for each of its markets.

A file is imported where its exchange is configured, and ccxt by none of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import cast

from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.row import Can, Market


def names() -> list[str]:
    """Return the names of all exchanges that there are; none of them is imported."""
    return sorted(file.name for file in pkgutil.iter_modules(__path__))


@cache
def markets_of(name: str) -> Mapping[Market, Exchange]:
    """Return what there is of the exchange of that name, refused or not.  Raises `KeyError`."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Mapping[Market, Exchange]", module.EXCHANGES)


def exchange(name: str, market: Market) -> Exchange:
    """Raises `KeyError` for what there is not."""
    return markets_of(name)[market]


def offered(name: str) -> list[Market]:
    """Return the markets of it that can be traded."""
    found = markets_of(name).items()
    return [market for market, each in found if not each.row.lacking(Can.ENTRIES)]
