"""Recorded markets that come with the package, loaded when first used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.recordings import CRASH, HOURS, RECORDINGS
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Candles of the past, and the close time at which a replay begins: warm-up lies before."""

    candles: Candles
    start: datetime


def recording(name: str) -> Recording:
    """Return the one of that name in `RECORDINGS`.  Its source: `data/PROVENANCE.md`."""
    return Recording(candles=_candles(f"{name}.npz"), start=RECORDINGS[name].start)


def crash_of_may_2021() -> Recording:
    """Return five majors in one-minute bars, 19 May 2021, 02:00 to 20:00 UTC.

    The replay begins at 12:00, an hour before the bottom.
    """
    return recording(CRASH)


def hours_of_march_2026() -> Recording:
    """Return fourteen perpetuals of all sizes in hourly bars, 24 February to 19 March 2026.

    The replay begins on 8 March: what lies before is enough for seven days of regime.
    """
    return recording(HOURS)


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
