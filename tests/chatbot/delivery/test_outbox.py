"""How news reaches the chats, whatever they do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from chatbot.delivery.budget import Crowded
from chatbot.delivery.bursts import BURST, Repeats, Throttle, next_burst
from chatbot.delivery.outbox import PAGE, Outbox
from chatbot.delivery.waiting import Delivery, Subscriber, Throttled
from handlers.in_place import Stories
from handlers.reply import Level, Reply, dump
from storage.memory import MemoryStore
from tests.builders import NOON, after
from tests.handlers.story import reads
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.events import Event, HistoryFailed
from trading.ports import Alert, Change

BEN, CLEO, HERE = "telegram:111", "telegram:222", "console:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Event):
    """An event that reads as its text."""

    text: str
    level: Level = Level.URGENT


def describe(event: Event) -> Reply | None:
    if isinstance(event, Said):
        return Reply(title=event.text, level=event.level) if event.text else None
    raise ValueError("no words for it")


def fold(replies: Sequence[tuple[str, Reply]], *, seconds: int) -> Reply:
    return Reply(title=f"{len(replies)} events: " + ", ".join(reply.title for _, reply in replies))


class Chats:
    """A platform that fails when told to, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[tuple[str, str, bool]] = []
        self.asked = 0
        self.broken: Exception | None = None
        self.hung: set[str] = set()
        self.blocks: dict[str, Exception] = {}
        """What single chats raise."""
        self.texts: list[str] = []
        self.replies: list[Reply] = []

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        self.asked += 1
        if chat in self.hung:
            await asyncio.Event().wait()
        if self.broken is not None:
            raise self.broken
        if chat in self.blocks:
            raise self.blocks[chat]
        self.heard.append((chat, reply.title, silent))
        self.texts.append(reply.text)
        self.replies.append(reply)

    def titles(self, chat: str) -> list[str]:
        return [title for at, title, _ in self.heard if at == chat]


class CountingStore(MemoryStore):
    """Remembers how many alerts it was asked for."""

    def __init__(self, *, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.limits: list[int] = []

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        self.limits.append(limit)
        return await super().waiting_alerts(limit=limit)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.store: MemoryStore = MemoryStore(clock=self.clock)
        self.telegram = Chats("telegram")
        self.console = Chats("console")
        self.outbox = self.new_outbox()

    def new_outbox(self, *subscribers: Subscriber, stories: Stories | None = None) -> Outbox:
        return Outbox(
            store=self.store,
            speakers={"telegram": self.telegram, "console": self.console},
            subscribers=subscribers
            or (
                Subscriber(key=BEN, speaker="telegram", chat="111"),
                Subscriber(key=CLEO, speaker="telegram", chat="222", at_least=Level.URGENT),
                Subscriber(key=HERE, speaker="console", chat=""),
            ),
            clock=self.clock,
            describe=describe,
            fold=fold,
            delivery=Delivery(),
            stories=stories,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.outbox.run())
        await self.settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    async def say(self, text: str, level: Level = Level.URGENT) -> Sequence[Alert]:
        """Book an event with its alerts, as the ledger does."""
        event = Said(at=self.clock.now(), text=text, level=level)
        alerts = tuple(self.outbox.announce(event))
        await self.store.commit(Change(alerts=alerts))
        await self.outbox.heard(event)
        await self.settle()
        return alerts

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.wake_next(until):
            await self.settle()

    async def in_store(self) -> list[str]:
        return [alert.to for alert in await self.store.waiting_alerts(limit=1_000)]


@pytest.fixture
def world() -> World:
    return World()


# -- announcing -----------------------------------------------------------------------------------


async def test_an_event_becomes_one_alert_for_each_chat_that_wants_it(world: World) -> None:
    loud = world.outbox.announce(Said(at=NOON, text="Feed lost"))
    quiet = world.outbox.announce(Said(at=NOON, text="Opened BTC", level=Level.INFO))

    assert [alert.to for alert in loud] == [BEN, CLEO, HERE]
    assert [alert.to for alert in quiet] == [BEN, HERE]
    assert len({alert.id for alert in (*loud, *quiet)}) == 5
    assert {(a.kind, a.level, a.at) for a in loud} == {("Said", 30, NOON)}


async def test_a_silent_event_makes_no_alert(world: World) -> None:
    assert world.outbox.announce(Said(at=NOON, text="")) == ()


async def test_an_event_without_words_is_named_all_the_same(world: World) -> None:
    async with world.running():
        await world.store.commit(
            Change(alerts=tuple(world.outbox.announce(HistoryFailed(at=NOON, why="full"))))
        )
        world.outbox.wake()
        await world.settle()

    assert world.console.heard == [
        ("", "⚠ HistoryFailed: its message could not be made", False),
    ]


# -- delivering -----------------------------------------------------------------------------------


async def test_an_alert_reaches_every_chat_and_waits_no_more(world: World) -> None:
    async with world.running():
        await world.say("Feed lost")

    assert world.telegram.heard == [("111", "Feed lost", False), ("222", "Feed lost", False)]
    assert world.console.heard == [("", "Feed lost", False)]
    assert await world.in_store() == []
    assert world.outbox.waiting() == 0


async def test_only_urgent_and_critical_make_a_sound(world: World) -> None:
    async with world.running():
        for level in Level:
            await world.say(level.name, level)

    assert world.console.heard == [
        ("", "INFO", True),
        ("", "NOTICE", True),
        ("", "URGENT", False),
        ("", "CRITICAL", False),
    ]


async def test_what_waited_over_a_restart_is_told_critical_first_then_oldest(world: World) -> None:
    for number, level in enumerate([Level.URGENT, Level.NOTICE, Level.CRITICAL, Level.URGENT]):
        await world.say(f"{number} {level.name}", level)
        world.clock.advance(20)

    world.outbox = world.new_outbox()
    async with world.running():
        pass

    assert world.telegram.titles("111") == ["2 CRITICAL", "0 URGENT", "1 NOTICE", "3 URGENT"]
    assert await world.in_store() == []


async def test_a_commit_that_nobody_tells_of_is_found(world: World) -> None:
    async with world.running():
        alerts = world.outbox.announce(Said(at=NOON, text="Feed lost"))
        await world.store.commit(Change(alerts=tuple(alerts)))
        await world.advance(5)

    assert world.telegram.titles("111") == ["Feed lost"]


async def test_many_that_wait_for_one_chat_do_not_hide_those_of_another(world: World) -> None:
    world.telegram.broken = ConnectionError("down")
    async with world.running():
        for number in range(350):
            await world.say(f"Halted {number}", Level.CRITICAL)

    assert len(world.console.heard) == 350
    assert world.outbox.waiting() == 700


async def test_a_chat_that_is_gone_from_the_settings_keeps_its_alerts_for_a_week(
    world: World,
) -> None:
    await world.say("Feed lost")
    world.outbox = world.new_outbox(Subscriber(key=HERE, speaker="console", chat=""))
    async with world.running():
        assert await world.in_store() == [BEN, CLEO]

        world.clock.advance(7 * 24 * 3600 + 10)
        await world.settle()
        await world.advance(10)

    assert world.outbox.waiting() == 0
    assert await world.in_store() == []
    assert world.telegram.heard == []


async def test_what_is_given_up_is_one_line_of_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(250):
        await world.say(f"Halted {number}", Level.CRITICAL)
    world.clock.advance(8 * 24 * 3600)
    world.outbox = world.new_outbox(Subscriber(key=HERE, speaker="console", chat=""))

    async with world.running():
        await world.say("Feed lost")
        await world.advance(120)

    assert world.console.titles("")[-1] == "Feed lost"
    assert await world.in_store() == []
    told = [r.getMessage() for r in caplog.records if "given up" in r.getMessage()]
    assert told == [
        "500 alerts given up: no longer in the settings: telegram:111, telegram:222",
    ]


async def test_alerts_of_a_chat_that_is_gone_do_not_make_the_store_list_ever_more(
    world: World,
) -> None:
    for number in range(250):
        await world.say(f"Halted {number}", Level.CRITICAL)
    store = CountingStore(clock=world.clock)
    waiting = await world.store.waiting_alerts(limit=1_000)
    await store.commit(Change(alerts=tuple(a for a in waiting if a.to != HERE)))
    world.store = store
    world.outbox = world.new_outbox(Subscriber(key=HERE, speaker="console", chat=""))

    async with world.running():
        await world.advance(20)
        store.limits.clear()
        await world.advance(60)

    assert set(store.limits) == {500 + PAGE}
    assert len(store.limits) == 60 / 5


async def test_a_body_that_cannot_be_read_still_says_what_happened(world: World) -> None:
    alert = Alert(id="1|x", to=HERE, level=40, kind="HaltEngaged", at=NOON, body="{}")
    await world.store.commit(Change(alerts=(alert,)))
    async with world.running():
        pass

    assert world.console.heard == [
        ("", "⚠ HaltEngaged at 12:00:00 UTC: its message cannot be read", False)
    ]


# -- failing --------------------------------------------------------------------------------------


async def test_a_chat_that_hangs_delays_only_itself(world: World) -> None:
    world.telegram.hung.add("111")
    async with world.running():
        await world.say("Feed lost")

        assert world.telegram.titles("222") == ["Feed lost"]
        assert world.console.titles("") == ["Feed lost"]
        assert world.outbox.waiting() == 1

        world.telegram.hung.clear()
        await world.advance(31)  # 30 s of patience, and a second until the next try

    assert world.telegram.titles("111") == ["Feed lost"]


async def test_failures_are_retried_ever_more_slowly_and_for_ever(world: World) -> None:
    world.console.broken = ConnectionError("down")
    asked = []
    async with world.running():
        await world.say("Feed lost")
        for _ in range(400):
            asked.append(world.console.asked)
            await world.advance(1)

    tries = [second for second, (a, b) in enumerate(itertools.pairwise(asked), 1) if b > a]
    assert tries == [1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]
    assert await world.in_store() == [HERE]


async def test_a_throttled_chat_waits_as_long_as_it_was_told_and_is_not_down(world: World) -> None:
    world.console.broken = Throttled(17)
    async with world.running():
        await world.say("Feed lost")
        world.console.broken = None
        await world.advance(16)
        assert world.console.heard == []
        await world.advance(1)

        assert world.console.titles("") == ["Feed lost"]
        assert world.outbox.health()["console"].failing_since is None


async def test_something_critical_passes_what_waits_for_room(world: World) -> None:
    world.console.broken = Crowded(50)
    async with world.running():
        await world.say("Feed lost")
        world.console.broken = None
        await world.advance(5)
        assert world.console.heard == []
        await world.say("Halted", Level.CRITICAL)

        assert world.console.titles("")[0] == "Halted"
        assert world.outbox.health()["console"].failing_since is None


async def test_something_critical_is_tried_although_the_chat_is_failing(world: World) -> None:
    world.console.broken = ConnectionError("down")
    async with world.running():
        await world.say("Feed lost")
        await world.advance(40)
        world.console.broken = None
        await world.say("Halted", Level.CRITICAL)

        assert world.console.titles("") == ["Halted", "Feed lost"]


async def test_a_chat_that_is_back_hears_what_is_critical_first_and_the_rest_at_once(
    world: World,
) -> None:
    async with world.running():
        world.console.broken = ConnectionError("down")
        await world.say("⚠ Drawdown -5.00 % (paper): 9,727.77 of peak 10,240.00 USDT")
        await world.advance(161)
        await world.say("✓ Resolved in 9 s: the venue never had it", Level.NOTICE)
        await world.say("Closed SOL short at target (paper), +33.27 USDT (+3.40 %)", Level.NOTICE)
        await world.say("■ Halted majors (paper) by guard", Level.CRITICAL)
        await world.advance(14 * 60 - 161)
        world.console.broken = None
        await world.advance(60)

    first, last = world.console.replies
    assert first.title == "■ Halted majors (paper) by guard"
    reads(
        last,
        """\
✓ Console back after 14 min: 4 alerts waited
1 critical went first. The rest, UTC:
  12:00:00  Drawdown -5.00 %
  12:02:41  Resolved in 9 s
  12:02:41  Closed SOL sho… +33.27
[All 4: /alerts last 4]""",
    )
    assert last.level is Level.URGENT  # as loud as what it tells
    assert await world.in_store() == []


async def test_of_many_that_waited_the_gravest_and_newest_are_listed(world: World) -> None:
    async with world.running():
        world.console.broken = ConnectionError("down")
        await world.say("⚠ Feed lost 30 s ago (paper)")
        for number in range(45):
            await world.advance(20)
            await world.say(f"Opened BTC long {number}", Level.INFO)
        world.console.broken = None
        await world.advance(60)

    (only,) = world.console.replies
    assert only.lead == "5 of them, UTC:"
    assert only.table is not None
    assert [row[1] for row in only.table.rows] == [
        "Feed lost 30 s ago",
        *(f"Opened BTC long {number}" for number in (41, 42, 43, 44)),
    ]
    assert [c.command for c in only.choices] == ["/alerts last 46"]
    assert await world.in_store() == []


async def test_after_critical_news_alone_the_chat_hears_that_it_was_away(world: World) -> None:
    async with world.running():
        world.console.broken = ConnectionError("down")
        await world.say("Halted", Level.CRITICAL)
        await world.advance(600)
        world.console.broken = None
        await world.advance(60)

    first, last = world.console.replies
    assert first.title == "Halted"
    assert last.title.replace("\u00a0", " ") == "✓ Console back after 10 min: 1 alert waited"
    assert (last.lead, last.table, last.level) == ("1 critical went first.", None, Level.NOTICE)


async def test_a_short_failure_is_not_worth_a_word(world: World) -> None:
    async with world.running():
        world.console.broken = ConnectionError("down")
        await world.say("Feed lost")
        await world.advance(30)
        world.console.broken = None
        await world.advance(60)

    assert world.console.titles("") == ["Feed lost"]


async def test_who_wants_only_urgent_news_is_not_told_of_the_connection(world: World) -> None:
    async with world.running():
        world.telegram.broken = ConnectionError("down")
        await world.say("Feed lost")
        await world.advance(600)
        world.telegram.broken = None
        await world.advance(60)

    assert world.telegram.titles("222") == ["Feed lost"]
    assert [t[:15] for t in world.telegram.titles("111")] == ["✓ Telegram back"]


async def test_health_tells_since_when_and_what_but_not_the_words(world: World) -> None:
    async with world.running():
        await world.say("Feed lost")
        await world.advance(60)
        world.telegram.broken = ConnectionError("https://api.telegram.org/botTOKEN/")
        await world.say("Feed back", Level.NOTICE)
        health = world.outbox.health()["telegram"]

    assert health.last_success == NOON
    assert health.failing_since == after(seconds=60)
    assert health.problem == "ConnectionError"
    assert health.waiting == 1


# -- the store fails ------------------------------------------------------------------------------


async def test_what_the_store_cannot_take_is_told_from_memory_once(world: World) -> None:
    async with world.running():
        world.store.refuse("disk full")
        alerts = world.outbox.announce(Said(at=NOON, text="Database is not writable"))
        with pytest.raises(StoreError):
            await world.store.commit(Change(alerts=tuple(alerts)))
        world.outbox.offer(alerts)
        world.outbox.offer(alerts)
        await world.settle()
        assert world.console.titles("") == ["Database is not writable"]

        world.store.accept()
        await world.store.commit(Change(alerts=tuple(alerts)))
        world.outbox.wake()
        await world.advance(10)

    assert world.console.titles("") == ["Database is not writable"]
    assert world.telegram.titles("111") == ["Database is not writable"]
    assert await world.in_store() == []


async def test_what_is_offered_and_stored_before_it_is_told_is_told_once(world: World) -> None:
    world.console.broken = ConnectionError("down")
    async with world.running():
        alerts = world.outbox.announce(Said(at=NOON, text="Feed lost"))
        world.outbox.offer(alerts)
        await world.settle()
        await world.store.commit(Change(alerts=tuple(alerts)))
        await world.advance(6)
        world.console.broken = None
        await world.advance(10)

    assert world.console.titles("") == ["Feed lost"]
    assert await world.in_store() == []


async def test_a_store_that_takes_no_acknowledgement_makes_nothing_double(world: World) -> None:
    async with world.running():
        await world.store.commit(
            Change(alerts=tuple(world.outbox.announce(Said(at=NOON, text="Feed lost"))))
        )
        world.store.refuse("disk full")
        world.outbox.wake()
        await world.advance(30)
        assert world.console.titles("") == ["Feed lost"]
        assert len(await world.in_store()) == 3

        world.store.accept()
        await world.advance(60)

    assert world.console.titles("") == ["Feed lost"]
    assert await world.in_store() == []


# -- bursts ---------------------------------------------------------------------------------------


def at(*seconds: float) -> list[datetime]:
    return [after(seconds=second) for second in seconds]


def test_four_in_ten_seconds_are_told_one_by_one() -> None:
    assert next_burst(at(3), at(0, 1, 2), NOON) == (1, 0)


def test_the_fifth_waits_until_ten_seconds_are_over_and_takes_the_others_along() -> None:
    assert next_burst(at(4, 5), at(0, 1, 2, 3), after(seconds=5)) == (0, 5)
    assert next_burst(at(4, 5, 9), at(0, 1, 2, 3), after(seconds=10)) == (3, 0)


def test_five_that_wait_already_are_told_together() -> None:
    assert next_burst(at(0, 1, 2, 3, 4), (), after(seconds=4)) == (5, 0)
    assert next_burst(at(0, 1, 2, 3), (), after(seconds=4)) == (1, 0)


def test_what_lies_apart_is_not_folded() -> None:
    assert next_burst(at(0, 20, 40, 60, 80), (), after(minutes=14)) == (1, 0)
    assert next_burst(at(30), at(0, 1, 2, 3), after(seconds=30)) == (1, 0)


def test_a_clock_put_back_holds_nothing_for_long() -> None:
    assert next_burst(at(3605), at(3600, 3601, 3602, 3603), NOON) == (0, 10)


async def test_a_storm_of_quiet_news_is_a_message_per_ten_seconds(world: World) -> None:
    async with world.running():
        for number in range(300):
            await world.say(f"{number}", Level.INFO)
            await world.advance(0.1)
        await world.advance(20)

    titles = world.console.titles("")
    assert titles[:4] == ["0", "1", "2", "3"]
    assert len(titles) <= 8
    told = [name for title in titles for name in title.rpartition(": ")[2].split(", ")]
    assert told == [str(number) for number in range(300)]
    assert await world.in_store() == []


async def test_critical_news_is_never_folded_nor_held(world: World) -> None:
    async with world.running():
        for number in range(6):
            await world.say(f"{number}", Level.INFO)
        for number in range(BURST + 1):
            await world.say(f"Halted {number}", Level.CRITICAL)

        assert world.console.titles("")[4:] == [f"Halted {n}" for n in range(BURST + 1)]


async def test_urgent_news_passes_what_is_held(world: World) -> None:
    async with world.running():
        for number in range(6):
            await world.say(f"{number}", Level.INFO)
        await world.say("Feed lost")

        assert world.console.titles("") == ["0", "1", "2", "3", "Feed lost"]


class Group(Chats):
    """A group that takes 20 messages a minute, and says how long to wait after that."""

    def __init__(self, name: str, clock: ManualClock) -> None:
        super().__init__(name)
        self._clock = clock
        self._taken: list[float] = []
        self.refused = 0

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        now = self._clock.monotonic()
        self._taken = [at for at in self._taken if now - at < 60]
        if len(self._taken) >= 20:
            self.refused += 1
            raise Throttled(60 - (now - self._taken[0]))
        await super().send(chat, reply, silent=silent)
        self._taken.append(now)


def a_group(world: World) -> Group:
    """One group, which hears everything, instead of the chats."""
    group = Group("telegram", world.clock)
    world.telegram = group
    world.outbox = world.new_outbox(Subscriber(key=BEN, speaker="telegram", chat="111"))
    return group


def names_in(titles: Sequence[str]) -> list[str]:
    return [name for title in titles for name in title.rpartition(": ")[2].split(", ")]


@pytest.mark.parametrize("level", [Level.INFO, Level.NOTICE, Level.URGENT])
@pytest.mark.parametrize("gap", [0.0, 0.2])
async def test_a_burst_of_300_at_a_groups_limit_is_folded_and_none_is_lost(
    world: World, level: Level, gap: float
) -> None:
    group = a_group(world)
    async with world.running():
        for number in range(300):
            await world.say(f"{number}", level)
            await world.advance(gap)
        await world.advance(180)

    titles = group.titles("111")
    assert sorted(map(int, names_in(titles))) == list(range(300))
    assert len(titles) <= 26
    assert await world.in_store() == []
    assert world.outbox.waiting() == 0


async def test_a_mixed_burst_tells_each_critical_one_by_itself_and_folds_the_others(
    world: World,
) -> None:
    group = a_group(world)
    levels = [Level.INFO, Level.URGENT, Level.NOTICE, Level.INFO, Level.URGENT]
    async with world.running():
        for number in range(300):
            critical = number % 30 == 0
            await world.say(f"{number}", Level.CRITICAL if critical else levels[number % 5])
            await world.advance(0.1)
        await world.advance(240)

    titles = group.titles("111")
    alone = [title for title in titles if ": " not in title]
    assert sorted(map(int, names_in(titles))) == list(range(300))
    assert {str(number) for number in range(0, 300, 30)} <= set(alone)
    assert len(titles) <= 40
    assert await world.in_store() == []


async def test_a_throttled_chat_folds_what_comes_meanwhile_and_asks_no_more_than_told(
    world: World,
) -> None:
    group = a_group(world)
    async with world.running():
        for number in range(21):
            await world.say(f"Halted {number}", Level.CRITICAL)
        assert group.refused == 1
        for number in range(40):
            await world.say(f"{number}", Level.INFO)
            await world.say(f"Unknown {number}")
            await world.advance(1)
        assert group.refused == 1
        await world.advance(60)

    later = group.titles("111")[20:]
    assert later[0] == "Halted 20"
    assert later[1] == "40 events: " + ", ".join(f"Unknown {n}" for n in range(40))
    assert names_in(later[2:]) == [str(n) for n in range(40)]
    assert len(later) <= 8


async def test_repeats_of_an_urgent_text_are_held_back_in_a_burst_of_300(world: World) -> None:
    group = a_group(world)
    async with world.running():
        for _ in range(300):
            await world.say("⚠ Feed lost")
            await world.advance(1)

    assert len(group.titles("111")) == 31
    assert group.texts[-1] == "300 times since 12:00:00 UTC."


async def test_news_that_cannot_be_folded_is_told_one_by_one(world: World) -> None:
    def broken(replies: Sequence[tuple[str, Reply]], *, seconds: int) -> Reply:
        raise ValueError("no words for it")

    for number in range(6):
        await world.say(f"{number}", Level.INFO)
    world.outbox._fold = broken
    async with world.running():
        await world.advance(60)

    assert world.console.titles("") == ["0", "1", "2", "3", "4", "5"]


# -- repeats --------------------------------------------------------------------------------------


def told(*gaps: float) -> list[bool]:
    """Whether each of several repeats is told, so many seconds after the one before."""
    now, repeats = NOON, Repeats.of_one(NOON)
    answers = [repeats.to_tell]
    for gap in gaps:
        now += timedelta(seconds=gap)
        repeats = repeats.again(now)
        answers.append(repeats.to_tell)
    return answers


def test_the_first_and_each_tenth_are_told() -> None:
    assert [n for n, yes in enumerate(told(*[1] * 29), 1) if yes] == [1, 10, 20, 30]


def test_one_an_hour_is_told() -> None:
    assert [n for n, yes in enumerate(told(*[1_200] * 9), 1) if yes] == [1, 4, 7, 10]


def test_after_an_hour_of_silence_it_is_news_again() -> None:
    assert told(3_600, 1) == [True, True, False]


def an_alert(title: str, level: Level = Level.URGENT, *, kind: str = "FeedLost") -> Alert:
    body = dump(Reply(title=title, text="No entries.", level=level))
    return Alert(id=title, to=HERE, level=level, kind=kind, at=NOON, body=body)


def admitted(*alerts: Alert) -> list[str]:
    throttle = Throttle()
    replies = [Reply(title=a.id, text="No entries.", level=Level(a.level)) for a in alerts]
    answers = [throttle.admit(a, r) for a, r in zip(alerts, replies, strict=True)]
    return [answer.title for answer in answers if answer]


def test_a_repeat_is_not_told_but_a_new_text_is() -> None:
    lost, other = an_alert("Feed lost"), an_alert("Feed of ETH lost")
    assert admitted(lost, lost, other, other, lost) == ["Feed lost", "Feed of ETH lost"]


def test_after_better_news_the_same_text_is_news() -> None:
    lost, back = an_alert("Feed lost"), an_alert("Feed back", Level.NOTICE, kind="FeedBack")
    assert admitted(lost, lost, back, lost) == ["Feed lost", "Feed back", "Feed lost"]


@pytest.mark.parametrize("level", [Level.INFO, Level.NOTICE, Level.CRITICAL])
def test_only_urgent_repeats_are_held_back(level: Level) -> None:
    assert len(admitted(*[an_alert("again", level)] * 3)) == 3


async def test_the_tenth_says_how_many_there_were(world: World) -> None:
    async with world.running():
        for _ in range(10):
            await world.say("Feed lost")
            await world.advance(1)

    assert world.console.titles("") == ["Feed lost", "Feed lost"]
    assert world.console.texts[1] == "10 times since 12:00:00 UTC."
    assert await world.in_store() == []


# -- told by an edit ------------------------------------------------------------------------------


async def a_stage(world: World, *, stories: Stories) -> None:
    """A stop reaches a stage: an alert for each of two chats."""
    world.outbox = world.new_outbox(stories=stories)
    reply = Reply(title="Stopped, confirmed", level=Level.NOTICE, story="H1")
    alerts = [
        Alert(
            id=f"stage|{to}",
            to=to,
            level=reply.level,
            kind="HaltAdvanced",
            at=world.clock.now(),
            body=dump(reply),
        )
        for to in (BEN, HERE)
    ]
    await world.store.commit(Change(alerts=tuple(alerts)))


async def test_a_stage_that_was_edited_in_is_not_told_again_there(world: World) -> None:
    stories = Stories()
    stories.follow(BEN, ["H1"])
    await a_stage(world, stories=stories)
    async with world.running():
        assert world.telegram.heard == []
        assert world.console.titles("") == ["Stopped, confirmed"]

        stories.shown(BEN, ["H1"])
        await world.advance(60)

    assert world.telegram.heard == []
    assert await world.in_store() == []


async def test_a_stage_that_is_not_edited_in_soon_is_told(world: World) -> None:
    stories = Stories()
    stories.follow(BEN, ["H1"])
    await a_stage(world, stories=stories)
    async with world.running():
        await world.advance(14)
        assert world.telegram.heard == []
        await world.advance(6)

    assert world.telegram.titles("111") == ["Stopped, confirmed"]


async def test_a_stage_that_nobody_edits_in_any_more_is_told(world: World) -> None:
    stories = Stories()
    stories.follow(BEN, ["H1"])
    stories.leave(BEN, ["H1"])
    await a_stage(world, stories=stories)
    async with world.running():
        pass

    assert world.telegram.titles("111") == ["Stopped, confirmed"]


async def test_the_end_tells_a_stage_that_was_not_edited_in(world: World) -> None:
    stories = Stories()
    stories.follow(BEN, ["H1"])
    await a_stage(world, stories=stories)
    async with world.running():
        await world.outbox.drain(1)

    assert world.telegram.titles("111") == ["Stopped, confirmed"]
    assert await world.in_store() == []


async def test_a_restart_forgets_what_was_followed_and_tells_it(world: World) -> None:
    stories = Stories()
    stories.follow(BEN, ["H1"])
    await a_stage(world, stories=stories)

    world.outbox = world.new_outbox(stories=Stories())
    async with world.running():
        pass

    assert world.telegram.titles("111") == ["Stopped, confirmed"]


# -- the end --------------------------------------------------------------------------------------


async def test_before_the_end_nothing_is_held_back(world: World) -> None:
    async with world.running():
        for number in range(6):
            await world.say(f"{number}", Level.INFO)
        assert len(world.console.heard) == 4
        await world.outbox.drain(1)

        assert world.console.titles("")[4:] == ["2 events: 4, 5"]
        assert await world.in_store() == []


async def test_the_end_waits_no_longer_than_told_for_a_chat_that_hangs(world: World) -> None:
    world.telegram.hung.add("111")
    async with world.running():
        await world.say("Desk stopping")
        draining = asyncio.create_task(world.outbox.drain(1))
        await world.settle()
        await world.advance(0.9)
        assert not draining.done()
        await world.advance(0.1)
        assert draining.done()

    assert await world.in_store() == [BEN]


async def test_the_end_does_not_wait_for_a_chat_that_is_down(world: World) -> None:
    world.telegram.broken = ConnectionError("down")
    async with world.running():
        await world.say("Desk stopping")
        await world.outbox.drain(1)

    assert sorted(await world.in_store()) == [BEN, CLEO]


def test_levels_of_subscribers_default_to_everything() -> None:
    subscriber = Subscriber(key=HERE, speaker="console", chat="")
    assert replace(subscriber, at_least=Level.URGENT).at_least > subscriber.at_least
