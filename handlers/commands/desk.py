"""The traders of this desk, and the strategies there are."""

from __future__ import annotations

from handlers.command import command
from handlers.context import Context
from handlers.reply import Reply
from handlers.texts.desk import strategies_reply, traders_reply
from handlers.traders import views
from trading import strategies as known


@command(family="Look", rank=12)
async def traders(ctx: Context) -> Reply:
    """One line for each trader: state, equity, today."""
    return traders_reply(views(ctx.services))


@command(family="Look", rank=70)
async def strategies(ctx: Context) -> Reply:
    """Which strategies there are, and who runs which, with what settings."""
    there = {name: known.summary(name).replace("*", "") for name in known.names()}
    return strategies_reply(there, views(ctx.services))
