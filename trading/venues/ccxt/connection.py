"""One connection to an exchange: ccxt, aimed, guarded, and held to our own request budget."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from trading.clocks import Clock
from trading.common.text import cleaned
from trading.errors import (
    TradingError,
    VenueMisfit,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
    Withheld,
)
from trading.model.halt import Permit
from trading.venues.ccxt.answers import (
    NotFound,
    code_of,
    is_clear_no,
    is_not_found,
    is_turned_away,
    said,
)
from trading.venues.ccxt.breaker import Breaker
from trading.venues.ccxt.lean import exchange_class
from trading.venues.ccxt.markets import Markets
from trading.venues.ccxt.quirks import Quirks
from trading.venues.ccxt.transport import Sending, closed, new_session, sending, unguarded
from trading.venues.ccxt.weights import URGENCY, Budgets, Urgency, WeightBudget

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT = 4.0
"""Seconds for one request: a little less than the desk waits for an answer."""
ORDERS_WINDOW = 10.0
"""Seconds in which new orders are counted."""
KEEP_ALIVE = 15_000
"""Milliseconds between two pings: a stream that is dead without a word is noticed by them."""
WAIT_UNTOLD = 60.0
"""Seconds to keep quiet after a ban that does not say for how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """What a venue asks for; secrets are never shown."""

    key: str = ""
    secret: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Access(***)"


class Connection:
    """Shared by the venue and the feed of one account; open while anybody uses it."""

    def __init__(
        self,
        *,
        quirks: Quirks,
        access: ApiAccess,
        clock: Clock,
        url: str = "",
        ws_url: str = "",
        sandbox: bool = False,
        timeout: float = TIMEOUT,
        budgets: Budgets | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """*url*, *ws_url*: in place of the exchange's own, scheme and host.

        *budgets*: of the whole process, since limits count by address.
        """
        self.quirks = quirks
        self.budget = (budgets or Budgets(clock=clock)).of(
            (quirks.exchange, quirks.market, url, sandbox), most=quirks.weight_per_minute
        )
        self.orders = WeightBudget(most=quirks.orders_per_10s, window=ORDERS_WINDOW, clock=clock)
        self.breaker = breaker or Breaker(clock=clock)
        self._access = access
        self._url = url
        self._ws_url = ws_url
        self._sandbox = sandbox
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._exchange: Any = None
        self._users: set[object] = set()
        self._opening = asyncio.Lock()
        self.markets = Markets(
            quirks=quirks, clock=clock, exchange=lambda: self._exchange, load=self._load_markets
        )
        self._keeping_fresh: asyncio.Task[None] | None = None

    @property
    def exchange(self) -> Any:
        """ccxt's exchange.  Raises `VenueUnavailable` before `open`."""
        if self._exchange is None:
            raise VenueUnavailable(f"{self.quirks.exchange} is not connected yet")
        return self._exchange

    @property
    def refuses_until(self) -> datetime | None:
        """The wall time until which the exchange takes nothing from us; None: it listens."""
        return self.budget.banned_until

    @property
    def is_open(self) -> bool:
        return self._exchange is not None

    # -- opening ----------------------------------------------------------------------------

    async def open(self, user: object) -> None:
        """Connect, and learn the markets.  Raises `VenueError`; safe to call again."""
        if user in self._users:
            return
        async with self._opening:
            if self._exchange is None:
                await self._connect()
            self._users.add(user)

    async def close(self, user: object) -> None:
        """The last *user* disconnects."""
        async with self._opening:
            self._users.discard(user)
            if self._users:
                return
            keeping, self._keeping_fresh = self._keeping_fresh, None
            if keeping is not None:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            exchange, self._exchange = self._exchange, None
            session, self._session = self._session, None
            if exchange is not None and session is not None:
                await _ended(exchange, session)

    async def _connect(self) -> None:
        make = await asyncio.to_thread(_exchange_class, self.quirks.exchange)  # a second of imports
        session = new_session()
        exchange = make(self, self._config(session))
        aim(exchange, url=self._url, ws_url=self._ws_url)
        if self._sandbox and not self._url:
            exchange.set_sandbox_mode(True)
        try:
            await self._call(exchange.load_markets, "markets", None)
        except BaseException:
            await _ended(exchange, session)
            raise
        self._session, self._exchange = session, exchange
        self.markets.were_read()
        self._keeping_fresh = asyncio.create_task(
            self.markets.keep_fresh(), name=f"{self.quirks.exchange}: markets"
        )

    async def _load_markets(self) -> None:
        await self.ask("markets", self.exchange.load_markets, True)

    def _config(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        return {
            "apiKey": self._access.key,
            "secret": self._access.secret,
            "password": self._access.password,
            "session": session,
            "timeout": round(self._timeout * 1000),
            "timeout_on_exit": 0,
            "enableRateLimit": True,
            "options": {"maxRetriesOnFailure": 0, **self.quirks.options},
        }

    # -- requests ---------------------------------------------------------------------------

    async def ask(
        self,
        family: str,
        request: Callable[..., Awaitable[T]],
        *arguments: Any,
        urgency: Urgency | None = None,
    ) -> T:
        """Make a request that changes nothing.

        Raises `VenueUnavailable` without a clear answer, `VenueRejected` when it is refused, and
        `NotFound` when there is no such order.
        """
        with _urgent(urgency):
            return await self._call(lambda: request(*arguments), family, None)

    async def act(
        self,
        request: Callable[..., Awaitable[T]],
        *arguments: Any,
        permit: Permit,
        must_contain: Sequence[str],
        urgency: Urgency,
        orders: int = 0,
    ) -> T:
        """Make a request that does something; *orders* says how many new ones.

        Raises `Halted`, `VenueRejected` and `VenueUnavailable` when nothing happened, and
        `VenueUncertain` when it may have.
        """
        with _urgent(urgency), sending(permit, must_contain=must_contain) as one:
            if orders:
                await self.orders.take(orders)
            return await self._call(lambda: request(*arguments), "orders", one)

    async def _call(
        self, request: Callable[[], Awaitable[T]], family: str, one: Sending | None
    ) -> T:
        if URGENCY.get() >= Urgency.ENTRY:
            self.breaker.check(family)
        try:
            answer = await request()
        except TradingError:
            raise  # ours: the budget's, or the permit's
        except Exception as error:  # noqa: BLE001  # ccxt's tree, and what its parsers stumble on
            if code_of(error) == self.quirks.clock_code:
                await self._set_clock()
            if code_of(error) in self.quirks.no_market:
                self.markets.doubt()
            told = self._explained(error, one)
            answered = isinstance(told, VenueRejected | Withheld) or is_turned_away(
                error, self.quirks
            )  # it lives: a ban is the budget's to wait for
            if not answered:
                self.breaker.failed(family)
            raise told from None
        self.breaker.succeeded(family)
        return answer

    def _explained(self, error: Exception, one: Sending | None) -> TradingError:
        """What *error* means: did something happen, and is it worth trying again."""
        words = said(error, self.quirks)
        if one is not None and one.withheld is not None:
            return one.withheld
        if is_not_found(error):
            return NotFound(words)
        if self.quirks.explained.get(code_of(error)) and code_of(error) != self.quirks.clock_code:
            return VenueRejected(words)
        if is_turned_away(error, self.quirks):
            ends = filter(None, (self.budget.banned_until, self.orders.banned_until))
            until = max(ends, default=None)
            return VenueUnavailable(
                f"refused until {until.astimezone(UTC):%H:%M:%S} UTC: {words}" if until else words
            )
        if is_clear_no(error, self.quirks) and not self.quirks.means_duplicate(words):
            misfits = code_of(error) in self.quirks.misfits
            return VenueMisfit(words) if misfits else VenueRejected(words)
        return VenueUncertain(words) if one is not None and one.left else VenueUnavailable(words)

    async def _set_clock(self) -> None:
        """By the venue's; the request itself is for the caller to repeat."""
        if self._exchange is None:
            return
        with contextlib.suppress(Exception), unguarded(), _urgent(Urgency.EMERGENCY):
            await self._exchange.load_time_difference()

    # -- what the exchange object calls -----------------------------------------------------

    def heard(self, status: int, headers: Mapping[str, str], body: str) -> None:
        """An answer came: its headers count what we use."""
        folded = {name.lower(): value for name, value in headers.items()}
        used = _count(folded, self.quirks.used_header)
        if used is not None:
            self.budget.told(used * self.quirks.used_factor)
        sent = _count(folded, self.quirks.orders_header)
        if sent is not None:
            self.orders.told(sent)
        if status in (418, 429):
            only_orders = f'"code":{self.quirks.too_many_orders}' in body.replace(" ", "")
            waits = self.orders if only_orders else self.budget
            told = _count(folded, "retry-after")
            waits.ban(WAIT_UNTOLD if told is None else told)


def _count(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name.lower(), "") if name else ""
    return float(value) if value.isdecimal() else None


async def _ended(exchange: Any, session: aiohttp.ClientSession) -> None:
    await exchange.close()
    await closed(session)


@contextmanager
def _urgent(urgency: Urgency | None) -> Iterator[None]:
    if urgency is None:
        yield
        return
    token = URGENCY.set(urgency)
    try:
        yield
    finally:
        URGENCY.reset(token)


class _BudgetThrottle:
    """In the place of ccxt's own: it waits for our budget."""

    loop: Any = None

    def __init__(self, budget: WeightBudget) -> None:
        self._budget = budget

    def __call__(self, cost: float | None = None) -> Awaitable[None]:
        return self._budget.take(1.0 if cost is None else float(cost))


def _exchange_class(name: str) -> Callable[[Connection, dict[str, Any]], Any]:
    """Imports ccxt: most of a second, for a thread."""
    base: Any = exchange_class(name)

    class Watched(base):  # type: ignore[misc]  # its base is found by name
        """Tells its connection of every answer, and waits for our budget."""

        def __init__(self, connection: Connection, config: dict[str, Any]) -> None:
            self._told = connection.heard
            self._last_word = connection.quirks.stream_ended
            self.real_hosts: dict[str, str] = {}
            super().__init__(config)
            # Exact, and read everywhere; of a Decimal ccxt's own parsers lose fees and triggers.
            self.number = str
            self.streaming: Any = {**(self.streaming or {}), "keepAlive": KEEP_ALIVE}
            self.throttler = _BudgetThrottle(connection.budget)

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
            """A stream that has said its last word stays connected: ccxt would wait for ever."""
            message = cleaned(message)
            if self._last_word and _event(message) == self._last_word:
                client.on_error(ConnectionError(f"the stream ended: {self._last_word}"))
                return
            super().handle_message(client, message)

        def currency_to_precision(self, _code: str, fee: Any, *_: Any) -> str:
            """ccxt's streams sum fees that nobody reads, and stumble on a coin without a market."""
            return str(fee)

        def get_exceptions_by_url(self, url: str, exact_or_broad: str) -> Any:
            """ccxt knows a market's errors by its address: by the real one."""
            return super().get_exceptions_by_url(_real(url, self.real_hosts), exact_or_broad)

    Watched.__name__ = base.__name__
    return Watched


def _event(message: Any) -> str:
    """The name of what a stream says; empty if it has none."""
    told = message.get("data", message) if isinstance(message, dict) else None
    return str(told.get("e", "")) if isinstance(told, dict) else ""


def _real(url: str, hosts: Mapping[str, str]) -> str:
    here = next((here for here in hosts if url.startswith(here)), None)
    return url if here is None else hosts[here] + url.removeprefix(here)


def forget_login(exchange: Any) -> None:
    """Have the account's stream log in afresh: what let it in before may have run out."""
    for options in exchange.options.values():
        if isinstance(options, dict) and "lastAuthenticatedTime" in options:
            options["lastAuthenticatedTime"] = 0


def aim(exchange: Any, *, url: str, ws_url: str) -> None:
    """Point every address of *exchange* at *url* and *ws_url*, where these are given.

    The real host becomes the first part of the path: ccxt, and whoever serves there, tell spot
    from futures and one stream from another by it.
    """
    real: dict[str, str] = {}
    for section in ("api", "test", "demo"):
        if section in exchange.urls:
            exchange.urls[section] = _aimed(exchange.urls[section], url, ws_url, real)
    exchange.real_hosts = real


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
