"""What was traded, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from handlers import traders
from handlers.command import Page, Range, Rows, TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import minute
from handlers.reply import Choice, Reply
from handlers.texts.history import against, in_full, said_of_exit, trades_reply
from handlers.texts.phrases import clipped, mode, sentence
from trading.accounts.views import View
from trading.types import Decision, MarketRules, Symbol


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
    view = traders.view_of(ctx, trader)
    outside = desk_trader.universe.objection(symbol, view.market)
    rules = desk_trader.steps(symbol) if found else None
    reply = why_reply(view, rules, symbol, found, outside=outside)
    return traders.addressed(ctx, trader, reply)


def why_reply(
    view: View,
    rules: MarketRules | None,
    symbol: Symbol,
    found: Sequence[Decision],
    *,
    outside: str = "",
) -> Reply:
    """*rules*: None without decisions; *outside*: why it may not be entered now, as a clause."""
    now = [sentence(why) for why in against(view, symbol, outside) if not _said(why, found)]
    universe = (Choice("Universe", "/universe"),) if outside else ()
    if not found or rules is None:
        title = f"No decisions on {symbol.base} yet {mode(view.mode)}"
        return Reply(title, text="\n".join(now), choices=universe, as_of=view.as_of)
    if len(found) == 1:
        return Reply(
            f"{symbol.base}: last decision",
            text="\n".join([in_full(view, rules, found[0]), *now]),
            choices=(Choice("Older", f"/why {symbol.base} 5"), *universe),
            as_of=view.as_of,
        )
    return Reply(
        f"{symbol.base}: last {len(found)} decisions",
        text="\n".join([*(clipped(_in_short(d), 72) for d in found), *now]),
        choices=(Choice("Last", f"/why {symbol.base}"), *universe),
        as_of=view.as_of,
    )


def _said(why: str, found: Sequence[Decision]) -> bool:
    """The newest decision has said just that."""
    return bool(found) and why.removeprefix("no entry now: ") == found[0].reason


def _in_short(decision: Decision) -> str:
    if decision.leaves:
        return f"{minute(decision.bar)} {decision.side.held} {said_of_exit(decision)}"
    answer = "approved" if decision.approved else "refused"
    why = decision.signal if decision.approved else decision.reason
    return f"{minute(decision.bar)} {decision.side.held} {answer}: {why}"
