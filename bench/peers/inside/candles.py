"""Write candles where freqtrade looks for them: `python candles.py FILE.npz FOLDER`.

The archive has `pairs`, `times` (ms, when a bar opens) and a panel for each column.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("open", "high", "low", "close", "volume")
HOUR = 3_600_000


def main(archive: Path, folder: Path) -> None:
    pandas = importlib.import_module("pandas")
    with np.load(archive) as found:
        panels = {name: found[name] for name in found.files}
    place = folder / "futures"
    place.mkdir(parents=True)
    times = panels["times"]
    hours = np.arange(times[0] // HOUR * HOUR, times[-1] + HOUR, HOUR)
    for row, pair in enumerate(panels["pairs"].tolist()):
        name = pair.replace("/", "_").replace(":", "_")
        bars = {column: panels[column][row] for column in COLUMNS}
        _write(pandas, place / f"{name}-5m-futures.feather", times, bars)
        flat = {column: np.full(hours.shape, 100.0) for column in COLUMNS}
        _write(pandas, place / f"{name}-1h-mark.feather", hours, flat)
        nothing = {column: np.zeros(hours.shape) for column in COLUMNS}
        _write(pandas, place / f"{name}-1h-funding_rate.feather", hours, nothing)


def _write(pandas: Any, file: Path, times: Any, bars: dict[str, Any]) -> None:
    dates = pandas.to_datetime(times, unit="ms", utc=True)
    frame = pandas.DataFrame({"date": dates, **bars})
    frame.to_feather(file, compression="lz4")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
