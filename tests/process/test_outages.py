"""A chat that is down, slow or refuses never stops trading or another chat, and nothing is lost.

One desk on both platforms: what happens on one is done and read on the other.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

import pytest
import pytest_asyncio

from tests.process.desk_process import DeskProcess
from tests.process.phones import (
    ANNA,
    BEN,
    CHANNEL,
    CLEO,
    DORA,
    GROUP,
    DiscordPhone,
    Phone,
    Place,
    Seen,
    TelegramPhone,
    Trouble,
    ask,
    desk_with,
    does,
    heard,
    says,
    start,
    until,
)
from tests.servers import discord, telegram

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TIMING = {"retry": 0.05, "longest_retry": 0.2, "lost_after": 2, "back_after": 1, "request": 2}
STEADY = {
    "QUARTERDECK__CHAT__TIMING": json.dumps(TIMING),
    "QUARTERDECK__ACCESS__RATE": "10000",
    "QUARTERDECK__ACCESS__RATE_IN_GROUPS": "10000",
}
SCANS = 20
"""So many must come while a platform hangs."""
PEOPLE = (ANNA, BEN, DORA, ANNA, BEN)
"""Who stops, one after the other: so that five alerts can be told apart, and their order."""


@dataclass(frozen=True, slots=True)
class Both:
    desk: DeskProcess
    telegram: TelegramPhone
    discord: DiscordPhone

    def named(self, name: str) -> tuple[Phone, Phone]:
        """The platform *name*, and the other one."""
        pair: tuple[Phone, Phone] = (self.telegram, self.discord)
        return pair if name == "telegram" else (pair[1], pair[0])

    async def set_up(self) -> None:
        self.telegram.mended()
        self.discord.mended()
        if "Halted" in (await ask(self.desk, "/status"))["title"]:
            await asyncio.to_thread(self.desk.do, "/resume")
        await until(self.desk, lambda: self.waiting() == 0, "all is told")

    def waiting(self) -> int:
        """Critical alerts that were not told yet; others may be held back, to be folded."""
        return self.count("delivered_at IS NULL AND level >= 40")

    def count(self, where: str) -> int:
        """Rows of alerts in the history."""
        history = f"file:{self.desk.state / 'history.db'}?mode=ro"
        with closing(sqlite3.connect(history, uri=True)) as database:
            row = database.execute(f"SELECT count(*) FROM alerts WHERE {where}").fetchone()
        return int(row[0])


def phones() -> tuple[TelegramPhone, DiscordPhone]:
    return (
        TelegramPhone(alerts=[{"chat": GROUP, "level": "notice"}]),
        DiscordPhone(alerts=[{"channel": str(CHANNEL), "level": "notice"}]),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    one, other = phones()
    folder = tmp_path_factory.mktemp("outages")
    async with desk_with(one, other, folder=folder, calm=False, environ=STEADY) as desk:
        yield Both(desk, one, other)


@pytest_asyncio.fixture(loop_scope="module")
async def both(running: Both) -> Both:
    await running.set_up()
    return running


def so_far(phone: Phone) -> int:
    return len(phone.messages(ANNA, place=Place.LISTED))


async def alerted(phone: Phone, words: str, *, since: int) -> Seen:
    """The alert that says *words*, in the group."""
    return await heard(phone, ANNA, words, place=Place.LISTED, since=since)


async def stops(phone: Phone) -> None:
    """Five stops, each by somebody else than the one before, and lifted again."""
    for who in PEOPLE:
        assert (await says(phone, who, "/stop")).title.startswith("■ Stopped")
        assert "✓" in (await does(phone, ANNA, "/resume")).title


def stoppers(seen: Sequence[Seen]) -> list[str]:
    """Who stopped, as the alerts tell it, in the order in which they came."""
    first = (message.raw.edits[0] for message in seen)
    found = (re.match(r"■ Stopped majors \(paper\), by (\w+)", text) for text in first)
    return [match[1] for match in found if match]


# -- nothing is lost ------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [*Trouble, None], ids=lambda t: t.name if t else "REVOKED")
@pytest.mark.parametrize("name", ["telegram", "discord"])
async def test_five_alerts_of_five_come_in_order(
    name: str, trouble: Trouble | None, both: Both
) -> None:
    broken, other = both.named(name)
    before = so_far(broken)
    if trouble is None:
        await broken.revokes()
    else:
        in_doubt = trouble is Trouble.DROP_AFTER
        broken.breaks(trouble, times=1 if in_doubt else math.inf)
    await stops(other)
    assert both.waiting() or trouble is Trouble.DROP_AFTER
    broken.mended()
    broken.restores()

    def told() -> list[str]:
        return stoppers(broken.messages(ANNA, place=Place.LISTED)[before:])

    expected = [who.name for who in PEOPLE]
    await broken.until(lambda: [k for k, _ in groupby(told())] == expected, "five alerts")
    await until(both.desk, lambda: both.waiting() == 0, "nothing waits")
    assert len(told()) <= len(PEOPLE) + 1, "none twice but the one in doubt"


async def test_a_burst_at_the_limit_of_a_group_is_folded_and_counted(both: Both) -> None:
    before = so_far(both.telegram)
    here = f"\"to\" = 'telegram:{GROUP}' AND kind <> 'HaltAdvanced'"
    old = both.count(here)
    both.telegram.breaks(Trouble.FLOOD, times=math.inf)
    while both.count(here) - old < 300:
        await ask(both.desk, "/pause")
        await asyncio.to_thread(both.desk.do, "/resume")
    both.telegram.mended()
    waits = f"{here} AND delivered_at IS NULL"
    await until(both.desk, lambda: both.count(waits) == 0, "nothing waits")

    messages = both.telegram.messages(ANNA, place=Place.LISTED)[before:]
    counted = sum(number_told(text) for each in messages for text in each.raw.edits)
    assert counted >= both.count(here) - old
    assert len(messages) < 30


def number_told(text: str) -> int:
    """How many alerts a message stands for."""
    found = re.search(r"^(\d+) events in|: (\d+) alerts? waited", text.partition("\n")[0])
    return int(found[1] or found[2]) if found else 1


async def test_what_was_booked_before_a_kill_is_told_after_it(both: Both) -> None:
    before = so_far(both.telegram)
    both.telegram.breaks(Trouble.HANG, times=math.inf)
    booked = len(both.desk.alerts_so_far("HaltEngaged"))
    assert (await says(both.discord, DORA, "/stop")).title.startswith("■ Stopped")
    await until(
        both.desk, lambda: len(both.desk.alerts_so_far("HaltEngaged")) > booked, "it is booked"
    )
    await asyncio.to_thread(both.desk.kill)
    assert stoppers(both.telegram.messages(ANNA, place=Place.LISTED)[before:]) == []
    both.telegram.mended()

    await start(both.discord, both.desk)

    await both.telegram.until(
        lambda: stoppers(both.telegram.messages(ANNA, place=Place.LISTED)[before:]) == ["dora"],
        "the alert",
    )


# -- the others hear of it ------------------------------------------------------------------------


async def test_a_second_poller_is_told_on_the_other_platform(both: Both) -> None:
    before = so_far(both.discord)
    both.telegram.server.fail("getUpdates", telegram.Fault.CONFLICT, times=math.inf)
    told = await alerted(both.discord, "another program", since=before)
    assert told.title.startswith("⚠ Telegram lost")
    assert (await says(both.discord, BEN, "/status")).buttons["Stop"] == "/stop"
    both.telegram.mended()
    await alerted(both.discord, "✓ Telegram back after", since=before)


async def test_a_revoked_token_is_told_on_the_other_platform(both: Both) -> None:
    before = so_far(both.telegram)
    await both.discord.revokes()
    told = await alerted(both.telegram, "its token is refused", since=before)
    assert told.title.startswith("⚠ Discord lost")
    both.discord.restores()
    await alerted(both.telegram, "✓ Discord back after", since=before)
    await both.discord.server.listened_to()


async def test_a_chat_that_blocked_the_bot_leaves_the_others_theirs(both: Both) -> None:
    before = so_far(both.discord)
    missed = so_far(both.telegram)
    room = both.telegram.server.room(GROUP)
    room.gone = True
    await says(both.discord, DORA, "/stop")
    told = await alerted(both.discord, f"⚠ Telegram chat {GROUP} lost", since=before)
    assert "the bot may not write there" in told.text
    named = f"Telegram chat {GROUP}: lost "
    status = await says(both.telegram, BEN, "/status")
    assert status.title.startswith("■ Halted")
    assert named in status.text
    assert "the bot may not write there" in status.text
    room.gone = False
    await alerted(both.telegram, "■ Stopped majors (paper)", since=missed)
    await alerted(both.discord, f"✓ Telegram chat {GROUP} back", since=before)
    assert named not in (await says(both.telegram, BEN, "/status")).text


@pytest.mark.parametrize("name", ["telegram", "discord"])
async def test_a_chat_that_is_back_hears_how_much_waited(name: str, both: Both) -> None:
    broken, other = both.named(name)
    before, missed = so_far(other), so_far(broken)
    broken.breaks(Trouble.BROKEN, times=math.inf)
    await does(other, ANNA, "/stop")
    await alerted(other, f"⚠ {broken.title}", since=before)
    await does(other, ANNA, "/resume")
    broken.mended()
    back = await alerted(broken, f"✓ {broken.title} back after", since=missed)
    assert re.search(r": \d+ alerts waited$", back.title)
    assert "critical went first" in back.text
    await alerted(other, f"✓ {broken.title}", since=before)


# -- trading goes on ------------------------------------------------------------------------------


async def test_a_hung_platform_holds_up_neither_trading_nor_the_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one, other = phones()
    moving = STEADY | {"QUARTERDECK__FEEDS__CRASH__SPEED": "600"}
    folder = tmp_path_factory.mktemp("hung")
    async with desk_with(one, other, folder=folder, calm=False, environ=moving) as desk:
        await says(other, ANNA, "/version")
        other.server.fail("*", discord.Fault.HANG, times=math.inf)
        await other.tells(BEN, "/status")
        seen: set[str] = set()

        async def shown() -> str:
            """The minute of the recording that the other phone is told."""
            status = await says(one, BEN, "/status")
            assert "Feed lost" not in status.text
            found = re.search(r"2021\s(\d\d:\d\d)", status.text)
            assert found, status.text
            return found[1]

        for _ in range(500):
            seen.add(await shown())
            if len(seen) == SCANS:
                break
        assert len(seen) == SCANS
        other.mended()
        assert (await says(other, BEN, "/version")).text
        assert desk.lives


async def test_a_price_is_told_where_a_viewer_asked_though_no_alert_goes_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one, other = phones()
    moving = STEADY | {"QUARTERDECK__FEEDS__CRASH__SPEED": "600"}
    folder = tmp_path_factory.mktemp("asked")
    async with desk_with(one, other, folder=folder, calm=False, environ=moving):
        for phone in (one, other):
            asked = await says(phone, CLEO, "/notify BTC above 39600")
            assert asked.title == "✓ Told once when BTC is above 39,600"
            assert "cannot be written to" not in asked.text
        for phone in (one, other):
            told = await heard(phone, CLEO, "BTC is at ")
            assert told.title.startswith("BTC is at ")
            assert "asked to be told" in told.text
        for phone in (one, other):
            assert not [m for m in phone.messages(ANNA, place=Place.LISTED) if "39,600" in m.text]


async def test_a_desk_starts_with_every_chat_down_and_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one, other = phones()
    for phone in (one, other):  # their addresses are known, and nobody is there
        await phone.open()
        await phone.close()
    settings = one.settings | other.settings | STEADY
    folder = tmp_path_factory.mktemp("down")
    desk = DeskProcess(folder, **(settings | {"QUARTERDECK__FEEDS__CRASH__SPEED": "0.001"}))
    try:
        await asyncio.to_thread(desk.start)
        await until(desk, lambda: "does not answer" in str(desk.say("/status")), "it says so")
        status = str(await ask(desk, "/status"))
        assert "Telegram" in status
        assert "Discord" in status
        assert (await ask(desk, "/stop"))["title"].startswith("■ Stopped")
        await one.open()
        await other.open()
        assert (await says(one, BEN, "/status")).title.startswith("■ Halted")
        assert (await says(other, BEN, "/status")).title.startswith("■ Halted")
        for phone in (one, other):
            await phone.until(
                lambda phone=phone: stoppers(phone.messages(ANNA, place=Place.LISTED)),  # type: ignore[misc]  # bound now
                "what happened meanwhile",
            )
    finally:
        await asyncio.to_thread(desk.kill)
        await one.close()
        await other.close()
