"""What must be right once all is quiet: no faults any more, and time has passed."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from tests.properties.engine_venue import Exchange, money_at
from tests.properties.engine_world import CAPITAL, OWN_COINS, TRADER, Living
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from trading.errors import Refused
from trading.events import Protected, Unprotected
from trading.model.halt import Stage, Verb
from trading.types import ZERO, OrderRole, OrderStatus, OrderType, Side, Symbol

CENT = Decimal("0.01")
ENDS = {Stage.FLAT, Stage.FLAT_EXCEPT_DUST}


async def assert_all_is_right(living: Living) -> None:
    assert living.trader.ready
    assert_every_intent_is_resolved(living)
    await assert_each_trade_is_booked_once(living)
    assert_positions_are_the_venues(living)
    assert_orders_are_the_venues(living)
    assert_protected_or_announced(living)
    assert_halts_are_confirmed(living)
    await assert_the_money_is_explained(living)
    await assert_history_equals_the_books(living)


def assert_every_intent_is_resolved(living: Living) -> None:
    alive = living.trader.ledger.alive.values()
    assert [o for o in alive if o.status is not OrderStatus.OPEN] == []


async def assert_each_trade_is_booked_once(living: Living) -> None:
    """All trades of our orders, whoever told of them and however often; and nobody else's."""
    fills = await living.keeping.store.fills(TRADER)
    booked = [fill.id for fill in fills if fill.id.startswith(f"{living.venue.name}:")]
    witness = living.outside.witness
    assert len(booked) == len(set(booked))
    assert set(booked) | witness.perhaps == set(witness.trades)


def assert_positions_are_the_venues(living: Living) -> None:
    """Ours are there; more than ours is there only if somebody else traded too."""
    exchange, witness = living.outside.exchange, living.outside.witness
    for symbol in exchange.symbols:
        for side in Side:
            ours, there = _ours(living, symbol, side), held(exchange, symbol, side)
            assert ours <= there, f"{symbol}: ours {ours}, at the venue {there}"
            own = OWN_COINS if exchange.spot and side is Side.BUY else ZERO
            if not witness.others_traded:
                assert there - own - ours == _dust(living, symbol, side)


def _dust(living: Living, symbol: Symbol, side: Side) -> Decimal:
    """Left on a cash account when a sale was rounded down to the lot, and booked out."""
    left = living.outside.witness.ours(symbol, side) - _ours(living, symbol, side)
    assert ZERO <= left < 20 * living.outside.exchange.rules(symbol).lot
    return left


def _ours(living: Living, symbol: Symbol, side: Side) -> Decimal:
    position = living.trader.ledger.positions.get(symbol)
    return max(ZERO, position.quantity * side.sign) if position else ZERO


def held(exchange: Exchange, symbol: Symbol, side: Side) -> Decimal:
    engine = exchange.engine
    if isinstance(engine, SpotEngine):
        return engine.total(symbol.base) if side is Side.BUY else ZERO
    amounts = (p.amount * side.sign for p in engine.positions(exchange.market(symbol)))
    return sum((max(ZERO, amount) for amount in amounts), ZERO)


def assert_orders_are_the_venues(living: Living) -> None:
    assert set(resting(living)) == set(living.trader.ledger.alive)


def resting(living: Living) -> dict[str, Decimal]:
    """Quantities of our orders that rest at the venue, by our id."""
    engine = living.outside.exchange.engine
    found = {o.client_id: o.remaining for o in engine.open_orders()}
    if isinstance(engine, SwapEngine):
        found |= {algo.client_id: algo.wish.quantity for algo in engine.open_algos()}
    own = f"qd-{living.keeping.tag}-"
    return {order_id: quantity for order_id, quantity in found.items() if order_id.startswith(own)}


def assert_protected_or_announced(living: Living) -> None:
    there, ledger = resting(living), living.trader.ledger
    for symbol, position in ledger.positions.items():
        legs = ledger.alive_of(OrderRole.PROTECT, symbol)
        covered = ZERO
        for kind in (OrderType.TARGET, OrderType.STOP):
            those = [there.get(leg.id, ZERO) for leg in legs if leg.type is kind]
            covered = sum(those, ZERO)
            assert len(those) <= 1, f"{symbol} has two of {kind}"
            assert covered <= abs(position.quantity)
        lot = living.trader.steps(symbol).lot
        if abs(position.quantity) - covered >= lot:
            assert is_announced(living, symbol), f"{symbol} is unprotected, and nobody was told"


def is_announced(living: Living, symbol: Symbol) -> bool:
    told = [e for e in living.said if isinstance(e, Protected | Unprotected)]
    of_symbol = [e for e in told if e.symbol == symbol]
    return bool(of_symbol) and isinstance(of_symbol[-1], Unprotected)


def assert_halts_are_confirmed(living: Living) -> None:
    trader = living.trader
    for halt in living.desk.latch.covering(TRADER):
        if halt.verb >= Verb.STOP:
            assert halt.has_reached(TRADER, Stage.CANCELS_CONFIRMED)
            assert trader.ledger.alive_of(OrderRole.ENTRY) == []
        if halt.verb is Verb.FLATTEN:
            assert any(halt.has_reached(TRADER, stage) for stage in ENDS)
            assert trader.ledger.positions == {}


async def assert_the_money_is_explained(living: Living) -> None:
    """To the cent; after a stranger's trade an owner may have to accept the difference."""
    trader, witness = living.trader, living.outside.witness
    difference = _difference(living)
    if abs(difference) >= CENT:
        assert witness.others_traded, f"{difference} without a reason, {trader.block}"
        assert trader.block, f"{difference} is unexplained, and entries are taken"
        with suppress(Refused):  # positions differ too: people have to settle those first
            acceptance = living.desk.acceptance(trader.name)
            await acceptance.accept(await acceptance.gap(), by="olga")
            assert abs(_difference(living)) < CENT
    if not witness.others_traded:
        assert trader.block == ""
        if not living.outside.operator.moved_money:
            assert_equity_is_what_was_traded(living)


def _difference(living: Living) -> Decimal:
    ours = living.trader.ledger.at_venue(cash=living.venue.cash)
    return money_at(living.outside.exchange) - ours


def assert_equity_is_what_was_traded(living: Living) -> None:
    """The capital, and what our trades brought by the venue's own record of them."""
    exchange, equity = living.outside.exchange, living.trader.valuer.equity()
    assert equity is not None
    quotes = [living.outside.ticker.quote(symbol) for symbol in exchange.symbols]
    prices = {exchange.market(q.symbol): q.price for q in quotes if q is not None}
    dust = sum(
        (_dust(living, s, Side.BUY) * prices[exchange.market(s)] for s in exchange.symbols), ZERO
    )
    off = equity - CAPITAL - living.outside.witness.worth(prices)
    assert abs(off) < CENT + dust, f"{off} more than was traded, dust of {dust}"


async def assert_history_equals_the_books(living: Living) -> None:
    assert living.recorder.unsaved == 0
    ledger, store = living.trader.ledger, living.keeping.store
    kept = await store.books(TRADER)
    assert {o.id for o in kept.orders} == set(ledger.alive)
    ours = {symbol: position.quantity for symbol, position in ledger.positions.items()}
    assert {p.symbol: p.quantity for p, _ in kept.positions} == ours
    booked: dict[Symbol, Decimal] = {}
    for fill in await store.fills(TRADER):
        booked[fill.symbol] = booked.get(fill.symbol, ZERO) + fill.signed_quantity
    assert {s: q for s, q in booked.items() if q} == ours
    written = {alert.id for alert in await store.alerts("test:", limit=1_000_000)}
    told = written | set(living.offered)
    # A halt that could not be lifted, because that could not be saved, was not said to be.
    lost = [alert for alert in living.announced if alert not in told and "HaltLifted" not in alert]
    assert lost == []
