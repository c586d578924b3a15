"""kill -9 while much happens, and then: is anything lost, doubled, or no longer true?"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.process import books
from tests.process.books import Left
from tests.process.conftest import NewDesk
from tests.process.desk_process import Answer, DeskProcess, confirmation

BUSY = """
[bot]
name = "busy"
state_dir = "state"

[schedule]
reconcile_every = "5s"

[venues.paper]
kind = "paper"
commission = 0.0001
participation = {participation}

[feeds.crash]
kind = "replay"
data = "crash_2021_05_19"
speed = 60

[traders.majors]
venue = "paper"
feed = "crash"
strategy = "ema_cross"
symbols = ["BTC/USDT", "ETH/USDT", "XRP/USDT", "ADA/USDT", "DOGE/USDT"]
timeframe = "1m"
mode = "paper"
capital = 10000

[traders.majors.parameters]
fast = 2
slow = 5
atr = 5
stop_atr = 1.0
target_atr = 1.5

[traders.majors.exits]
time_limit = "10m"
trail_r = 1.0
partials = [{{share = 0.3, at_r = 0.3}}, {{share = 0.3, at_r = 0.6}}]
break_even = true

[traders.majors.limits]
max_positions = 5
risk_per_trade = 0.01
max_exposure = 1
max_daily_loss = 0.5
max_weekly_loss = 0.5
max_drawdown = 0.5
loss_streak_rest = "0s"
symbol_rest = "0s"
max_price_age = "1d"
"""
"""Averages so short that some order is always under way; nothing ends the trading."""

FAST, STILL = "3600", "0.001"
"""Market seconds per second: much happens, and nothing."""
PARTICIPATION = (0.1, 0.001, 0.0001)
"""All at once; over some bars; over many, so that entries rest."""

LIVES = 3
SEEDS = range(4)  # twelve kills in full flight, and eight at rest
SOAK = int(os.environ.get("QUARTERDECK_SOAK", "30"))


@dataclass
class Story:
    """A desk that is killed again and again, and what it has promised."""

    desk: DeskProcess
    luck: random.Random
    must_be_halted: bool = False
    may_be_halted: bool = False
    deaths: list[str] = field(default_factory=list)

    def a_life(self) -> None:
        """Trade, and be killed in the midst of something."""
        self.desk.start(QUARTERDECK__FEEDS__CRASH__SPEED=FAST)
        if self.may_be_halted:
            self.resume()
        self.trade_a_little()
        self.die(self.luck.choice((self.in_trading, self.in_close, self.in_stop, self.in_flatten)))

    async def aftermath(self) -> Left:
        """Start where the market stands still, so that nothing happens but the mending."""
        self.desk.start(QUARTERDECK__FEEDS__CRASH__SPEED=STILL)
        self.come_to_rest()
        status = self.desk.say("/status")["title"]
        self.desk.kill()
        left = await books.read(self.desk.state)
        assert ("Halted" in status) == bool(left.halts), (status, left.halts)
        return left

    # -- before the death

    def trade_a_little(self) -> None:
        """Until the venue's journal has grown by some of what happens there."""
        before, more = self.journal_size(), self.luck.randint(500, 20_000)
        self.desk.until(lambda: self.journal_size() >= before + more or self.ended(), "trading")

    def journal_size(self) -> int:
        journal = self.desk.state / f"paper-{books.TRADER}.journal"
        return journal.stat().st_size if journal.exists() else 0

    def ended(self) -> bool:
        status = self.desk.say("/status")
        return "ended" in status["title"] + status["text"]

    def resume(self) -> None:
        """As soon as the desk lets us: a flatten must have come to its end first."""

        def lifted() -> bool:
            self.desk.do("/resume")
            return not self.halted()

        self.desk.until(lambda: lifted() or self.ended(), "the halt is lifted")
        self.must_be_halted = self.may_be_halted = self.halted()

    def halted(self) -> bool:
        return "Halted" in self.desk.say("/status")["title"]

    # -- the death

    def die(self, how: Callable[[], None]) -> None:
        self.deaths.append(how.__name__)
        how()

    def in_trading(self) -> None:
        self.a_moment()
        self.desk.kill()

    def in_close(self) -> None:
        held = self.desk.say("/positions")["table"]
        if held is None:
            return self.in_trading()
        base = self.luck.choice(held["rows"])[0].split()[0]
        return self.after(f"/close {base} {self.luck.choice((30, 50, 100))}%", halts=False)

    def in_stop(self) -> None:
        self.after("/stop it smells", halts=True)

    def in_flatten(self) -> None:
        self.after("/flatten", halts=True)

    def after(self, text: str, *, halts: bool) -> None:
        """Die in the midst of carrying out *text*, confirmed if need be."""
        if text != "/stop it smells":
            asked = self.desk.say(text)
            if asked["outcome"] != "confirm":
                return self.in_trading()
            text = confirmation(asked)
        with self.desk.saying(text) as answer:
            self.a_moment()
            self.desk.kill()
            self.promised(answer(), halts=halts)
        return None

    def promised(self, answer: Answer | None, *, halts: bool) -> None:
        self.may_be_halted = halts
        self.must_be_halted = halts and answer is not None and "NOT YET" not in answer["text"]

    def a_moment(self) -> None:
        """The moment itself is what is random here; nothing is waited for."""
        time.sleep(self.luck.uniform(0, 0.03))

    # -- after it

    def come_to_rest(self) -> None:
        """A halt of the time before is carried out first; then nothing changes any more."""
        seen: list[object] = []

        def still() -> bool:
            told = [self.desk.say(text) for text in ("/orders", "/positions", "/halts")]
            seen.append([(a["title"].partition(" ago")[0], a["table"]) for a in told])
            return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]

        self.desk.until(still, "the desk is at rest")

    def check(self, left: Left) -> None:
        found = books.faults(left)
        if self.must_be_halted and not left.halts:
            found.append("the halt was forgotten")
        if not self.may_be_halted and left.halts:
            found.append("halted by nobody")
        assert found == [], f"killed {self.deaths}"


async def lives_through_kills(desk: DeskProcess, luck: random.Random, lives: int) -> Story:
    """Looks at the books after the first death, and then after every second."""
    story = Story(desk, luck)
    for life in range(lives):
        story.a_life()
        if life % 2 == 0:
            story.check(await story.aftermath())
    return story


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_done_twice(new_desk: NewDesk, seed: int) -> None:
    luck = random.Random(seed)
    desk = new_desk(BUSY.format(participation=PARTICIPATION[seed % len(PARTICIPATION)]))
    story = await lives_through_kills(desk, luck, LIVES)
    left = await books.read(desk.state)
    assert len(left.fills) > 5, "the story must have something to tell"
    assert len(story.deaths) == LIVES


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + SOAK))
async def test_nothing_is_lost_or_done_twice_for_long(new_desk: NewDesk, seed: int) -> None:
    luck = random.Random(seed)
    desk = new_desk(BUSY.format(participation=luck.choice(PARTICIPATION)))
    await lives_through_kills(desk, luck, 2 * LIVES - 1)
