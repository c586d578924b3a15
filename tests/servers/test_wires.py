"""Whatever the exchange: the real ccxt.pro trades at its wire, and understands what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import pytest

from tests.servers.exchange import (
    MAINTENANCE,
    OVERLOADED,
    READER,
    TOO_MANY,
    UNKNOWN_OUTCOME,
    ApiKey,
    Rules,
    aim,
)
from tests.servers.exchange.wires import WIRES
from tests.servers.wired import Wired, wired
from tests.waiting import until

MARKETS = [
    *(("binance", market) for market in ("spot", "swap")),
    *(("bybit", market) for market in ("spot", "swap")),
    *(("okx", market) for market in ("spot", "swap")),
    *(("gate", market) for market in ("spot", "swap")),
    ("kraken", "spot"),
]
"""Each exchange that has a wire, with the markets that it has."""


@pytest.fixture(params=MARKETS, ids="-".join)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Wired]:
    exchange, market = request.param
    async with wired(exchange, market) as world:
        yield world


async def place(world: Wired, side: str, coins: str, price: float | None = None) -> str:
    kind = "market" if price is None else "limit"
    amount = world.amount(coins)
    order = await world.exchange.create_order(world.symbol, kind, side, amount, price)
    return str(order["id"])


async def open_ids(world: Wired) -> list[str]:
    found = await world.exchange.fetch_open_orders(world.symbol)
    return [order["id"] for order in found]


def test_every_wire_is_tried_here() -> None:
    assert {exchange for exchange, _ in MARKETS} == set(WIRES)


async def test_rules_prices_and_candles_are_understood(world: Wired) -> None:
    rules: Rules = world.engine.rules[world.id]
    market = world.exchange.market(world.symbol)
    assert float(market["precision"]["price"]) == float(rules.tick)
    contract = float(market.get("contractSize") or 1)
    assert market["precision"]["amount"] * contract == pytest.approx(float(rules.lot))
    world.engine.others_trade(world.id, 50_000, 2)
    ticker = await world.exchange.fetch_ticker(world.symbol)
    assert ticker["last"] == 50_000
    book = await world.exchange.fetch_order_book(world.symbol, 20)
    assert [level[:2] for level in book["asks"]] == [[50_010, world.amount("5")]]
    [bar] = await world.exchange.fetch_ohlcv(world.symbol, "1h")
    assert bar[1:5] == [50_000] * 4


async def test_a_limit_order_rests_fills_in_part_and_is_cancelled(world: Wired) -> None:
    order = await place(world, "buy", "0.02", 40_000)
    assert await open_ids(world) == [order]
    world.engine.trade_through(world.id, 39_990, quantity="0.005")
    [resting] = await world.exchange.fetch_open_orders(world.symbol)
    assert (resting["filled"], resting["price"]) == (world.amount("0.005"), 40_000)
    await world.exchange.cancel_order(order, world.symbol)
    await until(lambda: world.engine.open_orders() == [])
    assert await open_ids(world) == []
    [fill] = await world.exchange.fetch_my_trades(world.symbol)
    assert (fill["order"], fill["side"], fill["amount"], fill["price"]) == (
        order, "buy", world.amount("0.005"), 40_000,
    )  # fmt: skip
    with pytest.raises(ccxt.ExchangeError):
        await world.exchange.cancel_order(order, world.symbol)


async def test_a_market_order_moves_the_account(world: Wired) -> None:
    sold = await place(world, "sell", "0.1")
    [fill] = await world.exchange.fetch_my_trades(world.symbol)
    assert (fill["order"], fill["price"], fill["takerOrMaker"]) == (sold, 49_990, "taker")
    assert fill["fee"]["cost"] > 0
    if world.venue.market == "spot":
        balance = await world.exchange.fetch_balance()
        assert balance["BTC"]["total"] == pytest.approx(0.9)
        return
    [position] = await world.exchange.fetch_positions([world.symbol])
    assert (position["side"], position["contracts"]) == ("short", world.amount("0.1"))
    assert position["entryPrice"] == 49_990


async def test_what_is_locked_is_not_free(world: Wired) -> None:
    await place(world, "buy", "0.1", 40_000)
    balance = await world.exchange.fetch_balance()
    quote = world.engine.rules[world.id].quote
    assert balance[quote]["total"] == 10_000
    assert balance[quote]["free"] < 10_000


async def test_what_the_account_does_not_bear_is_refused(world: Wired) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await place(world, "buy", "8" if world.venue.market == "swap" else "0.5", 49_000)
    assert world.engine.open_orders() == []


async def test_the_stream_tells_of_orders_and_fills(world: Wired) -> None:
    watching = await world.listening(world.exchange.watch_orders(world.symbol))
    order = await place(world, "buy", "0.02", 40_000)
    assert [told["id"] for told in await world.told(watching)] == [order]
    world.engine.trade_through(world.id, 39_990)
    await until(lambda: any(told["status"] == "closed" for told in world.exchange.orders))
    told = world.exchange.orders[-1]
    assert (told["id"], told["filled"]) == (order, world.amount("0.02"))


async def test_a_bad_secret_and_a_key_that_may_not_trade_are_refused(world: Wired) -> None:
    for key in (ApiKey(key="test-key", secret="d3Jvbmc="), READER):
        other: Any = type(world.exchange)()
        aim(other, world.venue, key)
        other.set_markets(world.exchange.markets)
        with pytest.raises(ccxt.ExchangeError) as refused:
            await other.create_order(world.symbol, "limit", "buy", world.amount("0.02"), 40_000)
        await other.close()
        assert not isinstance(refused.value, ccxt.InvalidOrder)
    assert world.engine.orders == {}


@pytest.mark.parametrize(
    ("plight", "told"),
    [
        (TOO_MANY, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)),
        (OVERLOADED, ccxt.BaseError),
        (UNKNOWN_OUTCOME, ccxt.BaseError),
        (MAINTENANCE, ccxt.BaseError),
    ],
    ids=["too many", "overloaded", "unknown outcome", "maintenance"],
)
async def test_plights_are_told_in_the_exchanges_words(
    world: Wired, plight: Any, told: Any
) -> None:
    world.venue.faults.on("*", "place", plight)
    with pytest.raises(told):
        await place(world, "buy", "0.02", 40_000)
    assert world.engine.orders == {}


async def test_a_hidden_order_is_not_found(world: Wired) -> None:
    await place(world, "buy", "0.02", 40_000)
    world.venue.faults.hide("*", queries=1)
    assert await open_ids(world) == []
    assert len(await open_ids(world)) == 1


async def test_purposes_are_counted_alike(world: Wired) -> None:
    order = await place(world, "buy", "0.02", 40_000)
    await open_ids(world)
    await world.exchange.cancel_order(order, world.symbol)
    asked = {
        purpose: len(world.venue.asked(path=purpose)) for purpose in ("place", "open", "cancel")
    }
    assert asked == {"place": 1, "open": 1, "cancel": 1}
