"""How an exchange writes: what it calls markets and orders, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading.types import CONDITIONAL, Order, Symbol
from trading.venues.ccxt import answers
from trading.venues.ccxt.answers import Meaning, is_a
from trading.venues.ccxt.asking import Ban
from trading.venues.ccxt.row import Row
from trading.venues.ccxt.values import info_of

SHORT = 2_000
"""Characters: an answer that is longer is no refusal, and is not searched for one."""


class Wording:
    """Part of `Exchange`; it keeps nothing but its row."""

    def __init__(self, row: Row) -> None:
        self.row = row

    # -- names ------------------------------------------------------------------------------

    def market_id(self, symbol: Symbol) -> str:
        """The exchange's own name, to know a market by that is listed no more."""
        return f"{symbol.base}{symbol.quote}"

    def encode(self, order_id: str) -> str:
        """Our id as the wire carries it; the same each time, and `decode` brings it back."""
        return order_id

    def decode(self, wire_id: str) -> str:
        """Back to ours; what is none of ours stays as it is."""
        return wire_id

    def our_id(self, raw: Any) -> str:
        """Our id of an order that ccxt tells, as the wire carries it; empty if it has none."""
        return str(raw.get("clientOrderId") or "")

    def venue_id(self, raw: Any) -> str:
        """The venue's id of an order that ccxt tells, by which its fills name it."""
        return str(raw["id"])

    def is_apart(self, order: Order) -> bool:
        """Whether it lives on the endpoints of what waits for a price."""
        return self.row.triggers_apart and order.type in CONDITIONAL

    # -- orders as ccxt tells them ----------------------------------------------------------

    def child_of(self, raw: Any) -> str:
        """The venue's id of the order that one which waited for a price has become; empty before,
        and where it stays the same order."""
        return ""

    def is_touched(self, raw: Any) -> bool:
        """Of an order that waited for a price: it was touched, and the order is on the book."""
        return False

    def is_target(self, raw: Any) -> bool:
        """Of an order that waits for a price: whether it is a target; else it is a stop."""
        told = info_of(raw).get("orderType") or info_of(raw).get("type") or raw.get("type") or ""
        kind = str(told).upper().replace(" ", "_").replace("-", "_")
        return kind.startswith("TAKE_PROFIT") or bool(raw.get("takeProfitPrice"))

    def note_of(self, raw: Any) -> str:
        """Why it ended as it did, in the venue's words."""
        return ""

    def trigger_of(self, raw: Any) -> Any:
        """The price that is waited for; None: it waits for none."""
        prices = ("triggerPrice", "stopPrice", "stopLossPrice", "takeProfitPrice")
        return next((raw[price] for price in prices if raw.get(price)), None)

    # -- errors -----------------------------------------------------------------------------

    def told(self, text: str) -> tuple[str, str]:
        """Code and words in what it answered, each empty where it gives none."""
        return answers.told(text, self.row)

    def meaning(self, error: Exception, status: int) -> Meaning:
        """*status*: HTTP's, of the answer; 0: none came."""
        return answers.meaning(error, self.row, self.code_of(error), status)

    def code_of(self, error: Exception) -> str:
        return self.told(str(error))[0]

    def said(self, error: Exception) -> str:
        """For people."""
        return answers.said(error, self.row, *self.told(str(error)))

    def means_duplicate(self, error: Exception) -> bool:
        code, words = self.told(str(error))
        return self.row.means_duplicate(code, words) or is_a(error, "DuplicateOrderId")

    # -- limits -----------------------------------------------------------------------------

    def used(self, headers: Mapping[str, str]) -> float | None:
        """Weight used up of `row.weight_per_minute`, as an answer counts it; None: it does not.

        *headers*: by names in small letters; so below.
        """
        told = count(headers, self.row.used_header)
        return None if told is None else told * self.row.used_factor

    def orders_sent(self, headers: Mapping[str, str]) -> float | None:
        """New orders that the account has sent within `row.orders_per_10s`, likewise."""
        return count(headers, self.row.orders_header)

    def ban(self, status: int, headers: Mapping[str, str], body: str) -> Ban | None:
        """Whether an answer says that nothing is taken from us for a while."""
        row = self.row
        by_status = status in row.ban_statuses
        if not by_status and not (row.ban_codes and len(body) < SHORT):
            return None
        code = self.told(body)[0]
        if not by_status and code not in row.ban_codes:
            return None
        told = count(headers, "retry-after")
        seconds = row.ban_seconds if told is None else told
        return Ban(seconds=seconds, only_orders=code in row.too_many_orders)


def count(headers: Mapping[str, str], name: str) -> float | None:
    """The number in the header of that name; None: there is none."""
    value = headers.get(name.lower(), "") if name else ""
    return float(value) if value.isdecimal() else None
