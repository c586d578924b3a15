from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.builders import NOON, RULES, a_plan, after, some_rules
from trading.model.plan import due, grown, next_price, observe, stop_reason
from trading.types import ONE, ZERO, ExitPlan, ExitReason, MarketRules, PartialExit, Side

D = Decimal
FREE = some_rules(min_notional=ZERO)

THREE_PARTS = (
    PartialExit(share=D("0.25"), price=D(101)),
    PartialExit(share=D("0.25"), price=D(102)),
    PartialExit(share=D("0.5"), price=D(103)),
)


class Walk:
    """A position that does at once whatever its plan wants, and remembers it."""

    def __init__(self, plan: ExitPlan, *, held: Decimal, rules: MarketRules = FREE) -> None:
        self.plan = plan
        self.held = held
        self.rules = rules
        self.sold: list[Decimal] = []

    def see(self, price: Decimal | int | str) -> Decimal:
        """Let the market be at *price*; return what was sold for it."""
        self.plan = observe(self.plan, D(price), self.rules)
        wanted = due(self.plan, self.held, price=D(price), now=NOON, rules=self.rules)
        if wanted is None:
            return ZERO
        self.plan = wanted.plan
        self.sold.append(wanted.quantity)
        self.held -= wanted.quantity
        return wanted.quantity

    def fill(self, quantity: Decimal | int | str, price: Decimal | int | str) -> None:
        """Let more of the entry be filled."""
        size = self.plan.size + D(quantity)
        entry = (self.plan.entry * self.plan.size + D(price) * D(quantity)) / size
        self.plan = grown(self.plan, size=size, entry=entry)
        self.held += D(quantity)


# -- the three whole exits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "reason"),
    [(95, ExitReason.STOP), (90, ExitReason.STOP), (110, ExitReason.TARGET), (100, None)],
)
def test_a_long_leaves_whole_at_its_stop_and_its_target(
    price: int, reason: ExitReason | None
) -> None:
    wanted = due(a_plan(), ONE, price=D(price), now=NOON, rules=RULES)
    assert (wanted and wanted.reason) == reason
    assert wanted is None or wanted.quantity == ONE


def test_a_short_is_the_mirror_image() -> None:
    plan = a_plan(side=Side.SELL, stop=D(105), target=D(90))
    at_stop = due(plan, ONE, price=D(105), now=NOON, rules=RULES)
    at_target = due(plan, ONE, price=D(90), now=NOON, rules=RULES)
    assert at_stop
    assert at_stop.reason is ExitReason.STOP
    assert at_target
    assert at_target.reason is ExitReason.TARGET
    assert due(plan, ONE, price=D(100), now=NOON, rules=RULES) is None


def test_the_time_limit_holds_from_its_moment_on_but_the_stop_is_named_first() -> None:
    plan = a_plan(deadline=NOON)
    early = due(plan, ONE, price=D(100), now=after(seconds=-1), rules=RULES)
    timely = due(plan, ONE, price=D(100), now=NOON, rules=RULES)
    stopped = due(plan, ONE, price=D(95), now=NOON, rules=RULES)
    assert early is None
    assert timely
    assert (timely.reason, timely.quantity) == (ExitReason.TIME, ONE)
    assert stopped
    assert stopped.reason is ExitReason.STOP


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_a_price_that_is_none_triggers_nothing_but_the_time_limit(price: str) -> None:
    plan = a_plan(trail=D(3), partials=THREE_PARTS, deadline=NOON)
    assert observe(plan, D(price), RULES) == plan
    assert due(plan, ONE, price=D(price), now=after(seconds=-1), rules=RULES) is None
    timely = due(plan, ONE, price=D(price), now=NOON, rules=RULES)
    assert timely
    assert timely.reason is ExitReason.TIME


def test_nothing_is_due_once_flat() -> None:
    assert due(a_plan(deadline=NOON), ZERO, price=D(90), now=NOON, rules=RULES) is None


# -- trailing ---------------------------------------------------------------------------------


def test_the_stop_follows_the_best_price_and_never_comes_back() -> None:
    walk = Walk(a_plan(trail=D(3), target=None), held=ONE)
    walk.see(104)
    assert walk.plan.stop == D(101)
    walk.see(102)
    assert walk.plan.stop == D(101)


def test_a_wide_trail_leaves_a_nearer_stop_where_it_is() -> None:
    plan = observe(a_plan(trail=D(20)), D(101), RULES)
    assert plan.stop == D(95)


def test_a_trail_wider_than_the_price_makes_no_stop_below_zero() -> None:
    plan = observe(a_plan(trail=D(500), stop=None), D(101), RULES)
    assert plan.stop is None


def test_an_exit_is_called_a_trailing_one_only_where_trailing_has_put_the_stop() -> None:
    plan = a_plan(trail=D(8))
    assert stop_reason(observe(plan, D(100), RULES), RULES) is ExitReason.STOP
    assert stop_reason(observe(plan, D(109), RULES), RULES) is ExitReason.TRAIL
    assert stop_reason(a_plan(), RULES) is ExitReason.STOP


# -- partial exits ----------------------------------------------------------------------------


def test_partial_exits_take_shares_of_the_original_size() -> None:
    walk = Walk(a_plan(partials=THREE_PARTS), held=ONE)
    for price in (101, 102, 103):
        walk.see(price)
    assert walk.sold == [D("0.25"), D("0.25"), D("0.5")]
    assert walk.held == ZERO


def test_a_jump_over_several_prices_takes_them_together() -> None:
    walk = Walk(a_plan(partials=THREE_PARTS), held=ONE)
    assert walk.see(102) == D("0.5")
    assert walk.see(101) == ZERO
    assert walk.see(103) == D("0.5")


def test_the_stop_goes_to_the_entry_with_each_partial_exit() -> None:
    walk = Walk(a_plan(entry=D("100.004"), partials=THREE_PARTS, break_even=True), held=ONE)
    walk.see(101)
    assert walk.plan.stop == D("100.00")
    assert walk.see(100) == D("0.75")


def test_break_even_never_loosens_a_stop_that_is_already_better() -> None:
    walk = Walk(a_plan(stop=D("100.5"), partials=THREE_PARTS, break_even=True), held=ONE)
    walk.see(101)
    assert walk.plan.stop == D("100.5")


def test_a_hand_exit_counts_towards_the_shares_that_come_next() -> None:
    walk = Walk(a_plan(partials=THREE_PARTS), held=ONE)
    walk.see(101)
    walk.held -= D("0.5")  # /close BTC 50%
    assert walk.see(102) == ZERO
    assert walk.see(103) == D("0.25")
    assert walk.held == ZERO


def test_a_refused_partial_exit_is_wanted_again_while_its_price_stands() -> None:
    plan = a_plan(partials=THREE_PARTS)
    refused = due(plan, ONE, price=D(101), now=NOON, rules=FREE)
    assert refused
    again = due(refused.plan, ONE, price=D(101), now=NOON, rules=FREE)
    below = due(refused.plan, ONE, price=D("100.9"), now=NOON, rules=FREE)
    assert again
    assert again.quantity == D("0.25")
    assert below is None


def test_what_cannot_be_sold_by_itself_waits_for_the_next_part() -> None:
    walk = Walk(
        a_plan(size=D("0.3"), partials=THREE_PARTS),
        held=D("0.3"),
        rules=some_rules(min_notional=D(10)),
    )
    assert walk.see(101) == ZERO  # 0.075 would be worth 7.58
    assert walk.see(102) == D("0.15")
    assert walk.see(103) == D("0.15")


def test_no_rest_is_left_that_could_not_be_sold() -> None:
    parts = (PartialExit(share=D("0.7"), price=D(101)),)
    walk = Walk(
        a_plan(size=D("0.2"), partials=parts),
        held=D("0.2"),
        rules=some_rules(min_notional=D(10)),
    )
    assert walk.see(101) == D("0.2")


def test_the_next_price_is_the_nearest_part_not_taken_yet_then_the_target() -> None:
    walk = Walk(a_plan(partials=THREE_PARTS[:2]), held=ONE)
    assert next_price(walk.plan) == D(101)
    walk.see(101)
    assert next_price(walk.plan) == D(102)
    walk.see(102)
    assert next_price(walk.plan) == D(110)
    assert next_price(a_plan(target=None)) is None
    short = a_plan(side=Side.SELL, stop=D(105), target=D(90), partials=())
    assert next_price(replace(short, partials=(PartialExit(share=ONE, price=D(95)),))) == D(95)


# -- an entry that fills in parts -------------------------------------------------------------


def test_shares_mean_the_final_size_of_an_entry_that_fills_in_parts() -> None:
    walk = Walk(a_plan(size=D("0.4"), partials=THREE_PARTS), held=D("0.4"))
    assert walk.see(101) == D("0.1")
    walk.fill("0.6", 100)
    assert walk.see("100.5") == ZERO
    assert walk.see(101) == D("0.15")
    assert walk.see(102) == D("0.25")
    assert walk.see(103) == D("0.5")
    assert walk.held == ZERO


def test_growing_takes_the_new_average_and_leaves_the_stop() -> None:
    plan = grown(a_plan(), size=D(2), entry=D("100.5"))
    assert plan == a_plan(size=D(2), entry=D("100.5"))


def test_an_old_report_never_shrinks_a_plan() -> None:
    assert grown(a_plan(), size=D("0.5"), entry=D(99)) == a_plan()


# -- what could never be carried out ----------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": D("NaN")},
        {"size": D(-1)},
        {"entry": ZERO},
        {"stop": D("Infinity")},
        {"trail": ZERO},
        {"target": D(-5)},
        {"partials": (*THREE_PARTS, PartialExit(share=D("0.01"), price=D(104)))},
    ],
    ids=str,
)
def test_a_plan_that_could_never_be_carried_out_is_not_made(wrong: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each says its own sentence
        a_plan(**wrong)


@pytest.mark.parametrize(("share", "price"), [("0", "1"), ("1.1", "1"), ("NaN", "1"), ("1", "0")])
def test_a_part_is_a_share_with_a_price(share: str, price: str) -> None:
    with pytest.raises(ValueError, match="partial exit"):
        PartialExit(share=D(share), price=D(price))


# -- whatever happens -------------------------------------------------------------------------

LOTS = st.sampled_from([D("0.001"), D("0.01"), D("0.03"), D("0.5"), D(1), D(7)])
PRICES = st.decimals(min_value=D("80"), max_value=D("130"), places=2)


@st.composite
def rules(draw: st.DrawFn) -> MarketRules:
    return MarketRules(
        tick=draw(st.sampled_from([D("0.01"), D("0.05"), D("0.5")])),
        lot=draw(LOTS),
        min_notional=draw(st.sampled_from([ZERO, D(10), D(500)])),
    )


@st.composite
def shares(draw: st.DrawFn) -> tuple[Decimal, ...]:
    """Two to five shares that add up to exactly 1."""
    cuts = draw(st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True))
    edges = [0, *sorted(cuts), 100]
    return tuple(D(b - a) / 100 for a, b in itertools.pairwise(edges))


@st.composite
def plans(draw: st.DrawFn, *, rules: MarketRules, whole: bool = False) -> ExitPlan:
    """A plan around an entry at 100, long or short; *whole*: nothing but partial exits."""
    side = draw(st.sampled_from(Side))
    steps = draw(st.permutations([D(k) for k in (1, 2, 3, 5, 8)]))
    return ExitPlan(
        side=side,
        size=rules.lot * draw(st.integers(1, 5000)),
        entry=D(100),
        stop=None if whole else D(100) - D(10) * side.sign,
        target=None if whole else draw(st.sampled_from([None, D(100) + D(20) * side.sign])),
        trail=None if whole else draw(st.sampled_from([None, D("0.5"), D(4), D(30)])),
        partials=tuple(
            PartialExit(share=share, price=D(100) + step * side.sign)
            for share, step in zip(draw(shares()), steps, strict=False)
        ),
        break_even=False if whole else draw(st.booleans()),
    )


@given(data=st.data(), rules=rules())
def test_shares_add_up_to_the_original_size_with_any_lot_in_any_order(
    data: st.DataObject, rules: MarketRules
) -> None:
    plan = data.draw(plans(rules=rules, whole=True))
    walk = Walk(plan, held=plan.size, rules=rules)
    for part in data.draw(st.permutations(plan.partials)):
        walk.see(part.price)
    assert walk.held == ZERO
    assert sum(walk.sold) == plan.size


@given(data=st.data(), lot=LOTS)
def test_each_share_is_the_original_one_to_within_a_lot(data: st.DataObject, lot: Decimal) -> None:
    rules = some_rules(lot=lot, min_notional=ZERO)
    plan = data.draw(plans(rules=rules, whole=True))
    assume(all(plan.size * p.share >= lot * 2 for p in plan.partials))
    walk = Walk(plan, held=plan.size, rules=rules)
    for part in sorted(plan.partials, key=lambda p: p.price * plan.side.sign):
        assert abs(walk.see(part.price) - plan.size * part.share) < lot


@given(data=st.data(), rules=rules(), prices=st.lists(PRICES, max_size=30))
def test_never_past_flat_whatever_the_prices_the_hands_and_the_fills_do(
    data: st.DataObject, rules: MarketRules, prices: list[Decimal]
) -> None:
    plan = data.draw(plans(rules=rules))
    walk = Walk(plan, held=plan.size, rules=rules)
    for price in prices:
        walk.see(price)
        assert ZERO <= walk.held <= walk.plan.size
        by_hand = data.draw(st.integers(0, 3)) * rules.lot
        if by_hand <= walk.held:
            walk.held -= by_hand
        if walk.held and data.draw(st.booleans()):
            walk.fill(rules.lot * data.draw(st.integers(1, 50)), price)
    assert all(quantity >= ZERO for quantity in walk.sold)


@given(data=st.data(), rules=rules(), prices=st.lists(PRICES, max_size=30))
def test_stops_only_tighten(data: st.DataObject, rules: MarketRules, prices: list[Decimal]) -> None:
    plan = data.draw(plans(rules=rules))
    walk = Walk(plan, held=plan.size, rules=rules)
    stops = [plan.stop]
    for price in prices:
        walk.see(price)
        stops.append(walk.plan.stop)
    tightness = [stop * plan.side.sign for stop in stops if stop is not None]
    assert len(tightness) == len(stops)
    assert tightness == sorted(tightness)


@given(data=st.data(), rules=rules(), parts=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_an_entry_filled_in_parts_takes_what_one_filled_at_once_does(
    data: st.DataObject, rules: MarketRules, parts: list[int]
) -> None:
    quiet = replace(rules, min_notional=ZERO)
    sizes = [rules.lot * part for part in parts]
    plan = data.draw(plans(rules=quiet, whole=True))
    at_once = Walk(replace(plan, size=sum(sizes, ZERO)), held=sum(sizes, ZERO), rules=quiet)
    in_parts = Walk(replace(plan, size=sizes[0]), held=sizes[0], rules=quiet)
    *early, last = sorted((p.price for p in plan.partials), key=lambda p: abs(p - plan.entry))
    already = data.draw(st.integers(0, len(early)))
    for price in early[:already]:
        in_parts.see(price)
    assume(in_parts.held > ZERO)
    for size in sizes[1:]:
        in_parts.fill(size, plan.entry)
    for price in early:
        at_once.see(price)
        in_parts.see(price)
    assert in_parts.held <= at_once.held
    at_once.see(last)
    in_parts.see(last)
    assert at_once.held == in_parts.held == ZERO


def test_a_stop_that_rests_at_the_venue_is_left_to_it_and_the_rest_of_the_plan_goes_on() -> None:
    plan = ExitPlan(
        side=Side.BUY, size=Decimal(2), entry=Decimal(100), stop=Decimal(90), target=Decimal(120)
    )
    rules = MarketRules(tick=Decimal("0.01"), lot=Decimal("0.001"))

    def at(price: str, *, rests: bool) -> object:
        found = due(
            plan, Decimal(2), price=Decimal(price), now=NOON, rules=rules,
            stop_rests=rests,
        )  # fmt: skip
        return found and found.reason

    assert at("89", rests=True) is None
    assert at("89", rests=False) is ExitReason.STOP
    assert at("120", rests=True) is ExitReason.TARGET
