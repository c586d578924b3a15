from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, ETH, NOON, a_trade, after
from trading.risk.book import RiskBook
from trading.risk.cooldown import Streak, rest, rest_until, streak
from trading.risk.limits import Limits
from trading.types import ZERO, Symbol, Trade

LIMITS = Limits()


def lost(minutes: float) -> Trade:
    return a_trade(id=f"lost {minutes}", closed_at=after(minutes=minutes))


def won(minutes: float) -> Trade:
    return a_trade(id=f"won {minutes}", closed_at=after(minutes=minutes), profit=Decimal(1))


def a_book(counted: Streak, **exits: datetime) -> RiskBook:
    return RiskBook(
        equity=Decimal(10_000),
        exposure=ZERO,
        losses_in_row=counted.losses,
        last_loss_at=counted.last_at,
        last_exit_at={Symbol(base, "USDT"): at for base, at in exits.items()},
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
    book = a_book(Streak(), BTC=after(minutes=-10))
    assert rest(book, LIMITS, BTC, NOON) == "BTC rests until 12:05"
    assert rest(book, LIMITS, ETH, NOON) == ""
    assert rest(book, LIMITS, None, NOON) == ""
    assert rest(book, LIMITS, BTC, after(minutes=5)) == ""


def test_who_waits_until_the_minute_told_waits_long_enough() -> None:
    book = a_book(Streak(), BTC=after(seconds=1))
    assert rest(book, LIMITS, BTC, after(minutes=1)) == "BTC rests until 12:16"


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
