"""What each market of each exchange is offered for, for people; out of the rows alone."""

from __future__ import annotations

from collections.abc import Iterator

from trading.types import Stops, Targets
from trading.venues import exchanges
from trading.venues.ccxt.row import Can, MarketBuys, Row

_HEAD = """\
# Exchanges

Written by `make docs` from the files of `trading/venues/exchanges/`. What is not offered is
refused in a sentence: by the settings, at the start, or when it is asked for.
[How to add one](adding-an-exchange.md).

All of it is shown on servers of ours that speak as the exchange does. On the real one it counts as
unproven until `quarterdeck prove NAME` has passed there ([how](proving.md)), as `/venues` says.
"""


def as_markdown() -> str:
    """The page of the documents."""
    return "\n".join((_HEAD, *_lines())).rstrip() + "\n"


def _lines() -> Iterator[str]:
    for name in exchanges.names():
        for exchange in exchanges.markets_of(name).values():
            row = exchange.row
            yield f"## {row.exchange} {row.market}"
            yield ""
            if row.lacking(Can.ENTRIES):
                yield f"Not offered: {row.lacking(Can.ENTRIES)}"
                yield ""
                continue
            yield from _table(row)
            yield ""


def _table(row: Row) -> Iterator[str]:
    yield "| what | here |"
    yield "|---|---|"
    for what in asked_of(row):
        yield f"| {what} | {_words(row, what)} |"
    yield f"| rests while the desk is down | {resting(row)} |"
    yield f"| an account needs | {', '.join(f'`{part}_file`' for part in row.credentials)} |"
    yield f"| what a key needs | [`{row.guide}`]({row.guide.removeprefix('docs/')}) |"


def asked_of(row: Row) -> list[Can]:
    """What makes a difference there: nothing is borrowed on spot, so nothing is reduced."""
    never = {Can.ENTRIES, Can.PRICES, *({Can.HEDGE, Can.REDUCE_ONLY} if row.is_spot else set())}
    return [what for what in Can if what not in never]


def _words(row: Row, what: Can) -> str:
    if row.lacking(what):
        return row.lacking(what)
    if what is Can.MARKET_BUYS and row.is_spot and row.market_buys is MarketBuys.CROSSING:
        return "yes, as a limit order across the book that names the coins"
    if what is Can.STOPS and row.stops is Stops.LIMIT:
        return "as an order with a limit once it is touched"
    return "yes"


def resting(row: Row) -> str:
    """What protects a position there while nobody runs."""
    if row.stops is Stops.DESK:
        return "nothing: the desk keeps stop and target"
    return "its stop" if row.targets is Targets.DESK else "its stop and its target"
