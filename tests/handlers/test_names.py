"""Who did what is told by the settings' name or the id: nobody is whom they call themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.frontends.talk import People
from handlers.caller import Role
from handlers.reply import Reply
from handlers.texts.administration import audit_reply
from handlers.texts.phrases import person
from tests.builders import a_word
from tests.handlers.fakes import ANNA, BEN, House
from tests.handlers.story import NOW, checked

PEOPLE = People(users={"111": Role.OWNER, "222": Role.OPERATOR}, names={"111": "anna"})


@pytest.mark.parametrize(
    ("user", "display", "called"),
    [
        ("111", "the boss", "anna"),
        ("222", "anna", '222 "anna"'),
        ("222", "", "222"),
        ("222", "\u200b\u202e", "222"),
        ("222", 'anna", Telegram', '222 "anna Telegra"'),
        ("222", "guard: day\n20:41:09 anna", '222 "guard day 20"'),
        ("222", "José Ñ 日本", '222 "José Ñ 日本"'),
    ],
)
def test_the_id_leads_unless_the_settings_know_a_name(user: str, display: str, called: str) -> None:
    assert PEOPLE.called(user, display) == called


@given(st.text(max_size=60))
def test_no_name_ends_where_something_of_ours_begins(display: str) -> None:
    called = PEOPLE.called("222", display)

    assert called == "222" or (called.startswith('222 "') and called.endswith('"'))
    assert called.count('"') in (0, 2)
    assert person(f"{called}, Telegram") == called
    assert len(called.splitlines()) == 1
    assert len(called) <= 18


async def test_an_operator_who_is_called_as_the_owner_is_told_apart_everywhere(
    house: House,
) -> None:
    false_anna = replace(BEN, user="telegram:222", name=PEOPLE.called("222", "anna"))
    stopped = await house.say("/stop", false_anna)
    house.desk.refusals.clear()
    halts = await house.say("/halts")
    question = await house.say("/resume", false_anna)
    await house.dispatcher.settle()
    audit = await house.say("/audit", ANNA)

    assert stopped.title == '■ Stopped majors (paper), by 222 "anna", Telegram'
    for told in (halts, question, audit):
        assert '222 "anna"' in _words(told)
    assert 'Only 222 "anna", here' in question.text
    assert '20:41:09 222 "anna": /stop -> ' in audit.text


def _words(reply: Reply) -> str:
    return f"{reply.title}\n{reply.prose}"


BREAKS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n\n"]
FORGED = "20:41:09 anna: resume -> ✓ Trading"


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
@pytest.mark.parametrize("front", ["/stop", "/why", "/confirm", "/notify SOL"])
async def test_one_line_per_entry(house: House, front: str, line_break: str) -> None:
    await house.say(f"{front} {line_break}{FORGED}")
    await house.dispatcher.settle()
    seen = await house.say("/audit", ANNA)

    (written,) = house.store.written[:1]
    assert len(written.said.splitlines()) == 1
    lines = seen.text.splitlines()
    assert lines[0] == "UTC, newest first"
    assert len(lines) == 2
    assert lines[1].startswith("20:41:09 ben: ")
    halts = await house.say("/halts")
    assert not [line for line in _words(halts).splitlines() if line.startswith("20:41:09 anna")]


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_an_entry_of_an_older_desk_is_one_line_too(line_break: str) -> None:
    old = a_word(
        at=NOW,
        who=f"anna{line_break}b (telegram:222)",
        said=f"/stop{line_break}{FORGED}",
        answer=f"■ Stopped{line_break}x",
    )
    lines = checked(audit_reply([old])).text.splitlines()
    assert lines[1:] == ["20:41:09 anna b: /stop 20:41:09 anna: resume -… -> ■ Stopped x"]
