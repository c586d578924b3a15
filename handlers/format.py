"""The one module that turns numbers and times into text, without locale.

Point, comma for thousands, ASCII minus, no-break space before units, half to even, no `-0.00`.
What is None (or not finite) reads `unknown`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from trading.types import FINEST, plain

NBSP = "\u00a0"
UNKNOWN = "unknown"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_SHORT, _TINY = 10.0, 0.1


def number(value: Decimal | float | None, places: int, *, signed: bool = False) -> str:
    """As in `9,789.97`, or `+1.57` when signed; zero has no sign."""
    if value is None:
        return UNKNOWN
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        return UNKNOWN
    rounded = exact.quantize(Decimal(1).scaleb(-places), context=_WIDE)
    if not rounded:
        return f"{rounded.copy_abs():,f}"
    return f"{'+' if signed and rounded > 0 else ''}{rounded:,f}"


def unit(text: str, name: str) -> str:
    return text if text == UNKNOWN else f"{text}{NBSP}{name}"


# -- money, prices, sizes, shares ---------------------------------------------------------


def money(value: Decimal | None) -> str:
    return number(value, 2)


def gain(value: Decimal | None) -> str:
    """Profit and loss: always signed."""
    return number(value, 2, signed=True)


def amount(value: Decimal | None, quote: str) -> str:
    """As in `9,789.97 USDT`."""
    return unit(money(value), quote)


def gained(value: Decimal | None, quote: str) -> str:
    """As in `+15.36 USDT`."""
    return unit(gain(value), quote)


def by_step(value: Decimal | None, step: Decimal) -> str:
    """A price by its tick, a size by its lot: as many decimals as the step has.

    Where nobody has told the steps, as many as the figure needs.
    """
    if value is not None and step == FINEST.tick:
        return exact(plain(value.quantize(step)))
    return number(value, _places(step.normalize()))


def by_lot(value: Decimal, lot: Decimal) -> str:
    """A size: as many decimals as the lot has, and more where it is no whole number of lots.

    Fees in coins leave such sizes, and lots change; rounded up, more would be told than is held.
    """
    return by_step(value, lot) if value % lot == 0 else exact(plain(value))


def exact(value: Decimal | None) -> str:
    """With the decimals it carries: what was rounded to tick or lot before."""
    if value is None or not value.is_finite():
        return UNKNOWN
    return f"{value or value.copy_abs():,f}"


def percent(share: Decimal | None, *, signed: bool = True) -> str:
    """0.0089 is `+0.89 %`."""
    return unit(points(share, signed=signed), "%")


def points(share: Decimal | None, *, signed: bool = True) -> str:
    """A percentage where the column says so: 0.0089 is `+0.89`."""
    return number(None if share is None else _WIDE.multiply(share, 100), 2, signed=signed)


def whole_percent(share: Decimal) -> str:
    """With no more decimals than needed: `25 %`, `12.5 %`."""
    value = _WIDE.multiply(share, 100).normalize(_WIDE)
    return unit(number(value, _places(value)), "%")


def ratio(value: Decimal) -> str:
    """Reward to risk: `1.33:1`."""
    return f"{number(value, 2)}:1"


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# -- counts -------------------------------------------------------------------------------


def plural(count: int, one: str, many: str = "") -> str:
    """As in `1 position`, `2 entries`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: list[str] | tuple[str, ...], last: str = "and") -> str:
    """As in `BTC, ETH and SOL`."""
    if len(words) < 2:  # noqa: PLR2004  # two is where a list needs its last word
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


# -- times --------------------------------------------------------------------------------


def duration(span: timedelta | None) -> str:
    """One unit: `48 s`, `71 min`, `3 h`, `4 d`."""
    if span is None:
        return UNKNOWN
    seconds = max(0, int(span.total_seconds()))
    if seconds < _MINUTE:
        return unit(str(seconds), "s")
    if seconds < 2 * _HOUR:
        return unit(str(seconds // _MINUTE), "min")
    if seconds < 2 * _DAY:
        return unit(str(seconds // _HOUR), "h")
    return unit(number(Decimal(seconds // _DAY), 0), "d")


def long_duration(span: timedelta | None) -> str:
    """Two units while that matters: `2 min 14 s`."""
    if span is None:
        return UNKNOWN
    minutes, seconds = divmod(max(0, int(span.total_seconds())), _MINUTE)
    if not 0 < minutes < 10 or not seconds:  # noqa: PLR2004  # after ten minutes seconds are noise
        return duration(span)
    return f"{unit(str(minutes), 'min')} {unit(str(seconds), 's')}"


def took(seconds: float) -> str:
    """How long work lasted: `0.04 s`, `0.4 s`, `18 s`."""
    places = 2 if seconds < _TINY else 1 if seconds < _SHORT else 0
    return unit(number(max(0.0, seconds), places), "s")


def old(age: timedelta | None) -> str:
    """As in `1 s old`."""
    return "of unknown age" if age is None else f"{duration(age)} old"


def ago(age: timedelta | None) -> str:
    """As in `11 min ago`."""
    return "at an unknown time" if age is None else f"{duration(age)} ago"


def clock_time(at: datetime) -> str:
    """As in `20:41:09`, UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def minute(at: datetime) -> str:
    """As in `18:45`, UTC."""
    return f"{at.astimezone(UTC):%H:%M}"


def moment(at: datetime) -> str:
    """As in `19 May 2021 12:41 UTC`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {MONTHS[utc.month - 1]} {utc.year} {utc:%H:%M}{NBSP}UTC"
