"""Two traders on one desk: the real app on real files and its real socket; only time is ours.

A venue of one of them breaks in a way that nobody foresaw.  That trader is announced, started
again with more and more patience, and its positions are protected again; the other never notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatbot.app.start import App
from chatbot.app.traders import CRASHED, FIRST_DELAY, LONGEST_DELAY, STEADY
from chatbot.folder.calling import ask
from chatbot.folder.history import HISTORY
from chatbot.folder.state import StateFolder
from chatbot.settings import load
from chatbot.wiring.build import build
from storage.store import SqlStore
from tests.builders import ADA, BTC, ETH, NOON, XRP
from tests.fakes import FaultyVenue
from tests.waiting import PATIENCE, until
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import Event, HaltEngaged, TraderCrashed, TraderRestarted
from trading.model.halt import Halt, Permit
from trading.ports import Venue
from trading.trader import Trader
from trading.types import Order, OrderReport, OrderRole, OrderStatus, Side, Symbol

SHIPPED = (Path(__file__).parents[2] / "bot.toml").read_text(encoding="utf-8")
SECOND = """
[traders.minors]
venue = "paper"
feed = "crash"
strategy = "ema_cross"
symbols = ["XRP/USDT", "ADA/USDT", "DOGE/USDT"]
capital = 5000
parameters = {fast = 12, slow = 48}
"""
TWO = SHIPPED.replace('"XRP/USDT", "ADA/USDT", "DOGE/USDT"]', "]").replace(", ]", "]") + SECOND
STILL = {"QUARTERDECK__CHAT__CONSOLE__ENABLED": "false", "QUARTERDECK__FEEDS__CRASH__SPEED": "1"}


class BreakingVenue(FaultyVenue):
    """Breaks on our side, as a bug does, whenever a stop is placed while it is told to."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self.breaking = False
        self.broke = 0

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        if self.breaking and order.role is OrderRole.PROTECT:
            self.broke += 1
            raise RuntimeError("a fault that nobody foresaw")
        return await super().place(order, permit)


@dataclass
class TwoTraders:
    """What a test touches."""

    app: App
    clock: ManualClock
    venues: dict[str, BreakingVenue]
    said: list[Event] = field(default_factory=list)

    def trader(self, name: str) -> Trader:
        return self.app.desk.traders[name]

    def heard(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.said if type(event) is kind]

    async def say(self, text: str) -> dict[str, Any]:
        """Over the control socket, as `quarterdeck say` does, confirmed if it asks."""
        socket = self.app.folder.socket
        asking = asyncio.create_task(asyncio.to_thread(ask, socket, text, timeout=PATIENCE))
        await self.until(asking.done)
        answer = asking.result()
        if answer["outcome"] != "confirm":
            return answer
        commands = [choice["command"] for choice in answer["choices"]]
        return await self.say(next(c for c in commands if c.startswith("/confirm ")))

    async def until(self, true: Callable[[], object], *, step: float = 0.0) -> None:
        """Let the desk work until *true*; each look moves the clock by *step* seconds."""
        await until(true, meanwhile=lambda: self.clock.advance(step), pause=0.001)

    async def buy(self, name: str, symbol: Symbol, notional: int = 400) -> None:
        await self.app.desk.manual(name).enter(
            symbol, Side.BUY, Decimal(notional), by="anna, console"
        )

    def protected(self, name: str) -> bool:
        """Whether something is open, and the venue has taken a stop for all of it."""
        ledger = self.trader(name).ledger
        stops = ledger.alive_of(OrderRole.PROTECT)
        taken = {o.symbol: o.remaining for o in stops if o.status is OrderStatus.OPEN}
        held = {p.symbol: abs(p.quantity) for p in ledger.positions.values()}
        return bool(held) and taken == held

    async def crash(self, name: str = "minors", symbol: Symbol = XRP) -> None:
        """Have *name* open a position whose stop breaks its loops."""
        self.venues[name].breaking = True
        with suppress(RuntimeError):  # whoever meets the fault first
            await self.buy(name, symbol)
        await self.until(lambda: self.heard(TraderCrashed), step=0.2)

    async def crashes_until(self, count: int, name: str = "minors") -> None:
        """Let it crash again and again, so often in all; time goes by only while it rests."""
        crashes = self.app.watching.metrics.of(name).counters
        while crashes["crashes"] < count:
            resting = self.trader(name).block == CRASHED
            self.clock.advance(0.5 if resting else 0.01)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def two_traders(folder: Path, **environ: str) -> AsyncIterator[TwoTraders]:
    (folder / "bot.toml").write_text(TWO, encoding="utf-8")
    settings = load(folder / "bot.toml", STILL | environ)
    clock, venues = ManualClock(NOON), dict[str, BreakingVenue]()

    def line(name: str, venue: Venue) -> Venue:
        venues[name] = BreakingVenue(venue)
        return venues[name]

    with StateFolder(settings.state_dir) as state:
        store = await SqlStore.open(state.path / HISTORY, clock=clock)
        app = await build(settings, state, store, clock, line=line)
        desk = TwoTraders(app, clock, venues)

        async def hear(event: Event) -> None:
            desk.said.append(event)

        app.bus.subscribe(hear)
        running = asyncio.create_task(app.run(began=clock.monotonic(), for_seconds=None))
        await desk.until(lambda: all(t.ready for t in app.desk.traders.values()), step=0.01)
        await desk.until(app.folder.socket.exists)
        try:
            yield desk
        finally:
            app.desk.shutdown(by="the test")
            await desk.until(running.done, step=0.1)
            assert running.result() == 0
            await store.close()


# -- one crashes --------------------------------------------------------------------------------


async def test_a_crash_is_announced_with_its_reference_and_the_other_trader_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.crash()

        (crashed,) = desk.heard(TraderCrashed)
        assert (crashed.trader, crashed.again_in.total_seconds()) == ("minors", FIRST_DELAY)
        assert crashed.reference in caplog.text
        assert "a fault that nobody foresaw" in caplog.text

        await desk.buy("majors", BTC)
        await desk.until(lambda: desk.protected("majors"), step=0.01)
        assert desk.trader("majors").block == ""
        assert not desk.protected("minors")


async def test_a_crashed_trader_takes_no_entries_until_it_runs_again(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.crash()
        assert desk.trader("minors").block == CRASHED
        with pytest.raises(Refused, match=CRASHED):
            await desk.buy("minors", ADA)


async def test_once_the_fault_is_gone_it_runs_again_and_protects_what_is_open(
    tmp_path: Path,
) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.crash()
        desk.venues["minors"].breaking = False

        await desk.until(lambda: desk.protected("minors"), step=0.05)
        await desk.until(lambda: desk.heard(TraderRestarted), step=1)

        (restarted,) = desk.heard(TraderRestarted)
        assert restarted.trader == "minors"
        assert restarted.after.total_seconds() >= STEADY
        assert desk.trader("minors").block == ""
        await desk.buy("minors", ADA, 100)
        await desk.until(lambda: desk.protected("minors"), step=0.01)


async def test_a_fault_that_stays_is_tried_ever_more_slowly_and_told_seldom(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.crash()
        await desk.crashes_until(11)

        told = desk.heard(TraderCrashed)
        assert [event.again_in.total_seconds() for event in told] == [FIRST_DELAY, LONGEST_DELAY]
        assert not desk.heard(TraderRestarted)
        assert desk.trader("majors").block == ""


async def test_a_stop_does_not_wait_until_a_crashed_trader_is_started_again(
    tmp_path: Path,
) -> None:
    async with two_traders(tmp_path) as desk:
        entry = await rest_an_entry(desk, "minors", ADA)
        await desk.crash()
        await desk.crashes_until(6)
        before = desk.clock.monotonic()

        answer = await desk.say("/stop")

        assert answer["outcome"] == "done"
        await desk.until(lambda: not desk.trader("minors").ledger.orders[entry.id].is_alive)
        assert desk.clock.monotonic() == before, "no time went by"


async def rest_an_entry(desk: TwoTraders, name: str, symbol: Symbol) -> Order:
    trader = desk.trader(name)
    quote = desk.app.desk.views(name).price(symbol).quote
    assert quote is not None
    rules = trader.steps(symbol)
    order = trader.orders.prepare(
        symbol=symbol,
        side=Side.BUY,
        role=OrderRole.ENTRY,
        quantity=rules.quantity(Decimal(100) / quote.price),
        price=rules.price(quote.price * Decimal("0.8")),
    )
    return await trader.orders.enter(order, desk.app.desk.latch.permit(name))


async def test_its_health_shows_that_it_crashed(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        read = desk.app.watching.health.read
        assert (read()["traders_ok"], read()["feed_ok"]) == (True, True)
        await desk.crash()

        assert read()["traders_ok"] is False
        services = desk.app.watching.health.services()
        assert (services["trader minors"], services["trader majors"]) == (False, True)
        assert 'quarterdeck_up{service="trader minors"} 0.0' in desk.app.watching.metrics.text()


# -- words for one and for all ------------------------------------------------------------------


async def test_status_shows_both_and_one_when_asked(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        both = str(await desk.say("/status"))
        one = await desk.say("/status trader=minors")

        assert "majors" in both
        assert "minors" in both
        assert one["title"].startswith("minors: ")
        assert "5,000.00" in one["text"]
        assert "majors" not in str(one)


async def test_a_bare_stop_stops_all_and_a_named_one_only_its_own(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.say("/stop trader=minors")
        assert halted(desk) == {"majors": False, "minors": True}
        await desk.buy("majors", BTC)
        with pytest.raises(Refused):
            await desk.buy("minors", XRP)

        await desk.say("/stop")
        assert halted(desk) == {"majors": True, "minors": True}
        with pytest.raises(Refused):
            await desk.buy("majors", ETH)
        await desk.until(lambda: desk.protected("majors"), step=0.01)


async def test_flatten_names_its_trader_and_leaves_the_other(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.buy("majors", BTC)
        await desk.buy("minors", XRP)

        assert (await desk.say("/flatten"))["outcome"] == "refused", "which trader"
        await desk.say("/flatten trader=minors")

        await desk.until(lambda: not desk.trader("minors").ledger.positions, step=0.01)
        await desk.until(lambda: desk.protected("majors"), step=0.01)
        assert halted(desk) == {"majors": False, "minors": True}


async def test_flatten_all_closes_what_it_can_though_one_venue_breaks(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.buy("majors", BTC)
        await desk.crash()  # minors holds a position, and breaks again and again

        told = await desk.say("/flatten all")

        assert told["title"].startswith("⚠ Flattening all 2 traders (paper)")
        await desk.until(lambda: not desk.trader("majors").ledger.positions, step=0.01)
        assert halted(desk) == {"majors": True, "minors": True}
        (halt,) = desk.app.desk.latch.active
        await desk.until(lambda: halt_now(desk).is_flat("majors"), step=0.01)
        desk.venues["minors"].breaking = False
        await desk.until(lambda: halt_now(desk).is_flat("minors"), step=0.2)
        assert halt_now(desk).id == halt.id


async def test_others_hear_of_a_pause_below_a_stop_as_what_it_is(tmp_path: Path) -> None:
    async with two_traders(tmp_path) as desk:
        await desk.say("/stop majors")
        await desk.say("/pause majors")
        await desk.say("/pause")
        await desk.until(lambda: len(desk.heard(HaltEngaged)) == 3)  # told after the answer

        stop, below, beside = desk.heard(HaltEngaged)
        assert (stop.above, stop.hidden) == ((), False)
        assert ([h.id for h in below.above], below.hidden) == ([stop.halt.id], True)
        assert ([h.id for h in beside.above], beside.hidden) == ([stop.halt.id], False)


def halt_now(desk: TwoTraders) -> Halt:
    return next(iter(desk.app.desk.latch.active))


def halted(desk: TwoTraders) -> dict[str, bool]:
    latch = desk.app.desk.latch
    return {name: bool(latch.covering(name)) for name in desk.app.desk.traders}


# -- limits of the account on top ---------------------------------------------------------------


async def test_positions_are_counted_over_all_traders(tmp_path: Path) -> None:
    async with two_traders(tmp_path, QUARTERDECK__LIMITS__MAX_POSITIONS="2") as desk:
        await desk.buy("majors", BTC)
        await desk.buy("minors", XRP)
        for name, symbol in (("majors", ETH), ("minors", ADA)):
            with pytest.raises(Refused, match="2 of 2 positions open on the whole desk"):
                await desk.buy(name, symbol)

        await desk.say("/close BTC")
        await desk.buy("minors", ADA)


async def test_exposure_is_added_up_over_all_traders(tmp_path: Path) -> None:
    # 5 % of 15,000 together: 750.
    async with two_traders(tmp_path, QUARTERDECK__LIMITS__MAX_EXPOSURE="0.05") as desk:
        await desk.buy("majors", BTC, 400)
        await desk.buy("minors", XRP, 300)
        with pytest.raises(Refused):
            await desk.buy("minors", ADA, 300)
        with pytest.raises(Refused):
            await desk.buy("majors", ETH, 300)


# -- rules over all of them ---------------------------------------------------------------------


async def test_a_rule_stops_every_trader_of_a_real_desk(tmp_path: Path) -> None:
    rule = (
        '[{"name": "too many", "condition": "positions >= 2", "duration": "10s", "action": "stop"}]'
    )
    async with two_traders(tmp_path, QUARTERDECK__ALERTS__RULES=rule) as desk:
        await desk.buy("majors", BTC)
        await desk.buy("minors", XRP)

        await desk.until(lambda: all(halted(desk).values()), step=1)

        (halt,) = desk.app.desk.latch.active
        assert (halt.by, halt.why) == ("rule too many", "positions >= 2")
        await desk.until(lambda: desk.protected("majors"), step=0.01)
        await desk.until(lambda: desk.protected("minors"), step=0.01)
        await desk.say("/close BTC")
        await desk.until(lambda: any(type(e).__name__ == "RuleRestored" for e in desk.said), step=1)
        assert all(halted(desk).values()), "a rule never lifts"
