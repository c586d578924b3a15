"""A trader whose prices come from sources that vote: what it enters, leaves, tells and shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from handlers.texts import status
from tests.builders import BTC, NOON
from tests.fakes import LivePrices
from tests.world import World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.errors import VenueUnavailable
from trading.events import FeedLost, PricesCleared, PricesDoubted
from trading.execution.orders import Orders
from trading.types import ExitReason, OrderRole
from trading.venues.vote import VoteFeed
from trading.venues.vote_source import VoteSource


class Prices(LivePrices):
    def __init__(self, name: str, clock: ManualClock) -> None:
        super().__init__(clock)
        self.name = name
        self.is_down = False

    async def closes(self, after: datetime) -> Sequence[datetime]:
        if self.is_down:
            raise VenueUnavailable("the exchange does not answer")
        return await super().closes(after)


class Voters:
    """A world on three sources; orders go to the market of the first."""

    def __init__(self, *minutes: int, count: int = 3) -> None:
        self.clock = ManualClock(NOON)
        self.sources = [Prices(name, self.clock) for name in ("binance", "bybit", "okx")[:count]]
        feed = VoteFeed(
            name="many",
            sources=[VoteSource(feed=source, weight=1) for source in self.sources],
            own=0,
            far=0.005,
            least=2,
            symbols=(BTC,),
            clock=self.clock,
        )
        wishes = [wish(minute) for minute in minutes]
        self.world: World = a_world(wishes=wishes, clock=self.clock, feed=feed, bars_of=feed.own)

    @property
    def orders(self) -> Orders:
        return self.world.trader.orders

    async def minute(self, *prices: str) -> None:
        """All quote these, and a bar closes at them."""
        for source, price in zip(self.sources, prices, strict=True):
            source.tick(price)
        await self.world.minutes()

    async def seconds(self, count: int) -> None:
        """In steps of one."""
        for _ in range(count):
            self.clock.advance(1)
            await settled(5)

    def told(self) -> list[str]:
        kinds = (PricesDoubted, PricesCleared)
        return [
            f"{type(event).__name__} {event.doubt.kind.value} {event.doubt.source}".strip()
            for event in self.world.said
            if isinstance(event, kinds)
        ]

    async def refusal(self) -> str:
        decisions = await self.world.store.decisions("majors", BTC, limit=1)
        return decisions[0].reason if decisions else ""


async def test_a_liar_holds_up_no_entry_and_is_told_once_until_it_is_over() -> None:
    voters = Voters(1)
    async with voters.world.running():
        await voters.minute("100", "100.1", "130")
        assert voters.orders.ledger.positions.keys() == {BTC}
        for _ in range(3):
            await voters.minute("100", "100.1", "130")
        assert voters.told() == ["PricesDoubted accused okx"]
        shown = status.one(voters.world.view())
        assert "source okx is not believed about BTC" in shown.title
        assert "by binance and bybit" in shown.text

        await voters.minute("100", "100.1", "100.2")
        await voters.minute("100", "100.1", "100.2")
        assert voters.told() == ["PricesDoubted accused okx", "PricesCleared accused okx"]
        assert "by binance, bybit and okx" in status.one(voters.world.view()).text


async def test_while_two_differ_nothing_is_entered_and_what_is_held_is_left() -> None:
    voters = Voters(1, 3, count=2)
    async with voters.world.running():
        await voters.minute("100", "100.1")
        assert voters.orders.ledger.positions.keys() == {BTC}
        await voters.minute("94", "100.1")
        assert not voters.orders.ledger.positions, "the stop goes by the own market"
        trade = voters.orders.ledger.trades[0]
        assert trade.reason is ExitReason.STOP

        await voters.minute("94", "100.1")
        assert not voters.orders.ledger.alive_of(OrderRole.ENTRY)
        assert voters.told()[0] == "PricesDoubted differ"


async def test_a_wish_from_before_they_differed_is_refused_with_their_prices() -> None:
    voters = Voters(1, count=2)
    async with voters.world.running():
        voters.clock.advance(59)
        for source in voters.sources:
            source.tick("100")
        voters.clock.advance(1)
        voters.sources[1].tick("102")
        await voters.world.trader.cycle()
        assert not voters.orders.ledger.positions
        assert await voters.refusal() == "its sources differ: binance 100, bybit 102"


async def test_with_its_own_market_silent_it_still_leaves_by_the_price_of_the_others() -> None:
    voters = Voters(1)
    async with voters.world.running():
        await voters.minute("100", "100.1", "100.2")
        assert voters.orders.ledger.positions.keys() == {BTC}
        for _ in range(2):
            for source in voters.sources[1:]:
                source.tick("99")
            await voters.world.minutes()
        mark = voters.world.trader.valuer.quote(BTC)
        assert mark is not None
        assert mark.price == Decimal(99)


async def test_on_paper_the_loss_of_its_own_market_is_not_the_loss_of_prices() -> None:
    voters = Voters(1, 4)
    async with voters.world.running():
        await voters.minute("100", "100.1", "100.2")
        voters.sources[0].is_down = True
        for _ in range(2):
            for source in voters.sources[1:]:
                source.tick("94")
            await voters.world.minutes()
        assert voters.orders.ledger.positions.keys() == {BTC}, "paper fills in the own bars"
        assert not [event for event in voters.world.said if isinstance(event, FeedLost)]
        assert voters.world.trader.cycles.cursor == voters.clock.now()

        voters.sources[0].is_down = False
        await voters.minute("94", "94", "94")
        assert voters.orders.ledger.trades[0].reason is ExitReason.STOP


async def test_sources_that_differ_for_a_moment_are_not_told() -> None:
    voters = Voters()
    async with voters.world.running():
        for source, price in zip(voters.sources, ("100", "101", "103"), strict=True):
            source.tick(price)
        await voters.seconds(5)
        for source in voters.sources:
            source.tick("100")
        await voters.seconds(90)
        assert voters.told() == []


async def test_a_stop_is_not_sold_by_who_differed_from_its_market_that_fell_silent() -> None:
    voters = Voters(1, count=2)
    async with voters.world.running():
        await voters.minute("100", "100.1")
        assert voters.orders.ledger.positions.keys() == {BTC}
        await voters.minute("100", "90")
        for _ in range(3):
            voters.sources[1].tick("90")
            await voters.world.minutes()
        mark = voters.world.trader.valuer.quote(BTC)
        assert mark is not None
        assert mark.price == Decimal(100)
        assert voters.orders.ledger.positions.keys() == {BTC}
        view = voters.world.view()
        assert "not believed alone" in status.one(view).lead
        await voters.world.desk.flatten("majors", by="ben, Telegram", why="")
        await voters.seconds(5)
        assert not voters.orders.ledger.positions, "a person closes at market all the same"


async def test_a_source_whose_candles_fail_is_not_called_silent_and_its_prices_are_named() -> None:
    voters = Voters()
    async with voters.world.running():
        await voters.minute("100", "100.1", "100.2")
        voters.sources[0].is_down = True
        for _ in range(2):
            await voters.minute("100", "100.1", "100.2")
        await voters.seconds(10)
        assert voters.told() == ["PricesDoubted candles binance"]
        shown = status.one(voters.world.view())
        assert "binance tells prices but no candles; the exchange does not" in shown.lead
        assert "silent" not in shown.lead + shown.title
        assert "by binance, bybit and okx" in shown.text
