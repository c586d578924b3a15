"""Prices, and a look at them on demand."""

from __future__ import annotations

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.context import Context
from handlers.reply import Reply
from handlers.texts.market import price_reply, scan_reply
from trading.types import Symbol


@command(family="Look", rank=22, example="SYMBOL")
async def price(ctx: Context, symbol: Symbol, *, trader: TraderName) -> Reply:
    """What one symbol costs, how old that is, and how it moved today.

    symbol: as in BTC
    """
    views = ctx.services.desk.views(trader)
    reply = price_reply(views.view(), views.price(symbol))
    return traders.addressed(ctx, trader, reply)


@command(role=Role.OPERATOR, family="Trade", rank=60, acts=True)
async def scan(ctx: Context, *, trader: TraderName) -> Reply:
    """Look at the market now, as every cycle does, and say what was found."""
    found = await ctx.services.desk.traders[trader].scan()
    return traders.addressed(ctx, trader, scan_reply(traders.view_of(ctx, trader), found))
