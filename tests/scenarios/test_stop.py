"""What /stop and /flatten promise to a worried person."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from handlers.texts.describe import describe
from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, NOON, a_plan, an_order, skip_used
from tests.world import World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.common.precedence import PRECEDENCE
from trading.errors import Refused, VenueUnavailable
from trading.events import BooksDiffered, HaltAdvanced, HaltDelayed, HistoryFailed, PositionClosed
from trading.model.halt import EVERYONE, Halt, Latch, Reached, Stage, Verb
from trading.ports import Change, WritePriority
from trading.risk.limits import Limits
from trading.types import ExitReason, Held, OrderRole, OrderStatus, Side

BY = "ben, Telegram"


def stages(world: World) -> list[Stage]:
    (halt,) = world.desk.latch.active
    return [reached.stage for reached in halt.stages_of("majors")]


def goes_before_scans(world: World) -> bool:
    """Whether this desk holds up what computes beside it: there is one precedence for all."""
    return PRECEDENCE.is_taken_by(world.trader.enforcer.sweeping)


async def a_held_position(world: World) -> None:
    """Long BTC at 100 with its stop at 95 at the venue."""
    await world.minutes(2)
    assert BTC in world.trader.ledger.positions
    assert world.trader.protection.rests(BTC)


async def test_stop_cancels_resting_entries_and_says_how_many() -> None:
    async with a_world().running() as world:
        orders = [await world.rest_an_entry(price) for price in ("90", "91")]

        halting = await world.desk.stop(EVERYONE, by=BY, why="")

        (swept,) = halting.swept
        assert (swept.cancelled, swept.total, swept.confirmed) == (2, 2, True)
        assert sorted(world.venue.cancelled) == sorted(o.id for o in orders)
        assert not await world.venue.open_orders()


async def test_what_computes_beside_rests_until_the_last_cancel_has_left() -> None:
    async with a_world().running() as world:
        for price in ("90", "91"):
            await world.rest_an_entry(price)
        assert not goes_before_scans(world)

        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by=BY, why=""))
        await asyncio.sleep(0)
        assert goes_before_scans(world)
        assert not world.venue.cancelled
        await stopping

        assert not goes_before_scans(world)


async def test_a_pause_holds_up_no_scan() -> None:
    """It sends nothing, and nobody would ever give back what it took."""
    async with a_world().running() as world:
        await world.rest_an_entry("90")

        await world.desk.pause(EVERYONE, by=BY, why="")
        await settled()

        assert not goes_before_scans(world)


async def test_a_start_with_a_resting_entry_holds_up_no_scan() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry("90")

        world.trader.enforcer.wake()  # as each start does

        assert not goes_before_scans(world)


async def test_a_stop_that_cannot_be_carried_out_yet_holds_up_no_scan() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry("90")
        world.venue.faults.down = True

        await world.desk.stop(EVERYONE, by=BY, why="")

        assert not goes_before_scans(world)


async def test_stop_leaves_positions_and_their_stops() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)

        await world.desk.stop(EVERYONE, by=BY, why="")

        (resting,) = await world.venue.open_orders()
        assert world.trader.ledger.orders[resting.order_id].role is OrderRole.PROTECT
        assert BTC in world.trader.ledger.positions


async def test_exits_go_on_after_a_stop() -> None:
    async with a_world(100, 100, 100, 101, 96, 94, 93, wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        await world.desk.stop(EVERYONE, by=BY, why="")

        await world.minutes(4)

        (closed,) = world.heard(PositionClosed)
        assert isinstance(closed, PositionClosed)
        assert closed.trade.reason is ExitReason.STOP
        assert not world.trader.ledger.positions


async def test_no_entry_leaves_after_a_stop_even_if_it_was_already_waiting() -> None:
    async with a_world().running() as world:
        world.venue.gate.clear()
        entering = asyncio.create_task(world.rest_an_entry())
        await settled()
        assert world.venue.waiting == 1

        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by=BY, why=""))
        await settled()
        world.venue.gate.set()

        assert (await entering).status is OrderStatus.NOT_SENT
        assert (await stopping).swept[0].confirmed
        assert world.venue.placed == []


async def test_a_stop_does_not_wait_for_an_order_in_flight() -> None:
    async with a_world().running() as world:
        world.venue.gate.clear()
        entering = asyncio.create_task(world.rest_an_entry())
        await settled()

        halting = await world.desk.stop(EVERYONE, by=BY, why="")

        (swept,) = halting.swept
        assert (swept.confirmed, swept.resting) == (False, 1)
        world.venue.gate.set()
        await entering


async def test_stop_then_resume_does_not_let_an_old_entry_through() -> None:
    async with a_world().running() as world:
        world.venue.gate.clear()
        entering = asyncio.create_task(world.rest_an_entry())
        await settled()
        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by=BY, why=""))
        await settled()
        (halt,) = world.desk.latch.active
        await world.desk.resume([halt.id], by=BY)
        world.venue.gate.set()
        await stopping

        assert (await entering).status is OrderStatus.NOT_SENT
        assert world.venue.placed == []


async def test_with_the_venue_down_the_stop_is_latched_and_retried_until_confirmed() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry()
        world.venue.faults.down = True

        halting = await world.desk.stop(EVERYONE, by=BY, why="")

        (swept,) = halting.swept
        assert (swept.confirmed, swept.resting, halting.durable) == (False, 1, True)
        assert swept.problem == "connection refused"
        world.venue.faults.down = False
        for _ in range(10):
            world.clock.advance(1)
            await settled()
        assert Stage.CANCELS_CONFIRMED in stages(world)
        assert not await world.venue.open_orders()


async def test_who_was_added_under_an_older_stop_has_waited_only_since_then() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry()
        world.venue.faults.down = True
        before = world.clock.now() - timedelta(minutes=5)
        requested = Reached(stage=Stage.REQUESTED, at=before)
        world.halter.take_over(
            Halt(id="H7", scope=EVERYONE, verb=Verb.STOP, by=BY, why="", at=before,
                 stages=(("another", requested),))
        )  # fmt: skip
        for _ in range(5):
            world.clock.advance(1)
            await settled()
        assert not world.heard(HaltDelayed)

        world.venue.faults.down = False
        for _ in range(10):
            world.clock.advance(1)
            await settled()

        advanced = [event for event in world.heard(HaltAdvanced) if isinstance(event, HaltAdvanced)]
        (told,) = [
            describe(event) for event in advanced if event.reached.stage is Stage.CANCELS_CONFIRMED
        ]
        assert told is not None
        assert "confirmed in 30" not in told.title, "that is how old the stop itself is"
        assert not world.heard(HaltDelayed)


async def test_a_stage_unconfirmed_for_a_minute_is_a_new_message_then_an_hour_is_quiet() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry()
        world.venue.faults.down = True
        await world.desk.stop(EVERYONE, by=BY, why="")

        for _ in range(600):
            world.clock.advance(1)
            await settled(12)

        assert len(world.heard(HaltDelayed)) == 1


async def test_each_stage_of_a_flatten_is_noted_in_order() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        await world.rest_an_entry()

        await world.desk.flatten("majors", by=BY, why="")
        await settled()

        (halt,) = world.desk.latch.active
        noted = {r.stage: r.note for r in halt.stages_of("majors")}
        assert sorted(noted) == sorted(set(Stage) - {Stage.FLAT_EXCEPT_DUST, Stage.FLAT_BLOCKED})
        assert list(noted)[-1] is Stage.FLAT
        assert noted[Stage.CANCELS_SENT] == "1"
        assert noted[Stage.CANCELS_CONFIRMED] == "1/1"
        assert noted[Stage.FLATTENING] == "1"
        assert halt.missing("majors") == ()


async def test_cancels_that_have_left_are_told_from_those_that_are_confirmed() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry("90")
        await world.rest_an_entry("91")
        world.venue.faults.cancel = ["unavailable", "drop", "drop", "drop"]

        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by=BY, why=""))
        await settled()
        assert Stage.CANCELS_SENT not in stages(world), "one of them is still here"
        world.clock.advance(0.05)
        await settled()

        assert stages(world)[-1] is Stage.CANCELS_SENT
        await stopping
        await seconds(world, 2)
        assert stages(world)[-1] is Stage.CANCELS_CONFIRMED


async def test_a_halt_is_told_as_saved_once_it_is() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    store.refuse("the disk is full")
    async with a_world(store=store).running() as world:
        world.latch_file.refuses = True
        halting = await world.desk.pause(EVERYONE, by=BY, why="")
        assert not halting.durable
        assert Stage.SAVED not in stages(world)

        world.latch_file.refuses = False
        await seconds(world, 2)

        (halt,) = world.desk.latch.active
        saved = next(r for r in halt.stages_of("majors") if r.stage is Stage.SAVED)
        assert saved.at > halt.at
        assert halt.missing("majors") == ()


async def test_what_is_carried_out_is_not_called_unconfirmed() -> None:
    """The pause is all that it wants to be; the stop beside it waits for the venue."""
    async with a_world().running() as world:
        await world.rest_an_entry()
        await world.desk.pause(EVERYONE, by=BY, why="")
        world.venue.faults.down = True
        stop = await world.desk.stop(EVERYONE, by=BY, why="")

        await seconds(world, 90)

        (delayed,) = world.heard(HaltDelayed)
        assert isinstance(delayed, HaltDelayed)
        assert delayed.halt.id == stop.halt.id


async def test_a_stage_reached_while_a_halt_is_being_lifted_does_not_bring_it_back() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        await world.rest_an_entry()
        world.venue.faults.down = True
        halting = await world.desk.stop(EVERYONE, by=BY, why="")
        world.latch_file.gate.clear()

        lifting = asyncio.create_task(world.desk.resume([halting.halt.id], by=BY))
        await settled()
        world.venue.faults.down = False
        world.clock.advance(1)
        await settled()
        assert Stage.CANCELS_CONFIRMED in stages(world)
        world.latch_file.gate.set()
        await lifting
        await settled()

        assert list(await store.halts()) == []
        assert world.latch_file.halts == ()


async def test_one_stuck_order_does_not_save_the_others() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry("90")
        await world.rest_an_entry("91")
        world.venue.faults.cancel = ["unavailable", "", "unavailable"]

        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by=BY, why=""))
        await settled()

        assert len(world.venue.cancelled) == 1
        world.clock.advance(1)
        assert (await stopping).swept[0].confirmed


async def test_a_second_stop_keeps_the_first_and_sweeps_again() -> None:
    async with a_world().running() as world:
        first = await world.desk.stop(EVERYONE, by=BY, why="")

        again = await world.desk.stop(EVERYONE, by="cleo, console", why="")

        assert again.earlier == again.halt
        assert again.halt.id == first.halt.id
        assert world.desk.latch.asked_again(first.halt.id) == ("cleo, console",)
        assert again.swept[0].confirmed


async def test_two_operators_at_once_each_get_a_true_answer() -> None:
    async with a_world().running() as world:
        await world.rest_an_entry()

        ben, cleo = await asyncio.gather(
            world.desk.stop(EVERYONE, by="ben", why=""),
            world.desk.stop(EVERYONE, by="cleo", why=""),
        )

        assert ben.earlier is None
        assert cleo.earlier is not None
        assert cleo.earlier.by == "ben"
        assert all(s.confirmed for s in (*ben.swept, *cleo.swept))


async def test_a_stop_during_the_comparison_at_start_is_latched_and_carried_out_after_it() -> None:
    world = a_world()
    halting = await world.desk.stop(EVERYONE, by=BY, why="")
    assert halting.swept[0].problem == "the books are still being compared with the venue"

    async with world.running():
        await settled()
        assert Stage.CANCELS_CONFIRMED in stages(world)


async def test_before_the_books_are_compared_entries_are_cancelled_and_nothing_is_closed() -> None:
    """What is held may have been closed meanwhile: a second sale would be of somebody else's."""
    store, book, clock = MemoryStore(clock=ManualClock(NOON)), MemoryJournal(), ManualClock(NOON)
    async with a_world(wishes=[wish(2)], store=store, book=book, clock=clock).running() as before:
        await a_held_position(before)
        await before.rest_an_entry()
    world = a_world(store=store, book=book, clock=clock, first_id=100)
    await world.trader.load()
    await world.venue.open(world.trader.orders.outcomes.hear)

    async with world.trader.obeying():
        await world.desk.flatten(EVERYONE, by=BY, why="")

        assert [r.status for r in await world.venue.open_orders()] == [OrderStatus.OPEN], "the stop"
        assert BTC in await world.venue.positions()
        assert "being compared" in world.view().holding_up
    async with world.running():
        await seconds(world, 2)
        assert stages(world)[-1] is Stage.FLAT


async def test_a_halt_is_durable_when_only_the_latch_file_takes_it() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        await world.rest_an_entry()
        store.refuse("the disk is full")

        halting = await world.desk.stop(EVERYONE, by=BY, why="")

        assert halting.durable
        assert halting.swept[0].confirmed
        assert [h.id for h in world.latch_file.halts] == ["H1"]
        assert world.heard(HistoryFailed)


async def test_what_the_database_missed_is_written_when_it_is_back() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        await world.rest_an_entry()
        store.refuse("the disk is full")
        await world.desk.stop(EVERYONE, by=BY, why="")
        assert world.recorder.unsaved

        store.accept()
        await world.recorder.retry()

        assert world.recorder.unsaved == 0
        assert [h.id for h in await store.halts()] == ["H1"]
        assert not (await store.books("majors")).orders


async def test_only_the_named_trader_is_stopped() -> None:
    async with a_world().running() as world:
        await world.desk.stop("somebody-else", by=BY, why="")

        order = await world.rest_an_entry()

        assert order.status is OrderStatus.OPEN


@pytest.mark.parametrize("verb", Verb)
async def test_a_stop_of_the_only_trader_rests_on_none_that_holds_it_by_name_alone(
    verb: Verb,
) -> None:
    """As one does that was made while there were others: it holds nobody who comes later."""
    async with a_world().running() as world:
        desk, latch = world.desk, world.desk.latch
        halt_now = {Verb.PAUSE: desk.pause, Verb.STOP: desk.stop, Verb.FLATTEN: desk.flatten}[verb]
        world.halter.engage(scope="majors", verb=verb, by=BY, why="")
        assert not latch.covering("renamed")

        first = await halt_now("majors", by=BY, why="")
        again = await halt_now("majors", by=BY, why="")

        assert [h.verb for h in latch.covering("renamed")] == [verb]
        assert again.halt.id == first.halt.id, "on that one the next rests"


async def test_a_stage_is_told_once_though_who_reaches_it_knows_an_older_halt() -> None:
    async with a_world().running() as world:
        halt = world.halter.engage(scope="majors", verb=Verb.STOP, by=BY, why="")
        for _ in range(2):
            world.halter.reach(halt, "majors", Stage.CANCELS_CONFIRMED)
            await world.halter.settle()

        told = [e.reached.stage for e in world.heard(HaltAdvanced) if isinstance(e, HaltAdvanced)]
        assert told.count(Stage.CANCELS_CONFIRMED) == 1


async def test_a_verb_said_again_below_a_stricter_one_makes_no_halt_more() -> None:
    async with a_world().running() as world:
        desk = world.desk
        for act in (desk.flatten, desk.stop, desk.stop, desk.pause, desk.pause, desk.flatten):
            await act(EVERYONE, by=BY, why="")

        assert [h.verb for h in desk.latch.active] == [Verb.FLATTEN, Verb.STOP, Verb.PAUSE]
        last = await desk.pause(EVERYONE, by="anna", why="")
        assert last.halt.verb is Verb.PAUSE
        assert last.earlier is not None
        assert last.earlier.verb is Verb.FLATTEN
        assert desk.latch.asked_again(last.halt.id) == (BY, "anna")


async def test_pause_leaves_resting_entries_and_takes_no_new_ones() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        resting = await world.rest_an_entry("50", "0.5")
        await world.desk.pause(EVERYONE, by=BY, why="")

        await world.minutes(3)

        assert world.trader.ledger.orders[resting.id].status is OrderStatus.OPEN
        assert [o.id for o in world.venue.placed] == [resting.id]
        assert not world.trader.ledger.positions


# -- flatten ------------------------------------------------------------------------------


async def test_flatten_closes_everything_and_takes_the_stops_away_once_flat() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)

        await world.desk.flatten(EVERYONE, by=BY, why="")
        await settled()

        assert stages(world)[-1] is Stage.FLAT
        assert not await world.venue.positions()
        assert not await world.venue.open_orders()
        (closed,) = world.heard(PositionClosed)
        assert isinstance(closed, PositionClosed)
        assert (closed.trade.reason, closed.trade.by) == (ExitReason.FLATTEN, BY)


async def test_flatten_works_after_a_stop() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        await world.desk.stop(EVERYONE, by=BY, why="")

        await world.desk.flatten(EVERYONE, by=BY, why="")
        await settled()

        assert not await world.venue.positions()


async def test_a_close_without_an_answer_is_asked_about_and_never_sent_twice() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        before = len(world.venue.placed)
        world.venue.faults.place = ["drop"]

        await world.desk.flatten(EVERYONE, by=BY, why="")
        for _ in range(5):
            world.clock.advance(1)
            await settled()

        assert len(world.venue.placed) == before + 1
        assert stages(world)[-1] is Stage.FLAT


async def test_a_refused_close_is_tried_again_until_flat() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.faults.place = ["refuse", "unavailable"]

        await world.desk.flatten(EVERYONE, by=BY, why="")
        for _ in range(10):
            world.clock.advance(1)
            await settled()

        assert stages(world)[-1] is Stage.FLAT


async def test_a_close_that_is_refused_again_and_again_says_which_and_why() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.faults.place = ["refuse"] * 4

        await world.desk.flatten(EVERYONE, by=BY, why="")
        for _ in range(20):
            world.clock.advance(1)
            await settled()

        assert Stage.FLAT_BLOCKED in stages(world)
        blocked = next(
            e
            for e in world.heard(HaltAdvanced)
            if isinstance(e, HaltAdvanced) and e.reached.stage is Stage.FLAT_BLOCKED
        )
        assert blocked.reached.note == "BTC: Post-only would match."
        assert stages(world)[-1] is Stage.FLAT


async def test_the_refusals_of_an_earlier_flatten_do_not_block_the_next() -> None:
    limits = Limits(max_position=Decimal("0.5"), symbol_rest=timedelta(0))
    async with a_world(wishes=[wish(2), wish(5)], limits=limits).running() as world:
        await a_held_position(world)
        world.venue.faults.place = ["refuse"] * 4
        first = await world.desk.flatten(EVERYONE, by=BY, why="")
        await seconds(world, 20)
        await world.desk.resume([first.halt.id], by=BY)
        await world.minutes(4)
        assert BTC in world.trader.ledger.positions
        world.venue.faults.place = ["refuse"]

        second = await world.desk.flatten(EVERYONE, by=BY, why="")
        await seconds(world, 20)

        reached = [r.stage for h in world.desk.latch.active for r in h.stages_of("majors")]
        assert second.halt.id != first.halt.id
        assert Stage.FLAT in reached
        assert Stage.FLAT_BLOCKED not in reached


async def test_a_halt_of_another_trader_takes_nothing_from_what_is_told_of_ours() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        await world.desk.flatten(EVERYONE, by=BY, why="")
        (closed,) = world.trader.enforcer.flattening.closes()

        world.halter.engage(scope="another", verb=Verb.STOP, by=BY, why="")

        assert world.trader.enforcer.flattening.closes() == (closed,)


async def test_flat_is_told_only_once_the_venue_says_so() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.strange = {BTC: Held(long=Decimal("0.4"))}

        await world.desk.flatten(EVERYONE, by=BY, why="")
        await settled()

        assert world.trader.ledger.positions == {}
        assert stages(world)[-1] is Stage.FLAT, "ours is; theirs is theirs"
        kinds = [type(event) for event in world.said]
        (told,) = world.heard(BooksDiffered)
        assert isinstance(told, BooksDiffered)
        assert (told.ours, told.venue) == (Decimal(0), Decimal("0.4")), (
            "whose it is was looked at first"
        )
        assert kinds.index(BooksDiffered) < len(kinds) - kinds[::-1].index(HaltAdvanced) - 1


async def test_told_to_flatten_again_it_still_asks_the_venue_about_what_it_closed() -> None:
    """A second press must not make it forget what the first one waits for."""
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.strange = {BTC: Held(long=Decimal("0.4"))}
        async with (
            world.trader.cycles._busy
        ):  # the books cannot be compared: whose it is stays open
            await world.desk.flatten(EVERYONE, by=BY, why="")

            again = await world.desk.flatten(EVERYONE, by=BY, why="")
            await seconds(world, 3)

            assert not again.flat
            assert Stage.FLAT not in stages(world)
            assert world.view().holding_up == "BTC: the venue still has 0.4"


async def test_flat_waits_for_a_stop_of_which_nothing_is_known_yet() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        stop = world.trader.orders.prepare(
            symbol=BTC, side=Side.SELL, role=OrderRole.PROTECT, quantity=Decimal(1),
            stop_price=Decimal(90),
        )  # fmt: skip

        halting = await world.desk.flatten(EVERYONE, by=BY, why="")

        assert not halting.flat
        assert world.trader.ledger.positions == {}
        assert world.view().holding_up == "stops of BTC have not ended yet"
        await seconds(world, 5)
        assert not world.trader.ledger.orders[stop.id].is_alive
        assert stages(world)[-1] is Stage.FLAT


async def test_what_fills_after_all_once_it_was_flat_is_closed_too() -> None:
    async with a_world().running() as world:
        late = world.trader.orders.prepare(
            symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=Decimal(1), plan=a_plan()
        )
        world.venue.faults.place = ["lost"]
        await world.trader.orders.enter(late, world.desk.latch.permit("majors"))
        halting = await world.desk.flatten(EVERYONE, by=BY, why="")
        assert halting.flat, "the venue has said twice that it never had it"

        world.trader.orders.outcomes.hear(await world.venue.arrives_late(late))
        assert BTC in world.trader.ledger.positions
        assert world.trader.resume_refusal(halting.halt) != ""
        await seconds(world, 3)

        assert world.trader.ledger.positions == {}
        assert await world.venue.positions() == {}
        assert world.heard(PositionClosed)


async def test_an_entry_that_our_books_believe_ended_is_cancelled_where_the_venue_has_it() -> None:
    async with a_world().running() as world:
        world.venue.faults.place = ["drop"]
        resting = await world.rest_an_entry()
        world.venue.faults.hide = {resting.id}
        await world.trader.orders.resolve(resting)
        assert world.trader.ledger.orders[resting.id].status is OrderStatus.ABSENT

        await world.desk.stop(EVERYONE, by=BY, why="")

        assert not await world.venue.open_orders()


async def test_what_a_dead_process_wrote_down_and_never_sent_ends_by_its_window() -> None:
    """No comparison of the books is due: the stop alone has to find out."""
    store, clock = MemoryStore(clock=ManualClock(NOON)), ManualClock(NOON)
    never_sent = an_order(id="qd-test-e-1", created_at=NOON)
    await store.commit(Change(orders=(never_sent,)), WritePriority.ENTRY)
    world = a_world(store=store, clock=clock, first_id=100)
    world.venue.window = 30.0
    async with world.running():
        await world.desk.stop(EVERYONE, by=BY, why="")
        assert stages(world)[-1] is Stage.SAVED
        await seconds(world, 31)

        assert stages(world)[-1] is Stage.CANCELS_CONFIRMED
        assert world.trader.ledger.orders[never_sent.id].status is OrderStatus.ABSENT


async def seconds(world: World, count: int) -> None:
    for _ in range(count):
        world.clock.advance(1)
        await settled()


# -- resume -------------------------------------------------------------------------------


async def test_resume_is_refused_while_flattening() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.faults.down = True
        halting = await world.desk.flatten(EVERYONE, by=BY, why="")

        with pytest.raises(Refused, match="still being flattened"):
            await world.desk.resume([halting.halt.id], by=BY)


async def test_resume_is_refused_until_the_venue_has_confirmed_flat() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await a_held_position(world)
        world.venue.strange = {BTC: Held(long=Decimal("0.4"))}
        async with world.trader.cycles._busy:
            halting = await world.desk.flatten(EVERYONE, by=BY, why="")
            assert world.trader.ledger.positions == {}

            with pytest.raises(Refused, match="the venue has not confirmed it"):
                await world.desk.resume([halting.halt.id], by=BY)


async def test_a_stop_while_another_is_being_lifted_is_one_of_its_own() -> None:
    """Kept as the one that goes, it would go with it."""
    async with a_world().running() as world:
        first = await world.desk.stop(EVERYONE, by=BY, why="")
        world.latch_file.gate.clear()
        lifting = asyncio.create_task(world.desk.resume([first.halt.id], by=BY))
        await settled()

        stopping = asyncio.create_task(world.desk.stop(EVERYONE, by="cleo, console", why=""))
        await settled()
        world.latch_file.gate.set()
        await lifting
        second = await stopping

        assert world.desk.latch.active == (world.desk.latch.get(second.halt.id),)
        assert second.halt.id != first.halt.id


async def test_resume_lifts_only_what_was_named() -> None:
    async with a_world().running() as world:
        pause = await world.desk.pause(EVERYONE, by=BY, why="")
        stop = await world.desk.stop(EVERYONE, by=BY, why="")

        await world.desk.resume([stop.halt.id], by=BY)

        assert [h.id for h in world.desk.latch.active] == [pause.halt.id]
        with pytest.raises(Refused, match="no halt"):
            await world.desk.resume(["H9"], by=BY)


async def test_a_resume_that_cannot_be_remembered_does_not_happen() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        halting = await world.desk.stop(EVERYONE, by=BY, why="")
        await world.halter.settle()
        store.refuse("the disk is full")

        with pytest.raises(Refused, match="could not be saved"):
            await world.desk.resume([halting.halt.id], by=BY)

        assert world.desk.latch.active
        assert [h.id for h in world.latch_file.halts] == ["H1"]


async def test_losses_past_the_daily_limit_halt_and_an_owner_may_measure_afresh() -> None:
    limits = Limits(
        max_position=Decimal("0.5"), max_daily_loss=Decimal("0.01"), risk_per_trade=Decimal("0.05")
    )
    falling = (100, 100, 100, *[96] * 9)
    async with a_world(*falling, wishes=[wish(2, stop=90.0)], limits=limits).running() as world:
        await a_held_position(world)

        await world.minutes(2)
        assert not world.desk.latch.active
        await world.minutes(1)

        (halt,) = world.desk.latch.active
        assert (halt.guard, halt.by) == ("day", "guard")
        with pytest.raises(Refused, match="past"):
            await world.desk.resume([halt.id], by=BY)
        await world.desk.resume([halt.id], by=BY, rebase=True)
        assert world.desk.latch.active == ()
        await world.minutes(3)
        assert world.desk.latch.active == ()


async def test_an_unavailable_venue_at_start_is_said_and_tried_again() -> None:
    world = a_world()
    world.venue.faults.down = True
    with pytest.raises(VenueUnavailable):
        await world.start()
    assert not world.trader.ready

    world.venue.faults.down = False
    async with world.running():
        assert world.trader.ready


async def test_the_latch_keeps_what_was_lifted_lifted_after_a_restart() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        halting = await world.desk.stop(EVERYONE, by=BY, why="")
        await world.halter.settle()
        await world.desk.resume([halting.halt.id], by=BY)
        await world.halter.settle()

    assert await store.halts() == ()
    assert world.latch_file.halts == ()
    later = Latch()
    await skip_used(later, store)
    assert later.numbers.used == 1


async def test_entries_at_any_moment_around_a_stop_never_leave_after_it() -> None:
    """Twenty entries at different stages of their way; the stop falls between them."""
    async with a_world().running() as world:
        entering = []
        for number in range(20):
            entering.append(asyncio.create_task(world.rest_an_entry(str(50 + number), "0.1")))
            await asyncio.sleep(0)
        await world.desk.stop(EVERYONE, by=BY, why="")
        left_before = list(world.venue.placed)
        await asyncio.gather(*entering)
        await settled()

        assert world.venue.placed == left_before
        assert not await world.venue.open_orders()
        assert not world.trader.ledger.alive_of(OrderRole.ENTRY)
        assert all(o.side is Side.BUY and o.quantity == Decimal("0.1") for o in left_before)
