"""What the file of an exchange has to keep, whichever it is; a new one is tried as it is."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.order_ids import ROLE_LETTERS
from trading.types import Order, OrderRole, OrderType, Side, Stops, Symbol, Targets
from trading.venues import exchanges
from trading.venues.ccxt.asking import Account
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.row import Can, Market

EVERY = [(name, market) for name in exchanges.names() for market in exchanges.markets_of(name)]
each = pytest.mark.parametrize(("name", "market"), EVERY, ids=[f"{n} {m}" for n, m in EVERY])

tags = st.text("0123456789abcdef", min_size=4, max_size=4)
ids = st.builds(
    "qd-{}-{}-{}".format,
    tags,
    st.sampled_from(sorted(ROLE_LETTERS.values())),
    st.text("0123456789abcdef", min_size=16, max_size=16),
)


def an_order(kind: OrderType, side: Side = Side.SELL, **changed: object) -> Order:
    waits = kind in {OrderType.STOP, OrderType.TARGET}
    facts: dict[str, object] = {
        "id": "qd-1f3a-p-9c0d2e4f6a8b1c3d" if waits else "qd-1f3a-e-9c0d2e4f6a8b1c3d",
        "trader": "majors",
        "symbol": Symbol("BTC", "USDT"),
        "side": side,
        "type": kind,
        "role": OrderRole.PROTECT if waits else OrderRole.ENTRY,
        "quantity": Decimal("0.01"),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "stop_price": Decimal(45_000) if waits else None,
    }
    return Order(**facts | changed)  # type: ignore[arg-type]  # a test's table of facts


def test_there_is_one() -> None:
    assert ("binance", Market.SPOT) in EVERY


@each
def test_a_file_is_called_as_its_exchange(name: str, market: Market) -> None:
    row = exchanges.exchange(name, market).row
    assert (row.exchange, row.market) == (name, market)


@each
@given(order_id=ids)
def test_our_ids_fit_and_come_back(name: str, market: Market, order_id: str) -> None:
    exchange = exchanges.exchange(name, market)
    wire = exchange.encode(order_id)
    assert exchange.row.accepts_id(wire)
    assert exchange.decode(wire) == order_id
    assert exchange.our_id({"clientOrderId": wire}) == wire


@each
@given(stranger=st.text("abcxyz0189-_.", max_size=36))
def test_ids_of_others_are_read_without_an_error(name: str, market: Market, stranger: str) -> None:
    exchange = exchanges.exchange(name, market)
    told = exchange.decode(stranger)
    assert told == stranger or exchange.encode(told) == stranger


@each
@pytest.mark.parametrize("hedged", [False, True])
def test_a_request_is_held_to_its_id_and_to_what_it_waits_for(
    name: str, market: Market, hedged: bool
) -> None:
    exchange = exchanges.exchange(name, market)
    account = Account(hedged=hedged)
    entry = exchange.carries(account, an_order(OrderType.MARKET, Side.BUY))
    assert exchange.encode("qd-1f3a-e-9c0d2e4f6a8b1c3d") in entry.values()
    for kind in waiting_kinds(exchange):
        carried = exchange.carries(account, an_order(kind))
        assert exchange.encode("qd-1f3a-p-9c0d2e4f6a8b1c3d") in carried.values()
        assert any(is_number(value, 45_000) for value in carried.values())
    if set(waiting_kinds(exchange)) == {OrderType.STOP, OrderType.TARGET}:
        stop, target = (exchange.carries(account, an_order(k)) for k in waiting_kinds(exchange))
        assert stop != target, "as a stop a target would sell at once"


def waiting_kinds(exchange: Exchange) -> list[OrderType]:
    row = exchange.row
    stops = [OrderType.STOP] if row.stops is not Stops.DESK else []
    return [*stops, *([OrderType.TARGET] if row.targets is not Targets.DESK else [])]


def is_number(text: str, number: int) -> bool:
    return text.replace(".", "", 1).isdecimal() and Decimal(text) == number


@each
def test_what_is_not_offered_is_told_in_a_sentence(name: str, market: Market) -> None:
    row = exchanges.exchange(name, market).row
    for what in Can:
        told = row.lacking(what)
        assert not told or ((told[0].isupper() or told.startswith(name)) and told.endswith("."))


@each
def test_a_row_says_what_a_key_consists_of(name: str, market: Market) -> None:
    wanted = set(exchanges.exchange(name, market).row.credentials)
    assert {"key", "secret"} <= wanted <= {"key", "secret", "passphrase"}


@each
def test_what_turns_away_leaves_nothing_unclear(name: str, market: Market) -> None:
    row = exchanges.exchange(name, market).row
    assert not row.turned_away & row.unclear
    assert not row.not_found & (row.turned_away | row.unclear)


@pytest.mark.parametrize("name", exchanges.names())
def test_a_file_imports_neither_ccxt_nor_another_exchange(name: str) -> None:
    """Off costs nothing: what is not configured is not imported."""
    code = (
        "import sys; from trading.venues import exchanges; exchanges.names();"
        "assert not [m for m in sys.modules if m.startswith('trading.venues.exchanges.')];"
        f"exchanges.markets_of({name!r});"
        "print([m for m in sys.modules if m.partition('.')[0] == 'ccxt'"
        " or m.startswith('trading.venues.exchanges.')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"['trading.venues.exchanges.{name}']"
