"""The library's requests over aiohttp, on which Discord and the exchanges stand already.

The library's own client costs the processor three times as much for each request, and a poll every
five seconds is all that a quiet desk does.  What goes wrong is told in the library's errors; in
words of ours, since an address holds the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest

if TYPE_CHECKING:
    from telegram.request import RequestData

    from chatbot.frontends.telegram.connection import Polling

FORM = "application/x-www-form-urlencoded"


class Requests(BaseRequest):
    """Made anywhere; connects in the loop that makes the first request."""

    def __init__(self, base_url: str, polling: Polling) -> None:
        self._polling = polling
        self._proxy = _proxy_to(base_url)
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds; the library adds to it what a poll is held open for."""
        return self._polling.answer

    async def initialize(self) -> None:
        """Nothing waits to be made before the first request."""

    async def shutdown(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        *_other_timeouts: Any,
        **_others: Any,
    ) -> tuple[int, bytes]:
        """Raises `TimedOut` or `NetworkError`; it may have been done all the same."""
        reads = read_timeout if isinstance(read_timeout, int | float) else self.read_timeout
        body = _body(request_data)
        try:
            async with self._opened().request(
                method,
                url,
                data=body,
                headers={"Content-Type": FORM} if isinstance(body, bytes) else None,
                timeout=self._limits(reads, is_form=isinstance(body, aiohttp.FormData)),
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                return answer.status, await answer.read()
        except TimeoutError:
            raise TimedOut from None
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from None

    def _limits(self, reads: float, *, is_form: bool) -> aiohttp.ClientTimeout:
        """In all as much as its steps may take; what carries a picture has longer to be written."""
        polling = self._polling
        writes = polling.answer * (2 if is_form else 1)
        return aiohttp.ClientTimeout(
            total=polling.connect + writes + reads,
            sock_connect=polling.connect,
            sock_read=reads,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": self.USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0),  # who speaks is limited, not who waits
            )
        return self._session


def _proxy_to(url: str) -> str | None:
    """What the environment names, looked up once: aiohttp would do so in a thread each time."""
    address, proxies = urlsplit(url), getproxies()
    if proxy_bypass(address.netloc):
        return None
    return proxies.get(address.scheme) or proxies.get("all")


def _body(request: RequestData | None) -> bytes | aiohttp.FormData | None:
    if request is None or not (fields := request.json_parameters):
        return None
    if not request.contains_files:
        return urlencode(fields).encode()
    form = aiohttp.FormData(fields)
    for name, (filename, content, kind) in request.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form
