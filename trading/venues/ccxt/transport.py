"""The last instant before bytes leave: where an order's permit and its id are checked.

ccxt queues, signs, connects, waits; a halt may come during any of it.  So the permit is asked for
by the connection itself, after every wait, immediately before the request is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from trading.errors import TradingError, VenueRejected
from trading.model.halt import Permit
from trading.venues.ccxt.carried import missing

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection


CONNECTIONS = 160
"""How many requests may be under way: a stop's cancels do not wait for each other's answers."""


class NotAsMeant(VenueRejected):
    """The request would not carry what makes it this order (its id, its trigger); not sent."""


@dataclass(slots=True, kw_only=True)
class Sending:
    """One request on its way out."""

    permit: Permit
    """Raises if the order may no longer leave."""
    carries: Mapping[str, str] = field(default_factory=dict)
    """What the request must say, field by field; see `carried.missing`."""
    left: bool = field(default=False, init=False)
    """Bytes were written: from here on anything may have happened."""
    withheld: TradingError | None = field(default=None, init=False)
    """Why nothing was written."""

    def check(self, url: str, body: str) -> None:
        """Raises, and remembers, what keeps the request here."""
        try:
            lacking = missing(self.carries, url, body) if self.carries else ""
            if lacking:
                raise NotAsMeant(f"the request does not carry {lacking}; nothing was sent")
            self.permit()
        except TradingError as error:
            self.withheld = error
            raise


@dataclass(slots=True)
class HttpAnswer:
    """What came back to the requests of one call."""

    status: int = 0
    """HTTP's, of the last answer; 0: none came."""


_HEARD: ContextVar[HttpAnswer | None] = ContextVar("heard", default=None)


class _Hearing:
    __slots__ = ("_token",)

    def __enter__(self) -> HttpAnswer:
        one = HttpAnswer()
        self._token = _HEARD.set(one)
        return one

    def __exit__(self, *_: object) -> None:
        _HEARD.reset(self._token)


def hearing() -> AbstractContextManager[HttpAnswer]:
    """Notice what comes back to the requests that the running task makes within the block."""
    return _Hearing()


def answered(status: int) -> None:
    """An answer came to a request of the running task."""
    heard = _HEARD.get()
    if heard is not None:
        heard.status = status


_SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)


class _Guarded:
    """A generator would take several times as long, and this is done for every order."""

    __slots__ = ("_one", "_token")

    def __init__(self, one: Sending) -> None:
        self._one = one

    def __enter__(self) -> Sending:
        self._token = _SENDING.set(self._one)
        return self._one

    def __exit__(self, *_: object) -> None:
        _SENDING.reset(self._token)


def sending(
    permit: Permit, *, carries: Mapping[str, str] | None = None
) -> AbstractContextManager[Sending]:
    """Guard the requests that the running task makes within the block."""
    return _Guarded(Sending(permit=permit, carries=carries or {}))


@contextmanager
def unguarded() -> Iterator[None]:
    """For a request of its own within the block of another: to ask the time, say."""
    token = _SENDING.set(None)
    try:
        yield
    finally:
        _SENDING.reset(token)


class GuardedRequest(aiohttp.ClientRequest):
    """Asks for the permit after the connection is there, before the first byte.

    A request with a body is written in one piece by `write_bytes`, headers included, and perhaps
    in another task; one without is written by `send`.
    """

    _guard: Sending | None = None

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        self._guard = _SENDING.get()
        if not self._has_body():
            self._check()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        try:
            self._check()
        except TradingError as error:
            if conn.protocol is not None:
                conn.protocol.set_exception(error)  # whoever waits for the answer hears of it
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)

    def _has_body(self) -> bool:
        return bool(self._body)

    def _check(self) -> None:
        guard = self._guard
        if guard is not None:
            said = (str(self.url), _text(self._body)) if guard.carries else ("", "")
            guard.check(*said)
            guard.left = True


def _text(body: Any) -> str:
    value = getattr(body, "_value", body)
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else ""


def new_session() -> aiohttp.ClientSession:
    """A session whose requests can be guarded.  Close it."""
    return aiohttp.ClientSession(
        request_class=GuardedRequest,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=300),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def closed(session: aiohttp.ClientSession) -> None:
    """Close *session*, and let its sockets go."""
    await session.close()
    await asyncio.sleep(0)
