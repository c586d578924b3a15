"""The whole desk at a glance: what a look says where there are several traders and none is named.

A line for each trader; sums of the same currency only, and unknown as soon as a part is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from handlers.format import (
    UNKNOWN,
    ago,
    amount,
    by_step,
    gain,
    gained,
    minute,
    money,
    plural,
    points,
)
from handlers.reply import Choice, Column, Level, Reply, offer
from handlers.texts.phrases import (
    LOOK,
    are_open,
    by_quote,
    clipped,
    entries,
    modes,
    orders_rest,
    price_time,
    protective,
    targets,
    unknown,
)
from handlers.texts.screen import TABLE_ROWS, first_fitting, fitted
from handlers.traders import SeenTraders
from trading.accounts.views import HoldingView, View
from trading.errors import Refused
from trading.types import MarketRules, Order, Symbol, Trade

T = TypeVar("T")
_NAMED = 3
"""Traders that a sentence names; of more it tells how many."""
NAME = 9
"""Columns of a trader's name."""
Row = tuple[str, ...]
Steps = Callable[[str, Symbol], MarketRules]
"""The steps of a symbol at the venue of the trader of that name."""


def sums(
    values: Sequence[tuple[str, Decimal | None]], seen: SeenTraders, *, signed: bool = True
) -> str:
    """As in `+15.36 USDT`, each currency for itself; unknown if a trader cannot be read."""
    if seen.broken or not values:
        return UNKNOWN
    return by_quote(values, gained if signed else amount)


def is_mixed(seen: SeenTraders) -> bool:
    """Whether a figure without its currency would say nothing."""
    return len({view.quote for view in seen.views}) > 1


def in_cell(value: Decimal | None, view: View, *, mixed: bool, signed: bool = True) -> str:
    if mixed:
        return gained(value, view.quote) if signed else amount(value, view.quote)
    return gain(value) if signed else money(value)


def name_of(view: View) -> str:
    return clipped(view.name, NAME)


def each(seen: SeenTraders, line: str, most: int = 3) -> tuple[Choice, ...]:
    """A button for each of the first traders, that says *line* for it alone."""
    return tuple(c for name in seen.names[:most] for c in offer(name, f"{line} trader={name}"))


def one_each(
    seen: SeenTraders,
    title: str,
    columns: Sequence[Column],
    row: Callable[[View], Row],
    *,
    line: str,
    notes: Sequence[str] = (),
    choices: Sequence[Choice] = (),
    spare: int = 1,
    level: Level = Level.INFO,
) -> Reply:
    """A reply with a line for each trader: those that cannot be read first, as unknown.

    *row*: what follows the name.  *spare*: the column that goes if it is too wide.
    """
    width = len(columns)
    rows: list[Row] = [(clipped(n, NAME), *[UNKNOWN] * width) for n in seen.broken]
    rows += [(name_of(view), *row(view)) for view in seen.views]
    as_of = min((view.as_of for view in seen.views), default=None)

    def draft(most: int, told: int) -> Reply:
        hidden = len(rows) - most
        more = [f"And {hidden} more: /traders lists all."] if hidden > 0 else []
        return Reply(
            title,
            table=fitted([Column(right=False), *columns], rows[:most], spare=spare),
            text="\n".join([*seen.note, *more, *notes[:told]]),
            choices=(*each(seen, line), *choices)[:5],
            level=level,
            as_of=as_of,
        )

    sizes = [(TABLE_ROWS, told) for told in range(len(notes), -1, -1)]
    sizes += [(most, 0) for most in range(TABLE_ROWS - 1, 0, -1)]
    return first_fitting(draft(*size) for size in sizes)


def page_of(found: Sequence[T], page: int, what: str) -> Sequence[T]:
    shown = found[(page - 1) * TABLE_ROWS : page * TABLE_ROWS]
    if not shown and page > 1:
        raise Refused(f"There is no page {page}: {what}")
    return shown


# -- positions ----------------------------------------------------------------------------


def positions_reply(seen: SeenTraders, page: int) -> Reply:
    held = [(view, h) for view in seen.views for h in view.holdings]
    if not held and not seen.broken:
        as_of = seen.views[0].as_of if seen.views else None
        return Reply(f"No open positions {modes(seen.views)}", choices=each(seen, "/status"),
                     as_of=as_of)  # fmt: skip
    shown = page_of(held, page, are_open(len(held)))
    profit = sums([(v.quote, v.open_profit) for v in seen.views if v.holdings], seen)
    times = [at for v in seen.views if (at := price_time(v, v.holdings)) is not None]
    more = [Choice("More", f"/positions {page + 1}")] if len(held) > page * TABLE_ROWS else []
    refresh = "/positions" if page == 1 else f"/positions {page}"
    flat = [v.name for v in seen.views if not v.holdings]
    notes = [f"{modes(seen.views)[1:-1].capitalize()}.{' Prices {age}.' if times else ''}"]
    nothing = ", ".join(flat) if len(flat) <= _NAMED else plural(len(flat), "trader")
    notes += [f"Nothing open: {nothing}."] if flat else []
    count = f"At least {len(held)}" if seen.broken else str(len(held))

    def draft(told: int) -> Reply:
        return Reply(
            f"{count} open, P&L {profit} before fees",
            table=fitted(_POSITIONS, [_position(v, h, seen) for v, h in shown], spare=3),
            text="\n".join([*seen.note, *last_known(seen), *notes[:told]]),
            choices=(*each(seen, "/positions"), *more, Choice("Refresh", refresh))[-5:],
            as_of=min(times, default=None),
        )

    return first_fitting(map(draft, (2, 1, 0)))


_POSITIONS = (Column(right=False), Column(right=False, gap=1), Column("P&L"), Column("%"))


def _position(view: View, held: HoldingView, seen: SeenTraders) -> Row:
    what = clipped(f"{held.position.symbol.base} {held.position.side.held}", 10)
    if held.apart:
        return name_of(view), what, "not traded", ""
    share = points(held.share) if held.profit is not None else ""
    return name_of(view), what, in_cell(held.profit, view, mixed=is_mixed(seen)), share


def last_known(seen: SeenTraders) -> list[str]:
    """Of equities that are unknown: the last value, with its age."""
    return [
        f"{v.name}: equity was {amount(v.known_equity, v.quote)} "
        f"{ago(v.as_of - v.known_equity_at)}."
        for v in seen.views
        if v.equity is None
    ][:2]


# -- orders -------------------------------------------------------------------------------


def orders_reply(seen: SeenTraders, steps: Steps, page: int, kind: Callable[[Order], str]) -> Reply:
    """*kind*: the word for what an order is for."""
    alive = [(v, o) for v in seen.views for o in v.orders if o.is_alive]
    shown = page_of(alive, page, orders_rest(len(alive)))
    orders = [o for _, o in alive]
    counts = (
        (plural(len(entries(orders)), "entry", "entries"), entries(orders)),
        (plural(len(protective(orders)), "stop"), protective(orders)),
        (plural(len(targets(orders)), "target"), targets(orders)),
        (f"{len(unknown(orders))} unknown", unknown(orders)),
    )
    kinds = ", ".join(text for text, found in counts if found)
    count = f"{'At least ' if seen.broken else ''}{len(alive)}"
    title = f"{count} resting {modes(seen.views)}{f': {kinds}' if kinds else ''}"
    more = [Choice("More", f"/orders {page + 1}")] if len(alive) > page * TABLE_ROWS else []
    return Reply(
        title if alive or seen.broken else f"No resting orders {modes(seen.views)}",
        table=fitted(_ORDERS, [_order(v, o, steps, kind) for v, o in shown], spare=2),
        text="\n".join([*seen.note, *_silent(seen)]),
        choices=(*each(seen, "/orders", 2), *more, Choice("Refresh", "/orders"),
                 Choice("Stop all", "/stop")),
        level=Level.URGENT if unknown(orders) else Level.INFO,
        as_of=min((v.as_of for v in seen.views), default=None),
    )  # fmt: skip


_ORDERS = (Column(right=False), Column(right=False, gap=1), Column(gap=1),
           Column(right=False, gap=1))  # fmt: skip


def _order(view: View, order: Order, steps: Steps, kind: Callable[[Order], str]) -> Row:
    price = order.level
    at = "market" if price is None else by_step(price, steps(view.name, order.symbol).tick)
    return name_of(view), clipped(f"{order.symbol.base} {order.side.value}", 10), at, kind(order)


def _silent(seen: SeenTraders) -> list[str]:
    quiet = [v.name for v in seen.views if v.venue_silent is not None or v.asked_at is None]
    named = ", ".join(quiet) if len(quiet) <= _NAMED else plural(len(quiet), "trader")
    return [f"By the desk's own books: {named}."] if quiet else []


# -- trades -------------------------------------------------------------------------------


def trades_reply(seen: SeenTraders, found: Sequence[Trade], n: int, page: int) -> Reply:
    """*found*: of all, newest first, from the first page on; one more if there are older ones."""
    shown = found[(page - 1) * n : page * n]
    if not shown:
        none = "No trades yet" if page == 1 else f"No trades on page {page}"
        return Reply(f"{none} {modes(seen.views)}", choices=each(seen, "/trades"))
    count = plural(len(shown), "trade")
    which = f"Last {count}" if page == 1 else f"{count}, page {page}"
    result = by_quote([(t.symbol.quote, t.profit) for t in shown], gained)
    mixed = len({t.symbol.quote for t in shown}) > 1
    rows = [_trade(trade, mixed=mixed) for trade in shown]
    older = [Choice("Older", f"/trades {n} {page + 1}")] if len(found) > page * n else []
    return Reply(
        f"{which}: {result} after fees",
        table=fitted(_TRADES, rows, spare=0),
        text="\n".join(seen.note),
        choices=(*each(seen, "/trades"), *older),
        as_of=min((v.as_of for v in seen.views), default=None),
    )


_TRADES = (Column("UTC", right=False), Column(right=False, gap=1), Column(right=False, gap=1),
           Column(gap=1))  # fmt: skip


def _trade(trade: Trade, *, mixed: bool) -> Row:
    profit = gained(trade.profit, trade.symbol.quote) if mixed else gain(trade.profit)
    what = clipped(f"{trade.symbol.base} {trade.side.held}", 10)
    return minute(trade.closed_at), clipped(trade.trader, 7), what, profit


# -- figures ------------------------------------------------------------------------------


def balance_reply(seen: SeenTraders) -> Reply:
    mixed = is_mixed(seen)

    def row(view: View) -> Row:
        free = None if view.equity is None else view.equity - view.exposure
        cells = (view.equity, free)
        return tuple(in_cell(cell, view, mixed=mixed, signed=False) for cell in cells)

    equity = sums([(v.quote, v.equity) for v in seen.views], seen, signed=False)
    profit = sums([(v.quote, v.open_profit) for v in seen.views], seen)
    return one_each(
        seen,
        f"Equity {equity} {modes(seen.views)}",
        (Column("equity"), Column("free")),
        row,
        line="/balance",
        notes=[*last_known(seen), f"Open P&L {profit}.", *_silent(seen)],
        choices=(Choice("Risk", "/risk"),),
        spare=2,
    )


def risk_reply(seen: SeenTraders, worth_a_look: Mapping[str, str], notes: Sequence[str]) -> Reply:
    """*worth_a_look*: of some traders, which limit, as in `near its limit, day`."""
    loud = [view for view in seen.views if view.name in worth_a_look]
    told = f"{LOOK} Look at {_named(loud, seen)}" if loud or seen.broken else "Inside all limits"
    return one_each(
        seen,
        f"{told} {modes(seen.views)}".rstrip(),
        (Column("day\u00a0%", gap=1), Column("fall\u00a0%", gap=1), Column("used\u00a0%", gap=1)),
        _losses,
        line="/risk",
        notes=[*(f"{name}: {what}." for name, what in worth_a_look.items()), *notes],
        choices=(Choice("Positions", "/positions"),),
        level=Level.URGENT if loud else Level.INFO,
    )


def _named(found: Sequence[View], seen: SeenTraders) -> str:
    names = [*(v.name for v in found), *seen.broken]
    return names[0] if len(names) == 1 else f"{len(names)} of {len(seen.names)} traders"


def _losses(view: View) -> Row:
    share = view.exposure / view.equity if view.equity else None
    drawdown = None if view.drawdown is None else -view.drawdown
    return points(view.today_share), points(drawdown), points(share, signed=False)
