"""A reply as Discord shows it: what is escaped, what fits, which buttons are red."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatbot.render.embed import (
    BUTTONS,
    COLOURS,
    DESCRIPTION,
    TITLE,
    Button,
    EmbedPost,
    escaped,
    posts,
)
from handlers.reply import Choice, Column, Level, Reply, Table
from tests.handlers.story import COMMANDS
from tests.servers.discord import unmarked

NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)
TABLE = Table((Column(right=False), Column("now"), Column("P&L")), (("BTC", "117,050.0", "+5.83"),))


def post(reply: Reply) -> EmbedPost:
    (only,) = posts(reply, COMMANDS)
    return only


def test_title_lead_table_text_and_choices_stand_in_their_order() -> None:
    shown = post(
        Reply(
            "3 open, P&L +15.36 USDT",
            lead="Before fees.",
            table=TABLE,
            text="Prices {age}.",
            choices=(Choice("BTC", "/position BTC"),),
            as_of=NOW,
        )
    )

    assert shown.title == "3 open, P&L +15.36 USDT"
    assert shown.description == (
        "Before fees.\n"
        "```\n"
        "           now    P&L\n"
        "BTC  117,050.0  +5.83\n"
        "```\n"
        f"Prices <t:{int(NOW.timestamp())}:R>."
    )
    assert shown.buttons == (Button("BTC", "/position BTC", red=False),)


def test_an_age_that_nobody_knows_is_a_word() -> None:
    assert "{age}" not in post(Reply("x", text="Prices {age}.")).description
    assert "<t:" not in post(Reply("x", text="Prices {age}.")).description


@pytest.mark.parametrize("level", list(Level))
def test_each_level_has_its_colour(level: Level) -> None:
    assert post(Reply("x", level=level)).colour == COLOURS[level]
    assert len(set(COLOURS.values())) == len(Level)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stop_loss *now*", r"stop\_loss \*now\*"),
        ("`a` ~~b~~ ||c||", r"\`a\` \~\~b\~\~ \|\|c\|\|"),
        ("@everyone <@111> <#4> <t:1:R>", r"\@everyone \<\@111> \<#4> \<t:1:R>"),
        ("[a](b) c\\d", r"\[a\](b) c\\d"),
        ("# a\n- b\n> c\n+ d\n12. e\n-# f", "\\# a\n\\- b\n\\> c\n\\+ d\n12\\. e\n\\-# f"),
        ("-4.39 % of >5, #1", "-4.39 % of >5, #1"),
        ("tab\tbell\x07 turn\u202e wide\u200b", "tab bell turn wide"),
    ],
)
def test_what_discord_would_obey_is_shown(text: str, told: str) -> None:
    assert escaped(text) == told


def test_a_table_cannot_end_its_block() -> None:
    odd = replace(TABLE, rows=(("```", "1", "2"),))

    assert post(Reply("x", table=odd)).description.count("```") == 2


def test_confirming_and_instant_stops_are_red_and_the_rest_is_grey() -> None:
    choices = (
        Choice("Cancel", "/cancel 7K3Q"),
        Choice("Close 3 now", "/confirm 7K3Q"),
        Choice("Stop", "/stop"),
        Choice("Flatten", "/flatten"),
        Choice("Gone", "/gone"),
    )

    red = [button.label for button in post(Reply("x", choices=choices)).buttons if button.red]

    assert red == ["Close 3 now", "Stop"]


def test_a_command_stands_behind_one_button_and_there_are_at_most_25() -> None:
    twice = (Choice("Status", "/status"), Choice("Refresh", "/status"))
    assert [b.label for b in post(Reply("x", choices=twice)).buttons] == ["Status"]

    many = tuple(Choice(f"{n}", f"/position C{n}") for n in range(40))
    assert len(post(Reply("x", choices=many)).buttons) == BUTTONS


def test_what_is_too_long_goes_on_in_further_messages() -> None:
    lines = [f"{number:04} something happened" for number in range(600)]
    reply = Reply("Log", text="\n".join(lines), choices=(Choice("Status", "/status"),))

    pages = posts(reply, COMMANDS, picture=True)

    assert [line for page in pages for line in page.description.split("\n")] == lines
    assert [page.title for page in pages] == ["Log", *[""] * (len(pages) - 1)]
    assert [bool(page.buttons) for page in pages] == [*[False] * (len(pages) - 1), True]
    assert [page.picture for page in pages] == [True, *[False] * (len(pages) - 1)]


def test_a_long_table_keeps_its_fixed_width_in_every_message() -> None:
    rows = tuple((f"C{number}", "1.0", "+1.00") for number in range(400))

    pages = posts(Reply("All", table=replace(TABLE, rows=rows)), COMMANDS)

    assert len(pages) > 1
    for page in pages:
        assert page.description.startswith("```\n")
        assert page.description.endswith("\n```")


words = st.text(alphabet=st.sampled_from("ab *_`~|\\[]<@#->.1\n\u202e"), max_size=60)


@given(st.lists(words, max_size=60).map(" ".join), st.lists(words, max_size=200).map("\n".join))
@example("*" * 700, "\\" * 9_000)
@example("x" * 700, "`" * 4_095 + " " + "y" * 9_000)
@example("", "")
def test_whatever_is_said_fits_and_reads_as_it_was(title: str, text: str) -> None:
    pages = posts(Reply(title, text=text, table=TABLE), COMMANDS)

    for page in pages:
        assert len(page.title) <= TITLE
        assert len(page.description) <= DESCRIPTION
    prose = "".join(
        part
        for page in pages
        for inside, part in enumerate(page.description.split("```\n"))
        if not inside % 2 or "BTC" not in part
    )
    shown = unmarked(pages[0].title + prose)
    for kept in "ab*_`~|\\[]<@#":
        assert shown.count(kept) >= (title + text).count(kept), kept
