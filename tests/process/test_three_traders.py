"""Three traders under one thumb: each button of a stop of all leads on, on Telegram and Discord.

One desk process for each platform.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.process.desk_process import DeskProcess
from tests.process.phones import (
    ANNA,
    CLEO,
    DiscordPhone,
    How,
    Phone,
    Place,
    Seen,
    TelegramPhone,
    ask,
    desk_with,
    presses,
    says,
    until,
    usual,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NAMES = ("majors", "minors", "others")
SECTION = "QUARTERDECK__TRADERS__"


def a_trader(name: str, *symbols: str) -> dict[str, str]:
    """The settings of one more, by environment."""
    values = {
        "VENUE": "paper",
        "FEED": "crash",
        "STRATEGY": "ema_cross",
        "SYMBOLS": json.dumps(symbols),
        "CAPITAL": "5000",
        "PARAMETERS": json.dumps({"fast": 12, "slow": 48}),
    }
    return {f"{SECTION}{name.upper()}__{key}": value for key, value in values.items()}


THREE = {
    f"{SECTION}MAJORS__SYMBOLS": json.dumps(["BTC/USDT", "ETH/USDT"]),
    **a_trader("minors", "XRP/USDT", "ADA/USDT"),
    **a_trader("others", "DOGE/USDT"),
    "QUARTERDECK__ACCESS__RATE": "200",
}


@dataclass(frozen=True, slots=True)
class Bridge:
    phone: Phone
    desk: DeskProcess

    async def open_two(self) -> None:
        """Nothing is halted; majors and minors hold one position each."""
        if (await ask(self.desk, "/halts"))["title"].startswith("■"):
            await self.do("/resume all")
        for line in ("/buy BTC 400", "/buy XRP 400"):
            await self.do(line)

    async def do(self, line: str) -> None:
        answer = await ask(self.desk, line)
        yes = [c["command"] for c in answer["choices"] if c["command"].startswith("/confirm ")]
        if yes:
            await ask(self.desk, yes[0])


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[TelegramPhone, DiscordPhone],
    ids=lambda p: p.__name__,
)
async def bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bridge]:
    phone: Phone = request.param()
    folder = tmp_path_factory.mktemp(phone.name)
    async with desk_with(phone, folder=folder, environ=THREE) as desk:
        for name in NAMES:
            await until(
                desk,
                lambda name=name: "Starting" not in str(desk.say(f"/status trader={name}")),  # type: ignore[misc]  # bound now
                f"{name} is ready",
            )
        yield Bridge(phone, desk)


def is_whole(seen: Seen) -> bool:
    """Of the whole desk: it says something of two traders at least."""
    return "Which trader" not in seen.text and "majors" in seen.text and "minors" in seen.text


async def test_each_button_of_a_stop_of_all_leads_on(bridge: Bridge) -> None:
    await bridge.open_two()
    stopped = await says(bridge.phone, ANNA, "/stop")
    assert stopped.title.startswith("■ Stopped all 3 traders")
    assert stopped.buttons == {"Positions": "/positions", "Flatten": "/flatten all"}

    positions = await presses(bridge.phone, ANNA, stopped, "Positions")
    assert positions.how is not How.TOAST
    assert "2 open" in positions.title
    assert is_whole(positions)
    for label, command in positions.buttons.items():
        pressed = await says(bridge.phone, ANNA, command)
        assert "✕" not in pressed.text, label

    question = await presses(bridge.phone, ANNA, stopped, "Flatten")
    assert question.title.startswith("⚠ Close all of 3 traders")
    assert is_whole(question)

    flat = await presses(bridge.phone, ANNA, question, "Close 2 now")
    await bridge.phone.until(
        lambda: "Flat: all 3 traders" in bridge.phone.now(flat).text, "all are flat"
    )
    last = bridge.phone.now(flat)
    assert all(name in last.text for name in NAMES)
    assert "after fees" in last.text
    for name in NAMES:
        assert "Halted" in (await ask(bridge.desk, f"/status trader={name}"))["title"]
    again = await presses(bridge.phone, ANNA, last, "Resume")
    assert "Resume all 3 traders" in again.text


async def test_a_question_which_trader_is_no_toast_and_its_buttons_lead_on(bridge: Bridge) -> None:
    await bridge.open_two()
    status = await says(bridge.phone, ANNA, "/status")
    which = await presses(bridge.phone, ANNA, status, "/flatten")

    assert which.title.startswith("✕ Which trader: all, majors, minors or others?")
    assert list(which.buttons.values()) == [
        "/flatten all",
        *(f"/flatten trader={name}" for name in NAMES),
    ]
    assert bridge.phone.now(status).buttons == status.buttons, "the pressed ones stay"
    question = await presses(bridge.phone, ANNA, which, "majors")
    assert "majors (paper)" in question.title
    assert any(c.startswith("/confirm ") for c in question.buttons.values())


async def test_a_press_that_offers_nothing_is_a_toast_still(bridge: Bridge) -> None:
    status = await says(bridge.phone, ANNA, "/status", place=Place.LISTED)
    refused = await presses(bridge.phone, CLEO, status, "/flatten all")

    assert refused.how is How.TOAST
    assert "needs operator" in refused.text
    assert bridge.phone.now(status).buttons == status.buttons


@pytest.mark.parametrize(
    "said",
    ["/positions", "/orders", "/trades", "/stats", "/daily", "/balance", "/equity", "/risk"],
)
async def test_a_look_that_names_no_trader_shows_them_all(bridge: Bridge, said: str) -> None:
    seen = await says(bridge.phone, ANNA, said)

    assert is_whole(seen) or "trader=minors" in str(seen.buttons)
    assert "Which trader" not in usual(seen.text)
