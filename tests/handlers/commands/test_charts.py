"""/chart and /equity: what the picture shows, and the same told in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from handlers.chart import CandleChart, ChartMark, EquityChart, MarkKind, PriceLevel
from handlers.dispatch import Dispatcher
from handlers.format import gain
from handlers.reply import Outcome, Reply, dump, load
from handlers.texts.charts import MARKS, POINTS, Timeframe, candle_chart, possible
from handlers.texts.describe import describe
from storage.memory import MemoryStore
from tests import builders
from tests.handlers.fakes import CLEO, FakeTrader, House
from tests.handlers.story import BTC, ETH, NOW, RULES, SOL, XRP, D, reads, shown, the_view
from trading.accounts.views import Price, View
from trading.events import PeriodEnded
from trading.market.candles import Candles
from trading.ports import Change
from trading.stats.curve import Curve
from trading.types import EquityPoint, Mode, Side, Symbol, Trade

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
LAST_BAR = datetime(2025, 10, 10, 20, 30, tzinfo=UTC)
MIDNIGHT = datetime(2025, 10, 10, tzinfo=UTC)


def bars(
    *closes: float,
    every: timedelta = QUARTER,
    until: datetime = LAST_BAR,
    symbol: Symbol = BTC,
) -> Candles:
    """Candles that open where the one before closed, with a wick of 10 each way."""
    close = np.array([closes], dtype=np.float64)
    opened = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    opened = np.where(np.isnan(opened), close, opened)
    last = int(until.timestamp() * 1000)
    step = int(every.total_seconds() * 1000)
    return Candles(
        symbols=(symbol,),
        times=np.array([last - n * step for n in range(len(closes))][::-1], dtype=np.int64),
        open=opened,
        high=np.fmax(opened, close) + 10,
        low=np.fmin(opened, close) - 10,
        close=close,
        volume=np.where(np.isnan(close), np.nan, 2.0),
    )


@dataclass
class Feed:
    history: Candles
    asked: list[int] = field(default_factory=list)

    def candles(self, until: datetime, count: int) -> Candles:
        self.asked.append(count)
        return self.history.last(count)


A_DAY = [116_017.0 + n * 11 for n in range(96)]


@dataclass
class Watcher(FakeTrader):
    feed: Feed = field(default_factory=lambda: Feed(bars(*A_DAY)))


class Studio(House):
    """A house with candles and a history."""

    def __init__(self, *views: View) -> None:
        super().__init__(*views)
        self.history = MemoryStore(clock=self.clock)
        for name, trader in list(self.desk.traders.items()):
            self.desk.traders[name] = Watcher(trader.now, prices={BTC: price_of()})
        self.services = replace(self.services, store=cast("Any", self.history))
        self.dispatcher = Dispatcher(self.services)

    @property
    def watcher(self) -> Watcher:
        return cast("Watcher", self.trader)


def price_of(**changes: Any) -> Price:
    quote = builders.a_quote(symbol=BTC, price=D("117050"), at=NOW - timedelta(seconds=1))
    return replace(builders.a_price(symbol=BTC, rules=RULES[BTC], quote=quote), **changes)


def closed(hours: float, profit: str, symbol: Symbol = BTC, **changes: Any) -> Trade:
    """So many hours after the story's midnight; it was held for half an hour."""
    at = MIDNIGHT + timedelta(hours=hours)
    trade = builders.a_trade(
        id=f"o-{hours}",
        symbol=symbol,
        opened_at=at - timedelta(minutes=30),
        closed_at=at,
        entry_price=D("116500"),
        exit_price=D("116600"),
        profit=D(profit),
    )
    return replace(trade, **changes)


def worth(hours: float, equity: str) -> EquityPoint:
    return builders.an_equity_point(at=MIDNIGHT + timedelta(hours=hours), equity=D(equity))


def candles_of(reply: Reply) -> CandleChart:
    assert isinstance(reply.chart, CandleChart)
    return reply.chart


def equity_of(reply: Reply) -> EquityChart:
    assert isinstance(reply.chart, EquityChart)
    return reply.chart


@pytest.fixture
async def studio() -> Studio:
    made = Studio()
    past = (closed(14, "12.20"), closed(16, "-3.10", side=Side.SELL), closed(17, "5", ETH))
    curve = (worth(-24, "9810.00"), worth(0, "9788.40"), worth(15, "9700.10"), worth(20, "9789.97"))
    await made.history.commit(Change(trades=past, equity=curve))
    return made


# -- /chart -------------------------------------------------------------------------------


async def test_chart(studio: Studio) -> None:
    reads(
        await studio.say("/chart BTC", CLEO),
        """\
BTC 117,050.0 USDT (paper), +0.89 % in 24 h
High 117,072.0, low 116,007.0. Candles of 15m to 20:30 UTC.
BTC long from 116,014.5: +5.83 USDT (+0.89 %), stop 110,793.0.
2 trades ended in it, 1 won: +9.10 USDT after fees.
[Position: /position BTC] [1h: /chart BTC 1h] [4h: /chart BTC 4h] [Refresh: /chart BTC 15m]""",
    )


async def test_the_picture_shows_our_entries_and_exits_and_the_plan(studio: Studio) -> None:
    drawn = candles_of(await studio.say("/chart BTC"))

    assert drawn.title == "BTC/USDT 15m"
    assert (len(drawn.times), drawn.times[-1], drawn.decimals) == (96, LAST_BAR, 1)
    assert [(mark.at.hour, mark.kind) for mark in drawn.marks] == [
        (13, MarkKind.LONG),
        (14, MarkKind.WIN),
        (15, MarkKind.SHORT),
        (16, MarkKind.LOSS),
        (19, MarkKind.LONG),
    ]
    assert drawn.levels == (PriceLevel("entry", 116_014.5), PriceLevel("stop", 110_793.0))


async def test_what_happened_before_the_picture_is_not_in_it(studio: Studio) -> None:
    studio.watcher.feed = Feed(bars(*A_DAY[:20]))  # from 15:30 on

    reply = await studio.say("/chart BTC")

    kinds = [mark.kind for mark in candles_of(reply).marks]
    assert kinds == [MarkKind.LOSS, MarkKind.LONG]  # of the short of 15:30 only the end
    assert "1 trade ended in it" in reply.text


def test_candles_are_made_of_whole_ones_and_begin_at_round_times() -> None:
    until = datetime(2025, 10, 10, 20, 7, tzinfo=UTC)
    minutes = bars(*range(100, 123), every=MINUTE, until=until)

    drawn = candle_chart(minutes, BTC, Timeframe.FIVE, RULES[BTC], "UTC")

    assert drawn is not None
    assert [f"{at:%H:%M}" for at in drawn.times] == [
        "19:45", "19:50", "19:55", "20:00", "20:05", "20:07",
    ]  # fmt: skip
    assert drawn.closes == (100, 105, 110, 115, 120, 122)
    assert drawn.opens == (100, 100, 105, 110, 115, 120)
    assert drawn.highs == (110, 115, 120, 125, 130, 132)
    assert drawn.lows == (90, 90, 95, 100, 105, 110)
    assert drawn.volumes == (2, 10, 10, 10, 10, 4)


def test_missing_bars_are_left_out() -> None:
    some = candle_chart(
        bars(100, math.nan, 102, math.nan), BTC, Timeframe.QUARTER, RULES[BTC], "UTC"
    )

    assert some is not None
    assert some.closes == (100, 102)
    none = bars(math.nan, math.nan)
    assert candle_chart(none, BTC, Timeframe.QUARTER, RULES[BTC], "UTC") is None
    assert candle_chart(none, XRP, Timeframe.QUARTER, RULES[XRP], "UTC") is None


async def test_no_more_is_asked_for_than_is_shown(studio: Studio) -> None:
    studio.watcher.feed = Feed(bars(*range(1_000, 3_000)))

    drawn = candles_of(await studio.say("/chart BTC 4h"))

    assert studio.watcher.feed.asked == [97 * 16]
    assert len(drawn.times) == 96


@pytest.mark.parametrize(
    ("base", "there"),
    [
        (timedelta(minutes=1), "1m 5m 15m 1h 4h 1d"),
        (timedelta(minutes=15), "15m 1h 4h 1d"),
        (timedelta(minutes=3), "15m 1h 4h 1d"),
        (timedelta(hours=2), "4h 1d"),
        (timedelta(days=2), ""),
    ],
)
def test_only_coarser_whole_timeframes_can_be_made(base: timedelta, there: str) -> None:
    assert " ".join(possible(base)) == there


async def test_what_cannot_be_made_is_refused_and_what_can_is_offered(studio: Studio) -> None:
    finer = await studio.say("/chart BTC 5m")

    assert finer.outcome is Outcome.REFUSED
    assert shown(finer).split("\n")[0] == "✕ 5m candles cannot be made of those of 15 min"
    assert [c.command for c in finer.choices] == [
        f"/chart BTC {name}" for name in ("15m", "1h", "4h", "1d")
    ]
    unknown = await studio.say("/chart BTC 7m")
    assert unknown.title == "✕ Timeframe is 1m, 5m, 15m, 1h, 4h or 1d, not 7m"
    studio.watcher.now = the_view(timeframe=timedelta(days=2))
    assert (await studio.say("/chart BTC")).title == (
        "✕ No chart can be made of candles of 2\u00a0d"
    )


async def test_a_price_that_is_not_believed_is_unknown_whatever_the_candles_say(
    studio: Studio,
) -> None:
    studio.watcher.prices[BTC] = price_of(stale=True, age=timedelta(minutes=4))

    reply = await studio.say("/chart BTC")

    assert reply.title == "⚠ BTC price unknown (paper)"
    assert "Last price 117,050.0, 4\u00a0min ago." in reply.text
    studio.watcher.prices[BTC] = price_of(stale=True, quote=None, age=None)
    assert "No entry is made without a price." in (await studio.say("/chart BTC")).text


async def test_a_symbol_without_candles_has_no_picture(studio: Studio) -> None:
    studio.watcher.feed = Feed(bars(math.nan))

    reads(
        await studio.say("/chart BTC"),
        """\
⚠ No candles of BTC yet (paper)
[Price: /price BTC] [Refresh: /chart BTC 15m]""",
    )


async def test_with_several_traders_the_buttons_name_theirs() -> None:
    studio = Studio(the_view(), the_view(name="alts"))

    reply = await studio.say("/chart BTC 1h trader=alts")

    assert reply.title.startswith("alts: BTC 117,050.0")
    assert [c.command for c in reply.choices][1] == "/chart BTC 15m trader=alts"


async def test_a_replayed_chart_names_the_day(studio: Studio) -> None:
    studio.watcher.now = the_view(replay_speed=60.0)

    assert "to 10 Oct 2025 20:30\u00a0UTC." in (await studio.say("/chart BTC")).text


# -- /equity ------------------------------------------------------------------------------


async def test_equity(studio: Studio) -> None:
    reads(
        await studio.say("/equity day", CLEO),
        """\
Today: +1.57 USDT (+0.02 %), equity 9,789.97 (paper)
Highest 9,789.97, lowest 9,700.10, start 9,788.40.
Below its highest: worst -0.90 %, now 0.00 %. Drawdown -4.39 %.
3 trades, 2 won, +14.10 after fees.
[Week: /equity week] [Month: /equity month] [All: /equity all] [Stats: /stats day] \
[Refresh: /equity day]""",
    )


async def test_the_curve_has_its_drawdown_and_the_trades_that_ended(studio: Studio) -> None:
    drawn = equity_of(await studio.say("/equity day"))

    assert drawn.title == "Equity, today"
    assert drawn.equity == (9_788.40, 9_700.10, 9_789.97, 9_789.97)
    assert drawn.times[-1] == NOW  # what is known now
    assert drawn.drawdown == pytest.approx((0, -0.009021, 0, 0), abs=1e-6)
    assert [mark.kind for mark in drawn.marks] == [MarkKind.WIN, MarkKind.LOSS, MarkKind.WIN]
    assert drawn.marks[1].value == 9_700.10


async def test_equity_of_other_spans(studio: Studio) -> None:
    month, ever = await studio.say("/equity"), await studio.say("/equity all")

    assert month.title.startswith("30 days: -20.03")
    assert len(equity_of(month).times) == 5
    assert equity_of(ever).equity == equity_of(month).equity
    assert ever.title.startswith("All time: -20.03")


async def test_an_unknown_equity_is_unknown_and_its_last_value_is_told(studio: Studio) -> None:
    seen = NOW - timedelta(seconds=48)
    studio.watcher.now = the_view(equity=None, known_equity_at=seen)

    reply = await studio.say("/equity day")

    assert reply.title == "Today: unknown, equity unknown (paper)"
    assert reply.text.startswith("Equity was 9,789.97\u00a0USDT 48\u00a0s ago.")
    assert equity_of(reply).times[-1] == MIDNIGHT + timedelta(hours=20)


@pytest.mark.parametrize("period", ["day", "week", "month", "all"])
async def test_before_a_bar_has_closed_it_begins_with_what_the_day_began_with(period: str) -> None:
    """As /status measures it: what was lost since is no flat line."""
    view = the_view()
    studio = Studio(view)

    reply = await studio.say(f"/equity {period}")

    assert view.equity is not None
    assert gain(view.equity - view.day_start) in reply.title
    assert equity_of(reply).equity == (float(view.day_start), float(view.equity))


async def test_nothing_read_yet() -> None:
    studio = Studio(the_view(equity=None))

    reply = await studio.say("/equity week")

    assert reply.title == "No equity was read in 7 days (paper)"
    assert reply.chart is None


async def test_a_long_history_is_thinned_and_only_the_largest_trades_are_marked() -> None:
    studio = Studio()
    minutes = tuple(worth(n / 60, str(10_000 + n % 37)) for n in range(1_200))
    many = tuple(closed(n / 60, str(n)) for n in range(1, 500))
    await studio.history.commit(Change(equity=minutes, trades=many))

    reply = await studio.say("/equity day")

    drawn = equity_of(reply)
    assert len(drawn.times) <= POINTS
    assert len(drawn.marks) == MARKS
    assert drawn.marks[0].at == MIDNIGHT + timedelta(minutes=500 - MARKS)
    assert "Marked: the 40 largest." in reply.text
    assert "499 trades" in reply.text


# -- what carries a chart -----------------------------------------------------------------

CURVE = Curve(times=(MIDNIGHT, NOW), equity=(10_000.0, 9_990.0), drawdown=(0.0, -0.001), zone="UTC")


@pytest.mark.parametrize(
    ("kind", "title"), [("day", "Equity, 10 Oct"), ("week", "Equity, 10-10 Oct")]
)
def test_the_report_of_a_day_and_of_a_week_has_its_picture(kind: str, title: str) -> None:
    ended = PeriodEnded(
        at=NOW, trader="majors", mode=Mode.PAPER, kind=kind, first=NOW.date(), last=NOW.date(),
        profit=D("-10"), start=D("10000"), equity=D("9990"), quote="USDT",
        trades=(closed(14, "-3.10"),), curve=CURVE,
    )  # fmt: skip

    reply = describe(ended)

    assert reply is not None
    drawn = equity_of(reply)
    assert (drawn.title, drawn.equity) == (title, CURVE.equity)
    assert drawn.marks == (ChartMark(MIDNIGHT + timedelta(hours=14), 10_000.0, MarkKind.LOSS),)
    assert load(dump(reply)).chart == drawn
    without = describe(replace(ended, curve=None))
    assert without is not None
    assert (without.chart, without.title) == (None, reply.title)


def some_candles(**changes: Any) -> CandleChart:
    one = (1.0,)
    chart = CandleChart(
        title="SOL/USDT 15m", times=(NOW,), opens=one, highs=one, lows=one, closes=one,
        volumes=one, decimals=2, zone="UTC",
    )  # fmt: skip
    return replace(chart, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"times": (), "opens": (), "highs": (), "lows": (), "closes": (), "volumes": ()},
        {"closes": (math.nan,)},
        {"highs": (math.inf,)},
        {"lows": (1.0, 2.0)},
        {"levels": (PriceLevel("stop", math.nan),)},
        {"marks": (ChartMark(NOW, math.inf, MarkKind.WIN),)},
    ],
)
def test_a_chart_without_figures_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a chart|one length"):
        some_candles(**changes)


def test_an_equity_without_figures_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="finite"):
        EquityChart(
            title="", quote="USDT", times=(NOW,), equity=(math.nan,), drawdown=(0.0,), zone="UTC"
        )
    assert some_candles(title=str(SOL)).line == (1.0,)
