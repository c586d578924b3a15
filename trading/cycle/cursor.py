"""How far in its market's time a trader has come; it goes on there after a restart."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.trader import TraderContext
from trading.events import CycleEnded
from trading.execution.set_aside import Aside
from trading.ports import Change, WritePriority
from trading.types import ZERO, EquityPoint


class Cursor:
    _began = 0.0
    """When the bar that is handled was begun (monotonic)."""

    def __init__(
        self, *, context: TraderContext, valuer: Valuer, aside: Aside, recorder: Recorder
    ) -> None:
        self._context = context
        self._valuer = valuer
        self._aside = aside
        self._recorder = recorder

    def begin(self) -> None:
        """A bar is being handled from now on."""
        self._began = self._context.clock.monotonic()

    @property
    def at(self) -> datetime:
        """Close time of the last bar handled."""
        return self._valuer.ledger.account.cursor or self._valuer.feed.first_cursor

    def go_on(self) -> datetime | None:
        """Take up the feed at the saved cursor; return that, None at the very beginning."""
        saved = self._valuer.ledger.account.cursor
        self._valuer.feed.resume(self.at)
        self._valuer.feed.handled(self.at)
        if saved is None:
            self._valuer.ledger.change_account(cursor=self.at)
        return saved

    async def save(self, bar: datetime, decisions: int) -> None:
        """Keep that *bar* was handled, with what the account is worth at its close."""
        account = self._valuer.ledger.change_account(cursor=bar)
        self._valuer.note(self._context.clock.now())
        equity, at_work = self._valuer.at_work(bar)
        seconds = self._context.clock.monotonic() - self._began
        exposure = sum(at_work.values(), ZERO)
        points = () if equity is None else (self._equity_point(bar, equity, exposure),)
        ended = CycleEnded(
            bars=1, decisions=decisions, seconds=seconds, equity=equity, **self._context.about()
        )
        change = Change(accounts=(account,), equity=points, notes=self._aside.marks())
        await self._recorder.keep(change, WritePriority.REST, ended)

    def _equity_point(self, bar: datetime, equity: Decimal, exposure: Decimal) -> EquityPoint:
        return EquityPoint(
            trader=self._context.name,
            at=bar,
            equity=equity,
            wallet=self._valuer.ledger.account.wallet,
            exposure=exposure,
        )
