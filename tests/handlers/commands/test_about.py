"""Greeting, help, version, and ending the process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handlers.caller import Role
from handlers.command import Command, Commands
from handlers.commands.about import shutdown_question
from handlers.commands.help import group, overview
from handlers.reply import Outcome
from handlers.texts.about import greeting
from handlers.texts.screen import LINES, lines
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import (
    COMMANDS,
    HOLDINGS,
    D,
    a_halt,
    checked,
    lines_of,
    reads,
    shown,
    the_view,
)
from trading.model.halt import Verb
from trading.types import Mode


async def test_start(house: House) -> None:
    reads(
        await house.say("/start"),
        """\
Quarterdeck "harbour" (paper)
You are ben, operator. Trading is on; /start starts nothing.
[Status] [Positions] [Help] [Stop]""",
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ([{"ready": False}], "starting"),
        ([{"halts": (a_halt(),)}], "halted"),
        ([{"halts": (a_halt(verb=Verb.PAUSE),)}], "paused"),
        ([{"halts": (a_halt(),)}, {"name": "alts"}], "halted for majors"),
        ([], "starting"),
    ],
)
def test_start_says_what_state_it_is_in(changes: list[dict[str, Any]], state: str) -> None:
    reply = checked(greeting("harbour", BEN, [the_view(**c) for c in changes]))

    assert f"Trading is {state};" in reply.text


FEW = Commands(
    COMMANDS[name]
    for name in [
        "status",
        "why",
        "pause",
        "stop",
        "buy",
        "notify",
        "version",
        "backup",
        "shutdown",
        "confirm",
    ]
)


def test_help_groups_what_the_caller_may_use() -> None:
    reads(
        overview(FEW, Role.OPERATOR),
        """\
Commands for an operator
Look: /status /why
Stop: /pause /stop
Trade: /buy
Tell: /notify
Desk: /version
/help NAME explains one. 2 more need owner.
[Status] [The five stops: /help stop]""",
    )
    assert "3 more need operator, 2 more need owner." in overview(FEW, Role.VIEWER).text
    assert "more need" not in overview(FEW, Role.OWNER).text


def test_help_of_a_group_lists_it() -> None:
    reads(
        group(FEW, Role.OPERATOR, "Desk"),
        """\
Desk: 1 command for an operator
/version
/help NAME explains one.
2 more need a higher role.
[Help] [Status]""",
    )


async def test_help_of_a_word_is_of_the_group_or_of_the_command(house: House) -> None:
    assert (await house.say("/help Desk")).title.startswith("Desk: ")
    assert (await house.say("/help trades")).title.startswith("/trades")


@pytest.mark.parametrize("role", Role)
def test_help_leads_to_every_command_that_somebody_may_use(role: Role) -> None:
    whole = overview(COMMANDS, role).text.split()
    for each in (c for c in COMMANDS.values() if c.family != "Talk"):
        listed = group(COMMANDS, role, each.family).text.split()
        assert (f"/{each.name}" in listed) == (each.role <= role)
        assert each.role > role or f"/{each.name}" in whole or each.family.lower() in whole


def test_help_stays_on_one_screen_however_many_commands_there_are() -> None:
    sixty = [
        Command(**{f: getattr(COMMANDS["why"], f) for f in Command.__slots__} | {"name": name})
        for name in (f"look_{n}" for n in range(60))
    ]

    reply = overview(Commands([*COMMANDS.values(), *sixty]), Role.OWNER)

    assert lines(reply) <= LINES
    assert "more: /help look" in reply.text
    assert "/pause /stop /flatten /close /resume" in reply.text


async def test_help_stop_explains_the_five_verbs_on_one_screen(house: House) -> None:
    reply = await house.say("/help stop")

    for verb in ("/pause", "/stop", "/flatten", "/close", "/shutdown", "/resume"):
        assert verb in reply.text
    assert len(lines_of(reply)) <= 8


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_every_command_is_explained_on_one_screen(house: House, name: str) -> None:
    for reply in (await house.say(f"/help {name}"), await house.say(f"/help /{name}", ANNA)):
        assert reply.outcome is Outcome.DONE


async def test_help_of_one_command(house: House) -> None:
    reads(
        await house.say("/help close"),
        """\
/close SYMBOL [share], as in /close BTC 50%
Close one position at market, or a share of it; asks first.
Stop and target of the rest are resized. Entries go on as before.
SYMBOL: as in BTC.
[share]: how much of what is open, as in 50%; everything if left out.
For operator and up.""",
    )


async def test_version(house: House) -> None:
    reads(
        await house.say("/version"),
        'Quarterdeck 0.1.0 "harbour"\nTraders: majors (paper).\n[Status]',
    )


# -- /shutdown ----------------------------------------------------------------------------


async def test_shutdown_asks_an_owner(house: House) -> None:
    asked = await house.say("/shutdown", ANNA)

    reads(
        asked,
        """\
⚠ End the process? 3 positions stay open (paper)
First 2 entries are cancelled. 3 stops are kept; paper fills nothing until the next \
start. Chats go silent.
Only anna, here, for 60 s.
[Cancel: /cancel 7K3Q] [Stop first: /stop] [Shut down: /confirm 7K3Q]""",
    )
    reply = await house.press("Shut down", asked, ANNA)
    assert house.desk.asked == [("shutdown", "anna, Telegram")]
    assert lines_of(reply)[0] == "… Shutting down (paper), by anna, Telegram"


def test_shutdown_of_a_live_desk_counts_the_targets_that_stay() -> None:
    aimed = [
        replace(h, plan=replace(h.plan, target=D("1")), target_on_venue=True) for h in HOLDINGS
    ]
    view = the_view(mode=Mode.LIVE, holdings=tuple(aimed), orders=())

    assert "3 stops and 3 targets stay on the venue; trailing waits, unwatched." in shown(
        checked(shutdown_question([view]))
    )
    kept = replace(aimed[0], target_on_venue=False)
    view = the_view(mode=Mode.LIVE, holdings=(kept, *aimed[1:]), orders=())
    assert "3 stops and 2 targets stay on the venue; targets and trailing wait" in shown(
        checked(shutdown_question([view]))
    )


def test_shutdown_of_a_live_desk_says_what_stays_on_the_venue() -> None:
    bare = replace(HOLDINGS[2], stop_on_venue=False)
    view = the_view(mode=Mode.LIVE, holdings=(*HOLDINGS[:2], bare))

    reply = checked(shutdown_question([view]))

    assert shown(reply).split("\n")[1] == (
        "First 2 entries are cancelled. 2 stops stay on the venue; "
        "targets and trailing wait, unwatched. Unprotected while down: SOL."
    )


def test_shutdown_with_nothing_open() -> None:
    reply = checked(shutdown_question([the_view(holdings=(), orders=(), today=D("0"))]))

    assert reply.title == "⚠ End the process? No position is open (paper)"


# -- several traders ----------------------------------------------------------------------


async def test_with_several_traders_answers_and_buttons_name_theirs() -> None:
    house = House(the_view(), the_view(name="alts"))

    status = await house.say("/status")
    one = await house.say("/status trader=alts")
    positions = await house.say("/positions trader=alts")

    assert status.title == "2 traders (paper), nothing needs you"
    assert one.title == "alts: Trading (paper), nothing needs you"
    assert "/positions trader=alts" in [c.command for c in one.choices]
    assert "/position BTC trader=alts" in [c.command for c in positions.choices]


async def test_every_looking_command_answers_without_data() -> None:
    empty = the_view(holdings=(), orders=(), last_cycle=None, price_age=None)
    house = House(empty)

    for said in ("/status", "/positions", "/position BTC", "/orders", "/trades", "/why BTC",
                 "/halts", "/start", "/help", "/version", "/risk", "/limits", "/traders",
                 "/strategies"):  # fmt: skip
        assert (await house.say(said, CLEO)).outcome is Outcome.DONE, said


async def test_status_while_no_trader_is_there_yet() -> None:
    house = House()
    house.desk.traders.clear()

    assert (await house.say("/status")).title == "… Starting: no trader is ready yet"
    assert (await house.say("/positions")).title == "✕ No trader is set up yet"
