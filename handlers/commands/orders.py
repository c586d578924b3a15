"""What rests at the venue, and taking one entry back."""

from __future__ import annotations

from collections.abc import Callable

from handlers import traders
from handlers.caller import Role
from handlers.command import Page, TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import ago, by_lot, by_step, duration, plural
from handlers.meaning import BadUsage
from handlers.reply import Choice, Column, Level, Outcome, Reply, offer
from handlers.texts.phrases import (
    DONE,
    DOUBT,
    LOOK,
    clipped,
    count_entries,
    entries,
    mode,
    orders_rest,
    protective,
    targets,
    unknown,
)
from handlers.texts.screen import TABLE_ROWS, a_table
from trading.accounts.views import View
from trading.errors import Refused
from trading.types import MarketRules, Order, OrderRole, OrderStatus, OrderType, Symbol

_ROLES = {OrderRole.ENTRY: "entry", OrderRole.PROTECT: "stop", OrderRole.EXIT: "exit"}
_COLUMNS = (Column(right=False), Column(gap=1), Column(gap=1), Column(right=False, gap=1))


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
            _kind_or_doubt,
        )
    reply = orders_reply(there[one].view(), there[one].steps, page)
    return traders.addressed(ctx, one, reply)


@command(role=Role.OPERATOR, family="Trade", rank=50, acts=True, example="4a6b8c")
async def cancel_order(ctx: Context, id: str = "", *, trader: TraderName | None = None) -> Reply:  # noqa: A002  # what it is called
    """Cancel one resting entry; without an id it lists them.

    Stops are moved by /stop_loss instead, and exits go on.
    id: of the order, or how it ends
    """
    meant = [trader] if trader else list(ctx.services.desk.traders)
    found = [
        (name, o)
        for name in meant
        for o in _ending_with(ctx.services.desk.traders[name].view(), id)
    ]
    if not id or len(found) != 1:
        resting = [
            o for name in meant for o in entries(ctx.services.desk.traders[name].view().orders)
        ]
        return _which(id, len(found), resting)
    name, order = found[0]
    desk_trader = ctx.services.desk.traders[name]
    ended = await desk_trader.manual.cancel_order(order.id, origin=ctx.caller.chat)
    reply = cancelled_reply(desk_trader.view(), ended, desk_trader.steps(order.symbol))
    return traders.addressed(ctx, name, reply, title=False)


def orders_reply(view: View, steps: Callable[[Symbol], MarketRules], page: int) -> Reply:
    alive = [o for o in view.orders if o.is_alive]
    choices = (Choice("Refresh", "/orders"), Choice("Stop", "/stop"))
    if not alive:
        return Reply(
            f"No resting orders {mode(view.mode)}",
            text=_asked(view),
            choices=choices,
            as_of=view.as_of,
        )
    shown = alive[(page - 1) * TABLE_ROWS : page * TABLE_ROWS]
    if not shown:
        raise Refused(f"There is no page {page}: {orders_rest(len(alive))}")
    more = len(alive) > page * TABLE_ROWS
    count = sum(o.status is not OrderStatus.INTENT for o in alive)
    return Reply(
        f"{count} resting {mode(view.mode)}: {_kinds(alive)}",
        table=a_table(_COLUMNS, [_row(o, steps(o.symbol)) for o in shown]),
        text=_asked(view),
        choices=(*([Choice("More", f"/orders {page + 1}")] if more else []), *choices),
        level=Level.URGENT if unknown(alive) else Level.INFO,
        as_of=view.as_of,
    )


def _kinds(alive: list[Order]) -> str:
    """What is being sent at this moment does not rest yet."""
    leaving = [o for o in alive if o.status is OrderStatus.INTENT]
    alive = [o for o in alive if o.status is not OrderStatus.INTENT]
    exits = [o for o in alive if o.role is OrderRole.EXIT]
    counts = (
        (count_entries(len(entries(alive))), entries(alive)),
        (plural(len(protective(alive)), "stop"), protective(alive)),
        (plural(len(targets(alive)), "target"), targets(alive)),
        (plural(len(exits), "exit"), exits),
        (f"{len(unknown(alive))} unknown", unknown(alive)),
        (f"{len(leaving)} on the way", leaving),
    )
    return ", ".join(text for text, found in counts if found)


def _row(order: Order, rules: MarketRules) -> tuple[str, ...]:
    price = order.level
    return (
        f"{order.symbol.base} {order.side.value}",
        by_lot(order.remaining, rules.lot),
        "market" if price is None else by_step(price, rules.tick),
        _kind_or_doubt(order),
    )


def _kind_or_doubt(order: Order) -> str:
    """As in `entry`; `entry?` while the venue has not answered for it, `entry…` on its way."""
    marks = {OrderStatus.UNKNOWN: "?", OrderStatus.INTENT: "…"}
    return f"{_kind(order)}{marks.get(order.status, '')}"


def _kind(order: Order) -> str:
    return "goal" if order.type is OrderType.TARGET else _ROLES[order.role]


def _asked(view: View) -> str:
    if view.venue_silent is not None:
        return f"By the desk's own books: venue silent {duration(view.venue_silent)}."
    if view.asked_at is None:
        return "By the desk's own books; the venue was not asked yet."
    return f"Asked {ago(view.as_of - view.asked_at)}."


# -- /cancel_order ------------------------------------------------------------------------

_SHORT = 6
"""Characters of an id that a person types."""


def _ending_with(view: View, id_: str) -> list[Order]:
    return [o for o in view.orders if o.is_alive and o.id.lower().endswith(id_.lower())]


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


def cancelled_reply(view: View, order: Order, rules: MarketRules) -> Reply:
    """What became of an order that was to be cancelled: it may have filled first."""
    what = f"{order.symbol.base} {order.side.value} {by_lot(order.quantity, rules.lot)}"
    choices = (Choice("Orders", "/orders"), Choice("Positions", "/positions"))
    filled = by_lot(order.filled, rules.lot)
    if order.is_alive:
        return Reply(
            f"{DOUBT} Not cancelled yet: {what} {mode(view.mode)}",
            text="The venue has not confirmed it; it may still fill.",
            choices=choices,
            level=Level.URGENT,
            outcome=Outcome.FAILED,
        )
    if order.status is OrderStatus.FILLED:
        return Reply(
            f"{LOOK} Too late: {what} {mode(view.mode)} was filled first",
            text="Nothing was cancelled; the position has its stop.",
            choices=choices,
            level=Level.NOTICE,
        )
    part = f"; {filled} of it had filled, and stays" if order.filled else ""
    return Reply(
        f"{DONE} Cancelled {what} {mode(view.mode)}",
        text=f"Done: it no longer rests, the venue confirmed{part}.",
        choices=choices,
    )
