"""/stats, /performance, /balance, /daily and their kin, against the texts of MESSAGES.md."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from handlers.dispatch import Dispatcher
from handlers.reply import Outcome, Reply
from handlers.texts.figures import (
    Span,
    balance_reply,
    performance_reply,
    periods_reply,
    stats_reply,
)
from handlers.texts.report import PeriodReport
from storage.memory import MemoryStore
from tests import builders
from tests.handlers.fakes import FakeTrader, House
from tests.handlers.story import (
    BTC,
    ETH,
    HOLDINGS,
    NOW,
    SOL,
    D,
    checked,
    lines_of,
    reads,
    shown,
    the_view,
)
from trading.accounts.views import View
from trading.ports import Change
from trading.stats.daybook import DayBook
from trading.stats.ratios import TOO_FEW, Drawdown, Ratio
from trading.stats.summary import Period, Stats
from trading.stats.tally import Tally
from trading.types import EquityPoint, ExitReason, Mode, Symbol, Trade

TODAY = NOW.date()
MIDNIGHT = datetime(2025, 10, 10, tzinfo=UTC)


def a_tally(**changes: Any) -> Tally:
    """The 118 trades of the story's month."""
    tally = Tally(
        trades=118,
        wins=49,
        losses=69,
        won=D("1440.60"),
        lost=D("-1777.24"),
        fees=D("162.40"),
        best=D("58.20"),
        worst=D("-34.90"),
    )
    return replace(tally, **changes)


A_FALL = Drawdown(
    share=0.0481,
    peak_at=NOW - timedelta(days=20),
    trough_at=NOW - timedelta(days=4),
    recovered_at=None,
    lasted=timedelta(days=20),
)


def some_stats(**changes: Any) -> Stats:
    """The month that the story tells of."""
    stats = Stats(
        first=TODAY - timedelta(days=29),
        last=TODAY,
        total=a_tally(),
        symbols={SOL: a_tally(), ETH: a_tally(trades=3, wins=1), BTC: Tally(trades=1)},
        reasons={ExitReason.TARGET: a_tally(), ExitReason.EXTERNAL: Tally(trades=2, wins=2)},
        start=D("10111.25"),
        drawdown=A_FALL,
        returns=29,
        sharpe=Ratio(-1.10),
        sortino=Ratio(-1.42),
        cagr=Ratio(-0.3125),
        calmar=Ratio(-6.5),
    )
    return replace(stats, **changes)


def names(reply: Reply) -> list[str]:
    return [row[0] for row in reply.table.rows] if reply.table else []


# -- /stats -------------------------------------------------------------------------------


def test_stats_of_a_month() -> None:
    reads(
        stats_reply(the_view(), some_stats(), Span.MONTH),
        """\
30 days: -336.64 USDT (-3.33 %) after fees
118 trades, 49 won (41.5 %), profit factor 0.81
Per trade -2.85; win +29.40, loss -25.76
Worst drawdown -4.81 %, Sharpe -1.10, Sortino -1.42
Fees 162.40; best +58.20, worst -34.90
[By symbol: /performance]""",
    )


@pytest.mark.parametrize(
    ("span", "title", "button"),
    [
        (Span.DAY, "Today", "/performance day"),
        (Span.WEEK, "7 days", "/performance week"),
        (Span.ALL, "All time", "/performance all"),
    ],
)
def test_stats_of_other_spans(span: Span, title: str, button: str) -> None:
    reply = checked(stats_reply(the_view(), some_stats(), span))

    assert reply.title.startswith(f"{title}: -336.64")
    assert [c.command for c in reply.choices] == [button]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"sharpe": TOO_FEW, "sortino": TOO_FEW},
            "Worst drawdown -4.81 %, Sharpe too few, Sortino too few",
        ),
        (
            {"sharpe": Ratio(7.5), "sortino": Ratio(None, "infinite")},
            "Worst drawdown -4.81 %, Sharpe 7.50, Sortino infinite",
        ),
        ({"drawdown": None}, "Worst drawdown unknown, Sharpe -1.10, Sortino -1.42"),
        (
            {"drawdown": replace(A_FALL, share=0.0)},
            "Worst drawdown 0.00 %, Sharpe -1.10, Sortino -1.42",
        ),
        ({"start": None}, "30 days: -336.64 USDT (unknown) after fees"),
        (
            {"total": a_tally(trades=2, wins=2, losses=0, lost=D("0"), worst=D("1"))},
            "2 trades, 2 won (100.0 %), profit factor infinite",
        ),
        (
            {"total": a_tally(trades=2, wins=2, losses=0, won=D("8"), lost=D("0"))},
            "Per trade +4.00; win +4.00, no loss",
        ),
        (
            {"total": a_tally(trades=1, wins=0, losses=1, won=D("0"), lost=D("-9"))},
            "Per trade -9.00; no win, loss -9.00",
        ),
        (
            {"total": a_tally(trades=1, wins=0, losses=1, won=D("0"))},
            "1 trade, 0 won (0.0 %), profit factor 0.00",
        ),
        (
            {"total": Tally(trades=1, best=D("0"), worst=D("0"))},
            "1 trade, 0 won (0.0 %), profit factor none",
        ),
    ],
)
def test_stats_say_what_is_not_as_usual(changes: dict[str, Any], line: str) -> None:
    told = lines_of(checked(stats_reply(the_view(), some_stats(**changes), Span.MONTH)))

    assert line in told


@pytest.mark.parametrize(
    ("span", "title"),
    [
        (Span.DAY, "No trades today (paper)"),
        (Span.MONTH, "No trades in 30 days (paper)"),
        (Span.ALL, "No trades yet (paper)"),
    ],
)
def test_stats_without_trades(span: Span, title: str) -> None:
    reply = checked(stats_reply(the_view(), some_stats(total=Tally()), span))

    assert reply.title == title
    assert reply.text == "Worst drawdown -4.81\u00a0%, Sharpe -1.10, Sortino -1.42"


def test_stats_of_a_desk_that_has_seen_nothing_yet() -> None:
    nothing = some_stats(total=Tally(), drawdown=None, sharpe=TOO_FEW)

    reads(stats_reply(the_view(), nothing, Span.ALL), "No trades yet (paper)")


def test_stats_in_the_millions_are_one_screen() -> None:
    rich = a_tally(
        trades=123_456, won=D("987654321.98"), best=D("1234567.89"), worst=D("-1234567.89"),
        fees=D("98765432.10"),
    )  # fmt: skip

    checked(stats_reply(the_view(), some_stats(total=rich, start=D("1000000")), Span.ALL))


# -- /performance -------------------------------------------------------------------------


def test_performance_by_symbol() -> None:
    reads(
        performance_reply(the_view(), some_stats(), Span.MONTH, 1),
        """\
30 days by symbol: -336.64 USDT after fees
       trades  won %      P&L
  SOL     118   41.5  -336.64
  ETH       3   33.3  -336.64
  BTC       1    0.0     0.00
118 trades, 49 won (41.5 %), profit factor 0.81.
[By exit: /performance month 2] [Stats]""",
    )


def test_performance_by_exit_is_the_last_page() -> None:
    reads(
        performance_reply(the_view(), some_stats(), Span.WEEK, 2),
        """\
7 days by exit: -336.64 USDT after fees
           trades  won %      P&L
  target      118   41.5  -336.64
  outside       2  100.0     0.00
118 trades, 49 won (41.5 %), profit factor 0.81.
[By symbol: /performance week] [Stats: /stats week]""",
    )


def test_performance_of_many_symbols_has_pages_of_eight() -> None:
    many = {Symbol(f"S{number}", "USDT"): Tally(trades=number) for number in range(1, 20)}
    stats = some_stats(symbols=many)

    first, third, last = (
        checked(performance_reply(the_view(), stats, Span.ALL, page)) for page in (1, 3, 4)
    )

    assert [c.command for c in first.choices] == [
        "/performance all 2", "/performance all 4", "/stats all",
    ]  # fmt: skip
    assert [c.label for c in third.choices] == ["By exit", "Stats"]
    assert names(third) == ["S17", "S18", "S19"]
    assert "by exit" in last.title


def test_performance_tells_two_symbols_of_one_base_apart() -> None:
    other = Symbol("BTC", "USDC")
    stats = some_stats(symbols={BTC: a_tally(), other: a_tally(), ETH: a_tally()})

    reply = checked(performance_reply(the_view(), stats, Span.MONTH, 1))

    assert names(reply) == ["BTC/USDT", "BTC/USDC", "ETH"]


def test_performance_leaves_out_a_column_rather_than_being_too_wide() -> None:
    rich = a_tally(trades=100_000, won=D("1000000"))
    stats = some_stats(symbols={Symbol("1000SHIBAINU", "USDT"): rich})

    reply = checked(performance_reply(the_view(), stats, Span.MONTH, 1))

    assert reply.table is not None
    assert [c.title for c in reply.table.columns] == ["", "trades", "P&L"]


def test_performance_without_trades() -> None:
    nothing = some_stats(total=Tally(), symbols={}, reasons={})

    reads(
        performance_reply(the_view(), nothing, Span.WEEK, 1), "No trades in 7 days (paper)\n[Stats]"
    )


# -- /balance -----------------------------------------------------------------------------


def test_balance() -> None:
    reads(
        balance_reply(the_view(asked_at=NOW - timedelta(seconds=4))),
        """\
Equity 9,789.97 USDT (paper)
  wallet       9,774.61
  open P&L       +15.36
  margin used  1,508.51
  free         8,281.46
Asked 4 s ago. No deposits today.""",
    )


def test_balance_while_a_price_is_too_old() -> None:
    stale = replace(HOLDINGS[2], stale=True, age=timedelta(seconds=48))

    reads(
        balance_reply(
            the_view(
                holdings=(*HOLDINGS[:2], stale),
                equity=None,
                open_profit=None,
                known_equity_at=NOW - timedelta(seconds=48),
                asked_at=NOW - timedelta(seconds=4),
            )
        ),
        """\
Equity unknown (paper)
  wallet       9,774.61
  open P&L      unknown
  margin used   unknown
  free          unknown
SOL price is 48 s old. Equity was 9,789.97 48 s ago.
Asked 4 s ago. No deposits today.""",
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "By the desk's own books; the venue was not asked yet. No deposits today."),
        (
            {"venue_silent": timedelta(seconds=6), "asked_at": NOW},
            "By the desk's own books: venue silent 6 s. No deposits today.",
        ),
        ({"mode": Mode.LIVE, "asked_at": NOW}, "Asked 0 s ago."),
    ],
)
def test_balance_says_how_it_knows(changes: dict[str, Any], line: str) -> None:
    assert lines_of(checked(balance_reply(the_view(**changes))))[-1] == line


# -- /daily, /weekly, /monthly ------------------------------------------------------------


def a_period(day: date, start: str | None, end: str | None, trades: int, **changes: Any) -> Period:
    period = Period(
        first=day,
        last=day,
        start=None if start is None else D(start),
        end=None if end is None else D(end),
        trades=Tally(trades=trades),
        over=day < TODAY,
    )
    return replace(period, **changes)


DAYS = (
    a_period(TODAY, "9788.40", "9722.84", 6),
    a_period(date(2025, 10, 9), "9810.00", "9788.40", 4),
    a_period(date(2025, 9, 30), "9931.41", "9810.00", 0),
)


def test_daily() -> None:
    reads(
        periods_reply(the_view(), DAYS, "day", UTC),
        """\
3 days: -208.57 USDT (-2.10 %)
              P&L      %  trades
  10 Oct   -65.56  -0.67       6
  9 Oct    -21.60  -0.22       4
  30 Sep  -121.41  -1.22       0
Open P&L included; the first row is not over. Days begin at 00:00 UTC.
[Weekly] [Monthly] [Stats]""",
    )


def test_weekly_names_the_monday() -> None:
    week = a_period(date(2025, 10, 6), "9931.41", "9722.84", 31, last=date(2025, 10, 12))

    told = lines_of(checked(periods_reply(the_view(), [week], "week", ZoneInfo("Europe/Berlin"))))

    assert told == [
        "1 week: -208.57 USDT (-2.10 %)",
        "  week of      P&L      %  trades",
        "  6 Oct    -208.57  -2.10      31",
        "Open P&L included; the first row is not over. Days begin at 00:00 Europe/Berlin.",
        "[Daily] [Monthly] [Stats]",
    ]


def test_monthly_names_the_year_and_fits() -> None:
    rich = a_period(date(2025, 10, 1), "1000000", "1123456.78", 31)

    reply = checked(periods_reply(the_view(), [rich], "month", UTC))

    assert reply.table is not None
    assert reply.table.rows == (("Oct 2025", "+123,456.78", "31"),)


def test_a_replay_says_in_which_year_it_is() -> None:
    view = the_view(replay_speed=60.0, market=datetime(2021, 5, 19, 23, 30, tzinfo=UTC))

    title = checked(periods_reply(view, DAYS, "day", ZoneInfo("Asia/Tokyo"))).title

    assert title == "3 days to 20 May 2021: -208.57\u00a0USDT (-2.10\u00a0%)"


def test_a_day_that_is_unknown_says_so() -> None:
    view = the_view(equity=None, known_equity_at=NOW - timedelta(seconds=48))
    gap = a_period(date(2025, 10, 9), "9810.00", None, 0)

    reads(
        periods_reply(view, (replace(DAYS[0], end=None), gap, DAYS[2]), "day", UTC),
        """\
3 days: unknown (unknown)
              P&L      %  trades
  10 Oct  unknown              6
  9 Oct   unknown              0
  30 Sep  -121.41  -1.22       0
Equity was 9,789.97 48 s ago.
Nothing was read in 1 day; the row above tells the change.
Open P&L included; the first row is not over. Days begin at 00:00 UTC.
[Weekly] [Monthly] [Stats]""",
    )


def test_eight_days_with_everything_unknown_are_one_screen() -> None:
    view = the_view(equity=None, known_equity_at=NOW - timedelta(seconds=48), replay_speed=60.0)
    days = [a_period(TODAY - timedelta(days=n), "9810.00", None, 0) for n in range(8)]

    checked(periods_reply(view, days, "day", ZoneInfo("America/Argentina/Buenos_Aires")))


def test_daily_before_anything_happened() -> None:
    reads(periods_reply(the_view(), [], "day", UTC), "Nothing to tell of yet (paper)")


# -- as they are typed --------------------------------------------------------------------


class Office(House):
    """A house that remembers trades and equity."""

    def __init__(self, *views: View, zone: tzinfo = UTC) -> None:
        super().__init__(*views)
        self.history = MemoryStore(clock=self.clock)
        self.desk.traders = {n: FakeTrader(t.now, zone=zone) for n, t in self.desk.traders.items()}
        self.services = replace(self.services, store=cast("Any", self.history))
        self.dispatcher = Dispatcher(self.services)


def closed(hours: float, profit: str, symbol: Symbol = SOL, **changes: Any) -> Trade:
    """So many hours after the story's midnight."""
    at = MIDNIGHT + timedelta(hours=hours)
    trade = builders.a_trade(
        id=f"o-{hours}", symbol=symbol, closed_at=at, profit=D(profit), fees=D("1.22")
    )
    return replace(trade, **changes)


def worth(hours: float, equity: str) -> EquityPoint:
    return builders.an_equity_point(at=MIDNIGHT + timedelta(hours=hours), equity=D(equity))


A_DAY = (
    closed(14.85, "-32.05", ETH),
    closed(15.63, "33.27", reason=ExitReason.TARGET),
    closed(18.75, "-14.26", BTC, reason=ExitReason.TIME),
)
A_CURVE = (worth(-24, "9810.00"), worth(0, "9788.40"), worth(15, "9700.10"), worth(20, "9789.97"))


@pytest.fixture
async def office() -> Office:
    made = Office()
    await made.history.commit(Change(trades=A_DAY, equity=A_CURVE))
    return made


async def test_stats_as_typed(office: Office) -> None:
    reads(
        await office.say("/stats day"),
        """\
Today: -13.04 USDT (-0.13 %) after fees
3 trades, 1 won (33.3 %), profit factor 0.72
Per trade -4.35; win +33.27, loss -23.16
Worst drawdown -0.90 %, Sharpe too few, Sortino too few
Fees 3.66; best +33.27, worst -32.05
[By symbol: /performance day]""",
    )


async def test_stats_are_of_a_month_if_nothing_is_said(office: Office) -> None:
    assert (await office.say("/stats")).title.startswith("30 days: ")
    assert (await office.say("/performance")).title.startswith("30 days by symbol: ")


async def test_performance_as_typed(office: Office) -> None:
    by_symbol = await office.say("/performance day")

    assert names(by_symbol) == ["SOL", "BTC", "ETH"]
    assert names(await office.press("By exit", by_symbol)) == ["target", "time", "stop"]


async def test_a_page_that_is_not_there(office: Office) -> None:
    reply = await office.say("/performance all 3")

    assert reply.outcome is Outcome.REFUSED
    assert "There is no page 3: 2 pages in all" in shown(reply)


async def test_a_span_that_is_not_there(office: Office) -> None:
    reply = await office.say("/stats year")

    assert "Period is day, week, month or all, not year" in shown(reply)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("/daily 2", "  10 Oct   +1.57  +0.02       3"),
        ("/daily", "  9 Oct   -21.60  -0.22       0"),
        ("/weekly", "  6 Oct    -141.44  -1.42       3"),
        ("/monthly", "  Oct 2025  -20.03  -0.20       3"),
    ],
)
async def test_days_weeks_and_months_as_typed(office: Office, said: str, line: str) -> None:
    assert line in lines_of(await office.say(said))


async def test_today_agrees_with_status(office: Office) -> None:
    status, daily = await office.say("/status"), await office.say("/daily 1")

    assert "today +1.57 (+0.02\u00a0%)" in status.lead
    assert daily.title == "1 day: +1.57\u00a0USDT (+0.02\u00a0%)"


async def test_the_day_is_the_market_s_in_the_zone_of_the_desk() -> None:
    """20:41 UTC is 05:41 of the 11th in Tokyo, and the day began there at 15:00 UTC."""
    office = Office(zone=ZoneInfo("Asia/Tokyo"))
    await office.history.commit(Change(trades=A_DAY, equity=A_CURVE))

    assert "2 trades, " in (await office.say("/stats day")).text
    assert "Days begin at 00:00 Asia/Tokyo." in (await office.say("/daily 1")).text


async def test_a_replay_counts_its_own_days() -> None:
    past = datetime(2021, 5, 19, 12, 0, tzinfo=UTC)
    office = Office(the_view(market=past, replay_speed=60.0))
    trade = closed(0, "5.00", closed_at=past - timedelta(hours=1))
    await office.history.commit(Change(trades=(trade, *A_DAY)))

    assert (await office.say("/stats day")).title.startswith("Today: +5.00")


async def test_several_traders_are_named() -> None:
    office = Office(the_view(), the_view(name="alts"))
    await office.history.commit(Change(trades=A_DAY, equity=A_CURVE))

    for name in ("stats", "performance", "balance", "daily", "weekly", "monthly"):
        asked = await office.say(f"/{name}")
        reply = await office.say(f"/{name} trader=majors")
        is_of_one = name == "performance"
        assert ("Which trader: majors or alts?" in shown(asked)) is is_of_one
        assert {f"/{name} trader=majors", f"/{name} trader=alts"} <= {
            c.command for c in asked.choices
        }
        assert reply.title.startswith("majors: ")
        assert all(c.command.endswith(" trader=majors") for c in reply.choices)


async def test_an_empty_desk_answers_everything() -> None:
    office = Office()

    for said in ("/stats", "/stats all", "/performance", "/daily", "/weekly", "/monthly 8"):
        assert (await office.say(said)).outcome is Outcome.DONE


# -- the report ---------------------------------------------------------------------------


def a_report(span: Span = Span.ALL, **changes: Any) -> PeriodReport:
    book = DayBook.of(A_DAY, A_CURVE, UTC)
    report = PeriodReport.of(
        book, trader="majors", mode=Mode.PAPER, quote="USDT", span=span, last=TODAY
    )
    return replace(report, **changes)


def test_the_report_as_text() -> None:
    assert (
        a_report().as_text().replace("\u00a0", " ")
        == """\
majors (paper), all time: -13.04 USDT (-0.13 %) after fees
3 trades, 1 won (33.3 %), profit factor 0.72
Per trade -4.35; win +33.27, loss -23.16
Fees 3.66; best +33.27, worst -32.05
Worst drawdown -1.12 %, from 9 Oct 2025, 44 h so far
Sharpe too few, Sortino too few, CAGR too few, Calmar too few; from 1 whole day of UTC
By symbol
  SOL  1 trade  1 won  +33.27
  BTC  1 trade  0 won  -14.26
  ETH  1 trade  0 won  -32.05
By exit
  target  1 trade  1 won  +33.27
  time    1 trade  0 won  -14.26
  stop    1 trade  0 won  -32.05"""
    )


def test_the_report_of_a_fall_that_is_over_and_of_yearly_figures() -> None:
    over = replace(A_FALL, recovered_at=NOW)

    text = a_report(stats=some_stats(drawdown=over)).as_text().replace("\u00a0", " ")

    assert "Worst drawdown -4.81 %, from 20 Sep 2025, over after 20 d" in text
    assert "CAGR -31.25 %, Calmar -6.50; from 29 whole days of UTC" in text


def test_the_report_of_nothing() -> None:
    nothing = PeriodReport.of(
        DayBook(zone=UTC),
        trader="majors",
        mode=Mode.PAPER,
        quote="USDT",
        span=Span.WEEK,
        last=TODAY,
    )

    assert nothing.as_text().replace("\u00a0", " ").splitlines() == [
        "majors (paper), 7 days: 0.00 USDT (unknown) after fees",
        "No trades",
        "Worst drawdown unknown",
        "Sharpe too few, Sortino too few, CAGR too few, Calmar too few; from 0 whole days of UTC",
    ]
    assert json.loads(json.dumps(nothing.as_json()))["max_drawdown"] is None


def test_the_report_as_json_keeps_every_digit() -> None:
    exact = replace(A_DAY[1], profit=D("33.270000000000000001"))
    book = DayBook.of([exact], A_CURVE, UTC)
    report = PeriodReport.of(
        book, trader="majors", mode=Mode.PAPER, quote="USDT", span=Span.DAY, last=TODAY
    )

    found = json.loads(json.dumps(report.as_json(), allow_nan=False))

    assert found["profit"] == "33.270000000000000001"
    assert found["equity_at_start"] == "9788.40"
    assert found["profit_factor"] == {"value": None, "why": "infinite"}
    assert found["sharpe"] == {"value": None, "why": "too few"}
    assert (found["first"], found["last"]) == ("2025-10-10", "2025-10-10")
    assert found["by_symbol"]["SOL/USDT"]["wins"] == 1
    assert found["by_exit"]["target"]["trades"] == 1
    assert found["max_drawdown"]["recovered_at"] == "2025-10-10T20:00:00+00:00"
