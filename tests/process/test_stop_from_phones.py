"""Stop means stop from a phone: old buttons, strangers, restarts, two at once, twice the same.

Each case runs on Telegram and on Discord, with one desk process each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.process.desk_process import DeskProcess
from tests.process.phones import (
    ANNA,
    BEN,
    CLEO,
    DORA,
    MALLORY,
    DiscordPhone,
    How,
    Phone,
    Place,
    TelegramPhone,
    ask,
    desk_with,
    does,
    heard,
    presses,
    says,
    start,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RATE = 40


@dataclass(frozen=True, slots=True)
class Bridge:
    """A desk and the phones that command it."""

    phone: Phone
    desk: DeskProcess

    async def is_halted(self) -> bool:
        return "Halted" in (await ask(self.desk, "/status"))["title"]

    async def size(self) -> str:
        """Of the position, as its title tells it: `BTC long 0.010`."""
        return str((await ask(self.desk, "/position BTC"))["title"]).partition(" (")[0]

    async def do(self, line: str) -> None:
        await asyncio.to_thread(self.desk.do, line)

    async def set_up(self) -> None:
        """One position, and nothing halted."""
        if await self.is_halted():
            await self.do("/resume")
        if "long" not in await self.size():
            await self.do("/buy BTC 400")


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[TelegramPhone, DiscordPhone],
    ids=lambda p: p.__name__,
)
async def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bridge]:
    phone: Phone = request.param()
    more = {
        "QUARTERDECK__ACCESS__RATE": str(RATE),
        "QUARTERDECK__ACCESS__RATE_IN_GROUPS": str(RATE),
        "QUARTERDECK__TRADERS__MAJORS__LIMITS__SYMBOL_REST": "0s",
        "QUARTERDECK__TRADERS__MAJORS__LIMITS__LOSS_STREAK": "100",
    }
    async with desk_with(phone, folder=tmp_path_factory.mktemp(phone.name), environ=more) as desk:
        yield Bridge(phone, desk)


@pytest_asyncio.fixture(loop_scope="module")
async def bridge(running: Bridge) -> Bridge:
    await running.set_up()
    return running


# -- stop -----------------------------------------------------------------------------------------


async def test_a_stop_pressed_twice_stops_once_and_says_so_twice(bridge: Bridge) -> None:
    status = await says(bridge.phone, ANNA, "/status")
    first = await presses(bridge.phone, ANNA, status, "Stop")
    assert first.title.startswith("■ Stopped majors (paper), by anna")
    assert first.how is How.NEW
    second = await presses(bridge.phone, ANNA, status, "/stop")
    assert second.title.startswith("■ Already stopped")
    assert "Swept again" in second.text


async def test_the_buttons_below_an_act_go(bridge: Bridge) -> None:
    status = await says(bridge.phone, ANNA, "/status")
    await presses(bridge.phone, ANNA, status, "Stop")
    await bridge.phone.until(lambda: not bridge.phone.now(status).buttons, "no buttons")


async def test_a_stranger_presses_in_vain_and_hears_nothing(bridge: Bridge) -> None:
    status = await says(bridge.phone, ANNA, "/status", place=Place.LISTED)
    before = len(bridge.phone.messages(ANNA, place=Place.LISTED))
    await bridge.phone.taps(MALLORY, status, "Stop")
    await bridge.phone.taken_in()
    await says(bridge.phone, CLEO, "/version")
    assert not await bridge.is_halted()
    assert len(bridge.phone.messages(ANNA, place=Place.LISTED)) == before


async def test_a_viewer_who_presses_is_told_alone_that_it_takes_more(bridge: Bridge) -> None:
    status = await says(bridge.phone, ANNA, "/status", place=Place.LISTED)
    refused = await presses(bridge.phone, CLEO, status, "Stop")
    assert refused.how is How.TOAST
    assert refused.text.startswith("✕ /stop needs operator, you are viewer\nNothing was sent.")
    assert not await bridge.is_halted()
    assert "Stop" in bridge.phone.now(status).buttons, "it stays for those who may"


async def test_an_old_button_stops_after_a_kill(bridge: Bridge) -> None:
    status = await says(bridge.phone, BEN, "/status")
    await start(bridge.phone, bridge.desk)
    stopped = await presses(bridge.phone, BEN, status, "Stop")
    assert stopped.title.startswith("■ Stopped majors (paper), by ben")
    await start(bridge.phone, bridge.desk)
    assert await bridge.is_halted(), "what was told is durable"


async def test_two_operators_at_once_make_one_halt(bridge: Bridge) -> None:
    one, other = await asyncio.gather(
        says(bridge.phone, BEN, "/stop"), says(bridge.phone, DORA, "/stop")
    )
    first, second = sorted((one.title, other.title), reverse=True)
    assert first.startswith("■ Stopped majors (paper), by ")
    assert second.startswith("■ Already stopped")
    halts = await ask(bridge.desk, "/halts")
    assert halts["title"].startswith("■ 1 halt in force")


async def test_a_late_stop_acts_and_a_late_resume_does_not(bridge: Bridge) -> None:
    late = await bridge.phone.tells(ANNA, "/stop", ago=300)
    assert (await bridge.phone.answer(late)).title.startswith("■ Stopped")
    resume = await bridge.phone.tells(ANNA, "/resume", ago=300)
    refused = await bridge.phone.answer(resume)
    assert "too late to act on" in refused.title
    assert "Nothing was sent." in refused.text
    assert await bridge.is_halted()


async def test_asking_too_often_holds_no_stop_back(bridge: Bridge) -> None:
    for _ in range(RATE + 1):
        await bridge.phone.tells(DORA, "/version")
    held = await heard(bridge.phone, DORA, "✕ Too many requests")
    assert "/stop is never limited." in held.text
    await bridge.phone.taps(DORA, held, "Stop")
    await heard(bridge.phone, DORA, "■ Stopped majors (paper), by dora")
    assert await bridge.is_halted()


# -- the same thing twice -------------------------------------------------------------------------


async def test_an_update_delivered_twice_acts_once(bridge: Bridge) -> None:
    question = await says(bridge.phone, ANNA, "/close BTC 50%")
    label = next(b for b, c in question.buttons.items() if c.startswith("/confirm"))
    press = await bridge.phone.taps(ANNA, question, label)
    assert (await bridge.phone.answer(press)).title.startswith("✓ Sold")
    size = await bridge.size()

    await bridge.phone.again(press)
    await bridge.phone.taken_in()
    await says(bridge.phone, CLEO, "/version")
    assert await bridge.size() == size


async def test_an_update_delivered_again_after_a_kill_acts_once(bridge: Bridge) -> None:
    question = await says(bridge.phone, ANNA, "/close BTC 50%")
    label = next(b for b, c in question.buttons.items() if c.startswith("/confirm"))
    press = await bridge.phone.taps(ANNA, question, label)
    assert (await bridge.phone.answer(press)).title.startswith("✓ Sold")
    size = await bridge.size()

    await start(bridge.phone, bridge.desk)
    await bridge.phone.again(press)
    await bridge.phone.taken_in()
    await says(bridge.phone, CLEO, "/version")
    assert await bridge.size() == size


# -- questions ------------------------------------------------------------------------------------


async def test_only_who_was_asked_may_say_yes(bridge: Bridge) -> None:
    question = await says(bridge.phone, ANNA, "/flatten", place=Place.LISTED)
    label = next(b for b, c in question.buttons.items() if c.startswith("/confirm"))
    refused = await presses(bridge.phone, BEN, question, label)
    assert refused.how is How.TOAST
    assert refused.title == "✕ Only anna may confirm. Nothing was sent."
    assert "long" in await bridge.size()


async def test_only_where_it_was_asked_counts_a_yes(bridge: Bridge) -> None:
    question = await says(bridge.phone, ANNA, "/flatten")
    yes = next(c for c in question.buttons.values() if c.startswith("/confirm"))
    refused = await says(bridge.phone, ANNA, yes, place=Place.LISTED)
    assert refused.title == f"✕ Only where it was asked: {bridge.phone.title}. Nothing was sent."
    assert "long" in await bridge.size()


async def test_a_question_does_not_outlive_the_desk_and_a_stop_beside_it_works(
    bridge: Bridge,
) -> None:
    question = await says(bridge.phone, ANNA, "/shutdown")
    label = next(b for b, c in question.buttons.items() if c.startswith("/confirm"))
    await start(bridge.phone, bridge.desk)
    void = await presses(bridge.phone, ANNA, question, label)
    assert void.how is How.TOAST
    assert void.text.startswith("✕ No question has the code")
    stopped = await presses(bridge.phone, ANNA, question, "/stop")
    assert stopped.title.startswith("■ Stopped majors (paper), by anna")


async def test_a_yes_said_twice_acts_once(bridge: Bridge) -> None:
    question = await says(bridge.phone, BEN, "/close BTC 50%")
    label = next(b for b, c in question.buttons.items() if c.startswith("/confirm"))
    assert (await presses(bridge.phone, BEN, question, label)).title.startswith("✓ Sold")
    size = await bridge.size()
    again = await presses(bridge.phone, BEN, question, question.buttons[label])
    assert again.how is How.TOAST
    assert again.title == "✕ Already used. Nothing more was sent."
    assert await bridge.size() == size


async def test_a_flatten_said_yes_to_ends_flat(bridge: Bridge) -> None:
    flat = await does(bridge.phone, ANNA, "/flatten")
    await bridge.phone.until(lambda: "✓ Flat" in bridge.phone.now(flat).title, "flat")
    assert "Not done: entries stay blocked until /resume." in bridge.phone.now(flat).text
    assert "No position" in await bridge.size() or "long" not in await bridge.size()
