"""How an entry by hand reads: the question before it, and what it met."""

from __future__ import annotations

from decimal import Decimal

from handlers.format import amount, by_lot, by_step, exact, money, percent
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.guarded import lacking
from handlers.texts.phrases import DONE, DOUBT, REFUSED, WAIT, mode, sentence
from trading.accounts.views import HoldingView, Ticket, View
from trading.errors import Refused
from trading.types import MarketRules, Order, OrderStatus, Preview, Side

DRIFT = Decimal("0.005")
"""Share by which a price may move between the question and the yes."""


def check_drift(asked: Ticket, now: Ticket, tick: Decimal) -> None:
    """A yes counts for what was shown."""
    if abs(now.price / asked.price - 1) > DRIFT:
        moved = f"{by_step(now.price, tick)}, not {by_step(asked.price, tick)}"
        raise Refused(f"{asked.symbol.base} has moved since you were asked: {moved}")


def what_is_met(ticket: Ticket, view: View, rules: MarketRules) -> str:
    """Price, fee and margin, as the venue would have them."""
    met = ticket.met or Preview()
    fill, fee = by_step(met.price, rules.tick), amount(met.fee, view.quote)
    worse = _worse(ticket, met.price)
    margin, free = money(met.margin), amount(met.free, view.quote)
    if met.margin is not None and met.free is not None and met.margin > met.free:
        binds = f"Binds {margin}, more than the {free} that are free: it may be refused."
    else:
        binds = f"Binds {margin} of {free} free."
    return f"Fills near {fill}{worse}, fee {fee}.\n{binds}"


def _worse(ticket: Ticket, price: Decimal | None) -> str:
    if price is None or price == ticket.price:
        return ""
    lost = (price / ticket.price - 1) * ticket.side.sign
    return f" ({percent(abs(lost), signed=False)} {'worse' if lost > 0 else 'better'})"


def limits(ticket: Ticket, view: View) -> str:
    then = (view.exposure + ticket.notional) / view.equity if view.equity else None
    most = amount(ticket.most, view.quote)
    return (
        f"Exposure then {percent(then, signed=False)} of "
        f"{percent(view.limits.max_exposure, signed=False)}; "
        f"at most {most} by {ticket.bound}."
    )


def entered(order: Order, view: View, rules: MarketRules) -> Reply:
    if order.status is OrderStatus.UNKNOWN:
        return _in_doubt(order, view, rules)
    held = next((h for h in view.holdings if h.position.symbol == order.symbol), None)
    if not order.filled:
        return _not_filled(order, view, rules)
    return _filled(order, view, rules, held)


def _what(order: Order, rules: MarketRules) -> str:
    return f"{order.symbol.base} {order.side.value} {by_lot(order.quantity, rules.lot)}"


def _in_doubt(order: Order, view: View, rules: MarketRules) -> Reply:
    happened = "bought" if order.side is Side.BUY else "sold"
    return Reply(
        f"{DOUBT} Unknown: {_what(order, rules)} {mode(view.mode)}",
        text=f"The venue has not answered, it may have {happened}. Not resent; asking by its id.",
        choices=(Choice("Orders", "/orders"), Choice("Status", "/status")),
        level=Level.URGENT,
        outcome=Outcome.FAILED,
    )


def _not_filled(order: Order, view: View, rules: MarketRules) -> Reply:
    if order.is_alive:
        return Reply(
            f"{WAIT} Sent: {_what(order, rules)} {mode(view.mode)}",
            text="Not filled yet; its stop follows the first fill.",
            choices=(Choice("Orders", "/orders"), Choice("Stop", "/stop")),
        )
    left = order.status is not OrderStatus.NOT_SENT
    word = "Nothing was filled" if left else "Nothing was sent"
    return Reply(
        f"{REFUSED} No entry: {_what(order, rules)} {mode(view.mode)}",
        text=f"{sentence(order.note or order.status.value)} {word}.",
        choices=(Choice("Status", "/status"),),
        level=Level.URGENT,
        outcome=Outcome.FAILED,
    )


def _filled(order: Order, view: View, rules: MarketRules, held: HoldingView | None) -> Reply:
    base, verb = order.symbol.base, "Bought" if order.side is Side.BUY else "Sold"
    at = None if order.average_price is None else rules.price(order.average_price)
    size = by_lot(order.filled, rules.lot)
    rest = order.remaining
    return Reply(
        f"{DONE} {verb} {size} {base} {mode(view.mode)} at {by_step(at, rules.tick)}",
        text=f"{_guarded(view, held, rules)}{_kept(order, held)}{_short(rest, rules)}",
        choices=(
            Choice("Position", f"/position {base}"),
            Choice("Close", f"/close {base}"),
            Choice("Stop", "/stop"),
        ),
        level=Level.INFO if held is None or held.stop_on_venue else Level.URGENT,
    )


def _guarded(view: View, held: HoldingView | None, rules: MarketRules) -> str:
    if held is None:
        return "It is closed again already."
    stop, at_stop = by_step(held.plan.stop, rules.tick), held.at_stop
    risk = amount(None if at_stop is None else -at_stop, view.quote)
    if held.stop_on_venue:
        return f"Done: stop {stop} rests at the venue, risks {risk}."
    return f"Not done: its stop. {lacking(held)}"


def _kept(order: Order, held: HoldingView | None) -> str:
    """Where the venue has taken its fee in the coins that were bought."""
    there = None if held is None else abs(held.position.quantity)
    if there is None or there >= order.filled:
        return ""
    return f" {exact(there)} is held: the rest of the coins was the fee."


def _short(rest: Decimal, rules: MarketRules) -> str:
    return f" Not done: {by_lot(rest, rules.lot)} was not filled." if rest > 0 else ""
