"""What covers each position at its venue, since when nothing does, and what people were told.

Kept by those who place and take stops away, read by whoever answers a person: no answer claims a
stop that does not rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.context.trader import TraderContext
from trading.events import Protected, StopStays, Unprotected
from trading.execution.orders import Orders
from trading.model.cover import Cover
from trading.types import (
    ZERO,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Symbol,
)


@dataclass(slots=True)
class _State:
    since: datetime | None = None
    why: str = ""
    told: type[Unprotected | StopStays] | None = None
    """The last thing that people have heard, unless it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covers:
    context: TraderContext
    orders: Orders
    recorder: Recorder
    _states: dict[Symbol, _State] = field(default_factory=dict)

    def stops(self, symbol: Symbol) -> Sequence[Order]:
        """Those that rest, confirmed by the venue."""
        return _confirmed(self._sent(symbol))

    def of(self, symbol: Symbol) -> Cover:
        sent, state = self._sent(symbol), self._states.get(symbol, _State())
        stops = _confirmed(sent)
        quantity = _sum(stops)
        is_whole = self._is_enough(symbol, quantity)
        return Cover(
            quantity=quantity,
            price=stops[0].stop_price if stops else None,
            in_doubt=len(sent) > len(stops),
            bare_since=None if is_whole else state.since or self._opened_at(symbol),
            why=state.why,
        )

    def noted(self, symbol: Symbol) -> tuple[datetime | None, str]:
        """Since when not all of it has a stop, and why, as far as that was noted."""
        state = self._states.get(symbol)
        return (None, "") if state is None else (state.since, state.why)

    def look(self, symbol: Symbol) -> None:
        """Note the moment from which not all of it has a stop, or that all has again."""
        if symbol not in self.orders.ledger.positions:
            self._states.pop(symbol, None)
        elif self._is_whole(symbol):
            self._states.setdefault(symbol, _State()).since = None
        else:
            state = self._states.setdefault(symbol, _State())
            state.since = state.since or self.context.clock.now()

    def owes_word(self, symbol: Symbol) -> bool:
        """Whether something else is noted, or was told, than that all is as it should be."""
        state = self._states.get(symbol)
        if state is None:
            return False
        return state.told is not None or bool(state.why) or state.since is not None

    async def tell_bare(self, symbol: Symbol, why: str) -> None:
        """Say once that no stop rests for (all of) a position, since when, and why."""
        position = self.orders.ledger.positions.get(symbol)
        self.look(symbol)
        if position is None or not self._is_news(symbol, Unprotected, why):
            return
        told = Unprotected(
            quantity=abs(position.quantity),
            reason=why,
            covered=self.of(symbol).quantity,
            since=self._states[symbol].since,
            **self.context.about_symbol(symbol),
        )
        await self.recorder.say(told)

    async def tell_stays(self, symbol: Symbol, wanted: Decimal, why: str) -> None:
        """Say once that an older stop rests, for the one that is wanted could not replace it."""
        stops = self.stops(symbol)
        self.look(symbol)
        if not stops or not self._is_news(symbol, StopStays, why):
            return
        cover = self.of(symbol)
        told = StopStays(
            quantity=cover.quantity,
            price=stops[0].stop_price or ZERO,
            wanted=wanted,
            reason=why,
            **self.context.about_symbol(symbol),
        )
        await self.recorder.say(told)

    async def tell_protected(self, symbol: Symbol, stop: Decimal) -> None:
        """All is as it should be: say so if people have heard otherwise."""
        self.look(symbol)
        state = self._states[symbol]
        told, state.told, state.why = state.told, None, ""
        if told is None:
            return
        quantity = abs(self.orders.ledger.positions[symbol].quantity)
        await self.recorder.say(
            Protected(quantity=quantity, stop=stop, **self.context.about_symbol(symbol))
        )

    def _is_news(self, symbol: Symbol, kind: type[Unprotected | StopStays], why: str) -> bool:
        state = self._states.setdefault(symbol, _State())
        state.why, before = why, state.told
        state.told = kind
        return before is not kind

    def _sent(self, symbol: Symbol) -> list[Order]:
        legs = self.orders.ledger.alive_of(OrderRole.PROTECT, symbol)
        return [order for order in legs if order.type is OrderType.STOP]

    def _is_whole(self, symbol: Symbol) -> bool:
        """Whether stops rest for all that is open, in whole lots."""
        return self._is_enough(symbol, _sum(self.stops(symbol)))

    def _is_enough(self, symbol: Symbol, quantity: Decimal) -> bool:
        position = self.orders.ledger.positions.get(symbol)
        if position is None:
            return True
        lot = self.orders.venue.rules(symbol).shown.lot
        return abs(position.quantity) - quantity < lot

    def _opened_at(self, symbol: Symbol) -> datetime | None:
        position = self.orders.ledger.positions.get(symbol)
        return None if position is None else position.opened_at


def _confirmed(stops: Sequence[Order]) -> list[Order]:
    return [stop for stop in stops if stop.status is OrderStatus.OPEN]


def _sum(stops: Sequence[Order]) -> Decimal:
    return sum((stop.remaining for stop in stops), ZERO)
