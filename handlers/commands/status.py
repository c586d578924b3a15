"""/status: is it trading, does anything need me, how much is it?  One message, always."""

from __future__ import annotations

from collections.abc import Callable

from handlers import traders
from handlers.command import TraderName, command
from handlers.context import Context
from handlers.reply import Reply
from handlers.texts.phrases import (
    WAIT,
)
from handlers.texts.status import REFRESH, as_it_is, one, several


@command(family="Look", rank=10)
async def status(ctx: Context, *, trader: TraderName | None = None) -> Reply:
    """Whether it trades, what needs you, equity, positions and health."""
    return current(ctx, trader)


def current(
    ctx: Context, trader: TraderName | None = None, dressed: Callable[[Reply], Reply] | None = None
) -> Reply:
    """The status now; *dressed* adds to it before it is made to fit."""
    dress = dressed or as_it_is
    desk, chats = ctx.services.desk, ctx.services.administration.chats()
    if trader is None and len(desk.traders) > 1:
        return several(traders.views(ctx.services), chats, dress)
    if not desk.traders:
        return dress(Reply(f"{WAIT} Starting: no trader is ready yet", choices=(REFRESH,)))
    name = trader or TraderName(next(iter(desk.traders)))
    return one(
        traders.view_of(ctx, name),
        lambda reply: dress(traders.addressed(ctx, name, reply)),
        chats,
    )
