"""Any interleaving of bars, signals, faults, halts, closes by hand and restarts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, ETH, NOON, skip_used
from tests.fakes import MemoryLatch, Wish
from tests.loops import SkippingLoop
from tests.properties.shown import check_shown
from tests.properties.virtual import Ticker
from tests.world import a_world, settled
from trading.clocks import ManualClock
from trading.errors import NotDone, Refused, StoreError
from trading.events import CycleFailed, Unprotected
from trading.model.exit_rules import ExitRules, PartialRule
from trading.model.halt import EVERYONE, Verb
from trading.risk.limits import Limits
from trading.types import ONE, ZERO, Order, OrderRole, OrderStatus, Side, Symbol

T = TypeVar("T")

BY = "ben, Telegram"
LIMITS = Limits(
    risk_per_trade=Decimal("0.02"),
    max_position=Decimal("0.5"),
    loss_streak=100,
    symbol_rest=timedelta(0),
)
EXITS = ExitRules(
    trail_r=ONE,
    partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),),
    break_even=True,
    time_limit=timedelta(minutes=20),
)
IDS_OF_A_LIFE = 1_000_000
"""So many for each life of the desk, because here they are counted: real ones are random."""

moves = st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0])
"""Percent, of one bar."""
wanted = st.sampled_from([None, None, Side.BUY, Side.SELL])
symbols = st.sampled_from([BTC, ETH])
shares = st.sampled_from([Decimal("0.001"), Decimal("0.3"), ONE])
place_faults = st.sampled_from(["refuse", "unavailable", "drop", "lost", "hang", ""])
cancel_faults = st.sampled_from(["unavailable", "drop", ""])
deeds = st.sampled_from(["", "pause", "stop", "flatten", "close", "reconcile", "upkeep"])


class FullJournal(MemoryJournal):
    is_full = False

    async def append(self, *records: Mapping[str, object]) -> None:
        if self.is_full:
            raise StoreError("the disk is full")
        await super().append(*records)


class Trading(RuleBasedStateMachine):
    """One trader on two symbols; whoever it is that acts, the promises hold."""

    cash = False

    @initialize()
    def begin(self) -> None:
        self.loop = SkippingLoop()
        self.clock = ManualClock(NOON)
        self.ticker = Ticker(self.clock, {BTC: 100.0, ETH: 50.0}, start=NOON)
        self.store = MemoryStore(clock=self.clock)
        self.book, self.journal, self.latch_file = MemoryJournal(), FullJournal(), MemoryLatch()
        self.lives = 0
        self.broken: list[str] = []
        self.halts: dict[str, Verb] = {}
        self.begin_a_life()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.become_quiet()
            self.promises_are_kept()
            self.run(self.books_are_right())
        finally:
            self.run(self.die())
            self.loop.close()

    # -- lives ---------------------------------------------------------------------------------

    def begin_a_life(self) -> None:
        self.lives += 1
        self.world = a_world(
            feed=self.ticker,
            clock=self.clock,
            store=self.store,
            book=self.book,
            journal=self.journal,
            latch_file=self.latch_file,
            symbols=(BTC, ETH),
            limits=LIMITS,
            exit_rules=EXITS,
            first_id=self.lives * IDS_OF_A_LIFE,
            cash=self.cash,
        )
        self.world.venue.watch_leaving = self.watch
        self.run(self.start())

    async def start(self) -> None:
        for halt in (*self.latch_file.halts, *await self.store.halts()):
            self.world.halter.take_over(halt)
        await skip_used(self.world.desk.latch, self.store)
        await self.world.start()
        self.tasks = [
            asyncio.create_task(self.world.trader.run()),
            asyncio.create_task(self.world.recorder.run()),
        ]
        await settled()

    async def die(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def soon(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin; it may take longer than this step does."""
        self.tasks.append(asyncio.create_task(_unless_refused(work)))
        await settled()

    # -- what is watched in the instant in which it happens ------------------------------------

    def watch(self, order: Order) -> None:
        if order.role is not OrderRole.ENTRY:
            self.watch_reduction(order)
            return
        if self.world.desk.latch.covering("majors"):
            self.broken.append(f"{order.id} left after a halt")
        valuer = self.world.trader.valuer
        equity, exposure = valuer.equity() or ZERO, valuer.exposure()
        if order.plan is not None and exposure > LIMITS.max_exposure * equity:
            self.broken.append(f"{order.id} left beyond the limit: {exposure} of {equity}")

    def watch_reduction(self, order: Order) -> None:
        ledger = self.world.trader.ledger
        if order.reduce_only is self.cash:
            self.broken.append(f"{order.id} may open something")
        held = ledger.positions.get(order.symbol)
        leaving = sum((o.remaining for o in ledger.alive_of(OrderRole.EXIT, order.symbol)), ZERO)
        if leaving > (abs(held.quantity) if held else ZERO):
            self.broken.append(f"{order.id} left, and more than is open is being closed")

    # -- the market and the strategy -----------------------------------------------------------

    @rule(btc=moves, eth=moves, want_btc=wanted, want_eth=wanted)
    def bar(self, btc: float, eth: float, want_btc: Side | None, want_eth: Side | None) -> None:
        """A bar closes, and nobody disturbs its cycle."""
        self.move({BTC: btc, ETH: eth}, {BTC: want_btc, ETH: want_eth})
        self.run(self.cycle())

    @rule(move=moves, want=wanted, turns=st.integers(0, 40), deed=deeds, held=st.booleans())
    def disturbed_bar(
        self, move: float, want: Side | None, turns: int, deed: str, held: bool
    ) -> None:
        """Somebody acts so many turns after a bar's cycle began."""
        self.move({BTC: move, ETH: move}, {BTC: want, ETH: want})
        self.run(self.cycle(turns, deed, held=held))

    def move(self, percent: dict[Symbol, float], wants: dict[Symbol, Side | None]) -> None:
        prices = {s: round(self.ticker.last(s) * (1 + p / 100), 2) for s, p in percent.items()}
        self.ticker.next_bar(prices)
        self.clock.advance(60)
        at = self.ticker.now()
        for symbol, side in wants.items():
            if side is not None:
                stop = round(prices[symbol] * (1 - 0.02 * side.sign), 2)
                self.world.strategy.wishes.append(Wish(at=at, side=side, symbol=symbol, stop=stop))

    async def cycle(self, turns: int = 0, deed: str = "", *, held: bool = False) -> None:
        if held:
            self.world.venue.gate.clear()
        cycle = asyncio.create_task(self.world.trader.cycle())
        await settled(turns)
        await self.do(deed)
        self.world.venue.gate.set()
        await cycle
        await settled()

    # -- people --------------------------------------------------------------------------------

    async def do(self, deed: str) -> None:
        world = self.world
        match deed:
            case "pause" | "stop" | "flatten" as verb:
                await self.soon(getattr(world.desk, verb)(EVERYONE, by=BY, why=""))
            case "close":
                await self.soon(world.manual.close(BTC, share=ONE, by=BY))
            case "reconcile":
                await self.soon(world.trader.reconcile())
            case "upkeep":
                await self.soon(world.trader.upkeep())
        self.halts |= {h.id: h.verb for h in world.desk.latch.active}

    @rule(first=deeds, second=deeds, held=st.booleans())
    def act(self, first: str, second: str, held: bool) -> None:
        """One begins, another follows, while what they send may still be on its way out."""
        self.run(self.together(first, second, held=held))

    async def together(self, first: str, second: str, *, held: bool) -> None:
        if held:
            self.world.venue.gate.clear()
        await self.do(first)
        await self.do(second)
        self.world.venue.gate.set()
        await settled()

    @rule(symbol=symbols, side=st.sampled_from(Side), away=st.sampled_from([0.02, 0.005]))
    def rest_an_entry(self, symbol: Symbol, side: Side, away: float) -> None:
        if self.world.desk.latch.covering("majors"):
            return
        price = round(self.ticker.last(symbol) * (1 - away * side.sign), 2)
        entry = self.world.rest_an_entry(str(price), "5", symbol=symbol, side=side)
        self.run(self.soon(entry))

    @rule(symbol=symbols, share=shares)
    def close(self, symbol: Symbol, share: Decimal) -> None:
        self.run(self.soon(self.world.manual.close(symbol, share=share, by=BY)))

    @precondition(lambda self: self.halts)
    @rule()
    def resume(self) -> None:
        self.run(self.resume_all())

    async def resume_all(self) -> None:
        for halt in self.world.desk.latch.active:
            with suppress(Refused):
                await self.world.desk.resume([halt.id], by=BY, rebase=bool(halt.guard))
                self.halts.pop(halt.id, None)
        await settled()

    # -- what goes wrong -----------------------------------------------------------------------

    @rule(faults=st.lists(place_faults, max_size=3), cancels=st.lists(cancel_faults, max_size=2))
    def disturb(self, faults: list[str], cancels: list[str]) -> None:
        self.world.venue.faults.place = list(faults)
        self.world.venue.faults.cancel = list(cancels)

    @rule(down=st.booleans())
    def line(self, down: bool) -> None:
        self.world.venue.faults.down = down

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        if full:
            self.store.refuse("the disk is full")
        else:
            self.store.accept()
        self.run(settled())

    @rule(full=st.booleans())
    def notes(self, full: bool) -> None:
        """The file for what history does not take: then only the venue knows of a reduction."""
        self.journal.is_full = full

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.run(self.seconds(seconds))

    async def seconds(self, count: int) -> None:
        """By both clocks; the loop's own takes no time."""
        for _ in range(count):
            self.clock.advance(1)
            await asyncio.sleep(1)

    @rule()
    def restart(self) -> None:
        """Killed, and started again on what history, the latch file and the journal have."""
        self.run(self.die())
        self.begin_a_life()

    # -- what holds at every step --------------------------------------------------------------

    @invariant()
    def promises_are_kept(self) -> None:
        if not hasattr(self, "world"):
            return
        assert not self.broken, self.broken
        assert self.world.heard(CycleFailed) == []
        self.halts_are_lifted_by_people_only()
        self.positions_are_opened_by_entries_only()
        check_shown(self.world.view(), self.world.trader)
        if not self.world.venue.faults.down:
            self.run(self.one_stop_at_most_rests())

    def halts_are_lifted_by_people_only(self) -> None:
        active = {h.id: h.verb for h in self.world.desk.latch.active}
        assert self.halts.items() <= active.items()
        self.halts = active

    def positions_are_opened_by_entries_only(self) -> None:
        """An exit that went past flat would have opened one."""
        ids = self.world.trader.orders.ids
        for position in self.world.trader.ledger.positions.values():
            assert ids.role(position.id) is OrderRole.ENTRY

    async def one_stop_at_most_rests(self) -> None:
        resting = [report.order for report in await self.world.venue.open_orders()]
        stops = [o.symbol for o in resting if o is not None and o.role is OrderRole.PROTECT]
        assert len(stops) == len(set(stops))

    # -- once all is quiet ---------------------------------------------------------------------

    def become_quiet(self) -> None:
        self.disturb([], [])
        self.line(down=False)
        self.disk(full=False)
        self.notes(full=False)
        for _ in range(4):
            self.run(self.seconds(6))
            self.move({}, {})
            self.run(self.cycle())
        self.run(self.do("reconcile"))

    async def books_are_right(self) -> None:
        trader, ledger, venue = self.world.trader, self.world.trader.ledger, self.world.venue
        ours = {s: p.quantity for s, p in ledger.positions.items()}
        assert ours == {s: held.net for s, held in (await venue.positions()).items()}
        assert abs(ledger.at_venue(cash=self.cash) - await venue.wallet()) < Decimal("1e-9")
        assert {r.order_id for r in await venue.open_orders()} == set(ledger.alive)
        assert all(o.status is OrderStatus.OPEN for o in ledger.alive.values())
        assert trader.block == ""
        told = {e.symbol for e in self.world.heard(Unprotected) if isinstance(e, Unprotected)}
        assert all(trader.protection.rests(s) or s in told for s in ours)
        self.halts_are_carried_out(ours)
        await self.history_is_right(ours)

    def halts_are_carried_out(self, ours: dict[Symbol, Decimal]) -> None:
        halt = self.world.desk.latch.strictest("majors")
        if halt is not None and halt.verb >= Verb.STOP:
            assert self.world.trader.ledger.alive_of(OrderRole.ENTRY) == []
        if halt is not None and halt.verb is Verb.FLATTEN:
            assert ours == {}

    async def history_is_right(self, ours: dict[Symbol, Decimal]) -> None:
        assert self.world.recorder.unsaved == 0
        kept = await self.store.books("majors")
        assert {o.id for o in kept.orders} == set(self.world.trader.ledger.alive)
        assert {p.symbol: p.quantity for p, _ in kept.positions} == ours
        booked: dict[Symbol, Decimal] = {}
        for fill in await self.store.fills("majors"):
            booked[fill.symbol] = booked.get(fill.symbol, ZERO) + fill.signed_quantity
        assert {s: q for s, q in booked.items() if q} == ours


async def _unless_refused(work: Coroutine[Any, Any, object]) -> None:
    with suppress(Refused, NotDone):
        await work


@pytest.mark.parametrize(("fall", "rise", "last"), [(-0.5, 3, 0), (-1, 3, 1), (-1, 6, -3)])
def test_an_exit_that_could_not_be_saved_opens_nothing(
    fall: float, rise: float, last: float
) -> None:
    """A long, and above it an entry that would sell; a full disk; the long is closed, then the
    entry fills, and history, which knows of neither, hears of both after a restart."""
    desk = Trading()
    desk.begin()
    desk.bar(0, 0, Side.BUY, None)
    desk.rest_an_entry(BTC, Side.SELL, 0.02)
    desk.bar(fall, 0, None, None)
    desk.disk(full=True)
    desk.bar(rise, 0, Side.SELL, None)
    desk.bar(last, 0, None, None)

    desk.restart()

    desk.promises_are_kept()
    desk.teardown()


@pytest.mark.parametrize("restarts", [False, True])
def test_an_exit_that_is_told_after_the_entry_that_followed_it_belongs_before_it(
    restarts: bool,
) -> None:
    """A short is closed, and nobody answers; an entry fills meanwhile: that is what is open."""
    desk = Trading()
    desk.begin()
    desk.rest_an_entry(ETH, Side.BUY, 0.02)
    desk.rest_an_entry(ETH, Side.SELL, 0.005)
    desk.bar(0, 1, None, None)
    desk.disturb(["drop"], [])
    desk.close(ETH, ONE)
    desk.line(down=True)
    desk.bar(0, -3, None, None)
    if restarts:
        desk.restart()

    desk.become_quiet()

    desk.promises_are_kept()
    position = desk.world.trader.ledger.positions[ETH]
    assert position.quantity == Decimal(5)
    desk.teardown()


USUAL = settings(
    max_examples=100,
    stateful_step_count=25,
    derandomize=True,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
ROUNDS = int(os.environ.get("QUARTERDECK_SOAK", "30"))


@pytest.mark.slow
class TestTrading(Trading.TestCase):  # type: ignore[misc,valid-type]  # hypothesis makes it
    settings = USUAL


class TradingCash(Trading):
    """On an account that sells only what it holds, and whose stops lock it."""

    cash = True


@pytest.mark.slow
class TestTradingCash(TradingCash.TestCase):  # type: ignore[misc,valid-type]  # as above
    settings = settings(USUAL, max_examples=60)


@pytest.mark.soak
class TestTradingForLong(Trading.TestCase):  # type: ignore[misc,valid-type]  # as above
    settings = settings(USUAL, max_examples=20 * ROUNDS, stateful_step_count=50, derandomize=False)
