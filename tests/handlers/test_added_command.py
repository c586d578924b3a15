"""A command is one function: a made-up one is in the help, the menus and the documents at once."""

from __future__ import annotations

import sys
from typing import Annotated

from chatbot.frontends.discord.slash import declaration
from chatbot.frontends.telegram.menu import entries
from handlers.caller import Role
from handlers.command import Commands, Range, command
from handlers.commands.help import as_markdown
from handlers.context import Context
from handlers.reply import Reply


@command(role=Role.OPERATOR, family="Tell", rank=99, example="3")
async def wave(ctx: Context, times: Annotated[int, Range(1, 9)] = 1) -> Reply:
    """Wave to everybody on deck.

    times: how often
    """
    return Reply(f"Waved {times} times")


FOUND = Commands.found_in([sys.modules[__name__]])


def test_it_is_found_with_what_its_signature_and_docstring_say() -> None:
    (found,) = FOUND.values()
    (times,) = found.parameters
    assert (found.name, found.role, found.summary) == (
        "wave", Role.OPERATOR, "Wave to everybody on deck.",
    )  # fmt: skip
    assert (times.name, times.required, times.range) == ("times", False, Range(1, 9))


def test_it_stands_in_the_documents_and_in_both_menus() -> None:
    assert "| `/wave [times]` | operator | Wave to everybody on deck. |" in as_markdown(FOUND)
    assert [name for name, _ in entries(FOUND, Role.OPERATOR)] == ["wave"]
    assert entries(FOUND, Role.VIEWER) == [], "an operator's"
    (slash,) = declaration(FOUND)
    assert (slash["name"], [option["name"] for option in slash["options"]]) == ("wave", ["times"])
