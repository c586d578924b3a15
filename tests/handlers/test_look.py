"""What the looking commands say, against the texts of MESSAGES.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.commands.history import why_reply
from handlers.commands.positions import position_reply
from handlers.reply import Level
from handlers.texts import status as status_texts
from handlers.texts.history import trades_reply
from handlers.texts.orders import orders_reply
from handlers.texts.positions import positions_reply
from tests import builders
from tests.handlers.fakes import House
from tests.handlers.story import (
    ADA,
    BTC,
    ETH,
    HOLDINGS,
    NOW,
    ORDERS,
    RULES,
    SOL,
    XRP,
    D,
    a_halt,
    at,
    checked,
    lines_of,
    reached,
    reads,
    rules,
    shown,
    the_view,
)
from trading.accounts.views import HoldingView, View
from trading.errors import Refused
from trading.model.halt import Stage, Verb
from trading.ports import FeedState
from trading.risk.cooldown import SymbolRest
from trading.types import LEAVE, ExitReason, OrderRole, OrderStatus, OrderType, PartialExit, Side

STALE_SOL = replace(HOLDINGS[2], stale=True, age=timedelta(seconds=48))


def degraded(**changes: Any) -> View:
    return the_view(
        holdings=(*HOLDINGS[:2], STALE_SOL),
        equity=None,
        open_profit=None,
        today=None,
        drawdown=None,
        known_equity_at=NOW - timedelta(seconds=48),
        **changes,
    )


def halted(verb: Verb = Verb.STOP, **changes: Any) -> View:
    halt = a_halt(
        verb=verb,
        at=NOW - timedelta(seconds=65),
        stages=(reached(Stage.CANCELS_CONFIRMED, note="2/2"),),
    )
    return the_view(halts=(halt,), orders=ORDERS[2:], **changes)


# -- /status ------------------------------------------------------------------------------


def test_status() -> None:
    reads(
        status_texts.one(the_view()),
        """\
Trading (paper), nothing needs you
Equity 9,789.97 USDT, today +1.57 (+0.02 %)
Drawdown -4.39 %, halt at -10.00 %
Open 3 of 5, P&L +15.36:
  BTC long  +5.83  +0.89 %
  ETH long  +2.55  +0.52 %
  SOL long  +6.98  +1.91 %
Resting: 2 entries, 3 protective stops
Scan 11 min ago in 0.04 s, next in 3 min
Feed 1 s, venue: ok
As of 20:41:09 UTC
[Positions] [Stats] [Pause] [Stop] [Refresh: /status]""",
    )


def test_status_of_a_price_that_is_too_old() -> None:
    reply = checked(status_texts.one(degraded()))

    assert lines_of(reply)[:4] == [
        "⚠ Trading (paper), SOL price is 48 s old",
        "No SOL entries until it is back; on paper its stop waits too.",
        "Equity unknown; 9,789.97 USDT 48 s ago",
        "Drawdown unknown, halt at -10.00 %",
    ]
    assert "  SOL long  unknown" in lines_of(reply)
    assert reply.level is Level.URGENT


def test_status_while_halted() -> None:
    reply = checked(
        status_texts.one(halted(open_profit=D("-49.27"), equity=D("9725.34"), today=D("-63.06")))
    )

    told = lines_of(reply)
    assert told[:3] == [
        "■ Halted (paper) 1 min ago by ben",
        "Entries blocked; 2 of 2 cancelled, confirmed.",
        "Open 3, P&L -49.27; 3 protective stops rest; exits go on.",
    ]
    assert "Equity 9,725.34 USDT, today -63.06 (-0.64 %)" in told
    assert told[-1] == "[Positions] [Halts] [Flatten] [Resume]"


def test_status_while_paused_and_while_cancels_are_not_confirmed() -> None:
    paused = checked(status_texts.one(halted(Verb.PAUSE)))
    waiting = checked(status_texts.one(the_view(halts=(a_halt(),))))

    assert paused.title == "‖ Paused (paper) 1\u00a0min ago by ben"
    assert "No new entries; 0 entries may still fill." in paused.lead
    assert "Entries blocked; cancels not confirmed: 2 entries may fill." in waiting.lead


def test_status_while_halted_and_flat_offers_nothing_to_sell() -> None:
    halt = a_halt(stages=(reached(Stage.CANCELS_CONFIRMED),))

    reply = checked(status_texts.one(the_view(halts=(halt,), holdings=(), orders=())))

    assert reply.lead == "Entries blocked; cancels confirmed.\nOpen 0."
    assert [c.label for c in reply.choices] == ["Halts", "Resume"]


@pytest.mark.parametrize(
    ("changes", "title", "line"),
    [
        (
            {"ready": False},
            "… Starting: books are being compared with the venue",
            "Entries wait.",
        ),
        (
            {"ready": False, "delayed": "the book of paper cannot be read: line 1 is bad"},
            "⚠ Not started (paper): its books cannot be compared",
            "The book of paper cannot be read: line 1 is bad. Entries and exits wait; tried on.",
        ),
        (
            {"venue_silent": timedelta(seconds=6)},
            "⚠ Trading (paper), venue silent 6 s",
            "Feed 1 s, venue silent 6 s",
        ),
        (
            {"feed": FeedState.STALE, "price_age": timedelta(seconds=30)},
            "⚠ Trading (paper), feed lost, last price 30 s ago",
            "No entries until the feed is back.",
        ),
        (
            {"unsaved": 12},
            "⚠ Trading (paper), 12 facts not saved yet",
            "What is not saved is kept in memory; trading goes on.",
        ),
        (
            {"rest": "rests until 21:00 after losses in a row"},
            "Trading (paper), entries rest",
            "No entries for now: rests until 21:00 after losses in a row.",
        ),
        (
            {"feed": FeedState.ENDED},
            "Trading (paper), the feed has ended",
            "Feed ended: no more candles; venue: ok",
        ),
        (
            {"replay_speed": 60.0},
            "Trading (paper), nothing needs you",
            "Replay 10 Oct 2025 20:41 UTC, 60x",
        ),
        (
            {"last_cycle": None},
            "Trading (paper), nothing needs you",
            "No scan yet, one every 14 min",
        ),
        (
            {"orders": (replace(ORDERS[0], status=OrderStatus.UNKNOWN),)},
            "⚠ Trading (paper), 1 order unknown",
            "Resting: 1 entry, 0 protective stops",
        ),
        (
            {"holdings": (), "open_profit": D("0")},
            "Trading (paper), nothing needs you",
            "Open 0 of 5",
        ),
        ({"orders": ()}, "Trading (paper), nothing needs you", "Resting: nothing"),
    ],
)
def test_status_says_what_is_not_as_usual(changes: dict[str, Any], title: str, line: str) -> None:
    told = lines_of(checked(status_texts.one(the_view(**changes))))

    assert told[0] == title
    assert line in told


def test_status_is_one_screen_with_a_hundred_positions_and_everything_wrong() -> None:
    many = the_view(
        holdings=HOLDINGS * 34,
        unsaved=3,
        replay_speed=60.0,
        rest="rests until 21:00 after losses in a row",
        venue_silent=timedelta(seconds=6),
    )

    reply = checked(status_texts.one(many))

    assert reply.table is not None
    assert reply.table.rows[-1][0].endswith(" more")


def test_status_of_several_traders_is_one_line_each() -> None:
    alts = replace(halted(), name="alts")

    reads(
        status_texts.several((the_view(), alts)),
        """\
⚠ 2 traders (paper), alts needs you
                   open  today %
  alts    halted      3    +0.02
  majors  trading     3    +0.02
Equity 19,579.94 USDT, today +3.14
As of 20:41:09 UTC
[alts: /status trader=alts] [majors: /status trader=majors] [Stop all: /stop] [Refresh: /status]""",
    )


WELL = {"Telegram": "", "Discord": ""}
REFUSED = {"Telegram": "its token is refused", "Discord": ""}
TROUBLED = {
    "Telegram": "another program polls with the same token",
    "Discord": "the connection is lost, tried again",
}


def test_status_names_the_chats_that_are_well() -> None:
    reply = checked(status_texts.one(the_view(), chats=WELL))

    assert reply.title == "Trading (paper), nothing needs you"
    assert "Feed 1 s, venue, Telegram, Discord: ok" in lines_of(reply)


def test_status_says_what_is_wrong_with_a_chat_and_that_it_needs_you() -> None:
    reply = checked(status_texts.one(the_view(), chats=REFUSED))

    assert lines_of(reply)[:2] == [
        "⚠ Trading (paper), Telegram needs you",
        "Telegram: its token is refused",
    ]
    assert "Feed 1 s, venue, Discord: ok" in lines_of(reply)
    assert reply.level is Level.URGENT


def test_status_names_the_chats_beside_a_venue_that_is_silent() -> None:
    silent = the_view(venue_silent=timedelta(seconds=6))

    told = lines_of(checked(status_texts.one(silent, chats=WELL)))

    assert "Feed 1 s, venue silent 6 s; Telegram, Discord: ok" in told


async def test_status_asks_the_process_how_its_chats_do() -> None:
    house = House()
    house.administration.problems = REFUSED

    assert (await house.say("/status")).title == "⚠ Trading (paper), Telegram needs you"


@pytest.mark.parametrize("chats", [{}, WELL, TROUBLED])
@pytest.mark.parametrize("rest", ["", "rests until 21:00 after losses in a row"])
def test_status_of_a_hundred_trades_is_one_screen(chats: dict[str, str], rest: str) -> None:
    hundred = the_view(holdings=(HOLDINGS * 34)[:100], rest=rest)

    reply = checked(status_texts.one(hundred, chats=chats))

    assert reply.table is not None
    shown_rows = len(reply.table.rows) - 1
    assert reply.table.rows[-1][0] == f"{100 - shown_rows} more"
    assert "Positions" in [c.label for c in reply.choices]


def test_status_of_several_counts_what_is_wrong_with_a_chat() -> None:
    both = (the_view(), the_view(name="alts"))

    assert status_texts.several(both, WELL).title == "2 traders (paper), nothing needs you"
    reply = checked(status_texts.several(both, REFUSED))
    assert reply.title == "⚠ 2 traders (paper), Telegram needs you"
    assert reply.lead == "Telegram: its token is refused"
    assert reply.level is Level.URGENT


def test_status_of_several_does_not_say_that_all_is_well_while_one_is_starting() -> None:
    starting = the_view(name="alts", ready=False)

    one = checked(status_texts.several((the_view(), starting)))
    two = checked(status_texts.several((the_view(ready=False), starting)))

    assert one.title == "… 2 traders (paper), alts still compares its books"
    assert two.title == "… 2 traders (paper), 2 still compare their books"


def test_status_of_twenty_traders_is_one_screen() -> None:
    many = tuple(the_view(name=f"trader {n}") for n in range(20))

    checked(status_texts.several(many, TROUBLED))


# -- /positions, /position ----------------------------------------------------------------


def test_positions() -> None:
    reads(
        positions_reply(the_view(), 1),
        """\
3 open, P&L +15.36 USDT before fees
        now USDT    P&L      %
  BTC  117,050.0  +5.83  +0.89
  ETH   4,016.00  +2.55  +0.52
  SOL     207.40  +6.98  +1.91
All long (paper). Prices 1 s old.
[BTC: /position BTC] [ETH: /position ETH] [SOL: /position SOL] [Refresh: /positions]""",
    )


def test_no_positions() -> None:
    reads(positions_reply(the_view(holdings=()), 1), "No open positions (paper)")


def test_positions_say_unknown_never_a_guess() -> None:
    reply = checked(positions_reply(degraded(), 1))

    assert reply.title == "3 open, P&L unknown before fees"
    assert reply.table is not None
    assert reply.table.rows[2] == ("SOL", "unknown", "unknown", "")
    assert "SOL price is 48 s old. Equity was 9,789.97 USDT 48 s ago." in shown(reply)


def test_positions_come_in_pages_of_eight() -> None:
    view = the_view(holdings=HOLDINGS * 4)

    first, second = checked(positions_reply(view, 1)), checked(positions_reply(view, 2))

    assert first.table is not None
    assert second.table is not None
    assert (len(first.table.rows), len(second.table.rows)) == (8, 4)
    assert "[More: /positions 2]" in shown(first)
    with pytest.raises(Refused, match="no page 3"):
        positions_reply(view, 3)


def test_ages_of_a_replay_are_told_in_our_own_seconds() -> None:
    held = replace(HOLDINGS[0], age=timedelta(seconds=60))

    view = the_view(holdings=(held,), replay_speed=60.0, price_age=timedelta(seconds=120))

    assert positions_reply(view, 1).as_of == NOW - timedelta(seconds=1)
    assert "Feed 2 s, venue: ok" in lines_of(status_texts.one(view))


def sol(**changes: Any) -> HoldingView:
    plan = replace(
        HOLDINGS[2].plan,
        target=D("225.28"),
        partials=(PartialExit(share=D("0.25"), price=D("214.40")),),
        deadline=NOW + timedelta(minutes=18, seconds=20),
    )
    return replace(HOLDINGS[2], plan=plan, **changes)


def test_position() -> None:
    reads(
        position_reply(the_view(holdings=(sol(),)), SOL),
        """\
SOL long 1.80 (paper), +6.98 USDT (+1.91 %)
Entry 203.52, 71 min ago; now 207.40, 1 s old
         price  away %  kept by
  stop  187.20   -9.74  venue
  25 %  214.40   +3.38  desk
  rest  225.28   +8.62  desk
At the stop -29.38 USDT. Time limit in 18 min.
[Why: /why SOL] [Close half: /close SOL 50%] [Close: /close SOL]""",
    )


def test_position_without_a_price_or_a_stop() -> None:
    plan = replace(HOLDINGS[2].plan, stop=None, target=D("225.28"))
    held = replace(STALE_SOL, plan=plan, stop_on_venue=False)

    told = lines_of(checked(position_reply(the_view(holdings=(held,)), SOL)))

    assert told[0] == "SOL long 1.80 (paper), P&L unknown"
    assert told[1] == "Entry 203.52, 71 min ago; price unknown, 207.40 48 s ago"
    assert told[3] == "  target  225.28  unknown  desk"
    assert told[4] == "No stop."


def test_position_that_is_not_open() -> None:
    reads(
        position_reply(the_view(), XRP),
        "No open position in XRP (paper)\n[Positions] [Why: /why XRP]",
    )


# -- /orders ------------------------------------------------------------------------------


def test_orders() -> None:
    reads(
        orders_reply(the_view(asked_at=NOW - timedelta(seconds=9)), rules, 1),
        """\
5 resting (paper): 2 entries, 3 stops
  XRP sell     356    2.7500 entry
  ADA sell   1,239    0.7900 entry
  BTC sell 0.00563 110,793.0 stop
  ETH sell  0.1224  3,755.00 stop
  SOL sell    1.80    187.20 stop
Asked 9 s ago.
[Refresh: /orders] [Stop]""",
    )


def test_a_target_that_rests_is_told_as_one() -> None:
    target = replace(ORDERS[4], type=OrderType.TARGET, stop_price=D("225.28"), price=None)
    view = the_view(orders=(*ORDERS, target), asked_at=NOW - timedelta(seconds=9))

    lines = lines_of(checked(orders_reply(view, rules, 1)))
    assert lines[0] == "6 resting (paper): 2 entries, 3 stops, 1 target"
    assert "  SOL sell    1.80    225.28 goal" in lines
    assert "Resting: 2 entries, 3 stops, 1 target" in lines_of(checked(status_texts.one(view)))


def test_position_tells_who_keeps_its_target() -> None:
    plan = replace(HOLDINGS[2].plan, target=D("225.28"))
    for on_venue, keeper in ((True, "venue"), (False, "desk")):
        held = replace(HOLDINGS[2], plan=plan, target_on_venue=on_venue)
        reply = position_reply(the_view(holdings=(held,)), SOL)
        (line,) = [one for one in lines_of(checked(reply)) if "target" in one]
        assert line.endswith(keeper)


def test_no_orders_and_a_silent_venue() -> None:
    view = the_view(orders=(), venue_silent=timedelta(seconds=6))

    reads(
        orders_reply(view, rules, 1),
        """\
No resting orders (paper)
By the desk's own books: venue silent 6 s.
[Refresh: /orders] [Stop]""",
    )


def test_what_is_on_its_way_does_not_rest_yet() -> None:
    leaving = replace(ORDERS[-1], status=OrderStatus.INTENT)

    reply = checked(orders_reply(the_view(orders=(leaving,)), rules, 1))

    assert reply.title == "0 resting (paper): 1 on the way"
    assert any(line.endswith(" stop…") for line in lines_of(reply))

    reply = checked(orders_reply(the_view(orders=(leaving, *ORDERS)), rules, 1))
    assert reply.title == "5 resting (paper): 2 entries, 3 stops, 1 on the way"


def test_an_unknown_order_is_marked() -> None:
    doubtful = replace(ORDERS[0], status=OrderStatus.UNKNOWN, role=OrderRole.EXIT, price=None)

    reply = checked(orders_reply(the_view(orders=(doubtful, *ORDERS)), rules, 1))

    assert reply.title == "6 resting (paper): 2 entries, 3 stops, 1 exit, 1 unknown"
    assert "  XRP sell     356    market exit?" in lines_of(reply)
    assert reply.level is Level.URGENT


def test_many_orders_come_in_pages() -> None:
    reply = checked(orders_reply(the_view(orders=ORDERS * 3), rules, 1))

    assert "[More: /orders 2]" in shown(reply)
    with pytest.raises(Refused, match="no page 3"):
        orders_reply(the_view(orders=ORDERS * 3), rules, 3)


# -- /trades, /why ------------------------------------------------------------------------

TRADES = [
    builders.a_trade(symbol=s, side=side, reason=r, profit=D(p), closed_at=at(t))
    for t, s, side, r, p in [
        ("18:45", BTC, Side.BUY, ExitReason.TIME, "-14.26"),
        ("15:38", SOL, Side.SELL, ExitReason.TARGET, "33.27"),
        ("14:51", ETH, Side.BUY, ExitReason.STOP, "-32.05"),
        ("13:00", ADA, Side.BUY, ExitReason.STOP, "-1"),
    ]
]


def test_trades() -> None:
    reads(
        trades_reply(the_view(), TRADES, 3, 1),
        """\
Last 3 trades: -13.04 USDT after fees
  UTC
  18:45 BTC long  time    -14.26
  15:38 SOL short target  +33.27
  14:51 ETH long  stop    -32.05
[Older: /trades 3 2]""",
    )


def test_trades_one_none_and_past_the_end() -> None:
    assert trades_reply(the_view(), TRADES[:1], 3, 1).title.startswith("Last 1 trade: -14.26")
    assert checked(trades_reply(the_view(), [], 5, 1)).title == "No trades yet (paper)"
    assert trades_reply(the_view(), [], 5, 9).title == "No trades on page 9 (paper)"
    assert trades_reply(the_view(), TRADES[:2], 3, 2).title.startswith("2 trades, page 2: +19.01")


SOL_DECISION = builders.a_decision(
    symbol=SOL,
    bar=at("19:30"),
    at=at("19:30"),
    quantity=D("1.8"),
    risk=D("29.38"),
    reason="within all limits",
)


def test_why() -> None:
    reads(
        why_reply(the_view(), RULES[SOL], SOL, [SOL_DECISION]),
        """\
SOL: last decision
19:30 long approved: EMA 12 crossed above 48, confidence 62. Size 1.80 risks 29.38 USDT (0.30 %).
[Older: /why SOL 5]""",
    )


def test_why_tells_a_rest_that_is_not_over_once() -> None:
    until = NOW + timedelta(hours=1, seconds=51)
    rest = SymbolRest(symbol=SOL, until=until, after="after a loss")
    view, told = the_view(symbol_rests=(rest,)), "SOL rests until 21:42 after a loss"

    assert lines_of(checked(why_reply(view, RULES[SOL], SOL, [SOL_DECISION])))[-2] == f"{told}."
    assert lines_of(checked(why_reply(view, RULES[SOL], SOL, [])))[-1] == f"{told}."
    refused = replace(SOL_DECISION, approved=False, reason=told)
    assert shown(checked(why_reply(view, RULES[SOL], SOL, [refused]))).count(told) == 1
    assert "rests" not in shown(why_reply(view, RULES[BTC], BTC, []))


def test_why_it_was_left() -> None:
    left = replace(
        SOL_DECISION, id=f"majors|SOL/USDT|2025{LEAVE}", reason="closed", risk=D("0"),
        signal="confidence fell from 80 to 59", confidence=0,
    )  # fmt: skip
    told = checked(why_reply(the_view(), RULES[SOL], SOL, [left]))
    assert lines_of(told)[1] == "19:30 long closed: Confidence fell from 80 to 59."
    failed = replace(left, approved=False, reason="connection refused")
    told = checked(why_reply(the_view(), RULES[SOL], SOL, [failed]))
    assert lines_of(told)[1] == (
        "19:30 long not closed: Connection refused. It was to be: Confidence fell from 80 to 59."
    )
    both = checked(why_reply(the_view(), RULES[SOL], SOL, [left, SOL_DECISION]))
    assert lines_of(both)[1] == "19:30 long closed: Confidence fell from 80 to 59."


def test_why_not() -> None:
    refused = replace(
        SOL_DECISION, approved=False, reason="exposure would be 62.10 %, limit 60.00 %"
    )

    one = checked(why_reply(the_view(), RULES[SOL], SOL, [refused]))
    five = checked(why_reply(the_view(), RULES[SOL], SOL, [refused, SOL_DECISION] * 2))

    assert one.text == (
        "19:30 long refused: Exposure would be 62.10 %, limit 60.00 %. "
        "The signal was: EMA 12 crossed above 48, confidence 62."
    )
    assert five.title == "SOL: last 4 decisions"
    assert five.text.split("\n")[1] == "19:30 long approved: EMA 12 crossed above 48"
    assert checked(why_reply(the_view(), RULES[SOL], SOL, [])).title == (
        "No decisions on SOL yet (paper)"
    )
