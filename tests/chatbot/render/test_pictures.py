"""Charts drawn by another process: real pictures, a real process, and every way it can fail."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.ports import NoPicture
from chatbot.render.drawing import HEIGHT, WIDTH, apart, gaps, png, time_ticks
from chatbot.render.pictures import COMMAND, PictureProcess, Theme
from handlers.chart import (
    CandleChart,
    Chart,
    ChartMark,
    EquityChart,
    MarkKind,
    PriceLevel,
    chart_from_dict,
    chart_to_dict,
)
from handlers.texts.charts import Timeframe, candle_chart
from tests.architecture.source import ROOT
from tests.waiting import until
from trading.clocks import ManualClock
from trading.market.recording import crash_of_may_2021
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.types import Symbol

NOON = datetime(2021, 5, 19, 12, tzinfo=UTC)
BTC = Symbol("BTC", "USDT")
LARGEST = 150_000


def the_crash(**changes: Any) -> CandleChart:
    """The hour of the bottom, with trades and a plan."""
    candles = crash_of_may_2021().candles.upto(700)
    drawn = candle_chart(candles, BTC, Timeframe.MINUTE, BINANCE_PERPETUALS_2021[BTC], "UTC")
    assert drawn is not None
    marks = tuple(
        ChartMark(drawn.times[n], drawn.closes[n], kind)
        for n, kind in zip((10, 30, 50, 60), MarkKind, strict=True)
    )
    entry = drawn.closes[50]
    levels = (
        PriceLevel("entry", entry),
        PriceLevel("stop", entry * 0.97),
        PriceLevel("target", entry * 1.5),
    )
    return replace(drawn, marks=marks, levels=levels, **changes)


def an_equity(*equity: float, **changes: Any) -> EquityChart:
    peaks = [max(equity[: n + 1]) for n in range(len(equity))]
    chart = EquityChart(
        title="Equity, 30 days",
        quote="USDT",
        times=tuple(NOON + timedelta(hours=n) for n in range(len(equity))),
        equity=equity,
        drawdown=tuple(e / p - 1 for e, p in zip(equity, peaks, strict=True)),
        zone="Europe/Berlin",
    )
    return replace(chart, **changes)


ONE = (100.0,)
A_CANDLE = replace(
    the_crash(),
    times=(NOON,), opens=ONE, highs=ONE, lows=ONE, closes=ONE, volumes=(0.0,),
    marks=(), levels=(PriceLevel("entry", 100.0),),
)  # fmt: skip
CHARTS: dict[str, Chart] = {
    "a crash": the_crash(),
    "one candle that never moved": A_CANDLE,
    "a market that never moved": replace(
        A_CANDLE, times=tuple(NOON + timedelta(minutes=n) for n in range(30)), opens=ONE * 30,
        highs=ONE * 30, lows=ONE * 30, closes=ONE * 30, volumes=ONE * 30,
    ),
    "a long name and small prices": replace(
        A_CANDLE, title="1000000MOGELONMARSINU/USDT 15m", decimals=10,
        opens=(1e-8,), highs=(2e-8,), lows=(5e-9,), closes=(1.5e-8,), levels=(),
    ),
    "an equity": an_equity(*(10_000.0 + n % 17 - n / 3 for n in range(480))),
    "one reading": an_equity(10_000.0),
    "an equity that never moved": an_equity(10_000.0, 10_000.0, 10_000.0),
    "nothing left": an_equity(10_000.0, 0.0, -50.0),
}  # fmt: skip


def size_of(picture: bytes) -> tuple[int, int]:
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


# -- drawing ------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_every_chart_makes_a_picture_for_a_phone(chart: Chart, theme: str) -> None:
    picture = png(chart, theme)

    assert size_of(picture) == (WIDTH, HEIGHT) == (1080, 810)
    assert 1_000 < len(picture) < LARGEST


def test_a_chart_goes_to_the_other_process_and_stays_itself() -> None:
    for chart in CHARTS.values():
        assert chart_from_dict(chart_to_dict(chart)) == chart


@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0.01, 0.1))
def test_labels_never_cover_each_other(places: list[float], gap: float) -> None:
    moved = apart(places, gap)

    ordered = sorted(moved)
    pairs = pairwise(ordered)
    assert all(after - before > gap * 0.999 for before, after in pairs)
    assert not moved or max(moved) <= 1


def test_a_label_that_has_room_stays_where_it_is() -> None:
    assert apart([0.9, 0.1, 0.5], 0.1) == [0.9, 0.1, 0.5]


def test_missing_candles_are_seen() -> None:
    times = [NOON + timedelta(minutes=n) for n in (1, 2, 3, 7, 8)]

    assert gaps(times) == [3]
    assert gaps(times[:1]) == []


@pytest.mark.parametrize(
    ("span", "zone", "labels"),
    [
        (timedelta(0), "UTC", ["12:00"]),
        (timedelta(minutes=90), "UTC", ["12:00", "12:30", "13:00", "13:30"]),
        (
            timedelta(hours=18),
            "Europe/Berlin",
            ["15:00", "18:00", "21:00", "20 May", "03:00", "06:00"],
        ),
        (timedelta(days=5), "UTC", ["20 May", "21 May", "22 May", "23 May", "24 May"]),
        (timedelta(days=400), "UTC", ["Jul", "Sep", "Nov", "2022", "Mar", "May"]),
        (timedelta(days=4_000), "UTC", ["2022", "2024", "2026", "2028", "2030", "2032"]),
    ],
)
def test_times_are_round_few_and_of_the_zone(span: timedelta, zone: str, labels: list[str]) -> None:
    assert [text for _, text in time_ticks(NOON, NOON + span, ZoneInfo(zone))] == labels


# -- the other process --------------------------------------------------------------------

Make = Callable[..., PictureProcess]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fonts are searched for once."""
    return tmp_path_factory.mktemp("pictures") / "cache"


@pytest.fixture
async def make(cache: Path) -> AsyncIterator[Make]:
    made: list[PictureProcess] = []

    def one(clock: ManualClock | None = None, *, theme: Theme = "light", **rest: Any) -> Any:
        clock = clock or ManualClock(NOON)
        made.append(PictureProcess(theme=theme, folder=cache, clock=clock, **rest))
        return made[-1]

    yield one
    for each in made:
        await each.close()


def script(code: str) -> list[str]:
    """A process that misbehaves."""
    return [sys.executable, "-c", code]


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_pictures_come_from_a_process_that_starts_at_the_first_and_stays(
    make: Make, cache: Path
) -> None:
    pictures = make(theme="dark")
    assert pictures.pid is None

    first = await pictures.draw(the_crash())
    pid = pictures.pid
    second = await pictures.draw(an_equity(1.0, 2.0))

    assert size_of(first) == size_of(second) == (WIDTH, HEIGHT)
    assert first == png(the_crash(), "dark")
    assert pictures.pid == pid
    assert any(path.name.startswith("fontlist") for path in cache.iterdir())


async def test_it_inherits_no_secret(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK__CHAT__TELEGRAM__TOKEN", "1:hush")
    pictures = make()
    await pictures.draw(the_crash())

    environment = Path(f"/proc/{pictures.pid}/environ").read_bytes()

    assert b"hush" not in environment
    assert b"MPLCONFIGDIR=" in environment


async def test_it_inherits_no_file_of_ours(make: Make, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        os.set_inheritable(log.fileno(), True)
        pictures = make()
        await pictures.draw(the_crash())
        files = [str(link.readlink()) for link in Path(f"/proc/{pictures.pid}/fd").iterdir()]

    assert not [name for name in files if name.startswith("socket:") or name.endswith("/log")]


async def test_idle_it_ends_and_comes_back_when_asked(make: Make) -> None:
    clock = ManualClock(NOON)
    pictures = make(clock, idle=300)
    await pictures.draw(the_crash())
    pid = pictures.pid
    assert pid
    clock.advance(299)
    await asyncio.sleep(0)
    assert pictures.pid == pid

    clock.advance(2)
    await until(lambda: pictures.pid is None)

    assert not lives(pid)
    assert size_of(await pictures.draw(the_crash())) == (WIDTH, HEIGHT)


async def test_killed_it_is_started_again_and_nobody_notices(make: Make) -> None:
    pictures = make()
    await pictures.draw(the_crash())
    assert pictures.pid
    os.kill(pictures.pid, signal.SIGKILL)

    assert size_of(await pictures.draw(the_crash())) == (WIDTH, HEIGHT)


async def test_one_that_hangs_is_killed(make: Make) -> None:
    pictures = make(command=script("import time; time.sleep(600)"), within=0.3)
    asked = asyncio.create_task(pictures.draw(the_crash()))
    await until(lambda: pictures.pid is not None)
    pid = pictures.pid

    with pytest.raises(NoPicture, match=r"no picture in 0\.3 s"):
        await asked

    assert pid
    assert not lives(pid)


@pytest.mark.parametrize(
    "command",
    [
        script("pass"),
        script("import sys; sys.stdin.buffer.read(9); sys.stdout.write('nonsense')"),
        ["/nowhere/python"],
    ],
)
async def test_one_that_cannot_draw_is_no_picture(make: Make, command: list[str]) -> None:
    pictures = make(command=command)

    with pytest.raises(NoPicture, match="does not run"):
        await pictures.draw(the_crash())

    assert pictures.pid is None


async def test_a_chart_that_cannot_be_drawn_does_not_end_it(make: Make) -> None:
    pictures = make()

    with pytest.raises(NoPicture, match="could not be drawn"):
        await pictures.draw(replace(the_crash(), zone="Nowhere/Land"))

    pid = pictures.pid
    assert size_of(await pictures.draw(the_crash())) == (WIDTH, HEIGHT)
    assert pictures.pid == pid


async def test_who_goes_away_takes_nothing_from_the_others(make: Make) -> None:
    pictures = make()
    first = asyncio.create_task(pictures.draw(the_crash()))
    second = asyncio.create_task(pictures.draw(an_equity(1.0, 2.0)))
    third = asyncio.create_task(pictures.draw(A_CANDLE))
    await until(lambda: pictures.pid is not None)

    first.cancel()
    third.cancel()

    assert await second == png(an_equity(1.0, 2.0), "light")
    await asyncio.wait({first, third})
    assert first.cancelled()
    assert third.cancelled()


async def test_more_than_a_few_at_a_time_are_refused(make: Make) -> None:
    pictures = make()
    asked = [asyncio.create_task(pictures.draw(A_CANDLE)) for _ in range(17)]

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert sum(isinstance(answer, bytes) for answer in answers) == 16
    assert str(answers[-1]) == "too many pictures are asked for"


async def test_closing_ends_the_process_and_whoever_waits_gets_no_picture(make: Make) -> None:
    pictures = make(command=script("import time; time.sleep(600)"))
    asked = [asyncio.create_task(pictures.draw(the_crash())) for _ in range(2)]
    await until(lambda: pictures.pid is not None)
    pid = pictures.pid

    await pictures.close()

    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [NoPicture, NoPicture]
    assert pid
    assert not lives(pid)
    with pytest.raises(NoPicture, match="ending"):
        await pictures.draw(the_crash())


DESK = """
import asyncio, sys
from pathlib import Path
from chatbot.render.pictures import PictureProcess
from tests.chatbot.render.test_pictures import the_crash
from trading.clocks import SystemClock

async def main():
    pictures = PictureProcess(theme="light", folder=Path(sys.argv[1]), clock=SystemClock())
    await pictures.draw(the_crash())
    print(pictures.pid, flush=True)
    await pictures.draw(the_crash())
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_after_kill_9_of_the_desk_no_process_is_left(cache: Path) -> None:
    desk = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DESK, str(cache), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert desk.stdout
    pid = int(await desk.stdout.readline())
    try:
        assert lives(pid)

        desk.kill()
        await desk.wait()

        await until(lambda: not lives(pid))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_desk_itself_never_loads_matplotlib() -> None:
    loaded = "chatbot.wiring.build, chatbot.render.pictures"
    code = f"import sys, {loaded}; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
    assert COMMAND[0] == sys.executable
