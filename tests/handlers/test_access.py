"""Commands that the settings switch off or raise, and people who ask too often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.access import ALWAYS, UNLIMITED, Policy, RateLimit, is_limited
from handlers.caller import Role
from handlers.commands.help import as_markdown, overview
from handlers.dispatch import Dispatcher
from handlers.reply import Level, Outcome
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import COMMANDS, checked, reads

POLICY = Policy(off={"shutdown", "stats"}, raised={"buy": Role.OWNER, "stats": Role.OWNER})


@pytest.fixture
def strict() -> House:
    """A house where /shutdown and /stats are switched off, and only owners /buy."""
    house = House()
    house.services = replace(house.services, commands=POLICY.apply(COMMANDS))
    house.dispatcher = Dispatcher(house.services, off=POLICY.off)
    return house


# -- commands -----------------------------------------------------------------------------


async def test_a_command_that_is_switched_off_says_so(strict: House) -> None:
    reply = await strict.say("/shutdown", ANNA)

    reads(reply, "✕ /shutdown is switched off in the settings\nNothing was sent.")
    assert reply.outcome is Outcome.REFUSED
    assert strict.desk.asked == []


async def test_a_command_that_was_raised_needs_the_higher_role(strict: House) -> None:
    reply = await strict.say("/buy SOL 200")

    reads(reply, "✕ /buy needs owner, you are operator\nNothing was sent.")


async def test_help_and_menus_go_by_the_settings(strict: House) -> None:
    commands = strict.services.commands
    text = overview(commands, Role.OPERATOR).text

    assert "/buy" not in text
    assert "/stats" not in text
    assert "/shutdown" not in as_markdown(commands)
    assert "/shutdown" not in (await strict.say("/help desk", ANNA)).text
    assert (await strict.say("/help stats")).title == "✕ There is no /stats to explain"


async def test_what_is_switched_off_is_not_suggested(strict: House) -> None:
    assert (await strict.say("/shutdwn", ANNA)).title == "✕ No /shutdwn"


def test_a_role_is_never_lowered() -> None:
    commands = Policy(raised={"shutdown": Role.VIEWER}).apply(COMMANDS)
    assert commands["shutdown"].role is Role.OWNER


def test_without_settings_commands_are_as_they_are() -> None:
    assert dict(Policy().apply(COMMANDS)) == dict(COMMANDS)


def test_what_always_stays_is_there_and_covers_every_instant_command() -> None:
    assert set(COMMANDS) >= ALWAYS >= {name for name, c in COMMANDS.items() if c.instant}


# -- too often ----------------------------------------------------------------------------


@pytest.fixture
def slow() -> House:
    """A house that takes three requests a minute of each person."""
    house = House()
    rate = RateLimit(house.clock, most=3, seconds=60)
    house.dispatcher = Dispatcher(house.services, rate=rate)
    return house


async def ask(house: House, times: int, said: str = "/positions") -> None:
    for _ in range(times):
        assert (await house.say(said)).level is Level.INFO


async def test_too_many_requests_are_told_when_to_come_again(slow: House) -> None:
    await ask(slow, 3)
    slow.clock.advance(48)

    reads(
        await slow.say("/positions"),
        "✕ Too many requests, again in 12 s\n/stop is never limited.\n[Stop]",
    )


async def test_the_window_slides(slow: House) -> None:
    await ask(slow, 2)
    slow.clock.advance(59.5)
    await ask(slow, 1)
    assert (await slow.say("/positions")).title.endswith("again in 1\u00a0s")
    slow.clock.advance(0.5)
    await ask(slow, 2)
    assert (await slow.say("/positions")).title.endswith("again in 1\u00a0min")


async def test_what_was_refused_does_not_count(slow: House) -> None:
    await ask(slow, 3)
    for _ in range(20):
        await slow.say("/positions")
    slow.clock.advance(60)
    await ask(slow, 3)


async def test_each_person_has_a_limit_of_their_own(slow: House) -> None:
    await ask(slow, 3)
    assert (await slow.say("/positions", CLEO)).outcome is Outcome.DONE
    assert (await slow.say("/positions")).outcome is Outcome.REFUSED


async def test_nonsense_and_what_loosens_count_too(slow: House) -> None:
    await slow.say("/xyzzy")
    await slow.say("/resume")
    await slow.say("hello")
    assert (await slow.say("/resume")).title.startswith("✕ Too many requests")


@pytest.mark.parametrize("said", ["/stop", "/pause now", "/close SOL", "/flatten", "/resume"])
async def test_a_brake_counts_for_who_may_not_use_it(slow: House, said: str) -> None:
    for _ in range(3):
        assert (await slow.say(said, CLEO)).title.endswith("needs operator, you are viewer")
    assert (await slow.say(said, CLEO)).title.startswith("✕ Too many requests")
    assert (await slow.say("/price SOL", CLEO)).title.startswith("✕ Too many requests")
    assert slow.desk.asked == slow.trader.asked == []


@pytest.mark.parametrize("said", ["/confirm AAAA", "/cancel AAAA", "/close XRP", "/ack A9"])
async def test_refusals_of_what_is_never_too_often_count(slow: House, said: str) -> None:
    for _ in range(3):
        await slow.say(said)
    assert (await slow.say("/positions")).title.startswith("✕ Too many requests")


async def test_a_yes_is_heard_however_often_its_sender_was_refused(slow: House) -> None:
    asked = await slow.say("/flatten")
    for _ in range(20):
        await slow.say("/confirm AAAA")

    await slow.press("Close", asked)

    assert slow.desk.asked[-1][0] == "flatten"


GROUP = {who.name: replace(who, chat="telegram:-5", shared=True) for who in (ANNA, BEN, CLEO)}


@pytest.mark.parametrize("said", ["/xyzzy", "/stop", "/confirm AAAA", "/cancel AAAA", "/trades 99"])
async def test_refusals_cost_a_group_one_message_a_minute_and_person(
    slow: House, said: str
) -> None:
    told = [not (await slow.say(f"{said}{n:02}", GROUP["cleo"])).withheld for n in range(60)]
    slow.clock.advance(60)
    again = await slow.say(said, GROUP["cleo"])
    other = await slow.say("/confirm BBBB", GROUP["ben"])

    assert told == [True, *[False] * 59]
    assert not again.withheld
    assert not other.withheld


async def test_who_may_act_is_told_what_is_new_and_not_what_was_said(slow: House) -> None:
    first = await slow.say("/close LTC", GROUP["ben"])
    same = await slow.say("/close LTC", GROUP["ben"])
    other = await slow.say("/close DOGE", GROUP["ben"])

    assert [r.withheld for r in (first, same, other)] == [False, True, False]


async def test_in_private_each_refusal_is_told_until_it_is_too_often(slow: House) -> None:
    told = [not (await slow.say("/confirm AAAA")).withheld for _ in range(10)]
    assert told == [*[True] * 3, *[False] * 7]


async def test_what_is_done_and_what_cries_for_a_stop_is_never_withheld(slow: House) -> None:
    for _ in range(20):
        await slow.say("/confirm AAAA", GROUP["ben"])

    for said in ("please stop", "/panic", "/flatten", "/stop", "/stop again", "/pause"):
        assert not (await slow.say(said, GROUP["ben"])).withheld


async def test_in_a_group_a_person_may_ask_less() -> None:
    house = House()
    rate = RateLimit(house.clock, most=30, seconds=60, most_shared=2)
    house.dispatcher = Dispatcher(house.services, rate=rate)

    in_group = [(await house.say("/price SOL", GROUP["cleo"])).outcome for _ in range(3)]
    alone = (await house.say("/price SOL", CLEO)).outcome

    assert in_group == [Outcome.FAILED, Outcome.FAILED, Outcome.REFUSED]
    assert alone is Outcome.FAILED


@pytest.mark.parametrize(
    "said", ["/stop", "/pause", "/close SOL", "/flatten", "/cancel 7K3Q", "/confirm 7K3Q"]
)
async def test_what_makes_safer_is_never_too_often(slow: House, said: str) -> None:
    await ask(slow, 3)
    for _ in range(5):
        reply = checked(await slow.say(said))
        assert "Too many requests" not in reply.title
    slow.clock.advance(60)
    await ask(slow, 3)


async def test_whoever_sits_at_the_machine_is_not_limited(slow: House) -> None:
    local = replace(BEN, user="local:1000", chat="console:", place="console")
    for _ in range(50):
        assert (await slow.say("/positions", local)).outcome is Outcome.DONE


async def test_the_same_message_twice_counts_once(slow: House) -> None:
    for _ in range(10):
        assert (await slow.say("/positions", key="telegram:9")).outcome is Outcome.DONE


def test_only_looking_and_loosening_are_limited() -> None:
    free = {name for name, command in COMMANDS.items() if not is_limited(command, Role.OWNER)}
    assert free >= UNLIMITED | {"stop", "pause"}
    assert all(COMMANDS[name].acts and not COMMANDS[name].loosens for name in free)
