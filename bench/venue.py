"""A real venue's protocol: how fast a stop and a flatten reach the wire, a comparison, a start.

The exchange is the loopback Binance of the tests (perpetuals), in a process of its own; the desk is
another one, with the real ccxt and the real Telegram library.  The clock starts when the person's
update is handed to Telegram's server here, and stops when the first bytes of the last request
arrive at the exchange: both read the same monotonic clock.  The venue's quotas are set aside.

Run as a module it is a desk on that exchange: `python -m bench.venue FOLDER URL WS_URL WHAT`,
where WHAT is the address of a Telegram, or `reconcile`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Self

from bench.chats import (
    ANNA,
    WatchedDiscord,
    WatchedTelegram,
    analyse_on,
    both_chats,
    compiled_desk,
    rss,
    scan_on,
    start_once,
    telegram_for,
    until,
)
from bench.desk import NOON, TRADER, BenchDesk, a_desk
from bench.figures import SLOW, Figure, median, percentile
from tests.process.desk_process import DeskProcess
from tests.process.exchange_desk import DAYS, PRICE, SETTINGS, candles, keys
from tests.servers.exchange import OWNER
from tests.servers.exchange.process import ExchangeProcess
from trading.clocks import SystemClock
from trading.ports import Venue
from trading.types import ZERO, ExitPlan, Order, OrderRole, Quote, Side, Symbol
from trading.venues.ccxt.connection import ApiAccess, Connection
from trading.venues.ccxt.row import Market
from trading.venues.ccxt.venue import CcxtVenue
from trading.venues.exchanges import exchange

OPEN, RESTING = 10, 100
GOAL = 50.0
"""Ms, on a slow machine."""
STOPS, FLATTENS, WARM_UP = 30, 10, 2
COMPARED, ORDERS = 5, 1_000
STARTS = 5
START_GOAL, AFTER, MEMORY_GOAL = 3.5, 10.0, 220.0
BARS = 40_000
"""Minutes that the made up market lasts under scans that never stop."""
SYMBOLS = OPEN + RESTING
BASES = [f"S{number:03}" for number in range(SYMBOLS)]
MARKET = 100
PLENTY = 1e9


def measure() -> list[Figure]:
    return [*asyncio.run(_on_the_wire()), *asyncio.run(_compared()), *asyncio.run(_starts())]


# -- a stop, and a flatten ------------------------------------------------------------------------


async def _on_the_wire() -> list[Figure]:
    async with WatchedTelegram() as chat:
        with _exchange() as venue, tempfile.TemporaryDirectory() as folder:
            async with _desk(Path(folder), venue, chat.base_url) as desk:
                await until(lambda: chat.polls, lambda: desk.returncode is None)
                stops = [await _stop(chat, venue, desk) for _ in range(WARM_UP + STOPS)]
                closes = [await _flatten(chat, venue, desk) for _ in range(FLATTENS)]
    what = f"{RESTING} resting entries, {OPEN} positions, during scans"
    stop, flat = [t * 1000 for t in stops[WARM_UP:]], [t * 1000 for t in closes]
    return [
        Figure(
            name=f"/stop to the last cancel on the wire, {what}, {name}",
            value=value, unit="ms", goal=GOAL, at=SLOW, headline=True,
        )
        for name, value in (("median", median(stop)), ("p99", percentile(stop, 0.99)))
    ] + [
        Figure(
            name=f"/flatten to the last of {OPEN} closes on the wire, the same, {name}",
            value=value, unit="ms",
        )
        for name, value in (("median", median(flat)), ("worst", max(flat)))
    ]  # fmt: skip


async def _stop(
    chat: WatchedTelegram, venue: ExchangeProcess, desk: asyncio.subprocess.Process
) -> float:
    """Seconds until the last cancel arrived; then the desk trades again."""
    await _rests(desk)
    began = time.monotonic_ns()
    answer = await chat.answer_to(await chat.says(ANNA, "/stop"))
    if f"{RESTING} of {RESTING} cancelled" not in answer.text:
        raise RuntimeError(f"/stop did not stop: {answer.text}")
    last = _last(venue, "DELETE", "*order*", began, RESTING)
    await _resume(chat)
    return last


async def _flatten(
    chat: WatchedTelegram, venue: ExchangeProcess, desk: asyncio.subprocess.Process
) -> float:
    """Seconds from the confirmation until the last close arrived; then it trades again."""
    await _rests(desk)
    asked = await chat.answer_to(await chat.says(ANNA, "/flatten"))
    code = next(word for word in asked.buttons.values() if word.startswith("/confirm"))
    began = time.monotonic_ns()
    said = await chat.says(ANNA, code)
    await chat.answer_to(said)
    await chat.seen(said.chat, "Flat")
    last = _last(venue, "POST", "*/order", began, OPEN)
    await _resume(chat)
    return last


async def _rests(desk: asyncio.subprocess.Process) -> None:
    """Wait until the desk has put everything in its place."""
    assert desk.stdout is not None
    line = await desk.stdout.readline()
    if not line:
        raise RuntimeError("the desk has ended")


async def _resume(chat: WatchedTelegram) -> None:
    asked = await chat.answer_to(await chat.says(ANNA, "/resume"))
    code = next(word for word in asked.buttons.values() if word.startswith("/confirm"))
    await chat.answer_to(await chat.says(ANNA, code))


def _last(venue: ExchangeProcess, method: str, path: str, began: int, count: int) -> float:
    """Seconds from *began* until the *count*-th such request arrived."""
    asked = venue.tell("asked", method=method, path=path, since=began)
    arrived = sorted(request["arrived"] for request in asked)
    if len(arrived) < count:
        raise RuntimeError(f"{len(arrived)} requests arrived, not {count}")
    return float(arrived[count - 1] - began) / 1e9


# -- a comparison ---------------------------------------------------------------------------------


async def _compared() -> list[Figure]:
    with _exchange() as venue, tempfile.TemporaryDirectory() as folder:
        async with _desk(Path(folder), venue, "reconcile") as desk:
            assert desk.stdout is not None
            times = [float(await desk.stdout.readline()) for _ in range(COMPARED)]
    return [
        Figure(name=f"reconcile of {ORDERS:,} resting orders", value=median(times), unit="s")
    ]  # fmt: skip


# -- a start --------------------------------------------------------------------------------------


async def _starts() -> list[Figure]:
    with (
        ExchangeProcess(market="swap", symbols=["BTC", "ETH"]) as venue,
        tempfile.TemporaryDirectory() as folder,
    ):
        venue.tell("unlimited")
        for base in ("BTC", "ETH"):
            rows = candles(lambda _: PRICE)[-DAYS:]
            venue.tell("klines", symbol=f"{base}USDT", interval="1d", rows=rows)
        async with WatchedTelegram() as there, WatchedDiscord() as here:
            desk = _live_desk(Path(folder) / "desk", venue, both_chats(there, here))
            times = [await asyncio.to_thread(start_once, desk) for _ in range(STARTS + 1)][1:]
            memory = await asyncio.to_thread(_memory, desk)
    return [
        Figure(
            name="start with a real venue until /status answers, warm, both chats on",
            value=median(times), unit="s", goal=START_GOAL, headline=True,
        ),
        Figure(
            name="resident memory after 10 s, a real venue, both chats on",
            value=memory, unit="MB", goal=MEMORY_GOAL, headline=True,
        ),
    ]  # fmt: skip


def _live_desk(folder: Path, venue: ExchangeProcess, chats: dict[str, str]) -> DeskProcess:
    settings = SETTINGS.format(
        market="swap", url=venue.url, ws_url=venue.ws_url,
        symbols='"BTC/USDT", "ETH/USDT"', style="market",
    )  # fmt: skip
    return compiled_desk(folder, {**chats, **keys()}, settings)


def _memory(desk: DeskProcess) -> float:
    desk.start()
    try:
        sleep(AFTER)
        return rss(desk)
    finally:
        desk.terminate()


# -- what is started ------------------------------------------------------------------------------


def _exchange() -> _Quoted:
    return _Quoted(market="swap", symbols=BASES)


class _Quoted(ExchangeProcess):
    """At the prices of the made up market."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.tell("unlimited")
        for base in BASES:
            self.engine("quote", f"{base}USDT", MARKET)
        return self


@asynccontextmanager
async def _desk(
    folder: Path, venue: ExchangeProcess, what: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.venue", folder, venue.url, venue.ws_url, what,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()  # what it has in its folder is thrown away
        await process.wait()


# -- in the child ---------------------------------------------------------------------------------


def _venue(url: str, ws_url: str, **parts: Any) -> Venue:
    """The exchange, in place of the paper book of *parts*."""
    clock = SystemClock()
    real = exchange("binance", Market.SWAP)
    connection = Connection(
        exchange=type(real)(replace(real.row, weight_per_minute=PLENTY, orders_per_10s=PLENTY)),
        access=ApiAccess(key=OWNER.key, secret=OWNER.secret),
        clock=clock,
        url=url,
        ws_url=ws_url,
    )
    return CcxtVenue(
        name="binance",
        trader=TRADER,
        connection=connection,
        symbols=tuple(parts["rules"]),
        price=lambda symbol: Quote(symbol=symbol, price=Decimal(MARKET), at=NOON),
        read_only=False,
        clock=clock,
    )


async def desk_on(folder: Path, url: str, ws_url: str, what: str) -> None:
    """A desk on that exchange, for what is measured, until killed."""
    venue = partial(_venue, url, ws_url)
    async with a_desk(folder, symbols=SYMBOLS, wishes=False, bars=BARS, venue=venue) as desk:
        await desk.minute()
        if what == "reconcile":
            await _compare(desk)
            return
        chat = telegram_for(desk, folder, what)
        await asyncio.gather(
            chat.run(desk.dispatcher.handle), _put_back(desk), scan_on(desk), analyse_on()
        )


async def _put_back(desk: BenchDesk) -> None:
    """Whenever nothing is halted and little rests, open and rest all again, and say so."""
    while True:
        await asyncio.sleep(0.02)
        ledger = desk.trader.ledger
        if desk.desk.latch.active or ledger.alive_of(OrderRole.ENTRY):
            continue
        held = desk.trader.symbols[:OPEN]
        await asyncio.gather(*(_buy(desk, s) for s in held if s not in ledger.positions))
        while not all(map(desk.trader.protection.rests, held)):
            await asyncio.sleep(0.02)
        await _rest(desk, desk.trader.symbols[OPEN:])
        print("rests", flush=True)


async def _compare(desk: BenchDesk) -> None:
    for _ in range(ORDERS // RESTING):
        await _rest(desk, desk.trader.symbols[OPEN:])
    for _ in range(COMPARED):
        began = perf_counter()
        if not await desk.trader.reconcile():
            raise RuntimeError("the books could not be compared")
        print(perf_counter() - began, flush=True)


async def _buy(desk: BenchDesk, symbol: Symbol) -> None:
    plan = ExitPlan(
        side=Side.BUY, size=Decimal(2), entry=Decimal(MARKET), stop=Decimal(MARKET) * 9 / 10
    )
    await _enter(desk, symbol, quantity=plan.size, plan=plan)


async def _rest(desk: BenchDesk, symbols: Sequence[Symbol]) -> None:
    """A limit buy of each, below the market."""
    await asyncio.gather(
        *(_enter(desk, s, quantity=Decimal(2), price=Decimal(96)) for s in symbols)
    )


async def _enter(desk: BenchDesk, symbol: Symbol, **order: Any) -> Order:
    orders = desk.trader.orders
    made = orders.prepare(symbol=symbol, side=Side.BUY, role=OrderRole.ENTRY, **order)
    entered = await orders.enter(made, desk.desk.latch.permit(TRADER))
    if not entered.is_alive and entered.filled == ZERO:
        raise RuntimeError(f"an entry in {symbol} was not taken: {entered.note}")
    return entered


if __name__ == "__main__":
    place, *addresses, wanted = sys.argv[1:5]
    asyncio.run(desk_on(Path(place), addresses[0], addresses[1], wanted))
