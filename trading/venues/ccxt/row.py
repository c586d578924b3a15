"""What differs between exchanges and can be said in data: one row for each market of one.

What no row can hold is a function in `exchange`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from trading.types import MovementKind, Stops, Symbol, Targets


class Market(StrEnum):
    SPOT = "spot"
    SWAP = "swap"
    """Perpetuals with linear margin, in the quote currency."""


class Can(StrEnum):
    """What a market may be asked to do."""

    PRICES = "prices"
    ENTRIES = "entries"
    STOPS = "stops"
    TARGETS = "targets"
    PAIRS = "stop and target in one list"
    HEDGE = "hedge mode"
    REDUCE_ONLY = "reduce-only"
    MARKET_BUYS = "market buys"
    SANDBOX = "sandbox"


class MarketBuys(StrEnum):
    """How coins are bought at market."""

    BASE = "base"
    """The market order names how many coins."""
    CROSSING = "crossing"
    """It would name how much money: a limit order across the book, of which the rest is cancelled
    at once, names the coins instead."""


class PageCut(StrEnum):
    """In which order a list of what happened within a span of time is cut to a page."""

    OLDEST_FIRST = "oldest first"
    NEWEST_FIRST = "newest first"
    EITHER = "either"
    """Nobody knows: it is looked on both sides of each answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One answer about what a key may do, and what is wrong with it."""

    name: str
    wanted: bool
    words: str
    for_trading: bool = True
    """It matters only where orders are to be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    exchange: str
    """Of ccxt; also the name of its file and in the settings."""
    market: Market
    suffix: str
    """After the symbol, as in `BTC/USDT:USDT`."""

    # -- what it offers ---------------------------------------------------------------------

    lacks: Mapping[Can, str] = field(default_factory=dict)
    """Why something is not offered, a sentence.  With `Can.ENTRIES` in it nobody trades there, with
    `Can.PRICES` nobody takes prices from there.  Where nothing stands here, what the fields below
    leave out is told in usual words."""
    stops: Stops = Stops.DESK
    """What a stop can be; a market may allow less, see `Exchange.stops_of`."""
    targets: Targets = Targets.DESK
    reduce_only: bool = False
    """Reductions can be marked, and never open anything."""
    hedge: bool = False
    """Positions may be kept by side; an account that does so elsewhere is refused."""
    market_buys: MarketBuys = MarketBuys.BASE
    sandbox: bool = False
    credentials: tuple[str, ...] = ("key", "secret")
    """What an account needs: of `key`, `secret`, `passphrase`."""
    guide: str = "docs/exchanges.md"
    """Tells what a key needs."""
    wanted: tuple[Permission, ...] = ()
    """Of what `Exchange.permissions` tells."""

    # -- orders -----------------------------------------------------------------------------

    id_pattern: str
    """What a client order id may be, on the wire."""
    id_field: str
    """Must stand in the request of an order, with our id."""
    trigger_id_field: str = ""
    """The same in that of what waits for a price; empty: the same field."""
    stop_fields: Mapping[str, str] = field(default_factory=dict)
    """Must stand in the request of a stop, field and value; `{trigger}` is its price, `{direction}`
    1 where it rises to it, else 2.  Without them it would be another order, or one at market."""
    target_fields: Mapping[str, str] = field(default_factory=dict)
    """The same of a target: as a stop it would sell at once."""
    reduce_fields: Mapping[str, str] = field(default_factory=dict)
    """Must stand in the request of what only reduces, unless positions are kept by side."""
    crossing_fields: Mapping[str, str] = field(default_factory=lambda: {"timeInForce": "IOC"})
    """Must stand in the request of a buy across the book, or what it does not get would rest."""
    trigger_params: Mapping[str, Any] = field(default_factory=dict)
    """Extra parameters of stops and targets."""
    duplicate: str = ""
    """In its words when an id was used already: the order may be there."""
    duplicates: frozenset[str] = frozenset()
    """Codes that say the same."""
    forced: Mapping[str, str] = field(default_factory=dict)
    """How the client ids of the venue's own orders begin, and what such an order is."""
    contracts: bool = False
    """Amounts on the wire are contracts of ccxt's `contractSize`, in orders, fills and books."""

    # -- lists ------------------------------------------------------------------------------

    triggers_apart: bool = False
    """What waits for a price lives on endpoints of its own: asked, listed and cancelled there; once
    touched it becomes another order."""
    trigger_lists: tuple[Mapping[str, Any], ...] = ({"trigger": True},)
    """The parameters of each list that such orders stand on; only where they are apart."""
    page: int = 100
    """The most entries that one answer brings."""
    cut: PageCut = PageCut.EITHER
    """Which of them come, where there are more."""
    open_page: int | None = None
    """The most open orders that one answer brings; None: all of them.  Where there may be more,
    `Exchange.open_orders` has to page: a full page is taken for no whole list."""
    opens_together: bool = False
    """Open orders of one symbol cost as much as those of all: they are asked for together."""
    history_window: timedelta = timedelta(days=7)
    """The longest span of time of which it lists orders and trades in one request."""
    history_back: timedelta = timedelta(days=90)
    """Older ones it does not list."""
    fills_by: str = ""
    """The parameter by which trades are asked for of one order; empty: it reads none."""
    payments_page: int = 100
    """As `page`, of deposits, withdrawals and transfers."""
    payments_window: timedelta = timedelta(days=30)
    """As `history_window`, likewise."""
    money: Mapping[str, MovementKind | None] = field(default_factory=dict)
    """Kinds of income; None: told by fills already.  What is not named is a transfer."""

    acknowledges: bool = False
    """Each of the account's streams is told to have begun, see `Exchange.has_begun`: what happens
    before is not told.  Else whoever is connected hears all."""

    # -- limits and time --------------------------------------------------------------------

    weight_per_minute: float
    """Of the limits that count by address, in the units of ccxt's costs."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Of ccxt's endpoints, by their path, which the exchange counts otherwise than ccxt."""
    used_header: str = ""
    """The answer's header that counts what was used, in the venue's units; empty: none."""
    used_factor: float = 1.0
    """ccxt's cost for one of the venue's units."""
    orders_per_10s: float
    """New orders that an account may send."""
    orders_header: str = ""
    """The answer's header that counts them; empty: none."""
    too_many_orders: frozenset[str] = frozenset()
    """Codes of having sent too many: only new orders have to wait."""
    ban_statuses: frozenset[int] = frozenset({418, 429})
    """HTTP statuses after which nothing is taken from us for a while."""
    ban_codes: frozenset[str] = frozenset()
    """Codes that say the same whatever the status."""
    ban_seconds: float = 60.0
    """For how long, where the answer does not say."""
    window: float | None
    """Seconds after which a request that is not found can no longer arrive; None: requests carry no
    expiry, and time alone never proves that one has not arrived."""

    # -- words ------------------------------------------------------------------------------

    code_at: tuple[str, ...]
    """Where an answer tells the code of an error, the most telling place first: names and numbers
    with dots between, as in `data.0.sCode`."""
    message_at: tuple[str, ...]
    """The same of its words."""
    fine: frozenset[str] = frozenset()
    """What stands there where nothing is wrong, or where another place tells what is."""
    turned_away: frozenset[str] = frozenset()
    """Codes of requests that were refused before anything was done, whatever ccxt calls them."""
    unclear: frozenset[str] = frozenset()
    """Codes that leave open whether something was done."""
    not_found: frozenset[str] = frozenset()
    """Codes that say there is no such order, besides what ccxt takes for that."""
    no_market: frozenset[str] = frozenset()
    """Codes of requests about a market that is not there, or closed: the list is old."""
    clock_codes: frozenset[str] = frozenset()
    """Codes of a request whose time is not the venue's."""
    misfits: frozenset[str] = frozenset()
    """Codes of what does not fit the market's rules, such as lot, tick and least worth."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """What to say in place of the venue's words, by code."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """What to add to the venue's words, by what stands in them."""

    # -- prices -----------------------------------------------------------------------------

    candles: int = 1_000
    """The most that one request brings."""
    volumes_in_contracts: bool = False
    """Of candles and of tickers, in the base currency."""
    streams_candles: bool = False
    """Its streams tell when a candle has closed, and `Exchange.bar_of` reads it."""
    book_levels: int | None = 100
    """Prices of an order book that are looked at; None: as many as it tells unasked."""
    rules_of_one: bool = False
    """It can be asked about the rules of one market alone."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of ccxt."""

    @property
    def is_spot(self) -> bool:
        return self.market is Market.SPOT

    def lacking(self, what: Can) -> str:
        """Why *what* is not offered, a sentence; empty: it is."""
        if what in self.lacks:
            return self.lacks[what]
        place, usual = f"{self.exchange} {self.market}", self._usual(what)
        return usual.format(place=place) if usual else ""

    def _usual(self, what: Can) -> str:
        offered = {
            Can.STOPS: self.stops is not Stops.DESK,
            Can.TARGETS: self.targets is not Targets.DESK,
            Can.PAIRS: self.targets is Targets.PAIRED,
            Can.HEDGE: self.hedge,
            Can.REDUCE_ONLY: self.reduce_only,
            Can.SANDBOX: self.sandbox,
        }
        return "" if offered.get(what, True) else _USUAL[what]

    def market_of(self, symbol: Symbol) -> str:
        """ccxt's name of the market."""
        return f"{symbol}{self.suffix.format(quote=symbol.quote)}"

    def accepts_id(self, wire_id: str) -> bool:
        return re.fullmatch(self.id_pattern, wire_id) is not None

    def means_duplicate(self, code: str, words: str) -> bool:
        return code in self.duplicates or bool(self.duplicate and self.duplicate in words.lower())

    def forced_by_venue(self, order_id: str) -> str:
        """What an order of the venue's own is; empty for everybody else's."""
        begins = (begin for begin in self.forced if order_id.startswith(begin))
        return self.forced.get(next(begins, ""), "")


_USUAL: Mapping[Can, str] = {
    Can.STOPS: "No stop can rest on {place}: the desk keeps it.",
    Can.TARGETS: "No target can rest on {place}: the desk keeps it.",
    Can.PAIRS: "{place} takes no stop and target in one list.",
    Can.HEDGE: "Positions by side (hedge mode) are not offered on {place}: set the account to one"
    " position a symbol.",
    Can.REDUCE_ONLY: "Nothing can be marked reduce-only on {place}.",
    Can.SANDBOX: "There is no testnet of {place}.",
}
