"""What a desk relies on at a venue, done there step by step with the least that it takes.

Through the `Venue` port alone: what is proven is the way that a trader goes.  Whatever a step
meets, what was placed is cancelled and what was bought is sold, or it is told what stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import partial
from typing import Any, TypeVar

from trading.clocks import Clock
from trading.errors import TradingError, VenueError, VenueRejected, VenueUnavailable, VenueUncertain
from trading.execution.order_ids import OrderIds
from trading.ports import Venue
from trading.types import (
    ZERO,
    Depth,
    MarketRules,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Stops,
    Symbol,
    Targets,
    traded,
)

Answer = TypeVar("Answer")

FAR, NEAR = Decimal("0.1"), Decimal("0.0002")
"""Shares of the price: so far that it rests, so near that the market comes by."""
ROOM = Decimal("1.5")
"""Times the least worth, so that what is left after a fee and a fall can still be sold."""
GAP = Decimal("0.02")
"""Between a stop and its limit, where it has to have one."""
TRADER = "prove"
TRIES, PAUSE = 5, 2.0
"""How often, and after how many seconds, it is opened again to clean up."""
log = logging.getLogger(__name__)


class StepFailed(TradingError):
    """What happened instead, and to which order."""


@dataclass(slots=True)
class Proving:
    """One run on one symbol; `steps` says what was seen, `left` what stays after a failure."""

    connect: Callable[[], Awaitable[Venue]]
    """A venue of the same account, open, that remembers nothing."""
    symbol: Symbol
    ids: OrderIds
    clock: Clock
    tell: Callable[[str], None]
    slowest: float = 30.0
    """Seconds that the venue has to carry something out."""
    touching: float = 60.0
    """Seconds that the market has to touch a near stop, before it is put nearer again."""
    rounds: int = 5
    steps: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    _sent: dict[str, Order] = field(default_factory=dict)
    _about: Order | None = None
    _venue: Venue = field(init=False)
    _since: datetime = field(init=False)
    _before: Decimal = field(init=False)

    async def run(self) -> str:
        """Go through all steps.  Returns why it failed, a sentence; empty: all is proven."""
        self._since = self.clock.now()
        try:
            self._venue = await self.connect()
        except (TradingError, asyncio.CancelledError) as error:
            return f"It could not be opened: {_why(error)}. Nothing was sent."
        try:
            async for seen in self._all():
                self.steps.append(seen)
                self.tell(f"{len(self.steps)}. {seen}")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # whatever it was, nothing may stay there unsaid
            why = self._at(_why(error))
            await self._clean_up()
            stays = "; ".join(self.left)
            end = f"LEFT THERE: {stays}" if stays else "Nothing of it is left open there"
            return f"Step {len(self.steps) + 1} failed: {why}. {end}."
        finally:
            await self._venue.close()
        return ""

    def _at(self, why: str) -> str:
        """With the order that it was about, if it names none."""
        last = self._about
        return why if last is None or last.id in why else f"{_told(last)}: {why}"

    # -- the steps --------------------------------------------------------------------------

    async def _all(self) -> AsyncIterator[str]:
        self._before = await self._held()
        if self._before and not self._venue.cash:
            raise StepFailed(f"the account holds {self._before:f} of {self.symbol}: prove another")
        yield f"Opened: the account answers, and holds {self._before:f} {self.symbol.base}"
        async for seen in self._resting():
            yield seen
        yield await self._bought()
        yield await self._sold()
        if self._rules.stops is not Stops.DESK:
            async for seen in self._stops():
                yield seen
        yield await self._found_again()
        yield await self._flat()

    async def _resting(self) -> AsyncIterator[str]:
        depth = await self._depth()
        price = self._rules.price(depth.bid * (1 - FAR))
        order = self._order(
            OrderRole.ENTRY, type=OrderType.LIMIT, price=price, quantity=await self._least()
        )
        await self._rests(order)
        yield f"Placed, rests and is listed: {_told(order)}"
        await self._restart()
        await self._rests(order, sends=False)
        yield f"Restarted: found again by its id, {order.id}"
        await self._cancelled(order)
        yield f"Cancelled, and found cancelled: {order.id}"

    async def _bought(self) -> str:
        order = self._order(OrderRole.ENTRY, quantity=await self._least())
        report = await self._filled(order)
        return f"Bought and found filled: {_told(order)}, {_fills(report)}"

    async def _sold(self) -> str:
        order = self._order(OrderRole.EXIT, quantity=await self._sellable())
        report = await self._filled(order)
        return f"Closed and found filled: {_told(order)}, {_fills(report)}"

    async def _stops(self) -> AsyncIterator[str]:
        yield await self._bought()
        for kind in self._conditional():
            order = await self._waiting(kind, FAR)
            await self._rests(order)
            await self._restart()
            await self._rests(order, sends=False)
            await self._cancelled(order)
            yield f"A {kind.value} rests, is found after a restart, and cancelled: {_told(order)}"
        order, report = await self._touched()
        yield f"A stop was triggered and found filled: {_told(order)}, {_fills(report)}"

    def _conditional(self) -> list[OrderType]:
        target = self._venue.targets is not Targets.DESK
        return [OrderType.STOP, *([OrderType.TARGET] if target else [])]

    async def _touched(self) -> tuple[Order, OrderReport]:
        """A stop just below the market, again and again, until that comes by."""
        for _ in range(self.rounds):
            order = await self._waiting(OrderType.STOP, NEAR)
            try:
                await self._send(order)
            except VenueRejected:
                continue  # the market was quicker: it would have been triggered at once
            report = await self._until(order, _ended, self.touching)
            if report is None or report.status is OrderStatus.OPEN:
                report = await self._venue.cancel(order)
            if report.filled:
                report = await self._until(order, _is_full, self.slowest) or report
                return order, self._sound(order, report)
        raise StepFailed(f"the market touched no stop in {self.rounds} tries: try again later")

    async def _found_again(self) -> str:
        await self._restart()
        listed = {
            r.order_id: r
            for r in await self._look(partial(self._venue.ours_since, self.symbol, self._since))
        }
        for order in tuple(self._sent.values()):
            found = await self._find(order)
            if found is None or not _ended(found):
                raise StepFailed(f"{_told(order)} has ended, and is not found so")
            if found.filled and order.id not in listed:
                raise StepFailed(f"{_told(order)} was filled, and is not in the list of ours")
        return f"Restarted: all {len(self._sent)} orders are found as they ended"

    async def _flat(self) -> str:
        rests = {r.order_id for r in await self._look(self._venue.open_orders)} & self._sent.keys()
        if rests:
            raise StepFailed(f"{', '.join(sorted(rests))} should have ended, and is listed as open")
        apart = await self._held() - self._before
        if abs(apart) >= self._dust:
            raise StepFailed(f"{apart:+f} {self.symbol.base} is held that was not before")
        stays = f"; {apart:+f} {self.symbol.base} of fees and rounding stays" if apart else ""
        return f"Nothing of it is open{stays}"

    # -- what they are made of --------------------------------------------------------------

    @property
    def _rules(self) -> MarketRules:
        return traded(self._venue.rules(self.symbol))

    @property
    def _dust(self) -> Decimal:
        """On spot two purchases pay their fees in coins, and each sale rounds down to the lot."""
        return self._rules.lot * (4 if self._venue.cash else 1)

    async def _restart(self) -> None:
        await self._venue.close()
        self._venue = await self._look(self.connect)

    async def _look(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What changes nothing, again once the venue listens: a proof asks more than a desk."""
        end = self.clock.monotonic() + self.slowest
        while True:
            try:
                return await ask()
            except VenueUnavailable:
                until = self._venue.refuses_until
                if until is None or self.clock.monotonic() >= end:
                    raise
                rest = (until - self.clock.now()).total_seconds()
                await self.clock.sleep(max(rest, 0.0) + PAUSE / 4)

    async def _find(self, order: Order) -> OrderReport | None:
        return await self._look(partial(self._venue.find, order))

    async def _depth(self) -> Depth:
        depth = await self._look(partial(self._venue.depth, self.symbol))
        if depth is None or not depth.is_usable:
            raise StepFailed(f"the order book of {self.symbol} cannot be used")
        return depth

    async def _held(self) -> Decimal:
        held = (await self._look(self._venue.positions)).get(self.symbol)
        return ZERO if held is None else held.net

    def _order(self, role: OrderRole, **facts: Any) -> Order:
        given: dict[str, Any] = {
            "id": self.ids.new(role),
            "trader": TRADER,
            "symbol": self.symbol,
            "side": Side.BUY if role is OrderRole.ENTRY else Side.SELL,
            "type": OrderType.MARKET,
            "role": role,
            "quantity": ZERO,
            "reduce_only": role is not OrderRole.ENTRY and self._venue.reduce_only,
            "created_at": self.clock.now(),
        }
        return Order(**(given | facts))

    async def _least(self) -> Decimal:
        """The smallest quantity that can be bought, and sold again lower and after a fee."""
        rules, depth = self._rules, await self._depth()
        worth = rules.min_notional * ROOM / (depth.bid * (1 - FAR))
        least = max(rules.lot, rules.min_quantity, worth)
        lots = (least / rules.lot).to_integral_value(ROUND_CEILING)
        return (lots + (1 if self._venue.cash else 0)) * rules.lot

    async def _sellable(self) -> Decimal:
        """Of what was bought here; never of what the operator had."""
        ours = ZERO
        for order in tuple(self._sent.values()):
            report = await self._find(order)
            if report is not None:
                ours += sum((fill.signed_quantity for fill in report.fills), ZERO)
        held = await self._held() - (ZERO if self._venue.cash else self._before)
        return self._rules.quantity(max(min(ours, held), ZERO))

    async def _waiting(self, kind: OrderType, apart: Decimal) -> Order:
        depth, rules = await self._depth(), self._rules
        up = kind is OrderType.TARGET
        level = rules.price(depth.ask * (1 + apart) if up else depth.bid * (1 - apart))
        limited = not up and rules.stops is Stops.LIMIT
        return self._order(
            OrderRole.PROTECT,
            type=kind,
            stop_price=level,
            price=rules.price(level * (1 - GAP)) if limited else None,
            quantity=await self._sellable(),
        )

    async def _send(self, order: Order) -> None:
        self._about = self._sent[order.id] = order
        log.info("sends %s", _told(order))
        try:
            await self._venue.place(order, _allowed)
        except VenueUncertain:
            raise
        except VenueError as error:
            del self._sent[order.id]  # nothing happened
            raise type(error)(f"{_told(order)} was not taken: {error}") from error

    async def _rests(self, order: Order, *, sends: bool = True) -> None:
        if sends:
            await self._send(order)
        report = await self._until(order, _is_open, self.slowest)
        if report is None or not _is_open(report):
            raise StepFailed(f"{_told(order)} should rest, and is {_status(report)}")
        if order.id not in {each.order_id for each in await self._look(self._venue.open_orders)}:
            raise StepFailed(f"{_told(order)} rests, and is not listed among the open orders")

    async def _cancelled(self, order: Order) -> None:
        await self._venue.cancel(order)
        report = await self._until(order, _ended, self.slowest)
        if report is None or report.status is not OrderStatus.CANCELLED:
            raise StepFailed(f"{_told(order)} was cancelled, and is {_status(report)}")

    async def _filled(self, order: Order) -> OrderReport:
        await self._send(order)
        report = await self._until(order, _is_full, self.slowest)
        if report is None or report.status is not OrderStatus.FILLED:
            raise StepFailed(f"{_told(order)} should be filled, and is {_status(report)}")
        return self._sound(order, report)

    def _sound(self, order: Order, report: OrderReport) -> OrderReport:
        """Its fills are its own, and all of them."""
        filled = sum((fill.quantity + fill.coins for fill in report.fills), ZERO)
        if any(fill.order_id != order.id for fill in report.fills):
            raise StepFailed(f"fills of other orders are told as those of {_told(order)}")
        if filled != report.filled:
            raise StepFailed(f"{_told(order)} filled {report.filled:f}, its fills say {filled:f}")
        return report

    async def _until(
        self, order: Order, is_so: Callable[[OrderReport], bool], seconds: float
    ) -> OrderReport | None:
        """As it is found once it is so, or as it was found last."""
        self._about, end = order, self.clock.monotonic() + seconds
        while True:
            report = await self._find(order)
            if (report is not None and is_so(report)) or self.clock.monotonic() >= end:
                return report
            await self.clock.sleep(0.5)

    # -- afterwards -------------------------------------------------------------------------

    async def _clean_up(self) -> None:
        """With a venue of its own: the step may have failed on the way to one."""
        for _ in range(TRIES):
            try:
                await self._restart()
                break
            except TradingError as error:
                log.warning("cannot be opened to clean up: %s", error)
                await self.clock.sleep(PAUSE)
        for order in tuple(self._sent.values()):
            try:
                await self._ended_at_last(order)
            except TradingError as error:
                self.left.append(f"perhaps {_told(order)} ({error})")
        try:
            quantity = await self._sellable()
            if quantity:
                await self._filled(self._order(OrderRole.EXIT, quantity=quantity))
            apart = await self._held() - self._before
            if abs(apart) >= self._dust:
                self.left.append(f"{apart:+f} {self.symbol.base} more than before")
        except TradingError as error:
            held = f"what was bought of {self.symbol}, at most {self._bought_at_most():f}"
            self.left.append(f"perhaps {held} ({error})")

    async def _ended_at_last(self, order: Order) -> None:
        """Cancelled if it is alive; one that is not found may still arrive for a while."""
        found = await self._until(order, lambda _: True, self._venue.window)
        if found is None or _ended(found):
            return
        with suppress(VenueRejected):
            await self._venue.cancel(order)
        found = await self._until(order, _ended, self.slowest)
        if found is not None and not _ended(found):
            raise StepFailed(f"it is {_status(found)}")

    def _bought_at_most(self) -> Decimal:
        entries = (o for o in self._sent.values() if o.role is OrderRole.ENTRY)
        return sum((order.quantity for order in entries), ZERO)


def _why(error: BaseException) -> str:
    if isinstance(error, TradingError):
        return str(error).rstrip(".")
    if isinstance(error, asyncio.CancelledError):
        return "it was interrupted"
    log.error("a step broke", exc_info=error)
    return f"an unexpected error ({type(error).__name__}), which is in the log"


def _allowed() -> None:
    """No halt speaks here: the operator has said yes."""


def _is_open(report: OrderReport) -> bool:
    return report.status is OrderStatus.OPEN


def _ended(report: OrderReport) -> bool:
    return report.status.is_terminal


def _is_full(report: OrderReport) -> bool:
    """Ended, with the fills that say so."""
    filled = sum((fill.quantity + fill.coins for fill in report.fills), ZERO)
    return _ended(report) and filled == report.filled


def _status(report: OrderReport | None) -> str:
    return "not found" if report is None else f"{report.status.value}{_said(report)}"


def _said(report: OrderReport) -> str:
    return f" ({report.note})" if report.note else ""


def _told(order: Order) -> str:
    at = "market" if order.level is None else f"{order.level:f}"
    what = f"{order.side.value} {order.quantity:f} {order.symbol}"
    return f"{what} {order.type.value} at {at}, {order.id}"


def _fills(report: OrderReport) -> str:
    return f"{len(report.fills)} fill(s) at {report.average_price or ZERO:f}"
