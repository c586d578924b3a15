"""What rests at the venue."""

from __future__ import annotations

from collections.abc import Callable

from handlers import traders
from handlers.command import Page, TraderName, command
from handlers.context import Context
from handlers.format import ago, by_step, duration, plural
from handlers.reply import Choice, Column, Level, Reply
from handlers.screen import TABLE_ROWS, a_table
from handlers.words import count_entries, entries, mode, protective, unknown
from trading.errors import Refused
from trading.types import MarketRules, Order, OrderRole, OrderStatus, Symbol
from trading.views import View

Rules = Callable[[Symbol], MarketRules]

_ROLES = {OrderRole.ENTRY: "entry", OrderRole.PROTECT: "stop", OrderRole.EXIT: "exit"}
_COLUMNS = (Column(right=False), Column(gap=1), Column(gap=1), Column(right=False, gap=1))


@command(family="Look", rank=30)
async def orders(ctx: Context, page: Page = 1, *, trader: TraderName) -> Reply:
    """Orders that rest at the venue, and those it has not answered for.

    page: which eight of them, where there are more
    """
    desk_trader = ctx.services.desk.traders[trader]
    reply = orders_reply(desk_trader.view(), desk_trader.rules, page)
    return traders.addressed(ctx, trader, reply)


def orders_reply(view: View, rules: Rules, page: int) -> Reply:
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
        raise Refused(f"There is no page {page}: {len(alive)} orders rest")
    more = len(alive) > page * TABLE_ROWS
    return Reply(
        f"{len(alive)} resting {mode(view.mode)}: {_kinds(alive)}",
        table=a_table(_COLUMNS, [_row(o, rules(o.symbol)) for o in shown]),
        text=_asked(view),
        choices=(*([Choice("More", f"/orders {page + 1}")] if more else []), *choices),
        level=Level.URGENT if unknown(alive) else Level.INFO,
        as_of=view.as_of,
    )


def _kinds(alive: list[Order]) -> str:
    exits = [o for o in alive if o.role is OrderRole.EXIT]
    counts = (
        (count_entries(len(entries(alive))), entries(alive)),
        (plural(len(protective(alive)), "stop"), protective(alive)),
        (plural(len(exits), "exit"), exits),
        (f"{len(unknown(alive))} unknown", unknown(alive)),
    )
    return ", ".join(text for text, found in counts if found)


def _row(order: Order, rules: MarketRules) -> tuple[str, ...]:
    price = order.price if order.price is not None else order.stop_price
    doubt = "?" if order.status is OrderStatus.UNKNOWN else ""
    return (
        f"{order.symbol.base} {order.side.value}",
        by_step(order.remaining, rules.lot),
        "market" if price is None else by_step(price, rules.tick),
        f"{_ROLES[order.role]}{doubt}",
    )


def _asked(view: View) -> str:
    if view.venue_silent is not None:
        return f"By the desk's own books: venue silent {duration(view.venue_silent)}."
    if view.asked_at is None:
        return "By the desk's own books; the venue was not asked yet."
    return f"Asked {ago(view.as_of - view.asked_at)}."
