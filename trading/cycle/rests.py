"""What holds every entry back by itself: a rest after losses, an hour or a day that is full."""

from __future__ import annotations

from datetime import datetime

from trading.accounts.recorder import Recorder
from trading.common import words
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.cycle.deciding import Decider
from trading.events import CooldownBegan
from trading.risk import pace


class Rests:
    _until: datetime | None = None

    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        decider: Decider,
        recorder: Recorder,
    ) -> None:
        self._context = context
        self._settings = settings
        self._decider = decider
        self._recorder = recorder

    def go_on(self, cursor: datetime) -> None:
        """A rest that goes on after a restart was told when it began."""
        self._until = self._rest_at(cursor)

    def why(self, market: datetime) -> str:
        """What holds every entry back by itself at *market* time, as a clause; empty: nothing.

        A rest after losses, or an hour or a day that has taken all the entries it may.
        """
        until = self._until
        if until is not None and market < until:
            return f"rests until {words.until(until, market)} after losses in a row"
        limits = self._settings.now.limits
        if limits.entries_per_hour is None and limits.entries_per_day is None:
            return ""
        return pace.full(self._decider.book(market), limits, market)

    async def tell(self, bar: datetime) -> None:
        """Say once that a rest has begun at *bar*."""
        until = self._rest_at(bar)
        if until is not None and until != self._until:
            why = f"{self._decider.losses(bar).losses} losses in a row"
            await self._recorder.say(CooldownBegan(why=why, until=until, **self._context.about()))
        self._until = until

    def _rest_at(self, bar: datetime) -> datetime | None:
        return self._decider.losses(bar).until(self._settings.now.limits)
