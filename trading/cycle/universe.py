"""Which symbols a trader may enter at the moment: a fixed list, or what surveys of a market find.

Exits never ask: whoever holds something that has left manages it to its end.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from trading.accounts.recorder import Recorder
from trading.common import words
from trading.context.trader import TraderContext
from trading.errors import InvalidSymbol, VenueError
from trading.events import Event, SurveyFailed, SurveyRecovered, TierChange, UniverseChanged
from trading.market.universe import Drift, MarketScan, Tier, Universe, UniversePlan
from trading.ports import Change, MarketScanner, Store, WritePriority
from trading.types import Symbol

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseStatus:
    """What people see of a universe."""

    universe: Universe
    plan: UniversePlan
    scan: MarketScan | None
    """The last one since the process began."""
    age: timedelta | None
    """Of the last survey there was (market time); None: there was none."""
    problem: str
    """Why the last try failed, as a clause; empty if it did not."""

    @property
    def stale(self) -> bool:
        return self.age is None or self.age > self.plan.max_age


class TradableUniverse:
    """A fixed list: every symbol of the settings, always, without tiers."""

    has_tiers = False
    by_bars = True
    """It is refreshed in each cycle, by market time; otherwise beside them."""

    def __init__(self, symbols: tuple[Symbol, ...]) -> None:
        self._symbols = symbols

    @property
    def found(self) -> UniverseStatus | None:
        """What people see of it; None: there is no universe."""
        return None

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Those that may be entered."""
        return self._symbols

    def followed(self, held: Iterable[Symbol], *, at_once: bool = False) -> tuple[Symbol, ...]:
        """Those whose prices a trader needs that has something under way in *held*.

        *at_once*: those alone that a start has to wait for.
        """
        return tuple(dict.fromkeys((*self._symbols, *held)))

    def tier(self, symbol: Symbol) -> int | None:
        """The number of its tier; None: it has none, or may not be entered."""
        terms = self.terms(symbol)
        return None if terms is None else terms.number

    def terms(self, symbol: Symbol) -> Tier | None:
        """What may be done in *symbol*, by its tier; None: there are no tiers, or it is in none."""
        return None

    def objection(self, symbol: Symbol, at: datetime) -> str:
        """Why *symbol* may not be entered at market time *at*, as a clause; empty if it may."""
        return "" if symbol in self._symbols else "the settings do not name it"

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What history keeps of it, so that `load` finds it."""
        return ()

    async def load(self, cursor: datetime) -> None:
        """Take over what the last process knew; a trader goes on at market time *cursor*."""

    async def refresh(self, at: datetime) -> None:
        """Survey the market if that is due at market time *at*."""

    async def close(self) -> None:
        """Let go of whatever the surveys hold open."""


class ScannedUniverse(TradableUniverse):
    """A universe that follows from surveys, and is kept over restarts."""

    has_tiers = True

    def __init__(
        self,
        *,
        context: TraderContext,
        plan: UniversePlan,
        scanner: MarketScanner,
        store: Store,
        recorder: Recorder,
        market: Callable[[], datetime],
    ) -> None:
        """*market* tells market time."""
        super().__init__(plan.listed)
        self.by_bars = scanner.by_bars
        self._context = context
        self._plan = plan
        self._scanner = scanner
        self._store = store
        self._recorder = recorder
        self._clock = context.clock
        self._market = market
        self._universe = plan.empty
        self._terms: tuple[Universe, Mapping[Symbol, Tier]] = (plan.empty, {})
        """Of the members of a universe: asked for each wish, and for all that is held."""
        self._last: MarketScan | None = None
        self._at: datetime | None = None
        """Market time of the last survey, also of one before the start."""
        self._begin: datetime | None = None
        """Of a recording: its surveys begin after this."""
        self._problem = ""
        self._told = False
        """People know that the survey is too old."""

    @property
    def found(self) -> UniverseStatus:
        return UniverseStatus(
            universe=self._universe,
            plan=self._plan,
            scan=self._newest(),
            age=None if self._at is None else self._market() - self._at,
            problem=self._problem,
        )

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(s for s in self._universe.members if self._universe.tier(s) is not None)

    def followed(self, held: Iterable[Symbol], *, at_once: bool = False) -> tuple[Symbol, ...]:
        """What is listed or held; then who is in, or about to be, so that it is warm by then."""
        joining = (s for s, drift in self._universe.drifts.items() if drift.better)
        others = () if at_once else (*self.symbols, *joining)
        return tuple(dict.fromkeys((*self._plan.listed, *held, *others)))

    def terms(self, symbol: Symbol) -> Tier | None:
        universe, found = self._terms
        if universe is not self._universe:
            universe = self._universe
            found = {s: tier for s in universe.members for tier in [universe.terms(s)] if tier}
            self._terms = universe, found
        return found.get(symbol)

    def objection(self, symbol: Symbol, at: datetime) -> str:
        if self.terms(symbol) is None:
            return f"outside the universe, {self._universe.why_not(symbol, self._newest())}"
        if symbol in self._plan.listed or not self._is_stale(at):
            return ""
        age = at - self._at if self._at else None
        return (
            f"the last survey of the market is {words.span(age) if age else 'of unknown age'} old"
        )

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        return ((self._note, _written(self._at, self._universe)),)

    async def load(self, cursor: datetime) -> None:
        saved = await self._store.note(self._note)
        at, universe = _read(saved, self._plan.empty) if saved else (None, self._plan.empty)
        if at is not None and self.by_bars and at > cursor + self._plan.every:
            at, universe = None, self._plan.empty  # of another recording, which was further on
        self._at, self._universe = at, universe
        self._begin = at or _floor(cursor, self._plan.every) - self._plan.every * universe.cycles

    async def refresh(self, at: datetime) -> None:
        """Of a recording, all surveys that were due until *at*, from the warm-up on."""
        before, seen = self._universe, self._last
        try:
            for due in self._due(at):
                self._take(await self._scanner.scan(due, self._universe))
        except VenueError as error:
            await self._failed(error, at)
            return
        if self._last is not seen:
            await self._save(before)

    async def close(self) -> None:
        await self._scanner.close()

    # -- inside ---------------------------------------------------------------------------

    def _newest(self) -> MarketScan | None:
        """The last survey since the process began."""
        return self._last

    def _due(self, at: datetime) -> Iterator[datetime]:
        every = self._plan.every
        if not self.by_bars:
            if self._at is None or at - self._at >= every:
                yield at
            return
        due = self._due_after(self._begin or at)
        while due <= at:
            yield due
            due += every

    def _due_after(self, at: datetime) -> datetime:
        return _floor(at, self._plan.every) + self._plan.every

    def _take(self, scan: MarketScan) -> None:
        if self._at is not None and scan.at - self._at > self._plan.max_age:
            # What was good before a long silence is not good in a row with what is good now.
            self._universe = replace(self._universe, drifts={})
        self._universe = self._universe.observe(scan)
        self._last, self._problem = scan, ""
        self._at = self._begin = scan.at

    async def _failed(self, error: VenueError, at: datetime) -> None:
        log.warning("%s has no new survey of its market: %s", self._context.name, error)
        self._problem = str(error)
        if self._is_stale(at) and not self._told:
            self._told = True
            age = None if self._at is None else at - self._at
            await self._recorder.say(SurveyFailed(why=str(error), age=age, **self._context.about()))

    async def _save(self, before: Universe) -> None:
        events: list[Event] = []
        changes = _changes(before, self._universe, self._last)
        if changes:
            size = len(self._universe.members)
            events.append(UniverseChanged(changes=changes, size=size, **self._context.about()))
        if self._told:
            self._told = False
            events.append(
                SurveyRecovered(size=len(self._universe.members), **self._context.about())
            )
        await self._recorder.keep(Change(notes=self.notes), WritePriority.REST, *events)

    def _is_stale(self, at: datetime) -> bool:
        return self._at is None or at - self._at > self._plan.max_age

    @property
    def _note(self) -> str:
        return f"universe:{self._context.name}"


def _changes(before: Universe, after: Universe, scan: MarketScan | None) -> tuple[TierChange, ...]:
    symbols = sorted({*before.members, *after.members})
    moved = ((s, before.members.get(s), after.members.get(s)) for s in symbols)
    return tuple(
        TierChange(
            symbol=symbol,
            before=was,
            after=now,
            why="" if now is not None else after.why_not(symbol, scan),
        )
        for symbol, was, now in moved
        if was != now
    )


def _floor(at: datetime, every: timedelta) -> datetime:
    return _EPOCH + (at - _EPOCH) // every * every


def _written(at: datetime | None, universe: Universe) -> str:
    return json.dumps(
        {
            "at": at.isoformat() if at else None,
            "members": {str(symbol): tier for symbol, tier in universe.members.items()},
            "drifts": {
                str(symbol): [drift.better, drift.cycles, drift.worst]
                for symbol, drift in universe.drifts.items()
            },
        }
    )


def _read(saved: str, empty: Universe) -> tuple[datetime | None, Universe]:
    """What was saved, as far as the tiers of today know it; nothing of what cannot be read."""
    known = {tier.number for tier in empty.tiers}
    try:
        raw = json.loads(saved)
        members = {Symbol.parse(name): int(tier) for name, tier in raw["members"].items()}
        drifts = {
            Symbol.parse(name): Drift(better=bool(better), cycles=int(cycles), worst=worst)
            for name, (better, cycles, worst) in raw["drifts"].items()
        }
        at = datetime.fromisoformat(raw["at"])
    except (ValueError, TypeError, KeyError, AttributeError, InvalidSymbol) as error:
        log.warning("the saved universe cannot be read, it begins anew: %s", error)
        return None, empty
    return at, replace(
        empty,
        members={s: tier for s, tier in members.items() if tier in known},
        drifts={s: d for s, d in drifts.items() if d.worst is None or d.worst in known},
    )
