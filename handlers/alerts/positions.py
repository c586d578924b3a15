"""How positions and what protects them read in a chat."""

from __future__ import annotations

from handlers.alerts.parts import TRADES
from handlers.format import (
    amount,
    clock_time,
    duration,
    exact,
    gain,
    gained,
    money,
    percent,
    ratio,
    took,
)
from handlers.reply import Choice, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, LOOK, mode, person, sentence
from trading import events
from trading.types import ExitReason, Trade


@describe.register
def _(event: events.PositionOpened) -> Reply:
    base, size = event.symbol.base, exact(event.quantity)
    spent = event.quantity * event.price
    share = percent(spent / event.equity, signed=False) if event.equity > 0 else "unknown"
    parts = [f"{amount(spent, event.symbol.quote)}, {share} of equity.", _stop_and_target(event)]
    if event.ordered > event.quantity:
        parts.append(f"{size} of {exact(event.ordered)} filled so far.")
    if event.confidence:  # an entry by hand has none
        parts.append(f"Confidence {event.confidence}.")
    return Reply(
        f"Opened {base} {event.side.held} {size} at {exact(event.price)} {mode(event.mode)}",
        text=" ".join(parts),
        choices=(Choice("Position", f"/position {base}"),),
    )


def _stop_and_target(event: events.PositionOpened) -> str:
    target = f"target {exact(event.target)}"
    if event.stop is None:
        return f"No stop{'' if event.target is None else f', {target}'}."
    placing = ", being placed," if event.placing else ""
    stop = f"Stop {exact(event.stop)}{placing} risks {money(event.risk)}"
    if event.target is None:
        return f"{stop}."
    room = abs(event.price - event.stop)
    reward = f", {ratio(abs(event.target - event.price) / room)}" if room else ""
    return f"{stop}, {target}{reward}."


@describe.register
def _(event: events.PositionReduced) -> Reply:
    base, quote = event.symbol.base, event.symbol.quote
    how = "" if event.reason is ExitReason.TARGET else f" {_by(event.reason, event.by)}"
    left = f"{exact(event.left)} left"
    goal = "" if event.next_price is None else f" to {exact(event.next_price)}"
    whole = exact(event.quantity + event.left)
    profit = gained(event.profit, quote)
    return Reply(
        f"Partly closed {base} {event.side.held}{how} {mode(event.mode)}, {profit}",
        text=f"{exact(event.quantity)} of {whole} at {exact(event.price)}; {left}{goal}.",
        choices=(Choice("Position", f"/position {base}"),),
    )


@describe.register
def _(event: events.PositionClosed) -> Reply:
    trade = event.trade
    result = f"{gained(trade.profit, trade.symbol.quote)} ({percent(trade.share)})"
    held = duration(trade.closed_at - trade.opened_at)
    path = f"{exact(trade.entry_price)} to {exact(trade.exit_price)}"
    how = _closed_by(trade)
    return Reply(
        f"Closed {trade.symbol.base} {trade.side.held} {how} {mode(event.mode)}, {result}",
        text=f"{exact(trade.quantity)}, {path}, held {held}. Today {gain(event.today)}.",
        choices=(TRADES,),
        level=Level.NOTICE,
    )


def _closed_by(trade: Trade) -> str:
    if trade.reason is ExitReason.TIME:
        return f"by time, {duration(trade.closed_at - trade.opened_at)}"
    return _by(trade.reason, trade.by)


def _by(reason: ExitReason, by: str) -> str:
    who = f", {person(by)}" if by else ""
    return {
        ExitReason.STOP: "by stop",
        ExitReason.TARGET: "at target",
        ExitReason.TIME: "by time",
        ExitReason.TRAIL: "by trailing stop",
        ExitReason.SIGNAL: "by signal",
        ExitReason.HAND: f"by hand{who}",
        ExitReason.FLATTEN: f"by /flatten{who}",
        ExitReason.EXTERNAL: "outside the desk",
        ExitReason.WRITTEN_OFF: f"as written off{who}",
        ExitReason.FORGOTTEN: "by an order of ours, why is lost",
    }[reason]


@describe.register
def _(event: events.StopMoved) -> Reply:
    keeper = "on venue" if event.on_venue else "kept by desk"
    path = f"{exact(event.old)} to {exact(event.new)}"
    return Reply(f"{event.symbol.base} stop moved {path} ({event.why}), {keeper}")


@describe.register
def _(event: events.Unprotected) -> Reply:
    base, left = event.symbol.base, event.quantity - event.covered
    since = "" if event.since is None else f" Bare since {clock_time(event.since)} UTC."
    return Reply(
        f"{LOOK} {base} unprotected {mode(event.mode)}: {exact(left)} without a stop",
        text=f"{sentence(event.reason)}{since} The desk keeps watch itself, and tries again.",
        choices=(Choice("Position", f"/position {base}"), Choice("Close", f"/close {base}")),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.StopStays) -> Reply:
    base = event.symbol.base
    return Reply(
        f"{LOOK} {base} keeps its old stop {mode(event.mode)}: {exact(event.price)}, "
        f"not {exact(event.wanted)}",
        text=f"{sentence(event.reason)} The old one rests for {exact(event.quantity)}. The desk "
        f"watches {exact(event.wanted)} itself, and tries again.",
        choices=(Choice("Position", f"/position {base}"), Choice("Close", f"/close {base}")),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.Protected) -> Reply:
    return Reply(
        f"{DONE} {event.symbol.base} protected again {mode(event.mode)}",
        text=f"Stop {exact(event.stop)} rests for {exact(event.quantity)}.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ProtectionPaused) -> Reply:
    lasted, base = took(event.lasted.total_seconds()), event.symbol.base
    left = f"{exact(event.quantity)} left." if event.quantity else "Nothing is left."
    return Reply(
        f"{LOOK} {base} had no stop for {lasted} {mode(event.mode)}, while it was sold",
        text=f"A stop locks the coins, so it went first. {left}",
        level=Level.URGENT,
    )


@describe.register
def _(event: events.SetAside) -> Reply:
    base, quote = event.symbol.base, event.symbol.quote
    counts, then = "no profit of it counts", "The exchange settles it"
    if event.written_off:
        counts, then = "counts at 0", f"/write_off {base} books it out"
    moved = f"Equity, day, week and peak: {amount(-event.moved, quote)} lower, alike. "
    return Reply(
        f"{LOOK} {base} is not traded {mode(event.mode)}: {exact(event.quantity)} held",
        text=f"{sentence(event.why)} No stop works, nothing can be sold. "
        f"Paid {amount(event.cost, quote)}; {counts} from now on. {moved if event.moved else ''}"
        f"{then}; traded again, it counts again.",
        choices=(Choice("Position", f"/position {base}"),),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.CountedAgain) -> Reply:
    base = event.symbol.base
    moved = f"Day, week and peak: {amount(event.moved, event.symbol.quote)} higher, alike; "
    return Reply(
        f"{DONE} {base} is traded again {mode(event.mode)}",
        text="It counts again, and its stop is put back. "
        f"{moved if event.moved else ''}what it lost meanwhile is a loss.",
        choices=(Choice("Position", f"/position {base}"),),
        level=Level.URGENT,
    )
