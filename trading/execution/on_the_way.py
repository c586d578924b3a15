"""Orders between their making and their answer: who has them in hand, since when, for whom.

Nothing here waits.  What is on its way out the venue cannot be expected to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from trading.clocks import Clock
from trading.types import Order


class Carried:
    """A generator would take several times as long, and this is done for every order."""

    __slots__ = ("_on_the_way", "_orders", "_origin")

    def __init__(self, on_the_way: OnTheWay, orders: tuple[Order, ...], origin: str) -> None:
        self._on_the_way, self._orders, self._origin = on_the_way, orders, origin

    def __enter__(self) -> None:
        self._on_the_way.take_up(self._orders, self._origin)

    def __exit__(self, *_: object) -> None:
        self._on_the_way.put_down(self._orders, self._origin)


class OnTheWay:
    def __init__(self, *, clock: Clock, forgotten_after: float) -> None:
        """*forgotten_after*: seconds after which nobody is about to send what was made."""
        self._clock = clock
        self._forgotten_after = forgotten_after
        self._made: dict[str, float] = {}
        """Orders that have not left, and since when (monotonic)."""
        self._with_fills: set[str] = set()
        """Of those, protective ones that were made with a fill and are written with it."""
        self._carried: set[str] = set()
        """Being written down or sent."""
        self._lost_at: dict[str, float] = {}
        """Monotonic time at which we gave up waiting for an order's answer."""
        self._origins: dict[str, str] = {}
        """The chat that waits for the answer about an order: what happens meanwhile is told there
        by that answer, what happens later by an alert."""

    def make(self, order: Order) -> None:
        self._made[order.id] = self._clock.monotonic()

    def make_with_fill(self, orders: Iterable[Order]) -> None:
        """Of what is made: these are written with a fill, and may still be taken back."""
        self._with_fills.update(order.id for order in orders if order.is_alive)

    def unsent(self, legs: Iterable[Order]) -> tuple[Order, ...]:
        """Those of *legs* that were made with a fill, and have not left."""
        return tuple(leg for leg in legs if leg.id in self._with_fills)

    @property
    def any_unsent(self) -> bool:
        return bool(self._with_fills)

    def leave(self, orders: Iterable[Order]) -> None:
        """From here on they may have left, or never will."""
        for order in orders:
            self._made.pop(order.id, None)
            self._with_fills.discard(order.id)

    def carried(self, *orders: Order, origin: str = "") -> Carried:
        """While *orders* are written down and sent; *origin* is the chat that is answered."""
        return Carried(self, orders, origin)

    def take_up(self, orders: Iterable[Order], origin: str) -> None:
        """See `carried`."""
        for order in orders:
            self._carried.add(order.id)
            if origin:
                self._origins[order.id] = origin

    def put_down(self, orders: Iterable[Order], origin: str) -> None:
        """See `carried`."""
        self.leave(orders)
        for order in orders:
            self._carried.discard(order.id)
            if origin:
                self._origins.pop(order.id, None)

    @contextmanager
    def asked_by(self, order: Order, origin: str) -> Iterator[None]:
        """While the chat *origin*, if any, waits to hear of *order*."""
        if origin:
            self._origins[order.id] = origin
        try:
            yield
        finally:
            if origin:
                self._origins.pop(order.id, None)

    def origin_of(self, order: Order) -> str:
        return self._origins.get(order.id, "")

    def is_ours_to_send(self, order: Order) -> bool:
        """Whether somebody here is about to send it; not if he has broken off meanwhile.

        What was made with a fill is looked for again and again until it is sent or taken back.
        """
        if order.id in self._with_fills:
            return True
        began = self._made.get(order.id)
        if began is not None and self._clock.monotonic() - began >= self._forgotten_after:
            self.leave((order,))
        return order.id in self._made or order.id in self._carried

    # -- what got no answer ---------------------------------------------------------------

    def lose(self, order: Order) -> None:
        self._lost_at[order.id] = self._clock.monotonic()

    def found(self, order: Order) -> bool:
        """It has ended.  Return whether its answer was lost in this process."""
        self.leave((order,))
        return self._lost_at.pop(order.id, None) is not None

    def may_still_arrive(self, order: Order, window: float) -> bool:
        """Whether the venue may yet take it, *window* seconds after it was given up.

        Of what this process sent, by the clock that nobody sets; else by its date.
        """
        lost_at = self._lost_at.get(order.id)
        if lost_at is not None:
            return self._clock.monotonic() - lost_at < window
        return (self._clock.now() - order.created_at).total_seconds() < window
