"""Which strategy a trader goes by, and what kind of market it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import listed
from handlers.meaning import BadUsage
from handlers.reply import Choice, Reply
from handlers.texts.phrases import LOOK, clipped, whom
from trading import strategies as known

if TYPE_CHECKING:
    from trading.accounts.views import View
from handlers.texts.strategies import STRATEGIES, chosen_reply, regime_reply, what_stays


@command(role=Role.OWNER, family="Desk", rank=75, loosens=True, example="majors smc")
async def strategy(ctx: Context, trader: TraderName, name: str) -> Reply:
    """Let a trader go by another strategy from the next cycle on; asks first.

    What is open keeps its plan. At the next start bot.toml decides again.
    trader: whose
    name: as /strategies lists them
    """
    desk_trader, view = ctx.services.desk.traders[trader], traders.view_of(ctx, trader)
    name = name.lower()
    if name not in known.names():
        there = listed(known.names())
        raise BadUsage(f"There is no strategy {clipped(name, 20)}; there is {there}", usage=False)
    if name == view.strategy:
        raise BadUsage(f"{trader} runs {name} already", (STRATEGIES,), usage=False)

    async def act() -> Reply:
        await desk_trader.choose(name, by=ctx.caller.signature)
        return chosen_reply(traders.view_of(ctx, trader), was=view.strategy)

    return ctx.services.confirmations.ask(
        ctx.caller, ctx.message.text, strategy_question(view, name), act
    )


@command(family="Look", rank=78)
async def regime(ctx: Context, *, trader: TraderName) -> Reply:
    """What kind of market a trader with the strategy rules reads, and what follows from it."""
    reading = await ctx.services.desk.traders[trader].regime()
    return traders.addressed(ctx, trader, regime_reply(traders.view_of(ctx, trader), reading))


def strategy_question(view: View, name: str) -> Reply:
    return Reply(
        f"{LOOK} Let {whom(view.name, view.mode)} run {name}?",
        text=f"Instead of {view.strategy}, from the next cycle on. {what_stays(view)}",
        choices=(Choice("Cancel", CANCEL), Choice(f"Run {name}"[:20], CONFIRM)),
    )
