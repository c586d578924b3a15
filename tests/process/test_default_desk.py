"""The desk as shipped: what a newcomer sees within a minute, and what it says at the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.process import books
from tests.process.conftest import NewDesk
from trading.market.recording import crash_of_may_2021
from trading.types import ExitReason

SPEED = "QUARTERDECK__FEEDS__CRASH__SPEED"


@pytest.mark.slow
async def test_the_first_trade_falls_within_twenty_seconds(new_desk: NewDesk) -> None:
    """Twenty bars, that is, at the sixty market seconds per second of bot.toml."""
    desk = new_desk(**{SPEED: "360"}).start()
    desk.alerts("PositionOpened")  # the first position
    desk.kill()
    first = (await books.read(desk.state)).fills[0]
    assert first.at - crash_of_may_2021().start <= timedelta(minutes=20)


@pytest.mark.slow
async def test_the_whole_recording_has_all_that_a_demonstration_needs(new_desk: NewDesk) -> None:
    desk = new_desk(**{SPEED: "1800"}).start()
    desk.alerts("FeedEnded")  # the end of the recording

    status = desk.say("/status")
    assert "ended" in status["title"] + status["text"]
    assert "lost" not in status["title"] + status["text"], "ended is not stale"
    assert desk.say("/trades")["table"], "it goes on answering"
    assert desk.say("/why BTC")["outcome"] == "done"
    assert desk.terminate() == 0

    left = await books.read(desk.state)
    assert len(left.trades) >= 6
    assert any(trade.reason is ExitReason.STOP for trade in left.trades)
    assert left.alerts_of("DrawdownReached") >= 1
    assert left.alerts_of("FeedEnded") == 1
    assert left.alerts_of("FeedLost") == 0
    assert left.alerts_of("CycleFailed") == 0
    assert books.faults(left) == []


@pytest.mark.slow
async def test_an_ended_feed_is_still_ended_after_a_restart(new_desk: NewDesk) -> None:
    """Nothing is shown again: the cursor is saved, and what was done stays done."""
    desk = new_desk(**{SPEED: "3600"}).start()
    desk.alerts("FeedEnded")  # the end of the recording
    desk.kill()
    before = await books.read(desk.state)

    desk.start()
    desk.alerts("FeedEnded", count=2)  # the end is seen again
    desk.kill()

    after = await books.read(desk.state)
    assert [order.id for order in after.orders] == [order.id for order in before.orders]
    assert after.placed == before.placed
