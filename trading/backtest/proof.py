"""The fast path is shown to do what the trader does, in each run anew.

The books as they stood after some bar are given to a trader of their own, as after a restart, and
it handles the bars that come one by one.  What it trades has to be what the fast path has traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from trading.backtest.result import Result
from trading.ports import Books
from trading.safety.guards import GuardMemory
from trading.types import Fill, Trade

_CENT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything from which a trader goes on after the bar in *column*."""

    column: int
    books: Books
    account: Mapping[str, object]
    """The paper venue's, as its journal keeps it."""
    guards: GuardMemory
    notes: Mapping[str, str]
    """What history keeps besides: the universe."""


def refuse_difference(fast: Result, trader: Result) -> None:
    """Raises `ValueError` where *trader*, of a part of the time, has not done what *fast* did.

    Order ids are left out: those of two symbols of one bar may be given in either order.
    """
    begin, end = trader.begin, trader.end
    for what, ours, theirs in (
        ("fills", _fills(fast.fills, begin, end), _fills(trader.fills, begin, end)),
        ("trades", _trades(fast.trades, begin, end), _trades(trader.trades, begin, end)),
        (
            "halts",
            [(halt.at, halt.guard) for halt in fast.halts if begin < halt.at <= end],
            [(halt.at, halt.guard) for halt in trader.halts],
        ),
        ("equity", *_curves(fast, trader)),
    ):
        if ours != theirs:
            raise ValueError(
                f"The two ways of running this backtest differ in their {what} between "
                f"{begin:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC, so its figures are not to "
                "be believed. Run it with --every-bar, which goes by the trader alone, and tell "
                "us of it"
            )


def _fills(fills: Iterable[Fill], begin: datetime, end: datetime) -> list[Fill]:
    return [replace(f, id="", order_id="") for f in fills if begin < f.at <= end]


def _trades(trades: Iterable[Trade], begin: datetime, end: datetime) -> list[Trade]:
    return [replace(t, id="") for t in trades if begin < t.closed_at <= end]


def _curves(fast: Result, trader: Result) -> tuple[object, object]:
    """Equal to the cent, and whatever else the bars are compared by."""
    first = int(np.searchsorted(fast.times, trader.times[0]))
    part = slice(first, first + len(trader.times))
    same = np.abs(fast.equity[part] - trader.equity) < _CENT
    return bool(same.all()) and fast.held[part].tolist(), trader.held.tolist()
