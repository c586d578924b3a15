"""What the venue keeps and tells: orders, trades, positions, and one event per thing that happens.

All values are frozen and change by `dataclasses.replace`.  Quantities are in base units, prices in
quote units, times in milliseconds since 1970.  The words (`LIMIT_MAKER`, `STOP_MARKET`, `GTX`,
`EXPIRED`) are the engine's; each wire tells them in its exchange's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)

OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
LIMITS = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
"""Types that rest on the book once they work."""


def opposite(side: str) -> str:
    return "SELL" if side == "BUY" else "BUY"


def sign(side: str) -> int:
    return 1 if side == "BUY" else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order as asked for.

    `trailing_delta` is in basis points (spot), `callback_rate` in percent (perpetuals).
    """

    symbol: str
    side: str
    type: str
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    trailing_delta: int = 0
    callback_rate: Decimal = ZERO
    time_in_force: str = "GTC"
    client_id: str = ""
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    note: str = ""
    """What a wire has to remember of it; means nothing to the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A stop waits for `trigger` until it works; `algo_id` is the conditional order it came of."""

    id: int
    client_id: str
    wish: Wish
    quantity: Decimal
    status: str
    created: int
    updated: int
    working: bool
    working_since: int = -1
    trigger: Trigger | None = None
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    list_id: int = -1
    algo_id: int = 0
    forced: str = ""
    """"LIQUIDATION" or "ADL" when it is the venue's own doing."""
    failure: str = ""
    """A `Why`, of an order that was taken and refused afterwards (status REJECTED)."""

    @property
    def symbol(self) -> str:
        return self.wish.symbol

    @property
    def side(self) -> str:
        return self.wish.side

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        return self.quote_filled / self.filled if self.filled else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Waits for a price: at or under `price` when `falling`, else at or over it.

    With `trail` (a share, 0.01 is 1 %) the price follows the best one seen since `activation` was
    passed, at that distance; `best` is None before.
    """

    price: Decimal
    falling: bool
    trail: Decimal = ZERO
    activation: Decimal = ZERO
    best: Decimal | None = None

    def reached(self, price: Decimal) -> bool:
        if self.trail and self.best is None:
            return False
        return price <= self.price if self.falling else price >= self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """`realized` is the profit of what it closed, before fees, in quote units."""

    id: int
    order_id: int
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time: int
    position_side: str = "BOTH"
    realized: Decimal = ZERO

    @property
    def quote(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderList:
    """One-cancels-the-other: the first of `order_ids` to trade or to be cancelled ends the rest."""

    id: int
    client_id: str
    symbol: str
    order_ids: tuple[int, ...]
    status: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Algo:
    """A conditional order of the perpetuals; `order_id` is the order it became, 0 before.

    Status: NEW -> TRIGGERED -> FINISHED, or CANCELED, EXPIRED, REJECTED; then `failure` is a `Why`.
    """

    id: int
    client_id: str
    wish: Wish
    trigger: Trigger
    status: str
    created: int
    updated: int
    triggered: int = 0
    order_id: int = 0
    failure: str = ""

    @property
    def is_open(self) -> bool:
        return self.status == "NEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """`amount` is negative when short; `side` is BOTH, or LONG and SHORT in hedge mode."""

    symbol: str
    side: str
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO
    updated: int = 0

    def profit(self, mark: Decimal) -> Decimal:
        return (mark - self.entry) * self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that came or went other than by an order's lock: deposit, funding, fee, ..."""

    id: int
    kind: str
    asset: str
    amount: Decimal
    time: int
    symbol: str = ""
    trade_id: int = 0


# --- what listeners are told ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTold:
    """`kind`: NEW, TRADE, CANCELED, EXPIRED, CALCULATED.  `cancel_id` names the cancel request."""

    order: Order
    kind: str
    time: int
    trade: Trade | None = None
    cancel_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTold:
    """`reason`: ORDER, FUNDING_FEE, DEPOSIT, WITHDRAW, ADMIN_..., ..."""

    reason: str
    time: int
    assets: tuple[str, ...]
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyMoved:
    movement: Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTold:
    orders: OrderList


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoTold:
    algo: Algo
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageTold:
    symbol: str
    leverage: int
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMoved:
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A public trade; `buyer_maker` when the aggressor sold."""

    symbol: str
    price: Decimal
    quantity: Decimal
    time: int
    buyer_maker: bool


Told = (
    OrderTold
    | AccountTold
    | MoneyMoved
    | ListTold
    | AlgoTold
    | LeverageTold
    | MarketMoved
    | Printed
)
