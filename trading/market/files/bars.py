"""What one file holds of one symbol, and what is refused of it: with its line, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Panel
from trading.market.files.names import span
from trading.market.files.sheets import PRICES, Sheet
from trading.types import Symbol

_HOUR = 3_600_000
_NEARLY_ALL = 0.9
_GUESSED = (
    ". Nothing names its columns: they were taken as time, open, high, low, close, volume. Give "
    "it a first line with their names"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRows:
    """What one file holds of one symbol, oldest first; `sheet` and `rows` say where, for people."""

    sheet: Sheet
    symbol: Symbol
    opens_at: NDArray[np.int64]
    """Milliseconds since 1970."""
    rows: NDArray[np.int64]
    prices: Mapping[str, Panel]

    @property
    def source(self) -> str:
        return self.sheet.source

    @property
    def apart(self) -> int:
        """How long its bars are, in ms; 0: it has one bar.

        What all distances are multiples of; or, where nearly all are the same, that one: the others
        are flaws, and are told with their line.
        """
        distances = np.abs(np.diff(self.opens_at))
        distances, counts = np.unique(distances[distances > 0], return_counts=True)
        if not distances.size:
            return 0
        if counts.max() > _NEARLY_ALL * counts.sum():
            return int(distances[counts.argmax()])
        return int(np.gcd.reduce(distances))

    @property
    def length(self) -> str:
        """Of its bars, as in `1h`."""
        return span(timedelta(milliseconds=self.apart))

    @property
    def name(self) -> str:
        """Of its file."""
        return Path(self.sheet.source).name

    @property
    def opens(self) -> str:
        return clock(int(self.opens_at[0]))


def in_ms(step: timedelta) -> int:
    """In milliseconds."""
    return int(step.total_seconds() * 1000)


def clock(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def refuse_flaws(parts: Sequence[BarRows], step: timedelta) -> None:
    """Raise `ValueError`, a sentence, for the first of *parts* that is no row of bars of *step*."""
    for part in parts:
        _refuse_odd_times(part, step)
        _refuse_odd_prices(part)
    _refuse_other_moments(parts, step)


def _refuse_odd_times(part: BarRows, step: timedelta) -> None:
    steps = np.diff(part.opens_at)
    for wrong, what in ((steps == 0, "stands there twice"), (steps < 0, "comes after a later bar")):
        if wrong.any():
            _refuse(part, int(wrong.argmax()) + 1, what)
    off = (part.opens_at - part.opens_at[0]) % in_ms(step) != 0
    if not off.any():
        return
    if in_ms(step) % _HOUR == 0 and not ((steps - in_ms(step)) % _HOUR).any():
        hours = sorted({int(at) for at in part.opens_at // _HOUR % 24})
        if len(hours) == 2:  # noqa: PLR2004  # summer and winter
            raise ValueError(
                f"{part.source}: the days of {part.symbol} begin at {hours[0]:02}:00 and at "
                f"{hours[1]:02}:00 UTC, as days of a zone with summer time do. Write them as days "
                "without a time and a zone"
            )
    _refuse(part, int(off.argmax()), f"lies between two bars of {span(step)}")


def _refuse_other_moments(parts: Sequence[BarRows], step: timedelta) -> None:
    """Bars that share a column close at one moment: else one symbol would see another's future."""
    long = in_ms(step)
    first = next(part for part in parts if part.apart == long)
    for part in parts:
        if (int(part.opens_at[0]) - int(first.opens_at[0])) % long:
            raise ValueError(
                f"The bars of {span(step)} of {first.symbol} open at {first.opens}, those of "
                f"{part.symbol} at {part.opens} ({first.source}, {part.source}). Side by side "
                "one would see the other's future: take them one by one, as in --symbols "
                f"{part.symbol}, or give them bars that open together"
            )
        if part.apart > long:
            raise ValueError(
                f"{part.source} has bars of {part.length} of {part.symbol}, {first.source} of "
                f"{span(step)} of {first.symbol}. Side by side the shorter ones would see the "
                "future in the longer ones: give them one length"
            )


def _refuse_odd_prices(part: BarRows) -> None:
    opened, high, low, close, volume = (part.prices[name] for name in PRICES)
    stacked = np.vstack([opened, high, low, close, volume])
    there = np.isfinite(stacked)
    gap = np.isnan(stacked[:4]).all(axis=0)  # nothing was traded, whatever its volume says
    half = ~gap & ~there.all(axis=0)
    if half.any():
        _refuse(part, int(half.argmax()), "has prices that are no numbers")
    not_above = (stacked[:4] <= 0).any(axis=0)
    if not_above.any():
        _refuse(part, int(not_above.argmax()), "has a price that is not above 0")
    if (volume < 0).any():
        _refuse(part, int((volume < 0).argmax()), "has a volume below 0")
    odd = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    if odd.any():
        guessed = "" if part.sheet.has_header else _GUESSED
        _refuse(
            part,
            int(odd.argmax()),
            f"has a high or low that its open or close lies beyond{guessed}",
        )


def _refuse(part: BarRows, index: int, what: str) -> None:
    where = part.sheet.where(int(part.rows[index]))
    raise ValueError(f"{where}: {part.symbol} at {clock(int(part.opens_at[index]))} {what}")
