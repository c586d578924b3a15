"""Entering by hand: through the same risk checks as a signal, with a stop, and asked for first."""

from __future__ import annotations

from decimal import Decimal

from handlers import traders
from handlers.caller import Role
from handlers.command import Money, TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import amount, by_lot, by_step, percent
from handlers.meaning import BadUsage
from handlers.reply import Choice, Reply
from handlers.texts.entries import check_drift, entered, limits, what_is_met
from handlers.texts.market import price_seen
from handlers.texts.phrases import LOOK, base_and_side, mode
from trading.accounts.views import Price, Ticket, View
from trading.errors import Refused
from trading.types import Side, Symbol, traded


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
    desk, view = ctx.services.desk, traders.view_of(ctx, trader)
    manual = desk.manual(trader)
    await traders.require_traded(ctx, trader, symbol)
    _check_free(view, symbol)
    try:
        ticket = await manual.preview(symbol, side, notional)
    except Refused as refusal:
        if view.halt is None:
            raise
        choices = (Choice("Status", "/status"), Choice("Resume", "/resume"))
        raise BadUsage(str(refusal), choices, usage=False) from None

    async def act() -> Reply:
        rules = traded(desk.traders[trader].rules(symbol))
        check_drift(ticket, manual.ticket(symbol, side, notional), rules.tick)
        order = await manual.enter(
            symbol, side, notional, by=ctx.caller.signature, origin=ctx.caller.chat
        )
        reply = entered(order, traders.view_of(ctx, trader), rules)
        return traders.addressed(ctx, trader, reply, title=False)

    question = entry_question(view, ticket, desk.views(trader).price(symbol))
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


# -- what is said of it -------------------------------------------------------------------


def entry_question(view: View, ticket: Ticket, price: Price) -> Reply:
    rules, base = price.rules, ticket.symbol.base
    verb, size = ticket.side.value.capitalize(), by_lot(ticket.quantity, rules.lot)
    share = percent(ticket.risk / view.equity if view.equity else None, signed=False)
    short = " short" if ticket.side is Side.SELL else ""
    return Reply(
        f"{LOOK} {verb} {size} {base}{short} {mode(view.mode)} at market?",
        text=f"About {amount(ticket.notional, view.quote)} at {by_step(ticket.price, rules.tick)}, "
        f"{{age}}.\n{what_is_met(ticket, view, rules)}\n"
        f"Stop {by_step(ticket.stop, rules.tick)} risks "
        f"{amount(ticket.risk, view.quote)} ({share}); no target.\n{limits(ticket, view)}",
        choices=(Choice("Cancel", CANCEL), Choice(f"{verb} {size}"[:20], CONFIRM)),
        as_of=price_seen(view, price),
    )
