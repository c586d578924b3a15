"""A look at a market's order book before an entry; what cannot be seen is not entered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from trading.errors import VenueError
from trading.ports import Venue
from trading.types import Depth, Symbol

BookAnswer = Depth | str | None
"""An order book; why it cannot be had; or None where the venue shows none."""
BookAnswers = Mapping[Symbol, BookAnswer]
LOOK_WITHIN = 2.0
"""Seconds for an order book, before an entry is refused for want of it."""


async def look(venue: Venue, symbol: Symbol) -> BookAnswer:
    """The order book of *symbol*; fails closed, in words."""
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            return await venue.depth(symbol)
    except TimeoutError:
        return f"the order book did not come within {LOOK_WITHIN:g}\u00a0s"
    except VenueError as error:
        return f"the order book cannot be had: {error}"


async def looks(venue: Venue, symbols: Iterable[Symbol]) -> BookAnswers:
    """The order books of *symbols*, asked for together, where the venue shows any."""
    if not venue.shows_books:
        return {}
    wanted = list(dict.fromkeys(symbols))
    found = await asyncio.gather(*(look(venue, symbol) for symbol in wanted))
    return dict(zip(wanted, found, strict=True))
