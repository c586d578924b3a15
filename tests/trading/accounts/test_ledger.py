"""The books: positions follow fills, and nothing else, however they are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    BTC,
    NOON,
    RULES,
    a_fill,
    a_plan,
    a_report,
    a_trade,
    after,
    an_account,
    an_exit,
    an_order,
)
from trading.accounts.booking import Booked, book
from trading.accounts.ledger import REMEMBERED_ORDERS, Ledger
from trading.ports import Books
from trading.types import (
    ZERO,
    ExitReason,
    Fill,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Side,
    Trade,
)

D = Decimal
NEAR = D("1e-9")

quantities = st.integers(1, 5_000).map(lambda lots: D(lots) / 1000)
prices = st.integers(100, 20_000).map(lambda cents: D(cents) / 100)
fees = st.integers(0, 500).map(lambda cents: D(cents) / 100)


@st.composite
def fills(draw: st.DrawFn) -> list[Fill]:
    """A market that takes either side, now and then far past flat."""
    told = draw(
        st.lists(st.tuples(st.sampled_from(Side), quantities, prices, fees), min_size=1, max_size=9)
    )
    return [
        a_fill(
            id=f"f-{n}",
            order_id=f"o-{n}",
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            at=after(minutes=n),
        )
        for n, (side, quantity, price, fee) in enumerate(told)
    ]


def signed(happened: list[Fill]) -> Decimal:
    return sum((fill.signed_quantity for fill in happened), ZERO)


def booked(happened: list[Fill]) -> list[Booked]:
    done: list[Booked] = []
    for fill in happened:
        done.append(book(done[-1].after if done else None, fill))
    return done


def a_ledger(*happened: Fill) -> Ledger:
    """One that knows the order of each of these fills, and has heard of none of them."""
    ledger = Ledger(an_account(), lambda symbol: RULES)
    for fill in happened:
        ledger.add(an_order(id=fill.order_id, side=fill.side, quantity=fill.quantity))
    return ledger


def told(fill: Fill, status: OrderStatus = OrderStatus.FILLED) -> OrderReport:
    return a_report(order_id=fill.order_id, status=status, fills=(fill,), filled=fill.quantity)


# -- position arithmetic -----------------------------------------------------------------------


@given(fills())
def test_the_quantity_is_the_signed_sum_of_the_fills(happened: list[Fill]) -> None:
    for done, total in zip(
        booked(happened), accumulate(f.signed_quantity for f in happened), strict=True
    ):
        assert (done.after.quantity if done.after else ZERO) == total


@given(fills(), prices)
def test_profit_and_open_profit_are_the_cash_that_moved(
    happened: list[Fill], mark: Decimal
) -> None:
    done = booked(happened)
    held = done[-1].after

    profit = sum((b.profit for b in done), ZERO) + (held.open_profit(mark) if held else ZERO)

    paid = sum((f.signed_quantity * f.price for f in happened), ZERO)
    assert abs(profit - (signed(happened) * mark - paid)) < NEAR


@given(fills())
def test_every_fee_lands_in_exactly_one_position(happened: list[Fill]) -> None:
    done = booked(happened)
    closed = [b.closed for b in done if b.closed is not None]
    held = done[-1].after

    total = sum((p.fees for p in (*closed, *([held] if held else []))), ZERO)

    assert abs(total - sum((f.fee for f in happened), ZERO)) < NEAR


@given(fills())
def test_what_was_entered_is_what_was_exited_and_what_is_left(happened: list[Fill]) -> None:
    for done in booked(happened):
        for position in (done.closed, done.after):
            if position is not None:
                assert position.entered - position.exited == abs(position.quantity)


@given(fills())
def test_a_position_never_changes_its_side(happened: list[Fill]) -> None:
    """A fill that goes past flat ends one position and opens another."""
    for done in booked(happened):
        if done.before is not None and done.after is not None:
            turned = done.before.side is not done.after.side
            assert turned == (done.closed is not None)


def test_a_reversal_shares_its_fee_by_quantity() -> None:
    long = book(None, a_fill(quantity=D(1), fee=D(0))).after

    done = book(long, a_fill(id="f-2", side=Side.SELL, quantity=D(4), price=D(110), fee=D(2)))

    assert (done.profit, done.exit_fee) == (D(10), D("0.5"))
    assert done.after is not None
    assert (done.after.quantity, done.after.average_price) == (D(-3), D(110))
    assert done.after.fees == D("1.5")


# -- the ledger --------------------------------------------------------------------------------


@given(fills())
def test_trades_and_what_is_open_make_the_change_of_the_wallet(happened: list[Fill]) -> None:
    ledger = a_ledger(*happened)
    for fill in happened:
        ledger.apply(told(fill), now=fill.at)

    held = ledger.positions.get(BTC)
    still_open = held.profit - held.fees if held else ZERO
    made = sum((trade.profit for trade in ledger.trades), ZERO) + still_open
    assert abs(ledger.account.wallet - an_account().wallet - made) < NEAR


@given(fills(), st.data())
def test_hearing_it_again_changes_nothing(happened: list[Fill], data: st.DataObject) -> None:
    ledger = a_ledger(*happened)
    for fill in happened:
        ledger.apply(told(fill), now=fill.at)
    before = (ledger.positions.copy(), ledger.plans.copy(), ledger.account, list(ledger.trades))

    for fill in data.draw(st.permutations(happened)):
        again = ledger.apply(told(fill), now=after(hours=1))
        assert again is not None
        assert (again.booked, again.trades, again.changed) == ((), (), False)

    assert before == (ledger.positions, ledger.plans, ledger.account, ledger.trades)


@given(st.lists(quantities, min_size=1, max_size=5), st.data())
def test_reports_of_one_order_may_come_in_any_order_and_often(
    parts: list[Decimal], data: st.DataObject
) -> None:
    """Each says what was known then: all the fills so far, and the last that it is over."""
    known = [a_fill(id=f"f-{n}", quantity=q, fee=ZERO) for n, q in enumerate(parts)]
    last = len(known)
    reports = [
        a_report(
            status=OrderStatus.FILLED if n == last else OrderStatus.OPEN, fills=tuple(known[:n])
        )
        for n in range(last + 1)
    ]
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order(quantity=sum(parts, ZERO), plan=a_plan()))

    heard = data.draw(st.permutations([*reports, *data.draw(st.lists(st.sampled_from(reports)))]))
    for report in heard:
        ledger.apply(report, now=NOON)

    order = ledger.orders["o-1"]
    assert (order.status, order.filled) == (OrderStatus.FILLED, sum(parts, ZERO))
    assert ledger.positions[BTC].quantity == sum(parts, ZERO)
    assert ledger.plans[BTC].size == sum(parts, ZERO)
    assert not ledger.alive


@pytest.mark.parametrize("ended", [s for s in OrderStatus if s.is_terminal])
def test_what_has_ended_stays_ended_and_a_late_fill_is_booked_all_the_same(
    ended: OrderStatus,
) -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order())
    ledger.apply(a_report(status=ended, fills=(), filled=ZERO), now=NOON)

    late = ledger.apply(a_report(status=OrderStatus.OPEN), now=after(minutes=1))

    assert late is not None
    assert late.order.status is ended
    assert ledger.positions[BTC].quantity == D(1)


@given(st.permutations(range(6)), st.data())
def test_a_reduction_opens_nothing_in_whatever_order_it_is_told(
    order: list[int], data: st.DataObject
) -> None:
    """A long and a short that were closed, and an entry that stays: at the end it is open."""
    quantities = [D(5), D(3), D(2), D(4), D(4), D(1)]
    sides = [Side.BUY, Side.SELL, Side.SELL, Side.SELL, Side.BUY, Side.BUY]
    happened = [
        a_fill(
            id=f"f-{n}",
            order_id=f"o-{n}",
            side=side,
            quantity=quantity,
            price=D(10 + n),
            fee=ZERO,
            number=n,
        )
        for n, (side, quantity) in enumerate(zip(sides, quantities, strict=True))
    ]
    ledger = Ledger(an_account(), lambda symbol: RULES)
    for n, fill in enumerate(happened):
        make = an_exit if n in {1, 2, 4} else an_order
        ledger.add(make(id=fill.order_id, side=fill.side, quantity=fill.quantity))

    for n in order:
        ledger.apply(told(happened[n]), now=NOON)
        for _ in range(data.draw(st.integers(0, 1))):
            ledger.apply(told(happened[n]), now=NOON)
        while ripe := ledger.ripe(BTC):
            ledger.apply(ripe[0], now=NOON)
        held = ledger.positions.get(BTC)
        assert held is None or held.id in {"o-0", "o-3", "o-5"}, "an entry opened it"

    assert ledger.concede(cash=False) is None
    assert ledger.positions[BTC].quantity == D(1)
    assert ledger.alive == {}
    paid = sum((f.signed_quantity * f.price for f in happened), ZERO)
    begun = an_account().wallet
    assert ledger.account.wallet + ledger.positions[BTC].open_profit(D(20)) == begun + 20 - paid


@pytest.mark.parametrize(("cash", "beside"), [(False, ZERO), (True, D(30))])
def test_what_an_exit_took_beyond_ours_was_a_strangers(cash: bool, beside: Decimal) -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    bought = a_fill(id="f-1", order_id="o-1", quantity=D(2), price=D(10), fee=ZERO)
    sold = a_fill(id="f-2", order_id="o-2", side=Side.SELL, quantity=D(5), price=D(10), fee=ZERO)
    ledger.add(an_order(id="o-1", quantity=D(2)))
    ledger.add(an_exit(id="o-2", side=Side.SELL, quantity=D(5)))
    ledger.apply(told(bought), now=NOON)
    before = ledger.account.offset or ZERO

    ledger.apply(told(sold), now=NOON)
    assert ledger.positions[BTC].quantity == D(2), "it waits for the entry of the rest"
    assert ledger.alive, "and has not ended"
    conceded = ledger.concede(cash=cash)
    assert conceded is not None
    report, beyond = conceded
    ledger.apply(report, now=NOON)

    assert beyond == D(3)
    assert ledger.positions == {}
    assert ledger.alive == {}
    assert (ledger.account.offset or ZERO) - before == beside
    assert ledger.apply(told(sold), now=NOON).booked == ()  # type: ignore[union-attr]  # it is ours


def test_a_report_on_somebody_elses_order_is_none_of_ours() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    assert ledger.apply(a_report(order_id="theirs"), now=NOON) is None
    assert not ledger.positions


def test_fills_of_before_a_restart_are_not_booked_again() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    order = an_order(status=OrderStatus.OPEN, filled=D(1), quantity=D(2))
    held = Position(
        trader="majors",
        symbol=BTC,
        quantity=D(1),
        average_price=D(100),
        opened_at=NOON,
        id="o-1",
        entered=D(1),
    )
    ledger.restore(
        an_account(),
        Books(orders=(order,), positions=((held, a_plan()),), recent_fills=frozenset({"f-1"})),
    )
    second = a_fill(id="f-2")

    ledger.apply(a_report(fills=(a_fill(), second), filled=D(2)), now=NOON)

    assert ledger.positions[BTC].quantity == D(2)
    assert ledger.orders["o-1"].filled == D(2)


def test_an_order_that_only_the_venue_has_is_adopted_with_what_its_reports_say() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order())
    ledger.apply(a_report(), now=NOON)
    stray = an_exit(id="x-9", quantity=D(1), filled=D("0.4"), status=OrderStatus.OPEN)
    part = a_fill(id="f-9", order_id="x-9", side=Side.SELL, quantity=D("0.4"), price=D(90))

    ledger.adopt(stray)
    ledger.apply(
        a_report(order_id="x-9", status=OrderStatus.OPEN, fills=(part,), filled=D("0.4")), now=NOON
    )

    assert ledger.orders["x-9"].filled == D("0.4")
    assert ledger.positions[BTC].quantity == D("0.6")
    assert ledger.closable(BTC) == ZERO


def test_what_an_exit_is_closing_already_cannot_be_closed_again() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order(quantity=D(3)))
    ledger.apply(a_report(fills=(a_fill(quantity=D(3)),)), now=NOON)
    assert ledger.closable(BTC) == D(3)

    ledger.add(an_exit(quantity=D(1), status=OrderStatus.UNKNOWN))

    assert ledger.closable(BTC) == D(2)


def test_a_trade_tells_the_whole_round_trip() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order(quantity=D(2)))
    ledger.add(an_exit(quantity=D(2), by="ben"))
    ledger.apply(a_report(fills=(a_fill(quantity=D(2), fee=D(1)),)), now=NOON)
    parts = (
        a_fill(id="f-2", order_id="x-1", side=Side.SELL, price=D(110), fee=D("0.5")),
        a_fill(
            id="f-3",
            order_id="x-1",
            side=Side.SELL,
            price=D(120),
            fee=D("0.5"),
            at=after(minutes=1),
        ),
    )

    applied = ledger.apply(a_report(order_id="x-1", fills=parts), now=NOON)

    assert applied is not None
    (trade,) = applied.trades
    assert (trade.entry_price, trade.exit_price, trade.quantity) == (D(100), D(115), D(2))
    assert (trade.profit, trade.fees) == (D(28), D(2))
    assert (trade.reason, trade.by, trade.closed_at) == (ExitReason.HAND, "ben", after(minutes=1))


# -- memory -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "kept"),
    [(40, 231), (48, 211), (60, 200)],
    ids=["all within a week", "a week has more than 200", "over more than a week"],
)
def test_no_trade_is_forgotten_that_a_rest_may_hang_on(minutes: int, kept: int) -> None:
    """The last 200 are remembered, and all of a week, which is the longest rest there is."""
    past = [a_trade(id=f"t-{n}", closed_at=after(minutes=-n * minutes)) for n in range(1, 231)]
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.restore(an_account(), Books(recent_trades=tuple(past)))
    ledger.add(an_order())
    ledger.add(an_exit())
    ledger.apply(a_report(fills=(a_fill(),)), now=NOON)
    left = a_fill(id="f-2", order_id="x-1", side=Side.SELL)
    ledger.apply(a_report(order_id="x-1", fills=(left,)), now=NOON)

    assert len(ledger.trades) == kept
    assert ledger.closed_since(after(minutes=-3 * minutes)) == 4


def test_an_order_is_forgotten_with_its_fills_and_the_newest_are_still_known() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    many = REMEMBERED_ORDERS * 2
    for n in range(many):
        side = Side.BUY if n % 2 == 0 else Side.SELL
        ledger.add(an_order(id=f"o-{n}", side=side))
        fill = a_fill(id=f"f-{n}", order_id=f"o-{n}", side=side)
        done = a_report(order_id=f"o-{n}", status=OrderStatus.FILLED, fills=(fill,))
        ledger.apply(done, now=NOON)

    assert len(ledger.orders) <= REMEMBERED_ORDERS + 1
    assert ledger._fees.keys() <= ledger.orders.keys()
    assert ledger.fills_booked == many

    again = ledger.apply(done, now=NOON)
    assert again is not None
    assert not again.changed


def test_the_fees_of_an_order_are_those_of_its_fills() -> None:
    ledger = Ledger(an_account(), lambda symbol: RULES)
    ledger.add(an_order())
    fills = tuple(a_fill(id=f"f-{n}", quantity=D("0.5"), fee=D("0.2")) for n in range(2))
    ledger.apply(a_report(fills=fills), now=NOON)
    ledger.apply(a_report(fills=fills), now=NOON)

    assert ledger.fees_of("o-1") == D("0.4")
    assert ledger.fees_of("another") == ZERO


# -- which bar a fill counts to ----------------------------------------------------------------

MINUTE = timedelta(minutes=1)


def round_trip(exit_order: Order, at: datetime, *, cursor: datetime = NOON) -> Trade:
    """In and out by *exit_order*, which fills at *at*, on bars of a minute."""
    ledger = Ledger(an_account(cursor=cursor), lambda symbol: RULES, MINUTE)
    ledger.add(an_order(market_at=cursor))
    ledger.apply(a_report(fills=(a_fill(at=cursor + timedelta(seconds=2)),)), now=NOON)
    ledger.add(exit_order)
    fill = a_fill(id="f-2", order_id=exit_order.id, side=Side.SELL, at=at)
    ledger.apply(a_report(order_id=exit_order.id, fills=(fill,)), now=NOON)
    (trade,) = ledger.trades
    return trade


@pytest.mark.parametrize("off", [0, 7, 30])
@pytest.mark.parametrize(
    ("changes", "second", "rests_from"),
    [
        ({"market_at": 120}, 120, 120),  # as in a backtest: at the very close
        ({"market_at": 120}, 127, 120),  # by the cycle of that bar, a moment later
        ({"market_at": 120}, 119, 120),  # by the clock of an exchange that is behind
        ({"market_at": 120}, 180, 180),  # what the bar was too thin for, in the next one
        ({"market_at": 120}, 230, 240),
        ({"market_at": 127}, 128, 180),  # by hand, between two bars
        ({"type": OrderType.STOP, "role": OrderRole.PROTECT, "market_at": 120}, 120, 120),
        ({"type": OrderType.STOP, "role": OrderRole.PROTECT, "market_at": 120}, 121, 180),
        ({"type": OrderType.TARGET, "role": OrderRole.PROTECT, "market_at": 60}, 179, 180),
        ({"market_at": None}, 150, 180),  # one that was not sent by us
    ],
)
def test_a_rest_runs_from_the_close_of_a_bar(
    changes: dict[str, Any], second: int, rests_from: int, off: int
) -> None:
    """*off*: bars need not close with the minute."""
    begin = NOON + timedelta(seconds=off)

    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else begin + timedelta(seconds=seconds)

    order = an_exit(**changes | {"market_at": moment(changes["market_at"])})
    at = begin + timedelta(seconds=second)
    trade = round_trip(order, at, cursor=begin)
    assert (trade.closed_at, trade.rest_from) == (at, moment(rests_from))
    assert trade.paced_from == begin


def test_without_bars_a_rest_runs_from_the_fill() -> None:
    assert a_trade().rests_from == a_trade().closed_at
