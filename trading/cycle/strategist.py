"""The strategy in use: what it wishes at a bar, what it gives up, and another one in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trading import strategies
from trading.accounts.valuation import Valuer
from trading.context.settings import SettingsInForce
from trading.errors import Refused
from trading.execution.orders import Orders
from trading.market.candles import Candles
from trading.ports import Offload
from trading.risk.pace import entered_in
from trading.strategies.base import (
    Seen,
    Signals,
    Strategy,
    foresees,
    last_signals,
    leaving,
    size_of,
)
from trading.types import ONE, Side, Signal, Symbol

if TYPE_CHECKING:  # it brings TA-Lib, which a trader with another strategy does without
    from trading.strategies.rules.regime import RegimeReading


@dataclass(frozen=True, slots=True)
class _Thought:
    """What the strategy said last."""

    bar: datetime
    seen: Seen


@dataclass(frozen=True, slots=True)
class ChosenStrategy:
    """A strategy that was tried on the candles here, and the parameters it has."""

    strategy: Strategy
    parameters: Mapping[str, object]


class Strategist:
    triggers = 0
    """What the strategy saw happen at the last bar, once for each symbol."""
    _thought: _Thought | None = None
    _since: datetime | None = None
    """The bar after which it was chosen."""

    def __init__(
        self,
        *,
        settings: SettingsInForce,
        strategy: Strategy,
        orders: Orders,
        valuer: Valuer,
        offload: Offload,
    ) -> None:
        self.strategy = strategy
        self._own = ChosenStrategy(strategy, settings.now.parameters)
        self._settings = settings
        self._orders = orders
        self._valuer = valuer
        self._offload = offload

    def prepare(self, bar: datetime) -> None:
        """Load and compute what `signals` needs, once; slow, for a thread."""
        candles = self._valuer.feed.candles(bar, self.strategy.warmup + 1)
        if candles.bars:
            last_signals(self.strategy, candles)

    async def signals(self, bar: datetime) -> list[Signal]:
        """The strategy's wishes at *bar*, most confident first."""
        self.triggers = 0
        strategy = self.strategy
        if foresees(strategy):  # in a backtest: nobody asks what triggered
            seen = strategy.seen(bar)
            self._thought = None if seen.signals.exits is None else _Thought(bar, seen)
            return strategy.wishes(seen, bar, self._valuer.quote)
        candles = self._valuer.feed.candles(bar, strategy.warmup + 1)
        if candles.bars == 0:
            return []
        found = await self._offload(partial(last_signals, strategy, candles))
        seen = Seen(candles=candles, signals=found, column=0)
        wishes = sorted(self._wishes(seen, bar), key=lambda s: (-s.confidence, s.symbol))
        self._thought = _Thought(bar, seen)
        self.triggers = seen.signals.triggers(seen.column)
        return wishes

    def _wishes(self, seen: Seen, bar: datetime) -> Iterator[Signal]:
        found, last = seen.signals, seen.column
        for row in np.flatnonzero(found.score[:, last]).tolist():
            symbol = seen.candles.symbols[row]
            quote = self._valuer.quote(symbol, bar)
            if quote is None:
                continue
            rules = self._orders.venue.rules(symbol).shown
            score, target = found.score.item(row, last), found.target.item(row, last)
            yield Signal(
                symbol=symbol,
                side=Side.BUY if score > 0 else Side.SELL,
                bar=bar,
                price=quote.price,
                stop=rules.price(found.stop.item(row, last)),
                target=None if math.isnan(target) else rules.price(target),
                confidence=round(abs(score)),
                reason=self._why(seen.candles, found, row),
                size=ONE if found.size is None else size_of(found.size.item(row, last)),
                hold=None if found.hold is None else timedelta(hours=found.hold.item(row, last)),
            )

    def leaving(self, bar: datetime) -> dict[Symbol, str]:
        """Open positions that the strategy has lost its confidence in at *bar*, and why.

        As `signals` of that bar saw it, which is forgotten then: it is large.  A position without a
        confidence of its own (by hand) stays.
        """
        thought, self._thought = self._thought, None
        if thought is None or thought.bar != bar:
            return {}
        seen = thought.seen
        found, last = seen.signals, seen.column
        if found.exits is None:
            return {}
        reasons = {
            symbol: leaving(found, row, last, sign=position.side.sign, confidence=plan.confidence)
            for symbol, position in self._orders.ledger.positions.items()
            for plan in [self._orders.ledger.plans.get(symbol)]
            for row in [seen.candles.row(symbol)]
            if plan is not None and plan.confidence and row is not None
            if self._since is None or entered_in(position) > self._since
        }
        return {symbol: why for symbol, why in reasons.items() if why}

    def _why(self, candles: Candles, found: Signals, row: int) -> str:
        if found.why:
            return found.why(row, 0)
        return self.strategy.explain(candles, row, candles.bars - 1)

    # -- which one it is --------------------------------------------------------------------

    async def tried(self, name: str, at: datetime) -> ChosenStrategy:
        """The strategy *name*, once it has looked at the candles up to *at*.

        Raises `Refused` where there is none of that name, or it cannot do with the candles here.
        """
        try:
            choice = self._named(name)
            feed, warmup = self._valuer.feed, choice.strategy.warmup
            candles = feed.candles(at, warmup + 1)
            if feed.speed is None and candles.bars <= warmup:
                here = "here is 1" if candles.bars == 1 else f"here are {candles.bars}"
                raise ValueError(f"it needs {warmup + 1} candles, {here}")
            await self._offload(partial(choice.strategy.signals, candles))
        except ValueError as error:
            raise Refused(f"{self._settings.now.name} cannot run {name}: {error}") from error
        return choice

    def use(self, choice: ChosenStrategy, *, since: datetime) -> None:
        """Go by another strategy after the bar *since*.

        It counts confidence in its own way: what is open by then, it does not leave for a lack.
        """
        self.strategy, self._since, self._thought = choice.strategy, since, None
        self._settings.now = replace(self._settings.now, parameters=choice.parameters)

    def _named(self, name: str) -> ChosenStrategy:
        """Its own as it was set up, or another one as it is without settings.

        Raises `ValueError`, a sentence for the operator.
        """
        if name == self._own.strategy.name:
            return self._own
        return ChosenStrategy(strategies.strategy(name, {}), {})

    async def regime(self, at: datetime) -> RegimeReading:
        """What kind of market it is at *at*, as the strategy reads it.

        Raises `Refused` where the strategy reads none.
        """
        from trading.strategies.rules import Rules

        trader = self._settings.now.name
        if not isinstance(self.strategy, Rules):
            raise Refused(f"{trader} runs {self.strategy.name}, which reads no regime")
        candles = self._valuer.feed.candles(at, self.strategy.warmup + 1)
        if not candles.bars:
            raise Refused(f"{trader} has no candles yet")
        readings = await self._offload(partial(self.strategy.regimes, candles))
        return readings.at(-1)
