"""What a trader would have done in the last days, worked out in another process.

One at a time for a desk; its progress is edited into the message that asked, where messages can be
edited.  Nothing of it touches the trading: no order, no history, no alert.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from weakref import WeakKeyDictionary

from handlers import traders
from handlers.chart import EquityChart
from handlers.command import Range, TraderName, command
from handlers.commands.figures import averages, fall, ratios, refusals, won
from handlers.context import Context
from handlers.format import gained, percent, plural, whole_percent
from handlers.in_place import either
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.phrases import REFUSED
from trading.desk import Desk
from trading.errors import Refused
from trading.strategies import strategy
from trading.trader import Trader
from trading.types import Costs, Mode

if TYPE_CHECKING:
    from trading.backtest.engine import Backtest
    from trading.backtest.result import Summary

COMMAND = (sys.executable, "-P", "-m", "trading.backtest")
EVERY = 2.0
"""Seconds between two looks at how far it is."""
LARGEST = 8_000_000
"""Bytes of an answer: beyond any, so that a broken length takes no memory."""
_ROOT = Path(__file__).resolve().parents[1]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_END = (Choice("End it", "/end_backtest"),)

Days = Annotated[int, Range(1, 365)]


@dataclass(eq=False)
class Running:
    """One backtest on its way."""

    trader: str
    share: float = 0.0
    """Done."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Summary | str = "It was ended"
    """At the end; a text says why there is no result."""
    task: asyncio.Task[None] | None = None


_running: WeakKeyDictionary[Desk, Running] = WeakKeyDictionary()
"""At most one for each desk of this process."""


@command(family="Look", rank=76, example="7")
async def backtest(ctx: Context, days: Days = 7, *, trader: TraderName) -> Reply:
    """What the trader, as it is set now, would have done in the last days of its candles.

    Runs in another process, one at a time; trading does not notice. Figures are after fees and \
slippage as on paper.
    days: 1 to 365; fewer if the feed has no more
    """
    desk = ctx.services.desk
    if desk in _running:
        return _busy(_running[desk])
    test = of_trader(desk.traders[trader], days)
    running = _running[desk] = Running(trader=trader)
    running.task = asyncio.create_task(_work(desk, running, test), name="backtest")
    if not ctx.caller.edits:
        await running.ended.wait()
        return _told(ctx, running)
    return _progress(ctx, running)


@command(family="Look", rank=77)
async def end_backtest(ctx: Context) -> Reply:
    """End the backtest that runs; nothing else is touched."""
    running = _running.get(ctx.services.desk)
    if running is None or running.task is None:
        raise Refused("No backtest runs")
    running.task.cancel()
    await asyncio.wait({running.task})
    return Reply(f"Backtest of {running.trader} ended", text="It changed nothing.")


def of_trader(trader: Trader, days: int) -> Backtest:
    """Its settings over the candles that its feed has.  Raises `Refused` if there are too few."""
    from trading.backtest.engine import Backtest

    settings, feed = trader.settings, trader.feed
    made = strategy(trader.view().strategy, settings.parameters)
    wanted = timedelta(days=days) // settings.timeframe
    candles = feed.candles(feed.now(), wanted + made.warmup + 1)
    if candles.bars <= made.warmup + 1:
        raise Refused(
            f"The feed has {candles.bars} candles, and {made.name} needs {made.warmup + 2}"
        )
    return Backtest(
        trader=replace(settings, mode=Mode.PAPER, symbols=candles.symbols, drawdown_alert=None),
        strategy=made,
        candles=candles,
        rules={symbol: trader.steps(symbol) for symbol in candles.symbols},
        costs=trader.venue.costs or Costs(),
    )


# -- the process ------------------------------------------------------------------------------


async def _work(desk: Desk, running: Running, test: Backtest) -> None:
    try:
        running.outcome = await _in_a_process(running, await asyncio.to_thread(pickle.dumps, test))
    except (OSError, EOFError, pickle.UnpicklingError):
        running.outcome = "It took more time or memory than it may, or its process was ended"
    finally:
        _running.pop(desk, None)
        running.ended.set()


async def _in_a_process(running: Running, request: bytes) -> Summary | str:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # Ctrl-C is for the desk
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(request)
        await process.stdin.drain()
        process.stdin.close()
        while True:
            said = await _frame(process.stdout)
            if not isinstance(said, float):
                return said
            running.share = said
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _frame(stream: asyncio.StreamReader) -> float | str | Summary:
    size = int.from_bytes(await stream.readexactly(4), "big")
    if not 0 < size <= LARGEST:
        raise EOFError
    said: float | str | Summary = pickle.loads(await stream.readexactly(size))  # noqa: S301  # our own process
    return said


def _environment() -> Mapping[str, str]:
    """What it needs and no more: tokens and passwords stay here."""
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**ours, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}


# -- what is said -----------------------------------------------------------------------------


def _busy(running: Running) -> Reply:
    return Reply(
        f"{REFUSED} A backtest of {running.trader} runs already",
        text=f"{_share(running.share)} is done. One runs at a time. Nothing was sent.",
        choices=_END,
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
    )


def _progress(ctx: Context, running: Running) -> Reply:
    async def then() -> Reply:
        await either(ctx.services.clock, EVERY, running.ended)
        return _told(ctx, running) if running.ended.is_set() else _progress(ctx, running)

    return Reply(
        f"Backtest of {running.trader}: {_share(running.share)}",
        text="It runs beside the desk, and sends nothing.",
        choices=_END,
        then=then,
    )


def _told(ctx: Context, running: Running) -> Reply:
    if isinstance(running.outcome, str):
        return Reply(
            f"{REFUSED} No backtest of {running.trader}",
            text=f"{running.outcome}. Nothing was sent.",
            level=Level.NOTICE,
            outcome=Outcome.REFUSED,
        )
    return traders.addressed(ctx, TraderName(running.trader), result_reply(running.outcome))


def result_reply(found: Summary) -> Reply:
    """Figures, picture, buttons."""
    profit = gained(Decimal(repr(round(found.profit, 2))), found.quote)
    stats = found.stats
    lines = [
        f"{found.strategy}, {plural(found.symbols, 'symbol')}",
        f"{found.begin:%d %b %H:%M} to {found.end:%d %b %H:%M} UTC",
        f"Buy and hold {_percent(found.holding_growth)}",
    ]
    lines += [won(stats.total), averages(stats.total)] if stats.total.trades else ["No trades"]
    lines.append(f"Worst drawdown {fall(stats.drawdown)}, {ratios(stats)}")
    lines.append(f"In the market {_share(found.exposure)} of the time")
    if found.refused:
        reason, _ = refusals(found.refused)[0]
        of = f"{sum(found.refused.values()):,} of {plural(found.signals, 'signal')}"
        lines.append(f"{of} refused, most often: {reason}")
    lines += [f"Halted {halt.at:%d %b %H:%M}: {halt.why}" for halt in found.halts[:1]]
    return Reply(
        f"Backtest: {profit} ({_percent(found.growth)}) after fees",
        text="\n".join(lines),
        choices=(Choice("30 days", "/backtest 30"), Choice("Stats", "/stats")),
        chart=_chart(found),
    )


def _chart(found: Summary) -> EquityChart | None:
    if found.curve is None:
        return None
    return EquityChart(
        title=f"{found.trader}, backtest",
        quote=found.quote,
        times=found.curve.times,
        equity=found.curve.equity,
        drawdown=found.curve.drawdown,
        zone=found.curve.zone,
    )


def _percent(share: float) -> str:
    return percent(Decimal(repr(round(share, 6))))


def _share(share: float) -> str:
    return whole_percent(Decimal(repr(round(share, 2))))
