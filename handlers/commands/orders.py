"""What rests at the venue, and taking one entry back."""

from __future__ import annotations

from handlers import traders
from handlers.caller import Role
from handlers.command import Page, TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.meaning import BadUsage
from handlers.reply import Choice, Reply, offer
from handlers.texts.orders import cancelled_reply, ending_with, kind_or_doubt, orders_reply
from handlers.texts.phrases import (
    clipped,
    count_entries,
    entries,
)
from trading.types import Order


@command(family="Look", rank=30)
async def orders(ctx: Context, page: Page = 1, *, trader: Traders) -> Reply:
    """Orders that rest at the venue, and those it has not answered for.

    page: which eight of them, where there are more
    """
    there, one = ctx.services.desk.traders, traders.only(trader)
    if one is None:
        return whole.orders_reply(
            traders.seen(ctx.services, trader),
            lambda name, symbol: there[name].steps(symbol),
            page,
            kind_or_doubt,
        )
    reply = orders_reply(traders.view_of(ctx, one), there[one].steps, page)
    return traders.addressed(ctx, one, reply)


@command(role=Role.OPERATOR, family="Trade", rank=50, acts=True, example="4a6b8c")
async def cancel_order(ctx: Context, id: str = "", *, trader: TraderName | None = None) -> Reply:  # noqa: A002  # what it is called
    """Cancel one resting entry; without an id it lists them.

    Stops are moved by /stop_loss instead, and exits go on.
    id: of the order, or how it ends
    """
    meant = [trader] if trader else list(ctx.services.desk.traders)
    found = [
        (name, o) for name in meant for o in ending_with(ctx.services.desk.views(name).view(), id)
    ]
    if not id or len(found) != 1:
        resting = [
            o for name in meant for o in entries(ctx.services.desk.views(name).view().orders)
        ]
        return _which(id, len(found), resting)
    name, order = found[0]
    desk = ctx.services.desk
    ended = await desk.manual(name).cancel_order(order.id, origin=ctx.caller.chat)
    rules = desk.traders[name].steps(order.symbol)
    reply = cancelled_reply(desk.views(name).view(), ended, rules)
    return traders.addressed(ctx, name, reply, title=False)


# -- /cancel_order ------------------------------------------------------------------------

_SHORT = 6
"""Characters of an id that a person types."""


def _which(id_: str, found: int, resting: list[Order]) -> Reply:
    """What could be cancelled; a refusal if an id was given."""
    buttons = [
        c
        for o in resting[:4]
        for c in offer(f"{o.symbol.base} {o.id[-_SHORT:]}", f"/cancel_order {o.id[-_SHORT:]}")
    ]
    if id_:
        several = "more than one resting order" if found else "no resting order"
        ends = f"There is {several} whose id ends with {clipped(id_, 20)}"
        raise BadUsage(ends, buttons, usage=False)
    count = count_entries(len(resting)) if resting else "No entry"
    return Reply(
        f"{count} {'rests' if len(resting) < 2 else 'rest'}",  # noqa: PLR2004  # one rests, two rest
        text="Nothing was sent." if not resting else "Which one is to go? Nothing was sent.",
        choices=(*buttons, Choice("Orders", "/orders")),
    )
