"""Which trader a command is about, and how an answer names it where there are several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from handlers.command import BadUsage, Known, TraderName
from handlers.context import Context, Services
from handlers.reply import Choice, Reply, offer
from handlers.words import what_to_do
from trading.roster import Roster
from trading.types import Symbol
from trading.views import View


def views(services: Services) -> tuple[View, ...]:
    return tuple(trader.view() for trader in services.desk.traders.values())


def known_symbols(services: Services) -> Known:
    """What each trader trades, what it still holds although it no longer trades it, and what the
    survey of its universe has seen."""
    return {
        name: (*trader.symbols, *_held(trader.view()), *_surveyed(trader.roster))
        for name, trader in services.desk.traders.items()
    }


def addressed(ctx: Context, name: str, reply: Reply, *, title: bool = True) -> Reply:
    """Name the trader in title and buttons, if there are several."""
    services = ctx.services
    if len(services.desk.traders) < 2:  # noqa: PLR2004  # several begins with two
        return reply
    choices = (c for choice in reply.choices for c in _named(services, choice, name))
    return replace(
        reply,
        title=f"{name}: {reply.title}" if title else reply.title,
        choices=tuple(choices),
    )


def view_of(ctx: Context, trader: TraderName) -> View:
    return ctx.services.desk.traders[trader].view()


def first_base(services: Services) -> str:
    """A symbol that is traded here, for examples."""
    symbols: Sequence[Symbol] = [s for _, t in services.desk.traders.items() for s in t.symbols]
    return symbols[0].base if symbols else "BTC"


def _named(services: Services, choice: Choice, name: str) -> tuple[Choice, ...]:
    command = services.commands.get(choice.command.split()[0].removeprefix("/"))
    takes = command is not None and any(p.name == "trader" for p in command.parameters)
    if not takes or "trader=" in choice.command:
        return (choice,)
    return offer(choice.label, f"{choice.command} trader={name}")


def _surveyed(roster: Roster) -> Iterable[Symbol]:
    found = roster.found
    return found.survey.stats if found and found.survey else ()


def _held(view: View) -> tuple[Symbol, ...]:
    return tuple(h.position.symbol for h in view.holdings)


async def require_traded(ctx: Context, trader: TraderName, symbol: Symbol) -> None:
    """Refuse what cannot be done where nobody trades, with what can be; looks again first."""
    desk_trader = ctx.services.desk.traders[trader]
    why = await desk_trader.untraded(symbol)
    if not why:
        return
    view = desk_trader.view()
    held = next((h for h in view.holdings if h.position.symbol == symbol), None)
    if held is None:
        raise BadUsage(why, usage=False)
    offered = [Choice("Position", f"/position {symbol.base}")]
    if view.writes_off:
        offered.append(Choice("Write off", f"/write_off {symbol.base}"))
    raise BadUsage(f"{why}. {what_to_do(view, held)}", tuple(offered), usage=False)
