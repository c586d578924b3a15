"""How strategies and kinds of market read."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from handlers.format import UNKNOWN, percent, plural
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import DONE, LOOK, mode, person, whom

if TYPE_CHECKING:
    from trading.accounts.views import View
    from trading.strategies.rules.regime import RegimeReading

STRATEGIES = Choice("Strategies", "/strategies")


def chosen_reply(view: View, *, was: str) -> Reply:
    halted = ""
    if view.halt:
        halted = f" No entries: {view.halt.id} by {person(view.halt.by)}."
    return Reply(
        f"{DONE} {whom(view.name, view.mode)} runs {view.strategy}",
        text=f"Done: {view.strategy} instead of {was}, from the next cycle on.{halted}\n"
        f"Not done: bot.toml is as it was, and decides again at the next start. "
        f"{what_stays(view)} Nothing was sent.",
        choices=(STRATEGIES, Choice("Status", "/status")),
        level=Level.NOTICE,
    )


def what_stays(view: View) -> str:
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
            choices=(STRATEGIES,),
            level=Level.URGENT,
        )
    trend, swing = (Decimal(repr(round(v, 6))) for v in (reading.trend, reading.volatility))
    size = MULTIPLIERS[reading.regime]
    follows = f"Entries are {size:g} times the usual size." if size else "No entry is made."
    return Reply(
        f"Regime {reading.regime} {mode(view.mode)}",
        text=f"Trend {percent(trend)} in {DAYS} days, volatility {percent(swing, signed=False)} "
        f"a year.\n{follows}",
        choices=(STRATEGIES, Choice("Refresh", "/regime")),
        as_of=view.as_of,
    )
