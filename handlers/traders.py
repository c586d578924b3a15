"""Which trader a command is about, and how an answer names it where there are several."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from handlers.command import TraderName, Traders
from handlers.context import Context, Services
from handlers.format import listed
from handlers.meaning import BadUsage, Known
from handlers.reply import Choice, Reply, offer
from handlers.texts.phrases import SYMBOLS, what_to_do
from trading.accounts.views import View
from trading.cycle.universe import TradableUniverse
from trading.types import Symbol

log = logging.getLogger(__name__)


def views(services: Services) -> tuple[View, ...]:
    return tuple(services.desk.views(name).view() for name in services.desk.traders)


def known_symbols(services: Services) -> Known:
    """What each trader trades, what it still holds although it no longer trades it, and what the
    survey of its universe has seen."""
    return {
        name: (*trader.symbols, *_held(described(services, name)), *_surveyed(trader.universe))
        for name, trader in services.desk.traders.items()
    }


def may_hold(services: Services) -> Known:
    """What each trader has open; what one may have open whose view fails."""
    found = {name: described(services, name) for name in services.desk.traders}
    return {
        name: _held(view) if view else services.desk.traders[name].symbols
        for name, view in found.items()
    }


def described(services: Services, name: str) -> View | None:
    """How the trader *name* is, or None: that one cannot be described is no other's trouble."""
    try:
        return services.desk.views(name).view()
    except Exception:
        log.exception("the view of %s failed", name)
        return None


@dataclass(frozen=True, slots=True)
class SeenTraders:
    """Several traders at one moment."""

    views: tuple[View, ...]
    broken: tuple[str, ...]
    """Those that cannot be described."""

    @property
    def names(self) -> list[str]:
        return [*(view.name for view in self.views), *self.broken]

    @property
    def note(self) -> list[str]:
        """As in `alts cannot be read; its figures are unknown.`"""
        if not self.broken:
            return []
        one = len(self.broken) == 1
        whose = "its" if one else "their"
        return [f"{listed(self.broken)} cannot be read: {whose} figures are unknown."]


def seen(services: Services, names: Iterable[str]) -> SeenTraders:
    found = {name: described(services, name) for name in names}
    return SeenTraders(
        views=tuple(view for view in found.values() if view is not None),
        broken=tuple(name for name, view in found.items() if view is None),
    )


def addressed(ctx: Context, name: str, reply: Reply, *, title: bool = True) -> Reply:
    """Name the trader in title and buttons, if there are several."""
    services = ctx.services
    if len(services.desk.traders) < 2:  # noqa: PLR2004  # several begins with two
        return reply
    choices = (c for choice in reply.choices for c in _named(services, choice, name))
    return replace(
        reply,
        title=_headed(name, reply.title) if title else reply.title,
        choices=tuple(choices),
    )


def _headed(name: str, title: str) -> str:
    """The trader's name before the words, behind the symbol if there is one."""
    symbol, space, words = title.partition(" ")
    return f"{symbol} {name}: {words}" if space and symbol in SYMBOLS else f"{name}: {title}"


def only(meant: Traders) -> TraderName | None:
    """The one that is meant; None: several are."""
    return TraderName(meant[0]) if len(meant) == 1 else None


def view_of(ctx: Context, trader: TraderName) -> View:
    return ctx.services.desk.views(trader).view()


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


def _surveyed(universe: TradableUniverse) -> Iterable[Symbol]:
    found = universe.found
    return found.scan.stats if found and found.scan else ()


def _held(view: View | None) -> tuple[Symbol, ...]:
    return tuple(h.position.symbol for h in view.holdings) if view else ()


async def require_traded(ctx: Context, trader: TraderName, symbol: Symbol) -> None:
    """Refuse what cannot be done where nobody trades, with what can be; looks again first."""
    why = await ctx.services.desk.traders[trader].untraded(symbol)
    if not why:
        return
    view = view_of(ctx, trader)
    held = next((h for h in view.holdings if h.position.symbol == symbol), None)
    if held is None:
        raise BadUsage(why, usage=False)
    offered = [Choice("Position", f"/position {symbol.base}")]
    if view.writes_off:
        offered.append(Choice("Write off", f"/write_off {symbol.base}"))
    raise BadUsage(f"{why}. {what_to_do(view, held)}", tuple(offered), usage=False)
