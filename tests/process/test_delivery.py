"""Each alert reaches the console once, over kills and restarts, apart from those in doubt."""

from __future__ import annotations

import random
import re
import time

import pytest

from tests.process import books
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess
from tests.process.test_crashes import BUSY, FAST, STILL

EVENT = re.compile(r"(INFO|NOTICE|URGENT|CRITICAL) (?:(\d+) events in )?")
KILLS = 2


def printed(desk: DeskProcess) -> int:
    """How many alerts the newest start has printed; a burst counts as what it folds."""
    found = [match for line in desk.told() if (match := EVENT.match(line))]
    return sum(int(match[2] or 1) for match in found)


async def alerts(desk: DeskProcess) -> tuple[int, int]:
    """How many the history has, and how many of them wait."""
    rows = (await books.read(desk.state)).alerts
    return len(rows), sum(not row.delivered for row in rows)


@pytest.mark.slow
async def test_none_is_lost_and_none_is_told_again(new_desk: NewDesk) -> None:
    luck = random.Random(7)
    desk = new_desk(BUSY.format(participation=0.01))
    ever = waiting = 0
    for kill in range(KILLS):
        desk.start(QUARTERDECK__FEEDS__CRASH__SPEED=FAST)
        desk.until(lambda: desk.say("/trades")["table"], "a trade")
        desk.say(f"/stop for the {kill}. time")
        time.sleep(luck.uniform(0, 0.05))  # the moment itself, in the midst of telling
        desk.kill()
        before, owed = ever, waiting
        ever, waiting = await alerts(desk)
        new = ever - before
        # Told and acknowledged is told once; what is in doubt may come again.
        assert owed + new - waiting <= printed(desk) <= owed + new
        desk.start(QUARTERDECK__FEEDS__CRASH__SPEED=STILL)
        desk.do("/resume")
        assert desk.terminate() == 0
        owed, before = waiting, ever
        ever, waiting = await alerts(desk)
        assert waiting == 0, "what was left is told before the end"
        assert printed(desk) == owed + ever - before
