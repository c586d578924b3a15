"""What is open, one by one, and closing it."""

from __future__ import annotations

from decimal import Decimal

from handlers import traders
from handlers.caller import Role
from handlers.command import Page, Share, TraderName, Traders, command
from handlers.commands import whole
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import (
    by_lot,
)
from handlers.reply import Choice, Column, Reply
from handlers.texts.phrases import (
    LOOK,
    base_and_side,
    mode,
    price_time,
)
from handlers.texts.positions import (
    check_unchanged,
    closed_reply,
    closing_verb,
    entry_line,
    holding_of,
    part_of,
    plan_notes,
    plan_rows,
    positions_reply,
    profit_line,
    what_stays,
    worth,
)
from handlers.texts.screen import a_table
from trading.accounts.views import HoldingView, View
from trading.types import ONE, Symbol

ALL = Share(ONE)


@command(family="Look", rank=20)
async def positions(ctx: Context, page: Page = 1, *, trader: Traders) -> Reply:
    """What is open, at which price, with profit and loss before fees.

    page: which eight of them, where there are more
    """
    one = traders.only(trader)
    if one is None:
        return whole.positions_reply(traders.seen(ctx.services, trader), page)
    return traders.addressed(ctx, one, positions_reply(traders.view_of(ctx, one), page))


@command(family="Look", rank=21, example="SYMBOL", held=True)
async def position(ctx: Context, symbol: Symbol, *, trader: TraderName) -> Reply:
    """One position: entry, stop, targets, who keeps them, and what a stop would cost.

    symbol: as in BTC
    """
    view = traders.view_of(ctx, trader)
    return traders.addressed(ctx, trader, position_reply(view, symbol), title=False)


@command(role=Role.OPERATOR, family="Stop", rank=40, acts=True, example="SYMBOL 50%", held=True)
async def close(ctx: Context, symbol: Symbol, share: Share = ALL, *, trader: TraderName) -> Reply:
    """Close one position at market, or a share of it; asks first.

    Stop and target of the rest are resized. Entries go on as before.
    symbol: as in BTC
    share: how much of what is open, as in 50%; everything if left out
    """
    holding = holding_of(traders.view_of(ctx, trader), symbol)
    await traders.require_traded(ctx, trader, symbol)
    await ctx.services.desk.manual(trader).look_at_lots(symbol, share)
    holding = holding_of(traders.view_of(ctx, trader), symbol)
    quantity = part_of(holding, share)

    async def act() -> Reply:
        view = traders.view_of(ctx, trader)
        check_unchanged(holding, holding_of(view, symbol))
        desk = ctx.services.desk
        closed = await desk.manual(trader).close(
            symbol, share=share, by=ctx.caller.signature, origin=ctx.caller.chat
        )
        rules = desk.traders[trader].steps(symbol)
        reply = closed_reply(closed, traders.view_of(ctx, trader), rules)
        return traders.addressed(ctx, trader, reply, title=False)

    view = traders.view_of(ctx, trader)
    question = traders.addressed(ctx, trader, close_question(view, holding, quantity))
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def position_reply(view: View, symbol: Symbol) -> Reply:
    held = [h for h in view.holdings if h.position.symbol == symbol]
    if not held:
        return Reply(
            f"No open position in {symbol.base} {mode(view.mode)}",
            choices=(
                Choice("Positions", "/positions"),
                Choice("Why", f"/why {symbol.base}"),
            ),
            as_of=view.as_of,
        )
    holding = held[0]
    base, size = symbol.base, by_lot(abs(holding.position.quantity), holding.rules.lot)
    seen = price_time(view, held)
    close = [Choice("Close half", f"/close {base} 50%"), Choice("Close", f"/close {base}")]
    if holding.apart:
        close = [Choice("Write off", f"/write_off {base}")] if view.writes_off else []
    return Reply(
        f"{base_and_side(holding)} {size} {mode(view.mode)}, {profit_line(view, holding)}",
        lead=entry_line(view, holding),
        table=a_table(_PLAN_COLUMNS, plan_rows(holding)),
        text=plan_notes(view, holding),
        choices=(Choice("Why", f"/why {base}"), *close),
        as_of=seen,
    )


_PLAN_COLUMNS = (
    Column(right=False),
    Column("price"),
    Column("away\u00a0%"),
    Column("kept by", right=False),
)


def close_question(view: View, holding: HoldingView, quantity: Decimal) -> Reply:
    rules, base = holding.rules, holding.position.symbol.base
    whole = abs(holding.position.quantity)
    size, left = by_lot(quantity, rules.lot), by_lot(whole - quantity, rules.lot)
    verb = closing_verb(holding.position.side)
    part = f"all {size}" if quantity == whole else f"{size} of {by_lot(whole, rules.lot)}"
    return Reply(
        f"{LOOK} {verb} {part} {base} {mode(view.mode)} at market?",
        text=f"{worth(view, holding, quantity)}\n{what_stays(holding, left, quantity == whole)}",
        choices=(Choice("Cancel", CANCEL), Choice(f"{verb} {size}"[:20], CONFIRM)),
        as_of=price_time(view, [holding]),
    )
