"""Tells once what is wrong with prices, and once that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trading.accounts.recorder import Recorder
from trading.context.trader import TraderContext
from trading.events import PricesCleared, PricesDoubted
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.ports import Feed

LOOK_EVERY = 5.0
HOLDS = 5.0
"""Seconds after which a doubt is told: two streams are never at the same moment."""
OVER = 60.0
"""Seconds without it after which it is over: what comes and goes is told as one."""


@dataclass(slots=True)
class _OpenDoubt:
    doubt: PriceDoubt
    since: float
    seen: float
    told: bool = False


class DoubtWatch:
    """Whether anything is entered meanwhile does not wait for it: that is asked of the feed."""

    def __init__(self, *, context: TraderContext, feed: Feed, recorder: Recorder) -> None:
        self._context = context
        self._feed = feed
        self._recorder = recorder
        self._clock = context.clock
        self.seen: tuple[PriceDoubt, ...] = ()
        """At the last look; what blocks entries first."""
        self._known: dict[tuple[DoubtKind, str], _OpenDoubt] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.beat(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        now = self._clock.monotonic()
        self.seen = tuple(sorted(self._feed.doubts(), key=lambda doubt: not doubt.blocks))
        for doubt in self.seen:
            known = self._known.setdefault((doubt.kind, doubt.source), _OpenDoubt(doubt, now, now))
            known.doubt, known.seen = doubt, now
            if not known.told and now - known.since >= HOLDS:
                known.told = True
                await self._recorder.say(PricesDoubted(doubt=doubt, **self._context.about()))
        for key, known in list(self._known.items()):
            if now - known.seen < (OVER if known.told else HOLDS):
                continue
            del self._known[key]
            if known.told:
                lasted = timedelta(seconds=known.seen - known.since)
                await self._recorder.say(
                    PricesCleared(doubt=known.doubt, lasted=lasted, **self._context.about())
                )
