"""Which strategy a trader goes by, and what kind of market it reads."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import UNKNOWN, listed, percent, plural
from handlers.meaning import BadUsage
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import DONE, LOOK, clipped, mode, person, whom
from trading import strategies as known

if TYPE_CHECKING:
    from trading.accounts.views import View
    from trading.strategies.rules.regime import RegimeReading

_STRATEGIES = Choice("Strategies", "/strategies")


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
        raise BadUsage(f"{trader} runs {name} already", (_STRATEGIES,), usage=False)

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
        text=f"Instead of {view.strategy}, from the next cycle on. {_what_stays(view)}",
        choices=(Choice("Cancel", CANCEL), Choice(f"Run {name}"[:20], CONFIRM)),
    )


def chosen_reply(view: View, *, was: str) -> Reply:
    halted = ""
    if view.halt:
        halted = f" No entries: {view.halt.id} by {person(view.halt.by)}."
    return Reply(
        f"{DONE} {whom(view.name, view.mode)} runs {view.strategy}",
        text=f"Done: {view.strategy} instead of {was}, from the next cycle on.{halted}\n"
        f"Not done: bot.toml is as it was, and decides again at the next start. "
        f"{_what_stays(view)} Nothing was sent.",
        choices=(_STRATEGIES, Choice("Status", "/status")),
        level=Level.NOTICE,
    )


def _what_stays(view: View) -> str:
    if not view.holdings:
        return "Nothing is open."
    keeps = "keeps its plan" if len(view.holdings) == 1 else "keep their plans"
    return f"{plural(len(view.holdings), 'position')} {keeps}."


def regime_reply(view: View, reading: RegimeReading) -> Reply:
    from trading.strategies.rules.regime import DAYS, MULTIPLIERS, Regime

    if reading.regime is Regime.UNKNOWN:
        return Reply(
            f"{LOOK} Regime {UNKNOWN} {mode(view.mode)}",
            text=f"The leading coin has no {DAYS} days of hourly closes yet. No entry is made.",
            choices=(_STRATEGIES,),
            level=Level.URGENT,
        )
    trend, swing = (Decimal(repr(round(v, 6))) for v in (reading.trend, reading.volatility))
    size = MULTIPLIERS[reading.regime]
    follows = f"Entries are {size:g} times the usual size." if size else "No entry is made."
    return Reply(
        f"Regime {reading.regime} {mode(view.mode)}",
        text=f"Trend {percent(trend)} in {DAYS} days, volatility {percent(swing, signed=False)} "
        f"a year.\n{follows}",
        choices=(_STRATEGIES, Choice("Refresh", "/regime")),
        as_of=view.as_of,
    )
