"""The Discord face: the real library against a server that refuses what the real one refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatbot.delivery.budget import Crowded
from chatbot.delivery.waiting import Throttled
from chatbot.frontends.discord import ConnectTimeouts, Discord
from chatbot.frontends.discord.alerts import MayNotWrite, NotConnected
from chatbot.frontends.talk import People
from chatbot.ports import NoPicture
from handlers.caller import Role
from handlers.chart import Chart, EquityChart
from handlers.command import Commands
from handlers.message import Message
from handlers.reply import Choice, Level, Outcome, Reply
from tests.handlers.story import COMMANDS
from tests.servers.discord import DiscordServer, Fault, Interaction, Person, Sent
from trading.clocks import SystemClock

ANNA, BEN, CLEO = Person(101, "anna"), Person(111, "ben"), Person(121, "cleo")
MALLORY = Person(666, "mallory-the-stranger")
GUILD, OTHER_GUILD, CHANNEL, DECK = 700, 701, 456, 800
NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)
QUICK = ConnectTimeouts(
    defer=0.05,
    slow=0.1,
    request=5.0,
    flood=0.05,
    silence=5.0,
    identify=0.01,
    first_retry=0.01,
    longest_retry=0.05,
    farewell=0.5,
)
STATUS = Reply(
    "Trading (paper), nothing needs you",
    text="Asked {age}.",
    choices=(Choice("Positions", "/positions"), Choice("Refresh", "/status")),
    as_of=NOW,
)
ASKED = Reply(
    "⚠ Sell 0.90 of 1.80 SOL (paper) at market?",
    choices=(Choice("Cancel", "/cancel 9D2M"), Choice("Sell 0.90", "/confirm 9D2M")),
    outcome=Outcome.CONFIRM,
)
REFUSED = Reply("✕ Only ben may confirm. Nothing was sent.", outcome=Outcome.REFUSED)
A_CHART = EquityChart(
    title="Equity", quote="USDT", times=(NOW,), equity=(1.0,), drawdown=(0.0,), zone="UTC"
)
PNG = b"\x89PNG\r\n\x1a\n"

Answer = Reply | Callable[[Message], Awaitable[Reply]]


@dataclass
class Desk:
    """Answers what it was told to answer; remembers what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    heard: list[Message] = field(default_factory=list)
    foreign_orders: list[tuple[str, str]] = field(default_factory=list)
    symbols: list[str] = field(default_factory=lambda: ["BTC", "ETH", "SOL"])

    async def hear(self, message: Message) -> Reply:
        self.heard.append(message)
        answer = self.answers.get(message.text, Reply(f"You said {message.text}"))
        return answer if isinstance(answer, Reply) else await answer(message)

    async def on_unauthorized(self, place: str, user: str) -> None:
        self.foreign_orders.append((place, user))


class MemoryNotes:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def note(self, name: str) -> str | None:
        return self.kept.get(name)

    async def keep(self, name: str, value: str) -> None:
        self.kept[name] = value


class Painter:
    """Draws the same picture of everything, until it has no paint."""

    def __init__(self) -> None:
        self.is_out_of_paint = False
        self.waits: asyncio.Event | None = None
        """No picture is ready before it is set."""

    async def draw(self, chart: Chart) -> bytes:
        if self.waits is not None:
            await self.waits.wait()
        if self.is_out_of_paint:
            raise NoPicture
        return PNG + chart.title.encode()


@dataclass
class Harbour:
    """A server, a desk, and the face between them."""

    server: DiscordServer
    desk: Desk
    face: Discord
    painter: Painter
    task: asyncio.Task[None]

    async def until(self, look: Callable[[], Any], what: str) -> Any:
        return await self.server.until(look, what)

    async def becomes(self, problem: str) -> None:
        await self.until(lambda: self.face.problem == problem, f"{problem!r}")

    async def ask(self, who: Person, text: str, **where: Any) -> tuple[Interaction, Sent]:
        said = await self.server.says(who, text, **where)
        return said, await self.server.answer_to(said)


def a_face(
    server: DiscordServer,
    desk: Desk,
    *,
    notes: MemoryNotes | None = None,
    painter: Painter | None = None,
    waits: ConnectTimeouts = QUICK,
    commands: Commands = COMMANDS,
) -> Discord:
    return Discord(
        token=server.token,
        api_url=server.api_url,
        gateway_url=server.gateway_url,
        people=People(
            users={"101": Role.OWNER, "111": Role.OPERATOR},
            roles={str(DECK): Role.VIEWER},
            names={"111": "ben"},
        ),
        guilds=frozenset({str(GUILD)}),
        commands=commands,
        symbols=lambda: desk.symbols,
        traders=lambda: ["majors", "alts"],
        halts=lambda: ["H17"],
        clock=SystemClock(),
        pictures=painter or Painter(),
        notes=notes or MemoryNotes(),
        on_unauthorized=desk.on_unauthorized,
        waits=waits,
    )


@asynccontextmanager
async def running(
    server: DiscordServer, *, connected: bool = True, **given: Any
) -> AsyncIterator[Harbour]:
    desk, painter = Desk(), Painter()
    face = a_face(server, desk, painter=painter, **given)
    task = asyncio.create_task(face.run(desk.hear))
    try:
        if connected:
            await server.until(lambda: not face.problem, "a connection")
        yield Harbour(server, desk, face, painter, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert server.refusals == []


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        server.gateway.guilds = {GUILD}
        server.channel(CHANNEL)
        yield server


@pytest.fixture
async def harbour(server: DiscordServer) -> AsyncIterator[Harbour]:
    async with running(server) as harbour:
        yield harbour


# -- what is said -----------------------------------------------------------------------------


async def test_a_slash_command_is_the_line_it_stands_for(harbour: Harbour) -> None:
    harbour.desk.answers["/status"] = STATUS

    said, answer = await harbour.ask(BEN, "/status")

    (message,) = harbour.desk.heard
    assert message.text == "/status"
    assert message.id == f"discord:{said.id}"
    assert abs(message.sent_at - datetime.now(UTC)) < timedelta(seconds=60)
    assert (message.caller.user, message.caller.name) == ("discord:111", "ben")
    assert (message.caller.role, message.caller.place) == (Role.OPERATOR, "Discord")
    assert (message.caller.chat, message.caller.edits) == ("discord:@111", True)
    assert answer.title == "Trading (paper), nothing needs you"
    assert answer.description == f"Asked <t:{int(NOW.timestamp())}:R>."
    assert answer.buttons == {"Positions": "/positions", "Refresh": "/status"}
    assert answer.silent


async def test_options_become_words_in_their_order(harbour: Harbour) -> None:
    await harbour.ask(BEN, "/close", options={"symbol": "SOL", "share": "50%", "trader": "majors"})
    await harbour.ask(BEN, "/trades", options={"page": 2})

    assert [m.text for m in harbour.desk.heard] == [
        "/close SOL 50% trader=majors",
        "/trades page=2",
    ]


async def test_in_a_listed_guild_the_channel_is_the_chat(harbour: Harbour) -> None:
    await harbour.ask(BEN, "/status", channel=CHANNEL, guild=GUILD)

    assert harbour.desk.heard[0].caller.chat == f"discord:{CHANNEL}"


async def test_a_role_of_the_guild_counts_there_and_nowhere_else(harbour: Harbour) -> None:
    guest = replace(CLEO, roles=(5, DECK))

    await harbour.ask(guest, "/status", channel=CHANNEL, guild=GUILD)
    await harbour.server.says(guest, "/status", channel=CHANNEL, guild=OTHER_GUILD)
    await harbour.until(lambda: harbour.desk.foreign_orders, "a stranger")

    assert [m.caller.role for m in harbour.desk.heard] == [Role.VIEWER]
    assert harbour.desk.foreign_orders == [("Discord", "121")]


async def test_a_guild_that_is_not_listed_hears_nothing_from_anybody(harbour: Harbour) -> None:
    unheard = await harbour.server.says(ANNA, "/status", channel=CHANNEL, guild=OTHER_GUILD)
    await harbour.ask(ANNA, "/status")

    assert unheard.failed
    assert [m.caller.chat for m in harbour.desk.heard] == ["discord:@101"]
    assert harbour.desk.foreign_orders == []


async def test_strangers_get_no_answer_and_are_told_of(harbour: Harbour) -> None:
    _, answer = await harbour.ask(BEN, "/status")

    said = await harbour.server.says(MALLORY, "/stop")
    typed = await harbour.server.types(MALLORY, "/close", {"symbol": ""}, focused="symbol")
    pressed = await harbour.server.presses(MALLORY, answer, "/stop")
    await harbour.until(lambda: len(harbour.desk.foreign_orders) == 2, "both")

    assert said.failed
    assert typed.failed
    assert pressed.failed
    assert harbour.desk.foreign_orders == [("Discord", "666")] * 2
    assert [m.text for m in harbour.desk.heard] == ["/status"]


async def test_the_same_interaction_twice_counts_once(harbour: Harbour) -> None:
    said, _ = await harbour.ask(BEN, "/stop")

    await harbour.server.again(said)
    await harbour.ask(BEN, "/status")

    assert [m.text for m in harbour.desk.heard] == ["/stop", "/status"]


async def test_what_comes_late_is_heard_with_its_time_and_answered_in_the_channel(
    harbour: Harbour,
) -> None:
    said = await harbour.server.says(BEN, "/stop", channel=CHANNEL, guild=GUILD, ago=90)

    answer = await harbour.server.seen(CHANNEL, "You said /stop")

    assert said.refused == [10_062]
    assert answer.silent
    assert datetime.now(UTC) - harbour.desk.heard[0].sent_at > timedelta(seconds=80)


async def test_a_command_from_an_older_client_is_answered_all_the_same(harbour: Harbour) -> None:
    said = await harbour.server.says(BEN, "/gone", {"x": "1"}, unchecked=True)
    await harbour.server.answer_to(said)

    assert [m.text for m in harbour.desk.heard] == ["/gone"]


# -- what is suggested ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "focused", "typed", "found"),
    [
        ("/close", "symbol", "", ["BTC", "ETH", "SOL"]),
        ("/close", "symbol", "s", ["SOL"]),
        ("/close", "trader", "MA", ["majors"]),
        ("/stop", "trader", "", ["majors", "alts", "all"]),
        ("/resume", "halt", "h1", ["H17"]),
        ("/close", "symbol", "xyz", []),
    ],
)
async def test_words_are_suggested_as_they_are_typed(
    harbour: Harbour, command: str, focused: str, typed: str, found: list[str]
) -> None:
    asked = await harbour.server.types(BEN, command, {focused: typed}, focused=focused)

    assert await harbour.until(lambda: asked.answered, "suggestions")
    assert asked.suggestions == found
    assert harbour.desk.heard == []


async def test_at_most_25_words_are_suggested(harbour: Harbour) -> None:
    harbour.desk.symbols = [f"C{number:03}" for number in range(600)]

    asked = await harbour.server.types(BEN, "/close", {"symbol": "c1"}, focused="symbol")
    await harbour.until(lambda: asked.answered, "suggestions")

    assert asked.suggestions == [f"C{number:03}" for number in range(100, 125)]


# -- buttons ----------------------------------------------------------------------------------


async def test_a_press_that_looks_takes_the_place_of_what_was_looked_at(harbour: Harbour) -> None:
    harbour.desk.answers["/status"] = STATUS
    _, status = await harbour.ask(BEN, "/status")

    await harbour.server.presses(BEN, status, "Positions")
    await harbour.server.edited(status, "You said /positions")

    assert status.edits[0].startswith("Trading (paper), nothing needs you\nAsked")
    assert status.edits[1:] == ["You said /positions"]
    assert status.buttons == {}
    assert len(harbour.server.private(111).messages) == 1


async def test_a_press_that_acts_is_answered_anew_and_the_old_buttons_go(harbour: Harbour) -> None:
    harbour.desk.answers["/close SOL 50%"] = ASKED
    _, question = await harbour.ask(BEN, "/close", options={"symbol": "SOL", "share": "50%"})

    pressed = await harbour.server.presses(BEN, question, "Sell 0.90")
    answer = await harbour.server.answer_to(pressed)

    assert answer.text == "You said /confirm 9D2M"
    assert answer.silent
    assert question.text == "⚠ Sell 0.90 of 1.80 SOL (paper) at market?"
    assert question.buttons == {}


async def test_a_refused_press_is_told_to_that_person_and_changes_nothing(harbour: Harbour) -> None:
    harbour.desk.answers |= {"/close SOL": ASKED, "/confirm 9D2M": REFUSED}
    guest = replace(CLEO, roles=(DECK,))
    _, question = await harbour.ask(
        BEN, "/close", options={"symbol": "SOL"}, channel=CHANNEL, guild=GUILD
    )

    pressed = await harbour.server.presses(guest, question, "Sell 0.90", guild=GUILD)
    toast = await harbour.server.answer_to(pressed)

    assert toast.ephemeral
    assert toast.text == "✕ Only ben may confirm. Nothing was sent."
    assert [*question.buttons] == ["Cancel", "Sell 0.90"]
    assert len(harbour.server.channel(CHANNEL).messages) == 1


async def test_a_question_that_has_expired_loses_its_buttons(harbour: Harbour) -> None:
    expired = Reply("✕ Expired. Nothing was sent.", outcome=Outcome.REFUSED, spent=True)
    harbour.desk.answers |= {"/close SOL": ASKED, "/confirm 9D2M": expired}
    _, question = await harbour.ask(BEN, "/close", options={"symbol": "SOL"})

    pressed = await harbour.server.presses(BEN, question, "Sell 0.90")
    toast = await harbour.server.answer_to(pressed)

    assert toast.ephemeral
    assert toast.text == "✕ Expired. Nothing was sent."
    assert question.text == "⚠ Sell 0.90 of 1.80 SOL (paper) at market?"
    assert question.buttons == {}


async def test_an_alert_is_never_overwritten_except_by_its_own_refresh(harbour: Harbour) -> None:
    alert = replace(STATUS, title="⚠ Feed lost 30 s ago", level=Level.URGENT)
    await harbour.face.send(str(CHANNEL), alert, silent=False)
    (message,) = harbour.server.channel(CHANNEL).seen

    pressed = await harbour.server.presses(BEN, message, "Positions", guild=GUILD)
    answer = await harbour.server.answer_to(pressed)
    assert answer.text == "You said /positions"
    assert [*message.buttons] == ["Positions", "Refresh"]

    await harbour.server.presses(BEN, message, "Refresh", guild=GUILD)
    await harbour.server.edited(message, "You said /status")


async def test_a_button_from_before_a_restart_works(server: DiscordServer) -> None:
    async with running(server) as before:
        before.desk.answers["/close SOL"] = ASKED
        _, question = await before.ask(BEN, "/close", options={"symbol": "SOL"})

    async with running(server) as after:
        pressed = await server.presses(BEN, question, "Cancel")
        answer = await server.answer_to(pressed)

    assert answer.text == "You said /cancel 9D2M"
    assert [m.text for m in after.desk.heard] == ["/cancel 9D2M"]


async def test_a_button_that_acts_is_the_same_press_however_often_it_comes(
    harbour: Harbour,
) -> None:
    harbour.desk.answers["/positions"] = Reply("3 open", choices=(Choice("Close", "/close SOL"),))
    _, positions = await harbour.ask(BEN, "/positions")

    for _ in range(2):
        pressed = await harbour.server.presses(BEN, positions, "/close SOL")
        await harbour.server.answer_to(pressed)

    first, second = (m.id for m in harbour.desk.heard[1:])
    assert first == second == f"discord:{positions.id}|discord:111|/close SOL"


# -- what takes long --------------------------------------------------------------------------


async def test_a_slow_command_is_deferred_and_says_that_it_asks_the_venue(harbour: Harbour) -> None:
    gate = asyncio.Event()

    async def slowly(_: Message) -> Reply:
        await gate.wait()
        return Reply("✓ Sold")

    harbour.desk.answers["/status"] = slowly
    said = await harbour.server.says(BEN, "/status")

    answer = await harbour.server.seen(harbour.server.private(111).id, "… Asking the venue")
    assert said.deferred == 5
    gate.set()
    await harbour.server.edited(answer, "✓ Sold")
    assert answer.edits == ["… Asking the venue", "✓ Sold"]


async def test_a_slow_press_that_acts_leaves_the_buttons_until_it_is_known(
    server: DiscordServer,
) -> None:
    gate = asyncio.Event()

    async def slowly(_: Message) -> Reply:
        await gate.wait()
        return REFUSED

    async with running(server, waits=replace(QUICK, slow=30.0)) as harbour:
        harbour.desk.answers |= {"/close SOL": ASKED, "/confirm 9D2M": slowly}
        _, question = await harbour.ask(BEN, "/close", options={"symbol": "SOL"})
        pressed = await server.presses(BEN, question, "Sell 0.90")
        await harbour.until(lambda: pressed.deferred == 6, "a deferral")
        gate.set()
        toast = await server.answer_to(pressed)

    assert toast.ephemeral
    assert [*question.buttons] == ["Cancel", "Sell 0.90"]


async def test_a_slow_press_that_acts_says_so_in_a_new_message(harbour: Harbour) -> None:
    gate = asyncio.Event()

    async def slowly(_: Message) -> Reply:
        await gate.wait()
        return Reply("✓ Sold")

    harbour.desk.answers |= {"/close SOL": ASKED, "/confirm 9D2M": slowly}
    _, question = await harbour.ask(BEN, "/close", options={"symbol": "SOL"})
    pressed = await harbour.server.presses(BEN, question, "Sell 0.90")
    answer = await harbour.server.answer_to(pressed)
    gate.set()

    await harbour.server.edited(answer, "✓ Sold")
    assert answer.edits == ["… Asking the venue", "✓ Sold"]
    assert question.buttons == {}


async def test_a_slow_press_that_looks_is_answered_in_place(harbour: Harbour) -> None:
    gate = asyncio.Event()

    async def slowly(_: Message) -> Reply:
        await gate.wait()
        return Reply("3 open")

    harbour.desk.answers |= {"/status": STATUS, "/positions": slowly}
    _, status = await harbour.ask(BEN, "/status")
    await harbour.server.presses(BEN, status, "Positions")
    await harbour.server.edited(status, "… Asking the venue")
    gate.set()

    await harbour.server.edited(status, "3 open")
    assert len(harbour.server.private(111).messages) == 1


async def test_later_stages_are_put_in_the_place_of_the_answer(harbour: Harbour) -> None:
    stages = [Reply("■ Stopped, confirmed in 18 s"), None]

    async def later() -> Reply | None:
        stage = stages.pop(0)
        return stage and replace(stage, then=later)

    harbour.desk.answers["/stop"] = Reply("■ Stopped: LATCHED, RETRYING", then=later)
    _, answer = await harbour.ask(BEN, "/stop")

    await harbour.server.edited(answer, "confirmed in 18 s")
    assert answer.edits == ["■ Stopped: LATCHED, RETRYING", "■ Stopped, confirmed in 18 s"]


async def test_a_stage_gets_through_a_bad_network(harbour: Harbour) -> None:
    gate = asyncio.Event()

    async def later() -> Reply | None:
        await gate.wait()
        return Reply("✓ Flat")

    harbour.desk.answers["/stop"] = Reply("■ Stopped", then=later)
    _, answer = await harbour.ask(BEN, "/stop")
    harbour.server.fail("PATCH", Fault.DROP, times=5)
    gate.set()

    await harbour.server.edited(answer, "✓ Flat")
    assert answer.edits == ["■ Stopped", "✓ Flat"]


async def test_after_15_minutes_stages_are_edited_through_the_channel(harbour: Harbour) -> None:
    gate = asyncio.Event()

    async def later() -> Reply | None:
        await gate.wait()
        return Reply("✓ Flat")

    harbour.desk.answers["/stop"] = Reply("■ Stopped", then=later)
    said, answer = await harbour.ask(BEN, "/stop", channel=CHANNEL, guild=GUILD)
    harbour.server.expire(said)
    gate.set()

    await harbour.server.edited(answer, "✓ Flat")
    assert harbour.server.asked(f"PATCH /channels/{CHANNEL}/messages/{answer.id}")


async def test_where_nobody_may_edit_any_more_stages_end_quietly(
    harbour: Harbour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gate = asyncio.Event()

    async def later() -> Reply | None:
        await gate.wait()
        return Reply("✓ Flat")

    harbour.desk.answers["/stop"] = Reply("■ Stopped", then=later)
    said, answer = await harbour.ask(BEN, "/stop", channel=CHANNEL, guild=GUILD)
    harbour.server.expire(said)
    harbour.server.channel(CHANNEL).readable = False
    gate.set()

    await harbour.until(lambda: "no longer edited" in caplog.text, "the end")
    assert answer.text == "■ Stopped"
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


# -- pictures, and what is long ---------------------------------------------------------------


async def test_a_chart_is_a_picture_and_an_edit_takes_it_away(harbour: Harbour) -> None:
    harbour.desk.answers["/stats"] = Reply(
        "30 days: -336.64 USDT", chart=A_CHART, choices=(Choice("Status", "/status"),)
    )
    _, answer = await harbour.ask(BEN, "/stats")
    assert answer.photo == PNG + b"Equity"
    assert answer.body["embeds"][0]["image"]["url"] == "attachment://chart.png"

    await harbour.server.presses(BEN, answer, "Status")
    await harbour.server.edited(answer, "You said /status")
    assert answer.photo is None


async def test_without_a_picture_the_words_are_there(harbour: Harbour) -> None:
    harbour.painter.is_out_of_paint = True
    harbour.desk.answers["/stats"] = Reply("30 days: -336.64 USDT", text="49 won.", chart=A_CHART)

    _, answer = await harbour.ask(BEN, "/stats")

    assert answer.text == "30 days: -336.64 USDT\n49 won.\nThe picture could not be drawn."
    assert answer.photo is None


async def test_what_is_too_long_comes_in_several_messages(harbour: Harbour) -> None:
    lines = [f"{number:04} a line of the log" for number in range(400)]
    harbour.desk.answers["/log"] = replace(STATUS, title="Log", text="\n".join(lines))

    _, first = await harbour.ask(ANNA, "/log")
    room = harbour.server.private(101)
    await harbour.until(lambda: "0399" in room.seen[-1].text, "the last of it")

    told = "\n".join(m.text for m in room.seen).split("\n")
    assert [line for line in told if line in set(lines)] == lines
    assert first.buttons == {}
    assert [*room.seen[-1].buttons] == ["Positions", "Refresh"]


async def test_words_of_others_are_shown_as_they_are_and_mention_nobody(harbour: Harbour) -> None:
    nasty = "@everyone <@111> *b* _i_ `c` ~~s~~ ||x|| [a](b) stop_loss"
    harbour.desk.answers["/status"] = Reply(
        nasty, text=f"{nasty}\n# no title\n- no list\n> no quote"
    )

    _, answer = await harbour.ask(BEN, "/status")

    assert answer.text.split("\n") == [nasty, nasty, "# no title", "- no list", "> no quote"]
    assert answer.body["allowed_mentions"]["parse"] == []


# -- alerts -----------------------------------------------------------------------------------


async def test_alerts_go_to_channels_and_to_people_silently_if_asked(harbour: Harbour) -> None:
    await harbour.face.send(str(CHANNEL), Reply("Opened SOL long"), silent=True)
    await harbour.face.send("@111", Reply("■ Halted", level=Level.CRITICAL), silent=False)
    await harbour.face.send("@111", Reply("Again", level=Level.CRITICAL), silent=False)

    (quiet,) = harbour.server.channel(CHANNEL).seen
    loud, _ = harbour.server.private(111).seen
    assert quiet.silent
    assert not loud.silent
    assert loud.colour != quiet.colour
    assert len(harbour.server.asked("POST /users/@me/channels")) == 1


async def test_an_alert_that_comes_during_the_first_login_waits_for_it(
    server: DiscordServer,
) -> None:
    async with running(server, connected=False) as harbour:
        await harbour.face.send(str(CHANNEL), Reply("Started"), silent=True)

    assert [m.text for m in server.channel(CHANNEL).seen] == ["Started"]


async def test_one_story_is_one_message_until_it_needs_a_person(harbour: Harbour) -> None:
    room = harbour.server.channel(CHANNEL)
    for reply in (
        Reply("? Unknown: SOL sell", level=Level.URGENT, story="O1"),
        Reply("✓ Resolved in 9 s", level=Level.NOTICE, story="O1"),
        Reply("⚠ Refused after all", level=Level.URGENT, story="O1"),
        Reply("Opened BTC", story="O2"),
    ):
        await harbour.face.send(str(CHANNEL), reply, silent=False)

    assert [m.text for m in room.seen] == ["✓ Resolved in 9 s", "⚠ Refused after all", "Opened BTC"]


async def test_a_story_whose_message_was_deleted_goes_on_in_a_new_one(harbour: Harbour) -> None:
    await harbour.face.send(str(CHANNEL), Reply("Opened", story="O1"), silent=True)
    harbour.server.channel(CHANNEL).messages[0].deleted = True

    await harbour.face.send(str(CHANNEL), Reply("Closed", story="O1"), silent=True)

    assert [m.text for m in harbour.server.channel(CHANNEL).seen] == ["Closed"]


async def test_being_told_to_wait_is_handed_on(harbour: Harbour) -> None:
    harbour.server.fail("POST /channels", Fault.FLOOD, retry_after=0.3)

    with pytest.raises(Throttled) as told:
        await harbour.face.send(str(CHANNEL), Reply("Opened"), silent=True)
    assert told.value.retry_after == 0.3
    assert harbour.face.problem == "it refuses too many requests"

    async def arrives() -> None:
        while True:
            with suppress(Crowded):
                return await harbour.face.send(str(CHANNEL), Reply("Opened"), silent=True)
            await asyncio.sleep(0.005)

    await arrives()
    assert len(harbour.server.asked("POST /channels")) == 2
    assert harbour.face.problem == ""
    assert len(harbour.server.channel(CHANNEL).seen) == 1


async def test_a_short_wait_is_waited(harbour: Harbour) -> None:
    harbour.server.fail("POST /channels", Fault.FLOOD, retry_after=0.01, times=2)

    await harbour.face.send(str(CHANNEL), Reply("Opened"), silent=True)

    assert [m.text for m in harbour.server.channel(CHANNEL).seen] == ["Opened"]


async def test_a_channel_that_refuses_is_named_and_the_others_fare_well(
    harbour: Harbour,
) -> None:
    harbour.server.channel(CHANNEL).writable = False

    with pytest.raises(MayNotWrite, match=f"it may not write to channel {CHANNEL}"):
        await harbour.face.send(str(CHANNEL), Reply("Opened"), silent=True)
    with pytest.raises(MayNotWrite, match="it may not write to channel 999"):
        await harbour.face.send("999", Reply("Opened"), silent=True)
    await harbour.face.send("@111", Reply("Opened"), silent=True)
    assert harbour.face.problem == ""

    harbour.server.channel(CHANNEL).writable = True
    harbour.server.channel(999)
    for chat in (str(CHANNEL), "999"):
        await harbour.face.send(chat, Reply("Opened"), silent=True)
    assert harbour.face.problem == ""


async def test_an_alert_whose_picture_is_refused_arrives_in_words(harbour: Harbour) -> None:
    harbour.server.channel(CHANNEL).takes_files = False

    report = Reply("Day 10 Oct: -65.56 USDT", text="6 trades.", chart=A_CHART)
    await harbour.face.send(str(CHANNEL), report, silent=True)

    (alert,) = harbour.server.channel(CHANNEL).seen
    assert (alert.text, alert.photo) == ("Day 10 Oct: -65.56 USDT\n6 trades.", None)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_AFTER, Fault.UNAVAILABLE, Fault.HANG])
async def test_an_alert_in_doubt_may_be_sent_again_and_stands_there_once(
    server: DiscordServer, fault: Fault
) -> None:
    async with running(server, waits=replace(QUICK, request=0.3)) as harbour:
        server.fail("POST /channels", fault)
        alert = Reply("■ Halted", level=Level.CRITICAL)

        with pytest.raises(Exception):  # noqa: B017, PT011  # whatever the library raises
            await harbour.face.send(str(CHANNEL), alert, silent=False)
        assert harbour.face.problem == "it does not answer"
        await harbour.face.send(str(CHANNEL), alert, silent=False)
        await harbour.face.send(str(CHANNEL), alert, silent=False)

        # The second is news: it says the same, and came after the first had arrived.
        assert [m.text for m in server.channel(CHANNEL).seen] == ["■ Halted", "■ Halted"]
        assert harbour.face.problem == ""


async def test_a_server_error_is_outlived(harbour: Harbour) -> None:
    harbour.server.fail("POST /channels", Fault.BROKEN)

    await harbour.face.send(str(CHANNEL), replace(STATUS, chart=A_CHART), silent=True)

    (alert,) = harbour.server.channel(CHANNEL).seen
    assert alert.photo == PNG + b"Equity"


async def test_an_answer_that_did_not_get_through_is_given_in_the_channel(harbour: Harbour) -> None:
    harbour.server.fail("POST /interactions", Fault.DROP)

    said = await harbour.server.says(BEN, "/stop")
    answer = await harbour.server.seen(harbour.server.private(111).id, "You said /stop")

    assert answer.silent
    assert said.failed


async def test_an_answer_whose_receipt_was_lost_is_shown_once_by_editing(harbour: Harbour) -> None:
    harbour.server.fail("POST /interactions", Fault.DROP_AFTER)

    await harbour.server.says(BEN, "/stop")
    room = harbour.server.private(111)
    await harbour.until(lambda: room.seen and "You said /stop" in room.seen[-1].text, "it")

    assert "You said /stop" in room.seen[0].text


async def test_what_discord_refuses_goes_out_as_bare_words(harbour: Harbour) -> None:
    harbour.server.fail("P", Fault.NO_EMBEDS, times=9)
    await harbour.face.send(str(CHANNEL), replace(STATUS, title="a_b", story="O1"), silent=True)
    await harbour.face.send(str(CHANNEL), replace(STATUS, title="c_d", story="O1"), silent=True)
    said, answer = await harbour.ask(BEN, "/stop")

    (alert,) = harbour.server.channel(CHANNEL).seen
    assert [text.split("\n")[0] for text in alert.edits] == ["a_b", "c_d"]
    assert (answer.text, answer.id) == ("You said /stop", said.shown and said.shown.id)


# -- the connection ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["close", "cut", "reconnect", "resumable"])
async def test_a_broken_connection_is_resumed_and_what_was_missed_is_heard(
    harbour: Harbour, way: str
) -> None:
    gateway = harbour.server.gateway
    breaks: dict[str, Callable[[], Any]] = {
        "close": lambda: gateway.close(1001),
        "cut": gateway.cut,
        "reconnect": gateway.ask_to_reconnect,
        "resumable": lambda: gateway.invalidate(resumable=True),
    }
    broken = breaks[way]()
    if broken is not None:
        await broken
    await harbour.server.says(BEN, "/stop")

    await harbour.until(lambda: harbour.desk.heard, "the stop")
    await harbour.until(lambda: gateway.resumed == 1, "a resumption")
    assert gateway.identified == 1
    await harbour.becomes("")


async def test_a_session_that_is_gone_begins_anew(harbour: Harbour) -> None:
    gateway = harbour.server.gateway
    gateway.refusals = [False, False]
    await gateway.invalidate(resumable=False)

    await harbour.until(lambda: gateway.identified == 2, "a new session")
    await harbour.becomes("")
    await harbour.ask(BEN, "/status")


async def test_a_gateway_that_says_nothing_is_left_while_alerts_go_on(
    server: DiscordServer,
) -> None:
    async with running(server, waits=replace(QUICK, request=0.2, silence=0.2)) as harbour:
        server.gateway.is_mute = True
        await harbour.becomes("its gateway is gone")
        await harbour.face.send(str(CHANNEL), Reply("Feed lost"), silent=False)
        assert [m.text for m in server.channel(CHANNEL).seen] == ["Feed lost"]

        server.gateway.is_mute = False
        await harbour.becomes("")
        await harbour.ask(BEN, "/status")


async def test_a_beating_gateway_is_kept() -> None:
    async with DiscordServer(heartbeat=0.02) as server, running(server):
        await server.until(lambda: server.gateway.beats > 5, "beats")
        assert server.gateway.connections == 1


async def test_the_desk_starts_with_discord_down_and_connects_when_it_is_there(
    server: DiscordServer,
) -> None:
    await server.go_away()
    async with running(server, connected=False) as harbour:
        await harbour.becomes("it does not answer")
        with pytest.raises(NotConnected):
            await harbour.face.send(str(CHANNEL), Reply("Opened"), silent=True)

        await server.come_back()
        await harbour.becomes("")
        await harbour.ask(BEN, "/status")


async def test_a_connection_refused_for_a_while_is_back_by_itself(harbour: Harbour) -> None:
    await harbour.server.go_away()
    await harbour.becomes("its gateway is gone")
    await harbour.server.come_back()

    await harbour.becomes("")
    await harbour.ask(BEN, "/status")


async def test_a_revoked_token_is_said_and_a_restored_one_works(harbour: Harbour) -> None:
    await harbour.server.revoke()
    await harbour.becomes("its token is refused")
    assert not harbour.task.done()

    harbour.server.restore()
    await harbour.becomes("")
    await harbour.ask(BEN, "/status")


async def test_a_login_that_hangs_or_breaks_or_floods_is_tried_again(server: DiscordServer) -> None:
    server.fail("GET /users/@me", Fault.HANG)
    server.fail("GET /users/@me", Fault.UNAVAILABLE)
    server.fail("GET /users/@me", Fault.FLOOD, retry_after=0.1)
    server.fail("GET /users/@me", Fault.BANNED)
    async with running(server, waits=replace(QUICK, request=0.2)) as harbour:
        assert len(server.asked("GET /users/@me")) == 5
        await harbour.ask(BEN, "/status")


async def test_what_is_being_answered_when_the_desk_ends_is_still_answered(
    server: DiscordServer,
) -> None:
    gate = asyncio.Event()

    async def slowly(_: Message) -> Reply:
        await gate.wait()
        return Reply("✓ Ending")

    async with running(server, waits=replace(QUICK, defer=30, slow=30, farewell=5)) as harbour:
        harbour.desk.answers["/shutdown"] = slowly
        await server.says(ANNA, "/shutdown")
        await harbour.until(lambda: harbour.desk.heard, "it")
        harbour.task.cancel()
        gate.set()

    assert [m.text for m in server.private(101).seen] == ["✓ Ending"]


# -- the commands -----------------------------------------------------------------------------


async def test_every_command_is_declared_with_its_options(harbour: Harbour) -> None:
    await harbour.until(lambda: harbour.server.declared, "commands")

    declared = harbour.server.commands
    assert set(declared) == set(COMMANDS)
    assert declared["close"]["description"] == COMMANDS["close"].summary
    symbol, share, trader = declared["close"]["options"]
    assert (symbol["name"], symbol["required"], symbol["autocomplete"]) == ("symbol", True, True)
    assert (share["name"], share["required"]) == ("share", False)
    assert (trader["name"], trader["required"], trader["autocomplete"]) == ("trader", False, True)
    for each in declared.values():
        whom = [o for o in each["options"] if o["name"] == "trader"]
        assert not any(o["required"] for o in whom), "it may be left out"
        assert all(o["autocomplete"] for o in whom), each["name"]
    count = declared["trades"]["options"][0]
    assert (count["type"], count["min_value"], count["max_value"]) == (4, 1, 8)
    rebase = declared["resume"]["options"][1]
    assert [choice["value"] for choice in rebase["choices"]] == ["rebase"]


async def test_commands_are_declared_only_when_they_changed(server: DiscordServer) -> None:
    notes = MemoryNotes()
    for _ in range(2):
        async with running(server, notes=notes) as harbour:
            await harbour.until(lambda: notes.kept, "the note")
            await harbour.ask(BEN, "/status")
    assert server.declared == 1

    fewer = Commands([COMMANDS["status"], COMMANDS["stop"]])
    async with running(server, notes=notes, commands=fewer) as harbour:
        await harbour.until(lambda: server.declared == 2, "the new ones")
    assert set(server.commands) == {"status", "stop"}


async def test_commands_that_are_not_taken_stop_nothing_and_are_told_again(
    server: DiscordServer,
) -> None:
    server.fail("PUT", Fault.UNAVAILABLE, times=2)
    server.fail("PUT", Fault.DROP)
    async with running(server) as harbour:
        await harbour.ask(BEN, "/status")
        assert server.declared == 1


# -- secrets ----------------------------------------------------------------------------------


async def test_no_log_names_the_token_or_what_a_stranger_wrote(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # As in production: the library writes whole events at DEBUG.
    caplog.set_level(logging.WARNING, logger="discord")
    async with running(server) as harbour:
        await server.says(MALLORY, "/close", {"symbol": "secret-words"})
        await harbour.until(lambda: harbour.desk.foreign_orders, "a stranger")
        server.fail("POST", Fault.DROP)
        await harbour.ask(BEN, "/status")
        await server.revoke()
        await harbour.becomes("its token is refused")
        server.restore()
        await harbour.becomes("")

    assert caplog.records
    tokens = [server.token, *server.interactions]
    for record in caplog.records:
        told = logging.Formatter().format(record)
        assert not [t for t in (*tokens, "secret-words", MALLORY.name) if t in told], told
