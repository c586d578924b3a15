"""How much more may be put to work: in all, in a theme, on the whole desk."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import ADA, BTC, DOGE, ETH, XRP, some_limits
from tests.trading.risk.test_gate import a_book, a_proposal, approved, refusal
from trading.risk.book import Approved
from trading.risk.gate import evaluate
from trading.risk.limits import Limits, Theme
from trading.risk.rooms import in_theme
from trading.types import ZERO, Symbol

D = Decimal
MEME = Theme(name="meme", coins=frozenset({"DOGE", "SHIB"}), max_exposure=D("0.05"))
LAYER = Theme(name="l1", coins=frozenset({"ETH", "ADA", "XRP"}), max_exposure=D("0.10"))
THEMED = some_limits(themes=(MEME, LAYER))
SHIB = Symbol("SHIB", "USDT")


def holding(**exposures: int) -> dict[str, Any]:
    """A book of 10,000 with so much at work in each coin."""
    by_symbol = {Symbol(coin, "USDT"): D(at_work) for coin, at_work in exposures.items()}
    return {"exposure": sum(by_symbol.values(), ZERO), "exposures": by_symbol}


def test_an_entry_is_kept_to_what_its_theme_leaves() -> None:
    answer = approved(a_proposal(symbol=SHIB), a_book(**holding(DOGE=450)), THEMED)
    assert (answer.quantity, answer.notional) == (D("0.5"), D(50))  # 500 of 10,000 in all
    assert answer.reason.endswith("held to 5.00 % in theme meme")


def test_a_full_theme_refuses_and_says_so() -> None:
    full = a_book(**holding(DOGE=500))
    assert refusal(a_proposal(symbol=SHIB), full, THEMED) == (
        "theme meme 5.00 % of 5.00 %, no room left"
    )
    nearly = a_book(**holding(DOGE=495))
    assert refusal(a_proposal(symbol=SHIB), nearly, THEMED) == (
        "theme meme 4.95 % of 5.00 %, room 5.00 is below the minimum 10.00"
    )


def test_what_grew_past_its_theme_leaves_no_room_and_takes_none_away_elsewhere() -> None:
    book = a_book(**holding(DOGE=900))
    assert refusal(a_proposal(symbol=SHIB), book, THEMED).endswith("9.00 % of 5.00 %, no room left")
    assert approved(a_proposal(symbol=BTC), book, THEMED).quantity == D(6)


def test_other_themes_and_coins_without_one_do_not_count() -> None:
    book = a_book(**holding(ETH=990, BTC=2_000))
    assert approved(a_proposal(symbol=DOGE), book, THEMED).notional == D(500)
    assert in_theme(LAYER, book.exposures) == D(990)
    assert in_theme(MEME, book.exposures) == ZERO


def test_of_two_themes_the_narrower_one_holds() -> None:
    both = some_limits(themes=(MEME, Theme(name="dog", coins=MEME.coins, max_exposure=D("0.03"))))
    answer = approved(a_proposal(symbol=DOGE), a_book(), both)
    assert answer.reason.endswith("held to 3.00 % in theme dog")


def test_the_whole_of_a_trader_and_of_the_desk_hold_in_a_theme_too() -> None:
    book = a_book(exposure=D(5_900), exposures={BTC: D(5_900)})
    assert approved(a_proposal(symbol=DOGE), book, THEMED).reason.endswith("60.00 % exposure")
    answer = approved(a_proposal(symbol=DOGE), a_book(desk_room=D(30)), THEMED)
    assert answer.reason.endswith("held to the whole desk's exposure")
    assert refusal(a_proposal(symbol=DOGE), a_book(desk_room=D(5)), THEMED) == (
        "the whole desk's exposure, room 5.00 is below the minimum 10.00"
    )
    assert refusal(a_proposal(symbol=DOGE), a_book(desk_room=D(-5)), THEMED) == (
        "the whole desk's exposure, no room left"
    )


@pytest.mark.parametrize("share", ["0", "-1", "NaN", "Infinity"])
def test_a_theme_that_makes_no_sense_opens_no_gate(share: str) -> None:
    wrong = some_limits(themes=(Theme(name="meme", coins=MEME.coins, max_exposure=D(share)),))
    assert refusal(a_proposal(symbol=BTC), a_book(), wrong) == (
        "the limit of theme meme is not usable"
    )


@given(st.lists(st.sampled_from([BTC, ETH, XRP, ADA, DOGE, SHIB]), max_size=30))
def test_however_wishes_come_no_theme_holds_more_than_it_may(wishes: list[Symbol]) -> None:
    limits = Limits(
        max_positions=50, max_exposure=D(1), max_position=D("0.04"), themes=(MEME, LAYER)
    )
    at_work: dict[Symbol, Decimal] = {}
    for symbol in wishes:
        book = a_book(exposure=sum(at_work.values(), ZERO), exposures=dict(at_work))
        answer = evaluate(a_proposal(symbol=symbol), book, limits)
        if isinstance(answer, Approved):
            at_work[symbol] = at_work.get(symbol, ZERO) + answer.notional
    for theme in (MEME, LAYER):
        assert in_theme(theme, at_work) <= theme.max_exposure * 10_000
