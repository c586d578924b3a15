"""Both chats on: from a word on the wire to its answer on the wire, and what that costs at rest.

The platforms are the loopback servers of the tests, in this process; the desk is another one.  The
clock starts when the server hands the update out and stops when the request with the answer
arrives there: reading it, the answer, its markup and the library's way out are all in between.
The pace is a person's, and the limits of the platforms are those that ship.

Run as a module it is a desk with positions open: `python -m bench.chats FOLDER TELEGRAM_URL
DISCORD_URL GATEWAY_URL OPEN [scan]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
from aiohttp import web

from bench.analysis import BARS, SYMBOLS
from bench.desk import BenchDesk, a_desk
from bench.figures import SLOW, Figure, median, percentile
from bench.process import LONGEST, resident, wait_for_answer
from chatbot.frontends.discord import Discord
from chatbot.frontends.talk import People
from chatbot.frontends.telegram import Telegram
from chatbot.render.pictures import PictureProcess
from chatbot.wiring.platforms import StoredNotes
from handlers import load_commands
from handlers.caller import Role
from tests.process.desk_process import SHIPPED, DeskProcess
from tests.servers import discord, telegram
from trading.market.indicators import ema, rsi

OPEN = {10: 10.0, 100: 20.0}
"""Open trades, and the goal in ms with so many."""
SCAN_GOAL = 30.0
ASKED, WARM_UP = 100, 10
PAUSE = 0.05
"""Seconds between an answer and the next question."""
MARKET = 20_000
"""Minutes that the made up market lasts: a scan that never stops uses them up in seconds."""
STARTS = 5
START_GOAL = 1.5
AFTER, MEMORY_GOAL = 10.0, 200.0
WATCHED, CPU_GOAL = 30.0, 0.5
"""Seconds at rest, and the share of a core, in percent, that they may cost."""
USER = "111"
ANNA, ANNA_THERE = telegram.Person(int(USER), "anna"), discord.Person(int(USER), "anna")


class WatchedTelegram(telegram.TelegramServer):
    """Notes when it last handed updates out, and when a message arrived."""

    handed = arrived = 0.0

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if method == "sendMessage":
            self.arrived = perf_counter()
        response = await super()._serve(request)
        if method == "getUpdates":
            self.handed = perf_counter()
        return response

    async def ask(self) -> tuple[float, str]:
        """Seconds that `/status` took, and the answer."""
        answer = await self.answer_to(await self.says(ANNA, "/status"))
        return self.arrived - self.handed, answer.text


class WatchedDiscord(discord.DiscordServer):
    """Notes when the answer to an interaction arrived."""

    arrived = 0.0

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["path"].endswith("/callback"):
            self.arrived = perf_counter()
        return await super()._serve(request)

    async def ask(self) -> tuple[float, str]:
        """Seconds that `/status` took, and the answer."""
        began = perf_counter()
        answer = await self.answer_to(await self.says(ANNA_THERE, "/status"))
        return self.arrived - began, answer.text


def measure() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    figures: list[Figure] = []
    for count, goal in OPEN.items():
        figures += await _answers(count, goal, scan=False)
        figures += await _answers(count, SCAN_GOAL, scan=True)
    return [*figures, *await _at_rest(), *await _starts()]


# -- answers --------------------------------------------------------------------------------------


async def _answers(count: int, goal: float, *, scan: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            WatchedTelegram() as there,
            WatchedDiscord() as here,
            desk_with(count, Path(folder), there, here, scan=scan) as pid,
        ):
            before = cpu_of(pid)
            times = {"Telegram": await asked(there.ask, count)}
            used = (cpu_of(pid) - before) / (WARM_UP + ASKED)
            times["Discord"] = await asked(here.ask, count)
    when = "during scans" if scan else "idle"
    costs = Figure(name=f"CPU per /status on Telegram, {count} open", value=used * 1000, unit="ms")
    answers = [
        Figure(
            name=f"/status on {name}, {count} open, {when}, {what}",
            value=value * 1000,
            unit="ms",
            goal=goal,
            headline=what == ("p99" if scan else "median"),
        )
        for name, taken in times.items()
        for what, value in (("median", median(taken)), ("p99", percentile(taken, 0.99)))
    ]
    return answers if scan else [*answers, costs]


async def asked(ask: Callable[[], Awaitable[tuple[float, str]]], count: int) -> list[float]:
    times = []
    for _ in range(WARM_UP + ASKED):
        await asyncio.sleep(PAUSE)
        seconds, said = await ask()
        if f"Open {count} of" not in said:
            raise RuntimeError(f"no answer to /status with {count} open: {said}")
        times.append(seconds)
    return times[WARM_UP:]


@asynccontextmanager
async def desk_with(
    count: int, folder: Path, there: WatchedTelegram, here: WatchedDiscord, *, scan: bool
) -> AsyncIterator[int]:
    """The desk of this module with *count* positions, once it listens to both; its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.chats", folder, there.base_url, here.api_url,
        here.gateway_url, str(count), *(["scan"] if scan else []),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until(
            lambda: there.polls and here.gateway.is_listened_to and here.commands,
            lambda: process.returncode is None,
        )
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()  # what it has in its folder is thrown away
        await process.wait()


async def until(
    true: Callable[[], object], alive: Callable[[], bool], longest: float = LONGEST
) -> None:
    until = perf_counter() + longest
    while not true():
        if not alive() or perf_counter() > until:
            raise RuntimeError("the desk does not listen")
        await asyncio.sleep(0.01)


# -- at rest, and at the start --------------------------------------------------------------------


async def _at_rest() -> list[Figure]:
    """Three desks at once: what counts is the time of each process, not of the clock."""
    slowly = {"QUARTERDECK__FEEDS__CRASH__SPEED": "1"}  # a candle of 1m takes a minute
    with tempfile.TemporaryDirectory() as folder:
        async with WatchedTelegram() as there, WatchedDiscord() as here:
            both = both_chats(there, here)
            quiet = compiled_desk(Path(folder) / "quiet", both | slowly)
            alone = compiled_desk(Path(folder) / "alone", slowly)
            # A bot of its own: Telegram lets only one program poll.
            async with WatchedTelegram() as other, WatchedDiscord() as another:
                busy = compiled_desk(Path(folder) / "busy", both_chats(other, another))
                desks = (quiet, alone, busy)
                try:
                    return await _cost(desks)
                finally:
                    for desk in desks:
                        await asyncio.to_thread(desk.kill)


async def _cost(desks: tuple[DeskProcess, ...]) -> list[Figure]:
    for desk in desks:
        await asyncio.to_thread(start_once, desk)  # compiles
        await asyncio.to_thread(desk.start)
    await asyncio.sleep(AFTER)
    before, began = [cpu_of(desk.pid) for desk in desks], perf_counter()
    memory = rss(desks[0])
    await asyncio.sleep(WATCHED)
    seconds = perf_counter() - began
    quiet, alone, busy = (
        (cpu_of(desk.pid) - used) / seconds * 100 for desk, used in zip(desks, before, strict=True)
    )
    share = "% of a core"
    return [
        Figure(
            name="CPU at rest, both chats on",
            value=quiet, unit=share, goal=CPU_GOAL, at=SLOW, headline=True,
        ),
        Figure(name="CPU at rest, without chats", value=alone, unit=share),
        Figure(name="CPU of the default desk, both chats on", value=busy, unit=share),
        Figure(
            name="resident memory after 10 s, both chats on",
            value=memory, unit="MB", goal=MEMORY_GOAL, headline=True,
        ),
    ]  # fmt: skip


async def _starts() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        async with WatchedTelegram() as there, WatchedDiscord() as here:
            desk = compiled_desk(Path(folder) / "desk", both_chats(there, here))
            times = [await asyncio.to_thread(start_once, desk) for _ in range(STARTS + 1)][1:]
    return [
        Figure(
            name="start until /status answers, warm, both chats on",
            value=median(times), unit="s", goal=START_GOAL, headline=True,
        )
    ]  # fmt: skip


def start_once(desk: DeskProcess) -> float:
    """Start it, and end it once it was ready; return the seconds until it answered."""
    began = perf_counter()
    desk.launch()
    wait_for_answer(desk.socket)
    seconds = perf_counter() - began
    desk.start_is_over()
    desk.terminate()
    return seconds


def compiled_desk(folder: Path, environ: Mapping[str, str], settings: str = SHIPPED) -> DeskProcess:
    """A desk in *folder*.  From its second start on its code is compiled, as an operator's is."""
    folder.mkdir()
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    return DeskProcess(folder, settings, **environ, **compiled)


def both_chats(there: WatchedTelegram, here: WatchedDiscord) -> dict[str, str]:
    """Settings of a desk that speaks with both."""
    telegram_settings = {
        "enabled": "true", "base_url": there.base_url, "token": there.token,
        "users": json.dumps({USER: "owner"}),
    }  # fmt: skip
    discord_settings = {
        "enabled": "true", "api_url": here.api_url, "gateway_url": here.gateway_url,
        "token": here.token, "users": json.dumps({USER: "owner"}),
    }  # fmt: skip
    return {
        f"QUARTERDECK__CHAT__{platform}__{key.upper()}": value
        for platform, settings in (("TELEGRAM", telegram_settings), ("DISCORD", discord_settings))
        for key, value in settings.items()
    }


def cpu_of(pid: int) -> float:
    """Seconds that the process has used so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(desk: DeskProcess) -> float:
    return resident(desk.pid)


# -- in the child ---------------------------------------------------------------------------------


async def desk_with_chats(
    folder: Path, telegram_url: str, urls: tuple[str, str], count: int, *, scan: bool
) -> None:
    """Open *count* positions, then listen to both chats until killed; with *scan*, trade as well.

    *urls*: of Discord's API and gateway.
    """
    async with a_desk(folder, symbols=count, bars=MARKET) as desk:
        await desk.minute()
        if len(desk.trader.ledger.positions) != count:
            raise RuntimeError("the positions were not opened")
        work = [
            chat.run(desk.dispatcher.handle)
            for chat in (telegram_for(desk, folder, telegram_url), _discord_for(desk, folder, urls))
        ]
        if scan:
            work += [scan_on(desk), analyse_on()]
        await asyncio.gather(*work)


def telegram_for(desk: BenchDesk, folder: Path, url: str) -> Telegram:
    return Telegram(
        token=telegram.TOKEN, base_url=url, groups=frozenset(), **_common(desk, folder)
    )  # fmt: skip


def _discord_for(desk: BenchDesk, folder: Path, urls: tuple[str, str]) -> Discord:
    return Discord(
        token=discord.TOKEN, api_url=urls[0], gateway_url=urls[1], guilds=frozenset(),
        symbols=list, traders=list, halts=list, **_common(desk, folder),
    )  # fmt: skip


def _common(desk: BenchDesk, folder: Path) -> dict[str, Any]:
    """What every chat is made of."""
    return {
        "people": People(users={USER: Role.OWNER}),
        "commands": load_commands(),
        "clock": desk.clock,
        "pictures": PictureProcess(theme="light", folder=folder / "pictures", clock=desk.clock),
        "notes": StoredNotes(desk.store),
        "on_unauthorized": _nobody,
    }


async def _nobody(platform: str, user: str) -> None:
    raise RuntimeError(f"a stranger on {platform}: {user}")


async def scan_on(desk: BenchDesk) -> NoReturn:
    """One cycle after the other: exits of every position, equity, decisions, the cursor saved."""
    while True:
        await desk.minute()


async def analyse_on() -> NoReturn:
    """Averages and RSI of a whole market, again and again, in a thread."""
    closes = 100 + np.cumsum(np.random.default_rng(1).normal(0, 0.1, (SYMBOLS, BARS)), axis=1)

    def indicators() -> None:
        ema(closes, 12)
        ema(closes, 48)
        rsi(closes)

    while True:
        await asyncio.to_thread(indicators)


if __name__ == "__main__":
    place, *addresses, opened = sys.argv[1:6]
    asyncio.run(
        desk_with_chats(
            Path(place), addresses[0], (addresses[1], addresses[2]), int(opened),
            scan="scan" in sys.argv[6:],
        )
    )  # fmt: skip
