"""What is critical is asked until somebody answers; what people chose outlives the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatbot.delivery.notices import MOST_UNANSWERED, DeskNotices
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from handlers import alerts
from handlers.reply import Level, load
from storage.store import SqlStore
from tests.builders import BTC, ETH, NOON, a_halt, a_quote
from tests.chatbot.delivery.test_outbox import BEN, CLEO, HERE, Chats
from tests.waiting import PATIENCE
from tests.world import settled
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import (
    CycleEnded,
    DeskStopping,
    Event,
    FeedBack,
    FeedLost,
    HaltEngaged,
    PriceReached,
    StopMoved,
    Unprotected,
)
from trading.ports import Alert, Change
from trading.types import Mode, Quote, Symbol

CONSOLE = Subscriber(key=HERE, speaker="console", chat="")
WHO: dict[str, Any] = {"at": NOON, "trader": "majors", "mode": Mode.PAPER}


class World:
    """Everything between an event and a chat, on a real history; the prices are ours."""

    def __init__(
        self,
        store: SqlStore,
        clock: ManualClock,
        *subscribers: Subscriber,
        minutes: float | None,
        guests: Mapping[str, Subscriber] = {},
    ) -> None:
        self.clock = clock
        self.telegram, self.console = Chats("telegram"), Chats("console")
        self.prices: dict[Symbol, Quote] = {}
        self.store = store
        self.outbox = Outbox(
            store=store,
            speakers={"telegram": self.telegram, "console": self.console},
            subscribers=subscribers or (CONSOLE,),
            clock=clock,
            describe=alerts.describe,
            fold=alerts.fold,
            guest=guests.get,
        )
        self.bus = Bus()
        self.bus.subscribe(self.outbox.heard)
        self.recorder = Recorder(
            store=store,
            bus=self.bus,
            clock=clock,
            announce=self.outbox.announce,
            offer=self.outbox.offer,
        )
        self.notices = DeskNotices(
            store=store,
            clock=clock,
            outbox=self.outbox,
            recorder=self.recorder,
            price=lambda trader, symbol: self.prices.get(symbol),
            escalate_after=None if minutes is None else timedelta(minutes=minutes),
        )
        self.outbox.follow(self.notices)
        self.bus.subscribe(self.notices.heard)

    async def say(self, event: Event) -> None:
        await self.recorder.say(event)
        await self.recorder.settle()

    async def halt(self, why: str = "day -3.01 %", *, origin: str = "") -> None:
        """As a guard halts (or, from an origin, a person)."""
        halt = a_halt(by="guard", why=why, guard="day", at=self.clock.now())
        await self.say(
            HaltEngaged(
                at=self.clock.now(), trader="majors", mode=Mode.PAPER, halt=halt, origin=origin
            )
        )

    async def look_after(self, minutes: float) -> None:
        self.clock.advance(minutes * 60)
        await self.notices.look()
        await self.recorder.settle()

    async def alerts_of(self, chat: str, kind: str = "") -> list[Alert]:
        found = await self.store.alerts(chat, limit=500)
        return [alert for alert in found if kind in ("", alert.kind)]

    async def bar(self, price: str, symbol: Symbol = BTC) -> None:
        """A bar closes at *price*."""
        self.prices[symbol] = a_quote(symbol=symbol, price=Decimal(price))
        await self.notices.heard(
            CycleEnded(
                at=self.clock.now(), trader="majors", mode=Mode.PAPER,
                bars=1, decisions=0, seconds=0.1, equity=None,
            )
        )  # fmt: skip
        await self.recorder.settle()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(tmp_path / "history.db", clock=clock)
    yield store
    await store.close()


@pytest.fixture
def world(store: SqlStore, clock: ManualClock) -> World:
    return World(store, clock, minutes=10)


async def again(world: World, *subscribers: Subscriber) -> World:
    """The next process on the same history."""
    fresh = World(world.store, world.clock, *subscribers, minutes=10)
    await fresh.notices.load()
    return fresh


# -- acknowledging --------------------------------------------------------------------------------


async def test_a_critical_alert_brings_the_button_that_answers_it(world: World) -> None:
    await world.halt()

    (alert,) = await world.alerts_of(HERE)
    assert load(alert.body).choices[-1].command == "/ack A1"
    (waiting,) = world.notices.unanswered()
    assert (waiting.id, waiting.chats, waiting.at) == ("A1", (HERE,), NOON)


async def test_what_nobody_answers_is_said_once_more_to_the_console(world: World) -> None:
    await world.halt()

    await world.look_after(9.9)
    assert await world.alerts_of(HERE, "AlertUnanswered") == []
    await world.look_after(0.2)
    await world.look_after(600)

    (called,) = await world.alerts_of(HERE, "AlertUnanswered")
    assert called.level == Level.CRITICAL
    assert len(world.notices.unanswered()) == 1, "it can still be answered"


async def test_what_is_answered_is_not_said_again(world: World) -> None:
    await world.halt()
    await world.notices.acknowledge(["A1"], by="ben, console")

    await world.look_after(60)

    assert await world.alerts_of(HERE, "AlertUnanswered") == []
    assert world.notices.unanswered() == ()


async def test_several_are_one_call(world: World) -> None:
    await world.halt("one")
    await world.say(Unprotected(**WHO, symbol=BTC, quantity=Decimal(1), reason="refused"))

    await world.look_after(11)

    (called,) = await world.alerts_of(HERE, "AlertUnanswered")
    assert "(and 1 more)" in load(called.body).text


async def test_the_same_words_again_are_the_same_question(world: World) -> None:
    for _ in range(5):
        await world.say(Unprotected(**WHO, symbol=BTC, quantity=Decimal(1), reason="refused"))

    assert [u.id for u in world.notices.unanswered()] == ["A1"]


async def test_what_a_person_did_in_a_chat_needs_no_answer(
    store: SqlStore, clock: ManualClock
) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111")
    world = World(store, clock, CONSOLE, ben, minutes=10)

    await world.halt(origin=BEN)

    assert len(await world.alerts_of(HERE)) == 1
    assert world.notices.unanswered() == ()


async def test_neither_does_the_end_of_the_process_nor_what_is_less_than_critical(
    world: World,
) -> None:
    await world.say(DeskStopping(at=NOON, by="SIGTERM", open_positions=(BTC,), unprotected=(BTC,)))
    await world.say(FeedLost(**WHO, silent=timedelta(seconds=30)))

    assert world.notices.unanswered() == ()


async def test_without_a_patience_nobody_is_asked(store: SqlStore, clock: ManualClock) -> None:
    world = World(store, clock, minutes=None)
    await world.halt()

    await world.look_after(600)

    assert world.notices.unanswered() == ()
    assert await world.alerts_of(HERE, "AlertUnanswered") == []


async def test_acting_where_it_was_told_is_an_answer_and_elsewhere_is_none(world: World) -> None:
    await world.halt()

    world.notices.acted("local:1000", by="a script, terminal")
    assert len(world.notices.unanswered()) == 1
    world.notices.acted(HERE, by="anna, console")
    await world.recorder.settle()

    assert world.notices.unanswered() == ()
    assert (await again(world)).notices.unanswered() == ()


async def test_a_restart_forgets_no_question_and_uses_no_number_twice(world: World) -> None:
    await world.halt("one")
    await world.notices.acknowledge(["A1"], by="ben")
    await world.halt("two")

    fresh = await again(world)
    await fresh.look_after(11)
    await fresh.halt("three")

    assert len(await fresh.alerts_of(HERE, "AlertUnanswered")) == 1
    assert next(u.id for u in fresh.notices.unanswered()) == "A2"
    assert (await again(fresh)).notices.unanswered()[0].escalated, "it is not called a second time"


async def test_questions_are_bounded(world: World) -> None:
    for number in range(MOST_UNANSWERED + 5):
        world.notices._remembered(f"{number}", NOON, (HERE,))

    ids = [u.id for u in world.notices.unanswered()]
    assert len(ids) == MOST_UNANSWERED
    assert ids[0] == "A6"


# -- the other owners -----------------------------------------------------------------------------


async def test_the_owner_who_was_not_told_is_called(store: SqlStore, clock: ManualClock) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111", owner=False)
    anna = Subscriber(key=CLEO, speaker="telegram", chat="222", on_call=True)
    world = World(store, clock, CONSOLE, ben, anna, minutes=10)

    await world.halt()
    assert await world.alerts_of(CLEO) == [], "who is on call hears of nothing else"
    await world.look_after(11)

    assert [alert.kind for alert in await world.alerts_of(CLEO)] == ["AlertUnanswered"]
    assert await world.alerts_of(HERE, "AlertUnanswered") == []
    assert await world.alerts_of(BEN, "AlertUnanswered") == []


async def test_when_every_owner_was_told_all_of_them_are_called(
    store: SqlStore, clock: ManualClock
) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111", owner=False)
    anna = Subscriber(key=CLEO, speaker="telegram", chat="222")
    world = World(store, clock, CONSOLE, ben, anna, minutes=10)

    await world.halt()
    await world.look_after(11)

    called = {
        chat: len(await world.alerts_of(chat, "AlertUnanswered")) for chat in (HERE, BEN, CLEO)
    }
    assert called == {HERE: 1, BEN: 0, CLEO: 1}


async def test_it_calls_by_itself_while_it_runs(world: World) -> None:
    await world.halt()
    task = asyncio.create_task(world.notices.run())
    for _ in range(121):
        await settled(8)
        world.clock.advance(5)
    await settled()
    await world.recorder.settle()
    task.cancel()
    await asyncio.wait([task])

    assert [u.escalated for u in world.notices.unanswered()] == [True]


# -- what a chat hears ----------------------------------------------------------------------------


@asynccontextmanager
async def delivering(world: World) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(world.outbox.run()), asyncio.create_task(world.bus.run())]
    try:
        yield
        async with asyncio.timeout(PATIENCE):
            while await world.store.waiting_alerts(limit=1):
                await asyncio.sleep(0.001)  # the database answers in its own time
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def moved() -> StopMoved:
    return StopMoved(
        **WHO,
        symbol=BTC,
        old=Decimal(95),
        new=Decimal(96),
        why="trailing",
        on_venue=True,
    )


async def test_a_muted_kind_is_silent_there_and_told_elsewhere_and_after_a_restart(
    store: SqlStore, clock: ManualClock
) -> None:
    both = (CONSOLE, Subscriber(key=BEN, speaker="telegram", chat="111"))
    world = World(store, clock, *both, minutes=10)
    await world.notices.hear(HERE, at_least=Level.INFO, muted=frozenset({"StopMoved"}))

    for each in (world, await again(world, *both)):
        async with delivering(each):
            await each.say(moved())
        assert each.console.heard == []
        assert len(each.telegram.heard) == 1


async def test_a_level_holds_for_one_chat(store: SqlStore, clock: ManualClock) -> None:
    both = (CONSOLE, Subscriber(key=BEN, speaker="telegram", chat="111"))
    world = World(store, clock, *both, minutes=10)
    await world.notices.hear(BEN, at_least=Level.CRITICAL, muted=frozenset({"HaltEngaged"}))

    async with delivering(world):
        await world.say(FeedBack(**WHO, gap=timedelta(seconds=9)))
        await world.halt()

    assert len(world.console.heard) == 2
    assert len(world.telegram.heard) == 1, "critical alerts come, muted or not"


async def test_settings_change_the_level_unless_the_chat_has_chosen(world: World) -> None:
    world.notices.use(None, {HERE: Level.NOTICE})
    assert world.outbox.preferences(HERE).at_least is Level.NOTICE

    await world.notices.hear(HERE, at_least=Level.URGENT, muted=frozenset())
    fresh = await again(world)
    fresh.notices.use(None, {HERE: Level.INFO})
    assert fresh.outbox.preferences(HERE).at_least is Level.URGENT


async def test_a_chat_that_nobody_subscribed_hears_nothing(world: World) -> None:
    assert world.notices.preferences(BEN) is None


async def test_a_note_that_cannot_be_read_is_left_out(world: World) -> None:
    for name in ("unanswered", "price_notices", f"hearing {HERE}"):
        await world.store.commit(Change(notes=((name, "{coffee"),)))

    fresh = await again(world)

    assert (fresh.notices.unanswered(), fresh.notices.price_notices()) == ((), ())


# -- prices ---------------------------------------------------------------------------------------


def prices_told(found: Sequence[Alert]) -> list[str]:
    return [load(alert.body).title.replace("\u00a0", " ") for alert in found]


async def ask(world: World, level: str, *, above: bool = True, chat: str = HERE) -> int:
    made = await world.notices.notify(
        BTC, above=above, level=Decimal(level), by="ben, console", chat=chat
    )
    return made.number


async def test_a_price_is_told_once_when_a_bar_closes_there(world: World) -> None:
    await ask(world, "110")
    await ask(world, "90", above=False)

    for price in ("109.99", "110", "120", "90.01", "90", "80"):
        await world.bar(price)

    assert prices_told(await world.alerts_of(HERE, PriceReached.__name__)) == [
        "BTC is at 90, below 90",
        "BTC is at 110, above 110",
    ]
    assert world.notices.price_notices() == ()


async def test_another_symbol_does_not_count(world: World) -> None:
    await ask(world, "110")
    await world.bar("4000", ETH)

    assert await world.alerts_of(HERE) == []


async def test_only_who_asked_is_told_whatever_the_chat_hears_else(
    store: SqlStore, clock: ManualClock
) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111", at_least=Level.URGENT)
    world = World(store, clock, CONSOLE, ben, minutes=10)
    await ask(world, "110", chat=BEN)
    await world.bar("111")

    assert (len(await world.alerts_of(BEN)), len(await world.alerts_of(HERE))) == (1, 0)


DORA = "telegram:333"
GUESTS = {
    key: Subscriber(
        key=key, speaker="telegram", chat=key.removeprefix("telegram:"), owner=False, on_call=True
    )
    for key in (DORA, "telegram:-100/5")
}


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[None]:
    work = asyncio.create_task(world.outbox.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def until(world: World, holds: Callable[[], bool]) -> None:
    """Let time pass until it is so; the history answers in its own time."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            world.clock.advance(0.5)
            await world.store.waiting_alerts(limit=1)
            await settled()


@pytest.mark.parametrize("chat", GUESTS)
@pytest.mark.parametrize("others", [(), (CONSOLE,)])
async def test_a_chat_that_hears_no_alerts_is_told_what_was_asked_for_there(
    store: SqlStore, clock: ManualClock, chat: str, others: tuple[Subscriber, ...]
) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111", on_call=True)
    world = World(store, clock, ben, *others, minutes=10, guests=GUESTS)
    await ask(world, "110", chat=chat)
    async with at_work(world):
        await world.bar("111")
        await world.halt()
        await until(world, lambda: bool(world.telegram.heard))
    place = GUESTS[chat].chat
    assert world.telegram.titles(place) == ["BTC is at 111, above 110"]
    assert world.telegram.titles("111") == []
    assert not any("BTC is at" in title for title in world.console.titles(""))
    assert world.notices.price_notices() == ()
    assert world.notices.preferences(chat) is None
    assert chat not in [each.key for each in world.outbox.subscribers]


async def test_what_was_asked_there_is_told_after_a_restart(world: World) -> None:
    first = World(world.store, world.clock, CONSOLE, minutes=10, guests=GUESTS)
    await ask(first, "110", chat=DORA)
    await ask(first, "120", chat=DORA)
    await first.bar("111")  # booked, and the process ends before it is told
    fresh = World(world.store, world.clock, CONSOLE, minutes=10, guests=GUESTS)
    await fresh.notices.load()
    async with at_work(fresh):
        await fresh.bar("121")
        await until(fresh, lambda: len(fresh.telegram.heard) == 2)
    assert fresh.telegram.titles("333") == ["BTC is at 111, above 110", "BTC is at 121, above 120"]


async def test_other_alerts_that_wait_for_a_chat_outside_the_settings_still_wait(
    store: SqlStore, clock: ManualClock
) -> None:
    dora = Subscriber(key=DORA, speaker="telegram", chat="333")
    await World(store, clock, dora, minutes=10).halt()
    world = World(store, clock, CONSOLE, minutes=10, guests=GUESTS)
    async with at_work(world):
        await world.say(DeskStopping(at=NOON, by="ben", open_positions=(), unprotected=()))
        await until(world, lambda: bool(world.console.heard))
    assert world.telegram.heard == []


async def test_whom_nobody_would_tell_is_refused_and_nothing_is_used_up(
    store: SqlStore, clock: ManualClock
) -> None:
    ben = Subscriber(key=BEN, speaker="telegram", chat="111", at_least=Level.CRITICAL)
    world = World(store, clock, ben, minutes=10, guests=GUESTS)
    with pytest.raises(Refused, match="This place cannot be written to, and no chat hears"):
        await ask(world, "110", chat="local:1000")
    await ask(world, "110", chat=DORA)
    later = World(store, clock, ben, minutes=10)  # dora is gone from the settings
    await later.notices.load()
    await later.bar("111")
    assert len(later.notices.price_notices()) == 1
    assert await later.alerts_of(BEN) == []


async def test_asked_over_the_socket_everybody_is_told(world: World) -> None:
    await ask(world, "110", chat="local:1000")
    await world.bar("111")

    assert len(await world.alerts_of(HERE)) == 1


async def test_prices_are_waited_for_over_a_restart(world: World) -> None:
    first, second = await ask(world, "110"), await ask(world, "120")
    assert await ask(world, "110") == first, "asked twice is asked once"
    assert await world.notices.forget(second)
    assert not await world.notices.forget(second)

    fresh = await again(world)
    assert [n.level for n in fresh.notices.price_notices()] == [Decimal(110)]
    assert await ask(fresh, "130") == 3, "no number is used twice"
    await fresh.bar("111")
    assert [n.level for n in (await again(fresh)).notices.price_notices()] == [Decimal(130)]
