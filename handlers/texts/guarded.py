"""What is said of a position's stop: what rests in fact, since when nothing does, and why."""

from __future__ import annotations

from decimal import Decimal

from handlers.format import by_lot, by_step, clock_time, exact, listed
from handlers.texts.phrases import clipped
from trading.accounts.views import HoldingView, View
from trading.types import Symbol

WHY, LINE = 120, 76
"""Characters of a venue's words, and of one line."""
MOST_NAMED = 3
CRUMB = Decimal("0.01")
"""Share of a position that no stop can cover, below which nothing is said."""


def lacking(holding: HoldingView) -> str:
    """What is wrong with its stop, in one or two sentences; empty: the venue has confirmed it."""
    if holding.stop_on_venue:
        return ""
    return f"{_what_rests(holding)}{_why(holding)} {_who_watches(holding)}"


def beyond(holding: HoldingView) -> str:
    """Of what is held past the last whole lot, where that is no mere crumb; empty if it is."""
    held = abs(holding.position.quantity)
    bare, covered = held - holding.cover.quantity, holding.cover.quantity > 0
    if not (holding.stop_on_venue and covered) or bare < held * CRUMB:
        return ""
    lot = holding.rules.lot
    return f"{by_lot(bare, lot)} is less than one lot, {exact(lot)}: no stop covers it."


def _what_rests(holding: HoldingView) -> str:
    cover, rules = holding.cover, holding.rules
    if holding.plan.stop is None:
        return "It has no stop"
    if cover.price is not None and cover.quantity:
        held = abs(holding.position.quantity)
        if abs(cover.price - holding.plan.stop) >= rules.tick:
            return f"Its old stop {by_step(cover.price, rules.tick)} rests"
        some = f"{by_lot(cover.quantity, rules.lot)} of {by_lot(held, rules.lot)}"
        return f"A stop rests for {some} only{_since(holding)}"
    if cover.in_doubt:
        return "The venue has not answered about its stop"
    return f"No stop rests{_since(holding)}"


def _since(holding: HoldingView) -> str:
    since = holding.cover.bare_since
    return "" if since is None else f" since {clock_time(since)} UTC"


def _why(holding: HoldingView) -> str:
    why = holding.cover.why
    return f": {clipped(why, WHY).rstrip('.')}." if why else "."


def _who_watches(holding: HoldingView) -> str:
    if holding.untraded:
        return "Nothing can be sent there now."
    if holding.plan.stop is None:
        return "Nobody watches a price for it."
    stop = by_step(holding.plan.stop, holding.rules.tick)
    if holding.cover.in_doubt and not holding.cover.quantity:
        return f"The desk watches {stop} itself, and asks."
    return f"The desk watches {stop} itself, and tries again."


def named(holding: HoldingView) -> str:
    """In one line, as in `BTC: no stop rests since 12:00:04 UTC: LOT_SIZE.`"""
    told = _what_rests(holding)
    line = f"{holding.position.symbol.base}: {told[0].lower()}{told[1:]}{_why(holding)}"
    return clipped(line, LINE)


def unguarded(view: View) -> list[HoldingView]:
    """Positions whose stop the venue has not confirmed for all that is open; what is set aside has
    words of its own."""
    return [h for h in view.holdings if not h.stop_on_venue and not h.apart]


def trouble(view: View) -> str:
    """As in `BTC unprotected`, or `BTC and ETH unprotected`; empty if each has its stop."""
    those = unguarded(view)
    old = [h for h in those if h.cover.quantity]
    names = listed([h.position.symbol.base for h in those])
    if not those:
        return ""
    return f"{names} with an old stop" if len(old) == len(those) else f"{names} unprotected"


def holding_in(view: View, symbol: Symbol) -> HoldingView | None:
    return next((h for h in view.holdings if h.position.symbol == symbol), None)


def stays(holding: HoldingView | None, left: str, tick: Decimal) -> str:
    """Of what stays open after a part was closed."""
    if holding is None or holding.plan.stop is None:
        return f"Done: {left} stays, without a stop."
    if holding.stop_on_venue:
        stop, bare = by_step(holding.plan.stop, tick), beyond(holding)
        if bare:
            size = by_lot(holding.cover.quantity, holding.rules.lot)
            return f"Done: {left} stays, stop {stop} rests for {size}. Not done: {bare}"
        return f"Done: {left} stays, stop {stop} resized, venue confirmed."
    return f"Done: {left} stays. Not done: its stop. {lacking(holding)}"


def worst(view: View) -> list[str]:
    """A line for each of the first positions without a confirmed stop; the others are counted."""
    those = unguarded(view)
    lines = [named(holding) for holding in those[:MOST_NAMED]]
    hidden = len(those) - len(lines)
    return [*lines, f"{hidden} more without a confirmed stop."] if hidden else lines
