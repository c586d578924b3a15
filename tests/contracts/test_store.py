"""Every store keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from storage.memory import MemoryStore
from storage.store import SqlStore
from tests.contracts.builders import (
    BTC,
    ETH,
    NOON,
    a_decision,
    a_fill,
    a_halt,
    a_movement,
    a_plan,
    a_point,
    a_position,
    a_trade,
    a_word,
    after,
    an_account,
    an_alert,
    an_order,
)
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.model.halt import Reached, Stage
from trading.model.halt_numbers import BLOCK, FEW
from trading.ports import Change, Store, WritePriority
from trading.stats.daybook import DayBook
from trading.types import ZERO, OrderStatus

AnyStore = MemoryStore | SqlStore
OTHERWISE_SHOWN = {"version", "lifted_at", "lifted_by", "post_only", "misfit", "triggered"}
"""The last three matter on the way out, or are told by the venue again: they are not kept."""


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyStore]:
    clock = ManualClock(NOON)
    made: AnyStore
    if request.param == "memory":
        made = MemoryStore(clock=clock)
    else:
        made = await SqlStore.open(tmp_path / "history.db", clock=clock)
    yield made
    await made.close()


async def test_a_new_store_knows_nothing(store: Store) -> None:
    books = await store.books("majors")

    assert books.account is None
    assert (books.orders, books.positions, books.recent_trades) == ((), (), ())
    assert books.recent_fills == frozenset()
    assert await store.note("last_seen") is None
    assert await store.order("qd-1") is None


async def test_everything_comes_back_as_it_was_written(store: Store) -> None:
    await store.commit(
        Change(
            orders=(an_order(),),
            fills=(a_fill(),),
            positions=((a_position(), a_plan()),),
            trades=(a_trade(),),
            decisions=(a_decision(),),
            accounts=(an_account(),),
            movements=(("majors", a_movement()), ("minors", a_movement("m-2", symbol=None))),
            equity=(a_point(),),
            halts=a_halt().parts,
            alerts=(an_alert("a-1"),),
            audit=(a_word(),),
            notes=(("last_seen", "12:00"),),
        )
    )

    books = await store.books("majors")
    assert books.orders == (an_order(),)
    assert books.positions == ((a_position(), a_plan()),)
    assert books.account == an_account()
    assert books.recent_trades == (a_trade(),)
    assert books.recent_fills == {"f-1"}
    assert books.recent_movements == {"m-1"}
    assert list(await store.fills("majors")) == [a_fill()]
    assert list(await store.decisions("majors", BTC, limit=9)) == [a_decision()]
    assert await store.decided(a_decision().id) == a_decision()
    assert list(await store.equity("majors", since=NOON)) == [a_point()]
    assert list(await store.halts()) == [a_halt()]
    assert list(await store.waiting_alerts(limit=9)) == [an_alert("a-1")]
    assert await store.audited("tg-1") == a_word()
    assert await store.note("last_seen") == "12:00"


@pytest.mark.parametrize(
    ("count", "minutes", "kept"),
    [(3, 60, 3), (230, 60, 200), (230, 48, 211)],
    ids=["few", "of more than a week", "a week has more than 200"],
)
async def test_books_remember_the_last_trades_and_all_of_a_week(
    store: AnyStore, count: int, minutes: int, kept: int
) -> None:
    trades = [a_trade(id=f"t{n}", closed_at=after(minutes=n * minutes)) for n in range(count)]
    await store.commit(Change(trades=tuple(trades)))

    books = await store.books("majors")
    assert list(books.recent_trades) == trades[::-1][:kept]


@pytest.mark.parametrize(
    "built",
    [an_order(), a_position(), a_plan(), a_trade(), a_decision(), an_account(), a_halt().parts[1]],
    ids=lambda built: type(built).__name__,
)
def test_no_field_is_forgotten_by_these_tests(built: Any) -> None:
    usual = {f.name: f.default for f in fields(built) if f.name not in OTHERWISE_SHOWN}

    assert [name for name, value in usual.items() if getattr(built, name) == value] == []


async def test_what_is_optional_may_be_missing(store: Store) -> None:
    order = an_order(price=None, stop_price=None, plan=None, average_price=None, updated_at=None)
    plan = a_plan(stop=None, target=None, deadline=None, trail=None, best=None, partials=())
    await store.commit(
        Change(
            orders=(order,),
            positions=((a_position(), plan),),
            accounts=(an_account(cursor=None, offset=None, equal_at=None),),
        )
    )

    books = await store.books("majors")
    assert books.orders == (order,)
    assert books.positions == ((a_position(), plan),)
    assert books.account == an_account(cursor=None, offset=None, equal_at=None)


async def test_writing_twice_changes_nothing(store: Store) -> None:
    change = Change(
        orders=(an_order(),),
        fills=(a_fill(),),
        positions=((a_position(), a_plan()),),
        trades=(a_trade(),),
        movements=(("majors", a_movement()),),
        decisions=(a_decision(),),
        equity=(a_point(),),
        alerts=(an_alert("a-1"),),
        audit=(a_word(),),
    )
    await store.commit(change)
    await store.commit(change)

    assert len(await store.orders("majors", limit=9)) == 1
    assert len(await store.fills("majors")) == 1
    assert len(await store.trades("majors", limit=9)) == 1
    assert len(await store.decisions("majors", BTC, limit=9)) == 1
    assert len(await store.equity("majors", since=NOON)) == 1
    assert len(await store.waiting_alerts(limit=9)) == 1
    assert len(await store.audit(limit=9)) == 1


async def test_facts_stay_as_they_were_first_told(store: Store) -> None:
    await store.commit(Change(fills=(a_fill(),), decisions=(a_decision(),), audit=(a_word(),)))
    await store.commit(
        Change(
            fills=(a_fill(price=Decimal(1)),),
            decisions=(a_decision(reason="second thoughts"),),
            audit=(a_word(answer="Stopped again."),),
        )
    )

    assert list(await store.fills("majors")) == [a_fill()]
    assert await store.decided(a_decision().id) == a_decision()
    assert await store.audited("tg-1") == a_word()


async def test_the_higher_version_wins_whichever_comes_first(store: Store) -> None:
    newer = an_order(status=OrderStatus.FILLED, version=3)
    rich = an_account(wallet=Decimal(11000), version=3)
    lifted = a_halt(lifted_at=after(9), lifted_by="ben")
    await store.commit(Change(orders=(newer,), accounts=(rich,), halts=lifted.parts))
    await store.commit(
        Change(
            orders=(an_order(version=2),),
            accounts=(an_account(version=2),),
            halts=a_halt().parts,
        )
    )

    assert await store.order("qd-1") == newer
    assert (await store.books("majors")).account == rich
    assert list(await store.halts()) == []


async def test_many_writers_at_once_end_with_the_highest_versions(store: Store) -> None:
    versions = [an_order(version=v, note=f"v{v}") for v in (1, 5, 3, 2, 4)]
    await asyncio.gather(*(store.commit(Change(orders=(order,))) for order in versions))

    assert await store.order("qd-1") == versions[1]


async def test_every_lane_is_written(store: Store) -> None:
    await asyncio.gather(
        *(
            store.commit(Change(orders=(an_order(f"qd-{priority}-{n}"),)), priority)
            for priority in WritePriority
            for n in range(100)
        )
    )

    assert len(await store.orders("majors", limit=999)) == 5 * 100


async def test_a_closed_position_is_not_resurrected_by_a_late_write(store: Store) -> None:
    late = Change(positions=((a_position(version=2), a_plan()),))
    await store.commit(Change(positions=((a_position(), a_plan()),)))
    await store.commit(Change(closed_positions=(a_position(quantity=ZERO, version=3),)))
    await store.commit(late)

    assert (await store.books("majors")).positions == ()


async def test_closing_wins_over_the_same_version_even_within_one_commit(store: Store) -> None:
    await store.commit(
        Change(
            positions=((a_position(version=4), a_plan()),),
            closed_positions=(a_position(quantity=ZERO, version=4),),
        )
    )
    assert (await store.books("majors")).positions == ()


async def test_the_rest_of_an_order_may_open_a_position_again_after_its_stop(
    store: Store,
) -> None:
    again = a_position(opened_at=after(3))
    await store.commit(Change(positions=((a_position(version=7), a_plan()),)))
    await store.commit(Change(closed_positions=(a_position(version=8),), trades=(a_trade(),)))
    await store.commit(Change(positions=((again, a_plan()),)))
    await store.commit(
        Change(
            closed_positions=(replace(again, version=2),),
            trades=(a_trade(opened_at=after(3), closed_at=after(6)),),
        )
    )

    assert (await store.books("majors")).positions == ()
    assert len(await store.trades("majors", limit=9)) == 2


async def test_books_hold_what_is_alive_and_nothing_of_other_traders(store: Store) -> None:
    dead = [s for s in OrderStatus if s.is_terminal]
    alive = [s for s in OrderStatus if not s.is_terminal]
    await store.commit(
        Change(
            orders=tuple(an_order(f"qd-{s}", status=s) for s in (*dead, *alive)),
            positions=((a_position(trader="other"), a_plan()),),
            accounts=(an_account(trader="other"),),
        )
    )
    await store.commit(Change(orders=(an_order("qd-x", trader="other"),)))

    books = await store.books("majors")
    assert {order.status for order in books.orders} == set(alive)
    assert (books.positions, books.account) == ((), None)


async def test_recent_fills_are_those_that_may_be_told_again(store: Store) -> None:
    await store.commit(
        Change(
            orders=(an_order("alive"), an_order("done", status=OrderStatus.FILLED)),
            positions=((a_position(symbol=ETH, opened_at=after(10)), a_plan()),),
            fills=(
                a_fill("of an order alive", order_id="alive"),
                a_fill("of an order done", order_id="done"),
                a_fill("before the position", order_id="done", symbol=ETH, at=after(9)),
                a_fill("opening it", order_id="done", symbol=ETH, at=after(10)),
                a_fill("within it", order_id="done", symbol=ETH, at=after(11)),
                a_fill("of another trader", order_id="z", symbol=ETH, at=after(11), trader="z"),
            ),
        )
    )

    recent = (await store.books("majors")).recent_fills
    assert recent == {"of an order alive", "opening it", "within it"}


async def test_fills_with_one_number_in_two_symbols_are_two(store: Store) -> None:
    await store.commit(Change(fills=(a_fill("7"), a_fill("7", symbol=ETH))))

    assert [fill.symbol for fill in await store.fills("majors")] == [BTC, ETH]


async def test_alerts_wait_critical_first_then_oldest_first(store: Store) -> None:
    await store.commit(
        Change(
            alerts=(
                an_alert("late info", 10, after(2)),
                an_alert("early info", 10, after(1)),
                an_alert("late critical", 40, after(3)),
                an_alert("early critical", 40, after(2)),
                an_alert("same moment, said second", 40, after(2)),
            )
        )
    )

    waiting = [alert.id for alert in await store.waiting_alerts(limit=4)]
    assert waiting == [
        "early critical",
        "same moment, said second",
        "late critical",
        "early info",
    ]


async def test_the_alerts_of_a_chat_are_found_newest_first_told_or_not(store: Store) -> None:
    first, *others = [an_alert(f"a-{n}", 10, after(n)) for n in (1, 2, 3)]
    strange = replace(first, id="a-4", to="telegram:999")
    for alert in (first, *others, strange):
        await store.commit(Change(alerts=(alert,)))
    await store.commit(Change(delivered=("a-2",)))

    assert [alert.id for alert in await store.alerts(first.to, limit=9)] == ["a-3", "a-2", "a-1"]
    assert [alert.id for alert in await store.alerts(first.to, limit=1)] == ["a-3"]
    assert await store.alerts("console:", limit=9) == ()


async def test_a_delivered_alert_stays_delivered(store: Store) -> None:
    await store.commit(Change(alerts=(an_alert("a-1"), an_alert("a-2"))))
    await store.commit(Change(delivered=("a-1", "never heard of")))
    await store.commit(Change(alerts=(an_alert("a-1"),)))

    assert [alert.id for alert in await store.waiting_alerts(limit=9)] == ["a-2"]


async def test_halts_come_in_the_order_of_their_numbers_and_lifted_ones_not(store: Store) -> None:
    halts = (a_halt(10), a_halt(9), a_halt(11, lifted_at=NOON))
    await store.commit(Change(halts=tuple(part for halt in halts for part in halt.parts)))

    assert [halt.id for halt in await store.halts()] == ["H9", "H10"]


async def test_each_trader_has_its_own_halt_under_one_id(store: Store) -> None:
    halt = a_halt(scope="all")
    await store.commit(Change(halts=halt.parts))
    flat = Reached(stage=Stage.FLAT, at=after(2))
    ahead = replace(halt, stages=(*halt.stages, ("minors", flat)))

    await store.commit(Change(halts=(ahead.part("minors"),)))
    await store.commit(Change(halts=(halt.part("majors"),)))  # an older copy changes nothing

    assert list(await store.halts()) == [ahead]


async def test_what_is_lifted_stays_lifted_whatever_it_reached_meanwhile(store: Store) -> None:
    halt = a_halt()
    await store.commit(Change(halts=halt.parts))
    await store.commit(Change(halts=replace(halt, lifted_at=after(9), lifted_by="ben").parts))
    late = [("majors", Reached(stage=stage, at=after(9))) for stage in (Stage.SAVED, Stage.FLAT)]

    await store.commit(Change(halts=replace(halt, stages=(*halt.stages, *late)).parts))

    assert list(await store.halts()) == []


# -- numbers of halts -------------------------------------------------------------------------


def numbers(blocks: Sequence[range]) -> list[int]:
    return [number for block in blocks for number in block]


async def test_numbers_are_reserved_from_one_on_and_go_on_where_they_were_used(
    store: Store,
) -> None:
    first = numbers(await store.halt_numbers("a", after=0))
    assert first == list(range(1, BLOCK + 1))
    await store.commit(Change(halts=a_halt(3).parts))

    assert numbers(await store.halt_numbers("a", after=0)) == first[3:]
    assert numbers(await store.halt_numbers("a", after=7)) == first[7:], "a file knows of seven"


async def test_where_few_are_left_more_are_reserved(store: Store) -> None:
    await store.halt_numbers("a", after=0)

    found = numbers(await store.halt_numbers("a", after=BLOCK - FEW + 1))

    assert found == list(range(BLOCK - FEW + 2, 2 * BLOCK + 1))


async def test_what_is_left_is_used_while_nothing_is_written() -> None:
    memory = MemoryStore(clock=ManualClock(NOON))
    await memory.halt_numbers("a", after=0)
    memory.refuse("the disk is full")

    assert numbers(await memory.halt_numbers("a", after=BLOCK - 1)) == [BLOCK]
    with pytest.raises(StoreError, match="full"):
        await memory.halt_numbers("a", after=BLOCK)


async def test_two_never_get_the_same_numbers(store: Store) -> None:
    owners = [f"machine {n}" for n in range(5)]
    found = [numbers(await store.halt_numbers(owner, after=0)) for owner in owners]

    assert len({number for own in found for number in own}) == 5 * BLOCK


async def test_numbers_begin_behind_what_an_old_history_or_a_file_knows(store: Store) -> None:
    await store.commit(Change(halts=a_halt(41).parts))
    assert numbers(await store.halt_numbers("a", after=0))[0] == 42
    assert numbers(await store.halt_numbers("b", after=400))[0] == 401


async def test_trades_come_in_pages_newest_first(store: Store) -> None:
    trades = [a_trade(f"qd-{n}", closed_at=after(n // 2)) for n in range(10)]
    for trade in trades:
        await store.commit(Change(trades=(trade,)))

    first = await store.trades("majors", limit=4)
    second = await store.trades("majors", limit=4, offset=4)
    third = await store.trades("majors", limit=4, offset=8)
    assert [*first, *second, *third] == trades[::-1]


async def test_orders_decisions_and_words_come_newest_first(store: Store) -> None:
    for n in range(3):
        await store.commit(
            Change(
                orders=(an_order(f"qd-{n}", created_at=after(n)),),
                decisions=(a_decision(f"d-{n}", at=after(n)),),
                audit=(a_word(f"w-{n}", at=after(n)),),
            )
        )
    await store.commit(Change(decisions=(a_decision("d-eth", symbol=ETH),)))

    assert [o.id for o in await store.orders("majors", limit=2)] == ["qd-2", "qd-1"]
    assert [d.id for d in await store.decisions("majors", BTC, limit=2)] == ["d-2", "d-1"]
    assert [w.id for w in await store.audit(limit=2)] == ["w-2", "w-1"]


async def test_equity_since_a_moment_is_oldest_first(store: Store) -> None:
    await store.commit(Change(equity=tuple(a_point(after(n)) for n in (3, 1, 2))))

    assert [p.at for p in await store.equity("majors", since=after(2))] == [after(2), after(3)]


async def test_the_day_book_sums_what_was_closed_and_read_by_day(store: Store) -> None:
    noon = [NOON + timedelta(days=n) for n in range(3)]
    trades = tuple(a_trade(f"t-{n}-{s.base}", closed_at=at, symbol=s) for n, at in enumerate(noon)
                   for s in (BTC, ETH))  # fmt: skip
    points = tuple(a_point(at, equity=Decimal(10_000 + n)) for n, at in enumerate(noon))
    strange = a_trade(trader="other", profit=Decimal(999))
    await store.commit(Change(trades=(*trades, strange), equity=points))

    book = await store.day_book("majors", UTC)

    whole = DayBook.of(trades, points, UTC)
    assert (book.trades, book.closes, book.opening) == (whole.trades, whole.closes, whole.opening)


async def test_the_day_book_goes_on_from_what_it_had(store: Store) -> None:
    """Also when a trade is written late, and for a trader that was not asked for before."""
    late, newer, newest = (a_trade(f"t-{n}", closed_at=after(n)) for n in (1, 2, 3))
    assert (await store.day_book("majors", UTC)).first_day is None

    for trade in (newer, newest, late):
        point = a_point(trade.closed_at + timedelta(days=len(trade.id)), trader=trade.trader)
        await store.commit(Change(trades=(trade,), equity=(point,)))
        book = await store.day_book("majors", UTC)
    await store.commit(Change(trades=(a_trade(trader="other"),), equity=(a_point(trader="other"),)))

    assert book.trades[NOON.date()].whole.trades == 3
    assert len((await store.day_book("majors", UTC)).trades) == 1
    other = await store.day_book("other", UTC)
    assert (other.trades[NOON.date()].whole.trades, list(other.closes)) == (1, [NOON.date()])


async def test_the_day_book_goes_by_the_zone_it_is_asked_for(store: Store) -> None:
    tokyo = timezone(timedelta(hours=13))
    await store.commit(Change(trades=(a_trade(closed_at=NOON),), equity=(a_point(after(1)),)))

    for zone, day in ((UTC, NOON.date()), (tokyo, NOON.date() + timedelta(days=1))):
        book = await store.day_book("majors", zone)
        assert (list(book.trades), list(book.closes)) == ([day], [day])


async def test_day_books_may_be_asked_for_all_at_once(store: Store) -> None:
    await store.commit(Change(trades=(a_trade(),), equity=(a_point(),)))

    books = await asyncio.gather(*(store.day_book("majors", UTC) for _ in range(20)))

    assert {book.trades[NOON.date()].whole.trades for book in books} == {1}
    assert {len(book.times) for book in books} == {1}


async def test_decimals_are_exact_to_the_last_digit(store: Store) -> None:
    odd = [Decimal("0.1"), Decimal("1E-18"), Decimal("12345678901234567890.123456789"), Decimal(0)]
    await store.commit(Change(fills=tuple(a_fill(str(n), fee=n) for n in odd)))

    fees = [fill.fee for fill in await store.fills("majors")]
    assert list(map(str, fees)) == list(map(str, odd))
    assert sum(fees) == sum(odd)


async def test_times_of_other_zones_sort_and_compare_as_moments(store: Store) -> None:
    tokyo = timezone(timedelta(hours=9))
    await store.commit(
        Change(equity=(a_point(after(1).astimezone(tokyo)), a_point(NOON), a_point(after(2))))
    )

    points = await store.equity("majors", since=after(1).astimezone(tokyo))
    assert [point.at for point in points] == [after(1), after(2)]


async def test_notes_remember_the_last_value(store: Store) -> None:
    await store.commit(Change(notes=(("clean_exit", "no"), ("clean_exit", "yes"))))
    await store.commit(Change(notes=(("last_seen", "12:00"),)))
    await store.commit(Change(notes=(("last_seen", "12:01"),)))

    assert await store.note("clean_exit") == "yes"
    assert await store.note("last_seen") == "12:01"


async def test_a_closed_store_says_so(store: AnyStore) -> None:
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.commit(Change(orders=(an_order(),)))


# -- retention ----------------------------------------------------------------------------


async def test_what_was_traded_is_never_forgotten(store: Store) -> None:
    old = NOON - timedelta(days=4000)
    await store.commit(
        Change(
            accounts=(an_account(cursor=NOON),),
            orders=(an_order("old", status=OrderStatus.FILLED, created_at=old),),
            fills=(a_fill(at=old),),
            trades=(a_trade(opened_at=old, closed_at=old),),
            decisions=(a_decision(bar=old, at=old, order_id="old"),),
            halts=a_halt().parts,
        )
    )

    assert (await store.tidy(NOON)).removed == {}
    assert await store.order("old") is not None
    assert (len(await store.fills("majors")), len(await store.trades("majors", limit=9))) == (1, 1)
    assert len(await store.decisions("majors", BTC, limit=9)) == 1


async def test_market_time_decides_what_is_old_in_a_replay(store: Store) -> None:
    """By the wall it is all from years ago."""
    wall = NOON + timedelta(days=2000)
    minutes = [1, 30, 60, 61]
    points = tuple(a_point(after(minute)) for minute in minutes)
    refused = a_decision("recent", bar=NOON, at=wall, order_id="")
    await store.commit(
        Change(accounts=(an_account(cursor=after(120)),), equity=points, decisions=(refused,))
    )
    assert (await store.tidy(wall)).removed == {}

    on = NOON + timedelta(days=31)
    await store.commit(Change(accounts=(an_account(cursor=on, version=99),)))
    assert (await store.tidy(wall)).removed == {"equity": 2, "decisions": 1}
    kept = await store.equity("majors", since=NOON)
    assert [point.at for point in kept] == [after(60), after(61)]


async def test_each_trader_is_as_old_as_its_own_market(store: Store) -> None:
    points = tuple(a_point(after(n), trader=name) for n in (1, 2) for name in ("majors", "other"))
    on = NOON + timedelta(days=31)
    accounts = (an_account(cursor=on), an_account(trader="other", cursor=after(9)))
    await store.commit(Change(equity=points, accounts=accounts))

    await store.tidy(on)
    assert len(await store.equity("majors", since=NOON)) == 1
    assert len(await store.equity("other", since=NOON)) == 2


async def test_a_trader_that_has_no_account_yet_is_left_alone(store: Store) -> None:
    await store.commit(Change(equity=(a_point(after(1)), a_point(after(2)))))

    assert (await store.tidy(NOON + timedelta(days=99))).removed == {}


async def test_alerts_go_a_month_after_they_were_told_and_never_before(store: Store) -> None:
    await store.commit(Change(alerts=(an_alert("told"), an_alert("waits")), delivered=("told",)))
    assert (await store.tidy(NOON + timedelta(days=29))).removed == {}

    assert (await store.tidy(NOON + timedelta(days=31))).removed == {"alerts": 1}
    assert [alert.id for alert in await store.waiting_alerts(limit=9)] == ["waits"]


async def test_words_are_kept_for_a_year(store: Store) -> None:
    await store.commit(Change(audit=(a_word("old"), a_word("new", after(9)))))

    assert (await store.tidy(NOON + timedelta(days=365, minutes=5))).removed == {"words": 1}
    assert [word.id for word in await store.audit(limit=9)] == ["new"]
