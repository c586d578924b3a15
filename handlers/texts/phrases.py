"""Words that several families of commands share: modes, sides, people, what stays open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from handlers.format import UNKNOWN, listed, money, old, plural
from trading.accounts.views import HoldingView, View
from trading.common.text import one_line
from trading.model.halt import EVERYONE, Halt
from trading.types import Mode, Order, OrderRole, OrderStatus, OrderType, Side

DONE, WAIT, LOOK, DOUBT, PAUSED, HALTED, REFUSED = "✓", "…", "⚠", "?", "‖", "■", "✕"
SYMBOLS = frozenset([DONE, WAIT, LOOK, DOUBT, PAUSED, HALTED, REFUSED])
"""At most one leads a title."""

_MODES = {Mode.DRY_RUN: "dry run", Mode.PAPER: "paper", Mode.LIVE: "live"}


def mode(of: Mode) -> str:
    """As in `(paper)`."""
    return f"({_MODES[of]})"


def modes(views: Sequence[View]) -> str:
    names = [_MODES[m] for m in Mode if any(v.mode is m for v in views)]
    return f"({', '.join(names)})" if names else ""


def whom(name: str, of: Mode) -> str:
    """As in `majors (paper)`."""
    return f"{name} {mode(of)}"


def scope(views: Sequence[View], wanted: str) -> str:
    """Whom an act was meant for: `majors (paper)`, `all 2 traders (paper)`."""
    if len(views) == 1:
        return whom(views[0].name, views[0].mode)
    if wanted != EVERYONE:
        return wanted
    return f"all {len(views)} traders {modes(views)}" if views else "all traders"


def person(by: str) -> str:
    """`ben` of `ben, Telegram`; `guard` of `guard: day -3.01 %`."""
    return by.partition(",")[0].partition(":")[0]


def are_open(count: int) -> str:
    """As in `1 position is open`."""
    return f"{plural(count, 'position')} {'is' if count == 1 else 'are'} open"


def orders_rest(count: int) -> str:
    """As in `1 order rests`."""
    return f"{plural(count, 'order')} {'rests' if count == 1 else 'rest'}"


def sentence(text: str) -> str:
    """With a capital, and a full stop (or what ends it already)."""
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


def clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def base_and_side(holding: HoldingView) -> str:
    """As in `BTC long`."""
    return f"{holding.position.symbol.base} {holding.position.side.held}"


def sides(holdings: Sequence[HoldingView]) -> str:
    """As in `All long` or `2 long, 1 short`."""
    longs = sum(h.position.side is Side.BUY for h in holdings)
    shorts = len(holdings) - longs
    if not shorts or not longs:
        return "All long" if longs else "All short"
    return f"{longs} long, {shorts} short"


def entries(orders: Sequence[Order]) -> list[Order]:
    return [o for o in orders if o.role is OrderRole.ENTRY and o.is_alive]


def protective(orders: Sequence[Order]) -> list[Order]:
    """Stops that rest at the venue: one without an answer protects nobody yet, a target never."""
    resting = (o for o in _legs(orders) if o.status is OrderStatus.OPEN)
    return [o for o in resting if o.type is not OrderType.TARGET]


def targets(orders: Sequence[Order]) -> list[Order]:
    return [o for o in _legs(orders) if o.type is OrderType.TARGET]


def _legs(orders: Sequence[Order]) -> list[Order]:
    return [o for o in orders if o.role is OrderRole.PROTECT and o.is_alive]


def unknown(orders: Sequence[Order]) -> list[Order]:
    return [o for o in orders if o.status is OrderStatus.UNKNOWN]


def count_entries(count: int) -> str:
    return plural(count, "entry", "entries")


def holdings_of(views: Sequence[View]) -> list[HoldingView]:
    return [h for v in views for h in v.holdings]


def orders_of(views: Sequence[View]) -> list[Order]:
    return [o for v in views for o in v.orders]


def total(values: Sequence[Decimal | None]) -> Decimal | None:
    """The sum; unknown as soon as one part is."""
    known = [v for v in values if v is not None]
    return sum(known, Decimal(0)) if len(known) == len(values) else None


def by_quote(
    values: Sequence[tuple[str, Decimal | None]], told: Callable[[Decimal | None, str], str]
) -> str:
    """Sums of each currency for itself, as in `+15.36 USDT and -2.00 EUR`; unknown is a word.

    *values*: by quote currency, each with its part.  *told*: how a sum reads.
    """
    sums = {q: total([v for quote, v in values if quote == q]) for q, _ in values}
    if len(sums) == 1:
        return "".join(told(value, quote) for quote, value in sums.items())
    parts = [told(v, q) if v is not None else f"{UNKNOWN} {q}" for q, v in sums.items()]
    if len(parts) > CURRENCIES:
        parts[CURRENCIES:] = [plural(len(parts) - CURRENCIES, "more currency", "more currencies")]
    return listed(parts)


CURRENCIES = 2
"""That a sentence has room for; of more it tells how many, and tables tell each."""


def why(halts: Sequence[Halt]) -> str:
    """As in `/stop, then /flatten`, oldest first."""
    reasons = [one_line(h.why) for h in sorted(halts, key=lambda h: h.at) if h.why]
    return ", then ".join(dict.fromkeys(reasons))


def price_time(view: View, holdings: Sequence[HoldingView]) -> datetime | None:
    """Wall time of the oldest price among *holdings* that is believed; None without one."""
    ages = [h.age for h in holdings if h.age is not None and not h.stale]
    return view.as_of - our_time(view, max(ages)) if ages else None


def our_time(view: View, market: timedelta) -> timedelta:
    """A span of the market's time as the person who looks lives through it."""
    return market / (view.replay_speed or 1)


def price_age(view: View) -> timedelta | None:
    """How old the newest price is, in our own time."""
    return None if view.price_age is None else our_time(view, view.price_age)


def stale(view: View) -> list[HoldingView]:
    return [h for h in view.holdings if h.stale and not h.apart]


def counted(view: View) -> list[HoldingView]:
    """What is open and counts as ever."""
    return [h for h in view.holdings if not h.apart]


def apart(view: View) -> list[HoldingView]:
    """What is set aside, as nobody trades it."""
    return [h for h in view.holdings if h.apart]


def apart_notes(view: View) -> list[str]:
    """As in `OLD is not traded: counts at 0, paid 499.50. /write_off OLD books it out.`"""
    return [apart_note(view, held) for held in apart(view)]


def apart_note(view: View, held: HoldingView) -> str:
    base, position = held.position.symbol.base, held.position
    if not held.untraded:
        return f"{base} is traded again: it counts at 0 until it has a fresh price."
    paid = money(abs(position.quantity) * position.average_price)
    return f"{base} is not traded: counts at 0, paid {paid}. {what_to_do(view, held)}"


def what_to_do(view: View, held: HoldingView) -> str:
    """Where nobody trades what is held."""
    base = held.position.symbol.base
    if view.writes_off:
        return f"/write_off {base} books it out."
    return f"The exchange settles {base}."


def stale_note(view: View) -> str:
    """As in `SOL price is 48 s old`; empty if every price is believed."""
    found = stale(view)
    if not found:
        return ""
    if len(found) == 1:
        name, age = found[0].position.symbol.base, found[0].age
        return f"{name} price is {'unknown' if age is None else old(our_time(view, age))}"
    return f"{listed([h.position.symbol.base for h in found])} prices are unknown"
