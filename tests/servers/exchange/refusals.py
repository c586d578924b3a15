"""Binance's refusals, with their codes and their words.

Source: the error code pages of the spot and USDS-margined futures API documentation
(developers.binance.com).
"""

from __future__ import annotations

from decimal import Decimal


class Refusal(Exception):
    """`status` is the HTTP status; every refusal of a request's content is a 400."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status


def unknown_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.")


def missing(name: str) -> Refusal:
    return Refusal(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def not_required(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def more_than_a_day() -> Refusal:
    return Refusal(-1127, "More than 24 hours between startTime and endTime.")


def bad_combination() -> Refusal:
    return Refusal(-1128, "Combination of optional parameters invalid.")


def interval_too_long() -> Refusal:
    return Refusal(-4165, "Invalid time interval. Maximum time interval is 7 days.")


def bad_type() -> Refusal:
    return Refusal(-1116, "Invalid orderType.")


def not_taken(kind: str) -> Refusal:
    """A type that other symbols take."""
    words = kind.replace("_", " ").capitalize()
    return Refusal(-1013, f"{words} orders are not supported for this symbol.")


def bad_side() -> Refusal:
    return Refusal(-1117, "Invalid side.")


def no_such_order() -> Refusal:
    return Refusal(-2013, "Order does not exist.")


def unknown_order() -> Refusal:
    """To a cancel; a query is told `no_such_order`."""
    return Refusal(-2011, "Unknown order sent.")


def filter_failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


def market_closed() -> Refusal:
    return Refusal(-1013, "Market is closed.")


def insufficient_balance() -> Refusal:
    return Refusal(-2010, "Account has insufficient balance for requested action.")


def would_match() -> Refusal:
    return Refusal(-2010, "Order would immediately match and take.")


def would_trigger_spot() -> Refusal:
    return Refusal(-2010, "Stop price would trigger immediately.")


def wrong_sides_of_market() -> Refusal:
    return Refusal(-2010, "The relationship of the prices for the orders is not correct.")


def duplicate_spot() -> Refusal:
    return Refusal(-2010, "Duplicate order sent.")


def duplicate_swap() -> Refusal:
    return Refusal(-4116, "ClientOrderId is duplicated.")


def would_trigger_swap() -> Refusal:
    return Refusal(-2021, "Order would immediately trigger.")


def margin_insufficient() -> Refusal:
    return Refusal(-2019, "Margin is insufficient.")


def reduce_only_rejected() -> Refusal:
    return Refusal(-2022, "ReduceOnly Order is rejected.")


def wrong_position_side() -> Refusal:
    return Refusal(-4061, "Order's position side does not match user's setting.")


def too_many_open() -> Refusal:
    return Refusal(-2025, "Reach max open order limit.")


def too_many_stops() -> Refusal:
    return Refusal(-4045, "Reach max stop order limit.")


def use_algo_endpoint() -> Refusal:
    return Refusal(
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints"
        " instead.",
    )


def close_all_exists() -> Refusal:
    return Refusal(
        -4130, "An open stop or take profit order with GTE and closePosition in the direction is"
        " existing."
    )  # fmt: skip


def close_all_without_position() -> Refusal:
    return Refusal(-4509, "Time in Force (TIF) GTE can only be used with open positions.")


def symbol_closed() -> Refusal:
    return Refusal(
        -4108, "Symbol is on delivering or delivered or settling or closed or pre-trading."
    )


def over_precision() -> Refusal:
    return Refusal(-1111, "Precision is over the maximum defined for this asset.")


def off_tick() -> Refusal:
    return Refusal(-4014, "Price not increased by tick size.")


def quantity_too_small(least: Decimal) -> Refusal:
    return Refusal(-4004, f"Quantity less than min quantity {least:f}.")


def quantity_too_large(most: Decimal) -> Refusal:
    return Refusal(-4005, f"Quantity greater than max quantity {most:f}.")


def notional_too_small(least: Decimal) -> Refusal:
    return Refusal(
        -4164,
        f"Order's notional must be no smaller than {least:f} (unless you choose reduce only).",
    )


def price_too_high(most: Decimal) -> Refusal:
    return Refusal(-4016, f"Limit price can't be higher than {most:f}.")


def price_too_low(least: Decimal) -> Refusal:
    return Refusal(-4024, f"Limit price can't be lower than {least:f}.")


def cannot_fill_or_kill() -> Refusal:
    return Refusal(
        -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
    )


def cannot_be_maker() -> Refusal:
    return Refusal(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    )


def same_position_mode() -> Refusal:
    return Refusal(-4059, "No need to change position side.")


def position_mode_with_orders() -> Refusal:
    return Refusal(-4067, "Position side cannot be changed if there exists open orders.")


def position_mode_with_positions() -> Refusal:
    return Refusal(-4068, "Position side cannot be changed if there exists position.")


def same_margin_type() -> Refusal:
    return Refusal(-4046, "No need to change margin type.")


def bad_leverage() -> Refusal:
    return Refusal(-4028, "Leverage is not valid.")


def bad_key_format() -> Refusal:
    return Refusal(-2014, "API-key format invalid.", 401)


def not_permitted() -> Refusal:
    return Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def bad_signature() -> Refusal:
    return Refusal(-1022, "Signature for this request is not valid.")


def too_late() -> Refusal:
    return Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def too_early() -> Refusal:
    return Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def no_such_listen_key() -> Refusal:
    return Refusal(-1125, "This listenKey does not exist.")


def unknown_path() -> Refusal:
    return Refusal(-5000, "Path not found.", 404)


def too_much_weight(limit: int) -> Refusal:
    return Refusal(
        -1003,
        f"Too many requests; current limit of IP is {limit} requests per minute. Please use the"
        " websocket for live updates to avoid polling the API.",
        429,
    )


def too_many_orders(limit: int, window: str) -> Refusal:
    return Refusal(
        -1015, f"Too many new orders; current limit is {limit} orders per {window}.", 429
    )


def banned(until: int) -> Refusal:
    return Refusal(
        -1003, f"Way too much request weight used; IP banned until {until}. Please use WebSocket"
        " Streams for live updates to avoid bans.", 418
    )  # fmt: skip
