"""Whoever may speak may shout: whatever is said, of whatever length, the answer is short."""

from __future__ import annotations

import pytest

from chatbot.render.embed import posts
from chatbot.render.html import html, unmarked
from chatbot.render.plain import plain
from handlers.audit import kept
from handlers.line import LONGEST, bare, is_slashed, named_in, split
from handlers.message import read
from handlers.reply import Outcome
from handlers.second_factor import CodeAnswer, SecondFactor, new_secret
from tests.handlers.fakes import ANNA, BEN, House
from tests.handlers.story import COMMANDS, NOW

CLASSES = {
    "letters": "a", "digits": "1", "marks": "!", "spaces": " ", "lines": "\n", "tabs": "\t",
    "commas": ",", "points": ".", "slashes": "/", "percent": "%", "at": "@", "quotes": "'",
    "equals": "=", "underscores": "_", "backslashes": "\\", "backticks": "`", "less": "<",
    "ampersands": "&", "accents": "e\u0301", "emoji": "🛑", "wide": "\uff21", "unseen": "\u200b",
    "bidi": "\u202e", "halves": "\ud800", "null": "\x00", "digits and spaces": "1 ",
    "a share": "50 % ", "thousands": ",111", "named": "trader=x ", "expanding": "\ufdfa",
}  # fmt: skip
SIZES = (4_096, 60_000)


def shouted(of: str, size: int) -> str:
    """As the one that was quadratic: something before, a long run, something after."""
    return f"a{(of * size)[:size]}a"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("of", CLASSES.values(), ids=CLASSES)
async def test_a_shout_gets_a_short_answer(of: str, size: int) -> None:
    """As a name, as every argument of every command, and behind it."""
    house = House()
    run = shouted(of, size)
    for said in (run, f"/{run}", f"/stop{run}", *(f"/{name} {run}" for name in COMMANDS)):
        reply = await house.say(said, ANNA)
        for shown in (
            *html(reply, now=NOW), *unmarked(reply, now=NOW), plain(reply, now=NOW),
            *(post.title + post.description for post in posts(reply, COMMANDS)),
        ):  # fmt: skip
            assert len(shown) < 2_000
    await house.dispatcher.settle()
    assert all(len(word.said) <= 400 for word in house.store.written)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("of", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize(
    "front", ["/close SOL ", "/buy SOL ", "/stop_loss SOL ", "/trades ", "/resume ", "/confirm ",
              "/confirm 7K3Q ", "/notify SOL above ", "/why SOL ", "/alerts level ", "/help "]
)  # fmt: skip
async def test_nothing_is_done_for_a_shout_behind_a_command(
    house: House, front: str, of: str, size: int
) -> None:
    reply = await house.say(f"{front}{shouted(of, size)}")

    assert reply.outcome is Outcome.REFUSED
    assert house.desk.asked == house.trader.asked == []


@pytest.mark.parametrize("of", CLASSES.values(), ids=CLASSES)
def test_no_more_is_looked_at_than_a_line_may_have(of: str) -> None:
    """What lies beyond changes nothing, and so nothing has looked at it."""
    line = f"/stop {shouted(of, LONGEST)}"[:LONGEST]
    longer = line + of * 60_000

    assert split(line) == split(longer)
    assert bare(line) == bare(longer)
    assert named_in(line) == named_in(longer)
    assert is_slashed(of * LONGEST) == is_slashed(of * 60_000)
    assert len(kept(read(COMMANDS, longer))) <= 400
    assert len(split(longer)[0]) <= LONGEST


async def test_what_is_cut_does_nothing_but_a_stop(house: House) -> None:
    padded = f"/close SOL{' ' * 5_000}1%"

    refused = await house.say(padded)
    stopped = await house.say(f"/stop{' ' * 5_000}news")

    assert refused.title == "✕ That is longer than 4,096 characters"
    assert stopped.title.startswith("■ Stopped")


@pytest.mark.parametrize("of", CLASSES.values(), ids=CLASSES)
async def test_digits_that_are_shouted_are_wrong(house: House, of: str) -> None:
    factor = SecondFactor(house.clock, {BEN.user: new_secret()})
    assert await factor.look(BEN.user, shouted(of, 60_000)) is CodeAnswer.WRONG
