"""Lifting halts: what would be lifted is shown first, and only a person does it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.commands.resume import resume_question
from handlers.reply import Level, Outcome
from handlers.texts.resume import halts_reply, now_line, resumed, room_line
from tests.handlers.fakes import ANNA, House
from tests.handlers.story import (
    HOLDINGS,
    NOW,
    D,
    a_halt,
    at,
    checked,
    lines_of,
    reached,
    reads,
    the_view,
)
from trading.accounts.views import Cycle, View
from trading.model.halt import EVERYONE, Reached, Stage, Verb
from trading.ports import FeedState

GUARD: dict[str, Any] = {
    "guard": "day",
    "by": "guard",
    "why": "day -3.01\u00a0%, limit -3.00\u00a0%",
}


LATCHED = tuple(
    reached(stage, NOW - timedelta(minutes=14))
    for stage in (Stage.REQUESTED, Stage.ENTRIES_BLOCKED, Stage.SAVED)
)


def after_flatten(**changes: Any) -> View:
    """20:55 of the story: flat, 65.56 lost today."""
    view = the_view(
        holdings=(),
        orders=(),
        equity=D("9722.84"),
        today=D("-65.56"),
        last_cycle=Cycle(at=NOW - timedelta(minutes=6), seconds=0.04, bars=1, decisions=0),
        cycle_every=timedelta(minutes=15),
    )
    return replace(view, **changes)


async def test_resume_shows_what_it_would_lift_and_asks(house: House) -> None:
    house.trader.now = after_flatten()
    await house.say("/stop 33 s after the drawdown alert")
    asked = await house.say("/resume")

    reads(
        asked,
        """\
Resume majors (paper)? Halted 0 s ago by ben
Why: 33 s after the drawdown alert.
Now: flat, 0 resting, feed 1 s, venue ok.
Room: 228.09 USDT today, 506.84 to the drawdown halt.
Entries from the next scan, in 9 min; nothing is reopened.
Only ben, here, for 60 s.
[Keep halted: /cancel 7K3Q] [Resume: /confirm 7K3Q]""",
    )
    reads(
        await house.press("Resume", asked),
        """\
✓ Trading (paper), resumed by ben, Telegram
Done: entries allowed. Nothing was sent.
[Status] [Stop]""",
    )
    assert house.desk.asked[-1] == ("resume", ("H1",), "ben, Telegram", False)


async def test_resume_with_nothing_to_lift(house: House) -> None:
    reads(
        await house.say("/resume"),
        "Trading (paper), nothing is halted\nNothing was sent.\n[Status]",
    )


async def test_resume_while_the_guard_is_still_breached(house: House) -> None:
    house.desk.latch.adopt(a_halt(**GUARD))
    house.desk.refusals["H17"] = "day -3.01% is past -3.00%"

    reply = await house.say("/resume")

    reads(
        reply,
        """\
✕ Still halted: day -3.01% is past -3.00%
It would halt again at once. Nothing was sent.
The day ends in 2 h.
An owner may measure afresh from now.
[Risk] [Measure afresh: /resume H17 rebase]""",
    )
    assert reply.outcome is Outcome.REFUSED


async def test_resume_while_flattening_offers_what_may_be_lifted(house: House) -> None:
    house.desk.latch.adopt(a_halt(id="H16", verb=Verb.PAUSE))
    house.desk.latch.adopt(a_halt(verb=Verb.FLATTEN))
    house.desk.refusals["H17"] = "majors is still being flattened: 1 open"

    reads(
        await house.say("/resume"),
        """\
✕ Still halted: majors is still being flattened: 1 open
Nothing was sent.
[Status] [Lift H16: /resume H16]""",
    )


async def test_only_an_owner_measures_afresh(house: House) -> None:
    house.desk.latch.adopt(a_halt(**GUARD))
    house.desk.refusals["H17"] = "day -3.01% is past -3.00%"

    ben, anna = await house.say("/resume H17 rebase"), await house.say("/resume H17 rebase", ANNA)

    assert ben.title == "✕ /resume rebase needs owner, you are operator"
    assert "The day is measured from 9,789.97 USDT from now on, not from 9,788.40." in (
        "\n".join(lines_of(anna))
    )
    await house.press("Resume", anna, ANNA)
    assert house.desk.asked == [("resume", ("H17",), "anna, Telegram", True)]


async def test_only_a_guards_halt_is_measured_afresh(house: House) -> None:
    await house.say("/stop")

    reply = await house.say("/resume H1 rebase", ANNA)

    assert reply.title == "✕ No guard made H1, so there is nothing to measure afresh"


async def test_a_halt_that_was_lifted_already_is_named_so(house: House) -> None:
    house.desk.latch.adopt(a_halt(lifted_at=NOW, lifted_by="anna, Telegram"))

    reads(
        await house.say("/resume H17"),
        "✕ H17 was lifted already, by anna, Telegram\nNothing was sent.",
    )


async def test_only_the_halts_that_were_shown_are_lifted(house: House) -> None:
    await house.say("/stop")
    asked = await house.say("/resume")
    house.desk.latch.adopt(a_halt(id="H9", by="anna, Telegram", verb=Verb.PAUSE))

    reply = await house.press("Resume", asked)

    assert house.desk.asked[-1][1] == ("H1",)
    assert reply.title == "‖ Lifted H1, still held by H9 (pause, anna)"
    assert reply.text == "Entries stay blocked. Nothing was sent."


async def test_who_resumes_hears_of_a_stop_that_came_after_the_question(house: House) -> None:
    """It would be lifted with the halt that it was told is in force already."""
    await house.say("/stop")
    asked = await house.say("/resume")
    house.desk.latch.ask_again("H1", "cleo, console")

    reply = await house.press("Resume", asked)

    assert reply.title == "✕ Still halted: cleo stopped again since you were asked"
    assert house.desk.asked[-1][0] == "stop", "nothing was lifted"
    assert (await house.say("/resume")).outcome is Outcome.CONFIRM


async def test_several_traders_are_resumed_halt_by_halt() -> None:
    house = House(the_view(), the_view(name="alts"))
    house.desk.latch.adopt(a_halt(id="H1", scope="majors"))
    house.desk.latch.adopt(a_halt(id="H2", scope="alts"))

    which = await house.say("/resume")
    one = await house.say("/resume trader=alts")

    assert [c.command for c in which.choices] == ["/resume H1", "/resume H2", "/resume all"]
    every = await house.press("All 2", which)
    assert "Lifts H1 and H2." in every.text
    assert [a[0] for a in house.desk.asked] == []
    await house.press("Resume", every)
    assert house.desk.asked[-1][:2] == ("resume", ("H1", "H2"))
    assert one.title.startswith("Resume alts (paper)?")


async def test_a_halt_of_all_is_lifted_for_all() -> None:
    house = House(the_view(), the_view(name="alts"))
    house.desk.latch.adopt(a_halt(id="H1", scope=EVERYONE))

    for said in ("/resume", "/resume trader=alts"):
        asked = await house.say(said)
        assert asked.title == "Resume all 2 traders (paper)? Halted 0\u00a0s ago by ben"
        assert asked.text.startswith("Why: /stop.\nNow: 6 positions open. Nothing is reopened.")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"ready": False}, "Entries once books equal the venue; nothing is reopened."),
        ({"feed": FeedState.ENDED}, "The feed has ended: no entries follow."),
        ({"last_cycle": None}, "Entries from the next scan; nothing is reopened."),
        ({"halts": (a_halt(id="H3"),)}, "Still held by H3 after that."),
    ],
)
def test_resume_says_when_entries_come(changes: dict[str, Any], line: str) -> None:
    question = checked(resume_question([a_halt()], [after_flatten(**changes)], rebase=False))

    assert question.text.endswith(line)


def test_resume_lists_several_halts_and_their_reasons() -> None:
    both = [
        a_halt(id="H16", why="/stop 33 s after the drawdown alert", at=NOW - timedelta(minutes=14)),
        a_halt(verb=Verb.FLATTEN, why="/flatten"),
    ]

    told = lines_of(checked(resume_question(both, [after_flatten()], rebase=False)))

    assert told[:3] == [
        "Resume majors (paper)? Halted 14 min ago by ben",
        "Lifts H16 and H17.",
        "Why: /stop 33 s after the drawdown alert, then /flatten.",
    ]


def test_what_is_unknown_is_said_so() -> None:
    view = after_flatten(equity=None, today=None, venue_silent=timedelta(seconds=6))

    assert room_line(view) == "Room: unknown, as equity is."
    assert now_line(view).replace("\u00a0", " ") == (
        "Now: flat, 0 resting, feed 1 s, venue silent 6 s."
    )
    refused = replace(view, refused_until=at("20:57:10"))
    assert now_line(refused).endswith("venue refuses us until 20:57:10\u00a0UTC.")


def test_resumed_for_several() -> None:
    views = [the_view(), the_view(name="alts")]

    assert checked(resumed([a_halt()], views, "ben, Telegram")).title == (
        "✓ Trading (paper), resumed by ben, Telegram"
    )


def test_resumed_where_the_halted_trader_is_not_here_any_more() -> None:
    reply = checked(resumed([a_halt()], [], "ben, Telegram"))

    assert reply.title == "✓ Lifted H17, by ben, Telegram"
    assert "entries allowed" not in reply.text


# -- /halts -------------------------------------------------------------------------------


async def test_halts_tell_each_stage_and_its_time(house: House) -> None:
    halt = a_halt(
        verb=Verb.FLATTEN,
        at=NOW - timedelta(minutes=14),
        stages=(
            *LATCHED,
            reached(Stage.CANCELS_SENT, NOW - timedelta(minutes=14), "2"),
            reached(Stage.CANCELS_CONFIRMED, NOW - timedelta(minutes=13), "2/2"),
            reached(Stage.FLATTENING, NOW - timedelta(minutes=13), "3"),
            reached(Stage.FLAT, NOW - timedelta(minutes=12)),
        ),
    )
    house.desk.latch.adopt(halt)
    house.trader.now = after_flatten()

    reply = await house.say("/halts")

    reads(
        reply,
        """\
■ 1 halt in force (paper)
  UTC       stage
  20:27:09  requested
  20:27:09  entries blocked
  20:27:09  saved
  20:27:09  cancels sent, 2
  20:28:09  cancels confirmed, 2/2
  20:28:09  flattening, 3
  20:29:09  flat at the venue
H17 flatten of majors 14 min ago by ben: /stop.
[Resume H17: /resume H17] [Status]""",
    )
    assert reply.level is Level.NOTICE


def test_halts_tell_what_is_not_confirmed_yet_and_why() -> None:
    halt = a_halt(verb=Verb.FLATTEN, stages=LATCHED)
    view = the_view(holding_up="no answer", tries=3)

    reply = checked(halts_reply([halt], [view]))

    assert reply.text.splitlines()[1:] == [
        "Not confirmed yet: cancels (2 entries may fill; not all sent) and flat (3 open).",
        "No answer, try 3.",
    ]


def test_halts_tell_that_the_cancels_are_on_their_way() -> None:
    halt = a_halt(stages=(*LATCHED, reached(Stage.CANCELS_SENT, NOW, "2")))

    reply = checked(halts_reply([halt], [the_view()]))

    assert reply.text.endswith("Not confirmed yet: cancels (2 entries may fill).")


def test_halts_tell_until_when_the_exchange_refuses_us() -> None:
    """Whatever the last try met: this is what the next one waits for."""
    halt = a_halt(stages=LATCHED)
    view = the_view(refused_until=at("20:57:10"), holding_up="no answer", tries=2)

    reply = checked(halts_reply([halt], [view]))

    assert reply.text.endswith("\nVenue refuses us until 20:57:10\u00a0UTC, try 2.")


def test_halts_tell_that_one_is_not_saved() -> None:
    halt = a_halt(verb=Verb.PAUSE, stages=LATCHED[:2])

    reply = checked(halts_reply([halt], [the_view()]))

    assert reply.text.splitlines()[1:] == ["Not saved yet: a crash now would forget it."]


def test_halts_name_the_trader_that_has_not_come_as_far() -> None:
    of_all = a_halt(
        scope=EVERYONE,
        stages=(
            *(("majors", Reached(stage=stage, at=NOW)) for stage in Stage.__members__.values()),
            ("alts", Reached(stage=Stage.ENTRIES_BLOCKED, at=NOW)),
            ("alts", Reached(stage=Stage.SAVED, at=NOW)),
        ),
    )

    reply = checked(halts_reply([of_all], [the_view(), the_view(name="alts")]))

    assert reply.text.endswith(
        "Not confirmed yet: alts cancels (2 entries may fill; not all sent)."
    )
    assert reply.table is not None
    assert ("20:41:09", "alts entries blocked") in reply.table.rows


def test_halts_tell_that_what_was_flat_is_open_again() -> None:
    halt = a_halt(verb=Verb.FLATTEN, stages=tuple(reached(stage) for stage in Stage))

    reply = checked(halts_reply([halt], [the_view(holdings=HOLDINGS[:1])]))

    assert reply.text.endswith("Not confirmed yet: flat (1 open).")


async def test_no_halts(house: House) -> None:
    reads(await house.say("/halts"), "No halts (paper)\n[Status]")


def test_many_halts_and_a_rest_are_one_screen() -> None:
    found = [a_halt(id=f"H{n}", why="because of this and that and more " * 3) for n in range(9)]
    view = the_view(rest="rests until 21:00 after losses in a row")

    checked(halts_reply(found, [view]))
    assert "No halt, it ends by itself: majors rests until" in halts_reply([], [view]).text


def test_a_rest_that_outlasts_the_halt_is_said() -> None:
    view = the_view(rest="rests until 13:15 after losses in a row")

    question = resume_question([a_halt()], [view], rebase=False)

    assert "Entries still wait: rests until 13:15 after losses in a row." in question.text
