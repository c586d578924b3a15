"""How a price and a look at the market read."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.format import UNKNOWN, ago, amount, by_step, duration, percent, plural, took, unit
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.phrases import (
    DONE,
    HALTED,
    LOOK,
    REFUSED,
    clipped,
    mode,
    our_time,
    person,
    sentence,
)
from handlers.texts.status import until_scan
from trading.accounts.views import Cycle, Price, Scan, View
from trading.ports import FeedState
from trading.types import Decision

_SHOWN = 3
"""Decisions that fit a screen."""


# -- /price -------------------------------------------------------------------------------


def price_reply(view: View, known: Price) -> Reply:
    base = known.symbol.base
    held = any(h.position.symbol == known.symbol for h in view.holdings)
    return Reply(
        _price_title(view, known),
        text=_moved(view, known),
        choices=(
            *((Choice("Position", f"/position {base}"),) if held else ()),
            Choice("Why", f"/why {base}"),
            Choice("Refresh", f"/price {base}"),
        ),
        level=Level.URGENT if known.stale else Level.INFO,
        as_of=price_seen(view, known),
    )


def _price_title(view: View, known: Price) -> str:
    base = known.symbol.base
    if known.untraded:
        return f"{LOOK} {base} is not traded {mode(view.mode)}"
    if known.quote is None:
        return f"{LOOK} No price of {base} yet {mode(view.mode)}"
    if known.stale:
        return f"{LOOK} {base} price {UNKNOWN} {mode(view.mode)}"
    now = unit(by_step(known.quote.price, known.rules.tick), known.symbol.quote)
    return f"{base} {now} {mode(view.mode)}"


def _moved(view: View, known: Price) -> str:
    if known.untraded:
        return f"{sentence(known.untraded)} No entry is made."
    if known.quote is None:
        return "No entry is made without one."
    now = by_step(known.quote.price, known.rules.tick)
    if known.stale:
        age = None if known.age is None else our_time(view, known.age)
        return f"Last {now}, {ago(age)}. No entry is made on it."
    if not known.day_open:
        return f"Price {{age}}. Today {UNKNOWN}."
    share = percent(known.quote.price / known.day_open - 1)
    return f"Price {{age}}. Today {share}, from {by_step(known.day_open, known.rules.tick)}."


def price_seen(view: View, known: Price) -> datetime | None:
    """Wall time at which the price was true."""
    return None if known.age is None else view.as_of - our_time(view, known.age)


# -- /scan --------------------------------------------------------------------------------


def scan_reply(view: View, found: Scan) -> Reply:
    if found.cycle is None:
        return Reply(
            f"{REFUSED} The scan failed {mode(view.mode)}",
            text=sentence(clipped(found.problem, 160)),
            choices=(Choice("Again", "/scan"), Choice("Status", "/status")),
            level=Level.URGENT,
            outcome=Outcome.FAILED,
        )
    lines = [clipped(_decided(d), 110) for d in found.decisions[:_SHOWN]]
    hidden = len(found.decisions) - len(lines)
    if hidden:
        lines.append(f"And {hidden} more; /why SYMBOL tells.")
    first = found.decisions[0].symbol.base if found.decisions else ""
    return Reply(
        _scanned(view, found.cycle),
        text="\n".join([_report(view, found.cycle), *lines, *_around(view, found.cycle)]),
        choices=(
            *((Choice(f"Why {first}", f"/why {first}"),) if first else ()),
            Choice("Status", "/status"),
            Choice("Positions", "/positions"),
        ),
        as_of=view.as_of,
    )


def _scanned(view: View, cycle: Cycle) -> str:
    seconds = took(cycle.seconds)
    bars = plural(cycle.bars, "candle") if cycle.bars else "no new candle"
    signals = plural(cycle.decisions, "signal") if cycle.decisions else "no signal"
    found = f"{bars}, {signals}" if cycle.bars else bars
    return f"{DONE} Scanned {mode(view.mode)} in {seconds}: {found}"


def _report(view: View, cycle: Cycle) -> str:
    """What `quarterdeck scan --once` reports, too."""
    look, seen = cycle if cycle.bars else view.last_look, ""
    if look is not None:
        triggers, proposals = plural(look.triggers, "trigger"), plural(look.decisions, "proposal")
        seen = f"{', ' if cycle.bars else '; at the last candle '}{triggers}, {proposals}"
    today = f"{len(view.holdings)} open, {plural(view.trades_today, 'trade')} today"
    equity = f"equity {amount(view.equity, view.quote)}"
    return f"{plural(view.symbols, 'symbol')}{seen}; {today}, {equity}."


def _decided(decision: Decision) -> str:
    wish = f"{decision.symbol.base} {decision.side.held}"
    if decision.approved:
        return f"{wish} approved: {sentence(decision.reason)}"
    return f"{wish} refused: {sentence(decision.reason)}"


def _resting(view: View) -> list[str]:
    """Symbols that rest: `BTC rests until 14:20 after its stop; 2 others for longer.`"""
    if not view.symbol_rests:
        return []
    first, *others = view.symbol_rests
    longer = f"; {plural(len(others), 'other')} for longer" if others else ""
    return [sentence(f"{first.told(view.market)}{longer}")]


def _around(view: View, cycle: Cycle) -> list[str]:
    """What holds entries back, and when the next scan comes."""
    rest = [sentence(f"No entries for now: {view.rest}")] if view.rest else _resting(view)
    if view.halt:
        return [f"{HALTED} No entries: {view.halt.id} by {person(view.halt.by)}."]
    if view.feed is FeedState.ENDED:
        return ["The feed has ended: nothing new follows."]
    wait = until_scan(view, cycle)
    return [*rest, f"Next in {duration(wait)}."] if wait > timedelta(0) else rest
