"""At night: what can wait waits and comes as one, the urgent is silent, the critical is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from chatbot.delivery.bursts import HOUR, REMEMBERED, QuietHours, Throttle
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from handlers.alerts import fold as folded
from handlers.in_place import Stories
from handlers.reply import Level, Reply, dump
from tests.builders import NOON, after
from tests.chatbot.delivery.test_outbox import HERE, World, describe
from tests.handlers.story import checked
from trading.ports import Alert

NIGHT = QuietHours(time(23), time(7))
SPANS: list[int] = []


def fold(replies: Sequence[tuple[str, Reply]], *, seconds: int) -> Reply:
    SPANS.append(seconds)
    return Reply(title=f"{len(replies)} events: " + ", ".join(reply.title for _, reply in replies))


class Night(World):
    """As in `test_outbox`, and it is 22:00."""

    def __init__(self) -> None:
        super().__init__()
        self.clock.advance(10 * 3600)

    def new_outbox(self, *subscribers: Subscriber, stories: Stories | None = None) -> Outbox:
        SPANS.clear()
        return Outbox(
            store=self.store,
            speakers={"telegram": self.telegram, "console": self.console},
            subscribers=subscribers or (Subscriber(key=HERE, speaker="console", chat=""),),
            clock=self.clock,
            describe=describe,
            fold=fold,
            quiet_hours=NIGHT,
            stories=stories,
        )


@pytest.fixture
def night() -> Night:
    return Night()


@pytest.mark.parametrize(
    ("hours", "now", "left"),
    [
        (NIGHT, "22:59", 0), (NIGHT, "23:00", 8), (NIGHT, "02:00", 5), (NIGHT, "07:00", 0),
        (QuietHours(time(12), time(14)), "13:00", 1), (QuietHours(time(12), time(14)), "14:00", 0),
        (QuietHours(time(0), time(6)), "00:00", 6), (QuietHours(time(0), time(6)), "23:59", 0),
    ],
)  # fmt: skip
def test_they_hold_from_one_time_of_the_day_to_another(
    hours: QuietHours, now: str, left: float
) -> None:
    at = datetime.combine(NOON.date(), time.fromisoformat(now), UTC)
    assert hours.left(at) == left * 3600


def test_a_night_in_which_the_clocks_change_is_an_hour_longer() -> None:
    hours = QuietHours(time(23), time(7), ZoneInfo("Europe/Berlin"))
    begin = datetime(2025, 10, 25, 21, 0, tzinfo=UTC)  # 23:00 in Berlin
    assert hours.left(begin) == 9 * 3600


async def test_what_can_wait_waits_and_comes_as_one(night: Night) -> None:
    async with night.running():
        await night.advance(3601)
        for number in range(3):
            await night.say(f"{number}", Level.NOTICE if number else Level.INFO)
            await night.advance(1800)
        assert night.console.heard == []
        assert night.outbox.waiting() == 3

        await night.advance(8 * 3600)

    assert night.console.heard == [("", "3 events: 0, 1, 2", True)]
    assert SPANS == [3600]
    assert await night.in_store() == []


async def test_one_alone_is_told_as_it_is(night: Night) -> None:
    async with night.running():
        await night.advance(3601)
        await night.say("Opened BTC", Level.INFO)
        await night.advance(8 * 3600)

    assert night.console.titles("") == ["Opened BTC"]


async def test_the_urgent_comes_at_once_without_a_sound_and_the_critical_with(night: Night) -> None:
    async with night.running():
        await night.advance(3601)
        await night.say("waits", Level.INFO)
        await night.say("Feed lost", Level.URGENT)
        await night.say("Halted", Level.CRITICAL)

    assert night.console.heard == [("", "Feed lost", True), ("", "Halted", False)]


async def test_by_day_the_urgent_sounds(night: Night) -> None:
    async with night.running():
        await night.say("Feed lost", Level.URGENT)

    assert night.console.heard == [("", "Feed lost", False)]


async def test_a_restart_in_the_night_does_not_wake_anybody(night: Night) -> None:
    await night.advance(3601)
    for number in range(3):
        await night.say(f"{number}", Level.INFO)
    async with night.running():
        await night.outbox.drain(1)
        assert night.console.heard == []

    night.outbox = night.new_outbox()
    async with night.running():
        await night.advance(8 * 3600)

    assert night.console.titles("") == ["3 events: 0, 1, 2"]


async def test_what_the_day_brings_is_told_apart(night: Night) -> None:
    async with night.running():
        await night.advance(3601)
        await night.say("a", Level.INFO)
        await night.say("b", Level.INFO)
        await night.advance(8 * 3600 - 1)
        await night.say("c", Level.INFO)

    assert night.console.titles("") == ["2 events: a, b", "c"]


async def test_quiet_hours_can_be_changed_while_it_runs(night: Night) -> None:
    async with night.running():
        await night.advance(3601)
        await night.say("a", Level.INFO)
        assert night.outbox.preferences(HERE).quiet == "23:00-07:00"
        night.outbox.use(None)
        await night.settle()

    assert night.console.titles("") == ["a"]
    assert night.outbox.preferences(HERE).quiet == ""


def test_a_night_reads_as_a_night() -> None:
    replies = [("PositionOpened", Reply("a")), ("PositionClosed", Reply("b"))]
    reply = checked(folded(replies, seconds=8 * 3600))

    assert reply.title.replace("\u00a0", " ") == "2 events in 8 h: 1 opened, 1 closed"
    assert reply.choices[0].command == "/alerts last 2"


# -- throttling ----------------------------------------------------------------------------------


def admitted(throttle: Throttle, at: datetime, reply: Reply) -> bool:
    alert = Alert(id="1", to=HERE, level=reply.level, kind="CycleFailed", at=at, body=dump(reply))
    return throttle.admit(alert, reply) is not None


def test_the_same_fault_is_a_repeat_whatever_its_reference() -> None:
    throttle = Throttle()
    told = [
        admitted(
            throttle,
            after(seconds=number),
            Reply(
                f"Scan failed, reference {number:06x}",
                level=Level.URGENT,
                reference=f"{number:06x}",
            ),
        )
        for number in range(1, 21)
    ]
    assert [number for number, yes in enumerate(told, 1) if yes] == [1, 10, 20]


def test_texts_without_end_do_not_fill_the_memory() -> None:
    throttle = Throttle()
    for number in range(10 * REMEMBERED):
        at = NOON + number * HOUR / 100
        assert admitted(throttle, at, Reply(f"{number} %", level=Level.URGENT))

    assert len(throttle._repeats) <= REMEMBERED + 100
    assert timedelta(hours=1) == HOUR
