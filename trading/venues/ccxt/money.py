"""What an account at an exchange is and holds, and what came and went."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from trading.errors import VenueRejected
from trading.types import Movement, MovementKind, Symbol
from trading.venues.ccxt.asking import Account, Api
from trading.venues.ccxt.paging import in_windows
from trading.venues.ccxt.values import EPOCH, info_of, millis_of, moment, number
from trading.venues.ccxt.wording import Wording

log = logging.getLogger(__name__)


class Money(Wording):
    """Part of `Exchange`."""

    # -- opening ----------------------------------------------------------------------------

    async def account(self, api: Api) -> Account:
        """Ask what decides how orders must look, when the account is opened.  Raises `VenueError`
        without an answer: then it is not opened.

        Where ccxt cannot ask for the position mode this has to be overridden: an account by side
        is refused where `row.hedge` does not offer it.
        """
        if self.row.is_spot:
            return Account()
        mode = await api.ask(api.ccxt.fetch_position_mode, about="account")
        hedged = bool(mode["hedged"])
        return Account(hedged=hedged, facts={"position mode": position_mode(hedged=hedged)})

    async def permissions(self, api: Api) -> Mapping[str, Any] | None:
        """What the key may do, by the names in `row.wanted`; None: the exchange does not tell."""
        return None

    # -- what it holds ----------------------------------------------------------------------

    async def balance(self, api: Api) -> Any:
        return await api.ask(api.ccxt.fetch_balance, about="account")

    def wallet(self, balance: Any, quote: str) -> Any:
        """Of *quote*, without open profit."""
        return balance["total"].get(quote)

    async def positions(self, api: Api, symbols: Sequence[Symbol] | None) -> Iterable[Any]:
        """ccxt's, of *symbols*; None: of all there are.  Of perpetuals alone."""
        markets = None if symbols is None else [self.row.market_of(symbol) for symbol in symbols]
        return list(await api.ask(api.ccxt.fetch_positions, markets, about="account"))

    async def movements(self, api: Api, since: int, quote: str) -> list[Movement]:
        """What came and went of *quote* without a fill, from *since* on (milliseconds).

        What a key may not read, or an exchange does not tell, is left out with a log line.
        """
        if self.row.is_spot:
            return await self.payments(api, since, quote)
        return await self.ledger(api, since, quote)

    async def ledger(self, api: Api, since: int, quote: str) -> list[Movement]:
        async def page(begin: int, end: int) -> list[Any]:
            asked = (None, begin, self.row.page, {"until": end})
            return list(await api.ask(api.ccxt.fetch_ledger, *asked, about="account", urgency=None))

        entries = await in_windows(
            page, since=self._told_from(api, since), now=api.now(), page=self.row.page,
            window=self.row.history_window, cut=self.row.cut, key=self.entry_id,
        )  # fmt: skip
        told = (self.movement(api, raw, quote) for raw in entries)
        return [movement for movement in told if movement is not None]

    def entry_id(self, raw: Any) -> str:
        """Of an entry of the account's ledger: what no other entry has."""
        return f"{self.entry_kind(raw)}:{raw['id']}"

    def entry_kind(self, raw: Any) -> str:
        """As `row.money` names it."""
        return str(raw.get("type") or "")

    def movement(self, api: Api, raw: Any, quote: str) -> Movement | None:
        """An entry of the account's ledger; None for what fills tell, and for other currencies."""
        ours = self.row.money.get(self.entry_kind(raw), MovementKind.TRANSFER)
        amount, at = number(raw["amount"]), moment(raw["timestamp"])
        if ours is None or raw.get("currency") != quote or not amount or at is None:
            return None
        told = str(info_of(raw).get("symbol") or "")
        market = (api.ccxt.markets_by_id.get(told) or [None])[0]
        return Movement(
            id=self.entry_id(raw),
            kind=ours,
            amount=-amount if raw["direction"] == "out" else amount,
            at=at,
            symbol=None if market is None else Symbol(market["base"], market["quote"]),
        )

    def payment_lists(self, api: Api) -> Sequence[tuple[Any, Mapping[str, Any], bool]]:
        """ccxt's methods, their parameters, and whether what they list came (else it went)."""
        return ((api.ccxt.fetch_deposits, {}, True), (api.ccxt.fetch_withdrawals, {}, False))

    async def payments(self, api: Api, since: int, quote: str) -> list[Movement]:
        found: list[Movement] = []
        now = EPOCH + timedelta(milliseconds=api.now())
        for fetch, params, came in self.payment_lists(api):
            try:
                raws = await self._paid(api, fetch, params, since, quote)
            except VenueRejected as error:
                log.warning("%s: payments are not told: %s", self.row.exchange, error)
                continue
            done = (raw for raw in raws if raw.get("status") not in ("failed", "canceled"))
            counted = (raw for raw in done if not came or raw.get("status") == "ok")
            found += [payment(raw, came=came, now=now) for raw in counted]
        return found

    async def _paid(
        self, api: Api, fetch: Any, params: Mapping[str, Any], since: int, quote: str
    ) -> list[Any]:
        row = self.row

        async def page(begin: int, end: int) -> list[Any]:
            asked = (quote, begin, row.payments_page, {"until": end, **params})
            return list(await api.ask(fetch, *asked, about="account", urgency=None))

        return await in_windows(
            page, since=self._told_from(api, since), now=api.now(), page=row.payments_page,
            window=row.payments_window,
        )  # fmt: skip

    def _told_from(self, api: Api, since: int) -> int:
        """What is older is listed nowhere."""
        return max(since, api.now() - millis_of(self.row.history_back))


def position_mode(*, hedged: bool) -> str:
    """For people."""
    return "a long and a short side for each symbol (hedge)" if hedged else "one for each symbol"


def payment(raw: Any, *, came: bool, now: datetime) -> Movement:
    """Of a deposit, a withdrawal (its fee goes too), or a transfer, as ccxt tells it."""
    fee = number((raw.get("fee") or {}).get("cost"))
    amount = number(raw["amount"])
    return Movement(
        id=f"{raw.get('type') or 'transfer'}:{raw['id']}",
        kind=MovementKind.TRANSFER,
        amount=amount if came else -(amount + fee),
        at=moment(raw.get("timestamp")) or now,
    )
