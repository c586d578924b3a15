from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, ETH, NOON, a_trade, after
from trading.risk.cooldown import (
    CountedLosses,
    Streak,
    counted,
    rest,
    rest_until,
    streak,
    symbol_rests,
)
from trading.risk.limits import Limits
from trading.risk.snapshot import RiskSnapshot
from trading.types import ZERO, ExitReason, Trade

LIMITS = Limits()
DAY = timedelta(days=1)


def lost(minutes: float) -> Trade:
    return a_trade(id=f"lost {minutes}", closed_at=after(minutes=minutes))


def won(minutes: float) -> Trade:
    return a_trade(id=f"won {minutes}", closed_at=after(minutes=minutes), profit=Decimal(1))


def a_book(counted: Streak, *last: Trade) -> RiskSnapshot:
    return RiskSnapshot(
        equity=Decimal(10_000),
        exposure=ZERO,
        losses_in_row=counted.losses,
        last_loss_at=counted.last_at,
        last_trades={trade.symbol: trade for trade in last},
    )


def said(trades: list[Trade], minutes: float) -> str:
    now = after(minutes=minutes)
    return rest(a_book(streak(trades, LIMITS, now)), LIMITS, BTC, now)


def test_three_losses_in_a_row_begin_a_rest() -> None:
    trades = [lost(0), lost(10), lost(20)]
    assert said(trades[:2], 20) == ""
    assert said(trades, 20) == "rests until 13:20 after 3 losses in a row"
    assert said(trades, 79.9) == "rests until 13:20 after 3 losses in a row"
    assert said(trades, 80) == ""


def test_a_win_in_between_begins_the_count_anew() -> None:
    assert said([lost(0), lost(10), won(15), lost(20)], 20) == ""


def test_after_the_rest_it_takes_three_new_losses() -> None:
    spent = [lost(0), lost(10), lost(20)]
    assert said([*spent, lost(81)], 81) == ""
    assert said([*spent, lost(81), lost(82)], 82) == ""
    assert said([*spent, lost(81), lost(82), lost(83)], 83) == (
        "rests until 14:23 after 3 losses in a row"
    )


def test_a_loss_during_the_rest_begins_it_anew_and_a_win_does_not_shorten_it() -> None:
    trades = [lost(0), lost(10), lost(20)]
    assert said([*trades, lost(50)], 81) == "rests until 13:50 after 4 losses in a row"
    assert said([*trades, won(50)], 79) == "rests until 13:20 after 3 losses in a row"


def test_what_the_rest_has_spent_is_not_shown_either() -> None:
    trades = [lost(0), lost(10), lost(20)]
    assert streak(trades, LIMITS, after(minutes=20)).losses == 3
    assert streak(trades, LIMITS, after(minutes=80)) == Streak()


def test_a_break_even_trade_is_no_loss() -> None:
    even = a_trade(closed_at=after(minutes=15), profit=ZERO)
    assert said([lost(0), lost(10), even, lost(20)], 20) == ""


def test_a_symbol_rests_after_its_exit_and_only_that_one() -> None:
    book = a_book(Streak(), lost(-10))
    assert rest(book, LIMITS, BTC, NOON) == "BTC rests until 12:05"
    assert rest(book, LIMITS, ETH, NOON) == ""
    assert rest(book, LIMITS, None, NOON) == ""
    assert rest(book, LIMITS, BTC, after(minutes=5)) == ""


def test_who_waits_until_the_minute_told_waits_long_enough() -> None:
    book = a_book(Streak(), lost(1 / 60))
    assert rest(book, LIMITS, BTC, after(minutes=1)) == "BTC rests until 12:16"


KINDS = Limits(
    symbol_rest=timedelta(minutes=15),
    symbol_rest_after_stop=timedelta(hours=2),
    symbol_rest_after_loss=timedelta(hours=1),
    symbol_rest_after_win=timedelta(minutes=30),
)
A_STOP = a_trade(closed_at=NOON)
A_LOSS = a_trade(closed_at=NOON, reason=ExitReason.TIME)
A_WIN = a_trade(closed_at=NOON, reason=ExitReason.TARGET, profit=Decimal(9))
A_TRAILED_WIN = a_trade(closed_at=NOON, reason=ExitReason.TRAIL, profit=Decimal(9))
A_STOP_THAT_WON = a_trade(closed_at=NOON, profit=Decimal(1))
A_DRAW = a_trade(closed_at=NOON, reason=ExitReason.SIGNAL, profit=ZERO)


@pytest.mark.parametrize(
    ("filled", "bar_closes"), [(5, 15), (15, 15), (15.1, 15)], ids=["within", "at", "late"]
)
def test_a_rest_of_nothing_holds_back_only_what_was_decided_before_the_exit(
    filled: float, bar_closes: float
) -> None:
    none = replace(LIMITS, symbol_rest=timedelta(0))
    trade = a_trade(closed_at=after(minutes=filled), rest_from=after(minutes=bar_closes))

    def held_back(minutes: float) -> str:
        now = after(minutes=minutes)
        return rest(a_book(streak([trade], none, now), trade), none, BTC, now)

    assert held_back(0), "the bar before it had closed when it was open still"
    assert not held_back(min(filled, bar_closes)), "a person may at once"
    assert not held_back(15), "and the bar that holds it, as in a backtest"


@pytest.mark.parametrize(
    ("last", "minutes", "told"),
    [
        (A_STOP, 120, "BTC rests until 14:00 after its stop"),
        (A_STOP_THAT_WON, 120, "BTC rests until 14:00 after its stop"),
        (A_LOSS, 60, "BTC rests until 13:00 after a loss"),
        (A_WIN, 30, "BTC rests until 12:30 after a win"),
        (A_TRAILED_WIN, 30, "BTC rests until 12:30 after a win"),
        (A_DRAW, 15, "BTC rests until 12:15"),
    ],
    ids=["stop", "stop that won", "loss", "win", "trailed win", "draw"],
)
def test_a_symbol_rests_by_how_its_last_trade_ended_and_wakes_by_itself(
    last: Trade, minutes: int, told: str
) -> None:
    book = a_book(Streak(), last)
    assert rest(book, KINDS, BTC, NOON) == told
    assert rest(book, KINDS, BTC, after(minutes=minutes, seconds=-1)) == told
    assert rest(book, KINDS, BTC, after(minutes=minutes)) == ""


def test_a_kind_of_its_own_never_shortens_the_rest_after_any_exit() -> None:
    limits = replace(KINDS, symbol_rest=timedelta(minutes=45))
    book = a_book(Streak(), A_WIN)
    assert rest(book, limits, BTC, NOON) == "BTC rests until 12:45"


def test_without_kinds_every_exit_is_alike() -> None:
    for last in (A_STOP, A_LOSS, A_WIN):
        assert rest(a_book(Streak(), last), LIMITS, BTC, NOON) == "BTC rests until 12:15"


def test_a_rest_that_ends_in_days_says_which() -> None:
    days = replace(KINDS, symbol_rest_after_stop=timedelta(days=2), loss_streak_rest=DAY)
    book = a_book(Streak(), A_STOP)
    assert rest(book, days, BTC, NOON) == "BTC rests until 7 Jan 12:00 after its stop"
    spent = a_book(Streak(losses=3, last_at=NOON))
    assert rest(spent, days, None, NOON) == "rests until 6 Jan 12:00 after 3 losses in a row"


def test_those_that_rest_are_listed_and_whose_rest_ends_first_comes_first() -> None:
    last = {t.symbol: t for t in (A_STOP, replace(A_WIN, symbol=ETH))}
    assert [r.symbol for r in symbol_rests(last, KINDS, NOON)] == [ETH, BTC]
    assert [r.symbol for r in symbol_rests(last, KINDS, after(minutes=30))] == [BTC]
    assert symbol_rests(last, KINDS, after(hours=2)) == ()


def test_limits_look_back_as_far_as_their_longest_rest() -> None:
    assert LIMITS.looks_back == timedelta(minutes=15)
    assert KINDS.looks_back == timedelta(hours=2)
    assert replace(KINDS, entries_per_day=120).looks_back == DAY


@given(st.lists(st.tuples(st.integers(0, 600), st.booleans()), max_size=25), st.integers(0, 700))
def test_the_order_in_which_trades_are_told_changes_nothing(
    told: list[tuple[int, bool]], minutes: int
) -> None:
    trades = [won(minute) if win else lost(minute) for minute, win in dict(told).items()]
    now = after(minutes=minutes)
    assert streak(trades, LIMITS, now) == streak(reversed(trades), LIMITS, now)


@given(st.lists(st.integers(1, 90), min_size=3, max_size=25))
def test_a_rest_always_ends(gaps: list[int]) -> None:
    at = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    now = after(minutes=at[-1]) + LIMITS.loss_streak_rest
    counted = streak([lost(minute) for minute in at], LIMITS, now)
    assert rest_until(a_book(counted), LIMITS, now) is None
    assert counted.losses < LIMITS.loss_streak
    assert now - (counted.last_at or now) <= timedelta(minutes=60)


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), max_size=12))
def test_losses_counted_on_are_those_counted_anew(
    closings: list[tuple[int, bool, bool]],
) -> None:
    """Whenever trades come, also two of one bar or late, and whenever old ones are let go."""
    running, trades = CountedLosses(), list[Trade]()
    for minute, wins, forgets in closings:
        trades.insert(0, won(minute) if wins else lost(minute))
        if forgets:
            del trades[len(trades) // 2 + 1 :]
        assert running.of(trades, LIMITS) == counted(trades, LIMITS)
        assert running.of(trades, LIMITS) == counted(trades, LIMITS)
