"""A backtest: the desk's own trader, fed from history, by one of two ways.

*Every bar* is the reference: the trader handles each of them, as on a desk.  The *fast path* passes
over the bars in which nothing can happen (`leaps.py`), takes the common steps without waiting
(`fast.py`), leaves the others to the trader, and computes the equity of all bars at once
(`readings.py`).  Both give the same trades, fees and equity; each run shows it anew, on a stretch
of its own that nobody chose (`proof.py`).
"""

from __future__ import annotations

import gc
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from trading.backtest.asked import Backtest, Progress
from trading.backtest.drive import Drive
from trading.backtest.feed import traded_columns
from trading.backtest.foreseen import Foreseen
from trading.backtest.loop import InstantLoop
from trading.backtest.proof import refuse_difference
from trading.backtest.result import Result

STRETCH = 100
"""Bars that the trader handles again."""

_SELDOM = (100_000, 50, 50)
"""New objects after which Python looks for rings among them: what a backtest makes it keeps, and
looking through it again and again took a fifteenth of its time."""


@contextmanager
def _seldom_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_seldom_collected()
def run(
    test: Backtest,
    *,
    every_bar: bool = False,
    by_trader: Callable[[int], bool] = lambda column: False,
    again_from: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run *test* to the end of its candles.

    *every_bar*: the trader handles each of them; else only those of *by_trader*, and what the fast
    path does not cover.  *again_from*: the column after which the trader shows that it does the
    same; None: somewhere.

    Raises `ValueError`, a sentence, for a span in which nothing could be traded, and where the two
    differ; and what *progress* raises.
    """
    first, end = traded_columns(test.candles, test.strategy, begin=test.begin, end=test.end)
    test = replace(test, candles=test.candles.upto(end))
    strategy = Foreseen(test.strategy, test.candles, test.rules)
    drive = Drive(test, strategy, first, every_bar=every_bar, by_trader=by_trader)
    if every_bar:
        return InstantLoop().run(drive.all(progress))
    drive.stand(first + secrets.randbelow(end - first) if again_from is None else again_from)
    result = InstantLoop().run(drive.all(progress))
    since = drive.standing
    if since is not None:
        last = min(since.column + STRETCH, end - 1)
        short = replace(test, candles=test.candles.upto(last + 1))
        again = Drive(short, strategy, since.column, every_bar=True, since=since)
        refuse_difference(result, InstantLoop().run(again.all(None)))
    return result
