"""Any interleaving of the market, people, faults and crashes, on a real exchange's rules.

Whatever happens, the promises hold at every step; and once all is quiet the books are right.  A
failure prints what reproduces it; QUARTERDECK_SEED=7 tells other stories than the usual ones.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.memory import MemoryJournal
from tests.builders import BTC
from tests.fakes import Wish
from tests.loops import SkippingLoop
from tests.properties import quiet
from tests.properties.engine_venue import (
    ASK_FAULTS,
    CANCEL_FAULTS,
    PLACE_FAULTS,
    TELL_FAULTS,
)
from tests.properties.engine_world import (
    MARKETS,
    SYMBOLS,
    TRADER,
    SlowStore,
    a_keeping,
    a_life,
    an_outside,
)
from tests.properties.shown import check_shown
from tests.world import settled
from trading.errors import NotDone, Refused, VenueError
from trading.events import CycleFailed
from trading.model.exit_rules import ExitRules, PartialRule
from trading.model.halt import EVERYONE, Verb
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.types import ONE, ZERO, Order, OrderRole, Side, Symbol

T = TypeVar("T")

BY = "ben, Telegram"
LIMITS = Limits(
    risk_per_trade=Decimal("0.02"),
    max_position=Decimal("0.3"),
    loss_streak=100,
    symbol_rest=timedelta(0),
    max_daily_loss=Decimal("0.5"),
    max_weekly_loss=Decimal("0.5"),
    max_drawdown=Decimal("0.5"),
)
EXITS = ExitRules(
    trail_r=ONE,
    partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),),
    break_even=True,
    time_limit=timedelta(minutes=30),
)
SLIPPAGE = EntryRules().max_slippage
THIN, DEEP = Decimal(12), Decimal(1_000)

moves = st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0])
"""Percent, of one bar."""
wanted = st.sampled_from([None, Side.BUY, Side.BUY, Side.SELL])
symbols = st.sampled_from(SYMBOLS)
sides = st.sampled_from(Side)
shares = st.sampled_from([Decimal("0.001"), Decimal("0.5"), ONE])
deeds = st.sampled_from(
    ["", "enter", "close", "reconcile", "upkeep", "pause", "stop", "flatten", "resume", "resume"]
)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with the next requests and news, in order."""

    place: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()


def _some(faults: Sequence[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(faults), max_size=most).map(tuple)


troubles = st.builds(
    Trouble,
    place=_some(PLACE_FAULTS, 3),
    cancel=_some(CANCEL_FAULTS, 2),
    ask=_some(ASK_FAULTS, 3),
    tell=_some(TELL_FAULTS, 4),
)
maybe_trouble = st.one_of(st.just(Trouble()), troubles)


def _mark(order: Order) -> tuple[object, ...]:
    """What one wish is told by."""
    return order.symbol, order.side, order.plan.stop if order.plan else None


class Commanding(RuleBasedStateMachine):
    """One trader on two symbols of an account that is not its alone."""

    @initialize(
        market=st.sampled_from(MARKETS),
        style=st.sampled_from([EntryStyle.MARKET, *EntryStyle]),
        holds=st.booleans(),
    )
    def begin(self, market: str, style: EntryStyle, holds: bool) -> None:
        self.style = style
        self.loop = SkippingLoop()
        self.outside = an_outside(market)
        self.exchange, self.operator = self.outside.exchange, self.outside.operator
        self.exchange.leaving = self.watch
        self.keeping = a_keeping(self.outside)
        self.broken: list[str] = []
        self.halts: dict[str, Verb] = {}
        self.entered: dict[object, Order] = {}
        self.stops: set[tuple[Symbol, float]] = set()
        self.moved_at = self.outside.clock.now()
        self.bars = self.lives = 0
        self.begin_a_life()
        if holds:
            self.bar((0.0, 0.0), (Side.BUY, Side.BUY), Trouble())

    def teardown(self) -> None:
        if not hasattr(self, "tasks"):
            return
        try:
            self.be_quiet()
        finally:
            self.run(self.die())
            self.loop.close()

    # -- lives ---------------------------------------------------------------------------------

    def begin_a_life(self) -> None:
        self.lives += 1
        self.living = a_life(
            self.outside,
            self.keeping,
            number=self.lives,
            limits=LIMITS,
            exits=EXITS,
            style=self.style,
        )
        self.run(self.start())

    async def start(self) -> None:
        await self.living.load()
        self.tasks = [
            asyncio.create_task(work) for work in (self.begin_trading(), self.living.recorder.run())
        ]
        await settled()

    async def begin_trading(self) -> None:
        """As the process does: tried until the venue answers, and only then carried on."""
        while not self.living.trader.ready:
            try:
                await self.living.start()
            except VenueError:
                await self.outside.clock.sleep(1)
        await self.living.trader.run()

    async def die(self) -> None:
        """Every task is dropped where it stands, and memory with it."""
        self.outside.witness.remember(self.living.trader.ledger.orders.values())
        await self.living.venue.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.outside.witness.forget_unsaved(self.keeping.store)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def soon(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin; it may take longer than this step does."""
        self.tasks.append(asyncio.create_task(_unless_refused(work)))
        await settled()

    # -- what is watched in the instant in which it happens ------------------------------------

    def watch(self, order: Order) -> None:
        """An order's bytes leave."""
        trader = self.living.trader
        self.outside.witness.remember(trader.ledger.orders.values())
        if order.role is OrderRole.ENTRY:
            self.watch_entry(order)
            return
        if not (self.exchange.spot or order.reduce_only):
            self.broken.append(f"{order.id} may open something")
        held = trader.ledger.positions.get(order.symbol)
        leaving = sum(
            (o.remaining for o in trader.ledger.alive_of(OrderRole.EXIT, order.symbol)), ZERO
        )
        if leaving > (abs(held.quantity) if held else ZERO):
            self.broken.append(f"{order.id} left, and more than is open is being closed")

    def watch_entry(self, order: Order) -> None:
        if self.living.desk.latch.covering(TRADER):
            self.broken.append(f"{order.id} left after a halt")
        if order.reason == "scripted":
            self.watch_wish(order)
        if order.plan is None or self.has_moved_since(order):
            return
        valuer = self.living.trader.valuer
        exposure, equity = valuer.exposure(), valuer.equity() or ZERO
        if exposure > LIMITS.max_exposure * equity * (1 + SLIPPAGE):
            self.broken.append(f"{order.id} left beyond the limit: {exposure} of {equity}")

    def has_moved_since(self, order: Order) -> bool:
        """Approved at other prices than the present ones: its share of the equity is another.

        What is sent for the rest of a maker's order was approved with that one.
        """
        last = Decimal(repr(self.outside.ticker.last(order.symbol)))
        signal = order.plan.entry if order.plan else last
        approved_at = self.entered.get(_mark(order), order).created_at
        return approved_at < self.moved_at or abs(last / signal - ONE) > SLIPPAGE

    def watch_wish(self, order: Order) -> None:
        """Each is entered for once; a second order may only do what the first can do no more."""
        mark = _mark(order)
        first = self.entered.setdefault(mark, order)
        if first is order:
            return
        if not first.post_only or order.quantity > self.exchange.rest_of(first):
            self.broken.append(f"{order.id} enters where {first.id} does: {mark}")

    # -- the market and the strategy -----------------------------------------------------------

    @rule(percent=st.tuples(moves, moves), wants=st.tuples(wanted, wanted), trouble=maybe_trouble)
    def bar(
        self,
        percent: tuple[float, float],
        wants: tuple[Side | None, Side | None],
        trouble: Trouble,
    ) -> None:
        """A bar closes, and nobody disturbs its cycle but the line."""
        self.disturb(trouble)
        self.move(dict(zip(SYMBOLS, percent, strict=True)), dict(zip(SYMBOLS, wants, strict=True)))
        self.run(self.cycle())

    @rule(move=moves, want=wanted, turns=st.integers(0, 120), deed=deeds, trouble=maybe_trouble)
    def disturbed_bar(
        self, move: float, want: Side | None, turns: int, deed: str, trouble: Trouble
    ) -> None:
        """Somebody acts so many turns after a bar's cycle began."""
        self.disturb(trouble)
        self.move(dict.fromkeys(SYMBOLS, move), dict.fromkeys(SYMBOLS, want))
        self.run(self.cycle(turns, deed))

    def move(self, percent: dict[Symbol, float], wants: dict[Symbol, Side | None]) -> None:
        ticker = self.outside.ticker
        prices = {s: round(ticker.last(s) * (1 + p / 100), 2) for s, p in percent.items()}
        self.bars += 1
        self.run(self.pass_by(prices))
        ticker.next_bar(prices)
        at = self.outside.clock.now()
        if any(percent.values()):
            self.moved_at = at
        for symbol, side in wants.items():
            if side is not None:
                stop = self.own_stop(symbol, prices[symbol] * (1 - 0.02 * side.sign))
                target = prices[symbol] * (1 + 0.03 * side.sign) if self.bars % 3 else math.nan
                wish = Wish(at=at, side=side, symbol=symbol, stop=stop, target=target)
                self.living.strategy.wishes.append(wish)

    def own_stop(self, symbol: Symbol, near: float) -> float:
        """One that no wish for *symbol* has had: that is how each is known again."""
        stop = round(near + self.bars * 0.01, 2)
        while (symbol, stop) in self.stops:
            stop = round(stop + 0.01, 2)
        self.stops.add((symbol, stop))
        return stop

    async def pass_by(self, prices: dict[Symbol, float]) -> None:
        """The minute passes at once, and the market trades at its last price."""
        self.outside.clock.advance(59)
        self.outside.second()
        for symbol, price in prices.items():
            self.outside.set_price(symbol, price)

    async def cycle(self, turns: int = 0, deed: str = "") -> None:
        self.tasks.append(asyncio.create_task(self.living.trader.cycle()))
        await settled(turns)
        await self.do(deed)
        await settled()

    @rule(symbol=symbols, move=moves)
    def spike(self, symbol: Symbol, move: float) -> None:
        """There and back within a bar: what rests fills, and no bar tells of it."""
        self.run(self.touch(symbol, self.outside.ticker.last(symbol) * (1 + move / 100)))

    async def touch(self, symbol: Symbol, price: float) -> None:
        self.outside.set_price(symbol, price)
        await settled()
        self.outside.set_price(symbol, self.outside.ticker.last(symbol))
        await settled()

    @rule(depth=st.sampled_from([THIN, DEEP]))
    def liquidity(self, depth: Decimal) -> None:
        self.outside.depth = depth

    # -- people --------------------------------------------------------------------------------

    async def do(self, deed: str) -> None:
        living = self.living
        match deed:
            case "pause" | "stop" | "flatten" as verb:
                await self.soon(getattr(living.desk, verb)(EVERYONE, by=BY, why=""))
            case "close":
                await self.soon(living.manual.close(BTC, share=ONE, by=BY))
            case "enter":
                work = living.manual.enter(BTC, Side.BUY, Decimal(500), by=BY)
                await self.soon(work)
            case "reconcile":
                await self.soon(living.trader.reconcile())
            case "upkeep":
                await self.soon(living.trader.upkeep())
            case "resume":
                await self.resume_all()
        self.halts |= {h.id: h.verb for h in living.desk.latch.active}

    @rule(first=deeds, second=deeds, turns=st.integers(0, 60), trouble=maybe_trouble)
    def act(self, first: str, second: str, turns: int, trouble: Trouble) -> None:
        """One begins, another follows, while what they send may still be on its way out."""
        self.disturb(trouble)
        self.run(self.together(first, second, turns))

    async def together(self, first: str, second: str, turns: int) -> None:
        await self.do(first)
        await settled(turns)
        await self.do(second)

    @rule(symbol=symbols, side=sides, away=st.sampled_from([0.02, 0.005]))
    def rest_an_entry(self, symbol: Symbol, side: Side, away: float) -> None:
        latch = self.living.desk.latch
        ledger = self.living.trader.ledger
        busy = symbol in ledger.positions or ledger.alive_of(OrderRole.ENTRY, symbol)
        if busy or latch.covering(TRADER) or (self.exchange.spot and side is Side.SELL):
            return
        price = Decimal(repr(round(self.outside.ticker.last(symbol) * (1 - away * side.sign), 2)))
        orders = self.living.trader.orders
        order = orders.prepare(
            symbol=symbol,
            side=side,
            role=OrderRole.ENTRY,
            quantity=Decimal(5),
            price=price,
            by=BY,
        )
        self.run(self.soon(orders.enter(order, latch.permit(TRADER))))

    @rule(symbol=symbols, share=shares)
    def close(self, symbol: Symbol, share: Decimal) -> None:
        self.run(self.soon(self.living.manual.close(symbol, share=share, by=BY)))

    async def resume_all(self) -> None:
        for halt in self.living.desk.latch.active:
            with suppress(Refused):
                await self.living.desk.resume([halt.id], by=BY, rebase=bool(halt.guard))
                self.halts.pop(halt.id, None)
        await settled()

    # -- others on the same account ------------------------------------------------------------

    @rule(
        deed=st.sampled_from(
            ["rest", "rest", "buy", "cancel", "liquidate", "fund", "transfer", "take away"]
        ),
        symbol=symbols,
        side=sides,
    )
    def others(self, deed: str, symbol: Symbol, side: Side) -> None:
        self.run(self.meddle(deed, symbol, side))

    async def meddle(self, deed: str, symbol: Symbol, side: Side) -> None:
        operator = self.operator
        match deed:
            case "rest":
                operator.rest(symbol, side)
            case "buy":
                operator.buy(symbol, side)
            case "cancel":
                operator.cancel_a_stop()
            case "liquidate":
                operator.liquidate(symbol)
            case "fund":
                operator.fund(symbol, Decimal("0.001") * side.sign)
            case "transfer":
                operator.transfer(Decimal(70))
            case "take away":
                operator.transfer(Decimal(-50))
        await settled()

    @rule(symbol=symbols, share=st.sampled_from([Decimal("0.5"), ONE]))
    def closed_by_hand(self, symbol: Symbol, share: Decimal) -> None:
        async def close() -> None:
            self.operator.close(symbol, share)
            await settled()

        self.run(close())

    # -- what goes wrong -----------------------------------------------------------------------

    @rule(trouble=troubles)
    def disturb(self, trouble: Trouble) -> None:
        faults = self.exchange.faults
        faults.place, faults.cancel = list(trouble.place), list(trouble.cancel)
        faults.ask, faults.tell = list(trouble.ask), list(trouble.tell)

    @rule(seconds=st.sampled_from([1, 5, 30, 150]))
    def outage(self, seconds: int) -> None:
        self.exchange.go_down(seconds)

    @rule(symbol=symbols, halted=st.booleans())
    def trading_of(self, symbol: Symbol, halted: bool) -> None:
        market = self.exchange.market(symbol)
        (self.exchange.engine.halt if halted else self.exchange.engine.resume)(market)

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:  # as above
        store = self.keeping.store
        assert isinstance(store, SlowStore)
        if full:
            store.refuse("the disk is full")
        else:
            store.accept()
        self.run(settled())

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.run(self.seconds(seconds))

    async def seconds(self, count: int) -> None:
        """By both clocks; the loop's own takes no time."""
        for _ in range(count):
            self.outside.second()
            await asyncio.sleep(1)

    @rule(minutes=st.sampled_from([5, 60]))
    def clock_jumps(self, minutes: int) -> None:
        """The machine slept, or somebody set the clock."""

        async def jump() -> None:
            self.outside.clock.advance(minutes * 60)
            self.outside.second()
            await settled()

        self.run(jump())

    @rule(dead=st.sampled_from([0, 0, 20]), move=moves)
    def restart(self, dead: int, move: float) -> None:
        """Killed; the market goes on; and started again on history, latch file and journal."""
        self.run(self.die())
        for _ in range(dead):
            self.outside.second()
        if dead:
            self.run(self.touch(BTC, self.outside.ticker.last(BTC) * (1 + move / 100)))
        self.begin_a_life()

    @rule(lost=st.sampled_from([False, False, False, True]))
    def history_is_lost(self, lost: bool) -> None:
        """Killed, and started without our books: what is at the venue is a stranger's now."""
        if not lost:
            return
        self.run(self.die())
        store = SlowStore(clock=self.outside.clock)
        self.keeping = replace(
            self.keeping, store=store, journal=MemoryJournal(), tag=f"test{self.lives}"
        )
        self.outside.witness.begin_anew()
        self.entered.clear()
        self.begin_a_life()

    # -- what holds at every step --------------------------------------------------------------

    @invariant()
    def promises_are_kept(self) -> None:
        if not hasattr(self, "living"):
            return
        self.outside.witness.remember(self.living.trader.ledger.orders.values())
        assert not self.broken, self.broken
        assert not self.outside.witness.broken, self.outside.witness.broken
        assert self.operator.still_resting()
        assert self.living.heard(CycleFailed) == []
        active = {h.id: h.verb for h in self.living.desk.latch.active}
        assert self.halts.items() <= active.items()
        self.halts = active
        check_shown(self.living.view(), self.living.trader)

    # -- once all is quiet ---------------------------------------------------------------------

    @rule()
    def be_quiet(self) -> None:
        self.exchange.become_well()
        self.outside.depth = DEEP
        for symbol in SYMBOLS:
            self.trading_of(symbol, False)
        self.disk(False)
        for _ in range(4):
            self.run(self.seconds(6))
            self.move(dict.fromkeys(SYMBOLS, 0.0), {})
            self.run(self.cycle())
            self.run(self.do("reconcile"))
        self.run(self.seconds(6))
        self.promises_are_kept()
        self.run(quiet.assert_all_is_right(self.living))


async def _unless_refused(work: Coroutine[Any, Any, object]) -> None:
    with suppress(Refused, NotDone, VenueError):
        await work


SEED = os.environ.get("QUARTERDECK_SEED", "")
USUAL = settings(
    max_examples=200,
    stateful_step_count=25,
    derandomize=not SEED,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
if SEED:
    seed(int(SEED))(Commanding)


@pytest.mark.slow
class TestCommanding(Commanding.TestCase):  # type: ignore[misc,valid-type]  # hypothesis makes it
    settings = USUAL
