"""One exchange of ccxt is imported alone, and ccxt as a whole still works afterwards."""

from __future__ import annotations

import subprocess
import sys

ALONE = """
import sys
from trading.venues.ccxt.lean import exchange_class
alone = exchange_class("binance")
assert exchange_class("binance") is alone
assert not [name for name in sys.modules if name.startswith("ccxt.") and "kraken" in name]
import ccxt.pro
assert ccxt.pro.binance is alone
assert issubclass(alone, ccxt.async_support.binance)
assert ccxt.pro.kraken.__name__ == "kraken"
assert issubclass(ccxt.OrderNotFound, ccxt.ExchangeError)
assert exchange_class("kraken") is ccxt.pro.kraken
"""


def test_one_exchange_comes_alone_and_the_others_when_they_are_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
