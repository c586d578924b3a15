"""How open positions read, and the close of one."""

from __future__ import annotations

from decimal import Decimal

from handlers.format import (
    UNKNOWN,
    ago,
    amount,
    by_lot,
    by_step,
    duration,
    exact,
    gain,
    gained,
    percent,
    points,
    whole_percent,
)
from handlers.reply import Choice, Column, Level, Outcome, Reply
from handlers.texts.guarded import beyond, holding_in, lacking, stays, worst
from handlers.texts.phrases import (
    DONE,
    DOUBT,
    REFUSED,
    apart_note,
    apart_notes,
    are_open,
    mode,
    our_time,
    price_time,
    sentence,
    sides,
    stale_note,
)
from handlers.texts.screen import TABLE_ROWS, a_table
from trading.accounts.views import Closed, HoldingView, View
from trading.errors import Refused
from trading.types import ONE, MarketRules, Side, Symbol

# -- looking ------------------------------------------------------------------------------


def positions_reply(view: View, page: int) -> Reply:
    held = view.holdings
    if not held:
        return Reply(f"No open positions {mode(view.mode)}", as_of=view.as_of)
    shown = held[(page - 1) * TABLE_ROWS : page * TABLE_ROWS]
    if not shown:
        raise Refused(f"There is no page {page}: {are_open(len(held))}")
    seen = price_time(view, held)
    notes = [f"{sides(held)} {mode(view.mode)}.{' Prices {age}.' if seen else ''}"]
    notes += apart_notes(view)
    if view.open_profit is None:
        equity = amount(view.known_equity, view.quote)
        since = ago(view.as_of - view.known_equity_at)
        notes.append(f"{stale_note(view)}. Equity was {equity} {since}.")
    notes += worst(view)
    return Reply(
        f"{len(held)} open, P&L {gained(view.open_profit, view.quote)} before fees",
        table=a_table(_columns(view), [_row(h) for h in shown]),
        text="\n".join(notes),
        choices=_choices(shown, page, more=len(held) > page * TABLE_ROWS),
        as_of=seen,
    )


def _columns(view: View) -> tuple[Column, ...]:
    return (Column(right=False), Column(f"now {view.quote}"), Column("P&L"), Column("%"))


def _row(holding: HoldingView) -> tuple[str, ...]:
    if holding.apart:
        return holding.position.symbol.base, "not traded", UNKNOWN, ""
    now = by_step(price_of(holding), holding.rules.tick)
    known = holding.profit is not None
    share = points(holding.share) if known else ""
    return holding.position.symbol.base, now, gain(holding.profit), share


def _choices(shown: tuple[HoldingView, ...], page: int, *, more: bool) -> tuple[Choice, ...]:
    bases = [h.position.symbol.base for h in shown[:3]]
    refresh = "/positions" if page == 1 else f"/positions {page}"
    return (
        *(Choice(base, f"/position {base}") for base in bases),
        *([Choice("More", f"/positions {page + 1}")] if more else []),
        Choice("Refresh", refresh),
    )


def price_of(holding: HoldingView) -> Decimal | None:
    """The price, if there is one and it is believed."""
    known = holding.quote is not None and not holding.stale and not holding.apart
    return holding.quote.price if known and holding.quote is not None else None


def profit_line(view: View, holding: HoldingView) -> str:
    if holding.apart:
        return "not traded"
    if holding.profit is None:
        return f"P&L {UNKNOWN}"
    return f"{gained(holding.profit, view.quote)} ({percent(holding.share)})"


def entry_line(view: View, holding: HoldingView) -> str:
    tick = holding.rules.tick
    entry = by_step(holding.position.average_price, tick)
    opened = ago(view.market - holding.position.opened_at)
    price = price_of(holding)
    if price is not None:
        return f"Entry {entry}, {opened}; now {by_step(price, tick)}, {{age}}"
    if holding.quote is None:
        return f"Entry {entry}, {opened}; price {UNKNOWN}"
    age = None if holding.age is None else our_time(view, holding.age)
    last = f"{by_step(holding.quote.price, tick)} {ago(age)}"
    return f"Entry {entry}, {opened}; price {UNKNOWN}, {last}"


def plan_rows(holding: HoldingView) -> list[tuple[str, ...]]:
    plan = holding.plan
    rows: list[tuple[str, ...]] = []
    if plan.stop is not None:
        label = "stop" if plan.trail is None else "trail"
        keeper = "venue" if holding.stop_on_venue else "desk"
        rows.append((label, *_distance(holding, plan.stop), keeper))
    waiting = [p for p in plan.partials if not p.done]
    rows += [(whole_percent(p.share), *_distance(holding, p.price), "desk") for p in waiting]
    if plan.target is not None:
        label = "rest" if plan.partials else "target"
        keeper = "venue" if holding.target_on_venue else "desk"
        rows.append((label, *_distance(holding, plan.target), keeper))
    return rows[:TABLE_ROWS]


def _distance(holding: HoldingView, price: Decimal) -> tuple[str, str]:
    now = price_of(holding)
    away = price / now - 1 if now else None
    return by_step(price, holding.rules.tick), points(away)


def plan_notes(view: View, holding: HoldingView) -> str:
    if holding.apart:
        return "\n".join([*filter(None, [sentence(holding.untraded)]), apart_note(view, holding)])
    plan = holding.plan
    notes = ["No stop." if plan.stop is None else f"At the stop {_at_stop(view, holding)}."]
    if plan.stop is not None and (wrong := lacking(holding) or beyond(holding)):
        notes.append(wrong)
    if plan.deadline is not None:
        left = plan.deadline - view.market
        notes.append(
            f"Time limit in {duration(left)}." if left.total_seconds() > 0 else "Time is up."
        )
    return " ".join(notes)


def _at_stop(view: View, holding: HoldingView) -> str:
    return gained(holding.at_stop, view.quote)


# -- closing ------------------------------------------------------------------------------


def holding_of(view: View, symbol: Symbol) -> HoldingView:
    for each in view.holdings:
        if each.position.symbol == symbol:
            return each
    raise Refused(f"No position in {symbol.base} is open {mode(view.mode)}")


def part_of(holding: HoldingView, share: Decimal) -> Decimal:
    """The quantity, in whole lots, that *share* comes to."""
    whole = abs(holding.position.quantity)
    quantity = whole if share == ONE else holding.rules.quantity(whole * share)
    if quantity <= 0:
        lot, size = exact(holding.rules.lot), by_lot(whole, holding.rules.lot)
        raise Refused(f"{whole_percent(share)} of {size} is less than one lot, {lot}")
    return quantity


def check_unchanged(asked: HoldingView, now: HoldingView) -> None:
    """A yes counts for what was shown."""
    if (asked.position.id, asked.position.quantity) != (now.position.id, now.position.quantity):
        lot = now.rules.lot
        was, there = (by_lot(abs(h.position.quantity), lot) for h in (asked, now))
        base = asked.position.symbol.base
        raise Refused(f"{base} has changed since you were asked: {there} open, not {was}")


def closing_verb(side: Side) -> str:
    return "Sell" if side is Side.BUY else "Buy back"


def worth(view: View, holding: HoldingView, quantity: Decimal) -> str:
    price = price_of(holding)
    if price is None:
        return f"Worth {UNKNOWN}: there is no fresh price; P&L {UNKNOWN}."
    profit = quantity * (price - holding.position.average_price) * holding.position.side.sign
    about = amount(quantity * price, view.quote)
    at = by_step(price, holding.rules.tick)
    return f"About {about} at {at}, {{age}}; P&L {gain(profit)} before fees."


def what_stays(holding: HoldingView, left: str, everything: bool) -> str:  # noqa: FBT001  # a property of the close, told in words
    if everything:
        return "Nothing stays; its stop is cancelled." if holding.plan.stop else "Nothing stays."
    return f"{left} stays, its stop resized to {left}." if holding.plan.stop else f"{left} stays."


def closed_reply(closed: Closed, view: View, rules: MarketRules) -> Reply:
    base = closed.symbol.base
    side = closed.order.side
    choices = (Choice("Positions", "/positions"), Choice("Status", "/status"))
    held = holding_in(view, closed.symbol)
    bare = "" if held is None or held.plan.stop is None else lacking(held)
    if not closed.known:
        size = by_lot(closed.order.quantity, rules.lot)
        return Reply(
            f"{DOUBT} Unknown: {base} {side.value} {size} {mode(view.mode)}",
            text=f"{_in_doubt(closed)} {bare}".strip(),
            choices=(Choice("Orders", "/orders"), *choices),
            level=Level.URGENT,
            outcome=Outcome.FAILED,
        )
    if closed.quantity <= 0:
        return Reply(
            f"{REFUSED} {base} was not closed {mode(view.mode)}",
            text=f"{sentence(closed.problem or 'nothing was filled')} "
            f"{by_lot(closed.left, rules.lot)} stays open{_with_its_stop(held)} {bare}".strip(),
            choices=choices,
            level=Level.URGENT,
            outcome=Outcome.FAILED,
        )
    return Reply(
        _sold(closed, view, rules),
        text=_left(closed, held, rules),
        choices=choices,
        level=Level.URGENT if closed.left > 0 and bare else Level.INFO,
    )


def _with_its_stop(held: HoldingView | None) -> str:
    """Of what was not closed."""
    if held is None or held.plan.stop is None or not held.stop_on_venue:
        return "."
    return f", its stop {by_step(held.plan.stop, held.rules.tick)} rests at the venue."


def _in_doubt(closed: Closed) -> str:
    happened = "sold" if closed.order.side is Side.SELL else "bought"
    said = f" {sentence(closed.problem)}" if closed.problem else ""
    return f"The venue has not answered, it may have {happened}.{said} Asking before resending."


def _sold(closed: Closed, view: View, rules: MarketRules) -> str:
    verb = "Sold" if closed.order.side is Side.SELL else "Bought back"
    size = by_lot(closed.quantity, rules.lot)
    price = by_step(closed.price, rules.tick)
    return (
        f"{DONE} {verb} {size} {closed.symbol.base} {mode(view.mode)} at {price}, "
        f"{_result(closed, view)}"
    )


def _result(closed: Closed, view: View) -> str:
    """Of the trade, as every list has it; while a part stays open, of what was closed."""
    if closed.trade is not None:
        return f"{gained(closed.trade.profit, view.quote)} after fees"
    return f"{gained(closed.profit, view.quote)} after its fee"


def _left(closed: Closed, held: HoldingView | None, rules: MarketRules) -> str:
    missing = closed.asked - closed.quantity
    short = ""
    if missing > 0:
        short = f" Not done: {by_lot(missing, rules.lot)} was not filled."
    if closed.left <= 0:
        return f"Done: {closed.symbol.base} is flat, its stop cancelled.{short}"
    left = by_lot(closed.left, rules.lot)
    return f"{stays(held, left, rules.tick)}{short}"
