"""What differs between venues, as rows of data.  A new venue is a row here.

Sources: the venues' own documents, and ccxt's adapters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from trading.types import MovementKind, Symbol, Targets


class Market(StrEnum):
    SPOT = "spot"
    SWAP = "swap"
    """Perpetuals with linear margin, in the quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One answer about what a key may do, and what is wrong with it."""

    name: str
    wanted: bool
    words: str
    for_trading: bool = True
    """It matters only where orders are to be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    exchange: str
    """Of ccxt."""
    market: Market
    suffix: str
    """After the symbol, as in `BTC/USDT:USDT`."""
    weight_per_minute: float
    """Of the limits that count by address, in the units of ccxt's costs."""
    used_header: str
    """The answer's header that counts what was used, in the venue's units; empty: none."""
    used_factor: float
    """ccxt's cost for one of the venue's units."""
    orders_per_10s: float
    """New orders that an account may send."""
    orders_header: str
    """The answer's header that counts them; empty: none."""
    too_many_orders: str
    """The code of having sent too many: only new orders have to wait."""
    window: float
    """Seconds after which a request that is not found can no longer arrive."""
    id_pattern: str
    """What a client order id may be."""
    history_window: timedelta
    """The longest span of time of which it lists orders and trades in one request."""
    targets: Targets
    """Where the target of a position can rest."""
    trigger_field: str
    """Must stand in the request of what waits for a price: it would be a market order without."""
    target_type: str
    """Must stand in the request that makes a target: as a stop it would sell at once."""
    conditional_params: Mapping[str, Any]
    """Extra parameters of stops and targets."""
    conditional_apart: bool
    """They live on endpoints of their own: asked, listed and cancelled there."""
    reduce_only: bool
    """Reductions can be marked, and never open anything."""
    hedge: bool
    """Positions may be kept by side."""
    duplicate: str
    """In its words when an id was used already: the order may be there."""
    turned_away: frozenset[str]
    """Codes of requests that were refused before anything was done, whatever ccxt calls them."""
    unclear: frozenset[str]
    """Codes that leave open whether something was done."""
    no_market: frozenset[str]
    """Codes of requests about a market that is not there, or closed: the list is old."""
    trading_flag: str
    """What is false in a market's own description when nobody can trade it; empty: nothing is."""
    clock_code: str
    """The code of a request whose time is not the venue's."""
    misfits: frozenset[str]
    """Codes of what does not fit the market's rules, such as lot, tick and least worth."""
    rules: str
    """The method of ccxt that tells the markets' rules."""
    rules_of_one: bool
    """It can be asked about one market alone."""
    explained: Mapping[str, str]
    """What to say in place of the venue's words, by code."""
    hints: Mapping[str, str]
    """What to add to the venue's words, by what stands in them."""
    forced: Mapping[str, str]
    """How the client ids of the venue's own orders begin, and what such an order is."""
    stream_ended: str
    """The event after which the account's stream says nothing more, although it is connected."""
    money: Mapping[str, MovementKind | None]
    """Kinds of income; None: told by fills already.  What is not named is a transfer."""
    permissions: str
    """The method of ccxt that tells what the key may do."""
    wanted: tuple[Permission, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of ccxt."""

    def market_of(self, symbol: Symbol) -> str:
        """ccxt's name of the market."""
        return f"{symbol}{self.suffix.format(quote=symbol.quote)}"

    def means_duplicate(self, words: str) -> bool:
        return bool(self.duplicate) and self.duplicate in words.lower()

    def accepts_id(self, order_id: str) -> bool:
        return re.fullmatch(self.id_pattern, order_id) is not None

    def forced_by_venue(self, order_id: str) -> str:
        """What an order of the venue's own is; empty for everybody else's."""
        begins = (begin for begin in self.forced if order_id.startswith(begin))
        return self.forced.get(next(begins, ""), "")


_BINANCE: Mapping[str, Any] = {
    "exchange": "binance",
    "used_header": "X-MBX-USED-WEIGHT-1M",
    "orders_header": "X-MBX-ORDER-COUNT-10S",
    "too_many_orders": "-1015",
    "window": 10.0,
    "id_pattern": r"[.A-Z:/a-z0-9_-]{1,36}",
    "duplicate": "duplicate",
    "turned_away": frozenset({"-1003", "-1008", "-1015", "-1016", "-1021"}),
    "unclear": frozenset({"-1000", "-1001", "-1006", "-1007"}),
    "no_market": frozenset({"-1121", "-4108", "-4140"}),
    "clock_code": "-1021",
    "misfits": frozenset(
        {"-1013", "-1111", "-4003", "-4004", "-4005", "-4014", "-4016", "-4023", "-4024", "-4131"}
    ),
    "explained": {
        "-1021": "our clock differed from the venue's, and has been set by it",
        "-1022": "the signature is not valid: check this venue's secret",
        "-2014": "the key is not valid: check this venue's key",
        "-2015": "the key is refused: check it, the addresses it may be used from, and its"
        " permissions",
    },
    "hints": {
        "PERCENT_PRICE": "the price is too far from the market's",
        "Limit price can't be": "the price is too far from the market's",
        "MARKET_LOT_SIZE": "too much for one market order",
        "LOT_SIZE": "the quantity is not one that this market takes",
        "NOTIONAL": "worth less than this market takes",
    },
    "stream_ended": "listenKeyExpired",
    "permissions": "sapi_get_account_apirestrictions",
}  # fmt: skip

_WITHDRAWALS = Permission(
    name="enableWithdrawals",
    wanted=False,
    words="The key may withdraw money: take that permission away, the desk never needs it.",
    for_trading=False,
)
_READING = Permission(
    name="enableReading", wanted=True, words="The key may not read.", for_trading=False
)

_OPTIONS: Mapping[str, Any] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "watchPositions": {"fetchPositionsSnapshot": False},  # nobody reads it; its sums need floats
    "adjustForTimeDifference": True,
    "recvWindow": 5_000,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}

_ROWS = (
    Quirks(
        **_BINANCE,
        market=Market.SPOT,
        rules="public_get_exchangeinfo",
        rules_of_one=True,
        suffix="",
        trading_flag="isSpotTradingAllowed",
        weight_per_minute=1_200,
        used_factor=0.2,
        orders_per_10s=100,
        history_window=timedelta(days=1),
        targets=Targets.PAIRED,
        trigger_field="stopPrice=",
        target_type="type=TAKE_PROFIT",
        conditional_params={},
        conditional_apart=False,
        reduce_only=False,
        hedge=False,
        forced={},
        money={},
        wanted=(
            _READING,
            Permission(
                name="enableSpotAndMarginTrading",
                wanted=True,
                words="The key may not trade on spot: every order would be refused.",
            ),
            _WITHDRAWALS,
        ),
        options={**_OPTIONS, "defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
    ),
    Quirks(
        **_BINANCE,
        market=Market.SWAP,
        rules="fapipublic_get_exchangeinfo",
        rules_of_one=False,
        suffix=":{quote}",
        trading_flag="",
        weight_per_minute=2_400,
        used_factor=1.0,
        orders_per_10s=300,
        history_window=timedelta(days=7),
        targets=Targets.BESIDE,
        trigger_field="triggerPrice=",
        target_type="type=TAKE_PROFIT_MARKET",
        conditional_params={"workingType": "MARK_PRICE"},
        conditional_apart=True,
        reduce_only=True,
        hedge=True,
        forced={
            "autoclose-": "a liquidation by the exchange",
            "adl_autoclose": "an automatic deleveraging by the exchange",
            "settlement_autoclose-": "a settlement by the exchange",
        },
        money={
            "FUNDING_FEE": MovementKind.FUNDING,
            "INSURANCE_CLEAR": MovementKind.LIQUIDATION,
            "REALIZED_PNL": None,
            "COMMISSION": None,
        },
        wanted=(
            _READING,
            Permission(
                name="enableFutures",
                wanted=True,
                words="The key may not trade futures: every order would be refused.",
            ),
            _WITHDRAWALS,
        ),
        options={
            **_OPTIONS,
            "defaultType": "swap",
            "defaultSubType": "linear",
            "fetchMarkets": {"types": ["linear"]},
        },
    ),
)

QUIRKS: Mapping[tuple[str, Market], Quirks] = MappingProxyType(
    {(row.exchange, row.market): row for row in _ROWS}
)
