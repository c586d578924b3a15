"""What a chat platform takes of us, and who goes first where it takes only so much.

Everything that costs a chat a message goes through here: answers, alerts, edits, pictures.  In
each chat, and in all, a part is kept for the answer to a stop and for critical alerts; looks get
no more than half.  So nobody who asks can silence what must be heard.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from chatbot.delivery.waiting import Throttled
from handlers.reply import Priority
from trading.clocks import Clock

REDRAW = Priority.LOOK - 10
"""What redraws itself, as `/watch` does: after everybody who asked."""
OWN_STOPS = 2
"""Answers to stops that one person has out of what is kept; further ones are as urgent alerts."""
MARGIN = 1.01
"""Our seconds are longer than the platform's: it counts when messages arrive there."""


class Crowded(Throttled):
    """Our own budget has no room yet; for what is more important there may be some."""


class Folded(Exception):
    """Nobody waits for this answer any more: it was asked anew, or too much was asked."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages in so many seconds, edits included."""

    most: int
    seconds: float
    halves_looks: bool = True
    """Looks get half at most; else all that is not kept, as where nobody shares it."""

    @property
    def kept(self) -> int:
        """For stops and critical alerts: 4 of 20."""
        return min(max(1, self.most // 5), self.most - 1)

    @property
    def looks(self) -> int:
        """For what was merely looked at: 10 of 20."""
        return max(1, self.most // 2) if self.halves_looks else self.most - self.kept

    def room(self, weight: int) -> int:
        """How many may have been sent in all, that one of *weight* is still sent."""
        if weight >= Priority.STOP:
            return self.most
        kept = self.kept // 2 if weight >= Priority.CRITICAL else self.kept
        return self.most - kept

    def room_of_looks(self, weight: int) -> int:
        """The same of looks alone."""
        return self.looks if weight >= Priority.LOOK else max(1, self.looks * 6 // 10)


@dataclass(slots=True)
class _Window:
    """What was sent lately, in one chat or in all."""

    rate: Rate
    sent: deque[tuple[float, int, str]] = field(default_factory=deque)
    """When (monotonic), with what weight, to whom."""
    held_until: float = 0.0

    def wait(self, weight: int, now: float) -> float:
        """Seconds until one of *weight* may be sent; 0: now."""
        span = self.rate.seconds * MARGIN
        while self.sent and now - self.sent[0][0] >= span:
            self.sent.popleft()
        waits = [self.held_until - now, self._over(self.rate.room(weight), Priority.STOP, now)]
        if weight <= Priority.LOOK:
            waits.append(self._over(self.rate.room_of_looks(weight), Priority.LOOK, now))
        return max(0.0, *waits)

    def _over(self, room: int, up_to: int, now: float) -> float:
        """Seconds until fewer than *room* of at most that weight lie within the span."""
        times = [at for at, weight, _ in self.sent if weight <= up_to]
        if len(times) < room:
            return 0.0
        return times[len(times) - room] + self.rate.seconds * MARGIN - now

    def stops_of(self, who: str) -> int:
        return sum(1 for _, weight, to in self.sent if weight >= Priority.STOP and to == who)


@dataclass(slots=True, eq=False)
class _Waiter:
    place: int
    priority: int
    who: str
    about: Hashable | None
    granted: asyncio.Future[None]

    @property
    def is_foldable(self) -> bool:
        return bool(self.who) and self.priority <= Priority.LOOK


class ChatBudget:
    """Says when something may be sent.

    *of_place*: what one chat takes.  *on_folded*: hears of a chat in which a look was dropped, the
    first time after `dropped` was asked.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        overall: Rate,
        of_place: Callable[[int], Rate],
        on_folded: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._overall = _Window(overall)
        self._of_place = of_place
        self._on_folded = on_folded
        self._windows: dict[int, _Window] = {}
        self._waiting: dict[int, list[_Waiter]] = {}
        """By chat; in each, what goes first stands first."""
        self._dropped: Counter[int] = Counter()
        self._pumping: asyncio.Task[None] | None = None
        self._wakes_at = 0.0

    async def turn(
        self, place: int, priority: int, *, who: str = "", about: Hashable | None = None
    ) -> None:
        """Wait until a message of *priority* may go to *place*; it counts as sent then.

        *about*: what waits under the same name, or would go to *who* for the same words, is
        outdated by this one.  Raises `Folded` if this one is.
        """
        waiter = _Waiter(place, priority, who, about, asyncio.get_running_loop().create_future())
        queue = self._waiting.setdefault(place, [])
        self._fold(queue, waiter)
        ahead = sum(1 for each in queue if each.priority >= priority)
        queue.insert(ahead, waiter)
        self._pump()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                self.give_back(place)
            raise
        finally:
            self._leave(waiter)

    def take(self, place: int, priority: int) -> None:
        """Count a message as sent at once.  Raises `Crowded` if there is no room, or a queue."""
        queue = self._waiting.get(place, ())
        now = self._clock.monotonic()
        wait = self._wait(place, priority, now)
        if not wait and any(each.priority >= priority for each in queue):
            wait = 1.0
        if wait:
            raise Crowded(wait)
        self._count(place, priority, "", now)

    def hold(self, place: int, seconds: float) -> None:
        """The platform takes nothing there for so long; what it refused did not count there.

        In all it does: nobody tells which limit was reached, and a refusal that let another chat
        go at once would be refused as well, and so on, until all are held, and with them a stop.
        """
        window = self._window(place)
        window.held_until = max(window.held_until, self._clock.monotonic() + seconds)
        self._uncount(window)

    def give_back(self, place: int) -> None:
        """The last one that counted was not sent after all."""
        self._uncount(self._window(place), self._overall)

    def _uncount(self, *windows: _Window) -> None:
        for window in windows:
            if window.sent:
                window.sent.pop()
        if self._waiting:
            self._pump()

    def waiting(self, place: int) -> int:
        """How many wait for their turn there."""
        return len(self._waiting.get(place, ()))

    def dropped(self, place: int) -> int:
        """How many looks were dropped there since this was last asked."""
        return self._dropped.pop(place, 0)

    def close(self) -> None:
        """Let nobody wait any longer."""
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None

    # -- inside ---------------------------------------------------------------------------

    def _fold(self, queue: list[_Waiter], new: _Waiter) -> None:
        """Drop what *new* outdates; and of too many looks, the oldest of whoever has most."""
        for old in [each for each in queue if new.about is not None and each.about == new.about]:
            self._drop(queue, old)
        looks = [each for each in queue if each.is_foldable]
        if not new.is_foldable or len(looks) < self._window(new.place).rate.looks:
            return
        shares = Counter(each.who for each in looks)
        shares[new.who] += 1
        (most, _), *_ = shares.most_common(1)
        self._drop(queue, next(each for each in looks if each.who == most))
        if not self._dropped[new.place]:
            self._on_folded(new.place)
        self._dropped[new.place] += 1

    def _drop(self, queue: list[_Waiter], waiter: _Waiter) -> None:
        queue.remove(waiter)
        if not waiter.granted.done():
            waiter.granted.set_exception(Folded())

    def _leave(self, waiter: _Waiter) -> None:
        queue = self._waiting.get(waiter.place, [])
        with suppress(ValueError):
            queue.remove(waiter)
        if not queue:
            self._waiting.pop(waiter.place, None)

    def _pump(self) -> None:
        """Grant what there is room for, the most important first; wake up for the next."""
        now = self._clock.monotonic()
        while True:
            ready = [w for w in self._fronts() if not self._wait(w.place, self._weight(w), now)]
            if not ready:
                break
            first = max(ready, key=lambda waiter: waiter.priority)
            self._waiting[first.place].remove(first)
            self._count(first.place, self._weight(first), first.who, now)
            first.granted.set_result(None)
        waits = [self._wait(w.place, self._weight(w), now) for w in self._fronts()]
        if waits:
            self._wake_in(min(waits), now)

    def _fronts(self) -> Iterator[_Waiter]:
        """Of each chat and each weight, who is next."""
        for queue in self._waiting.values():
            seen: set[int] = set()
            for waiter in queue:
                weight = self._weight(waiter)
                if weight not in seen and not waiter.granted.done():
                    seen.add(weight)
                    yield waiter

    def _wake_in(self, seconds: float, now: float) -> None:
        if self._pumping is not None and not self._pumping.done():
            if self._wakes_at <= now + seconds:
                return
            self._pumping.cancel()
        self._wakes_at = now + seconds
        self._pumping = asyncio.get_running_loop().create_task(
            self._pump_after(seconds), name="budget"
        )

    async def _pump_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._pumping = None
        self._pump()

    def _weight(self, waiter: _Waiter) -> int:
        """By which share it goes: whoever stops again and again leaves some to the others."""
        if waiter.priority < Priority.STOP or not waiter.who:
            return waiter.priority
        many = self._window(waiter.place).stops_of(waiter.who) >= OWN_STOPS
        return Priority.URGENT if many else waiter.priority

    def _wait(self, place: int, weight: int, now: float) -> float:
        return max(self._window(place).wait(weight, now), self._overall.wait(weight, now))

    def _count(self, place: int, weight: int, who: str, now: float) -> None:
        for window in (self._window(place), self._overall):
            window.sent.append((now, weight, who))

    def _window(self, place: int) -> _Window:
        if place not in self._windows:
            self._windows[place] = _Window(self._of_place(place))
        return self._windows[place]
