"""Comparing our books with the venue's, at start and now and then.

The venue is right about what happened; our books are right about whose it was.  Missed fills are
booked and told; a position that shrank without us is booked as EXTERNAL; an increase or a
stranger's order is reported and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading.clocks import Clock
from trading.events import BooksDiffered
from trading.execution.orders import Orders
from trading.recorder import Recorder
from trading.types import (
    ZERO,
    ExitReason,
    Fill,
    Mode,
    Order,
    OrderRole,
    OrderStatus,
    Report,
    Side,
    Symbol,
)
from trading.valuation import Valuer

SMALLEST_DIFFERENCE = Decimal("0.01")
"""Of two wallets, in quote currency; less is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    unknown: int
    """Orders that were in doubt and are resolved now."""
    missed_fills: int
    problems: tuple[str, ...]
    """What still differs; entries wait while there is any."""


@dataclass(frozen=True, slots=True)
class _Theirs:
    positions: Mapping[Symbol, Decimal]
    wallet: Decimal


class Reconciler:
    def __init__(
        self,
        *,
        trader: str,
        mode: Mode,
        orders: Orders,
        valuer: Valuer,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._trader = trader
        self._mode = mode
        self._orders = orders
        self._ledger = orders.ledger
        self._venue = orders.venue
        self._valuer = valuer
        self._recorder = recorder
        self._clock = clock

    async def run(self) -> Reconciled | None:
        """Compare everything once.  None: orders were under way, so it could not be compared.

        Raises `VenueError` if the venue cannot be asked.
        """
        in_doubt = [o for o in self._ledger.alive.values() if o.status is not OrderStatus.OPEN]
        fills_before = self._ledger.fills_booked
        for order in list(self._ledger.alive.values()):
            await self._orders.resolve(order)
        await self._adopt_strays()
        missed = self._ledger.fills_booked - fills_before
        theirs = await self._while_quiet()
        if theirs is None:
            return None
        problems = [*await self._compare_positions(theirs.positions), *self._wallet(theirs.wallet)]
        return Reconciled(
            unknown=sum(not self._is_unknown(o) for o in in_doubt),
            missed_fills=missed,
            problems=tuple(problems),
        )

    async def _while_quiet(self) -> _Theirs | None:
        """What the venue holds, if nothing of ours moved while it was asked."""
        before = self._ledger.fills_booked
        theirs = _Theirs(await self._venue.positions(), await self._venue.wallet())
        moved = self._ledger.fills_booked != before
        moving = any(o.status is not OrderStatus.OPEN for o in self._ledger.alive.values())
        return None if moved or moving else theirs

    def _is_unknown(self, order: Order) -> bool:
        return self._ledger.orders[order.id].status is OrderStatus.UNKNOWN

    async def _adopt_strays(self) -> None:
        """Orders with our tag that history lacks: a reduction that left before it was saved."""
        for report in await self._orders.open_at_venue():
            if report.order_id in self._ledger.orders or report.order is None:
                continue
            if self._orders.ids.is_ours(report.order_id):
                self._ledger.adopt(report.order)
            self._orders.hear(report)

    async def _compare_positions(self, theirs: Mapping[Symbol, Decimal]) -> list[str]:
        problems = []
        for symbol in sorted(self._ledger.positions.keys() | theirs.keys()):
            position = self._ledger.positions.get(symbol)
            ours = position.quantity if position else ZERO
            venue = theirs.get(symbol, ZERO)
            if ours != venue:
                problems.append(await self._settle_difference(symbol, ours, venue))
        return [p for p in problems if p]

    async def _settle_difference(self, symbol: Symbol, ours: Decimal, venue: Decimal) -> str:
        """Book what is gone as EXTERNAL; leave what is too much, and say so."""
        same_side = ours * venue >= ZERO
        kept = min(abs(ours), abs(venue)) if same_side else ZERO
        gone = abs(ours) - kept
        done = "left untouched; entries wait"
        if gone > ZERO:
            await self._book_external(symbol, ours, gone)
            done = f"{gone} booked as closed elsewhere"
        foreign = venue - (kept if ours > ZERO else -kept)
        await self._recorder.say(
            BooksDiffered(
                at=self._clock.now(), trader=self._trader, mode=self._mode, symbol=symbol,
                ours=ours, venue=venue, done=done,
            )
        )  # fmt: skip
        return f"{symbol.base}: {foreign} at the venue is not ours" if foreign != ZERO else ""

    async def _book_external(self, symbol: Symbol, ours: Decimal, gone: Decimal) -> None:
        quote = self._valuer.quote(symbol)
        price = quote.price if quote else self._ledger.positions[symbol].average_price
        side = Side.SELL if ours > ZERO else Side.BUY
        order = self._orders.prepare(
            symbol=symbol, side=side, role=OrderRole.EXIT,
            quantity=gone, reason=ExitReason.EXTERNAL.value,
        )  # fmt: skip
        self._orders.hear(_external_report(order, price, self._clock))
        await self._recorder.settle()

    def _wallet(self, theirs: Decimal) -> list[str]:
        ours = self._ledger.account.wallet
        if abs(ours - theirs) < SMALLEST_DIFFERENCE:
            return []
        return [f"the venue's wallet is {theirs:.2f}, ours {ours:.2f}"]


def _external_report(order: Order, price: Decimal, clock: Clock) -> Report:
    fill = Fill(
        id=f"external-{order.id}",
        order_id=order.id,
        trader=order.trader,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=price,
        fee=ZERO,
        at=clock.now(),
    )
    return Report(
        order_id=order.id, status=OrderStatus.FILLED, filled=order.quantity, fills=(fill,)
    )
