"""How orders read in a chat: refused, in doubt, resolved, given up."""

from __future__ import annotations

from handlers.alerts.parts import ORDERS, STATUS
from handlers.format import duration, exact, plural, took
from handlers.reply import Choice, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, DOUBT, LOOK, REFUSED, clipped, mode, sentence
from trading import events
from trading.types import ZERO, Order, OrderRole, OrderStatus, OrderType


@describe.register
def _(event: events.OrderRefused) -> Reply:
    order, base = event.order, event.symbol.base
    limit = order.level
    at = "market" if limit is None else exact(limit)
    said = sentence(clipped(event.said, 120)) or "No reason was given."
    left = f"{exact(event.open_quantity)} is open." if event.open_quantity else "Nothing is open."
    return Reply(
        f"{REFUSED} Venue refused {_order(order)} at {at} {mode(event.mode)}",
        text=f'"{said}" {left}',
        choices=(Choice("Why", f"/why {base}"),),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.OrderUnknown) -> Reply:
    waited = took(event.waited.total_seconds())
    return Reply(
        f"{DOUBT} Unknown: {_order(event.order)} {mode(event.mode)}",
        text=f"No answer in {waited}. Not resent; asking the venue by its id.",
        choices=(ORDERS,),
        level=Level.URGENT,
        story=event.order.id,
    )


@describe.register
def _(event: events.OrderResolved) -> Reply:
    found = _became(event.order, event.outcome)
    if event.outcome is OrderStatus.ABSENT and event.order.role is OrderRole.ENTRY:
        found += "; not sent again"
    return Reply(
        f"{DONE} Resolved in {duration(event.took)}: {found}",
        text=f"{_order(event.order)} {mode(event.mode)}.",
        choices=(ORDERS,),
        level=Level.NOTICE,
        story=event.order.id,
    )


@describe.register
def _(event: events.ExitSentAgain) -> Reply:
    return Reply(
        f"{DONE} Sent again: {_order(event.order)} {mode(event.mode)}",
        text="The venue never had the first one; this one has an id of its own.",
        choices=(ORDERS,),
        level=Level.NOTICE,
        story=event.order.id,
    )


@describe.register
def _(event: events.ExitDropped) -> Reply:
    base, stop = event.symbol.base, event.stop
    kept = "no stop rests yet" if stop is None else f"its stop {exact(stop)} rests again"
    return Reply(
        f"{LOOK} Not sent again: {_order(event.order)} {mode(event.mode)}",
        text=f"The venue never had it, and {event.why}. Nothing was closed; {kept}.",
        choices=(Choice("Close", f"/close {base}"), Choice("Position", f"/position {base}")),
        level=Level.URGENT,
        story=event.order.id,
    )


def _became(order: Order, outcome: OrderStatus) -> str:
    """What waits for no price never rests: it is there, and its end is not told yet."""
    if outcome is not OrderStatus.OPEN:
        return _with_fills(order, _OUTCOMES.get(outcome, f"it is {outcome.value}"))
    if order.type is OrderType.MARKET or order.filled >= order.quantity:
        return _with_fills(order, "the venue has it, its end is not told yet")
    return _with_fills(order, "it rests at the venue")


def _with_fills(order: Order, found: str) -> str:
    """Of what was filled in part."""
    if not ZERO < order.filled < order.quantity:
        return found
    return f"{found}, {exact(order.filled)} filled"


_OUTCOMES = {
    OrderStatus.ABSENT: "the venue never had it",
    OrderStatus.FILLED: "it was filled",
    OrderStatus.CANCELLED: "it was cancelled",
    OrderStatus.REJECTED: "the venue refused it",
    OrderStatus.EXPIRED: "it expired",
    OrderStatus.NOT_SENT: "it never left us",
}


def _order(order: Order) -> str:
    return f"{order.symbol.base} {order.side.value} {exact(order.quantity)}"


@describe.register
def _(event: events.ReductionUnsaved) -> Reply:
    waited = took(event.waited.total_seconds())
    return Reply(
        f"{LOOK} Sent before it was saved: {_order(event.order)} {mode(event.mode)}",
        text=f"Neither history nor the fallback journal took it in {waited}: a crash would forget "
        "it. What protects and what closes does not wait for the disk.",
        choices=(ORDERS, STATUS),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.ReductionLate) -> Reply:
    waited = took(event.waited.total_seconds())
    more = f" {plural(event.others, 'other')} since this was last told." if event.others else ""
    return Reply(
        f"{LOOK} Saved after it was sent: {_order(event.order)} {mode(event.mode)}",
        text=f"It is saved, {waited} late: the disk was slow, or the desk was busy. What protects "
        f"and what closes does not wait for that.{more} Told once an hour.",
        choices=(ORDERS, STATUS),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.EntryGivenUp) -> Reply:
    base = event.symbol.base
    return Reply(
        f"Entry given up: {base} {mode(event.mode)}, "
        f"{exact(event.filled)} of {exact(event.ordered)} filled",
        text=f"The rest is not taken any more: {event.why}.",
        level=Level.NOTICE,
    )
