"""What freqtrade trades by: the same averages, on the path that costs it least.

Loaded by freqtrade in its own interpreter.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy

_NOTES = os.environ.get("BENCH_ANALYSES", "")
"""File that gets a line for each analysis of all pairs: seconds of the thread, and pairs."""


class EmaCross(IStrategy):  # type: ignore[misc]  # freqtrade is not where types are checked
    """Long where EMA 12 crosses above EMA 48, short where it crosses below, the other way out.

    As `bench/backtest.py` has it.  There a stop lies 8 average true ranges away and a target 40;
    neither is as good as ever reached.  Here they are the constants that come near them: a
    callback for each trade and candle would cost freqtrade much more.
    """

    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "5m"
    startup_candle_count = 288
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.10}
    stoploss = -0.02
    use_exit_signal = True

    def populate_indicators(self, frame: Any, metadata: Any) -> Any:
        frame["fast"] = ta.EMA(frame, timeperiod=12)
        frame["slow"] = ta.EMA(frame, timeperiod=48)
        above = frame["fast"] > frame["slow"]
        before = above.shift(1, fill_value=False)
        known = frame["slow"].shift(1).notna()
        frame["up"], frame["down"] = above & ~before & known, ~above & before & known
        return frame

    def populate_entry_trend(self, frame: Any, metadata: Any) -> Any:
        frame["enter_long"] = frame["up"].astype(int)
        frame["enter_short"] = frame["down"].astype(int)
        return frame

    def populate_exit_trend(self, frame: Any, metadata: Any) -> Any:
        frame["exit_long"] = frame["down"].astype(int)
        frame["exit_short"] = frame["up"].astype(int)
        return frame


class Scan(IStrategy):  # type: ignore[misc]  # as above
    """The indicators of a scan, of every pair in each round; enters and leaves nothing."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 60
    process_only_new_candles = False
    minimal_roi: ClassVar[dict[str, float]] = {"0": 100.0}
    stoploss = -0.99
    use_exit_signal = False

    def analyze(self, pairs: list[str]) -> None:
        began = time.thread_time()
        super().analyze(pairs)
        if _NOTES:
            with Path(_NOTES).open("a") as notes:
                notes.write(f"{time.thread_time() - began} {len(pairs)}\n")

    def populate_indicators(self, frame: Any, metadata: Any) -> Any:
        frame["fast"] = ta.EMA(frame, timeperiod=9)
        frame["slow"] = ta.EMA(frame, timeperiod=21)
        frame["rsi"] = ta.RSI(frame, timeperiod=14)
        frame["atr"] = ta.ATR(frame, timeperiod=14)
        return frame

    def populate_entry_trend(self, frame: Any, metadata: Any) -> Any:
        frame["enter_long"] = np.where(frame["fast"] > 2 * frame["slow"], 1, 0)
        return frame

    def populate_exit_trend(self, frame: Any, metadata: Any) -> Any:
        return frame
