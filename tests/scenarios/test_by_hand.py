"""What people do by hand, on a real desk: checked like a signal, protected like any position."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

import pytest

from chatbot.app.backtests import ProcessBacktests
from handlers import load_commands
from handlers.caller import Caller, Role
from handlers.confirmations import Confirmations
from handlers.context import Services
from handlers.dispatch import Dispatcher
from handlers.message import Message
from handlers.reply import Level, Outcome, Reply
from tests.builders import BTC, ETH, NOON
from tests.handlers.story import shown
from tests.world import World, a_world, settled, wish
from trading.events import PositionOpened, StopMoved
from trading.market.candles import Candles
from trading.model.halt import Verb
from trading.risk.limits import Limits
from trading.safety.desk_limits import DeskLimits, DeskRisk
from trading.types import Depth, Held, Mode, OrderRole, OrderStatus, Side

BEN = Caller("telegram:2", "ben", Role.OPERATOR, "Telegram", "telegram:2")
COMMANDS = load_commands()
DEEP = Depth(
    bid=Decimal("99.9"), ask=Decimal(100), bids=Decimal(99_999), asks=Decimal(99_999), at=NOON
)
ROOMY = Limits(max_position=Decimal("0.5"))


@dataclass
class Chat:
    """ben at his phone, before a real desk."""

    world: World
    caller: Caller = BEN

    def __post_init__(self) -> None:
        numbers = itertools.count(10)
        clock = self.world.clock
        self.dispatcher = Dispatcher(
            Services(
                name="harbour",
                version="0.1.0",
                desk=self.world.desk,
                store=self.world.store,
                clock=clock,
                commands=COMMANDS,
                confirmations=Confirmations(clock, lambda: f"AA{next(numbers)}"),
                administration=cast("Any", None),
                backtests=ProcessBacktests(),
                notices=cast("Any", None),
            )
        )

    async def say(self, text: str, *, late: float = 0) -> Reply:
        message = Message(self.caller, text, self.world.clock.now())
        self.world.clock.advance(late)
        reply = await self.dispatcher.handle(message)
        await settled()
        return reply

    async def yes(self, reply: Reply) -> Reply:
        assert reply.outcome is Outcome.CONFIRM, shown(reply)
        return await self.say(reply.choices[-1].command)

    def sent(self, role: OrderRole) -> list[Decimal]:
        return [o.quantity for o in self.world.venue.placed if o.role is role]

    async def resting(self, role: OrderRole) -> list[Any]:
        found = [r.order for r in await self.world.venue.open_orders()]
        return [o for o in found if o is not None and o.role is role]


async def test_an_entry_by_hand_gets_its_stop_at_the_venue() -> None:
    async with a_world().running() as world:
        chat = Chat(world)

        asked = await chat.say("/buy BTC 1000")
        done = await chat.yes(asked)

        assert shown(asked).split("\n")[:6] == [
            "⚠ Buy 10.000 BTC (paper) at market?",
            "About 1,000.00 USDT at 100.00, 1 s old.",
            "Fills near 100.00, fee 0.00 USDT.",
            "Binds 1,000.00 of 10,000.00 USDT free.",
            "Stop 98.00 risks 20.00 USDT (0.20 %); no target.",
            "Exposure then 10.00 % of 60.00 %; at most 1,500.00 USDT by risk per trade.",
        ]
        assert done.title == "✓ Bought 10.000 BTC (paper) at 100.00"
        assert done.text.replace("\u00a0", " ") == (
            "Done: stop 98.00 rests at the venue, risks 20.00 USDT."
        )
        assert world.trader.ledger.positions[BTC].quantity == 10
        assert await world.venue.positions() == {BTC: Held.of(Decimal(10))}
        (stop,) = await chat.resting(OrderRole.PROTECT)
        assert (stop.stop_price, stop.quantity, stop.side) == (98, 10, Side.SELL)
        assert len(world.heard(PositionOpened)) == 1


async def test_the_answer_waits_for_the_stop_whoever_is_placing_it() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        trader, begun = world.trader, set[asyncio.Task[None]]()

        def the_upkeep_is_first() -> None:
            for symbol in trader.orders.outcomes.touched:
                begun.add(asyncio.create_task(trader.protection.converge(symbol)))
            trader.orders.outcomes.touched.clear()

        trader.orders.outcomes.on_touch.append(the_upkeep_is_first)
        done = await chat.yes(await chat.say("/buy BTC 1000"))

        assert "Done: stop 98.00 rests at the venue" in done.text.replace("\u00a0", " ")


async def test_the_question_tells_what_the_order_then_costs() -> None:
    async with a_world(slippage="0.001", commission="0.0004").running() as world:
        chat = Chat(world)

        asked = await chat.say("/buy BTC 1000")
        assert "Fills near 100.10 (0.10 % worse), fee 0.40 USDT." in shown(asked)
        assert world.venue.placed == []
        done = await chat.yes(asked)

        assert done.title == "✓ Bought 10.000 BTC (paper) at 100.10"
        (fill,) = await world.store.fills("majors")
        assert fill.fee == Decimal("0.4004")


async def test_a_question_that_the_venue_does_not_answer_says_unknown() -> None:
    async with a_world().running() as world:
        world.venue.keeps_silent = True

        asked = await Chat(world).say("/buy BTC 1000")

        assert "Fills near unknown, fee unknown.\nBinds unknown of unknown free." in shown(asked)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bid": Decimal("99.5")}, "spread 0.50 % is above 0.20 %"),
        ({"asks": Decimal(1999)}, "within 20 bps is less than"),
        ({"bid": Decimal("100.59"), "ask": Decimal("100.6")}, "the price has run"),
    ],
)
async def test_what_the_order_book_forbids_is_refused_before_the_question(
    changes: dict[str, Decimal], reason: str
) -> None:
    async with a_world().running() as world:
        world.venue.depths[BTC] = replace(DEEP, **changes)  # type: ignore[arg-type]  # replace checks the names

        reply = await Chat(world).say("/buy BTC 1000")

        assert reply.outcome is Outcome.REFUSED
        assert reason in shown(reply)


async def test_a_short_by_hand_is_stopped_above() -> None:
    async with a_world().running() as world:
        chat = Chat(world)

        await chat.yes(await chat.say("/sell BTC 1000"))

        assert await world.venue.positions() == {BTC: Held.of(Decimal(-10))}
        (stop,) = await chat.resting(OrderRole.PROTECT)
        assert (stop.stop_price, stop.side) == (102, Side.BUY)


@pytest.mark.parametrize(
    ("said", "limits", "reason"),
    [
        ("/buy BTC 5000", ROOMY, "more than risk allows"),
        ("/buy BTC 5", ROOMY, "below the smallest entry, 10.00"),
        ("/buy BTC 1000", replace(ROOMY, max_positions=0), "0 of 0 positions open"),
    ],
)
async def test_an_entry_beyond_risk_is_refused(said: str, limits: Limits, reason: str) -> None:
    async with a_world(limits=limits).running() as world:
        chat = Chat(world)

        reply = await chat.say(said)

        assert reply.outcome is Outcome.REFUSED
        assert reason in shown(reply)
        assert "Nothing was sent." in reply.text
        assert world.venue.placed == []


@pytest.mark.parametrize(("verb", "word"), [("/stop", "halted"), ("/pause", "paused")])
async def test_an_entry_while_halted_is_refused_and_nothing_leaves(verb: str, word: str) -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        await chat.say(verb)

        reply = await chat.say("/buy BTC 1000")

        assert reply.title == f"✕ No entry while {word}: H1 by ben, Telegram"
        assert world.venue.placed == []
        assert not world.trader.ledger.alive


async def test_a_halt_between_question_and_yes_keeps_everything_in() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        asked = await chat.say("/buy BTC 1000")
        await chat.say("/stop")

        reply = await chat.yes(asked)

        assert reply.title == "✕ No entry while halted: H1 by ben, Telegram"
        assert world.venue.placed == []
        assert not world.trader.ledger.alive


async def test_a_halt_while_the_entry_is_on_its_way_keeps_it_in() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        asked = await chat.say("/buy BTC 1000")
        world.venue.gate.clear()
        message = Message(BEN, asked.choices[-1].command, world.clock.now())
        entering = chat.dispatcher._tasks.start(chat.dispatcher.handle(message))
        await settled()
        world.halter.engage(scope="majors", verb=Verb.STOP, by="anna, console", why="/stop")
        world.venue.gate.set()

        reply = await entering

        assert reply.title == "✕ No entry: BTC buy 10.000 (paper)"
        assert reply.text == "Halted. Nothing was sent."
        assert world.venue.placed == []


async def test_an_entry_on_an_old_price_is_refused() -> None:
    holes = [100.0, *[float("nan")] * 20]
    async with a_world(*holes).running() as world:
        chat = Chat(world)
        await world.minutes(10)

        reply = await chat.say("/buy BTC 1000")

        assert reply.title == "✕ The price of BTC is too old to enter at"
        price = await chat.say("/price BTC")
        assert shown(price).split("\n")[:2] == [
            "⚠ BTC price unknown (paper)",
            "Last 100.00, 10 min ago. No entry is made on it.",
        ]


async def test_after_the_last_candle_nothing_is_entered() -> None:
    async with a_world(100, 100, 100).running() as world:
        chat = Chat(world)
        await world.minutes(10)

        assert (await chat.say("/buy BTC 1000")).title == "✕ No entry: the feed has ended"


async def test_a_dry_run_enters_nothing() -> None:
    async with a_world(mode=Mode.DRY_RUN).running() as world:
        reply = await Chat(world).say("/buy BTC 1000")

        assert reply.title == "✕ This trader is a dry run: it sends nothing"


async def test_a_price_that_has_run_away_is_asked_anew() -> None:
    async with a_world(100, 103, *[103.0] * 5).running() as world:
        chat = Chat(world)
        world.clock.advance(30)
        asked = await chat.say("/buy BTC 1000")
        world.clock.advance(40)

        reply = await chat.yes(asked)

        assert reply.title == "✕ BTC has moved since you were asked: 103.00, not 100.00"
        assert world.venue.placed == []


async def test_an_entry_that_gets_no_answer_is_unknown_and_not_resent() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        asked = await chat.say("/buy BTC 1000")
        world.venue.faults.place = ["lost"]

        reply = await chat.yes(asked)

        assert reply.title == "? Unknown: BTC buy 10.000 (paper)"
        assert (reply.outcome, reply.level) == (Outcome.FAILED, Level.URGENT)
        assert chat.sent(OrderRole.ENTRY) == [10]


async def test_an_entry_whose_stop_is_refused_says_so() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        asked = await chat.say("/buy BTC 1000")
        world.venue.faults.place = ["", "refuse", "refuse", "refuse"]

        reply = await chat.yes(asked)

        assert reply.text.startswith(
            "Not done: its stop. No stop rests since 12:00:00 UTC: Post-only would match."
        )
        assert reply.level is Level.URGENT


async def long_btc(world: World) -> Chat:
    chat = Chat(world)
    await chat.yes(await chat.say("/buy BTC 1000"))
    return chat


async def test_a_stop_is_moved_on_the_venue() -> None:
    async with a_world().running() as world:
        chat = await long_btc(world)

        nearer = await chat.say("/stop_loss BTC 99")
        (stop,) = await chat.resting(OrderRole.PROTECT)
        assert (nearer.title, stop.stop_price) == (
            "✓ BTC stop moved 98.00 to 99.00 (paper)",
            99,
        )

        asked = await chat.say("/stop_loss BTC 95")
        (stop,) = await chat.resting(OrderRole.PROTECT)
        assert (asked.outcome, stop.stop_price) == (Outcome.CONFIRM, 99)

        farther = await chat.yes(asked)
        (stop,) = await chat.resting(OrderRole.PROTECT)
        assert (farther.title, stop.stop_price, stop.quantity) == (
            "✓ BTC stop moved 99.00 to 95.00 (paper)",
            95,
            10,
        )
        # The chat that was answered is not told again.
        assert {e.origin for e in world.heard(StopMoved)} == {"telegram:2"}


async def test_a_loosening_that_comes_late_leaves_the_stop() -> None:
    async with a_world().running() as world:
        chat = await long_btc(world)

        late = await chat.say("/stop_loss BTC 95", late=61)
        nearer = await chat.say("/stop_loss BTC 99", late=61)

        assert "too late to act on" in late.title
        assert nearer.title == "✓ BTC stop moved 98.00 to 99.00 (paper)"


async def test_a_target_by_hand_closes_the_position_when_it_is_reached() -> None:
    async with a_world(100, 100, 100, 111, 111, 111).running() as world:
        chat = await long_btc(world)

        reply = await chat.say("/take_profit BTC 110")
        await world.minutes(4)

        assert reply.title == "✓ BTC target set to 110.00 (paper)"
        assert await world.venue.positions() == {}


async def test_cancel_order_cancels_at_the_venue() -> None:
    async with a_world().running() as world:
        chat = Chat(world)
        order = await world.rest_an_entry()

        listed = await chat.say("/cancel_order")
        reply = await chat.say(listed.choices[0].command)

        assert reply.title == "✓ Cancelled BTC buy 1.000 (paper)"
        assert world.venue.cancelled == [order.id]
        assert await world.venue.open_orders() == []
        assert world.trader.ledger.orders[order.id].status is OrderStatus.CANCELLED


async def test_a_protective_stop_is_not_cancelled_but_moved() -> None:
    async with a_world().running() as world:
        chat = await long_btc(world)
        (stop,) = await chat.resting(OrderRole.PROTECT)

        reply = await chat.say(f"/cancel_order {stop.id}")

        assert reply.outcome is Outcome.REFUSED
        assert "/stop_loss BTC PRICE moves its stop" in shown(reply)
        assert len(await chat.resting(OrderRole.PROTECT)) == 1


# -- scanning -----------------------------------------------------------------------------


async def test_a_scan_says_what_it_decided_and_why() -> None:
    wishes = [wish(1), wish(1, symbol=ETH, stop=105.0)]
    async with a_world(wishes=wishes, symbols=(BTC, ETH)).running() as world:
        chat = Chat(world)
        world.clock.advance(60)

        reply = await chat.say("/scan")

        told = shown(reply).split("\n")
        assert told[0].endswith("1 candle, 2 signals")
        assert told[1].startswith("2 symbols, 2 triggers, 2 proposals; 1 open, ")
        assert told[2].startswith("BTC long approved: Size 6.00 risks 30.00 USDT (0.30 %)")
        assert told[3] == "ETH long refused: Stop is on the wrong side."
        assert await world.venue.positions() == {BTC: Held.of(Decimal(6))}
        again = await chat.say("/scan")
        assert "no new candle" in again.title


async def test_a_scan_never_overlaps_another() -> None:
    async with a_world(wishes=[wish(1)]).running() as world:
        chat = Chat(world)
        world.clock.advance(60)
        world.venue.gate.clear()
        first = chat.dispatcher._tasks.start(world.trader.cycle())
        await settled()

        reply = await chat.say("/scan")
        world.venue.gate.set()
        await first

        assert reply.title == "✕ A scan is under way already"
        assert len(world.strategy.shown) == 1


async def test_a_scan_before_the_books_are_compared_waits() -> None:
    world = a_world()
    await world.trader.load()

    reply = await Chat(world).say("/scan")

    assert reply.title == "✕ The books are still being compared with the venue"


class BrokenStrategy:
    name, warmup = "broken", 0

    def signals(self, candles: Candles) -> Any:
        raise ZeroDivisionError

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return ""


async def test_a_scan_that_breaks_says_so() -> None:
    world = a_world()
    world.trader.cycles.strategist.strategy = BrokenStrategy()
    async with world.running():
        world.clock.advance(60)

        reply = await Chat(world).say("/scan")

        assert reply.title == "✕ The scan failed (paper)"
        assert reply.text.startswith("An error of ours, reference ")


# -- looking ------------------------------------------------------------------------------


async def test_risk_of_a_real_desk() -> None:
    async with a_world(100, 100, 101, 102, 103).running() as world:
        chat = await long_btc(world)
        await world.minutes(3)

        reply = await chat.say("/risk")
        limits = await chat.say("/limits")
        price = await chat.say("/price BTC")

        assert shown(reply).split("\n")[0] == "Inside all limits (paper)"
        assert "If every stop fills: -40.00 USDT (-0.40 %)" in shown(reply)
        assert "  risk/trade %  0.20    0.30" in shown(limits).split("\n")
        assert shown(price).split("\n")[:2] == [
            "BTC 102.00 USDT (paper)",
            "Price 1 s old. Today unknown.",
        ]


async def test_the_day_of_a_price_begins_at_midnight() -> None:
    until_midnight = 12 * 60
    async with a_world(*[100.0] * until_midnight, 100, *[103.0] * 9).running() as world:
        world.clock.advance(60 * (until_midnight + 5))
        await world.trader.cycle()

        reply = await Chat(world).say("/price BTC")

        assert "Today +3.00 %, from 100.00." in shown(reply)


async def test_the_limits_of_the_whole_desk_are_measured() -> None:
    async with a_world().running() as world:
        desk = DeskRisk(
            DeskLimits(max_exposure=Decimal("0.6"), max_positions=6, max_daily_loss=Decimal("0.05"))
        )
        desk.add(world.trader.valuer)
        world.desk.views("majors")._desk_risk = desk
        chat = await long_btc(world)

        reply = await chat.say("/risk")

        assert "Whole desk: exposure 10.00 of 60.00 %, 1 of 6 open, day 0.00 of -5.00 %" in (
            shown(reply)
        )
    assert DeskRisk(DeskLimits()).use() is None


async def test_an_exit_on_its_way_is_not_cancelled() -> None:
    async with a_world().running() as world:
        chat = await long_btc(world)
        asked = await chat.say("/close BTC")
        world.venue.faults.place = ["lost"]
        await chat.yes(asked)
        (closing,) = world.trader.ledger.alive_of(OrderRole.EXIT)

        reply = await chat.say(f"/cancel_order {closing.id}")

        assert reply.title == "✕ It closes BTC; exits go on"
