"""How trades and decisions read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from handlers.format import amount, by_lot, gain, gained, minute, percent, plural
from handlers.reply import Choice, Column, Reply
from handlers.texts.phrases import mode, sentence
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


def against(view: View, symbol: Symbol, outside: str) -> list[str]:
    """What would keep it from being entered now."""
    rests = [rest.told(view.market) for rest in view.symbol_rests if rest.symbol == symbol]
    return [*([f"no entry now: {outside}"] if outside else []), *rests]


def in_full(view: View, rules: MarketRules, decision: Decision) -> str:
    head = f"{minute(decision.bar)} {decision.side.held}"
    if decision.leaves:
        return f"{head} {said_of_exit(decision)}"
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


def said_of_exit(decision: Decision) -> str:
    if decision.approved:
        return f"closed: {sentence(decision.signal)}"
    return f"not closed: {sentence(decision.reason)} It was to be: {sentence(decision.signal)}"
