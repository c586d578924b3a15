from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, ETH, NOON, RULES, a_trade, after, some_limits, some_rules
from trading.risk.gate import evaluate, objection, still_affordable
from trading.risk.limits import Limits
from trading.risk.snapshot import Approved, Proposal, Refusal, RiskSnapshot
from trading.types import ZERO, Side

D = Decimal


def a_proposal(**changes: Any) -> Proposal:
    proposal = Proposal(symbol=BTC, side=Side.BUY, price=D(100), stop=D(95), rules=RULES, at=NOON)
    return replace(proposal, **changes)


def a_book(**changes: Any) -> RiskSnapshot:
    book = RiskSnapshot(equity=D(10_000), exposure=ZERO, price_age=timedelta(seconds=1))
    return replace(book, **changes)


def approved(
    proposal: Proposal | None = None, book: RiskSnapshot | None = None, limits: Limits | None = None
) -> Approved:
    answer = evaluate(proposal or a_proposal(), book or a_book(), limits or Limits())
    assert isinstance(answer, Approved), answer
    return answer


def refusal(
    proposal: Proposal | None = None, book: RiskSnapshot | None = None, limits: Limits | None = None
) -> str:
    answer = evaluate(proposal or a_proposal(), book or a_book(), limits or Limits())
    assert isinstance(answer, Refusal), answer
    return answer.reason


def test_who_is_outside_the_universe_is_not_entered() -> None:
    outside = "outside the universe: volume 3.1 M < 5 M"
    assert refusal(a_proposal(outside=outside)) == outside


def test_who_is_doubted_is_not_entered() -> None:
    assert refusal(a_proposal(doubted="its sources differ")) == "its sources differ"


# -- sizes ------------------------------------------------------------------------------------


def test_the_size_loses_the_risked_share_at_the_stop() -> None:
    answer = approved()
    assert (answer.quantity, answer.risk, answer.notional) == (D(6), D(30), D(600))
    assert answer.reason == "size 6.000 risks 30.00 USDT (0.30 %)"


def test_no_entry_is_larger_than_the_largest_market_order() -> None:
    answer = approved(a_proposal(rules=some_rules(max_quantity=D("2.5"))))
    assert answer.quantity == D("2.5")
    assert answer.reason.endswith("held to the venue's largest market order")


def test_a_cash_account_takes_no_shorts() -> None:
    assert "no shorts on a cash account" in refusal(
        a_proposal(cash=True, side=Side.SELL, stop=D(105))
    )
    assert approved(a_proposal(cash=True)).quantity == D(6)


def test_a_short_is_sized_alike() -> None:
    assert approved(a_proposal(side=Side.SELL, stop=D(105))).quantity == D(6)


def test_the_size_is_rounded_down_to_the_lot() -> None:
    answer = approved(a_proposal(stop=D("95.3"), rules=some_rules(lot=D("0.01"))))
    assert answer.quantity == D("6.38")
    assert answer.risk < D(30)


def test_a_near_stop_is_held_to_the_largest_position() -> None:
    answer = approved(a_proposal(stop=D("99.9")))
    assert answer.notional == D(2000)
    assert answer.reason.endswith("(0.02 %), held to 20.00 % of equity per position")


def test_a_nearly_full_account_gets_what_room_is_left() -> None:
    answer = approved(book=a_book(exposure=D(5_900)))
    assert answer.notional == D(100)
    assert answer.reason.endswith("held to 60.00 % exposure")


# -- refusals ---------------------------------------------------------------------------------

SAID = [
    ({"stop": D(100)}, {}, "stop is on the wrong side"),
    ({"stop": D(101)}, {}, "stop is on the wrong side"),
    ({"side": Side.SELL}, {}, "stop is on the wrong side"),
    ({}, {"equity": None}, "equity is unknown"),
    ({}, {"price_age": None}, "price has no known age"),
    ({}, {"price_age": timedelta(seconds=181)}, "price is 3 min old"),
    ({}, {"price_age": timedelta(minutes=-4)}, "price is 4 min ahead of the clock"),
    ({}, {"open_symbols": frozenset({BTC})}, "BTC is open already"),
    ({}, {"busy_symbols": frozenset({BTC})}, "BTC has an order under way"),
    ({}, {"positions": 3}, "3 of 3 positions open"),
    (
        {},
        {"losses_in_row": 3, "last_loss_at": after(minutes=-40)},
        "rests until 12:20 after 3 losses in a row",
    ),
    ({}, {"last_trades": {BTC: a_trade(closed_at=after(minutes=-10))}}, "BTC rests until 12:05"),
    ({}, {"exposure": D(6_000)}, "exposure 60.00 % of 60.00 %, no room left"),
    ({}, {"exposure": D(6_500)}, "exposure 65.00 % of 60.00 %, no room left"),
    ({}, {"equity": D(300)}, "size 0.180 is worth 18.00, below the minimum 25.00"),
    ({"rules": some_rules(lot=D(10))}, {}, "size is below one lot of 10"),
]


@pytest.mark.parametrize(("proposal", "book", "said"), SAID, ids=[said for _, _, said in SAID])
def test_a_refusal_says_its_one_reason(
    proposal: dict[str, Any], book: dict[str, Any], said: str
) -> None:
    limits = some_limits(min_notional=D(25))
    assert refusal(a_proposal(**proposal), a_book(**book), limits) == said


BEFORE_MONEY = [*SAID[:3], *SAID[4:12]]


@pytest.mark.parametrize(("proposal", "book", "said"), BEFORE_MONEY, ids=str)
def test_what_no_money_could_change_is_said_before_any_is_counted(
    proposal: dict[str, Any], book: dict[str, Any], said: str
) -> None:
    unpriced = a_book(**{**book, "equity": None, "exposure": D("NaN")})
    assert objection(a_proposal(**proposal), unpriced, some_limits()) == said
    assert refusal(a_proposal(**proposal), unpriced, some_limits()) == said


def test_an_account_that_nobody_has_counted_gets_no_entry() -> None:
    assert objection(a_proposal(), a_book(equity=None), Limits()) == ""
    assert refusal(book=a_book(equity=None)) == "equity is unknown"
    assert refusal(book=a_book(exposure=D("NaN"))) == "exposure is unknown"
    assert refusal(book=a_book(desk_objection="the desk is full")) == "the desk is full"


def test_a_refusal_for_want_of_room_gives_the_figures() -> None:
    book = a_book(exposure=D("5987.70"))
    limits = some_limits(min_notional=D(25))
    assert refusal(book=book, limits=limits) == (
        "exposure 59.88 % of 60.00 %, room 12.30 is below the minimum 25.00"
    )


def test_room_for_less_than_a_lot_is_none() -> None:
    book = a_book(exposure=D("5987.70"))
    proposal = a_proposal(rules=some_rules(lot=D("0.5")))
    assert refusal(proposal, book) == (
        "exposure 59.88 % of 60.00 %, room 12.30 is below one lot of 50.00"
    )


def test_a_price_says_its_age_in_seconds() -> None:
    limits = some_limits(max_price_age=timedelta(seconds=30))
    assert refusal(book=a_book(price_age=timedelta(seconds=48)), limits=limits) == (
        "price is 48 s old"
    )


def test_the_venues_minimum_counts_where_it_is_larger_than_ours() -> None:
    proposal = a_proposal(rules=some_rules(min_notional=D(700)))
    assert refusal(proposal) == "size 6.000 is worth 600.00, below the minimum 700.00"


def test_other_symbols_do_not_stand_in_the_way() -> None:
    others = frozenset({ETH})
    book = a_book(
        open_symbols=others,
        busy_symbols=others,
        last_trades={ETH: a_trade(symbol=ETH, closed_at=NOON)},
        positions=2,
    )
    assert approved(book=book).quantity == D(6)


BROKEN = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), ZERO, D(-1)]


@pytest.mark.parametrize("value", BROKEN, ids=str)
@pytest.mark.parametrize("name", ["price", "stop"])
def test_a_price_that_is_none_is_refused(name: str, value: Decimal) -> None:
    assert refusal(a_proposal(**{name: value})) == f"{name} {value} is not usable"


@pytest.mark.parametrize("value", BROKEN, ids=str)
def test_no_equity_no_entry(value: Decimal) -> None:
    assert refusal(book=a_book(equity=value)) == f"equity {value} is not usable"


@pytest.mark.parametrize("value", [D("NaN"), D("Infinity"), D(-1)], ids=str)
def test_an_exposure_that_cannot_be_known_is_refused(value: Decimal) -> None:
    assert refusal(book=a_book(exposure=value)) == "exposure is unknown"


@pytest.mark.parametrize("value", BROKEN, ids=str)
@pytest.mark.parametrize("name", ["lot", "tick"])
def test_rules_that_cannot_be_kept_are_refused(name: str, value: Decimal) -> None:
    assert refusal(a_proposal(rules=some_rules(**{name: value}))) == f"{name} {value} is not usable"


@pytest.mark.parametrize("value", BROKEN, ids=str)
@pytest.mark.parametrize("name", ["risk_per_trade", "max_position", "max_exposure"])
def test_a_broken_limit_does_not_open_the_gate(name: str, value: Decimal) -> None:
    assert refusal(limits=some_limits(**{name: value})) == f"the limit {name} is not usable"


def test_a_broken_minimum_does_not_open_the_gate() -> None:
    rules = some_rules(min_notional=D("NaN"))
    assert refusal(a_proposal(rules=rules)) == "the minimum order is not usable"


# -- whatever the figures ---------------------------------------------------------------------

ANY = st.decimals(allow_nan=True, allow_infinity=True)
PRICE = st.decimals(min_value=D("0.00000001"), max_value=D(1_000_000), places=8)
MONEY = st.decimals(min_value=ZERO, max_value=D(100_000_000), places=8)
SHARE = st.decimals(min_value=D("0.0001"), max_value=D(2), places=4)
LOT = st.sampled_from([D("0.00000001"), D("0.001"), D("0.03"), D(1), D(7), D(1000)])


@st.composite
def questions(draw: st.DrawFn) -> tuple[Proposal, RiskSnapshot, Limits]:
    price, stop = draw(PRICE), draw(PRICE)
    proposal = a_proposal(
        side=Side.BUY if stop < price else Side.SELL,
        price=price,
        stop=stop,
        rules=some_rules(lot=draw(LOT), min_notional=draw(st.sampled_from([ZERO, D(10)]))),
    )
    limits = some_limits(
        risk_per_trade=draw(SHARE), max_position=draw(SHARE), max_exposure=draw(SHARE)
    )
    return proposal, a_book(equity=draw(MONEY), exposure=draw(MONEY)), limits


@given(questions())
def test_what_is_approved_breaks_no_limit(question: tuple[Proposal, RiskSnapshot, Limits]) -> None:
    proposal, book, limits = question
    answer = evaluate(proposal, book, limits)
    if isinstance(answer, Refusal):
        assert answer.reason
        return
    equity = Fraction(book.equity or ZERO)
    quantity, price = Fraction(answer.quantity), Fraction(proposal.price)
    loss = quantity * abs(price - Fraction(proposal.stop))
    assert quantity > 0
    assert quantity % Fraction(proposal.rules.lot) == 0
    assert quantity * price == Fraction(answer.notional)
    assert Fraction(book.exposure) + quantity * price <= Fraction(limits.max_exposure) * equity
    assert quantity * price <= Fraction(limits.max_position) * equity
    assert quantity * price >= Fraction(max(limits.min_notional, proposal.rules.min_notional))
    assert loss == Fraction(answer.risk)
    assert loss <= Fraction(limits.risk_per_trade) * equity


@given(questions(), MONEY, SHARE)
def test_what_may_follow_of_an_entry_breaks_no_limit_with_what_is_there(
    question: tuple[Proposal, RiskSnapshot, Limits], entry: Decimal, part: Decimal
) -> None:
    proposal, book, limits = question
    filled = min(entry, proposal.rules.quantity(entry * part))
    rest = still_affordable(proposal, book, limits, entry=entry, filled=filled)
    if isinstance(rest, Refusal):
        assert rest.reason
        return
    equity, price = Fraction(book.equity or ZERO), Fraction(proposal.price)
    whole = Fraction(filled) + Fraction(rest)
    assert rest > ZERO
    assert whole <= Fraction(entry)
    assert Fraction(rest) % Fraction(proposal.rules.lot) == 0
    assert Fraction(book.exposure) + whole * price <= Fraction(limits.max_exposure) * equity
    assert whole * price <= Fraction(limits.max_position) * equity
    assert Fraction(rest) * price >= Fraction(proposal.rules.min_notional)


@given(price=ANY, stop=ANY, equity=ANY, exposure=ANY, lot=ANY, side=st.sampled_from(Side))
def test_no_figure_makes_it_raise_or_approve_nonsense(
    price: Decimal, stop: Decimal, equity: Decimal, exposure: Decimal, lot: Decimal, side: Side
) -> None:
    proposal = a_proposal(price=price, stop=stop, side=side, rules=some_rules(lot=lot))
    answer = evaluate(proposal, a_book(equity=equity, exposure=exposure), Limits())
    if isinstance(answer, Approved):
        assert answer.quantity.is_finite()
        assert answer.quantity > ZERO
