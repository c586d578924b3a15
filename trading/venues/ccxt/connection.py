"""One connection to an exchange: ccxt, aimed, guarded, and held to our own request budget."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import aiohttp

from trading.clocks import Clock
from trading.errors import (
    TradingError,
    VenueMisfit,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
    Withheld,
)
from trading.market.candle_cache import CandleCache
from trading.model.halt import Permit
from trading.venues.ccxt.answers import Meaning, NotFound
from trading.venues.ccxt.asking import UNASKED, Account
from trading.venues.ccxt.breaker import Breaker
from trading.venues.ccxt.exchange import Exchange, StreamedBar
from trading.venues.ccxt.incoming import Incoming
from trading.venues.ccxt.market_reader import AnswerHooks, read_markets
from trading.venues.ccxt.markets import Markets
from trading.venues.ccxt.transport import (
    Sending,
    answered,
    closed,
    hearing,
    new_session,
    sending,
    unguarded,
)
from trading.venues.ccxt.values import millis, number
from trading.venues.ccxt.watched import aim, watched_class
from trading.venues.ccxt.weights import URGENCY, Budgets, Urgency, WeightBudget

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT = 4.0
"""Seconds for one request: a little less than the desk waits for an answer."""
ORDERS_WINDOW = 10.0
"""Seconds in which new orders are counted."""


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
        exchange: Exchange,
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
        row = exchange.row
        self.exchange = exchange
        self.row = row
        self.account = UNASKED
        self.budget = (budgets or Budgets(clock=clock)).of(
            (row.exchange, row.market, url, sandbox), most=row.weight_per_minute
        )
        self.orders = WeightBudget(most=row.orders_per_10s, window=ORDERS_WINDOW, clock=clock)
        self.breaker = breaker or Breaker(clock=clock)
        self.candles = CandleCache(clock=clock)
        """Of whoever takes prices from here."""
        self.candles_heard_at = float("-inf")
        """Monotonic seconds at which a stream told the last one, closed or not."""
        self._access = access
        self._url = url
        self._ws_url = ws_url
        self._sandbox = sandbox
        self._timeout = timeout
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._ccxt: Any = None
        self._class: Callable[[AnswerHooks, dict[str, Any]], Any]
        self._users: set[object] = set()
        self._opening = asyncio.Lock()
        self._begun = WeakKeyDictionary[Any, int]()
        self.markets = Markets(
            exchange=exchange, clock=clock, ccxt=lambda: self._ccxt, load=self._load_markets
        )
        self.incoming = Incoming(exchange=exchange, market=self.markets.named)
        self._keeping_fresh: asyncio.Task[None] | None = None

    @property
    def ccxt(self) -> Any:
        """ccxt's exchange.  Raises `VenueUnavailable` before `open`."""
        if self._ccxt is None:
            raise VenueUnavailable(f"{self.row.exchange} is not connected yet")
        return self._ccxt

    def now(self) -> int:
        """Milliseconds since 1970."""
        return millis(self._clock.now())

    def contract(self, market: str) -> Decimal:
        """Coins in one of the wire's units.  Raises `VenueUnavailable` where nobody told."""
        return self.incoming.size_of(market)

    def became(self, account: Account) -> None:
        """What the account is has been asked; ccxt goes by it, too."""
        self.account = account
        self.ccxt.options.update(account.options)

    @property
    def refuses_until(self) -> datetime | None:
        """The wall time until which the exchange takes nothing from us; None: it listens."""
        return self.budget.banned_until

    @property
    def is_open(self) -> bool:
        return self._ccxt is not None

    # -- opening ----------------------------------------------------------------------------

    async def open(self, user: object) -> None:
        """Connect, and learn the markets.  Raises `VenueError`; safe to call again."""
        if user in self._users:
            return
        async with self._opening:
            if self._ccxt is None:
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
            exchange, self._ccxt = self._ccxt, None
            session, self._session = self._session, None
            if exchange is not None and session is not None:
                await _ended(exchange, session)

    async def _connect(self) -> None:
        self._class = await asyncio.to_thread(watched_class, self.row.exchange)  # a second
        session = new_session()
        exchange = self._made(session, self._hooks())
        try:
            await self._call(partial(self._read_markets, exchange), "markets", None)
        except BaseException:
            await _ended(exchange, session)
            raise
        self._session, self._ccxt = session, exchange
        self.markets.were_read()
        self._keeping_fresh = asyncio.create_task(
            self.markets.keep_fresh(), name=f"{self.row.exchange}: markets"
        )

    def _made(self, session: aiohttp.ClientSession, hooks: AnswerHooks) -> Any:
        """ccxt's exchange on *session*, aimed."""
        exchange = self._class(hooks, self._config(session))
        if self._sandbox:  # first: where it is aimed at another address, it is no other place
            self.exchange.enter_sandbox(exchange)
        aim(exchange, url=self._url, ws_url=self._ws_url)
        return exchange

    def _hooks(self) -> AnswerHooks:
        return AnswerHooks(
            exchange=self.exchange, heard=self.heard, hear=self.hear, take=self.budget.take
        )

    async def _read_markets(self, exchange: Any) -> None:
        await read_markets(exchange, self._made, self._hooks())

    async def _load_markets(self) -> None:
        await self.ask(self._read_markets, self.ccxt, about="markets", urgency=None)

    def _config(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        return {
            "apiKey": self._access.key,
            "secret": self._access.secret,
            "password": self._access.password,
            "session": session,
            "timeout": round(self._timeout * 1000),
            "timeout_on_exit": 0,
            "enableRateLimit": True,
            "options": {"maxRetriesOnFailure": 0, **self.row.options},
        }

    # -- requests ---------------------------------------------------------------------------

    async def ask(
        self,
        request: Callable[..., Awaitable[Any]],
        *arguments: Any,
        about: str = "orders",
        urgency: Urgency | None = Urgency.REDUCTION,
    ) -> Any:
        """Make a request that changes nothing; see `asking.Api`.

        *urgency*: None for that of whoever asks.
        """
        with _Urgent(urgency):
            return await self._call(lambda: request(*arguments), about, None)

    async def act(
        self,
        request: Callable[..., Awaitable[T]],
        *arguments: Any,
        permit: Permit,
        carries: Mapping[str, str],
        urgency: Urgency,
        orders: int = 0,
    ) -> T:
        """Make a request that does something; *orders* says how many new ones.

        Raises `Halted`, `VenueRejected` and `VenueUnavailable` when nothing happened, and
        `VenueUncertain` when it may have.
        """
        with _Urgent(urgency), sending(permit, carries=carries) as one:
            if orders:
                await self.orders.take(orders)
            return await self._call(lambda: request(*arguments), "orders", one)

    async def _call(
        self, request: Callable[[], Awaitable[T]], family: str, one: Sending | None
    ) -> T:
        if URGENCY.get() >= Urgency.ENTRY:
            self.breaker.check(family)
        try:
            with hearing() as heard:
                answer = await request()
        except (TradingError, asyncio.CancelledError):
            self.breaker.unsent(family)
            raise  # ours: the budget's, or the permit's
        except Exception as error:  # noqa: BLE001  # ccxt's tree, and what its parsers stumble on
            code = self.exchange.code_of(error)
            if code in self.row.clock_codes:
                await self._set_clock()
            if code in self.row.no_market:
                self.markets.doubt()
            meaning = self.exchange.meaning(error, heard.status)
            told = self._explained(error, code, meaning, one)
            answered = isinstance(told, VenueRejected | Withheld)
            if not answered and meaning is not Meaning.TURNED_AWAY:
                # One that turns away lives: a ban is the budget's to wait for.
                self.breaker.failed(family, str(told))
            raise told from None
        self.breaker.succeeded(family)
        return answer

    def _explained(
        self, error: Exception, code: str, meaning: Meaning, one: Sending | None
    ) -> TradingError:
        """What *error* means: did something happen, and is it worth trying again."""
        words = self.exchange.said(error)
        if one is not None and one.withheld is not None:
            return one.withheld
        if meaning is Meaning.NOT_FOUND:
            return NotFound(words)
        if meaning is Meaning.TURNED_AWAY:
            ends = filter(None, (self.budget.banned_until, self.orders.banned_until))
            until = max(ends, default=None)
            return VenueUnavailable(
                f"refused until {until.astimezone(UTC):%H:%M:%S} UTC: {words}" if until else words
            )
        if meaning is Meaning.REFUSED and not self.exchange.means_duplicate(error):
            return VenueMisfit(words) if code in self.row.misfits else VenueRejected(words)
        return VenueUncertain(words) if one is not None and one.left else VenueUnavailable(words)

    async def _set_clock(self) -> None:
        """By the venue's; the request itself is for the caller to repeat."""
        if self._ccxt is None:
            return
        with contextlib.suppress(Exception), unguarded(), _Urgent(Urgency.EMERGENCY):
            await self._ccxt.load_time_difference()

    # -- what the exchange object calls -----------------------------------------------------

    def heard(self, status: int, headers: Mapping[str, str], body: str) -> None:
        """An answer came: its headers count what we use."""
        answered(status)
        folded = {name.lower(): value for name, value in headers.items()}
        used = self.exchange.used(folded)
        if used is not None:
            self.budget.told(used)
        sent = self.exchange.orders_sent(folded)
        if sent is not None:
            self.orders.told(sent)
        ban = self.exchange.ban(status, folded, body)
        if ban is not None:
            (self.orders if ban.only_orders else self.budget).ban(ban.seconds)

    def hear(self, client: Any, message: Any, go_on: Callable[[Any, Any], None]) -> None:
        """What a stream says; *go_on* has ccxt take it.

        A stream that has said its last word stays connected: ccxt would wait for ever.  Candles
        that have not closed come several times a second of each market, and nobody reads them.
        """
        if self.row.acknowledges and self.exchange.has_begun(str(client.url), message):
            self._begun[client] = self.streams_begun(client) + 1
        ended = self.exchange.last_word(message)
        if ended:
            client.on_error(ConnectionError(f"the stream ended: {ended}"))
            return
        bar = self.exchange.bar_of(message)
        if bar is not None:
            self._take(bar)
        if bar is None or bar.is_closed:
            go_on(client, message)

    def streams_begun(self, client: Any) -> int:
        """How many of the account's streams are told to have begun at *client*, one of ccxt's."""
        return self._begun.get(client, 0)

    def _take(self, bar: StreamedBar) -> None:
        self.candles_heard_at = self._clock.monotonic()
        if bar.is_closed:
            kind = str(self.row.market)
            market = str(self.ccxt.safe_market(bar.market_id, None, None, kind)["symbol"])
            step = timedelta(seconds=self.ccxt.parse_timeframe(bar.timeframe))
            closed = int(bar.row[0]) + step // timedelta(milliseconds=1)
            self.candles.put((market, step), {closed: self.counted(market, bar.row)})

    def counted(self, market: str, row: Sequence[Any]) -> list[float]:
        """Open, high, low, close of a candle of ccxt's *market*, and its volume in coins."""
        volume = number(row[5])
        if self.row.volumes_in_contracts:
            volume *= self.contract(market)
        return [*(float(value) for value in row[1:5]), float(volume)]


async def _ended(exchange: Any, session: aiohttp.ClientSession) -> None:
    await exchange.close()
    await closed(session)


class _Urgent:
    """Of the requests that the running task makes within the block; None leaves it as it is."""

    __slots__ = ("_token", "_urgency")

    def __init__(self, urgency: Urgency | None) -> None:
        self._urgency = urgency

    def __enter__(self) -> None:
        self._token = None if self._urgency is None else URGENCY.set(self._urgency)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            URGENCY.reset(self._token)
