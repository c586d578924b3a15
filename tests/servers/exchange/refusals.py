"""What the engine refuses, in no exchange's words: each wire says it in its own."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """The values are for people who read a failing test."""

    UNKNOWN_SYMBOL = "unknown symbol"
    MALFORMED = "a parameter is missing or malformed"
    HALTED = "the market is closed"
    BAD_TYPE = "no such type of order"
    TYPE_NOT_TAKEN = "this symbol does not take the type of order"
    STOP_ELSEWHERE = "conditional orders are placed elsewhere"
    DUPLICATE_ID = "the client id is taken"
    UNKNOWN_ORDER = "no such open order"
    NO_FUNDS = "insufficient balance"
    WOULD_TAKE = "a post-only order would take"
    CANNOT_FILL = "a fill-or-kill order cannot be filled"
    WOULD_TRIGGER = "the stop would trigger at once"
    WRONG_SIDES = "the prices of the list are on the wrong sides of the market"
    TOO_MANY_ORDERS = "too many open orders"
    TOO_MANY_STOPS = "too many open stops"
    OFF_TICK = "the price is off the tick"
    OFF_LOT = "the quantity is off the lot"
    TOO_SMALL = "the quantity is too small"
    TOO_LARGE = "the quantity is too large"
    MARKET_TOO_LARGE = "the quantity is too large for a market order"
    NOTIONAL = "the notional is too small"
    PRICE_TOO_HIGH = "the price is too high"
    PRICE_TOO_LOW = "the price is too low"
    NOTHING_TO_REDUCE = "there is no position to reduce"
    WRONG_POSITION_SIDE = "the position side does not fit the position mode"
    REDUCE_ONLY_IN_HEDGE = "reduce-only is not taken in hedge mode"
    CLOSE_ALL_EXISTS = "there is a stop for the whole position already"
    NO_POSITION = "there is no position to close"
    SAME_POSITION_MODE = "the position mode is that already"
    POSITION_MODE_WITH_ORDERS = "the position mode cannot change with open orders"
    POSITION_MODE_WITH_POSITIONS = "the position mode cannot change with open positions"
    SAME_MARGIN_TYPE = "the margin type is that already"
    BAD_LEVERAGE = "no such leverage"


class Refusal(Exception):
    """Nothing was done.  `about` is what the words of an exchange may tell: a name, or a limit."""

    def __init__(self, why: str, about: object = "") -> None:
        super().__init__(f"{why} ({about})" if about != "" else why)
        self.why = why
        self.about = about
