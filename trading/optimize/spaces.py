"""Where to look: the settings that are tuned, and their ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trading.strategies import tunables

Value = int | float | bool
_SAID = re.compile(r"([\w.]+)=([^:]+)(?::([^:]+)(?::([^:]+))?)?")
_DOUBT = 1e-6
"""Steps by which a float may be off."""
_ROUNDED = 10
"""Decimals: 0.1 + 0.2 is 0.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One setting that is tuned: every *step* from *low* to *high*, both included."""

    name: str
    """Of a setting of the strategy, or as in `exits.trail_r` and `limits.risk_per_trade`."""
    kind: type
    """`int`, `float` or `bool`."""
    low: float
    high: float
    step: float = 1.0

    def value(self, number: float) -> Value:
        """Return *number* as the setting takes it."""
        return self.kind(round(number, _ROUNDED))  # type: ignore[no-any-return]  # one of three

    def holds(self, value: object) -> bool:
        """Whether *value* lies within, on a step."""
        if not isinstance(value, int | float | Decimal):
            return False
        steps = (float(value) - self.low) / self.step
        return self.low <= float(value) <= self.high and abs(steps - round(steps)) < _DOUBT


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What is tuned, and what is set to a value for all tries."""

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, Value] = field(default_factory=dict)


def space(strategy: str, said: Iterable[str] = ()) -> Space:
    """Return what the strategy declares, changed by what was *said*.

    `fast=5:50` or `fast=5:50:5` is another range, `stop_atr=2` fixes a setting; `exits.KEY` and
    `limits.KEY`, which nobody tunes unasked, are those of the trader.  Raises `ValueError`, a
    sentence for the operator.
    """
    known = tunables(strategy)
    found = {
        key: Dimension(name=key, kind=kind, low=of.low, high=of.high, step=of.step)
        for key, (kind, of) in known.items()
        if of is not None
    }
    fixed: dict[str, Value] = {}
    for text in said:
        name, parts = _parsed(text)
        kind = _kind(name, parts, {key: kind for key, (kind, _) in known.items()}, strategy)
        found.pop(name, None)
        if len(parts) == 1:
            fixed[name] = _numbers(text, parts, kind)[0]
        else:
            found[name] = _dimension(name, kind, text, parts)
    if not found:
        raise ValueError(
            f"Nothing of {strategy} is left to tune; to tune the trader: --space exits.trail_r=1:4"
        )
    return Space(dimensions=tuple(found.values()), fixed=fixed)


def _parsed(text: str) -> tuple[str, list[str]]:
    match = _SAID.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"--space {text} is no range; as in fast=5:50, fast=5:50:5 or stop_atr=2")
    name, *parts = match.groups()
    return str(name), [part for part in parts if part is not None]


def _kind(name: str, parts: list[str], known: Mapping[str, type], strategy: str) -> type:
    if name.startswith(("exits.", "limits.")):
        return int if all(part.lstrip("-").isdecimal() for part in parts) else float
    if name not in known:
        there = ", ".join(known) or "it has none; exits.KEY and limits.KEY are the trader's"
        raise ValueError(f"{strategy} has no setting {name} that can be tuned: {there}")
    return known[name]


def _dimension(name: str, kind: type, text: str, parts: list[str]) -> Dimension:
    low, high, *steps = _numbers(text, parts, kind)
    step = float(steps[0]) if steps else 1.0 if kind is not float else (high - low) / 20
    if not low < high or not 0 < step <= high - low:
        raise ValueError(f"--space {text} is no range: it must go up, by steps within it")
    whole = int((high - low) / step + 1e-9)  # so that the end lies on a step
    return Dimension(name=name, kind=kind, low=low, high=low + whole * step, step=step)


def _numbers(text: str, parts: list[str], kind: type) -> list[Value]:
    if kind is bool:
        parts = [{"false": "0", "true": "1"}.get(part.lower(), part) for part in parts]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"--space {text} is no range: its ends are no numbers") from None
    if kind is not float and not all(number.is_integer() for number in numbers):
        raise ValueError(f"--space {text}: this setting takes whole numbers only")
    return [kind(number) for number in numbers]
