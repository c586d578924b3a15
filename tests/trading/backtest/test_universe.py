"""The universe of a backtest, made in one pass, is the one that a desk finds survey by survey."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.memory import MemoryStore
from tests.builders import ADA, BTC, ETH, XRP
from trading.accounts.recorder import Recorder
from trading.backtest.universe import ForeseenUniverse
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.context.trader import TraderContext
from trading.cycle.universe import ScannedUniverse
from trading.market.candle_scan import CandleScan, day_volumes
from trading.market.candles import Candles
from trading.market.universe import CORE, ROTATIONAL, Universe, UniversePlan
from trading.types import Mode, Symbol

D = Decimal
SYMBOLS = (BTC, ETH, XRP, ADA, Symbol("USDC", "USDT"))
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LEAST, MORE = D("99.5"), D(240)


@st.composite
def markets(draw: st.DrawFn) -> tuple[Candles, timedelta]:
    """Bars that trade much, little or not at all for a while, some missing, some columns, too."""
    step = timedelta(hours=draw(st.sampled_from([1, 4, 5, 24])))
    bars = draw(st.integers(1, 90))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    stretch = draw(st.integers(1, 40))
    shape = (len(SYMBOLS), bars)
    level = chance.choice([0.0, 1.0, 3.0, 9.0, 30.0], (len(SYMBOLS), bars // stretch + 1))
    volume = np.repeat(level, stretch, axis=1)[:, :bars] * chance.uniform(0.9, 1.1, shape)
    close = chance.uniform(0.5, 2.0, shape)
    if draw(st.booleans()):  # days that come within a unit of what a tier asks for
        close, volume = np.ones(shape), chance.choice([99.4, 99.5, 99.6, 239.5, 240.4], shape)
        volume /= max(1, timedelta(days=1) // step)
    missing = chance.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.3]))
    close[missing] = volume[missing] = np.nan
    times = np.arange(1, bars + 1, dtype=np.int64) * (step // timedelta(milliseconds=1))
    there = chance.random(bars) >= draw(st.sampled_from([0.0, 0.1]))
    there[-1] = True
    close, volume = close[:, there], volume[:, there]
    return Candles(
        symbols=SYMBOLS, times=(times + int(BEGIN.timestamp() * 1000))[there],
        open=close, high=close, low=close, close=close, volume=volume,
    ), step  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> UniversePlan:
    tiers = (
        replace(CORE, bases=frozenset({"BTC", "ETH"}), min_volume=MORE),
        replace(ROTATIONAL, min_volume=LEAST),
    )
    universe = Universe(
        tiers=tiers,
        cycles=draw(st.integers(1, 4)),
        most=draw(st.sampled_from([None, 2, 5])),
        never=frozenset(draw(st.sets(st.sampled_from(["ADA", "XRP"])))),
    )
    hours = st.sampled_from([0.5, 1.0, 3.0, 24.0])
    return UniversePlan(
        empty=universe,
        listed=(BTC,),
        every=timedelta(hours=draw(hours)),
        max_age=timedelta(hours=draw(hours)),
    )


def shown(candles: Candles, until: datetime, bars: int) -> Candles:
    ended = int((candles.times <= until.timestamp() * 1000).sum())
    return candles.upto(ended).last(bars)


@settings(max_examples=40, deadline=None)
@given(market=markets(), plan=plans(), data=st.data())
async def test_every_bar_finds_the_universe_of_a_desk_that_takes_every_survey(
    market: tuple[Candles, timedelta], plan: UniversePlan, data: st.DataObject
) -> None:
    candles, step = market
    closes = [datetime.fromtimestamp(time / 1000, UTC) for time in candles.times.tolist()]
    clock = ManualClock(closes[0])
    store = MemoryStore(clock=clock)
    recorder = Recorder(
        store=store, bus=Bus(), clock=clock, announce=lambda event: (), offer=lambda alerts: None
    )
    given_: dict[str, Any] = {
        "context": TraderContext(name="scanner", mode=Mode.PAPER, clock=clock),
        "plan": plan, "store": store, "recorder": recorder, "market": clock.now,
    }  # fmt: skip
    desk = ScannedUniverse(
        scanner=CandleScan(lambda until, bars: shown(candles, until, bars), step), **given_
    )
    foreseen = ForeseenUniverse(candles=candles, timeframe=step, **given_)
    for each in (foreseen, desk):
        await each.load(closes[0])

    looked_at = data.draw(st.sets(st.sampled_from(closes), min_size=1))
    for close in sorted(looked_at):
        clock.advance((close - clock.now()).total_seconds())
        for each in (foreseen, desk):
            await each.refresh(close)
        assert foreseen.found == desk.found
        for symbol in SYMBOLS:
            assert foreseen.objection(symbol, close) == desk.objection(symbol, close)
            assert foreseen.terms(symbol) == desk.terms(symbol)


@given(market=markets())
def test_a_day_adds_up_to_the_same_digits_whatever_else_is_asked(
    market: tuple[Candles, timedelta],
) -> None:
    candles, step = market
    moments = np.arange(candles.times[0] - 1, candles.times[-1] + 1, 1_800_000, dtype=np.int64)
    whole = day_volumes(candles, moments, step)
    for number in range(0, moments.size, 7):
        at = datetime.fromtimestamp(int(moments[number]) / 1000, UTC)
        seen = shown(candles, at, max(1, timedelta(days=1) // step))
        alone = day_volumes(seen, moments[number : number + 1], step)
        assert alone.scan(0, at) == whole.scan(number, at)
        np.testing.assert_array_equal(alone.volume[:, 0], whole.volume[:, number])
