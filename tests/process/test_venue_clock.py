"""The machine's clock jumps under a desk that trades live: it says so, and sells nothing by it."""

from __future__ import annotations

import mmap
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.exchange_desk import Exchange, LiveDesk

pytestmark = pytest.mark.slow

AHEAD_OF = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long long *ahead;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("SECONDS_AHEAD"), O_RDONLY);
    void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead = page;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    if (!real) begin();
    int answer = real(which, at);
    if (answer == 0 && which == CLOCK_REALTIME && ahead) at->tv_sec += *ahead;
    return answer;
}
"""
"""What the kernel says of the wall clock, and so many seconds more."""


class WallClock:
    """Of the processes that run with `environ`; the others keep theirs."""

    def __init__(self, folder: Path) -> None:
        source, library, ahead = (folder / f"clock.{end}" for end in ("c", "so", "ahead"))
        source.write_text(AHEAD_OF, encoding="utf-8")
        compiled = ("cc", "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl")
        subprocess.run(compiled, check=True)
        ahead.write_bytes(bytes(8))
        with ahead.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)
        self.environ = {"LD_PRELOAD": str(library), "SECONDS_AHEAD": str(ahead)}

    def is_ahead(self, by: timedelta) -> None:
        seconds = by // timedelta(seconds=1)
        self._ahead[:] = seconds.to_bytes(8, "little", signed=True)

    def close(self) -> None:
        self._ahead.close()


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[WallClock]:
    if shutil.which("cc") is None:
        pytest.skip("without a C compiler nobody's clock can be moved")
    clock = WallClock(tmp_path)
    yield clock
    clock.close()


@pytest.fixture
def desk(tmp_path: Path, clock: WallClock) -> Iterator[LiveDesk]:
    """With a position whose stop rests at the venue."""
    with Exchange(market="swap") as venue:
        desk = LiveDesk(tmp_path / "desk", venue)
        try:
            desk.start(**clock.environ).hears_prices()
            desk.bought("BTC")
            yield desk
        finally:
            desk.kill()
        assert desk.complaints() == []


@pytest.mark.parametrize(
    ("by", "told"),
    [(timedelta(days=3, hours=1), "3 d ahead"), (timedelta(hours=-5, minutes=-1), "5 h")],
    ids=["three days ahead", "five hours back"],
)
def test_a_clock_that_jumps_is_told_and_sells_nothing(
    desk: LiveDesk, clock: WallClock, by: timedelta, told: str
) -> None:
    venue = desk.venue
    before = venue.resting()

    clock.is_ahead(by)

    assert desk.alerts("ClockJumped", told)
    desk.say("/scan")
    read_again(desk)
    still_holds(desk, before)
    if by > timedelta(0):
        late = desk.do("/buy ETH 500")
        assert late["outcome"] == "refused", "a price of three days ago is no price"
        assert late["text"].endswith("Nothing was sent.")
        assert len(venue.entries()) == 1

    clock.is_ahead(timedelta(0))

    venue.trades_at("BTC", 50_500)
    desk.until(lambda: "50,500" in desk.say("/price BTC")["title"], "prices go on")
    still_holds(desk, before)
    desk.until(lambda: desk.do("/buy ETH 500")["outcome"] == "done", "it trades once it has asked")
    desk.until(lambda: venue.stops("ETH"), "and protects as before")
    assert venue.held("ETH") == Decimal("0.01"), "what was refused for its time was not sent twice"
    assert desk.do("/flatten")["title"].startswith("✓ Flat")


def read_again(desk: LiveDesk) -> None:
    """After guards have read the equity a few times under the clock that jumped."""
    since = time.monotonic_ns()
    desk.until(lambda: time.monotonic_ns() > since + 4_000_000_000, "readings")


def still_holds(desk: LiveDesk, resting: object) -> None:
    assert desk.positions() == ["BTC"]
    assert desk.venue.held("BTC") == Decimal("0.01")
    assert desk.venue.resting() == resting
    assert "Halted" not in desk.say("/status")["title"]
