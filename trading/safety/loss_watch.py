"""What losses bring about: halts by guard, warnings on the way there, and the reports of a day."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.errors import Refused, StoreError
from trading.events import DrawdownReached, LimitNear, PeriodEnded
from trading.model.halt import EVERYONE, Halt, Verb
from trading.ports import Change, Store, WritePriority
from trading.risk.drawdown import day_of
from trading.safety.desk_limits import DESK_DAY, DeskRisk
from trading.safety.guards import Guards, PeriodOver
from trading.safety.halting import Halter
from trading.stats.curve import Curve, curve
from trading.stats.daybook import EquityReading

_POINTS = 300
"""Of a report's picture."""
_HISTORY = 1.0
"""Seconds that a report waits for them: bars and exits come after it."""


class LossWatch:
    """One trader's guards at work, and its part in the desk's."""

    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        guards: Guards,
        desk_risk: DeskRisk,
        valuer: Valuer,
        halter: Halter,
        recorder: Recorder,
        store: Store,
    ) -> None:
        self._settings = settings
        self.guards = guards
        self._desk_risk = desk_risk
        self._valuer = valuer
        self._halter = halter
        self._recorder = recorder
        self._store = store
        self._context = context

    async def observe(self, bar: datetime) -> None:
        """Take a reading at *bar*; halt, warn and report as it demands."""
        equity = self._valuer.equity(bar)
        marked = self._valuer.oldest_mark(bar)
        stale = marked is not None and bar - marked > self._settings.now.limits.max_price_age
        if equity is not None and not stale:
            self._valuer.remember(bar)
        for breach in self.guards.observe(equity, bar, stale=stale):
            self._halt(self._context.name, breach.kind, str(breach))
        desk_breach = self._desk_risk.observe(bar)
        if desk_breach:
            self._halt(EVERYONE, DESK_DAY, desk_breach)
        await self._warn(equity, bar, stale=stale)
        ended, self.guards.ended = self.guards.ended, []
        for period in ended:
            await self._report(period, bar)

    def past(self, halt: Halt) -> str:
        """Why the guard that made *halt* would make it again at once; empty if it would not."""
        if halt.guard == DESK_DAY:
            return self._desk_risk.past()
        breach = self.guards.breached(halt.guard, self._valuer.equity()) if halt.guard else None
        return "" if breach is None else breach.past

    async def rebase(self, halt: Halt) -> None:
        """Measure the guard of *halt* afresh from the equity now.  Raises `Refused`."""
        equity = self._valuer.equity()
        if equity is None:
            raise Refused("Equity is unknown, so there is nothing to measure from")
        if halt.guard == DESK_DAY:
            self._desk_risk.restart()
        self.guards.rebase("day" if halt.guard == DESK_DAY else halt.guard, equity)
        account = self._valuer.ledger.account
        await self._recorder.keep(Change(accounts=(account,)), WritePriority.HALT)

    def _halt(self, scope: str, guard: str, why: str) -> None:
        """A guard halts once; while its halt stands, it has nothing to add."""
        covering = self._halter.latch.covering(self._context.name)
        if not any(h.guard == guard and h.scope == scope for h in covering):
            self._halter.engage(scope=scope, verb=Verb.STOP, by="guard", why=why, guard=guard)

    async def _warn(self, equity: Decimal | None, bar: datetime, *, stale: bool) -> None:
        quote = self._settings.now.quote
        for near in self.guards.near(equity, bar, stale=stale):
            start = self.guards.baseline(near.kind)
            lost, limit = near.share * start, near.limit * start
            await self._recorder.say(
                LimitNear(
                    kind=near.kind, lost=lost, limit=limit, quote=quote, **self._context.about()
                )
            )
        fall = self.guards.fall(equity, bar, stale=stale)
        if fall is not None and equity is not None:
            await self._recorder.say(
                DrawdownReached(
                    drawdown=fall,
                    equity=equity,
                    peak=self._valuer.ledger.account.peak,
                    limit=self._settings.now.limits.max_drawdown,
                    open_profit=equity - self._valuer.ledger.account.wallet,
                    quote=quote,
                    **self._context.about(),
                )
            )

    async def _report(self, period: PeriodOver, bar: datetime) -> None:
        zone, today = self._settings.now.zone, day_of(bar, self._settings.now.zone)
        closed = ((t, day_of(t.closed_at, zone)) for t in self._valuer.ledger.trades)
        await self._recorder.say(
            PeriodEnded(
                kind=period.kind,
                first=period.first,
                last=today - timedelta(days=1),
                profit=period.equity - period.start,
                start=period.start,
                equity=period.equity,
                quote=self._settings.now.quote,
                trades=tuple(trade for trade, day in closed if period.first <= day < today),
                curve=await self._curve(period, bar),
                **self._context.about(),
            )
        )

    async def _curve(self, period: PeriodOver, bar: datetime) -> Curve | None:
        zone = self._settings.now.zone
        try:
            async with asyncio.timeout(_HISTORY):
                book = await self._store.day_book(self._context.name, zone)
        except (StoreError, TimeoutError):
            return None
        last = day_of(bar, zone) - timedelta(days=1)
        now = EquityReading(bar, period.equity)
        return curve(book, first=period.first, last=last, most=_POINTS, latest=now)
