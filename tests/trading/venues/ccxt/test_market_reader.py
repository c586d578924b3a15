"""Markets are read beside the loop: within its budget, with its faults, by a thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.servers.exchange import ExchangeServer, Refuse, spot_rules
from tests.trading.venues.ccxt_world import BTC, connect
from trading.clocks import SystemClock
from trading.errors import VenueUnavailable
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.row import Row
from trading.venues.exchanges.binance import BinanceSpot


class WatchedSpot(BinanceSpot):
    """Notes in which threads markets are read."""

    threads: set[str] = set()  # noqa: RUF012  # of this test alone

    def used(self, headers: Any) -> float | None:
        self.threads.add(threading.current_thread().name)
        return super().used(headers)


async def test_markets_are_read_in_a_thread_and_what_is_heard_is_told_in_the_loop() -> None:
    async with ExchangeServer(market="spot") as server:
        connection = connect(server, SystemClock(), made=watched)
        await connection.open("test")
        try:
            assert connection.markets.of(BTC)["symbol"] == "BTC/USDT"
            assert connection.ccxt.options["timeDifference"] is not None
            assert WatchedSpot.threads == {threading.main_thread().name}
            assert connection.budget.used > 0
            assert not connection.ccxt.markets_loading, "nothing was counted in the loop"
        finally:
            await connection.close("test")


def watched(row: Row) -> Exchange:
    return WatchedSpot(row)


async def test_a_market_that_is_new_is_known_once_they_were_read_again() -> None:
    async with ExchangeServer(market="spot", symbols=("BTC",)) as server:
        connection = connect(server, SystemClock())
        await connection.open("test")
        try:
            server.engine.rules["NEWUSDT"] = spot_rules("NEW")
            await connection.markets.reread(fresh=0)
            assert "BTC/USDT" in connection.ccxt.markets
            assert connection.ccxt.market("BTC/USDT")["id"] == "BTCUSDT"
        finally:
            await connection.close("test")


async def test_a_refusal_is_told_as_of_any_request() -> None:
    async with ExchangeServer(market="spot") as server:
        connection = connect(server, SystemClock())
        wait = Refuse(418, -1003, "Banned.", retry_after=30)
        server.faults.on("GET", "*/exchangeInfo", wait, times=None)
        with pytest.raises(VenueUnavailable, match="refused until"):
            await connection.open("test")
        assert connection.budget.banned_for > 0
