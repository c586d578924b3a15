"""Whoever wants a stop gets one: in whatever words, marks and haste it is said."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.line import split
from handlers.reply import Outcome
from tests.handlers.fakes import CLEO, House
from tests.handlers.story import reads, the_view

STOPS = [
    "/stop,please", "/stop now!", "/stop!", "STOP!!!", "/stop.", "/stop;now", "/stop:now",
    "/stop—now", "/stop, it falls", "“stop”", "/STOP@harbour_bot,now", "@harbour_bot stop",
    "!!! stop", "🛑 stop", "//stop", "/ stop", "/stop\u200b", "\u200e/stop",
    "\uff33\uff34\uff2f\uff30",
    "\u2018stop\u2019",
    "stop everything", "stop all of it", "/stop reason=news at noon", "/stop trader=", "/stop 50 %",
    "/stop -x --force", "/stop " + "x" * 60_000, "/stop" + "!" * 60_000, "/stop\n\n\nnow",
]  # fmt: skip


@pytest.mark.parametrize("said", STOPS, ids=lambda said: said[:24])
async def test_it_stops(house: House, said: str) -> None:
    reply = await house.say(said)

    assert reply.title == "■ Stopped majors (paper), by ben, Telegram"
    assert [asked[:2] for asked in house.desk.asked] == [("stop", "majors")]


@given(
    st.text(max_size=40).filter(lambda tail: not tail[:1].isalnum() and tail[:1] not in "_'\u2019")
)
def test_whatever_follows_a_stop_it_is_one(tail: str) -> None:
    name, _ = split(f"/stop{tail}")

    assert name == "stop" or tail.startswith("@") or not _is_mark(tail[0])


def _is_mark(character: str) -> bool:
    """Marks on letters make another letter of them; everything else ends a word."""

    return unicodedata.category(character)[0] not in "MN"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("/stop,please", "please"),
        ("/stop now!", "now!"),
        ("/stop reason=news at noon", "news at noon"),
        ("/stop", "/stop"),
        ("/stop majors please", "please"),
        ("/stop majors, please", "please"),
        ("/stop " + "x" * 60_000, "x" * 199 + "…"),
    ],
    ids=lambda text: text[:20],
)
async def test_what_follows_is_its_reason(house: House, said: str, why: str) -> None:
    await house.say(said)
    assert house.desk.asked == [("stop", "majors", "ben, Telegram", why)]


@pytest.mark.parametrize(
    ("said", "scope", "note"),
    [
        ("/stop", "all", "All means majors and alts."),
        ("/stop majors", "majors", ""),
        ("/stop Alts!", "alts", ""),
        ("/stop trader=alts news", "alts", ""),
        ("/stop all", "all", ""),
        ("/stop everything now", "all", "All means majors and alts. Reason: everything now"),
        ("/stop majros", "all", "There is no trader majros: so all. All means majors and alts."),
        ("/stop, majros!", "all", "There is no trader majros: so all. All means majors and alts."),
        ("/stop trader=x", "all", "There is no trader x: so all. All means majors and alts."),
        (
            "/stop trader=majors trader=alts",
            "all",
            "There is no trader majors alts: so all. All means majors and alts.",
        ),
    ],
)
async def test_it_says_whom_it_stopped(said: str, scope: str, note: str) -> None:
    house = House(the_view(), the_view(name="alts"))

    reply = await house.say(said)

    assert house.desk.asked[0][1] == scope
    assert reply.lead == note
    whom = "all 2 traders" if scope == "all" else scope
    assert reply.title == f"■ Stopped {whom} (paper), by ben, Telegram"


CRIES = [
    "please stop", "pls STOP!", "can you stop it", "i want it to stop.", "don't stop", "/panic",
    "panic!!", "/halt", "halt!", "/kill", "/kill_switch", "killswitch", "/emergency", "/abort",
    "/freeze", "/sos", "🛑", "🚨🚨", "⏹", "/stopp", "/stop_trading", "stopit", "get me out",
    "/panic_sell",
    "end everything", "liquidate all", "Notfall", "стоп", "/exit", "no no no stop",
]  # fmt: skip


@pytest.mark.parametrize("said", CRIES)
async def test_a_cry_gets_a_stop_button(house: House, said: str) -> None:
    reply = await house.say(said)

    assert "Nothing was stopped" in reply.title
    assert [(c.label, c.command) for c in reply.choices[:2]] == [
        ("Stop now", "/stop"), ("Flatten", "/flatten all"),
    ]  # fmt: skip
    assert house.desk.asked == []
    stopped = await house.press("Stop now", reply)
    assert stopped.title.startswith("■ Stopped")


@pytest.mark.parametrize("said", ["close everything", "/close all", "/sell everything", "/sell all",
                                  "/start stop", "/cancel_order all", "/status stop!"])  # fmt: skip
async def test_a_command_that_may_have_meant_a_stop_gets_one_too(house: House, said: str) -> None:
    reply = await house.say(said)

    assert reply.outcome is Outcome.REFUSED
    assert [c.command for c in reply.choices[:2]] == ["/stop", "/flatten all"]


@pytest.mark.parametrize("said", ["hello", "/postions", "what is up", "/xyzzy", "how are you all?"])
async def test_what_is_no_cry_gets_none(house: House, said: str) -> None:
    assert "/stop" not in [c.command for c in (await house.say(said)).choices]


async def test_who_may_not_stop_is_told_to_call_somebody(house: House) -> None:
    reads(
        await house.say("please stop", CLEO),
        "⚠ Nothing was stopped by “please stop”\nA stop needs operator, you are viewer: call one.",
    )


@pytest.mark.parametrize("said", ["/sotp", "/stpo", "/tsop", "/stp"])
async def test_a_mistyped_stop_is_offered(house: House, said: str) -> None:
    reply = await house.say(f"{said} news")
    assert [c.command for c in reply.choices] == ["/stop news"]
