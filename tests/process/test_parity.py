"""Telegram and Discord say the same: one table of lines, walked on both, with a desk each.

Every command of the registry stands in the table, and every button of its answers is pressed.
What is read is asked for by the button, by typing, and over the socket: it is the same text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from handlers import load_commands
from handlers.line import split
from tests.process.desk_process import DeskProcess
from tests.process.phones import (
    ANNA,
    BEN,
    CLEO,
    MALLORY,
    DiscordPhone,
    How,
    Person,
    Phone,
    Place,
    Seen,
    TelegramPhone,
    ask,
    desk_with,
    does,
    presses,
    says,
    usual,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

COMMANDS = load_commands()
SAID = (
    "/start",
    "/help",
    "/help stop",
    "/status",
    "/traders",
    "/positions",
    "/position BTC",
    "/position DOGE",
    "/price BTC",
    "/chart BTC 1m",
    "/chart NOSUCH",
    "/equity",
    "/orders",
    "/risk",
    "/limits",
    "/trades",
    "/trades 1 1",
    "/why BTC",
    "/watch",
    "/watch off",
    "/backtest 1",
    "/end_backtest",
    "/halts",
    "/stats",
    "/stats month",
    "/performance",
    "/balance",
    "/strategies",
    "/strategy majors ema_cross",
    "/regime",
    "/universe",
    "/daily",
    "/weekly",
    "/monthly",
    "/alerts",
    "/alerts level critical",
    "/alerts last 3",
    "/alerts mute stop moved",
    "/alerts unmute stop moved",
    "/notify BTC above 900000",
    "/notify",
    "/ack",
    "/version",
    "/who",
    "/config",
    "/log",
    "/audit",
    "/reload",
    "/accept_books",
    "/write_off BTC",
    "/buy BTC 100",
    "/buy BTC lots",
    "/sell ETH 100",
    "/stop_loss BTC 20000",
    "/take_profit BTC 90000",
    "/cancel_order",
    "/scan",
    "/close BTC 50%",
    "/close BTC 150%",
    "/pause lunch",
    "/stop news at 20:45",
    "/resume",
    "/flatten",
    "/confirm ZZZZ",
    "/cancel ZZZZ",
    "/postions",
    "/xyzzy",
    "/backup",
)
"""What anna says, in this order; what is said changes what comes after it, alike on both."""
LAST_LINE = "/shutdown"
SAID_TOO = tuple(
    f"/{each.name} {each.example.replace('SYMBOL', 'BTC')}".strip()
    for each in COMMANDS.values()
    if each.name not in {split(line)[0] for line in (*SAID, LAST_LINE)}
)
"""Of every other command its example: none is left out because nobody thought of it."""
LINES = (*SAID, *SAID_TOO, LAST_LINE)
LAST = "Shut down"
OF_THIS_DESK = {"audit", "config", "log"}
"""They tell of this very desk: its file of settings, what was said to it, by whom and how."""
ALERTS = {"alerts"}
LATE = "Sent before it was saved"
"""An alert of one of the two desks, where this machine was slow to save: that is no difference."""
GOES_ON = {"watch", "backtest", "end_backtest"}
"""Their messages change while they are read."""
OF_WHOEVER_ASKS = {"alerts", "ack", "notify", "start", "who"}
"""They tell of the face, the chat or the person."""


def is_read(line: str) -> bool:
    found = COMMANDS.get(split(line)[0])
    return found is not None and not found.acts and found.name not in GOES_ON


ON_SOCKET = [
    line for line in LINES if is_read(line) and split(line)[0] not in OF_THIS_DESK | OF_WHOEVER_ASKS
]


@dataclass(frozen=True, slots=True)
class Answer:
    how: How
    text: str
    buttons: Mapping[str, str]
    silent: bool
    picture: bool

    @classmethod
    def of(cls, seen: Seen) -> Answer:
        buttons = {label: usual(command) for label, command in seen.buttons.items()}
        return cls(seen.how, usual(seen.text), buttons, seen.silent, seen.picture)


@dataclass(slots=True)
class Walked:
    """What one line led to."""

    answer: Answer
    on_socket: str = ""
    pressed: dict[str, Answer] = field(default_factory=dict)
    """By label."""
    typed: dict[str, Answer] = field(default_factory=dict)
    """The same commands typed; only those that are but read."""


@dataclass(slots=True)
class Walk:
    phone: Phone
    desk: DeskProcess
    lines: dict[str, Walked] = field(default_factory=dict)
    buttons: set[tuple[str, str]] = field(default_factory=set)
    """Labels and commands of those that were pressed; each is, once."""


Walks = tuple[Walk, Walk]


# -- the walk -------------------------------------------------------------------------------------


async def walk(phone: Phone, desk: DeskProcess) -> Walk:
    done = Walk(phone, desk)
    await says(phone, ANNA, "/chart BTC")  # the first one loads what draws
    await does(phone, ANNA, "/buy ETH 400")
    await does(phone, ANNA, "/close ETH")
    for line in LINES:
        await _set_up(phone, desk)
        seen = await says(phone, ANNA, line)
        walked = done.lines[line] = Walked(Answer.of(seen))
        if is_read(line):
            walked.on_socket = on_socket(await ask_plainly(desk, line))
        for label, command in seen.buttons.items():
            button = (label, usual(command))
            if label != LAST and button not in done.buttons:
                done.buttons.add(button)
                await _press(done, line, label, command, seen)
                seen = await says(phone, ANNA, line)
    return done


async def _press(done: Walk, line: str, label: str, command: str, seen: Seen) -> None:
    walked = done.lines[line]
    walked.pressed[label] = Answer.of(await presses(done.phone, ANNA, seen, label))
    if is_read(command):
        walked.typed[label] = Answer.of(await says(done.phone, ANNA, command))
    else:
        await _set_up(done.phone, done.desk)


async def _set_up(phone: Phone, desk: DeskProcess) -> None:
    """One position, and nothing halted."""
    status = str(await ask(desk, "/status"))
    if "Halted" in status or "Paused" in status:
        await does(phone, ANNA, "/resume")
    if "BTC long" not in status:
        await does(phone, ANNA, "/buy BTC 400")


async def ask_plainly(desk: DeskProcess, line: str) -> str:
    answer = await ask(desk, line)
    plain: list[str] = answer["plain"].split("\n")
    return "\n".join(plain[: len(plain) - len(answer["choices"])])


def on_socket(plain: str) -> str:
    """Without the sparkline, in place of which there is a picture."""
    lines = plain.split("\n")
    return usual("\n".join(one for one in lines if not re.fullmatch(r"\s*[▁-█\s]+", one)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walks]:
    folders: list[Path] = [tmp_path_factory.mktemp(name) for name in ("telegram", "discord")]
    freely = {
        "QUARTERDECK__ACCESS__RATE": "10000",
        "QUARTERDECK__ACCESS__RATE_IN_GROUPS": "10000",
        "QUARTERDECK__TRADERS__MAJORS__LIMITS__SYMBOL_REST": "0s",
        "QUARTERDECK__TRADERS__MAJORS__LIMITS__LOSS_STREAK": "100",
    }
    level = {"level": "critical"}  # of alerts, or they would come between the answers
    one = TelegramPhone(alerts=[{"chat": ANNA.id} | level])
    other = DiscordPhone(alerts=[{"user": str(ANNA.id)} | level])
    async with (
        desk_with(one, folder=folders[0], environ=freely) as first,
        desk_with(other, folder=folders[1], environ=freely) as second,
    ):
        yield await asyncio.gather(walk(one, first), walk(other, second))


# -- what is the same -----------------------------------------------------------------------------


async def test_every_button_was_pressed(walks: Walks) -> None:
    for each in walks:
        offered = {b for walked in each.lines.values() for b in walked.answer.buttons.items()}
        assert {label for label, _ in offered - each.buttons} == {LAST}


def is_late(walked: Walked) -> bool:
    return any(LATE in answer.text for answer in (walked.answer, *walked.pressed.values()))


@pytest.mark.parametrize("line", LINES)
async def test_the_answer_is_the_same_on_both(line: str, walks: Walks) -> None:
    one, other = (each.lines[line] for each in walks)
    differ = OF_THIS_DESK | (ALERTS if is_late(one) or is_late(other) else set())
    if split(line)[0] not in differ:
        assert one.answer == other.answer
        assert one.pressed.keys() == other.pressed.keys()
    if split(line)[0] not in differ | GOES_ON:
        assert one.pressed == other.pressed
    assert one.answer.buttons.keys() == other.answer.buttons.keys()
    assert (one.answer.silent, one.answer.picture) == (other.answer.silent, other.answer.picture)
    assert one.answer.silent, "answers make no sound"


@pytest.mark.parametrize("line", ON_SOCKET)
async def test_the_answer_is_what_the_socket_says(line: str, walks: Walks) -> None:
    for each in walks:
        assert each.lines[line].answer.text == each.lines[line].on_socket


@pytest.mark.parametrize("line", LINES)
async def test_pressing_is_the_same_as_typing(line: str, walks: Walks) -> None:
    for each in walks:
        walked = each.lines[line]
        for label, typed in walked.typed.items():
            pressed = walked.pressed[label]
            assert (pressed.text, pressed.buttons) == (typed.text, typed.buttons), label


async def test_the_status_is_one_message_of_one_screen(walks: Walks) -> None:
    for each in walks:
        seen = await says(each.phone, ANNA, "/status")
        after = each.phone.messages(ANNA)
        assert after[-1].raw is seen.raw, "nothing came behind it"
        assert len(seen.text.split("\n")) + 1 <= 15
        assert seen.buttons["Stop"] == "/stop"


async def test_a_refresh_takes_the_place_of_what_it_refreshes(walks: Walks) -> None:
    for each in walks:
        seen = await says(each.phone, ANNA, "/status")
        count = len(each.phone.messages(ANNA))
        assert (await presses(each.phone, ANNA, seen, "Refresh")).how is How.EDIT
        assert len(each.phone.messages(ANNA)) == count


async def test_a_live_message_ends_where_it_stands(walks: Walks) -> None:
    for each in walks:
        live = await says(each.phone, ANNA, "/watch")
        assert "Live until" in live.text
        ended = await presses(each.phone, ANNA, live, "End watch")
        assert ended.how is How.EDIT
        assert "Live until" not in ended.text
        assert "Refresh" in ended.buttons


@pytest.mark.parametrize("line", ["/chart BTC 1m", "/equity"])
async def test_a_chart_is_a_picture_with_its_facts_in_words(line: str, walks: Walks) -> None:
    for each in walks:
        answer = each.lines[line].answer
        assert answer.picture
        assert answer.text.split("\n")[1:]


async def test_a_word_mistyped_is_offered_as_it_was_meant(walks: Walks) -> None:
    for each in walks:
        answer = each.lines["/postions"].answer
        assert answer.text == "✕ No /postions. Did you mean /positions?"
        assert answer.buttons == {"Positions": "/positions"}


# -- who and where --------------------------------------------------------------------------------

ROLES = (
    (CLEO, "/status", ""),
    (CLEO, "/stop", "✕ /stop needs operator, you are viewer"),
    (CLEO, "/flatten", "✕ /flatten needs operator, you are viewer"),
    (BEN, "/flatten", ""),
    (BEN, "/shutdown", "✕ /shutdown needs owner, you are operator"),
    (BEN, "/config", "✕ /config needs owner, you are operator"),
    (ANNA, "/config", ""),
)


IN_PRIVATE = {(CLEO, "/flatten")}
"""In a group who only looks is told one refusal a minute, and that was `/stop`."""


@pytest.mark.parametrize(
    ("who", "line", "refusal", "place"),
    [
        (*row, place)
        for row in ROLES
        for place in (Place.PRIVATE, Place.LISTED)
        if place is Place.PRIVATE or row[:2] not in IN_PRIVATE
    ],
)
async def test_each_role_may_what_it_may(
    who: Person, line: str, refusal: str, place: Place, walks: Walks
) -> None:
    for each in walks:
        seen = await says(each.phone, who, line, place=place)
        assert seen.text.startswith(refusal or tuple("T⚠■1234567890bq"))
        assert seen.title.startswith("✕") == bool(refusal)
        assert ("Nothing was sent." in seen.text) >= bool(refusal)


@pytest.mark.parametrize(
    ("who", "place"),
    [(ANNA, Place.UNLISTED), (MALLORY, Place.PRIVATE), (MALLORY, Place.LISTED)],
    ids=["unlisted group", "stranger", "stranger in the group"],
)
async def test_nobody_else_gets_a_word(who: Person, place: Place, walks: Walks) -> None:
    for each in walks:
        phone = each.phone
        before = [m.text for m in phone.messages(who, place=place)]
        await phone.tells(who, "/status", place=place)
        await phone.taken_in()
        await says(phone, BEN, "/version")  # said later, and answered
        assert [m.text for m in phone.messages(who, place=place)] == before


async def test_the_menu_offers_what_there_is(walks: Walks) -> None:
    telegram, discord = (each.phone for each in walks)
    assert isinstance(telegram, TelegramPhone)
    assert isinstance(discord, DiscordPhone)
    offered = telegram.server.menus[f"chat {ANNA.id}"]
    assert {each["command"] for each in offered} <= set(COMMANDS)
    assert {"stop", "status"} <= {each["command"] for each in offered}
    assert discord.server.commands.keys() == set(COMMANDS)


async def test_the_process_is_ended_by_its_button(walks: Walks) -> None:
    """The last of all: afterwards there is no desk."""
    for each in walks:
        question = await says(each.phone, ANNA, "/shutdown")
        await each.phone.taps(ANNA, question, LAST)
        assert await asyncio.to_thread(each.desk.wait) == 0
