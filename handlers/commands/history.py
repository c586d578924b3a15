"""What was traded, and why."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from handlers import traders
from handlers.command import Page, Range, Rows, TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import amount, by_lot, gain, gained, minute, percent, plural
from handlers.reply import Choice, Column, Reply
from handlers.texts.phrases import clipped, mode, sentence
from handlers.texts.screen import a_table
from trading.accounts.views import View
from trading.types import Decision, ExitReason, MarketRules, Symbol, Trade

_COLUMNS = (
    Column("UTC", right=False),
    Column(right=False, gap=1),
    Column(right=False, gap=1),
    Column(),
)
REASONS = {
    ExitReason.EXTERNAL: "outside",
    ExitReason.WRITTEN_OFF: "written off",
    ExitReason.FORGOTTEN: "unknown",
}
"""Where the word is not the reason's own."""


@command(family="Look", rank=40, example="8 2")
async def trades(ctx: Context, n: Rows = 5, page: Page = 1, *, trader: Traders) -> Reply:
    """Closed trades, newest first, with profit and loss after fees.

    n: how many, at most 8
    page: which of them, 1 being the newest
    """
    one, store = traders.only(trader), ctx.services.store
    if one is None:
        newest = [await store.trades(name, limit=page * n + 1) for name in trader]
        merged = sorted((t for each in newest for t in each), key=lambda t: t.closed_at)
        return whole.trades_reply(traders.seen(ctx.services, trader), merged[::-1], n, page)
    view = traders.view_of(ctx, one)
    found = await store.trades(one, limit=n + 1, offset=(page - 1) * n)
    return traders.addressed(ctx, one, trades_reply(view, found, n, page))


@command(family="Look", rank=50, example="SYMBOL 5")
async def why(
    ctx: Context, symbol: Symbol, n: Annotated[int, Range(1, 5)] = 1, *, trader: TraderName
) -> Reply:
    """What was decided about a symbol, and for which reasons.

    symbol: as in BTC
    n: how many decisions, at most 5
    """
    desk_trader = ctx.services.desk.traders[trader]
    found = await ctx.services.store.decisions(trader, symbol, limit=n)
    view = desk_trader.view()
    outside = desk_trader.universe.objection(symbol, view.market)
    rules = desk_trader.steps(symbol) if found else None
    reply = why_reply(view, rules, symbol, found, outside=outside)
    return traders.addressed(ctx, trader, reply)


def trades_reply(view: View, found: Sequence[Trade], n: int, page: int) -> Reply:
    """*found* holds one more than *n* if there are older ones."""
    shown = found[:n]
    if not shown:
        none = "No trades yet" if page == 1 else f"No trades on page {page}"
        return Reply(f"{none} {mode(view.mode)}", as_of=view.as_of)
    total = gained(sum((t.profit for t in shown), Decimal(0)), view.quote)
    which = (
        f"Last {plural(len(shown), 'trade')}"
        if page == 1
        else f"{plural(len(shown), 'trade')}, page {page}"
    )
    older = (Choice("Older", f"/trades {n} {page + 1}"),) if len(found) > n else ()
    return Reply(
        f"{which}: {total} after fees",
        table=a_table(_COLUMNS, [_row(t) for t in shown]),
        choices=older,
        as_of=view.as_of,
    )


def _row(trade: Trade) -> tuple[str, ...]:
    return (
        minute(trade.closed_at),
        f"{trade.symbol.base} {trade.side.held}",
        REASONS.get(trade.reason, trade.reason.value),
        gain(trade.profit),
    )


def why_reply(
    view: View,
    rules: MarketRules | None,
    symbol: Symbol,
    found: Sequence[Decision],
    *,
    outside: str = "",
) -> Reply:
    """*rules*: None without decisions; *outside*: why it may not be entered now, as a clause."""
    now = [sentence(why) for why in _against(view, symbol, outside) if not _said(why, found)]
    universe = (Choice("Universe", "/universe"),) if outside else ()
    if not found or rules is None:
        title = f"No decisions on {symbol.base} yet {mode(view.mode)}"
        return Reply(title, text="\n".join(now), choices=universe, as_of=view.as_of)
    if len(found) == 1:
        return Reply(
            f"{symbol.base}: last decision",
            text="\n".join([_in_full(view, rules, found[0]), *now]),
            choices=(Choice("Older", f"/why {symbol.base} 5"), *universe),
            as_of=view.as_of,
        )
    return Reply(
        f"{symbol.base}: last {len(found)} decisions",
        text="\n".join([*(clipped(_in_short(d), 72) for d in found), *now]),
        choices=(Choice("Last", f"/why {symbol.base}"), *universe),
        as_of=view.as_of,
    )


def _against(view: View, symbol: Symbol, outside: str) -> list[str]:
    """What would keep it from being entered now."""
    rests = [rest.told(view.market) for rest in view.symbol_rests if rest.symbol == symbol]
    return [*([f"no entry now: {outside}"] if outside else []), *rests]


def _said(why: str, found: Sequence[Decision]) -> bool:
    """The newest decision has said just that."""
    return bool(found) and why.removeprefix("no entry now: ") == found[0].reason


def _in_full(view: View, rules: MarketRules, decision: Decision) -> str:
    head = f"{minute(decision.bar)} {decision.side.held}"
    if decision.leaves:
        return f"{head} {_left(decision)}"
    wish = f"{decision.signal}, confidence {decision.confidence}"
    if not decision.approved:
        return f"{head} refused: {sentence(decision.reason)} The signal was: {sentence(wish)}"
    risk = amount(decision.risk, view.quote)
    share = (
        f" ({percent(decision.risk / view.known_equity, signed=False)})"
        if view.known_equity > 0
        else ""
    )
    size = by_lot(decision.quantity, rules.lot)
    return f"{head} approved: {wish}. Size {size} risks {risk}{share}."


def _left(decision: Decision) -> str:
    if decision.approved:
        return f"closed: {sentence(decision.signal)}"
    return f"not closed: {sentence(decision.reason)} It was to be: {sentence(decision.signal)}"


def _in_short(decision: Decision) -> str:
    if decision.leaves:
        return f"{minute(decision.bar)} {decision.side.held} {_left(decision)}"
    answer = "approved" if decision.approved else "refused"
    why = decision.signal if decision.approved else decision.reason
    return f"{minute(decision.bar)} {decision.side.held} {answer}: {why}"
