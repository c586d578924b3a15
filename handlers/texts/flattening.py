"""How `/flatten` reads: the question before it, and how far the closes are."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from handlers.format import amount, by_lot, exact, gain, listed, money, took
from handlers.reply import Choice, Level, Reply
from handlers.texts.guarded import holding_in, lacking
from handlers.texts.phrases import (
    LOOK,
    apart,
    apart_notes,
    base_and_side,
    count_entries,
    counted,
    stale_note,
    total,
    unknown,
    whom,
)
from handlers.texts.screen import a_table, fitting
from handlers.texts.stopped import CLOSED_COLUMNS, cancelled, durable, flat_reply, stopped
from trading.accounts.views import Halting, HoldingView, Swept, View
from trading.model.halt import Stage
from trading.types import Side, Trade


def worth(view: View) -> str:
    if not counted(view):
        return "Nothing of it can be sold now."
    value = total([value_of(h) for h in counted(view)])
    profit = gain(total([h.profit for h in counted(view)]))
    if value is None:
        return f"Worth unknown: {stale_note(view)}; P&L {profit}."
    return f"About {amount(value, view.quote)}, P&L {profit} before fees; prices {{age}}."


def value_of(holding: HoldingView) -> Decimal | None:
    if holding.quote is None or holding.stale:
        return None
    return holding.position.notional(holding.quote.price)


def close_rows(held: Sequence[HoldingView], rows: int) -> list[tuple[str, ...]]:
    shown = held if rows >= len(held) else held[: max(rows - 1, 0)]
    found: list[tuple[str, ...]] = [
        (
            base_and_side(h),
            by_lot(abs(h.position.quantity), h.rules.lot),
            "not traded" if h.apart else money(value_of(h)),
            "" if h.apart else gain(h.profit),
        )
        for h in shown
    ]
    hidden = held[len(shown) :]
    if hidden:
        rest = [h for h in hidden if not h.apart]
        value, profit = total([value_of(h) for h in rest]), total([h.profit for h in rest])
        found.append((f"{len(hidden)} more", "", money(value), gain(profit)))
    return found


def flattening(halting: Halting, before: View, now: View) -> Reply:
    """The answer while the closes are under way; its story goes on by `HaltAdvanced`."""
    if not before.holdings:
        return stopped(halting, [now])
    if halting.flat:
        place = whom(before.name, before.mode)
        seconds = (now.as_of - halting.halt.at).total_seconds()
        ends = halting.halt.stages_of(before.name)
        dust = next((r.note for r in ends if r.stage is Stage.FLAT_EXCEPT_DUST), "")
        return flat_reply(place, seconds, halting.closes, halting.halt.id, dust=dust)
    return fitting(lambda rows: _flattening(halting, before, now, rows), len(before.holdings))


def _flattening(halting: Halting, before: View, now: View, rows: int) -> Reply:
    left = {h.position.symbol for h in now.holdings}
    count = len(before.holdings)
    gone = sum(h.position.symbol not in left for h in before.holdings)
    reached = [r.stage for r in halting.halt.stages_of(before.name)]
    entries_done = "entries blocked" + (sweep_note(halting.swept, reached))
    return Reply(
        f"{LOOK} Flattening {whom(before.name, before.mode)}: {gone} of {count} closed",
        table=a_table(CLOSED_COLUMNS, _so_far(halting.closes, before, now)[:rows]),
        text="\n".join([
            f"Done: {entries_done}{durable(halting)}.",
            *apart_notes(now),
            *(doubts(now) or _goes_on(now)),
        ]),
        choices=(Choice("Status", "/status"), Choice("Halts", "/halts")),
        level=Level.CRITICAL,
        story=halting.halt.id,
    )  # fmt: skip


def _goes_on(now: View) -> list[str]:
    """Where nobody trades what is left, nothing goes on."""
    return ["Closing goes on until flat; the result is told here."] if counted(now) else []


def sweep_note(swept: Sequence[Swept], reached: Sequence[Stage]) -> str:
    if all(s.confirmed for s in swept) or Stage.CANCELS_CONFIRMED in reached:
        return f"; {cancelled(swept)}"
    return f"; {count_entries(sum(s.resting for s in swept))} may rest and fill, retrying"


def doubts(view: View) -> list[str]:
    orders = unknown(view.orders)
    names = sorted({o.symbol.base for o in orders})
    if not names:
        return []
    if len(orders) > 1:
        has = "it may have been closed" if len(names) == 1 else "they may have been closed"
        return [f"{listed(names)}: no answer yet, {has}. Asking before resending."]
    (order,) = orders
    waited = took((view.as_of - order.created_at).total_seconds())
    did = "bought" if order.side is Side.BUY else "sold"
    told = f"{names[0]}: no answer in {waited}, it may have {did}. Asking before resending."
    return [told + _stop_of(holding_in(view, order.symbol))]


def _stop_of(held: HoldingView | None) -> str:
    if held is None or held.plan.stop is None:
        return ""
    if held.stop_on_venue:
        return f" Stop {exact(held.plan.stop)} stays."
    return f" {lacking(held)}"


def _so_far(closes: Sequence[Trade], before: View, now: View) -> list[tuple[str, ...]]:
    """What was closed, at which price and with what result; then what is still to be."""
    left = {h.position.symbol for h in now.holdings}
    doubtful = {o.symbol for o in unknown(now.orders)}
    stuck = {h.position.symbol for h in apart(now)}
    closed = {t.symbol: t for t in closes}
    done, open_still = [], []
    for symbol in (h.position.symbol for h in before.holdings):
        trade = closed.get(symbol)
        if trade is not None and symbol not in left:
            done.append((symbol.base, exact(trade.exit_price), gain(trade.profit)))
        elif symbol in left:
            word = "unknown" if symbol in doubtful else "open"
            open_still.append((symbol.base, "not traded" if symbol in stuck else word, ""))
    return [*done, *open_still]
