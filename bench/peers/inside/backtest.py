"""A backtest by freqtrade's command line; its last line is what it took, as JSON.

`python backtest.py ARGUMENT ...`: processor seconds of everything between the data being loaded
and the result, the peak memory of the process in MB, and how many trades it made.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    backtesting = importlib.import_module("freqtrade.optimize.backtesting").Backtesting
    whole, took = backtesting.backtest_one_strategy, {"seconds": 0.0, "trades": 0}

    def timed(self: Any, *given: Any, **named: Any) -> Any:
        began = time.process_time()
        found = whole(self, *given, **named)
        took["seconds"] = time.process_time() - began
        (result,) = self.all_bt_content.values()
        took["trades"] = len(result["results"])
        return found

    backtesting.backtest_one_strategy = timed
    try:
        importlib.import_module("freqtrade.main").main(arguments)
    except SystemExit as end:
        if end.code:
            raise
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    print(json.dumps({**took, "peak": peak / 1024}))


if __name__ == "__main__":
    main(sys.argv[1:])
