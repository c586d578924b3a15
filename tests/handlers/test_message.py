"""A line is read once, and everybody goes by that reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.line import LONGEST, split
from handlers.message import Message, read
from tests.handlers.fakes import BEN, House
from tests.handlers.story import COMMANDS, NOW


@pytest.mark.parametrize("text", ["/stop now", "  STOP!\nnow", "“stop” now", "@bot stop\u200b now"])
def test_what_a_phone_adds_changes_nothing(text: str) -> None:
    line = read(COMMANDS, text)
    assert (line.name, line.command, line.acts, line.instant) == (
        "stop", COMMANDS["stop"], True, True,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "???", "/nosuch 5", "help me"])
def test_what_only_looks_or_is_nothing_does_not_act(text: str) -> None:
    line = read(COMMANDS, text)
    assert (line.acts, line.instant) == (False, False)
    assert (line.name, [*line.words]) == split(line.text)


def test_what_is_too_long_says_so() -> None:
    assert not read(COMMANDS, "x" * LONGEST).is_cut
    assert read(COMMANDS, "x" * (LONGEST + 1)).is_cut


async def test_the_dispatcher_goes_by_the_line_that_it_is_handed() -> None:
    house = House()
    said = Message(BEN, "/version", NOW)
    told = await house.dispatcher.handle(replace(said, line=read(COMMANDS, "/nosuch")))
    assert "No /nosuch" in told.title
    assert "No /" not in (await house.dispatcher.handle(said)).title
