"""ccxt's class of an exchange as we use it: exact, on our budget, and aimed where we want it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from trading.common.text import cleaned
from trading.venues.ccxt.lean import exchange_class

if TYPE_CHECKING:
    from trading.venues.ccxt.market_reader import AnswerHooks

KEEP_ALIVE = 15_000
"""Milliseconds between two pings: a stream that is dead without a word is noticed by them."""


class _BudgetThrottle:
    """In the place of ccxt's own: it waits for our budget."""

    loop: Any = None

    def __init__(self, take: Callable[[float], Awaitable[None]]) -> None:
        self._take = take

    def __call__(self, cost: float | None = None) -> Awaitable[None]:
        return self._take(1.0 if cost is None else float(cost))


def watched_class(name: str) -> Callable[[AnswerHooks, dict[str, Any]], Any]:
    """Imports ccxt: most of a second, for a thread."""
    base: Any = exchange_class(name)

    class Watched(base):  # type: ignore[misc]  # its base is found by name
        """Tells of every answer, and waits for our budget."""

        def __init__(self, hooks: AnswerHooks, config: dict[str, Any]) -> None:
            self._told = hooks.heard
            self._hear = hooks.hear
            self._costs = hooks.exchange.row.costs
            self.real_hosts: dict[str, str] = {}
            super().__init__(config)
            # Exact, and read everywhere; of a Decimal ccxt's own parsers lose fees and triggers.
            self.number = str
            # Networks and fees of payments: nobody here makes one, and some ask for a key to tell.
            self.has: Any = {**self.has, "fetchCurrencies": False}
            self.streaming: Any = {**(self.streaming or {}), "keepAlive": KEEP_ALIVE}
            self.throttler = _BudgetThrottle(hooks.take)

        async def fetch2(
            self, path: str, api: Any = "public", method: str = "GET", params: Any = None,
            config: Any = None,
        ) -> Any:  # fmt: skip
            """Once: ccxt's own looks up for each request how often to repeat it, and must not."""
            asked: Any = {} if params is None else params
            usual = self.calculate_rate_limiter_cost(api, method, path, asked, config or {})
            await self.throttle(self._costs.get(path, usual))
            signed = self.sign(path, api, method, asked)
            return await self.fetch(
                signed["url"], signed["method"], signed["headers"], signed["body"]
            )

        def on_rest_response(self, code: int, *rest: Any) -> Any:
            """*rest*: reason, address, method, the answer's headers, its body, ..."""
            self._told(code, dict(rest[3]), str(rest[4] or ""))
            return super().on_rest_response(code, *rest)

        def parse_json(self, http_response: Any) -> Any:
            """Plain letters and digits, which is nearly all, hold nothing to be cleaned."""
            plain = str(http_response).isascii() and "\\u" not in str(http_response)
            parsed = super().parse_json(http_response)
            return parsed if plain else cleaned(parsed)

        def handle_message(self, client: Any, message: Any) -> None:
            self._hear(client, cleaned(message), super().handle_message)

        def currency_to_precision(self, _code: str, fee: Any, *_: Any) -> str:
            """ccxt's streams sum fees that nobody reads, and stumble on a coin without a market."""
            return str(fee)

        def get_exceptions_by_url(self, url: str, exact_or_broad: str) -> Any:
            """ccxt knows a market's errors by its address: by the real one."""
            return super().get_exceptions_by_url(_real(url, self.real_hosts), exact_or_broad)

    Watched.__name__ = base.__name__
    return Watched


def _real(url: str, hosts: Mapping[str, str]) -> str:
    here = next((here for here in hosts if url.startswith(here)), None)
    return url if here is None else hosts[here] + url.removeprefix(here)


def aim(exchange: Any, *, url: str, ws_url: str) -> None:
    """Point every address of *exchange* at *url* and *ws_url*, where these are given.

    The real host becomes the first part of the path: ccxt, and whoever serves there, tell spot
    from futures and one stream from another by it.
    """
    real: dict[str, str] = {}
    for section in ("api", "test", "demo"):
        if section in exchange.urls:
            named = _hosts_named(exchange.urls[section], str(exchange.hostname or ""))
            exchange.urls[section] = _aimed(named, url, ws_url, real)
    exchange.real_hosts = real


def _hosts_named(value: Any, hostname: str) -> Any:
    """With the host's name in its place, which ccxt fills in with each request."""
    if isinstance(value, dict):
        return {name: _hosts_named(inner, hostname) for name, inner in value.items()}
    return str(value).replace("{hostname}", hostname) if hostname else value


def _aimed(value: Any, url: str, ws_url: str, real: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _aimed(inner, url, ws_url, real) for name, inner in value.items()}
    scheme, _, rest = str(value).partition("://")
    base = (ws_url if scheme in ("ws", "wss") else url).rstrip("/")
    if not base:
        return value
    host, slash, path = rest.partition("/")
    real[f"{base}/{host}/"] = f"{scheme}://{host}/"
    return f"{base}/{host}{slash}{path}"
