"""What should rest for each position, how that differs from what does, and the orders for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal

from trading.accounts.valuation import Valuer
from trading.context.settings import SettingsInForce
from trading.execution.orders import Orders
from trading.model.legs import NONE, Difference, Leg, compare, legs
from trading.model.plan import stop_reason
from trading.types import (
    ZERO,
    ExitPlan,
    ExitReason,
    MarketRules,
    Order,
    OrderRole,
    Position,
    Stops,
    Symbol,
    Targets,
)

log = logging.getLogger(__name__)


class Wanted:
    def __init__(self, *, orders: Orders, valuer: Valuer, settings: SettingsInForce) -> None:
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._settings = settings
        self._refused_targets: dict[Symbol, Decimal] = {}
        """Targets that the venue would not take: the desk keeps those."""

    # -- what should rest -------------------------------------------------------------------

    def compared(self, position: Position, plan: ExitPlan, resting: Sequence[Order]) -> Difference:
        """What rests, against what should."""
        rules = self._orders.venue.rules(position.symbol).shown
        target = self.target(plan, position.symbol)
        wanted = self._legs(position, plan, target, rules)
        found = compare(resting, wanted, position.side.opposite, rules=rules)
        if found and target is not None and self.paired:
            if any(order.filled for order in resting):
                return NONE  # one is being filled, and has ended the other
            return Difference(tuple(resting), tuple(wanted))  # a pair comes and goes as a whole
        return found

    def legs(self, position: Position, plan: ExitPlan) -> list[Leg]:
        rules = self._orders.venue.rules(position.symbol).shown
        return self._legs(position, plan, self.target(plan, position.symbol), rules)

    def _legs(
        self, position: Position, plan: ExitPlan, target: Decimal | None, rules: MarketRules
    ) -> list[Leg]:
        return legs(
            self.to_protect(position),
            stop=None if plan.stop is None else rules.tightest(plan.stop, plan.side),
            target=None if target is None else rules.price(target),
            rules=rules,
        )

    def resting(self, symbol: Symbol) -> list[Order]:
        """Stops and targets that rest, or were sent."""
        return self._ledger.alive_of(OrderRole.PROTECT, symbol)

    @property
    def paired(self) -> bool:
        return self._orders.venue.targets is Targets.PAIRED

    def target(self, plan: ExitPlan, symbol: Symbol) -> Decimal | None:
        """Where the venue should keep the target; None: nowhere, the desk does."""
        if plan.target is None or self._orders.venue.targets is Targets.DESK:
            return None
        return None if self.refused_target(symbol) == plan.target else plan.target

    def refused_target(self, symbol: Symbol) -> Decimal | None:
        """What the venue would not take as one, so that the desk keeps it."""
        return self._refused_targets.get(symbol)

    def to_protect(self, position: Position) -> Decimal:
        """What its stops should close, unsigned.

        On a cash account less what is being sold: a stop for that would sell strangers' coins.
        """
        if self._orders.venue.cash:
            return self._ledger.closable(position.symbol)
        return abs(position.quantity)

    def is_reached(self, plan: ExitPlan, symbol: Symbol) -> bool:
        quote = None if plan.target is None else self._valuer.quote(symbol)
        if quote is None or plan.target is None:
            return False
        return (quote.price - plan.target) * plan.side.sign >= ZERO

    def forget(self, symbol: Symbol) -> None:
        self._refused_targets.pop(symbol, None)

    # -- the orders for it ------------------------------------------------------------------

    def stop(self, position: Position, plan: ExitPlan, leg: Leg) -> tuple[Order, ...]:
        """The stop of *leg*, and its target where both go in one list: reserved, not sent."""
        target = self._pairs_with(plan, position.symbol)
        return self.stop_at(position, plan, leg.price or plan.stop or ZERO, leg.quantity, target)

    def stop_at(
        self,
        position: Position,
        plan: ExitPlan,
        stop: Decimal,
        quantity: Decimal,
        target: Decimal | None = None,
    ) -> tuple[Order, ...]:
        """The same at the price *stop*, with the target at *target*, if at all."""
        rules = self._orders.venue.rules(position.symbol).shown
        order = self._orders.prepare(
            symbol=position.symbol,
            side=position.side.opposite,
            role=OrderRole.PROTECT,
            quantity=quantity,
            price=self._limit(position, stop, rules),
            stop_price=stop,
            reason=stop_reason(plan, rules).value,
        )
        if target is None:
            return (order,)
        return order, self._target_at(position, target, quantity)

    def _limit(self, position: Position, touched: Decimal, rules: MarketRules) -> Decimal | None:
        """Of what can rest as a limit only: the worst price it may fill at."""
        if rules.stops is not Stops.LIMIT:
            return None
        sign = position.side.sign
        return rules.tightest(
            touched * (1 - sign * self._settings.now.exit_rules.stop_limit_gap),
            position.side.opposite,
        )

    def _pairs_with(self, plan: ExitPlan, symbol: Symbol) -> Decimal | None:
        """The target that goes in one list with the stop; one that is reached the desk keeps."""
        if self.paired and plan.target is not None and self.is_reached(plan, symbol):
            self.keep_target(symbol, plan.target, "it is reached")
        return self.target(plan, symbol) if self.paired else None

    def keep_target(self, symbol: Symbol, price: Decimal, why: str) -> None:
        log.warning("the desk keeps the target %s of %s: %s", price, symbol.base, why)
        self._refused_targets[symbol] = price

    def a_target(self, position: Position, leg: Leg) -> Order:
        return self._target_at(position, leg.price or ZERO, leg.quantity)

    def _target_at(self, position: Position, price: Decimal, quantity: Decimal) -> Order:
        rules = self._orders.venue.rules(position.symbol).shown
        price = rules.price(price)
        return self._orders.prepare(
            symbol=position.symbol,
            side=position.side.opposite,
            role=OrderRole.PROTECT,
            quantity=quantity,
            price=self._limit(position, price, rules),
            target_price=price,
            reason=ExitReason.TARGET.value,
        )
