"""What a trader would have done in the last days, worked out in another process.

One at a time for a desk; its progress is edited into the message that asked, where messages can be
edited.  Nothing of it touches the trading: no order, no history, no alert.
"""

from __future__ import annotations

from typing import Annotated

from handlers import traders
from handlers.command import Range, TraderName, command
from handlers.context import Context, RunningBacktest
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.backtests import done_share, result_reply
from handlers.texts.phrases import REFUSED
from trading.common.tasks import set_within
from trading.errors import Refused

EVERY = 2.0
"""Seconds between two looks at how far it is."""
_END = (Choice("End it", "/end_backtest"),)

Days = Annotated[int, Range(1, 365)]


@command(family="Look", rank=76, example="7")
async def backtest(ctx: Context, days: Days = 7, *, trader: TraderName) -> Reply:
    """What the trader, as it is set now, would have done in the last days of its candles.

    Runs in another process, one at a time; trading does not notice. Figures are after fees and \
slippage as on paper.
    days: 1 to 365; fewer if the feed has no more
    """
    backtests = ctx.services.backtests
    if backtests.running is not None:
        return _busy(backtests.running)
    running = backtests.start(ctx.services.desk.traders[trader], days)
    if not ctx.caller.edits:
        await running.ended.wait()
        return _told(ctx, running)
    return _progress(ctx, running)


@command(family="Look", rank=77)
async def end_backtest(ctx: Context) -> Reply:
    """End the backtest that runs; nothing else is touched."""
    running = await ctx.services.backtests.end()
    if running is None:
        raise Refused("No backtest runs")
    return Reply(f"Backtest of {running.trader} ended", text="It changed nothing.")


# -- what is said -----------------------------------------------------------------------------


def _busy(running: RunningBacktest) -> Reply:
    return Reply(
        f"{REFUSED} A backtest of {running.trader} runs already",
        text=f"{done_share(running.share)} is done. One runs at a time. Nothing was sent.",
        choices=_END,
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
    )


def _progress(ctx: Context, running: RunningBacktest) -> Reply:
    async def then() -> Reply:
        await set_within(ctx.services.clock, EVERY, running.ended)
        return _told(ctx, running) if running.ended.is_set() else _progress(ctx, running)

    return Reply(
        f"Backtest of {running.trader}: {done_share(running.share)}",
        text="It runs beside the desk, and sends nothing.",
        choices=_END,
        then=then,
    )


def _told(ctx: Context, running: RunningBacktest) -> Reply:
    if isinstance(running.outcome, str):
        return Reply(
            f"{REFUSED} No backtest of {running.trader}",
            text=f"{running.outcome}. Nothing was sent.",
            level=Level.NOTICE,
            outcome=Outcome.REFUSED,
        )
    return traders.addressed(ctx, TraderName(running.trader), result_reply(running.outcome))
