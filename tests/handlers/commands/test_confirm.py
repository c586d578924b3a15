"""A code is bound to a person, a chat, an action and what was shown; once, for a minute."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from handlers.confirmations import ALPHABET, Confirmations, random_code
from handlers.message import Message
from handlers.reply import Choice, Outcome, Reply
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import NOW, reads, shown
from trading.clocks import ManualClock

FLATTENED = [("flatten", "majors", "ben, Telegram", "/flatten")]


async def test_a_question_says_who_may_answer_and_for_how_long(house: House) -> None:
    asked = await house.say("/flatten")

    assert asked.outcome is Outcome.CONFIRM
    assert asked.text.endswith("Only ben, here, for 60\u00a0s.")
    assert [c.command for c in asked.choices] == ["/cancel 7K3Q", "/confirm 7K3Q"]
    assert house.desk.asked == []


async def test_a_confirmed_question_acts_once(house: House) -> None:
    asked = await house.say("/flatten")

    await house.press("Close 3 now", asked)
    again = await house.press("Close 3 now", asked)

    assert house.desk.asked == FLATTENED
    reads(again, "✕ Already used. Nothing more was sent.\n[Ask again: /flatten]")
    assert again.outcome is Outcome.REFUSED


async def test_a_double_tap_acts_once(house: House) -> None:
    asked = await house.say("/flatten")

    await asyncio.gather(*(house.press("Close 3 now", asked) for _ in range(3)))

    assert house.desk.asked == FLATTENED


async def test_a_question_expires_after_a_minute(house: House) -> None:
    asked = await house.say("/flatten")
    house.clock.advance(61)

    late = await house.press("Close", asked)

    reads(late, "✕ Expired. Nothing was sent.\n[Ask again: /flatten]")
    assert house.desk.asked == []


async def test_a_question_holds_for_nearly_a_minute(house: House) -> None:
    asked = await house.say("/flatten")
    house.clock.advance(59)
    await house.press("Close", asked)

    assert house.desk.asked == FLATTENED


@pytest.mark.parametrize("other", [CLEO, ANNA], ids=lambda c: c.name)
async def test_only_who_was_asked_may_answer(house: House, other: object) -> None:
    asked = await house.say("/flatten")
    who = {"cleo": CLEO, "anna": ANNA}[other.name]  # type: ignore[attr-defined]

    confirmed = await house.press("Close", asked, who)
    cancelled = await house.press("Cancel", asked, who)

    # To ask again is offered to whoever may: not to a viewer.
    again = "\n[Ask again: /flatten]" if who is ANNA else ""
    reads(confirmed, f"✕ Only ben may confirm. Nothing was sent.{again}")
    assert cancelled.title == "✕ Only ben may cancel. Nothing was sent."
    await house.press("Close", asked)
    assert house.desk.asked == FLATTENED


async def test_only_the_chat_that_asked_may_answer(house: House) -> None:
    asked = await house.say("/flatten")
    elsewhere = replace(BEN, chat="telegram:-100", place="Telegram")

    reply = await house.press("Close", asked, elsewhere)

    assert reply.title == "✕ Only where it was asked: Telegram. Nothing was sent."
    assert house.desk.asked == []


async def test_a_cancelled_question_is_over(house: House) -> None:
    asked = await house.say("/close SOL 50%")

    cancelled = await house.press("Cancel", asked)
    after = await house.press("Sell", asked)

    assert shown(cancelled) == "✕ Cancelled. Nothing was sent."
    assert cancelled.outcome is Outcome.DONE
    assert after.title == "✕ Already cancelled. Nothing was sent."
    assert house.trader.asked == []


@pytest.mark.parametrize("verb", ["confirm", "cancel"])
async def test_each_code_that_does_nothing_has_words_of_its_own(house: House, verb: str) -> None:
    async def asked() -> str:
        return next(c for c in (await house.say("/flatten")).choices[0].command.split()[1:])

    used, foreign, expired = await asked(), await asked(), await asked()
    await house.say(f"/confirm {used}")
    told = [
        (await house.say(f"/{verb} AAAA")).title,
        (await house.say(f"/{verb} {used}")).title,
        (await house.say(f"/{verb} {foreign}", ANNA)).title,
        (await house.say(f"/{verb} {foreign}", replace(BEN, chat="telegram:-1"))).title,
    ]
    house.clock.advance(60)
    told.append((await house.say(f"/{verb} {expired}")).title)

    assert told == [
        "✕ No question has the code AAAA. Nothing was sent.",
        "✕ Already used. Nothing more was sent.",
        f"✕ Only ben may {verb}. Nothing was sent.",
        "✕ Only where it was asked: Telegram. Nothing was sent.",
        "✕ Expired. Nothing was sent.",
    ]


async def test_only_what_nobody_can_use_any_more_takes_its_buttons_along(house: House) -> None:
    question = await house.say("/flatten")
    foreign = await house.press("Close", question, ANNA)
    await house.press("Close", question)
    used = await house.press("Close", question)
    unknown = await house.say("/confirm AAAA")

    assert [r.spent for r in (foreign, used, unknown)] == [False, True, True]


async def test_a_crowd_of_dead_codes_does_not_push_out_one_that_waits() -> None:
    confirmations = Confirmations(ManualClock(NOW))

    async def act() -> Reply:
        return Reply("done")

    def ask() -> str:
        choices = (Choice("Yes", "/confirm CODE"),)
        return (
            confirmations.ask(BEN, "/flatten", Reply("?", choices=choices), act)
            .choices[0]
            .command.split()[1]
        )

    waits = ask()
    for _ in range(1_000):
        confirmations.cancel(BEN, ask())
    message = Message(BEN, f"/confirm {waits}", NOW)
    assert (await confirmations.confirm(message, waits)).title == "done"


async def test_codes_are_void_after_a_restart(house: House) -> None:
    asked = await house.say("/flatten")
    restarted = House()

    reply = await restarted.press("Close", asked)

    reads(
        reply,
        "✕ No question has the code 7K3Q. Nothing was sent.\n"
        "Codes hold for 60 s, and not over a restart.\n[Status]",
    )
    assert restarted.desk.asked == []


async def test_a_code_is_read_in_any_case(house: House) -> None:
    await house.say("/flatten")
    await house.say("/confirm 7k3q")

    assert house.desk.asked == FLATTENED


async def test_a_code_in_use_is_not_given_twice() -> None:
    codes = iter(["AAAA", "AAAA", "BBBB"])
    confirmations = Confirmations(ManualClock(NOW), lambda: next(codes))

    async def act() -> Reply:
        return Reply("done")

    for _ in range(2):
        confirmations.ask(BEN, "/flatten", Reply("?"), act)

    assert next(codes, "none left") == "none left"


async def test_many_questions_do_not_pile_up() -> None:
    confirmations = Confirmations(ManualClock(NOW))

    async def act() -> Reply:
        return Reply("done")

    for _ in range(1_000):
        confirmations.ask(BEN, "/flatten", Reply("?"), act)

    assert len(confirmations._asked) <= 256


def test_codes_are_four_characters_that_cannot_be_misread() -> None:
    codes = {random_code() for _ in range(200)}

    assert all(len(code) == 4 and set(code) <= set(ALPHABET) for code in codes)
    assert not set(ALPHABET) & set("01IO")
    assert len(codes) > 190


async def test_an_action_that_is_refused_says_so_and_the_code_is_used(house: House) -> None:
    await house.say("/stop")
    asked = await house.say("/resume")
    house.desk.latch._halts.clear()

    refused = await house.press("Resume", asked)

    reads(refused, "✕ There is no halt H1 in force\nNothing was sent.")
    assert (await house.press("Resume", asked)).title.startswith("✕ Already used")
