"""Recorded markets that come with the package, loaded when first used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Candles of the past, and the close time at which a replay begins: warm-up lies before."""

    candles: Candles
    start: datetime


def crash_of_may_2021() -> Recording:
    """Return five majors in one-minute bars, 19 May 2021, 02:00 to 20:00 UTC.

    The replay begins at 12:00, an hour before the bottom.  Source: `data/PROVENANCE.md`.
    """
    return Recording(
        candles=_candles("crash_2021_05_19.npz"), start=datetime(2021, 5, 19, 12, tzinfo=UTC)
    )


def _candles(file_name: str) -> Candles:
    file = resources.files("trading.market") / "data" / file_name
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        prices = arrays["price_decimals"]
        return Candles(
            symbols=tuple(Symbol.parse(str(text)) for text in arrays["symbols"]),
            times=arrays["times"],
            open=_panel(arrays["open"], prices),
            high=_panel(arrays["high"], prices),
            low=_panel(arrays["low"], prices),
            close=_panel(arrays["close"], prices),
            volume=_panel(arrays["volume"], arrays["volume_decimals"]),
        )


def _panel(whole: NDArray[np.int64], decimals: NDArray[np.int64]) -> Panel:
    """Undo the scaling; division rounds correctly, so each float is the one that was recorded."""
    panel: Panel = whole / (10.0 ** decimals[:, np.newaxis])
    panel.flags.writeable = False
    return panel
