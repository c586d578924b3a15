"""Entries that rest: cancelled when too old, or when their stop or target is touched first.

A maker's rest goes at market if the price still fits and risk, asked again, still has room.

Each leg is an intent of its own, and the second is made only once the first is known to have ended:
an entry is never sent again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.common import words
from trading.common.frozen import replace
from trading.context.block import EntryBlock
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.cycle.deciding import Decider
from trading.errors import Halted, VenueError
from trading.events import EntryGivenUp
from trading.execution import order_book
from trading.execution.order_book import BookAnswer
from trading.execution.orders import Orders
from trading.market import matching
from trading.model.halt import Latch
from trading.risk.liquidity import UNUSABLE, slippage
from trading.risk.snapshot import Refusal
from trading.types import (
    ZERO,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    Untraded,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingEntries:
    """They are asked anew each time whether they may go on."""

    context: TraderContext
    orders: Orders
    valuer: Valuer
    recorder: Recorder
    settings: SettingsInForce
    block: EntryBlock
    latch: Latch
    decider: Decider

    async def look(self) -> None:
        """End those that are too old now; a recording's go with its bars, as in a backtest."""
        if self.valuer.feed.speed is None:
            await self.watch(self.valuer.feed.now())

    async def watch(self, at: datetime) -> None:
        """End those that are too old at market time *at*."""
        for order in self.orders.ledger.alive_of(OrderRole.ENTRY):
            if order.status is OrderStatus.OPEN and at >= self.settings.now.entries.ends(order):
                await self._end(order)

    async def pass_bar(self, bar: datetime) -> None:
        """End what is left of entries whose stop or target the bar that closes at *bar* touches.

        Before that bar fills anything: in it the stop came first, and what would be bought after
        it, below it, nobody wishes any more.  A limit entry that has filled nothing yet stays: its
        own price lies before its stop.
        """
        for order in self.orders.ledger.alive_of(OrderRole.ENTRY):
            begun = order.filled > ZERO or order.type is OrderType.MARKET
            if begun and order.status is OrderStatus.OPEN and self._is_over(order, bar):
                await self._give_up_rest(order)

    def _is_over(self, order: Order, at: datetime) -> bool:
        """Whether the bar reaches an end of its plan, and the order is from before that bar."""
        plan = self.orders.ledger.plans.get(order.symbol) if order.filled else order.plan
        rules, candles = self.orders.venue.rules(order.symbol), self.valuer.feed.candles(at, 1)
        row = candles.row(order.symbol)
        if plan is None or row is None or isinstance(rules, Untraded) or not candles.bars:
            return False
        bar = matching.bar_at(candles, row, 0, rules)
        if bar is None or bar.at != at or (order.market_at or order.created_at) >= at:
            return False
        worst, best = (bar.low, bar.high) if plan.side is Side.BUY else (bar.high, bar.low)
        stopped = plan.stop is not None and (worst - plan.stop) * plan.side.sign <= ZERO
        reached = plan.target is not None and (best - plan.target) * plan.side.sign >= ZERO
        return stopped or reached

    async def _give_up_rest(self, order: Order) -> None:
        try:
            ended = await self.orders.cancel(order)
        except VenueError as error:
            log.warning("the rest of entry %s may still fill: %s", order.id, error)
            return
        if ended.status is OrderStatus.CANCELLED:
            await self._give_up(ended, "its stop or target was touched first")

    async def refused(self, order: Order) -> None:
        """Take what *order* should have got, if it was refused for it would not have rested."""
        if order.post_only and order.status is OrderStatus.REJECTED:
            await self._take_rest(order)

    async def _end(self, order: Order) -> None:
        try:
            ended = await self.orders.cancel(order)
        except VenueError as error:
            log.warning("the entry %s is too old and may still fill: %s", order.id, error)
            return
        if order.post_only and ended.status is OrderStatus.CANCELLED:
            await self._take_rest(ended)

    async def _take_rest(self, order: Order) -> None:
        look = await order_book.look(self.orders.venue, order.symbol)
        # Nothing is awaited from here to the reservation: the symbol must still be free.
        try:
            quantity, permit = self._allowed(order, look), self.latch.permit(self.context.name)
        except Halted:
            quantity = Refusal(reason="entries are halted")
        if isinstance(quantity, Refusal):
            await self._give_up(order, quantity.reason)
            return
        rest = self.orders.prepare(
            symbol=order.symbol,
            side=order.side,
            role=OrderRole.ENTRY,
            quantity=quantity,
            reason=order.reason,
            by=order.by,
            plan=None if order.plan is None else replace(order.plan, size=quantity),
        )
        await self.orders.enter(rest, permit)

    def _allowed(self, order: Order, look: BookAnswer) -> Decimal | Refusal:
        """How much of what *order* did not get may be taken now."""
        quote = self.valuer.quote(order.symbol)
        if order.price is None or quote is None:
            return Refusal(reason="its price is unknown")
        why = self._changed(order) or self._too_far(order.price, order.side, quote, look)
        return Refusal(reason=why) if why else self.decider.rest_of(order, quote, look)

    def _changed(self, order: Order) -> str:
        ledger = self.orders.ledger
        if self.block.why:
            return self.block.why
        if ledger.alive_of(OrderRole.ENTRY, order.symbol):
            return "another entry is under way"
        if (order.symbol in ledger.positions) is not (order.filled > ZERO):
            return "the position has changed meanwhile"
        return self.valuer.feed.objection(order.symbol)

    def _too_far(self, price: Decimal, side: Side, quote: Quote, look: BookAnswer) -> str:
        """Whether the price has left the one at which it rested."""
        if isinstance(look, str):
            return look
        if look is not None and not look.is_usable:
            return UNUSABLE
        if look is None:
            lost = (quote.price - price) * side.sign / price
        else:
            lost = slippage(side, price, look)
        if lost <= self.settings.now.entries.max_slippage:
            return ""
        return f"the price has run {words.percent(lost)}"

    async def _give_up(self, order: Order, why: str) -> None:
        await self.recorder.say(
            EntryGivenUp(
                **self.context.about_symbol(order.symbol),
                filled=order.filled, ordered=order.quantity, why=why,
            )
        )  # fmt: skip
