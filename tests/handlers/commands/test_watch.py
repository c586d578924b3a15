"""The live message: the status in one place for an hour."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from handlers.reply import Level, Outcome, Reply
from tests.handlers.fakes import BEN, CLEO, House
from tests.handlers.story import NOW, checked, lines_of, reads, shown, the_view
from tests.world import settled

PHONE, OTHER = replace(BEN, edits=True), replace(CLEO, edits=True)


async def later(house: House, reply: Reply, seconds: float) -> Reply | None:
    """What takes the place of *reply* once so many seconds have passed."""
    assert reply.then is not None
    waiting = asyncio.ensure_future(reply.then())
    await settled(5)
    house.clock.advance(seconds)
    await settled(5)
    assert waiting.done()
    return waiting.result()


async def test_a_watch_is_the_status_with_its_end(house: House) -> None:
    reads(
        await house.say("/watch", PHONE),
        """\
Trading (paper), nothing needs you
Equity 9,789.97 USDT, today +1.57 (+0.02 %)
Drawdown -4.39 %, halt at -10.00 %
Open 3 of 5, P&L +15.36:
  BTC long  +5.83  +0.89 %
  ETH long  +2.55  +0.52 %
  SOL long  +6.98  +1.91 %
Resting: 2 entries, 3 protective stops
Scan 11 min ago in 0.04 s, next in 3 min
Feed 1 s, venue: ok
As of 20:41:09 UTC
Live until 21:41, edited every 10 s
[End watch: /watch off] [Stop]""",
    )


async def test_a_watch_shows_the_next_status_after_ten_seconds_and_goes_on(house: House) -> None:
    first = await house.say("/watch", PHONE)
    house.trader.now = replace(house.trader.now, as_of=NOW + timedelta(seconds=10))

    second = await later(house, first, 10)

    assert second is not None
    assert "As of 20:41:19 UTC" in lines_of(checked(second))
    assert "Live until 21:41, edited every 10 s" in lines_of(second)
    assert second.then is not None


async def test_after_an_hour_a_plain_status_takes_its_place(house: House) -> None:
    reply: Reply | None = await house.say("/watch", PHONE)
    edits = 0
    while reply is not None and reply.then is not None:
        reply, edits = await later(house, reply, 10), edits + 1

    assert edits == 360
    assert reply is not None
    assert shown(checked(reply)) == shown(await house.say("/status", PHONE))


async def test_watch_off_ends_it_at_once(house: House) -> None:
    live = await house.say("/watch", PHONE)
    assert live.then is not None
    waiting = asyncio.ensure_future(live.then())
    await settled(5)

    answer = await house.say("/watch off", PHONE)
    last = await waiting

    assert last is not None
    assert last.then is None
    assert shown(last) == shown(answer) == shown(await house.say("/status"))


async def test_a_newer_one_in_the_same_chat_replaces_it(house: House) -> None:
    first, second = await house.say("/watch", PHONE), await house.say("/watch", PHONE)
    elsewhere = await house.say("/watch", OTHER)

    ended = await later(house, first, 0)
    goes_on = await later(house, second, 10)
    there = await later(house, elsewhere, 10)

    assert ended is not None
    assert ended.then is None
    assert goes_on is not None
    assert goes_on.then is not None
    assert there is not None
    assert there.then is not None


async def test_a_watch_that_ended_does_not_end_the_newer_one(house: House) -> None:
    first = await house.say("/watch", PHONE)
    second = await house.say("/watch", PHONE)
    await later(house, first, 0)

    assert second.then is not None
    waiting = asyncio.ensure_future(second.then())
    await settled(5)
    await house.say("/watch off", PHONE)
    last = await waiting

    assert last is not None
    assert last.then is None


async def test_where_nothing_can_be_edited_it_is_refused_in_words(house: House) -> None:
    reply = await house.say("/watch")

    reads(
        reply,
        """\
✕ No live message here: nothing is edited
/status shows it once. Nothing was sent.
[Status]""",
    )
    assert reply.outcome is Outcome.REFUSED


async def test_watch_off_without_one_is_the_status(house: House) -> None:
    assert shown(await house.say("/watch off")) == shown(await house.say("/status"))


async def test_a_look_that_fails_says_so_and_the_next_one_is_tried(house: House) -> None:
    live = await house.say("/watch", PHONE)
    house.trader.broken = ValueError("boom")
    broken = await later(house, live, 10)
    assert broken is not None
    assert broken.title == "⚠ Status unknown: it could not be made"
    assert broken.level is Level.URGENT

    house.trader.broken = None
    mended = await later(house, broken, 10)

    assert mended is not None
    assert mended.title == "Trading (paper), nothing needs you"


async def test_a_watch_of_several_traders_is_one_line_each() -> None:
    house = House(the_view(), the_view(name="alts"))

    reply = await house.say("/watch", PHONE)

    assert reply.title == "2 traders (paper), nothing needs you"
    assert [c.command for c in reply.choices] == ["/watch off", "/stop"]
