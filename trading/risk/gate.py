"""Risk's answer to a proposal: a size, or the one reason against it.

Pure: the same question gives the same answer, live and in a backtest.  Fails closed: what is not a
number, not known or not fresh is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal, localcontext

from trading.common import words
from trading.risk import liquidity, pace
from trading.risk.cooldown import rest
from trading.risk.headroom import Headroom, narrowest
from trading.risk.limits import Limits
from trading.risk.sizing import Size, size, usual
from trading.risk.snapshot import Approved, Proposal, Refusal, RiskSnapshot
from trading.types import ONE, ZERO, Side, Symbol


def evaluate(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> Approved | Refusal:
    """Answer *proposal*.  The caller reserves the notional before it awaits anything."""
    reason = objection(proposal, book, limits)
    return Refusal(reason=reason) if reason else afford(proposal, book, limits)


def objection(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    """What speaks against *proposal* whatever the account is worth, as a clause; empty if nothing.

    The first half of `evaluate`: it asks for no sum of money of *book*, which may not be there yet.
    """
    for objects in _OBJECTIONS:
        reason = objects(proposal, book, limits)
        if reason:
            return reason
    return ""


def afford(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> Approved | Refusal:
    """Answer *proposal*, which has no `objection`: the second half of `evaluate`."""
    reason = _worth(book) or book.desk_objection
    if reason:
        return Refusal(reason=reason)
    equity = book.equity or ZERO
    room = narrowest(proposal, book, limits)
    sized = size(proposal, equity=equity, room=room.left, limits=limits)
    minimum = max(limits.min_notional, proposal.rules.min_notional)
    if sized.quantity <= ZERO or sized.notional < minimum:
        return Refusal(reason=_too_small(proposal, sized, minimum, room))
    shallow = liquidity.too_shallow(proposal, sized.notional)
    if shallow:
        return Refusal(reason=shallow)
    return Approved(
        quantity=sized.quantity,
        risk=sized.risk,
        notional=sized.notional,
        tell=lambda: _approval(proposal, sized, equity, limits, room),
        bound=room.name if sized.bound == "room" else _BOUND[sized.bound],
    )


def still_affordable(
    proposal: Proposal, book: RiskSnapshot, limits: Limits, *, entry: Decimal, filled: Decimal
) -> Decimal | Refusal:
    """How much may follow of an *entry* that was approved before, and of which *filled* is there.

    *proposal* has no `objection`, and *book* knows nothing of that entry.  What it may lose at its
    stop was decided with its signal; what may be at work is asked again, since others may be at
    work by now.  In whole lots, and never more than is left of the entry.
    """
    reason = _worth(book) or book.desk_objection
    if reason:
        return Refusal(reason=reason)
    room = narrowest(proposal, book, limits)
    largest = limits.max_position * (book.equity or ZERO)
    with localcontext() as context:
        context.rounding = ROUND_DOWN
        most = min(room.left, largest) / proposal.price
    largest_order = proposal.rules.max_quantity or entry
    quantity = max(ZERO, min(entry, most) - filled)
    rest = proposal.rules.quantity(min(quantity, largest_order))
    if rest == ZERO or rest * proposal.price < proposal.rules.min_notional:
        if most >= entry:
            return Refusal(reason="the rest is below the venue's smallest order")
        whole = room.told if room.left < largest else _position(proposal, limits)
        return Refusal(reason=f"{whole}, no room left for the rest")
    shallow = liquidity.too_shallow(proposal, rest * proposal.price)
    return Refusal(reason=shallow) if shallow else rest


# -- objections: each says its clause, or nothing ---------------------------------------------


def _numbers(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    rules = proposal.rules
    for name, value in (
        ("price", proposal.price),
        ("stop", proposal.stop),
        ("size", proposal.size),
        ("lot", rules.lot),
        ("tick", rules.tick),
    ):
        if not _is_positive(value):
            return f"{name} {value} is not usable"
    return ""


def _worth(book: RiskSnapshot) -> str:
    if book.equity is None:
        return "equity is unknown"
    if not _is_positive(book.equity):
        return f"equity {book.equity} is not usable"
    if not (book.exposure.is_finite() and book.exposure >= ZERO):
        return "exposure is unknown"
    return ""


def _figures(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    """Limits come from a checked file; a wrong one must still not open the gate."""
    for name, value in (
        ("risk_per_trade", limits.risk_per_trade),
        ("max_position", limits.max_position),
        ("max_exposure", limits.max_exposure),
    ):
        if not _is_positive(value):
            return f"the limit {name} is not usable"
    for theme in limits.themes:
        if not _is_positive(theme.max_exposure):
            return f"the limit of theme {theme.name} is not usable"
    tier = proposal.tier
    if tier is not None:
        bounds = (tier.base_size, tier.max_allocation)
        if not all(bound is None or _is_positive(bound) for bound in bounds):
            return f"what may be done in tier {tier.name} is not usable"
    if limits.min_notional.is_finite() and proposal.rules.min_notional.is_finite():
        return ""
    return "the minimum order is not usable"


def _universe(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    return proposal.outside


def _doubted(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    return proposal.doubted


def _stop(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    distance = (proposal.price - proposal.stop) * proposal.side.sign
    return "" if distance > ZERO else "stop is on the wrong side"


def _price_age(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    if book.price_age is None:
        return "price has no known age"
    if book.price_age > limits.max_price_age:
        return f"price is {words.span(book.price_age)} old"
    if book.price_age < -limits.max_price_age:
        return f"price is {words.span(-book.price_age)} ahead of the clock"
    return ""


def _quote_age(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    age, most = proposal.quote_age, proposal.entries.max_quote_age
    if age is None or most is None or age <= most:
        return ""
    return f"the last quote is {words.span(age)} old, the limit is {words.span(most)}"


def _symbol(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    if proposal.symbol in book.open_symbols:
        return open_already(proposal.symbol)
    if proposal.symbol in book.busy_symbols:
        return f"{proposal.symbol.base} has an order under way"
    return ""


def _positions(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    return all_open(book.positions, limits)


def open_already(symbol: Symbol) -> str:
    """The objection to an entry in *symbol* while a position in it is open."""
    return f"{symbol.base} is open already"


def all_open(positions: int, limits: Limits) -> str:
    """The objection to one more position than so many, as a clause; empty if there is none."""
    if positions < limits.max_positions:
        return ""
    return f"{positions} of {limits.max_positions} positions open"


def _rest(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    return rest(book, limits, proposal.symbol, proposal.at)


def _pace(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    return pace.objection(book, limits, proposal.at)


def _short(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    if proposal.cash and proposal.side is Side.SELL:
        return f"no shorts on a cash account: only {proposal.symbol.base} that is held can be sold"
    return ""


_OBJECTIONS: tuple[Callable[[Proposal, RiskSnapshot, Limits], str], ...] = (
    _numbers,
    _figures,
    _universe,
    _doubted,
    _stop,
    _short,
    _price_age,
    _quote_age,
    liquidity.objection,
    _symbol,
    _positions,
    _rest,
    _pace,
)


# -- words ------------------------------------------------------------------------------------

_BOUND = {
    "risk": "risk per trade",
    "position": "position size",
    "market": "the venue's largest order",
}
"""What kept an entry small, where it was no room."""


def _too_small(proposal: Proposal, sized: Size, minimum: Decimal, room: Headroom) -> str:
    least = words.money(minimum)
    if sized.bound == "room":
        if room.left == ZERO:
            return f"{room.told}, no room left"
        return f"{room.told}, {_shortfall(proposal, room.left, minimum)}"
    if sized.quantity <= ZERO:
        return f"size is below one lot of {words.plain(proposal.rules.lot)}"
    return (
        f"size {words.plain(sized.quantity)} is worth {words.money(sized.notional)}, "
        f"below the minimum {least}"
    )


def _shortfall(proposal: Proposal, room: Decimal, minimum: Decimal) -> str:
    lot = proposal.rules.lot * proposal.price
    if room < minimum:
        return f"room {words.money(room)} is below the minimum {words.money(minimum)}"
    return f"room {words.money(room)} is below one lot of {words.money(lot)}"


def _approval(
    proposal: Proposal, sized: Size, equity: Decimal, limits: Limits, room: Headroom
) -> str:
    text = (
        f"size {words.plain(sized.quantity)} risks {words.money(sized.risk)} "
        f"{proposal.symbol.quote} ({words.percent(sized.risk / equity)})"
    )
    if sized.bound == "position":
        return f"{text}, held to {_position(proposal, limits)}"
    if sized.bound == "room":
        return f"{text}, held to {room.bound}"
    if sized.bound == "market":
        return f"{text}, held to the venue's largest market order"
    return text


def _position(proposal: Proposal, limits: Limits) -> str:
    share = usual(proposal, limits)
    if proposal.tier is None or share * proposal.size >= limits.max_position:
        return f"{words.percent(limits.max_position)} of equity per position"
    return f"{words.percent(share)} of equity in tier {proposal.tier.name}{_times(proposal.size)}"


def _times(size: Decimal) -> str:
    return "" if size == ONE else f", times {words.plain(size.normalize())}"


def _is_positive(value: Decimal) -> bool:
    return value.is_finite() and value > ZERO
