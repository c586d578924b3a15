"""The dead man's ping: a machine elsewhere hears of us once a minute, and notices when not.

The address is a secret of a kind (who knows it can answer for us): it is told nobody, and what
a library says of it is left out.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING

from pydantic import SecretStr

from trading.clocks import Clock

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

EVERY = 60.0
TIMEOUT = 10.0
"""Seconds, of the machine's own time: what is waited for is the network."""
_ERROR = 400


class Ping:
    """Asks an address every minute.  Failures are logged once, and again when it is over."""

    def __init__(self, *, url: SecretStr | None, clock: Clock, every: float = EVERY) -> None:
        """*url*: None until somebody names one."""
        self.url = url
        self._clock = clock
        self._every = every
        self.problem = ""
        """The kind of the last failure; empty: the last one arrived, or none was sent yet."""
        self.sent = 0
        """How many arrived."""

    @property
    def ok(self) -> bool | None:
        """None: nothing is asked."""
        return None if self.url is None else not self.problem

    async def run(self) -> None:
        """Ask until cancelled."""
        while self.url is None:
            await self._clock.sleep(self._every)
        # A quarter of a second that only those wait for who want it, and nobody else.
        aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                if self.url is not None:
                    await self._once(session, self.url)
                await self._clock.sleep(self._every)

    async def _once(self, session: aiohttp.ClientSession, url: SecretStr) -> None:
        try:
            async with session.get(url.get_secret_value()) as answer:
                problem = f"status {answer.status}" if answer.status >= _ERROR else ""
        except Exception as error:  # noqa: BLE001  # whatever the library raises
            problem = type(error).__name__  # its words hold the address
        if problem and not self.problem:
            log.warning("the dead man's ping does not arrive: %s", problem)
        elif self.problem and not problem:
            log.warning("the dead man's ping arrives again")
        self.sent += not problem
        self.problem = problem
