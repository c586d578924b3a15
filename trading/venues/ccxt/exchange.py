"""An exchange as the adapter sees it: a row of data, and what no row can hold.

A file of `trading/venues/exchanges` makes one `Exchange` for each of its markets, and overrides
what differs.  What stands here is written in ccxt's unified calls, and holds where an exchange
does as most do.  Raw answers are ccxt's, with ids and amounts as they are on the wire: `incoming`
turns them into ours, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.types import Stops
from trading.venues.ccxt.asking import AccountWatch, Api
from trading.venues.ccxt.money import Money
from trading.venues.ccxt.searching import Searching
from trading.venues.ccxt.values import number


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedBar:
    """A candle as a stream tells it, again and again until it is closed."""

    market_id: str
    """The exchange's own name of the market."""
    timeframe: str
    """As ccxt calls it."""
    row: Sequence[Any]
    """When it opened (milliseconds), open, high, low, close and volume, as on the wire."""
    is_closed: bool


class Exchange(Searching, Money):
    """One market of an exchange.  It keeps nothing: whoever uses it keeps what was asked.

    Its parts, each in a file of its own: `Wording`, `Placing`, `Searching`, `Money`.
    """

    def enter_sandbox(self, exchange: Any) -> None:
        """Have ccxt's *exchange* speak to the place where the money is not real."""
        exchange.set_sandbox_mode(True)

    # -- markets ----------------------------------------------------------------------------

    def is_halted(self, market: Any) -> bool:
        """Whether nobody can trade *market* (ccxt's) now."""
        return market.get("active") is False

    def groups(self, balance: Any) -> frozenset[str]:
        """What the account belongs to, of groups that some markets are for; empty: not told."""
        return frozenset()

    def is_closed_to(self, groups: frozenset[str], market: Any) -> bool:
        """Whether an account of *groups* may not trade what others may."""
        return False

    def stops_of(self, market: Any) -> Stops:
        """What a stop can be there."""
        return self.row.stops

    async def markets_now(self, api: Api, market_id: str) -> Mapping[str, Any]:
        """ccxt's descriptions by the exchange's ids, asked for now: of all, or of *market_id* alone
        where `row.rules_of_one`."""
        found = await api.ask(api.ccxt.fetch_markets, about="markets")
        return {str(market["id"]): market for market in found}

    # -- prices -----------------------------------------------------------------------------

    async def candles(
        self, api: Api, market: str, timeframe: str, begin: int, count: int
    ) -> list[list[Any]]:
        """*count* bars, at most `row.candles`, from that which opens at *begin* (milliseconds)."""
        asked = (market, timeframe, begin, count)
        rows: list[list[Any]] = await api.ask(
            api.ccxt.fetch_ohlcv, *asked, about="candles", urgency=None
        )
        return rows

    def turnover(self, ticker: Any, contract: Decimal | None) -> Decimal | None:
        """What was traded in a day, in the quote currency; None: not told.

        *contract*: coins in what `baseVolume` counts; None: not told.
        """
        if ticker.get("quoteVolume") is not None:
            return number(ticker["quoteVolume"])
        base, price = ticker.get("baseVolume"), ticker.get("last")
        if base is None or price is None or contract is None:
            return None
        return number(base) * number(price) * contract

    def bar_of(self, message: Any) -> StreamedBar | None:
        """The candle that a stream tells in *message*; None: it tells something else.

        Only where `row.streams_candles`.
        """
        return None

    # -- the account's streams --------------------------------------------------------------

    def streams(self, exchange: Any) -> Sequence[AccountWatch]:
        """Those of the account at ccxt's *exchange*; together they tell all its orders."""
        return (
            AccountWatch(call=exchange.watch_orders, awaits="orders", tells_orders=True),
            AccountWatch(call=exchange.watch_my_trades, awaits="myTrades", tells_orders=False),
        )

    def has_begun(self, url: str, message: Any) -> bool:
        """Whether the *message* says that one of the account's streams at *url* has begun; asked
        only where `row.acknowledges`."""
        return False

    def last_word(self, message: Any) -> str:
        """Why a stream says nothing more although it stays connected; empty: it goes on."""
        return ""

    def forget_login(self, exchange: Any) -> None:
        """Have the account's stream log in afresh: what let it in before may have run out."""
