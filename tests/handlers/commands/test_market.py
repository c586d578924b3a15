"""Prices, scans on demand, the traders and their strategies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.reply import Level, Outcome
from handlers.texts.desk import strategies_reply, traders_reply
from handlers.texts.market import price_reply, scan_reply
from tests import builders
from tests.handlers.fakes import CLEO, House
from tests.handlers.story import (
    BTC,
    NOW,
    RULES,
    SOL,
    XRP,
    D,
    a_halt,
    checked,
    lines_of,
    reads,
    the_view,
)
from trading.accounts.views import Cycle, Price, Scan
from trading.model.halt import Verb
from trading.ports import FeedState
from trading.risk.cooldown import SymbolRest
from trading.types import Mode, Side


def price_of(**changes: Any) -> Price:
    quote = builders.a_quote(symbol=BTC, price=D("117050"), at=NOW - timedelta(seconds=1))
    price = builders.a_price(symbol=BTC, rules=RULES[BTC], quote=quote, day_open=D("115662.1"))
    return replace(price, **changes)


async def test_price(house: House) -> None:
    house.trader.prices[BTC] = price_of()

    reads(
        await house.say("/price BTC", CLEO),
        """\
BTC 117,050.0 USDT (paper)
Price 1 s old. Today +1.20 %, from 115,662.1.
[Position: /position BTC] [Why: /why BTC] [Refresh: /price BTC]""",
    )


def test_a_price_that_is_not_held_has_no_position_button() -> None:
    other = price_of(symbol=XRP, rules=RULES[XRP], day_open=None)

    reply = checked(price_reply(the_view(), other))

    assert [c.label for c in reply.choices] == ["Why", "Refresh"]
    assert reply.text == "Price {age}. Today unknown."


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        (
            {"quote": None, "age": None, "stale": True},
            "⚠ No price of BTC yet (paper)",
            "No entry is made without one.",
        ),
        (
            {"stale": True, "age": timedelta(minutes=4)},
            "⚠ BTC price unknown (paper)",
            "Last 117,050.0, 4\u00a0min ago. No entry is made on it.",
        ),
    ],
)
def test_a_price_that_is_not_believed_is_unknown(
    changes: dict[str, Any], title: str, text: str
) -> None:
    reply = checked(price_reply(the_view(), price_of(**changes)))

    assert (reply.title, reply.text, reply.level) == (title, text, Level.URGENT)


def test_the_age_of_a_replayed_price_is_told_in_our_own_time() -> None:
    reply = price_reply(the_view(replay_speed=60.0), price_of(age=timedelta(seconds=60)))

    assert reply.as_of == NOW - timedelta(seconds=1)


async def test_a_symbol_that_is_not_traded_here(house: House) -> None:
    reply = await house.say("/price LTC")

    assert reply.title.startswith("✕ LTC is not traded here")
    assert reply.outcome is Outcome.REFUSED


# -- /scan --------------------------------------------------------------------------------

APPROVED = builders.a_decision(symbol=SOL, reason="size 1.80 risks 29.38 USDT (0.30 %)")
REFUSED = builders.a_decision(
    symbol=XRP, side=Side.SELL, approved=False, reason="exposure 60.00 % of 60.00 %, no room left"
)

BOOKS = "3 open, 6 trades today, equity 9,789.97 USDT."

RESTS = (
    SymbolRest(symbol=SOL, until=NOW.replace(minute=41, hour=21, second=0), after="after its stop"),
    SymbolRest(symbol=XRP, until=NOW.replace(minute=45, hour=21, second=0), after="after a loss"),
)


def found(*decisions: Any, bars: int = 1) -> Scan:
    cycle = Cycle(at=NOW, seconds=0.04, bars=bars, decisions=len(decisions), triggers=4)
    return Scan(cycle=cycle, decisions=decisions)


async def test_scan(house: House) -> None:
    house.trader.scans = found(APPROVED, REFUSED)

    reads(
        await house.say("/scan"),
        """\
✓ Scanned (paper) in 0.04 s: 1 candle, 2 signals
5 symbols, 4 triggers, 2 proposals; 3 open, 6 trades today, equity 9,789.97 USDT.
SOL long approved: Size 1.80 risks 29.38 USDT (0.30 %).
XRP short refused: Exposure 60.00 % of 60.00 %, no room left.
Next in 14 min.
[Why SOL: /why SOL] [Status] [Positions]""",
    )
    assert house.trader.asked == [("scan",)]


@pytest.mark.parametrize(
    ("scan", "view", "told"),
    [
        (
            found(),
            the_view(),
            [
                "✓ Scanned (paper) in 0.04 s: 1 candle, no signal",
                f"5 symbols, 4 triggers, 0 proposals; {BOOKS}",
                "Next in 14 min.",
            ],
        ),
        (
            found(),
            the_view(rest="rests until 13:20 after 3 losses in a row"),
            [
                "✓ Scanned (paper) in 0.04 s: 1 candle, no signal",
                f"5 symbols, 4 triggers, 0 proposals; {BOOKS}",
                "No entries for now: rests until 13:20 after 3 losses in a row.",
            ],
        ),
        (
            found(),
            the_view(symbol_rests=RESTS),
            [
                "✓ Scanned (paper) in 0.04 s: 1 candle, no signal",
                f"5 symbols, 4 triggers, 0 proposals; {BOOKS}",
                "SOL rests until 21:41 after its stop; 1 other for longer.",
                "Next in 14 min.",
            ],
        ),
        (found(bars=0), the_view(), ["✓ Scanned (paper) in 0.04 s: no new candle"]),
        (
            found(bars=0),
            the_view(last_look=found(APPROVED).cycle),
            [
                "✓ Scanned (paper) in 0.04 s: no new candle",
                f"5 symbols; at the last candle 4 triggers, 1 proposal; {BOOKS}",
            ],
        ),
        (
            found(bars=0),
            the_view(feed=FeedState.ENDED),
            [
                "✓ Scanned (paper) in 0.04 s: no new candle",
                f"5 symbols; {BOOKS}",
                "The feed has ended: nothing new follows.",
            ],
        ),
        (
            found(),
            the_view(halts=(a_halt(),)),
            [
                "✓ Scanned (paper) in 0.04 s: 1 candle, no signal",
                f"5 symbols, 4 triggers, 0 proposals; {BOOKS}",
                "■ No entries: H17 by ben.",
            ],
        ),
    ],
)
def test_a_scan_that_finds_little_says_why(scan: Scan, view: Any, told: list[str]) -> None:
    assert lines_of(checked(scan_reply(view, scan)))[: len(told)] == told


def test_a_scan_that_finds_much_stays_on_one_screen() -> None:
    reply = checked(scan_reply(the_view(), found(*[REFUSED] * 9)))

    assert "And 6 more; /why SYMBOL tells." in reply.text


def test_a_scan_that_failed_is_not_told_as_done() -> None:
    failed = Scan(
        cycle=None,
        decisions=(),
        problem="no prices: connection refused; exits and stops are tried again",
    )

    reply = scan_reply(the_view(), failed)

    reads(
        reply,
        """\
✕ The scan failed (paper)
No prices: connection refused; exits and stops are tried again.
[Again: /scan] [Status]""",
    )
    assert (reply.outcome, reply.level) == (Outcome.FAILED, Level.URGENT)


async def test_a_viewer_does_not_scan(house: House) -> None:
    reply = await house.say("/scan", CLEO)

    assert reply.title == "✕ /scan needs operator, you are viewer"
    assert house.trader.asked == []


# -- /traders, /strategies ----------------------------------------------------------------


async def test_traders() -> None:
    house = House(the_view(), the_view(name="alts", halts=(a_halt(scope="alts"),)))

    reads(
        await house.say("/traders", CLEO),
        """\
⚠ 2 traders (paper): 19,579.94 USDT, today +3.14
                     equity  today %
  alts    halted   9,789.97    +0.02
  majors  trading  9,789.97    +0.02
[alts: /status trader=alts] [majors: /status trader=majors] [Refresh: /traders]\
""".replace("                     equity  today %", "                   equity today %")
        .replace("  alts    halted   9,789.97    +0.02", "  alts   halted  9,789.97   +0.02")
        .replace("  majors  trading  9,789.97    +0.02", "  majors trading 9,789.97   +0.02"),
    )


def test_traders_of_several_modes_and_one_unknown() -> None:
    live = the_view(name="alts", mode=Mode.LIVE, equity=None, today=None)
    large = the_view(equity=D("1234567.89"), quote="USDT")

    reply = checked(traders_reply([large, live]))

    assert reply.title == "2 traders (paper, live): unknown, today unknown"
    assert reply.table is not None
    assert [row[2] for row in reply.table.rows] == ["1,234,568", "unknown"]
    assert reply.text == "majors (paper) and alts (live)."


def test_many_traders_or_none() -> None:
    many = [the_view(name=f"t{n}") for n in range(12)]
    other = the_view(name="euro", quote="EUR")

    assert checked(traders_reply(many)).text == "And 4 more, quiet."
    assert checked(traders_reply([the_view(), other])).title == "2 traders (paper)"
    assert checked(traders_reply([])).title == "… Starting: no trader is ready yet"
    paused = the_view(halts=(a_halt(verb=Verb.PAUSE),))
    assert checked(traders_reply([paused])).title.startswith("⚠ 1 trader (paper): 9,789.97")


SETTINGS = {"fast": 12, "slow": 48, "short": True}


async def test_strategies(house: House) -> None:
    house.trader.now = the_view(strategy="ema_cross", parameters=SETTINGS)

    reads(
        await house.say("/strategies", CLEO),
        """\
3 strategies, 1 trader (paper)
ema_cross: Long where EMA fast crosses above EMA slow at the close, short where it crosses below.
rules: Buy what the strongest of five triggers and its rule propose, in markets that allow it.
smc: Trade breaks of market structure in the direction of the longer trend.
majors runs ema_cross on 15 min: fast 12, slow 48, short yes
[Traders] [Status]""",
    )


def test_many_strategies_are_clipped_to_one_screen() -> None:
    there = {f"strategy_{n}": "Buys where it is cheap and sells where it is dear." for n in "abcde"}

    reply = checked(strategies_reply(there, [the_view(parameters=SETTINGS)] * 3))

    assert all(name in reply.text for name in there)
