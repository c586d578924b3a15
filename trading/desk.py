"""The desk: all traders of this process, and the verbs that people use on them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from trading.accounts.recorder import Recorder
from trading.accounts.views import Halting, Swept
from trading.clocks import Clock
from trading.errors import Refused, StoreError
from trading.events import DeskStopping
from trading.execution.timeouts import OrderTimeouts
from trading.model.halt import EVERYONE, Halt, Latch, Verb
from trading.operators.acceptance import Acceptance
from trading.operators.manual import ManualTrading
from trading.operators.views import TraderViews
from trading.safety.halting import Halter
from trading.trader import Trader
from trading.types import ExitReason, OrderRole, OrderStatus, OrderType, Symbol, Trade


@dataclass(frozen=True, slots=True)
class _Before:
    """What rested in one trader at the instant of a halt."""

    trader: Trader
    entries: frozenset[str]
    began: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingTrader:
    """What one trader has closed since it was told to be flat."""

    closes: tuple[Trade, ...]
    """Oldest first."""
    tries: Mapping[Symbol, int]
    """How many orders it took."""
    stops: int
    """Protective orders that were cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTrader:
    """A trader with what people see of it, and what they do to it."""

    trader: Trader
    views: TraderViews
    manual: ManualTrading
    acceptance: Acceptance


class Desk:
    def __init__(
        self,
        *,
        traders: Mapping[str, DeskTrader],
        halter: Halter,
        recorder: Recorder,
        clock: Clock,
        timeouts: OrderTimeouts,
        end: Callable[[], None],
    ) -> None:
        self._desk_traders = traders
        self.traders = {name: each.trader for name, each in traders.items()}
        self._halter = halter
        self._recorder = recorder
        self._clock = clock
        self._timeouts = timeouts
        self._end = end
        self._ended_by = ""

    def views(self, name: str) -> TraderViews:
        """What is seen of the trader *name*."""
        return self._desk_traders[name].views

    def manual(self, name: str) -> ManualTrading:
        """What a person does by hand to the trader *name*."""
        return self._desk_traders[name].manual

    def acceptance(self, name: str) -> Acceptance:
        """What a person accepts of what differs in the books of the trader *name*."""
        return self._desk_traders[name].acceptance

    @property
    def latch(self) -> Latch:
        return self._halter.latch

    @property
    def news(self) -> asyncio.Event:
        """As `Halter.news`: set at the next stage of any halt, or when one is lifted."""
        return self._halter.news

    def closing(self, name: str, halt: Halt) -> ClosingTrader:
        """How far the trader *name* has come with closing all, for *halt*."""
        trader = self.traders[name]
        since = [o for o in trader.ledger.orders.values() if o.created_at >= halt.at]
        tries = Counter(
            o.symbol
            for o in since
            if o.reason == ExitReason.FLATTEN.value and o.status is not OrderStatus.NOT_SENT
        )
        stops = sum(
            o.role is OrderRole.PROTECT
            and o.type is OrderType.STOP
            and o.status is OrderStatus.CANCELLED
            and (o.updated_at or o.created_at) >= halt.at
            for o in trader.ledger.orders.values()
        )
        return ClosingTrader(closes=trader.enforcer.flattening.closes(), tries=tries, stops=stops)

    # -- tightening: instant, never refused -------------------------------------------------

    async def pause(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        """No new entries; what rests stays.  *origin* is the chat that is answered."""
        halt, earlier, _ = self._engage(scope, Verb.PAUSE, by, why, origin)
        return Halting(halt=halt, earlier=earlier, durable=await self._durable(halt), swept=())

    async def stop(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        """No new entries, and the resting ones cancelled.  Answers within `OrderTimeouts.stop`."""
        return await self._halt(scope, Verb.STOP, by, why, origin)

    async def flatten(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        """As `stop`, and close everything.  What takes longer goes on, and tells by events."""
        halting = await self._halt(scope, Verb.FLATTEN, by, why, origin)
        enforcers = [t.enforcer for t in self._within(scope)]
        waits = (e.flat(halting.halt, within=self._timeouts.stop) for e in enforcers)
        flat = await asyncio.gather(*waits)
        closes = tuple(trade for e in enforcers for trade in e.flattening.closes())
        halt = self.latch.get(halting.halt.id) or halting.halt
        return replace(halting, halt=halt, flat=all(flat), closes=closes)

    async def _halt(self, scope: str, verb: Verb, by: str, why: str, origin: str) -> Halting:
        halt, earlier, before = self._engage(scope, verb, by, why, origin)
        saving = asyncio.ensure_future(self._durable(halt))
        swept = await asyncio.gather(*(self._sweep(one) for one in before))
        return Halting(halt=halt, earlier=earlier, durable=await saving, swept=tuple(swept))

    def _engage(
        self, scope: str, verb: Verb, by: str, why: str, origin: str
    ) -> tuple[Halt, Halt | None, list[_Before]]:
        """Halt at once.  A person's halt that is as strict and as wide already is kept."""
        now = self._clock.monotonic()
        before = [
            _Before(t, frozenset(o.id for o in t.ledger.alive_of(OrderRole.ENTRY)), now)
            for t in self._within(scope)
        ]
        # Whoever stops the only trader has stopped the desk, whatever it will be made of.
        wide = EVERYONE if [*self.traders] == [scope] else scope
        earlier = self._as_strict(scope, verb, wide)
        same = self._same(scope, verb, wide)
        if earlier is not None and same is not None:
            self.latch.ask_again(same.id, by)
            for one in before:
                one.trader.enforcer.wake()
            return same, earlier, before
        halt = self._halter.engage(
            scope=scope, verb=verb, by=by, why=why, origin=origin, later=wide != scope
        )
        return halt, earlier, before

    def _as_strict(self, scope: str, verb: Verb, wide: str) -> Halt | None:
        """What holds *scope* by *verb* or more; a person's by the same one has to hold *wide*."""
        covering = [h for h in self.latch.firm if h.verb >= verb and h.covers(scope)]
        found = (h for h in covering if h.verb is not verb or h.guard or h.covers(wide))
        return max(found, key=lambda h: (not h.guard, h.verb), default=None)

    def _same(self, scope: str, verb: Verb, wide: str) -> Halt | None:
        """A person's halt that says all of it already, whatever else holds *scope* as well."""
        firm = (h for h in self.latch.firm if h.verb is verb and not h.guard)
        return next((h for h in firm if h.covers(scope) and h.covers(wide)), None)

    async def _durable(self, halt: Halt) -> bool:
        return await self._halter.durable(halt, within=self._timeouts.durable)

    async def _sweep(self, before: _Before) -> Swept:
        """Wait for the cancels of one trader; say how far they have come."""
        enforcer = before.trader.enforcer
        confirmed = await enforcer.swept_since(before.began, within=self._timeouts.stop)
        entries = enforcer.sweeping.entries(before.entries)
        return Swept(
            trader=before.trader.name,
            cancelled=entries.cancelled,
            total=len(entries.ids),
            unknown=entries.unknown,
            resting=entries.alive,
            confirmed=confirmed and entries.alive == 0,
            seconds=self._clock.monotonic() - before.began,
            tries=enforcer.tries,
            problem="" if confirmed else enforcer.problem or _unready(before.trader),
        )

    # -- loosening ------------------------------------------------------------------------

    def resume_refusal(self, halt: Halt) -> str:
        """Why *halt* may not be lifted now; empty if it may."""
        held = (t for t in self.traders.values() if halt.covers(t.name))
        reasons = (t.resume_refusal(halt) for t in held)
        return next((reason for reason in reasons if reason), "")

    async def resume(
        self, halt_ids: Sequence[str], *, by: str, rebase: bool = False, origin: str = ""
    ) -> tuple[Halt, ...]:
        """Lift the named halts; all or, when one may not be lifted, none.  Raises `Refused`."""
        halts = [self._active(halt_id) for halt_id in halt_ids]
        if rebase:
            await self._rebase(halts)
        for halt in halts:
            reason = self.resume_refusal(halt)
            if reason:
                raise Refused(f"Still halted: {reason}")
        try:
            with self.latch.lifting(halt_ids):
                lifts = [await self._halter.lift(halt, by=by, origin=origin) for halt in halts]
            return tuple(lifts)
        except StoreError as error:
            raise Refused(f"Still halted: resuming could not be saved ({error})") from None

    async def _rebase(self, halts: Sequence[Halt]) -> None:
        for halt in halts:
            if not halt.guard:
                raise Refused(f"{halt.id} was not made by a guard, so there is nothing to measure")
            for trader in self.traders.values():
                if halt.covers(trader.name):
                    await trader.rebase(halt)

    def _active(self, halt_id: str) -> Halt:
        halt = self.latch.get(halt_id)
        if halt is None or halt.lifted_at is not None:
            raise Refused(f"There is no halt {halt_id} in force")
        return halt

    # -- the end --------------------------------------------------------------------------

    def shutdown(self, *, by: str) -> None:
        """Ask the process to end.  Returns at once; entries are cancelled on the way out."""
        if not self._ended_by:
            self._ended_by = by
            self._end()

    async def close_down(self) -> None:
        """Cancel resting entries within `OrderTimeouts.shutdown`; say what stays open."""
        sweeping = [t.cancel_entries() for t in self.traders.values() if t.ready]
        with suppress(TimeoutError):  # what still rests is swept at the next start
            async with asyncio.timeout(self._timeouts.shutdown):
                await asyncio.gather(*sweeping)
        held = [(t, s) for t in self.traders.values() for s in t.ledger.positions]
        await self._recorder.say(
            DeskStopping(
                at=self._clock.now(),
                by=self._ended_by or "the system",
                open_positions=tuple(s for _, s in held),
                unprotected=tuple(s for t, s in held if not t.protection.confirmed(s)),
            )
        )
        await self._recorder.settle()

    def _within(self, scope: str) -> list[Trader]:
        return [t for t in self.traders.values() if scope in (EVERYONE, t.name)]


def _unready(trader: Trader) -> str:
    return "" if trader.ready else "the books are still being compared with the venue"
