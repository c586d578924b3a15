"""The trader's own brakes: day, week and drawdown, measured at every bar.

Baselines are persisted with the account.  A guard only tightens: it halts, and a person resumes,
or an owner measures afresh.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal

from trading.accounts.ledger import Ledger
from trading.context.settings import SettingsInForce
from trading.risk.drawdown import (
    READINGS,
    Guard,
    LossReading,
    day_of,
    drawdown,
    loss_share,
    week_of,
)
from trading.types import AccountState

KINDS = ("day", "week", "drawdown")
RECOVERED = Decimal("0.9")
"""Below this share of a threshold it is left behind; nearer, a wobble is no news."""
NEAR = Decimal("0.8")
"""Share of a limit at which people are told."""


@dataclass(frozen=True, slots=True)
class Breach:
    kind: str
    share: Decimal
    """Lost, positive."""
    limit: Decimal

    def __str__(self) -> str:
        return f"{self.kind} {_lost(self.share)}, limit {_lost(self.limit)}"

    @property
    def past(self) -> str:
        return f"{self.kind} {_lost(self.share)} is past {_lost(self.limit)}"


def _lost(share: Decimal) -> str:
    return f"-{share * 100:.2f}\N{NO-BREAK SPACE}%"


def new_account(trader: str, capital: Decimal, at: datetime, zone: tzinfo) -> AccountState:
    """An account on its first day."""
    return AccountState(
        trader=trader,
        capital=capital,
        wallet=capital,
        peak=capital,
        day=day_of(at, zone),
        day_start=capital,
        week=week_of(at, zone),
        week_start=capital,
    )


@dataclass(frozen=True, slots=True)
class PeriodOver:
    """A risk day or week that is over: when it began, and with what equity."""

    kind: str
    first: date
    start: Decimal
    equity: Decimal
    """At the first reading after it."""


class _Once:
    """Tells that a threshold is passed once, and again only after it was left behind."""

    def __init__(self, kind: str, threshold: Decimal) -> None:
        self._guard = Guard(kind=kind, limit=threshold)
        self._told = False

    def tells(self, reading: LossReading) -> bool:
        self._guard, past = self._guard.observe(reading)
        if reading.value is not None and reading.value < self._guard.limit * RECOVERED:
            self._told = False
        told, self._told = self._told, self._told or past
        return past and not told


@dataclass(frozen=True, slots=True)
class GuardMemory:
    """The readings that guards still count with: a restart forgets them."""

    recent: tuple[Decimal, ...]
    counts: Mapping[str, Guard]


class Guards:
    """All guards of one trader, and the drawdown that is only told, not acted on."""

    def __init__(self, *, ledger: Ledger, settings: SettingsInForce) -> None:
        self._ledger = ledger
        self._settings = settings
        self._zone = settings.now.zone
        self.begin_anew()
        self._recent: deque[Decimal] = deque(maxlen=READINGS)
        self.ended: list[PeriodOver] = []
        """Days and weeks that are over and not told yet."""

    def begin_anew(self) -> None:
        """Go by the settings in force; every count of readings begins afresh."""
        limits, drawdown_alert = self._settings.now.limits, self._settings.now.drawdown_alert
        self._limits = {
            "day": limits.max_daily_loss,
            "week": limits.max_weekly_loss,
            "drawdown": limits.max_drawdown,
        }
        self._guards = {kind: Guard(kind=kind, limit=self._limits[kind]) for kind in KINDS}
        self._near = {kind: _Once(kind, self._limits[kind] * NEAR) for kind in KINDS}
        self._fall = drawdown_alert and _Once("drawdown", drawdown_alert)

    @property
    def memory(self) -> GuardMemory:
        return GuardMemory(tuple(self._recent), dict(self._guards))

    def are_counting(self, kinds: Iterable[str]) -> bool:
        """Whether one of *kinds* has begun to count readings past its limit."""
        return any(self._guards[kind].readings for kind in kinds)

    def recall(self, memory: GuardMemory) -> None:
        """Go on as those do whose *memory* it is."""
        self._recent.extend(memory.recent)
        self._guards = dict(memory.counts)

    def near(self, equity: Decimal | None, at: datetime, *, stale: bool) -> list[Breach]:
        """Limits of which four fifths are used, each told once until it has recovered."""
        return [
            Breach(kind, lost, self._limits[kind])
            for kind in KINDS
            for lost in [self.lost(kind, equity)]
            if self._near[kind].tells(LossReading(lost, at, stale)) and lost is not None
        ]

    def fall(self, equity: Decimal | None, at: datetime, *, stale: bool) -> Decimal | None:
        """The drawdown, once each time it comes past the alert threshold; else None."""
        lost = self.lost("drawdown", equity)
        told = self._fall and self._fall.tells(LossReading(lost, at, stale))
        return lost if told else None

    def baseline(self, kind: str) -> Decimal:
        """The equity that losses of *kind* are measured from."""
        account = self._ledger.account
        return {"day": account.day_start, "week": account.week_start, "drawdown": account.peak}[
            kind
        ]

    def observe(self, equity: Decimal | None, at: datetime, *, stale: bool) -> list[Breach]:
        """Take a reading at market time *at*; return the limits that are breached now."""
        if equity is not None and not stale:
            self._roll(equity, at)
        breaches = []
        for kind in KINDS:
            lost = self.lost(kind, equity)
            guard, breached = self._guards[kind].observe(LossReading(lost, at, stale))
            self._guards[kind] = guard
            if breached and lost is not None:
                breaches.append(Breach(kind, lost, guard.limit))
        return breaches

    def lost(self, kind: str, equity: Decimal | None) -> Decimal | None:
        """Share lost against the baseline of *kind*, positive for a loss."""
        if kind == "drawdown":
            return drawdown(equity, self.baseline(kind))
        return loss_share(equity, self.baseline(kind))

    def breached(self, kind: str, equity: Decimal | None) -> Breach | None:
        """Whether *kind* would halt again at once: judged on this equity alone."""
        lost = self.lost(kind, equity)
        if lost is None or lost < self._limits[kind]:
            return None
        return Breach(kind, lost, self._limits[kind])

    def rebase(self, kind: str, equity: Decimal) -> None:
        """Measure *kind* afresh from *equity*: an owner's decision."""
        baseline = {"day": "day_start", "week": "week_start", "drawdown": "peak"}[kind]
        self._ledger.change_account(**{baseline: equity})
        self.restart(kind)

    def restart(self, kind: str) -> None:
        self._guards[kind] = Guard(kind=kind, limit=self._limits[kind])

    def _roll(self, equity: Decimal, at: datetime) -> None:
        """Raise the peak, and begin a new day or week at its first reading.

        The peak follows the lowest of the last three readings: one wrong tick upwards would leave
        a drawdown that never was.
        """
        account = self._ledger.account
        self._recent.append(equity)
        changes = dict(self._new_baselines(account, equity, at))
        if changes:
            self._ledger.change_account(**changes)

    def _new_baselines(
        self, account: AccountState, equity: Decimal, at: datetime
    ) -> Iterator[tuple[str, object]]:
        lasting = min(self._recent)
        if len(self._recent) == READINGS and lasting > account.peak:
            yield "peak", lasting
        day, week = day_of(at, self._zone), week_of(at, self._zone)
        if day > account.day:
            self.ended.append(PeriodOver("day", account.day, account.day_start, equity))
            yield from (("day", day), ("day_start", equity))
            self.restart("day")
        if week > account.week:
            self.ended.append(PeriodOver("week", account.week, account.week_start, equity))
            yield from (("week", week), ("week_start", equity))
            self.restart("week")
