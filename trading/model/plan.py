"""How a position ends: stop, target, trailing, time limit and partial exits, as one frozen value.

The plan is stored with its position and goes on in every state of the desk.  Shares are shares of
the ORIGINAL size, counted together: with 25/25/50 % and a size of 1, a quarter is gone at the first
price, half at the second, all at the third.  What left in another way (by hand, from outside, a
stop that filled in part) counts towards the shares that come next: after the first quarter, a hand
exit of half leaves a quarter; the second price (half) sells nothing more, the third the last
quarter.  So nothing is ever oversold, and what a refused or half filled exit left behind is made up
for by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.common.frozen import replace
from trading.types import ONE, ZERO, ExitPlan, ExitReason, MarketRules, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitOrder:
    """What the plan wants sold (or bought back) now."""

    quantity: Decimal
    """Zero: nothing to send, the plan alone moves on (a share that is gone already)."""
    reason: ExitReason
    plan: ExitPlan
    """The plan as it stands with that, to be stored together with the order."""


def observe(plan: ExitPlan, price: Decimal, rules: MarketRules) -> ExitPlan:
    """Return the plan after the market has been seen at *price*: only the trailing moves.

    A price that is no price (NaN, zero) changes nothing.
    """
    if plan.trail is None or not _is_positive(price):
        return plan
    best = price if plan.best is None else _better(plan, price, plan.best)
    moved = replace(plan, best=best)
    trailed = _trailed(moved, rules)
    return moved if trailed is None else replace(moved, stop=_tighter(plan, trailed))


def due(
    plan: ExitPlan,
    held: Decimal,
    *,
    price: Decimal,
    now: datetime,
    rules: MarketRules,
    stop_rests: bool = False,
    target_rests: bool = False,
) -> ExitOrder | None:
    """Return what must be closed at *price*, or None.

    *held* is the open quantity, unsigned, less what is being closed already.  Checked in this
    order: stop, target, time, then the partial exits whose price is reached.  Without a usable
    price the time limit still holds.  A stop or target that rests at the venue is the venue's to
    fill: it knows the price that counts, and one wrong tick here must not sell.
    """
    if held <= ZERO:
        return None
    reason = reached(plan, price, rules, stop_rests=stop_rests, target_rests=target_rests)
    if reason is None and plan.deadline is not None and now >= plan.deadline:
        reason = ExitReason.TIME
    if reason is not None:
        return ExitOrder(quantity=held, reason=reason, plan=plan)
    return _partial_exit(plan, held, price, rules) if _is_positive(price) else None


def reached(
    plan: ExitPlan,
    price: Decimal,
    rules: MarketRules,
    *,
    stop_rests: bool = False,
    target_rests: bool = False,
) -> ExitReason | None:
    """Which of stop and target *price* has reached that does not rest at the venue."""
    if not _is_positive(price):
        return None
    sign = plan.side.sign
    if not stop_rests and plan.stop is not None and (price - plan.stop) * sign <= ZERO:
        return stop_reason(plan, rules)
    if not target_rests and plan.target is not None and (price - plan.target) * sign >= ZERO:
        return ExitReason.TARGET
    return None


def grown(plan: ExitPlan, *, size: Decimal, entry: Decimal) -> ExitPlan:
    """Return the plan after more of its entry was filled.

    *size* is all that was ever entered, *entry* its average price.  Shares now mean the new size;
    what earlier partial exits owe of it goes at their prices or with the next one.  The stop stays
    where it is.  A smaller size (an old report that came late) changes nothing.
    """
    return replace(plan, size=size, entry=entry) if size > plan.size else plan


def stop_reason(plan: ExitPlan, rules: MarketRules) -> ExitReason:
    """What an exit at the stop is called: TRAIL only where trailing has put it."""
    trailed = plan.trail is not None and plan.stop == _trailed(plan, rules)
    return ExitReason.TRAIL if trailed else ExitReason.STOP


def next_price(plan: ExitPlan) -> Decimal | None:
    """Where the plan means to sell next for a profit: the nearest partial exit, or the target."""
    prices = [p.price for p in plan.partials if not p.done]
    if plan.target is not None:
        prices.append(plan.target)
    return min(prices, key=lambda price: price * plan.side.sign, default=None)


def _partial_exit(
    plan: ExitPlan, held: Decimal, price: Decimal, rules: MarketRules
) -> ExitOrder | None:
    sign = plan.side.sign
    reached = [(price - p.price) * sign >= ZERO for p in plan.partials]
    if not any(reached):
        return None
    after = replace(
        plan,
        partials=tuple(
            replace(p, done=p.done or hit) for p, hit in zip(plan.partials, reached, strict=True)
        ),
    )
    quantity = _owed(after, held, price, rules)
    if after == plan and quantity == ZERO:
        return None
    return ExitOrder(quantity=quantity, reason=ExitReason.TARGET, plan=_broken_even(after, rules))


def _owed(plan: ExitPlan, held: Decimal, price: Decimal, rules: MarketRules) -> Decimal:
    """How much of *held* the partial exits done so far still claim: zero, whole lots, or all.

    All of it when the shares come to 100 %, so that rounding leaves nothing, and when the rest
    could not be sold by itself; nothing while the claim itself could not.
    """
    share = sum((p.share for p in plan.partials if p.done), ZERO)
    if share == ONE:
        return held
    gone = plan.size - held
    owed = min(held, rules.quantity(max(ZERO, plan.size * share - gone)))
    if not _is_sellable(owed, price, rules):
        return ZERO
    return owed if _is_sellable(held - owed, price, rules) else held


def _is_sellable(quantity: Decimal, price: Decimal, rules: MarketRules) -> bool:
    lots = rules.quantity(quantity)
    return lots > ZERO and lots * price >= rules.min_notional


def _broken_even(plan: ExitPlan, rules: MarketRules) -> ExitPlan:
    if not plan.break_even:
        return plan
    return replace(plan, stop=_tighter(plan, rules.price(plan.entry)))


def _trailed(plan: ExitPlan, rules: MarketRules) -> Decimal | None:
    """Where trailing puts the stop; None while that would be no price."""
    if plan.trail is None or plan.best is None:
        return None
    trailed = rules.price(plan.best - plan.trail * plan.side.sign)
    return trailed if _is_positive(trailed) else None


def _better(plan: ExitPlan, a: Decimal, b: Decimal) -> Decimal:
    return max(a, b) if plan.side is Side.BUY else min(a, b)


def _tighter(plan: ExitPlan, stop: Decimal) -> Decimal:
    """Stops only move towards the price."""
    return stop if plan.stop is None else _better(plan, stop, plan.stop)


def _is_positive(value: Decimal) -> bool:
    return value.is_finite() and value > ZERO
