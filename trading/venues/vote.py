"""A feed of several that vote (`trading.market.vote`): no single one moves what entries go by.

What is held is worth what the venue's own market says, and exits go by that alone: `own` is the
source whose market takes the orders.  Only while it is silent do the others' prices stand in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from trading.clocks import Clock
from trading.common.tasks import ended_within
from trading.errors import VenueUnavailable
from trading.market.ballots import Ballots
from trading.market.candles import Candles
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.market.vote import Voting, voted
from trading.market.vouched import Vouched
from trading.ports import Feed, FeedState, Offload, at_once
from trading.types import Quote, Symbol
from trading.venues.vote_source import VoteSource, all_answered, one_answered

log = logging.getLogger(__name__)

TIMEOUT = 15.0
"""Seconds that a source which answered last time is waited for; whoever did not, is not waited for
until it has: nobody's exits hang on the slowest."""
BEHIND = timedelta(minutes=1)
"""By so much a live price may be older than another source's of the same symbol and still count."""


@dataclass(frozen=True, slots=True)
class _CountedVotes:
    """The candles that were asked for last: a chart and a strategy ask for the same ones."""

    sources: tuple[Candles, ...]
    symbols: tuple[Symbol, ...]
    candles: Candles

    def is_of(self, sources: Sequence[Candles], symbols: Sequence[Symbol]) -> bool:
        """Whether nothing is new: sources keep what they have in arrays that are never changed."""
        return self.symbols == symbols and all(
            one.close.base is other.close.base and np.array_equal(one.times, other.times)
            for one, other in zip(self.sources, sources, strict=True)
        )


class VoteFeed:
    """Implements `trading.ports.Feed`.  What it cannot know is told per symbol, never for all."""

    def __init__(
        self,
        *,
        name: str,
        sources: Sequence[VoteSource],
        own: int,
        far: float,
        least: int,
        symbols: Sequence[Symbol],
        clock: Clock,
        within: float = TIMEOUT,
        offload: Offload = at_once,
    ) -> None:
        """*own*: number of the source whose market takes the orders; *far*: share of a price.

        *offload*: where votes on candles are counted.
        """
        self.name = name
        self._sources = tuple(sources)
        self.own: Feed = sources[own].feed
        self._own = own
        self._voting = Voting(weights=tuple(s.weight for s in sources), far=far, least=least)
        self._vouched = Vouched(count=len(self._sources), own=own)
        self._wanted = tuple(symbols)
        self._clock = clock
        self._within = within
        self._offload = offload
        self._bars = 1
        """As many as anybody has asked for."""
        self._shown: _CountedVotes | None = None

    # -- one market, which is the own one's ---------------------------------------------------

    @property
    def sources(self) -> Sequence[str]:
        return [source.name for source in self._sources]

    @property
    def speed(self) -> float | None:
        return self.own.speed

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._wanted

    @property
    def first_cursor(self) -> datetime:
        return self.own.first_cursor

    def now(self) -> datetime:
        return self.own.now()

    def resume(self, cursor: datetime) -> None:
        for source in self._sources:
            source.feed.resume(cursor)

    def handled(self, bar: datetime) -> None:
        for source in self._sources:
            source.feed.handled(bar)

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """Each shows what it has of them; one that cannot be asked is asked again next time."""
        recorded = () if self.speed is None else self._wanted
        self._wanted = tuple(dict.fromkeys((*recorded, *symbols)))
        following = (source.feed.follow(symbols) for source in self._sources)
        outcomes = await asyncio.gather(*following, return_exceptions=True)
        for source, outcome in zip(self._sources, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.warning("%s does not follow: %s", source.name, outcome)

    async def close(self) -> None:
        asking = [source.asking for source in self._sources if source.asking is not None]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        closing = (source.feed.close() for source in self._sources)
        await asyncio.gather(*closing, return_exceptions=True)

    def state(self) -> FeedState:
        states = [source.feed.state() for source in self._sources]
        if self.own.state() is FeedState.ENDED:
            return FeedState.ENDED
        return FeedState.LIVE if FeedState.LIVE in states else FeedState.STALE

    # -- bars ---------------------------------------------------------------------------------

    async def closes(self, after: datetime) -> Sequence[datetime]:
        """As those tell that answer; raises `VenueUnavailable` only when nobody does."""
        self._heard(self._wanted)
        for source in self._sources:
            source.ask(after)
        prompt = [source for source in self._sources if not source.trouble]
        await self._wait_for(prompt or self._sources)
        answers = self._answers()
        while not answers and any(source.is_asked for source in self._sources):
            await one_answered(self._sources)
            answers = self._answers()
        if not answers:
            told = "; ".join(f"{source.name}: {source.trouble}" for source in self._sources)
            raise VenueUnavailable(f"no source answers: {told}")
        closes = sorted({close for answer in answers.values() for close in answer if close > after})
        if self.speed is None:
            if closes:
                await self._count(closes[-1])
            return closes[-1:]
        begun = self._begun(answers)
        return [close for close in closes if close <= begun]

    async def _wait_for(self, sources: Sequence[VoteSource]) -> None:
        done = asyncio.ensure_future(all_answered(sources))
        try:
            await ended_within(self._clock, self._within, done)
        finally:
            done.cancel()

    def _answers(self) -> dict[str, Sequence[datetime]]:
        """Of those that are done; whoever is not is late, and is not waited for next time."""
        answers = {source.name: source.answer() for source in self._sources if source.is_asked}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def _begun(self, answers: Mapping[str, Sequence[datetime]]) -> datetime:
        """How far all recordings have run that have not ended: none is late for a bar it has."""
        running = [s for s in self._sources if s.feed.state() is not FeedState.ENDED]
        return min(
            (max((s.feed.now(), *answers.get(s.name, ()))) for s in running), default=self.now()
        )

    def candles(self, until: datetime, bars: int) -> Candles:
        """Those that are agreed upon; see `voted`."""
        self._bars = max(self._bars, bars)
        theirs = self._theirs(until)
        if self._shown is None or not self._shown.is_of(theirs, self._wanted):
            self._shown = _CountedVotes(
                theirs, self._wanted, voted(theirs, self._wanted, self._voting)
            )
        return self._shown.candles.last(bars)

    async def _count(self, until: datetime) -> None:
        """So that `candles` need not: hundreds of symbols take longer than the loop may stand."""
        theirs, wanted = self._theirs(until), self._wanted
        found = await self._offload(partial(voted, theirs, wanted, self._voting))
        self._shown = _CountedVotes(theirs, wanted, found)

    def _theirs(self, until: datetime) -> tuple[Candles, ...]:
        return tuple(source.feed.candles(until, self._bars) for source in self._sources)

    # -- prices -------------------------------------------------------------------------------

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The own market's, unless that is silent and others are not.

        They are compared with it at every look for doubts, and so before it counts as silent.
        """
        own, ballots = self.own.quote(symbol, at), self._ballots((symbol,), at)
        newest = max((quote.at for quote in ballots.quotes[0] if quote is not None), default=None)
        if own is not None and newest is not None and newest - own.at <= ballots.behind:
            return own
        return ballots.believed() or own

    def objection(self, symbol: Symbol) -> str:
        return self._heard((symbol,)).objection(self._own)

    def doubts(self) -> Sequence[PriceDoubt]:
        silent = [doubt for source in self._sources if (doubt := source.doubt()) is not None]
        failing = [
            doubt
            for source in self._sources
            for doubt in source.feed.doubts()
            if doubt.kind is DoubtKind.ENDPOINT
        ]
        found = self._heard(self._wanted).doubts()
        if not any(doubt.kind is DoubtKind.DIFFER for doubt in found):
            found += self._disputed()
        return [*silent, *found, *failing]

    def _disputed(self) -> list[PriceDoubt]:
        """The newest bar of whom is not agreed upon, although somebody has it."""
        counted = self._shown
        if counted is None or not counted.candles.bars:
            return []
        at = counted.candles.times[-1]
        told = {
            symbol
            for candles in counted.sources
            if candles.bars and candles.times[-1] == at
            for row, symbol in enumerate(candles.symbols)
            if np.isfinite(candles.close[row, -1])
        }
        lacking = np.flatnonzero(np.isnan(counted.candles.close[:, -1])).tolist()
        symbols = tuple(s for n in lacking if (s := counted.symbols[n]) in told)
        if not symbols:
            return []
        why = f"no candle of {symbols[0]} that {self._voting.least} sources agree on"
        return [PriceDoubt(kind=DoubtKind.DIFFER, symbols=symbols, why=why)]

    def _heard(self, symbols: tuple[Symbol, ...]) -> Ballots:
        """Those of now; how each stood in them is remembered for when it is alone."""
        ballots = self._ballots(symbols)
        self._vouched.hear(symbols, ballots.verdict)
        return ballots

    def _ballots(self, symbols: tuple[Symbol, ...], at: datetime | None = None) -> Ballots:
        """Of a recording every price is of a bar, and the newest one's counts."""
        return Ballots(
            names=tuple(self.sources),
            voting=self._voting,
            symbols=symbols,
            quotes=tuple(
                [source.feed.quote(symbol, at) for source in self._sources] for symbol in symbols
            ),
            behind=BEHIND if self.speed is None else timedelta(0),
            vouched=self._vouched.of(symbols),
        )
