"""How resting orders read, and the end of one."""

from __future__ import annotations

from collections.abc import Callable

from handlers.format import ago, by_lot, by_step, duration, plural
from handlers.reply import Choice, Column, Level, Outcome, Reply
from handlers.texts.phrases import (
    DONE,
    DOUBT,
    LOOK,
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
        kind_or_doubt(order),
    )


def kind_or_doubt(order: Order) -> str:
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


def ending_with(view: View, id_: str) -> list[Order]:
    return [o for o in view.orders if o.is_alive and o.id.lower().endswith(id_.lower())]


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
