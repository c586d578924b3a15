"""Binance's refusals, with their codes and their words.

Source: the error code pages of the spot and USDS-margined futures API documentation
(developers.binance.com).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Said


def unknown_symbol() -> Said:
    return Said(-1121, "Invalid symbol.")


def missing(name: str) -> Said:
    return Said(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> Said:
    return Said(-1106, f"Parameter '{name}' sent when not required.")


def more_than_a_day() -> Said:
    return Said(-1127, "More than 24 hours between startTime and endTime.")


def bad_combination() -> Said:
    return Said(-1128, "Combination of optional parameters invalid.")


def interval_too_long() -> Said:
    return Said(-4165, "Invalid time interval. Maximum time interval is 7 days.")


def bad_type() -> Said:
    return Said(-1116, "Invalid orderType.")


def not_taken(kind: str) -> Said:
    """A type that other symbols take."""
    words = kind.replace("_", " ").capitalize()
    return Said(-1013, f"{words} orders are not supported for this symbol.")


def bad_side() -> Said:
    return Said(-1117, "Invalid side.")


def no_such_order() -> Said:
    return Said(-2013, "Order does not exist.")


def unknown_order() -> Said:
    """To a cancel; a query is told `no_such_order`."""
    return Said(-2011, "Unknown order sent.")


def filter_failure(name: str) -> Said:
    return Said(-1013, f"Filter failure: {name}")


def market_closed() -> Said:
    return Said(-1013, "Market is closed.")


def insufficient_balance() -> Said:
    return Said(-2010, "Account has insufficient balance for requested action.")


def would_match() -> Said:
    return Said(-2010, "Order would immediately match and take.")


def would_trigger_spot() -> Said:
    return Said(-2010, "Stop price would trigger immediately.")


def wrong_sides_of_market() -> Said:
    return Said(-2010, "The relationship of the prices for the orders is not correct.")


def duplicate_spot() -> Said:
    return Said(-2010, "Duplicate order sent.")


def duplicate_swap() -> Said:
    return Said(-4116, "ClientOrderId is duplicated.")


def would_trigger_swap() -> Said:
    return Said(-2021, "Order would immediately trigger.")


def margin_insufficient() -> Said:
    return Said(-2019, "Margin is insufficient.")


def reduce_only_rejected() -> Said:
    return Said(-2022, "ReduceOnly Order is rejected.")


def wrong_position_side() -> Said:
    return Said(-4061, "Order's position side does not match user's setting.")


def too_many_open() -> Said:
    return Said(-2025, "Reach max open order limit.")


def too_many_stops() -> Said:
    return Said(-4045, "Reach max stop order limit.")


def use_algo_endpoint() -> Said:
    return Said(
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints"
        " instead.",
    )


def close_all_exists() -> Said:
    return Said(
        -4130, "An open stop or take profit order with GTE and closePosition in the direction is"
        " existing."
    )  # fmt: skip


def close_all_without_position() -> Said:
    return Said(-4509, "Time in Force (TIF) GTE can only be used with open positions.")


def symbol_closed() -> Said:
    return Said(-4108, "Symbol is on delivering or delivered or settling or closed or pre-trading.")


def over_precision() -> Said:
    return Said(-1111, "Precision is over the maximum defined for this asset.")


def off_tick() -> Said:
    return Said(-4014, "Price not increased by tick size.")


def quantity_too_small(least: Decimal) -> Said:
    return Said(-4004, f"Quantity less than min quantity {least:f}.")


def quantity_too_large(most: Decimal) -> Said:
    return Said(-4005, f"Quantity greater than max quantity {most:f}.")


def notional_too_small(least: Decimal) -> Said:
    return Said(
        -4164,
        f"Order's notional must be no smaller than {least:f} (unless you choose reduce only).",
    )


def price_too_high(most: Decimal) -> Said:
    return Said(-4016, f"Limit price can't be higher than {most:f}.")


def price_too_low(least: Decimal) -> Said:
    return Said(-4024, f"Limit price can't be lower than {least:f}.")


def cannot_fill_or_kill() -> Said:
    return Said(
        -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
    )


def cannot_be_maker() -> Said:
    return Said(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    )


def same_position_mode() -> Said:
    return Said(-4059, "No need to change position side.")


def position_mode_with_orders() -> Said:
    return Said(-4067, "Position side cannot be changed if there exists open orders.")


def position_mode_with_positions() -> Said:
    return Said(-4068, "Position side cannot be changed if there exists position.")


def same_margin_type() -> Said:
    return Said(-4046, "No need to change margin type.")


def bad_leverage() -> Said:
    return Said(-4028, "Leverage is not valid.")


def bad_key_format() -> Said:
    return Said(-2014, "API-key format invalid.", 401)


def not_permitted() -> Said:
    return Said(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def bad_signature() -> Said:
    return Said(-1022, "Signature for this request is not valid.")


def too_late() -> Said:
    return Said(-1021, "Timestamp for this request is outside of the recvWindow.")


def too_early() -> Said:
    return Said(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def no_such_listen_key() -> Said:
    return Said(-1125, "This listenKey does not exist.")


def unknown_path() -> Said:
    return Said(-5000, "Path not found.", 404)


def too_much_weight(limit: int) -> Said:
    return Said(
        -1003,
        f"Too many requests; current limit of IP is {limit} requests per minute. Please use the"
        " websocket for live updates to avoid polling the API.",
        429,
    )


def too_many_orders(limit: int, window: str) -> Said:
    return Said(-1015, f"Too many new orders; current limit is {limit} orders per {window}.", 429)


def banned(until: int) -> Said:
    return Said(
        -1003, f"Way too much request weight used; IP banned until {until}. Please use WebSocket"
        " Streams for live updates to avoid bans.", 418
    )  # fmt: skip


SPOT: dict[str, Callable[[Any], Said]] = {
    Why.HALTED: lambda _: market_closed(),
    Why.TYPE_NOT_TAKEN: not_taken,
    Why.DUPLICATE_ID: lambda _: duplicate_spot(),
    Why.NO_FUNDS: lambda _: insufficient_balance(),
    Why.WOULD_TAKE: lambda _: would_match(),
    Why.WOULD_TRIGGER: lambda _: would_trigger_spot(),
    Why.WRONG_SIDES: lambda _: wrong_sides_of_market(),
    Why.TOO_MANY_ORDERS: lambda _: filter_failure("MAX_NUM_ORDERS"),
    Why.TOO_MANY_STOPS: lambda _: filter_failure("MAX_NUM_ALGO_ORDERS"),
    Why.OFF_TICK: lambda _: filter_failure("PRICE_FILTER"),
    Why.OFF_LOT: lambda _: filter_failure("LOT_SIZE"),
    Why.TOO_SMALL: lambda _: filter_failure("LOT_SIZE"),
    Why.TOO_LARGE: lambda _: filter_failure("LOT_SIZE"),
    Why.MARKET_TOO_LARGE: lambda _: filter_failure("MARKET_LOT_SIZE"),
    Why.NOTIONAL: lambda _: filter_failure("NOTIONAL"),
    Why.PRICE_TOO_HIGH: lambda _: filter_failure("PERCENT_PRICE_BY_SIDE"),
    Why.PRICE_TOO_LOW: lambda _: filter_failure("PERCENT_PRICE_BY_SIDE"),
}
SWAP: dict[str, Callable[[Any], Said]] = {
    Why.HALTED: lambda _: symbol_closed(),
    Why.STOP_ELSEWHERE: lambda _: use_algo_endpoint(),
    Why.DUPLICATE_ID: lambda _: duplicate_swap(),
    Why.NO_FUNDS: lambda _: margin_insufficient(),
    Why.WOULD_TAKE: lambda _: cannot_be_maker(),
    Why.CANNOT_FILL: lambda _: cannot_fill_or_kill(),
    Why.WOULD_TRIGGER: lambda _: would_trigger_swap(),
    Why.TOO_MANY_ORDERS: lambda _: too_many_open(),
    Why.TOO_MANY_STOPS: lambda _: too_many_stops(),
    Why.OFF_TICK: lambda _: off_tick(),
    Why.OFF_LOT: lambda _: over_precision(),
    Why.TOO_SMALL: quantity_too_small,
    Why.TOO_LARGE: quantity_too_large,
    Why.NOTIONAL: notional_too_small,
    Why.PRICE_TOO_HIGH: price_too_high,
    Why.PRICE_TOO_LOW: price_too_low,
    Why.NOTHING_TO_REDUCE: lambda _: reduce_only_rejected(),
    Why.WRONG_POSITION_SIDE: lambda _: wrong_position_side(),
    Why.REDUCE_ONLY_IN_HEDGE: lambda _: not_required("reduceonly"),
    Why.CLOSE_ALL_EXISTS: lambda _: close_all_exists(),
    Why.NO_POSITION: lambda _: close_all_without_position(),
    Why.SAME_POSITION_MODE: lambda _: same_position_mode(),
    Why.POSITION_MODE_WITH_ORDERS: lambda _: position_mode_with_orders(),
    Why.POSITION_MODE_WITH_POSITIONS: lambda _: position_mode_with_positions(),
    Why.SAME_MARGIN_TYPE: lambda _: same_margin_type(),
    Why.BAD_LEVERAGE: lambda _: bad_leverage(),
}
BOTH: dict[str, Callable[[Any], Said]] = {
    Why.UNKNOWN_SYMBOL: lambda _: unknown_symbol(),
    Why.MALFORMED: missing,
    Why.BAD_TYPE: lambda _: bad_type(),
    Why.UNKNOWN_ORDER: lambda _: unknown_order(),
}


def worded(why: Refusal, market: str) -> Said:
    """Each market has codes of its own for the same thing."""
    return (BOTH | (SPOT if market == "spot" else SWAP))[why.why](why.about)
