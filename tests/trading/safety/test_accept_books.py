"""Money that no trade explains holds entries back, until an owner takes it over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from handlers.caller import Caller, Role
from handlers.reply import Outcome
from tests.builders import BTC, an_exit, an_order
from tests.scenarios.test_by_hand import Chat
from tests.trading.execution.test_reconcile import Files, by_hand
from tests.world import World, settled, wish
from trading.errors import Refused
from trading.events import BalanceAccepted, EntriesBlocked, EntriesFreed
from trading.types import AccountState

D = Decimal
LOST = D(400)
ANNA = Caller("telegram:1", "anna", Role.OWNER, "Telegram", "telegram:1")


def a_desk(files: Files) -> World:
    return files.a_desk(wishes=[wish(2), wish(20)], commission="0.001")


async def differ(world: World) -> AccountState:
    """Money goes without a word, and our position past us; what the account was then."""
    await world.minutes(2)
    world.venue.untold = -LOST
    await by_hand(world, an_exit(id="theirs", quantity=world.trader.ledger.positions[BTC].quantity))
    await world.trader.reconcile()
    await settled()
    assert "wallet" in world.trader.block
    return world.trader.ledger.account


async def test_an_owner_takes_the_difference_over_and_entries_go_on() -> None:
    files = Files()
    async with a_desk(files).running() as world:
        before = await differ(world)
        chat = Chat(world, ANNA)

        asked = await chat.say("/accept_books")
        done = await chat.yes(asked)

        gap = await world.venue.wallet() - before.wallet
        assert gap < 0
        assert f"{gap:.2f}\u00a0USDT that no trade explains" in asked.text
        assert done.title == "✓ Venue's wallet accepted: majors (paper)"
        after = world.trader.ledger.account
        moved = [after.peak, after.day_start, after.week_start]
        assert moved == [n + gap for n in (before.peak, before.day_start, before.week_start)]
        assert after.wallet - after.day_start == before.wallet - before.day_start, "no loss"
        (told,) = (e for e in world.said if isinstance(e, BalanceAccepted))
        assert (told.amount, told.by, told.origin) == (gap, ANNA.signature, ANNA.chat)
        assert len(world.heard(EntriesFreed)) == 1
        note = await world.store.note("balance_accepted:majors")
        assert note is not None
        assert str(gap) in note
        assert ANNA.signature in note

        await world.trader.reconcile()
        assert world.trader.block == ""
        await world.minutes(18)
        assert BTC in world.trader.ledger.positions, "the next entry is taken"

    again = a_desk(files)
    again.venue.untold = -LOST
    async with again.running():
        assert again.trader.block == "", "a restart knows it too"


async def test_only_an_owner_may_and_nothing_happens_without_a_yes() -> None:
    async with a_desk(Files()).running() as world:
        before = await differ(world)

        refused = await Chat(world).say("/accept_books")
        asked = await Chat(world, ANNA).say("/accept_books")

        assert refused.outcome is Outcome.REFUSED
        assert asked.outcome is Outcome.CONFIRM
        assert world.trader.ledger.account.wallet == before.wallet
        assert len(world.heard(EntriesBlocked)) == 1


async def test_books_that_are_equal_leave_nothing_to_accept() -> None:
    async with a_desk(Files()).running() as world:
        with pytest.raises(Refused, match="nothing to accept"):
            await world.desk.acceptance("majors").gap()


async def test_a_position_that_is_not_ours_is_no_matter_of_money() -> None:
    async with a_desk(Files()).running() as world:
        await by_hand(world, an_order(id="theirs", quantity=D(2)))

        with pytest.raises(Refused, match="Not only the wallet differs: BTC: 2 at the venue"):
            await world.desk.acceptance("majors").gap()


async def test_a_yes_counts_for_the_difference_that_was_shown() -> None:
    async with a_desk(Files()).running() as world:
        before = await differ(world)
        shown = await world.desk.acceptance("majors").gap()
        await by_hand(world, an_order(id="more", quantity=D(2)))
        await by_hand(world, an_exit(id="gone", quantity=D(2)))

        with pytest.raises(Refused, match="has changed since you were asked"):
            await world.desk.acceptance("majors").accept(shown, by=ANNA.signature)

        assert world.trader.ledger.account.wallet == before.wallet
        assert "wallet" in world.trader.block


async def test_what_would_leave_nothing_to_measure_from_is_refused() -> None:
    async with a_desk(Files()).running() as world:
        await differ(world)
        gap = await world.desk.acceptance("majors").gap()
        world.trader.ledger.change_account(peak=-gap.amount)

        with pytest.raises(Refused, match="Nothing would be left to measure losses from"):
            await world.desk.acceptance("majors").accept(gap, by=ANNA.signature)
