"""Binance, beside what every exchange is tried with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trading.venues.ccxt_world import a_world

_EACH_TIME = {"timestamp", "signature"}
_TOLD_LATER = {"timestamp", "datetime", "lastTradeTimestamp", "lastUpdateTimestamp", "info"}


@pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
async def test_a_cancel_is_on_the_wire_what_it_is_by_ccxt_and_its_answer_reads_alike(
    market: str,
) -> None:
    async with a_world(market) as world:
        first, second = world.limit(), world.limit()
        for order in (first, second):
            await world.place(order)
        ours = world.connection.exchange.cancelling(world.connection, first)
        told = await ours.call(*ours.arguments)
        name = world.connection.row.market_of(second.symbol)
        by_ccxt = await world.connection.ccxt.cancel_order("0", name, {"clientOrderId": second.id})
        (one, two) = world.server.asked("DELETE", "*/order")
        assert one.path == two.path
        assert _said(one, first.id) == _said(two, second.id)
        assert _read(told) == _read(by_ccxt)
        assert told["status"] == "canceled"


def _said(request: Any, order_id: str) -> dict[str, Any]:
    assert request.params["origClientOrderId"] == order_id
    return {k: v for k, v in request.params.items() if k not in {*_EACH_TIME, "origClientOrderId"}}


def _read(told: Any) -> dict[str, Any]:
    """What ccxt makes of the answer, but for whose it is and when."""
    return {k: v for k, v in told.items() if k not in {*_TOLD_LATER, "id", "clientOrderId"}}
