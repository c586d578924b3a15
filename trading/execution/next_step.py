"""The one next step on the way to what should rest for a position.

Nothing here waits, sends or tells: it looks at the books as they are now, and at what this round
has done already.  Who takes the step asks for the next one afterwards, so that nothing is done that
was decided before a wait.  A round takes away first, and then places: what has become wrong since
is another round's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.execution.closing import PositionCloser
from trading.execution.orders import Orders
from trading.execution.steps import (
    AskRoom,
    AskRules,
    AskTraded,
    Cancel,
    Forget,
    Leave,
    Place,
    PutBack,
    Round,
    SendStop,
    SendTarget,
    Step,
    TellBare,
    TellProtected,
    TellStays,
    VenueRefusal,
    WriteOff,
)
from trading.execution.wanted import Wanted
from trading.model.legs import Difference, Leg
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Stops,
    Symbol,
)

STUCK = 60.0
"""Seconds before something is tried again that could not replace a stop that rests."""
IN_DOUBT = "it was cancelled for a sale that has no answer; none may join that until it is known"
NO_ANSWER = "it was sent, and may rest or not; a second must not join it"
NO_STOPS = "this market takes no stop orders"
NO_PRICE = "it has no stop price"
TOO_SMALL = "it is smaller than one lot"


@dataclass(frozen=True, slots=True)
class _Stuck:
    wanted: list[Leg]
    until: float
    """Monotonic."""


class NextStep:
    """Of every symbol of one trader."""

    def __init__(
        self,
        *,
        orders: Orders,
        wanted: Wanted,
        closing: PositionCloser,
        valuer: Valuer,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._ledger = orders.ledger
        self._wanted = wanted
        self._closing = closing
        self._covers = closing.covers
        self._valuer = valuer
        self._clock = clock
        self._stuck: dict[Symbol, _Stuck] = {}
        """What could not replace an older stop that rests in its place."""

    def of(self, symbol: Symbol, done: Round) -> Step | None:
        """What is to be done now; None: this round is over."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if done.over:
            return None
        if position is None or plan is None:
            return self._clear_away(symbol, done)
        resting = self._wanted.resting(symbol)
        for order in resting:
            if order.triggered and order.price:
                return None  # its limit works now: see `trading.execution.stop_limits`
        if why := self._orders.line.untraded(symbol):
            return self._untraded(position, plan, why, done)
        return self._of_open(position, plan, resting, done)

    def _of_open(
        self, position: Position, plan: ExitPlan, resting: Sequence[Order], done: Round
    ) -> Step | None:
        found = self._wanted.compared(position, plan, resting)
        if not done.stops_done:
            step = self._stops(position, plan, found, self._orders.unsent(resting), done)
            if step is not None:
                return step
            done.stops_done = True
            if not done.keeps and self.is_sale_in_doubt(position.symbol):
                return TellBare(IN_DOUBT)
        return None if self._wanted.paired else self._targets(plan, position.symbol, found, done)

    # -- what rests, and how surely -------------------------------------------------------

    def rests(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """Whether stops (or targets) for all that is open, in whole lots, rest or are sent."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return False
        if kind is OrderType.TARGET and self._wanted.target(plan, symbol) is None:
            return False
        found = self._wanted.compared(position, plan, self._wanted.resting(symbol))
        return self._is_whole(position, found, kind)

    def confirmed(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """The venue has confirmed them for all that is open: when they fill is its business."""
        return self._all_open(symbol, kind) and self.rests(symbol, kind)

    def are_all_well(self, position: Position, plan: ExitPlan) -> bool:
        """Whether all that should rests, or was sent."""
        resting = self._wanted.resting(position.symbol)
        found = self._wanted.compared(position, plan, resting)
        sent = not self._orders.unsent(resting)
        return sent and not found and self._is_whole(position, found, OrderType.STOP)

    def _is_whole(self, position: Position, found: Difference, kind: OrderType) -> bool:
        venue, symbol = self._orders.venue, position.symbol
        is_leaving = venue.cash and self._ledger.alive_of(OrderRole.EXIT, symbol)
        return not is_leaving and not found.of(kind)

    def _all_open(self, symbol: Symbol, kind: OrderType) -> bool:
        resting = [order for order in self._wanted.resting(symbol) if order.type is kind]
        return bool(resting) and all(order.status is OrderStatus.OPEN for order in resting)

    # -- what holds up a replacement ------------------------------------------------------

    def stick(self, symbol: Symbol) -> None:
        """Do not try again for a while what was refused just now."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is not None and plan is not None:
            until = self._clock.monotonic() + STUCK
            self._stuck[symbol] = _Stuck(self._wanted.legs(position, plan), until)

    def unstick(self, symbol: Symbol) -> None:
        self._stuck.pop(symbol, None)

    def _is_stuck(self, position: Position, plan: ExitPlan) -> bool:
        """Whether the same was refused a short while ago, by the same rules."""
        stuck = self._stuck.get(position.symbol)
        if stuck is None or self._clock.monotonic() >= stuck.until:
            return False
        return stuck.wanted == self._wanted.legs(position, plan)

    # -- one concern after the other ------------------------------------------------------

    def _clear_away(self, symbol: Symbol, done: Round) -> Step:
        """Nothing is open: nothing may rest for it."""
        resting = self._wanted.resting(symbol)
        for kinds in (self._with_stops, {OrderType.TARGET}):
            wrong = next((o for o in resting if o.type in kinds - done.doubted), None)
            if wrong is not None:
                return Cancel(wrong)
        done.over = True
        return Forget()

    def _untraded(self, position: Position, plan: ExitPlan, why: str, done: Round) -> Step | None:
        """What rests there rests, and nothing can join it.

        Asked for again once in a while: what was not traded may be by now.
        """
        if not done.asked_traded and not self._is_stuck(position, plan):
            return AskTraded()
        done.over = True
        if plan.stop is None or not self._covers.stops(position.symbol):
            return TellBare(why)
        return None if self.confirmed(position.symbol) else TellStays(why)

    def _stops(
        self,
        position: Position,
        plan: ExitPlan,
        found: Difference,
        unsent: Sequence[Order],
        done: Round,
    ) -> Step | None:
        """The stop first, so that it is away no longer than its own move takes."""
        if done.told or done.keeps:
            return None
        bare = bool(unsent) or not self._is_whole(position, found, OrderType.STOP)
        if bare and not done.places and self._is_due(plan, position.symbol, found, unsent):
            return Leave()
        wrong = [order for order in found.wrong if order.type in self._with_stops]
        if wrong and not done.places and not self._with_stops & done.doubted:
            return self._take_away(position, plan, wrong, done)
        if self._closing.dust.is_left_over(position):
            return WriteOff()
        if not bare:
            return self._resting(position.symbol)
        return Place(unsent) if unsent else self._join(position, plan, found, done)

    def _resting(self, symbol: Symbol) -> Step | None:
        """All are there, or on their way: a second must not join one."""
        owes = self._covers.owes_word(symbol) or symbol in self._stuck
        return TellProtected() if owes and self._all_open(symbol, OrderType.STOP) else None

    def _join(
        self, position: Position, plan: ExitPlan, found: Difference, done: Round
    ) -> Step | None:
        """Nothing joins what is in doubt."""
        if plan.stop is None:
            return TellBare(NO_PRICE)
        if all(order.type not in self._with_stops for order in found.wrong):
            return self._missing(position, found, done)
        lost = any(order.status is OrderStatus.UNKNOWN for order in found.wrong)
        return TellBare(NO_ANSWER) if lost else None

    @property
    def _with_stops(self) -> frozenset[OrderType]:
        """What is taken away with a stop: of two in one list both."""
        return CONDITIONAL if self._wanted.paired else _STOPS

    def _is_due(
        self, plan: ExitPlan, symbol: Symbol, found: Difference, unsent: Sequence[Order]
    ) -> bool:
        """Whether the price is beyond a stop that does not rest, and none is in doubt."""
        quote = None if plan.stop is None else self._valuer.quote(symbol)
        if quote is None or plan.stop is None:
            return False
        crossed = (quote.price - plan.stop) * plan.side.sign <= ZERO
        return crossed and all(o.status is OrderStatus.OPEN or o in unsent for o in found.wrong)

    def _take_away(
        self, position: Position, plan: ExitPlan, wrong: list[Order], done: Round
    ) -> Step | None:
        """What should be another; unless what should replace it could not be sent now."""
        if plan.stop is not None and not done.asked_room and self._may_stay(position, wrong):
            if not self._is_stuck(position, plan):
                return AskRoom()
            done.keeps = True
            return None
        return Cancel(wrong[0])

    def _may_stay(self, position: Position, wrong: list[Order]) -> bool:
        """Whether they protect, as far as they go, and harm nobody: on a cash account a stop for
        more than is ours would sell the operator's own coins."""
        stops = [order for order in wrong if order.type is OrderType.STOP]
        sound = all(o.status is OrderStatus.OPEN and o.side is not position.side for o in stops)
        total = sum((order.remaining for order in stops), ZERO)
        fits = not self._orders.venue.cash or total <= self._wanted.to_protect(position)
        return bool(stops) and sound and fits

    def _missing(self, position: Position, found: Difference, done: Round) -> Step | None:
        symbol = position.symbol
        leg = next(iter(found.of(OrderType.STOP).missing), None)
        if leg is None:
            return None
        if not leg.quantity and self._ledger.closable(symbol) < abs(position.quantity):
            return None  # what stays of a sale under way is booked out after it, if it is dust
        refused = done.refused or self._why_not(symbol, leg)
        if refused is None:
            return SendStop(leg)
        gone = done.gone or self._closing.freed.get(symbol)
        if (refused.misfit or gone) and not done.asked_rules:
            return AskRules()
        return PutBack(refused.note) if gone else TellBare(refused.note)

    def _why_not(self, symbol: Symbol, leg: Leg) -> VenueRefusal | None:
        if not leg.quantity:
            return VenueRefusal(TOO_SMALL)
        if self._orders.venue.rules(symbol).shown.stops is Stops.DESK:
            return VenueRefusal(NO_STOPS)
        return None

    def is_sale_in_doubt(self, symbol: Symbol) -> bool:
        """Whether coins may be sold, or locked, by a sale that has no answer."""
        if not self._orders.venue.cash:
            return False
        exits = self._ledger.alive_of(OrderRole.EXIT, symbol)
        return any(order.status is OrderStatus.UNKNOWN for order in exits)

    def _targets(
        self, plan: ExitPlan, symbol: Symbol, found: Difference, done: Round
    ) -> Step | None:
        """Whatever becomes of the stop, no target rests for more than is open.

        What is reached already is not sent: the desk closes in its next look.
        """
        targets = found.of(OrderType.TARGET)
        if targets.wrong:
            fixed = done.adds or OrderType.TARGET in done.doubted
            return None if fixed else Cancel(targets.wrong[0])
        legs = (leg for leg in targets.missing if leg.price is not None and leg.quantity)
        leg = None if done.keeps or done.targets_done else next(legs, None)
        if leg is None or self._wanted.is_reached(plan, symbol):
            return None
        return SendTarget(leg)


_STOPS = frozenset({OrderType.STOP})
