"""The process watches itself: its loop, its clock, its life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from pydantic import SecretStr

from chatbot.watch.metrics import Metrics
from chatbot.watch.ping import Ping
from chatbot.watch.process import ClockWatch, Heartbeat, LagWatch, ProcessRate
from storage.memory import MemoryStore
from tests.builders import NOON
from tests.waiting import PATIENCE, until
from tests.world import settled
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.events import ClockJumped, Event, LoopLagged, StillAlive
from trading.ports import Alert


class SettableClock(ManualClock):
    """A machine whose wall clock can be set."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.set_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.set_by


class World:
    def __init__(self, start: datetime = NOON) -> None:
        self.clock = SettableClock(start)
        self.metrics = Metrics()
        self.said: list[Event] = []
        self._turn = 0.0

        def announce(event: Event) -> list[Alert]:
            self.said.append(event)
            return []

        self.recorder = Recorder(
            store=MemoryStore(clock=self.clock),
            bus=Bus(),
            clock=self.clock,
            announce=announce,
            offer=lambda alerts: None,
        )

    @asynccontextmanager
    async def running(self, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        task = asyncio.ensure_future(run())
        await settled()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    def lag_watch(self) -> LagWatch:
        return LagWatch(
            busy=self._longest_turn, clock=self.clock, recorder=self.recorder,
            metrics=self.metrics,
        )  # fmt: skip

    def _longest_turn(self) -> float:
        longest, self._turn = self._turn, 0.0
        return longest

    async def calm(self, seconds: float, *, step: float = 1.0) -> None:
        """Time goes by, and everybody has a turn whenever it wants one."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            await settled(8)

    async def busy(self, seconds: float) -> None:
        """Somebody keeps the loop to himself."""
        self._turn = seconds
        self.clock.advance(max(1.0, seconds))
        await settled()


# -- the loop -------------------------------------------------------------------------------------


async def test_a_loop_that_hangs_is_told_with_how_long() -> None:
    world = World()
    watch = world.lag_watch()
    async with world.running(watch.run):
        await world.calm(5)
        assert world.said == []
        await world.busy(0.9)
        assert world.said == []
        assert watch.worst() == pytest.approx(0.9)

        await world.busy(3)

        (lagged,) = world.said
        assert isinstance(lagged, LoopLagged)
        assert lagged.seconds == pytest.approx(3)
        assert world.metrics.timings["loop_lag"].worst == pytest.approx(3)


async def test_a_loop_that_hangs_again_and_again_is_told_each_ten_minutes_with_the_worst() -> None:
    world = World()
    watch = world.lag_watch()
    async with world.running(watch.run):
        for seconds in (2, 5, 4):
            await world.busy(seconds)
        assert len(world.said) == 1
        await world.calm(600)

    assert [round(e.seconds) for e in world.said if isinstance(e, LoopLagged)] == [2, 5]


async def test_the_worst_lag_is_forgotten_after_a_minute() -> None:
    world = World()
    watch = world.lag_watch()
    async with world.running(watch.run):
        await world.busy(0.5)
        await world.calm(61)

    assert watch.worst() == 0


# -- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1), timedelta(seconds=6)])
async def test_a_clock_that_is_set_is_told_once_in_either_direction(by: timedelta) -> None:
    world = World()
    async with world.running(ClockWatch(clock=world.clock, recorder=world.recorder).run):
        await world.calm(10)
        world.clock.set_by += by
        await world.calm(10)

    (jumped,) = world.said
    assert isinstance(jumped, ClockJumped)
    assert jumped.by == by


async def test_whoever_goes_by_the_wall_clock_hears_of_every_jump_told_or_not() -> None:
    world = World()
    jumps: list[str] = []
    watch = ClockWatch(
        clock=world.clock, recorder=world.recorder, on_jump=lambda: jumps.append("jumped")
    )
    async with world.running(watch.run):
        for _ in range(3):
            world.clock.set_by -= timedelta(hours=1)
            await world.calm(2)

    assert len(jumps) == 3
    assert len(world.said) == 1, "people hear of it seldom"


async def test_a_clock_that_is_kept_right_in_small_steps_is_no_news() -> None:
    world = World()
    async with world.running(ClockWatch(clock=world.clock, recorder=world.recorder).run):
        for _ in range(20):
            world.clock.set_by += timedelta(seconds=2)
            await world.calm(2, step=1)

    assert world.said == []


async def test_a_clock_that_goes_on_jumping_is_told_seldom_and_in_sum() -> None:
    world = World()
    async with world.running(ClockWatch(clock=world.clock, recorder=world.recorder).run):
        for _ in range(5):
            world.clock.set_by += timedelta(seconds=60)
            await world.calm(10, step=1)
        assert len(world.said) == 1
        await world.calm(600, step=1)

    jumps = [event.by.total_seconds() for event in world.said if isinstance(event, ClockJumped)]
    assert jumps == [60, 240]


async def test_there_and_back_is_told_as_it_happened() -> None:
    world = World()
    async with world.running(ClockWatch(clock=world.clock, recorder=world.recorder).run):
        world.clock.set_by += timedelta(days=365)
        await world.calm(700, step=1)
        world.clock.set_by -= timedelta(days=365)
        await world.calm(10, step=1)

    days = [event.by.days for event in world.said if isinstance(event, ClockJumped)]
    assert days == [365, -365]


# -- the heartbeat --------------------------------------------------------------------------------


def a_heartbeat(world: World, at: time | None, zone: str = "UTC") -> Heartbeat:
    return Heartbeat(
        at=at,
        zone=UTC if zone == "UTC" else ZoneInfo(zone),
        clock=world.clock,
        recorder=world.recorder,
        metrics=world.metrics,
    )


async def test_it_says_once_a_day_that_it_lives_and_what_it_did() -> None:
    world = World()
    async with world.running(a_heartbeat(world, time(8)).run):
        world.metrics.of("majors").time("scan", 0.1)
        world.metrics.of("majors").count("cycle_errors")
        await world.calm(20 * 3600, step=60)
        first, *more = world.said
        assert not more
        world.metrics.of("majors").time("scan", 0.1)
        await world.calm(24 * 3600, step=60)

    assert isinstance(first, StillAlive)
    assert (first.at, first.since) == (NOON + timedelta(hours=20), timedelta(hours=20))
    assert (first.scans, first.errors) == (1, 1)
    assert first.next_at == first.at + timedelta(days=1)
    second = world.said[1]
    assert isinstance(second, StillAlive)
    assert (second.since, second.scans, second.errors) == (timedelta(days=1), 1, 0)


async def test_without_a_time_it_never_beats_and_a_reload_gives_it_one() -> None:
    world = World()
    heartbeat = a_heartbeat(world, None)
    async with world.running(heartbeat.run):
        await world.calm(48 * 3600, step=60)
        assert world.said == []
        heartbeat.use(time(13))
        await world.calm(3700, step=60)

    assert [event.at for event in world.said] == [NOON + timedelta(hours=49)]


async def test_a_clock_set_back_by_days_does_not_silence_it() -> None:
    world = World()
    async with world.running(a_heartbeat(world, time(8)).run):
        world.clock.set_by -= timedelta(days=30)
        await world.calm(21 * 3600, step=60)

    assert len(world.said) == 1


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2025, 3, 29, 12, tzinfo=UTC), datetime(2025, 3, 30, 6, tzinfo=UTC)),
        (datetime(2025, 10, 25, 12, tzinfo=UTC), datetime(2025, 10, 26, 7, tzinfo=UTC)),
        (datetime(2025, 7, 1, 6, tzinfo=UTC), datetime(2025, 7, 2, 6, tzinfo=UTC)),
        (datetime(2025, 7, 1, 5, 59, tzinfo=UTC), datetime(2025, 7, 1, 6, tzinfo=UTC)),
    ],
)
def test_it_beats_at_the_time_on_the_wall_summer_and_winter(now: datetime, due: datetime) -> None:
    heartbeat = a_heartbeat(World(now), time(8), "Europe/Berlin")
    assert heartbeat.next_after(now) == due


# -- the dead man's ping --------------------------------------------------------------------------


class Machine:
    """A server on this machine that answers as it is told, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.status = 200
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.put_nowait(request.path)
        return web.Response(status=self.status)


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    machine = Machine()
    app = web.Application()
    app.router.add_get("/{tail:.*}", machine.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    machine.url = f"http://{host}:{port}/ping/secret-1"
    yield machine
    await runner.cleanup()


async def test_the_address_is_asked_once_a_minute(machine: Machine) -> None:
    world = World()
    ping = Ping(url=SecretStr(machine.url), clock=world.clock)
    async with world.running(ping.run):
        for count in (1, 2, 3):
            assert await asyncio.wait_for(machine.asked.get(), PATIENCE) == "/ping/secret-1"
            await until(lambda count=count: ping.sent == count)  # type: ignore[misc]  # bound now
            world.clock.advance(59)
            await settled()
            assert machine.asked.empty()
            world.clock.advance(1)
        assert ping.ok is True


async def test_what_fails_is_logged_once_without_the_address(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    machine.status = 500
    ping = Ping(url=SecretStr(machine.url), clock=world.clock)
    async with world.running(ping.run):
        for _ in range(3):
            await asyncio.wait_for(machine.asked.get(), PATIENCE)
            await until(lambda: ping.problem == "status 500")
            await settled()
            world.clock.advance(60)
        assert ping.ok is False
        machine.status = 200
        while ping.sent == 0:
            world.clock.advance(60)
            await asyncio.wait_for(machine.asked.get(), PATIENCE)
            await until(lambda: not ping.problem)

    told = [record.getMessage() for record in caplog.records if record.name == "chatbot.watch.ping"]
    assert told == [
        "the dead man's ping does not arrive: status 500",
        "the dead man's ping arrives again",
    ]
    assert "secret-1" not in caplog.text


async def test_nobody_there_is_a_failure_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    ping = Ping(url=SecretStr("http://127.0.0.1:1/ping/secret-2"), clock=world.clock)
    async with world.running(ping.run):
        await until(lambda: ping.ok is False)

    assert "secret-2" not in caplog.text
    assert "ClientConnectorError" in ping.problem


async def test_without_an_address_nobody_is_asked() -> None:
    world = World()
    ping = Ping(url=None, clock=world.clock)
    async with world.running(ping.run):
        await world.calm(300, step=60)

    assert (ping.ok, ping.sent) == (None, 0)


# -- rates ----------------------------------------------------------------------------------------


def test_a_rate_is_that_of_the_last_minutes() -> None:
    clock, figure = ManualClock(NOON), [0.0]
    rate = ProcessRate(lambda: figure[0], clock, seconds=300)
    for _ in range(60):
        clock.advance(5)
        figure[0] += 10
        rate.grown()
    assert rate.grown() == 600
    assert rate.per_second() == pytest.approx(2)

    for _ in range(60):
        clock.advance(5)
        rate.grown()
    assert rate.grown() == 0
