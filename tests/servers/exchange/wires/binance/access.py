"""Who may do what at Binance, and how often: signatures, timestamps, weights and bans."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.limits import Counter, Window
from tests.servers.exchange.wires.base import NONE, TRADE
from tests.servers.exchange.wires.binance import refusals

KEY = "key"
"""A path that asks for a key, and for no signature."""

AHEAD = 1_000
"""Milliseconds that a timestamp may be in the future."""


class Gate:
    """Checks keys and signatures for one market, "spot" or "swap"."""

    def __init__(self, *, market: str, keys: Mapping[str, ApiKey]) -> None:
        self._market = market
        self._keys = keys

    def check(
        self, security: str, *, key: str, text: str, params: Mapping[str, str], now: int
    ) -> ApiKey | None:
        """*text* is what was signed: query and body as they came, without the signature."""
        if security == NONE:
            return None
        if not key:
            raise refusals.bad_key_format()
        owner = self._keys.get(key)
        if owner is None or (security == TRADE and not owner.may_trade(self._market)):
            raise refusals.not_permitted()
        if security != KEY:
            _check_signature(owner, text, params, now)
        return owner


def _check_signature(owner: ApiKey, text: str, params: Mapping[str, str], now: int) -> None:
    for name in ("timestamp", "signature"):
        if not params.get(name):
            raise refusals.missing(name)
    if not params["timestamp"].isdigit() or not params.get("recvWindow", "0").isdigit():
        raise refusals.missing("timestamp")
    if not hmac.compare_digest(sign(owner.secret, text), params["signature"]):
        raise refusals.bad_signature()
    stamp, window = int(params["timestamp"]), int(params.get("recvWindow", "5000"))
    if stamp >= now + AHEAD:
        raise refusals.too_early()
    if stamp < now - window:
        raise refusals.too_late()


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


WEIGHTS = {"spot": Window("1M", 60_000, 6_000), "swap": Window("1M", 60_000, 2_400)}
ORDERS = {
    "spot": (Window("10S", 10_000, 100), Window("1D", 86_400_000, 200_000)),
    "swap": (Window("10S", 10_000, 300), Window("1M", 60_000, 1_200)),
}


class Quota:
    """Counts weight and orders in fixed windows; who goes on after a 429 is banned.

    `patience` is how many refused requests it takes, `ban` milliseconds how long it lasts.
    """

    def __init__(self, *, market: str, patience: int = 10, ban: int = 120_000) -> None:
        self.weight = WEIGHTS[market]
        self.orders = ORDERS[market]
        self.banned_until = 0
        self.exceeded = 0
        """How often more was asked than it takes."""
        self._patience = patience
        self._ban = ban
        self._counter = Counter()
        self._refused = 0

    def spend(self, *, weight: int, orders: int, now: int) -> None:
        """Refused with 429 or 418; what is refused still counts."""
        if now < self.banned_until:
            raise refusals.banned(self.banned_until)
        if self._counter.add("weight", self.weight, weight, now) > self.weight.most:
            self._refuse(now)
        for window in self.orders if orders else ():
            if self._counter.add(window.name, window, orders, now) > window.most:
                raise refusals.too_many_orders(window.most, window.name)
        self._refused = 0

    def use(self, weight: int, *, now: int) -> None:
        """As if somebody else at the same address had used so much."""
        self._counter.add("weight", self.weight, weight, now)

    def headers(self, *, orders: bool, now: int) -> dict[str, str]:
        used = str(self._counter.used("weight", self.weight, now))
        shown = {"X-MBX-USED-WEIGHT": used, f"X-MBX-USED-WEIGHT-{self.weight.name}": used}
        for window in self.orders if orders else ():
            shown[f"X-MBX-ORDER-COUNT-{window.name}"] = str(
                self._counter.used(window.name, window, now)
            )
        return shown

    def retry_after(self, now: int) -> int:
        """Seconds until it may be tried again."""
        until = max(self.banned_until, self.weight.end(now))
        return max(1, (until - now + 999) // 1000)

    def _refuse(self, now: int) -> None:
        self._refused += 1
        self.exceeded += 1
        if self._refused > self._patience:
            self.banned_until = now + self._ban
            raise refusals.banned(self.banned_until)
        raise refusals.too_much_weight(self.weight.most)
