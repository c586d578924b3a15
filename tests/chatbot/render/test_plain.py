"""The examples of MESSAGES, as a terminal shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatbot.render.plain import line, numbered, plain
from handlers.reply import Choice, Column, Level, Reply, Table

NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)
LEFT = Column(right=False)


def shown(reply: Reply) -> str:
    return plain(reply, now=NOW).replace("\u00a0", " ")


def test_positions() -> None:
    reply = Reply(
        title="3 open, P&L +15.36 USDT before fees",
        table=Table(
            (LEFT, Column("now USDT"), Column("P&L"), Column("%")),
            (
                ("BTC", "117,050.0", "+5.83", "+0.89"),
                ("ETH", "4,016.00", "+2.55", "+0.52"),
                ("SOL", "207.40", "+6.98", "+1.91"),
            ),
        ),
        text="All long (paper). Prices {age}.",
        choices=(Choice("BTC", "/position BTC"), Choice("Refresh", "/positions")),
        as_of=NOW - timedelta(seconds=1),
    )

    assert shown(reply) == (
        "3 open, P&L +15.36 USDT before fees\n"
        "        now USDT    P&L      %\n"
        "  BTC  117,050.0  +5.83  +0.89\n"
        "  ETH   4,016.00  +2.55  +0.52\n"
        "  SOL     207.40  +6.98  +1.91\n"
        "All long (paper). Prices 1 s old.\n"
        "  BTC: /position BTC\n"
        "  Refresh: /positions"
    )


def test_a_position_has_a_column_of_words_on_the_right() -> None:
    reply = Reply(
        title="SOL long 1.80 (paper), +6.98 USDT (+1.91 %)",
        lead="Entry 203.52, 71 min ago; now 207.40, {age}",
        table=Table(
            (LEFT, Column("price"), Column("away %"), Column("kept by", right=False)),
            (
                ("stop", "187.20", "-9.74", "venue"),
                ("25 %", "214.40", "+3.38", "desk"),
                ("rest", "225.28", "+8.62", "desk"),
            ),
        ),
        text="At the stop -29.38 USDT. Time limit in 18 min.",
        as_of=NOW - timedelta(seconds=1),
    )

    assert shown(reply) == (
        "SOL long 1.80 (paper), +6.98 USDT (+1.91 %)\n"
        "Entry 203.52, 71 min ago; now 207.40, 1 s old\n"
        "         price  away %  kept by\n"
        "  stop  187.20   -9.74  venue\n"
        "  25 %  214.40   +3.38  desk\n"
        "  rest  225.28   +8.62  desk\n"
        "At the stop -29.38 USDT. Time limit in 18 min."
    )


def test_orders_stand_closer_and_have_no_header() -> None:
    table = Table(
        (
            LEFT,
            Column(right=False, gap=1),
            Column(gap=1),
            Column(gap=1),
            Column(right=False, gap=1),
        ),
        (
            ("XRP", "sell", "356", "2.7500", "entry"),
            ("ADA", "sell", "1,239", "0.7900", "entry"),
            ("BTC", "sell", "0.00563", "110,793.0", "stop"),
        ),
    )

    assert shown(Reply(title="3 resting (paper)", table=table)) == (
        "3 resting (paper)\n"
        "  XRP sell     356    2.7500 entry\n"
        "  ADA sell   1,239    0.7900 entry\n"
        "  BTC sell 0.00563 110,793.0 stop"
    )


def test_a_header_may_name_one_column_only() -> None:
    table = Table(
        (
            Column("UTC", right=False),
            Column(right=False, gap=1),
            Column(right=False, gap=1),
            Column(right=False, gap=1),
            Column(),
        ),
        (
            ("18:45", "BTC", "long", "time", "-14.26"),
            ("15:38", "SOL", "short", "target", "+33.27"),
        ),
    )

    assert shown(Reply(title="Last 2 trades", table=table)) == (
        "Last 2 trades\n  UTC\n  18:45 BTC long  time    -14.26\n  15:38 SOL short target  +33.27"
    )


def test_a_title_is_enough() -> None:
    assert shown(Reply(title="No open positions (paper)")) == "No open positions (paper)"


def test_an_empty_table_shows_nothing() -> None:
    assert shown(Reply(title="None", table=Table((LEFT, Column()), ()))) == "None"


def test_figures_without_a_time_are_of_unknown_age() -> None:
    assert shown(Reply(title="Equity", text="Prices {age}.")) == "Equity\nPrices of unknown age."


def test_other_braces_stay() -> None:
    assert shown(Reply(title="✕ Refused", text="{price} {age}", as_of=NOW)) == (
        "✕ Refused\n{price} 0 s old"
    )


def test_ages_are_told_in_one_unit() -> None:
    told = [
        shown(Reply(title="", text="{age}", as_of=NOW - timedelta(seconds=seconds))).strip()
        for seconds in (-3, 1.4, 48, 300, 10_000)
    ]

    assert told == ["0 s old", "1 s old", "48 s old", "5 min old", "2 h old"]


def test_a_stranger_cannot_steer_the_terminal() -> None:
    reply = Reply(
        title="✕ Venue refused\x1b[2J LINK",
        text='"Post\ronly\x07 \x9b1m\u202ewould".\nNothing\tis open.',
        choices=(Choice("Why\x1b", "/why LINK"),),
    )

    assert shown(reply) == (
        '✕ Venue refused[2J LINK\n"Postonly 1mwould".\nNothing is open.\n  Why: /why LINK'
    )


def test_without_a_terminal_an_event_is_one_line() -> None:
    reply = Reply(title="Opened SOL long 1.80 at 203.52 (paper)\nand more", text="Stop 187.20")

    assert line(reply, at=NOW) == "20:41:09 INFO Opened SOL long 1.80 at 203.52 (paper) and more"
    urgent = Reply(title="⚠ Feed lost 30 s ago (paper)", level=Level.URGENT)
    assert line(urgent, at=NOW) == "20:41:09 URGENT ⚠ Feed lost 30 s ago (paper)"


def test_buttons_are_numbered_on_one_line() -> None:
    choices = (
        Choice("Positions", "/positions"),
        Choice("Pause", "/pause"),
        Choice("Stop", "/stop"),
    )

    assert numbered(choices) == "1 Positions  2 Pause  3 Stop"
