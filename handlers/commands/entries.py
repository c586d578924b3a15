"""Entering by hand: through the same risk checks as a signal, with a stop, and asked for first."""

from __future__ import annotations

from decimal import Decimal

from handlers import traders
from handlers.caller import Role
from handlers.command import Money, TraderName, command
from handlers.commands.market import price_seen
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import amount, by_lot, by_step, exact, money, percent
from handlers.meaning import BadUsage
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.guarded import lacking
from handlers.texts.phrases import DONE, DOUBT, LOOK, REFUSED, WAIT, base_and_side, mode, sentence
from trading.accounts.views import HoldingView, Price, Ticket, View
from trading.errors import Refused
from trading.types import MarketRules, Order, OrderStatus, Preview, Side, Symbol, traded

DRIFT = Decimal("0.005")
"""Share by which a price may move between the question and the yes."""


@command(role=Role.OPERATOR, family="Trade", rank=10, loosens=True, example="SYMBOL 200")
async def buy(ctx: Context, symbol: Symbol, notional: Money, *, trader: TraderName) -> Reply:
    """Buy at market for so much money, with a stop; asks first.

    The same risk checks as for a signal. Refused while halted or paused.
    symbol: as in BTC
    notional: how much money, in the quote currency
    """
    return await _ask(ctx, symbol, Side.BUY, notional, trader)


@command(role=Role.OPERATOR, family="Trade", rank=20, loosens=True, example="SYMBOL 200")
async def sell(ctx: Context, symbol: Symbol, notional: Money, *, trader: TraderName) -> Reply:
    """Sell short at market for so much money, with a stop; asks first.

    The same risk checks as for a signal. `/close` is what ends a position.
    symbol: as in BTC
    notional: how much money, in the quote currency
    """
    return await _ask(ctx, symbol, Side.SELL, notional, trader)


async def _ask(
    ctx: Context, symbol: Symbol, side: Side, notional: Decimal, trader: TraderName
) -> Reply:
    desk_trader, view = ctx.services.desk.traders[trader], traders.view_of(ctx, trader)
    await traders.require_traded(ctx, trader, symbol)
    _check_free(view, symbol)
    try:
        ticket = await desk_trader.manual.preview(symbol, side, notional)
    except Refused as refusal:
        if view.halt is None:
            raise
        choices = (Choice("Status", "/status"), Choice("Resume", "/resume"))
        raise BadUsage(str(refusal), choices, usage=False) from None

    async def act() -> Reply:
        rules = traded(desk_trader.rules(symbol))
        _check_drift(ticket, desk_trader.manual.ticket(symbol, side, notional), rules.tick)
        order = await desk_trader.manual.enter(
            symbol, side, notional, by=ctx.caller.signature, origin=ctx.caller.chat
        )
        reply = entered(order, traders.view_of(ctx, trader), rules)
        return traders.addressed(ctx, trader, reply, title=False)

    question = entry_question(view, ticket, desk_trader.price(symbol))
    question = traders.addressed(ctx, trader, question)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def _check_free(view: View, symbol: Symbol) -> None:
    """Entries never add to a position, and never close one."""
    for held in view.holdings:
        if held.position.symbol == symbol:
            base, size = symbol.base, by_lot(abs(held.position.quantity), held.rules.lot)
            raise BadUsage(
                f"{base_and_side(held)} {size} is open already",
                (Choice("Position", f"/position {base}"), Choice("Close", f"/close {base}")),
                usage=False,
            )


def _check_drift(asked: Ticket, now: Ticket, tick: Decimal) -> None:
    """A yes counts for what was shown."""
    if abs(now.price / asked.price - 1) > DRIFT:
        moved = f"{by_step(now.price, tick)}, not {by_step(asked.price, tick)}"
        raise Refused(f"{asked.symbol.base} has moved since you were asked: {moved}")


# -- what is said of it -------------------------------------------------------------------


def entry_question(view: View, ticket: Ticket, price: Price) -> Reply:
    rules, base = price.rules, ticket.symbol.base
    verb, size = ticket.side.value.capitalize(), by_lot(ticket.quantity, rules.lot)
    share = percent(ticket.risk / view.equity if view.equity else None, signed=False)
    short = " short" if ticket.side is Side.SELL else ""
    return Reply(
        f"{LOOK} {verb} {size} {base}{short} {mode(view.mode)} at market?",
        text=f"About {amount(ticket.notional, view.quote)} at {by_step(ticket.price, rules.tick)}, "
        f"{{age}}.\n{_met(ticket, view, rules)}\nStop {by_step(ticket.stop, rules.tick)} risks "
        f"{amount(ticket.risk, view.quote)} ({share}); no target.\n{_limits(ticket, view)}",
        choices=(Choice("Cancel", CANCEL), Choice(f"{verb} {size}"[:20], CONFIRM)),
        as_of=price_seen(view, price),
    )


def _met(ticket: Ticket, view: View, rules: MarketRules) -> str:
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


def _limits(ticket: Ticket, view: View) -> str:
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
