from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    BTC,
    ETH,
    XRP,
    a_position,
    a_resting_entry,
    a_stop_order,
    an_exit,
    an_order,
)
from trading.risk.exposure import exposure, exposures, reserved
from trading.types import ZERO, OrderStatus, OrderType, Side

D = Decimal
ENDED = [status for status in OrderStatus if status.is_terminal]


def test_positions_count_at_the_market_long_and_short_alike() -> None:
    long, short = a_position(), a_position(quantity=D(-2))
    assert exposure([(long, D(110)), (short, D(110))], []) == D(330)


def test_a_position_without_a_price_counts_at_its_entry() -> None:
    assert exposure([(a_position(), None)], []) == D(100)
    assert exposure([(a_position(), D("NaN"))], []) == D(100)


def test_exposures_are_told_by_symbol_and_add_up_to_the_whole() -> None:
    positions = [(a_position(), D(110)), (a_position(symbol=ETH), D(50))]
    orders = [(an_order(symbol=ETH), D(50)), (an_order(symbol=XRP), D(3)), (an_exit(), D(110))]
    found = exposures(positions, orders)
    assert found == {BTC: D(110), ETH: D(100), XRP: D(3)}
    assert exposure(positions, orders) == sum(found.values())


def test_an_entry_counts_with_what_is_not_filled_yet() -> None:
    assert exposure([], [(an_order(filled=D("0.4")), D(100))]) == D(60)


@pytest.mark.parametrize("status", [OrderStatus.INTENT, OrderStatus.OPEN, OrderStatus.UNKNOWN])
def test_an_entry_counts_in_full_until_it_is_proven_ended(status: OrderStatus) -> None:
    assert reserved(an_order(status=status), D(100)) == D(100)


@pytest.mark.parametrize("status", ENDED)
def test_an_entry_that_has_ended_counts_nothing(status: OrderStatus) -> None:
    assert reserved(an_order(status=status), D(100)) == ZERO


def test_what_only_reduces_counts_nothing() -> None:
    assert exposure([], [(a_stop_order(), D(100)), (an_exit(), D(100))]) == ZERO


def test_a_limit_buy_counts_at_its_limit_a_sale_at_the_dearer_of_limit_and_market() -> None:
    assert reserved(a_resting_entry(), D(100)) == D(99)
    assert reserved(a_resting_entry(side=Side.SELL), D(100)) == D(100)
    assert reserved(a_resting_entry(side=Side.SELL, price=D(105)), D(100)) == D(105)


def test_a_stop_entry_counts_at_its_trigger_or_dearer() -> None:
    order = an_order(type=OrderType.STOP, stop_price=D(104))
    assert reserved(order, D(100)) == D(104)
    assert reserved(order, None) == D(104)


def test_an_entry_without_any_price_is_more_than_any_limit_allows() -> None:
    assert exposure([], [(an_order(), None)]) == D("Infinity")


@given(
    filled=st.decimals(min_value=ZERO, max_value=D(1), places=3),
    status=st.sampled_from([OrderStatus.OPEN, OrderStatus.UNKNOWN]),
)
def test_a_fill_moves_exposure_from_the_order_to_the_position(
    filled: Decimal, status: OrderStatus
) -> None:
    order = an_order(filled=filled, status=status)
    held = [(a_position(quantity=filled, entered=filled), D(100))] if filled else []
    assert exposure(held, [(order, D(100))]) == D(100)
