"""How much more may be put to work: in all, in a theme, in a tier, on the whole desk."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import ADA, BTC, DOGE, ETH, XRP, some_limits
from tests.trading.risk.test_gate import a_book, a_proposal, approved, refusal
from trading.market.universe import CORE, EVENT, ROTATIONAL, Tier
from trading.risk.gate import evaluate
from trading.risk.headroom import in_theme
from trading.risk.limits import Limits, Theme
from trading.risk.snapshot import Approved, Proposal
from trading.types import ZERO, Symbol

D = Decimal
MEME = Theme(name="meme", coins=frozenset({"DOGE", "SHIB"}), max_exposure=D("0.05"))
LAYER = Theme(name="l1", coins=frozenset({"ETH", "ADA", "XRP"}), max_exposure=D("0.10"))
RULES_DESK = some_limits(
    max_positions=8, max_position=D("0.03"), max_exposure=D("0.25"), risk_per_trade=D("0.005")
)
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


@pytest.mark.parametrize("base", ["PEPE", "1000PEPE", "1000000PEPE", "1MPEPE"])
def test_a_coin_that_is_listed_by_the_thousand_is_in_its_theme(base: str) -> None:
    theme = Theme(name="meme", coins=frozenset({"PEPE"}), max_exposure=Decimal("0.05"))
    assert theme.holds(Symbol(base, "USDT"))


@pytest.mark.parametrize("base", ["1000PEPES", "1INCH", "PEPE2"])
def test_a_name_that_only_looks_alike_is_in_no_theme(base: str) -> None:
    theme = Theme(name="meme", coins=frozenset({"PEPE", "INCH"}), max_exposure=Decimal("0.05"))
    assert not theme.holds(Symbol(base, "USDT"))


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
    answer = approved(a_proposal(symbol=DOGE), a_book(desk_headroom=D(30)), THEMED)
    assert answer.reason.endswith("held to the whole desk's exposure")
    assert refusal(a_proposal(symbol=DOGE), a_book(desk_headroom=D(5)), THEMED) == (
        "the whole desk's exposure, room 5.00 is below the minimum 10.00"
    )
    assert refusal(a_proposal(symbol=DOGE), a_book(desk_headroom=D(-5)), THEMED) == (
        "the whole desk's exposure, no room left"
    )


@pytest.mark.parametrize("share", ["0", "-1", "NaN", "Infinity"])
def test_a_theme_that_makes_no_sense_opens_no_gate(share: str) -> None:
    wrong = some_limits(themes=(Theme(name="meme", coins=MEME.coins, max_exposure=D(share)),))
    assert refusal(a_proposal(symbol=BTC), a_book(), wrong) == (
        "the limit of theme meme is not usable"
    )


# -- tiers ------------------------------------------------------------------------------------


def entering(tier: Tier, **changes: Any) -> Proposal:
    """A near stop, so that the loss at it bounds nothing."""
    return a_proposal(**{"tier": tier, "stop": D("99.5"), **changes})


@pytest.mark.parametrize(
    ("tier", "size", "notional", "told"),
    [
        (CORE, "1", 300, "3.00 % of equity per position"),
        (ROTATIONAL, "1", 200, "2.00 % of equity in tier rotational"),
        (EVENT, "1", 70, "0.70 % of equity in tier event"),
        (ROTATIONAL, "1.2", 240, "2.00 % of equity in tier rotational, times 1.2"),
        (ROTATIONAL, "0.25", 50, "2.00 % of equity in tier rotational, times 0.25"),
        (CORE, "0.5", 150, "3.00 % of equity in tier core, times 0.5"),
        (CORE, "1.7280", 300, "3.00 % of equity per position"),
        (ROTATIONAL, "1.7280", 300, "3.00 % of equity per position"),
    ],
)
def test_an_entry_is_as_large_as_its_tier_times_its_other_factors(
    tier: Tier, size: str, notional: int, told: str
) -> None:
    """Up to the largest position; 1.728 is 1.2 each for the rule, a bull market and conviction."""
    answer = approved(entering(tier, size=D(size)), a_book(), RULES_DESK)
    assert answer.notional == D(notional)
    assert answer.reason.endswith(f", held to {told}")


def test_the_loss_at_the_stop_bounds_an_entry_in_every_tier() -> None:
    answer = approved(entering(CORE, stop=D(80)), a_book(), some_limits(max_position=D("0.03")))
    assert (answer.notional, answer.risk) == (D(150), D(30))


def test_a_tier_takes_no_more_than_its_share_of_equity() -> None:
    at_work = {"exposure": D(980), "exposures": {ADA: D(500), XRP: D(450), BTC: D(30)}}
    book = a_book(**at_work, tiers={ADA: 3, XRP: 3, BTC: 1})
    answer = approved(entering(EVENT, symbol=DOGE), book, RULES_DESK)
    assert answer.notional == D(50)  # 10 % of 10,000, less 950
    assert answer.reason.endswith("held to 10.00 % in tier event")
    assert answer.bound == "tier event"
    assert approved(entering(ROTATIONAL, symbol=DOGE), book, RULES_DESK).notional == D(200)


def test_a_full_tier_refuses_and_says_so() -> None:
    book = a_book(exposure=D(1_000), exposures={ADA: D(1_000)}, tiers={ADA: 3})
    assert refusal(entering(EVENT, symbol=DOGE), book, RULES_DESK) == (
        "tier event 10.00 % of 10.00 %, no room left"
    )


def test_what_has_left_the_universe_fills_no_tier_but_counts_in_all() -> None:
    left = a_book(exposure=D(2_450), exposures={ADA: D(2_450)}, tiers={})
    answer = approved(entering(EVENT, symbol=DOGE), left, RULES_DESK)
    assert answer.reason.endswith("held to 25.00 % exposure")


@pytest.mark.parametrize("share", ["0", "-1", "NaN"])
def test_a_tier_that_makes_no_sense_opens_no_gate(share: str) -> None:
    for wrong in (replace(EVENT, base_size=D(share)), replace(EVENT, max_allocation=D(share))):
        assert refusal(entering(wrong), a_book(), RULES_DESK) == (
            "what may be done in tier event is not usable"
        )


def test_a_tier_without_terms_of_its_own_leaves_all_to_the_limits() -> None:
    plain = Tier(number=1, name="liquid", min_volume=D(5_000_000))
    assert approved(entering(plain), a_book(), RULES_DESK).notional == D(300)


# -- always -----------------------------------------------------------------------------------


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
