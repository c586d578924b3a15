"""What an account is and holds: asked, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.errors import VenueError, VenueRejected
from trading.types import Held, Movement, Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.row import Can
from trading.venues.ccxt.traded import Traded
from trading.venues.ccxt.translation import Translation
from trading.venues.ccxt.values import millis, number


class ExchangeAccount:
    def __init__(
        self, *, name: str, connection: Connection, words: Translation, traded: Traded, quote: str,
        every: bool, read_only: bool,
    ) -> None:  # fmt: skip
        """*every*: it trades more than the settings name, whatever is listed in *quote*."""
        self._name = name
        self._connection = connection
        self._exchange = connection.exchange
        self._words = words
        self._traded = traded
        self._quote = quote
        self._every = every
        self._read_only = read_only

    async def become_known(self) -> None:
        """Ask what decides how orders must look.  Raises `VenueRejected` for what cannot be traded
        as it is: then nothing is sent, and nobody finds out by an order."""
        account = await self._exchange.account(self._connection)
        lacking = self._connection.row.lacking(Can.HEDGE) if account.hedged else ""
        why = account.refused or lacking
        if why and not self._read_only:
            raise VenueRejected(why)
        self._connection.became(account)

    async def examine(self) -> Sequence[str]:
        """What would keep it from trading, one sentence each; reads only."""
        account = await self._exchange.account(self._connection)
        lacking = self._connection.row.lacking(Can.HEDGE) if account.hedged else ""
        self._connection.became(account)
        await self.balance()  # it says what the account may trade, too
        untraded = (f"{why}." for why in self._traded.missing())
        return [*filter(None, (account.refused, lacking)), *untraded, *await self._permissions()]

    async def _permissions(self) -> list[str]:
        try:
            told = await self._exchange.permissions(self._connection)
        except VenueError as error:
            return [f"What the key may do cannot be asked: {error}."]
        if told is None:
            return []
        return [
            asked.words
            for asked in self._connection.row.wanted
            if bool(told.get(asked.name)) is not asked.wanted
            and not (asked.for_trading and self._read_only)
        ]

    async def balance(self) -> Any:
        balance = await self._exchange.balance(self._connection)
        self._traded.belongs(self._exchange.groups(balance))
        return balance

    async def positions(self) -> Mapping[Symbol, Held]:
        ours = self._words.ours()
        if self._connection.row.is_spot:
            total = (await self.balance())["total"]
            held = {symbol: number(total.get(symbol.base)) for symbol in ours}
            return {symbol: Held(long=size) for symbol, size in held.items() if size}
        every = self._every or not all(map(self._traded.is_listed, ours))
        asked = None if every else ours
        raws = await self._exchange.positions(self._connection, asked)
        return self._words.held(map(self._connection.incoming.position, raws))

    async def wallet(self) -> Decimal:
        return number(self._exchange.wallet(await self.balance(), self._quote))

    async def movements(self, since: datetime) -> Sequence[Movement]:
        begin = millis(since)
        found = await self._exchange.movements(self._connection, begin, self._quote)
        named = (replace(each, id=f"{self._name}:{each.id}") for each in found)
        return sorted((m for m in named if m.at >= since), key=lambda m: (m.at, m.id))
