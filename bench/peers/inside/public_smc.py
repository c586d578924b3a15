"""The analysis of a scan by the public smartmoneyconcepts: `python public_smc.py FILE.npz SWING`.

One symbol after the other, as its interface asks for, after one to warm up.  Making its data
frames is not counted.  Prints processor seconds.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

import numpy as np

COLUMNS = ("open", "high", "low", "close", "volume")


def main(archive: str, swing: int) -> None:
    os.environ.setdefault("SMC_CREDIT", "0")  # or it prints a line of its own
    smc = importlib.import_module("smartmoneyconcepts").smc
    pandas = importlib.import_module("pandas")
    with np.load(archive) as found:
        panels = {name: found[name] for name in COLUMNS}
    frames = [
        pandas.DataFrame({name: panels[name][row] for name in COLUMNS})
        .dropna()
        .reset_index(drop=True)
        for row in range(len(panels["close"]))
    ]
    _analyse(smc, frames[-1], swing)
    began = time.process_time()
    for frame in frames:
        _analyse(smc, frame, swing)
    print(time.process_time() - began)


def _analyse(smc: Any, frame: Any, swing: int) -> None:
    turns = smc.swing_highs_lows(frame, swing_length=swing)
    smc.bos_choch(frame, turns)
    smc.ob(frame, turns)
    smc.fvg(frame)
    smc.liquidity(frame, turns)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
