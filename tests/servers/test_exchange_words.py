"""What the engine refuses is told in Binance's own codes and words, which differ by market."""

from __future__ import annotations

import pytest

from tests.servers.exchange import Refusal, Why
from tests.servers.exchange.wires.binance.refusals import worded


@pytest.mark.parametrize(
    ("why", "code", "text"),
    [
        (Why.OFF_TICK, -1013, "PRICE_FILTER"),
        (Why.OFF_LOT, -1013, "LOT_SIZE"),
        (Why.MARKET_TOO_LARGE, -1013, "MARKET_LOT_SIZE"),
        (Why.NOTIONAL, -1013, "NOTIONAL"),
        (Why.PRICE_TOO_HIGH, -1013, "PERCENT_PRICE_BY_SIDE"),
        (Why.NO_FUNDS, -2010, "insufficient balance"),
        (Why.WOULD_TAKE, -2010, "immediately match"),
        (Why.WOULD_TRIGGER, -2010, "trigger immediately"),
        (Why.BAD_TYPE, -1116, "orderType"),
        (Why.TOO_MANY_STOPS, -1013, "MAX_NUM_ALGO_ORDERS"),
        (Why.TOO_MANY_ORDERS, -1013, "MAX_NUM_ORDERS"),
        (Why.DUPLICATE_ID, -2010, "Duplicate"),
        (Why.HALTED, -1013, "closed"),
        (Why.UNKNOWN_ORDER, -2011, "Unknown order"),
    ],
)
def test_spot_refuses_in_the_real_words(why: Why, code: int, text: str) -> None:
    said = worded(Refusal(why), "spot")
    assert said.code == code
    assert text in said.text


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (Why.OFF_TICK, -4014),
        (Why.OFF_LOT, -1111),
        (Why.TOO_LARGE, -4005),
        (Why.PRICE_TOO_HIGH, -4016),
        (Why.PRICE_TOO_LOW, -4024),
        (Why.NO_FUNDS, -2019),
        (Why.WOULD_TAKE, -5022),
        (Why.CANNOT_FILL, -5021),
        (Why.NOTHING_TO_REDUCE, -2022),
        (Why.WRONG_POSITION_SIDE, -4061),
        (Why.STOP_ELSEWHERE, -4120),
        (Why.WOULD_TRIGGER, -2021),
        (Why.NO_POSITION, -4509),
        (Why.CLOSE_ALL_EXISTS, -4130),
        (Why.POSITION_MODE_WITH_ORDERS, -4067),
        (Why.SAME_POSITION_MODE, -4059),
        (Why.NOTIONAL, -4164),
    ],
)
def test_perpetuals_refuse_with_their_own_codes(why: Why, code: int) -> None:
    assert worded(Refusal(why, 1), "swap").code == code
