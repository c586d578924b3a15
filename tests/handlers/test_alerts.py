"""How events read, against the texts and levels of MESSAGES.md; none is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from handlers.alerts import SILENT, describe, fold
from handlers.alerts.fold import COUNTED
from handlers.reply import Level, Reply
from handlers.texts.describe import describe_with_name
from tests import builders
from tests.handlers.story import (
    BTC,
    ETH,
    LINK,
    NOW,
    SOL,
    XRP,
    D,
    a_halt,
    at,
    checked,
    reached,
    reads,
    shown,
)
from trading import events
from trading.events import Event
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.model.halt import EVERYONE, Stage, Verb
from trading.types import ExitReason, Mode, OrderRole, OrderStatus, OrderType, Side, Trade

# Not Event.__subclasses__(): dataclass(slots=True) leaves ghost classes behind there.
ABSTRACT = {Event, events.TraderEvent, events.SymbolEvent}
KINDS = [
    v
    for v in vars(events).values()
    if isinstance(v, type) and issubclass(v, Event) and v not in ABSTRACT
]

WHO: dict[str, Any] = {"at": NOW, "trader": "majors", "mode": Mode.PAPER}
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_event_is_either_announced_or_deliberately_silent(kind: type[Event]) -> None:
    announced = describe.dispatch(kind) is not describe.dispatch(Event)

    assert announced != (kind in SILENT)


def told(event: Event) -> Reply:
    reply = describe(event)
    assert reply is not None
    return checked(reply)


def opened(**changes: Any) -> events.PositionOpened:
    event = events.PositionOpened(
        **WHO,
        symbol=SOL,
        side=Side.BUY,
        quantity=D("1.80"),
        ordered=D("1.80"),
        price=D("203.52"),
        equity=D("9769.00"),
        stop=D("187.20"),
        target=D("225.28"),
        risk=D("29.38"),
        confidence=62,
    )
    return replace(event, **changes)


def closed(trade: Trade, **changes: Any) -> events.PositionClosed:
    event = events.PositionClosed(**WHO, symbol=trade.symbol, trade=trade, today=D("1.22"))
    return replace(event, **changes)


def a_trade(minutes: float, **changes: Any) -> Trade:
    trade = builders.a_trade(
        symbol=SOL,
        side=Side.SELL,
        quantity=D("4.48"),
        entry_price=D("218.32"),
        exit_price=D("210.68"),
        opened_at=NOW - timedelta(minutes=minutes),
        closed_at=NOW,
        profit=D("33.27"),
        reason=ExitReason.TARGET,
    )
    return replace(trade, **changes)


LINK_SELL = builders.an_order(
    symbol=LINK, side=Side.SELL, quantity=D("47.8"), price=D("20.470"), type=OrderType.LIMIT
)
SOL_SELL = builders.an_exit(symbol=SOL, quantity=D("1.80"))

DAY = tuple(
    a_trade(60, symbol=symbol, profit=D(profit), fees=D("1.22"))
    for symbol, profit in (
        (SOL, "33.27"), (ETH, "-32.05"), (BTC, "-14.26"), (BTC, "-16.45"), (ETH, "-18.43"),
        (SOL, "-17.64"),
    )
)  # fmt: skip

STORY: list[tuple[Event, Level, str]] = [
    (
        opened(),
        Level.INFO,
        """\
Opened SOL long 1.80 at 203.52 (paper)
366.34 USDT, 3.75 % of equity. Stop 187.20 risks 29.38, target 225.28, 1.33:1. Confidence 62.
[Position: /position SOL]""",
    ),
    (
        events.PositionReduced(
            **WHO,
            symbol=SOL,
            side=Side.SELL,
            quantity=D("1.12"),
            left=D("3.36"),
            price=D("213.95"),
            profit=D("4.65"),
            reason=ExitReason.TARGET,
            by="",
            next_price=D("209.59"),
        ),
        Level.INFO,
        """\
Partly closed SOL short (paper), +4.65 USDT
1.12 of 4.48 at 213.95; 3.36 left to 209.59.
[Position: /position SOL]""",
    ),
    (
        events.StopMoved(
            **WHO, symbol=SOL, old=D("224.87"), new=D("218.32"), why="entry", on_venue=True
        ),
        Level.INFO,
        "SOL stop moved 224.87 to 218.32 (entry), on venue",
    ),
    (
        closed(a_trade(23)),
        Level.NOTICE,
        """\
Closed SOL short at target (paper), +33.27 USDT (+3.40 %)
4.48, 218.32 to 210.68, held 23 min. Today +1.22.
[Trades]""",
    ),
    (
        events.OrderRefused(
            **WHO,
            symbol=LINK,
            order=LINK_SELL,
            said="Post-only would match.",
            open_quantity=D("0"),
        ),
        Level.NOTICE,
        """\
✕ Venue refused LINK sell 47.8 at 20.470 (paper)
"Post-only would match." Nothing is open.
[Why: /why LINK]""",
    ),
    (
        events.OrderUnknown(**WHO, symbol=SOL, order=SOL_SELL, waited=5 * SECOND),
        Level.URGENT,
        """\
? Unknown: SOL sell 1.80 (paper)
No answer in 5.0 s. Not resent; asking the venue by its id.
[Orders]""",
    ),
    (
        events.OrderResolved(
            **WHO, symbol=SOL, order=SOL_SELL, outcome=OrderStatus.ABSENT, took=9 * SECOND
        ),
        Level.NOTICE,
        """\
✓ Resolved in 9 s: the venue never had it
SOL sell 1.80 (paper).
[Orders]""",
    ),
    (
        events.DrawdownReached(
            **WHO,
            drawdown=D("0.05002"),
            equity=D("9727.77"),
            peak=D("10240.00"),
            limit=D("0.10"),
            open_profit=D("-46.84"),
            quote="USDT",
        ),
        Level.URGENT,
        """\
⚠ Drawdown -5.00 % (paper): 9,727.77 of peak 10,240.00 USDT
3 reads in a row, 1 s old. Halt at -10.00 % (9,216.00). Open P&L -46.84.
[Positions] [Pause] [Stop] [Flatten]""",
    ),
    (
        events.HaltEngaged(
            **WHO,
            halt=a_halt(by="guard", guard="day", why="day -3.01\u00a0%, limit -3.00\u00a0%"),
        ),
        Level.CRITICAL,
        """\
■ Halted majors (paper) by guard: day -3.01 %, limit -3.00 %
3 reads in a row. Done: entries blocked, cancels under way. Not done: positions and stops stay. \
Only a person resumes.
[Positions] [Flatten]""",
    ),
    (
        events.HaltEngaged(**WHO, halt=a_halt()),
        Level.CRITICAL,
        """\
■ Stopped majors (paper), by ben, Telegram
Done: entries blocked, cancels under way. Not done: positions and stops stay.
[Positions] [Flatten]""",
    ),
    (
        events.HaltEngaged(**WHO, halt=a_halt(verb=Verb.PAUSE)),
        Level.NOTICE,
        """\
‖ Paused majors (paper), by ben, Telegram
Done: no new entries. Not done: resting entries, positions and stops stay.
[Stop] [Resume]""",
    ),
    (
        events.HaltEngaged(**WHO, halt=a_halt(verb=Verb.FLATTEN)),
        Level.CRITICAL,
        """\
⚠ Flattening majors (paper), by ben, Telegram
Done: entries blocked. Under way: cancels, then every position is closed.
[Status] [Halts]""",
    ),
    (
        events.HaltLifted(**WHO, halt=a_halt(lifted_by="anna, Telegram")),
        Level.NOTICE,
        """\
✓ Lifted H17 of majors (paper), by anna, Telegram
It was made by ben. Nothing was sent.
[Status] [Stop]""",
    ),
    (
        events.HaltDelayed(**WHO, halt=a_halt(), why="venue silent", waited=timedelta(seconds=65)),
        Level.CRITICAL,
        """\
■ Not confirmed after 1 min: majors (paper)
H17: Venue silent. Entries stay blocked; trying on.
[Status] [Halts]""",
    ),
    (
        events.FeedLost(**WHO, silent=30 * SECOND),
        Level.URGENT,
        """\
⚠ Feed lost 30 s ago (paper)
No entries; on paper stops and targets wait too.
[Status] [Stop]""",
    ),
    (
        events.FeedBack(**WHO, gap=134 * SECOND),
        Level.NOTICE,
        "✓ Feed back after 2 min 14 s (paper): gap refilled\n[Status]",
    ),
    (
        events.PricesDoubted(
            **WHO,
            doubt=PriceDoubt(
                kind=DoubtKind.ACCUSED,
                source="okx",
                symbols=(BTC, ETH),
                why="of BTC/USDT: 101.5, 1.50 % above binance, bybit",
            ),
        ),
        Level.NOTICE,
        """\
⚠ Source okx is not believed about BTC and ETH (paper)
Of BTC/USDT: 101.5, 1.50 % above binance, bybit. Two others agree against it: there it does not \
count until it does, too.
[Status] [Stop]""",
    ),
    (
        events.PricesCleared(
            **WHO,
            doubt=PriceDoubt(kind=DoubtKind.ACCUSED, source="okx", symbols=(BTC, ETH)),
            lasted=134 * SECOND,
        ),
        Level.NOTICE,
        "✓ Source okx is believed again after 2 min 14 s (paper)\n[Status]",
    ),
    (
        events.FeedEnded(**WHO, last_bar=datetime(2021, 5, 19, 18, tzinfo=UTC), open_positions=1),
        Level.NOTICE,
        """\
Feed ended: no more candles (paper)
The last closed at 19 May 2021 18:00 UTC. 1 position stays open.
[Status] [Trades]""",
    ),
    (
        events.CooldownBegan(**WHO, why="3 losses in a row", until=at("21:41")),
        Level.NOTICE,
        """\
No entries until 21:41 UTC (paper): 3 losses in a row
A rest, not a halt: it ends by itself. Exits go on.
[Status]""",
    ),
    (
        events.TraderStarted(
            **WHO,
            took=timedelta(seconds=0.8),
            down_for=41 * SECOND,
            clean=False,
            positions=3,
            orders=5,
            unknown=1,
            missed_fills=0,
            differs="",
            halt=None,
        ),
        Level.NOTICE,
        """\
Started (paper) in 0.8 s, was down 41 s (killed)
Books equal venue: 3 positions, 5 orders. 1 unknown order: resolved. Not halted.
[Status]""",
    ),
    (
        events.TraderStarted(
            **WHO,
            took=timedelta(seconds=0.8),
            down_for=None,
            clean=True,
            positions=1,
            orders=0,
            unknown=0,
            missed_fills=2,
            differs="",
            halt=a_halt(),
        ),
        Level.NOTICE,
        """\
■ Started halted (paper) in 0.8 s, for the first time
Books equal venue: 1 position, 0 orders. 2 fills came while down. Halted: H17 by ben.
[Status] [Halts]""",
    ),
    (
        events.EntriesBlocked(**WHO, why="the venue's wallet is 498.88, ours 9998.88"),
        Level.CRITICAL,
        """\
⚠ No entries: majors (paper)
The venue's wallet is 498.88, ours 9998.88. Exits and stops go on. Compared again each minute.
[Status] [Positions] [Stop]""",
    ),
    (
        events.BalanceAccepted(
            **WHO, amount=D("-12.4"), wallet=D("9762.21"), quote="USDT", by="anna, Telegram"
        ),
        Level.URGENT,
        """\
⚠ Venue's wallet accepted: majors (paper), -12.40 USDT, by anna
Wallet 9,762.21, in both. No trade explains it: day, week and drawdown are measured without it.
[Balance] [Status]""",
    ),
    (
        events.StartDelayed(**WHO, why="the book of paper cannot be read: line 1 is corrupt"),
        Level.CRITICAL,
        """\
⚠ Not started: majors (paper)
The book of paper cannot be read: line 1 is corrupt. Nothing was changed. No entries; what rests \
at the venue stays, what the desk keeps waits. Tried on, and told when it starts.
[Status] [Stop]""",
    ),
    (
        events.EntriesFreed(**WHO, was="an order is still in doubt"),
        Level.NOTICE,
        """\
✓ Entries again: majors (paper)
It was held back: an order is still in doubt.
[Status]""",
    ),
    (
        events.Unprotected(
            **WHO,
            symbol=SOL,
            quantity=D("1.80"),
            reason="stop refused",
            covered=D("0.30"),
            since=at("20:40:58"),
        ),
        Level.CRITICAL,
        """\
⚠ SOL unprotected (paper): 1.50 without a stop
Stop refused. Bare since 20:40:58 UTC. The desk keeps watch itself, and tries again.
[Position: /position SOL] [Close: /close SOL]""",
    ),
    (
        events.StopStays(
            **WHO,
            symbol=SOL,
            quantity=D("1.80"),
            price=D("180.00"),
            wanted=D("187.20"),
            reason="nothing is traded there now",
        ),
        Level.CRITICAL,
        """\
⚠ SOL keeps its old stop (paper): 180.00, not 187.20
Nothing is traded there now. The old one rests for 1.80. The desk watches 187.20 itself, and \
tries again.
[Position: /position SOL] [Close: /close SOL]""",
    ),
    (
        events.ExitSentAgain(**WHO, symbol=SOL, order=SOL_SELL),
        Level.NOTICE,
        """\
✓ Sent again: SOL sell 1.80 (paper)
The venue never had the first one; this one has an id of its own.
[Orders]""",
    ),
    (
        events.ExitDropped(
            **WHO,
            symbol=SOL,
            order=SOL_SELL,
            why="it was asked for more than 60 s ago",
            stop=D("187.20"),
        ),
        Level.URGENT,
        """\
⚠ Not sent again: SOL sell 1.80 (paper)
The venue never had it, and it was asked for more than 60 s ago. Nothing was closed; its stop \
187.20 rests again.
[Close: /close SOL] [Position: /position SOL]""",
    ),
    (
        events.StopsAreLimits(**WHO, symbols=(BTC, SOL), gap=D("0.01")),
        Level.NOTICE,
        """\
⚠ Stops are limits (paper): BTC and SOL
They take no stop at market. One that is touched fills to 1.00 % beyond its price; what does not \
in 2 s the desk sells at market. Beyond that gap nothing is sold while the desk is down.
[Status] [Positions]""",
    ),
    (
        events.Protected(**WHO, symbol=SOL, quantity=D("1.80"), stop=D("187.20")),
        Level.NOTICE,
        "✓ SOL protected again (paper)\nStop 187.20 rests for 1.80.",
    ),
    (
        events.SetAside(
            **WHO,
            symbol=SOL,
            why="SOL/USDT is not traded on binance: it is not listed there",
            quantity=D("1.80"),
            cost=D("366.34"),
            moved=D("-373.32"),
            written_off=True,
        ),
        Level.CRITICAL,
        """\
⚠ SOL is not traded (paper): 1.80 held
SOL/USDT is not traded on binance: it is not listed there. No stop works, nothing can be sold. \
Paid 366.34 USDT; counts at 0 from now on. Equity, day, week and peak: 373.32 USDT lower, alike. \
/write_off SOL books it out; traded again, it counts again.
[Position: /position SOL]""",
    ),
    (
        events.SetAside(
            **WHO,
            symbol=SOL,
            why="SOL/USDT is not traded on binance: its market is halted there",
            quantity=D("1.80"),
            cost=D("366.34"),
            moved=D("0"),
            written_off=False,
        ),
        Level.CRITICAL,
        """\
⚠ SOL is not traded (paper): 1.80 held
SOL/USDT is not traded on binance: its market is halted there. No stop works, nothing can be \
sold. Paid 366.34 USDT; no profit of it counts from now on. \
The exchange settles it; traded again, it counts again.
[Position: /position SOL]""",
    ),
    (
        events.CountedAgain(**WHO, symbol=SOL, moved=D("373.32")),
        Level.URGENT,
        """\
✓ SOL is traded again (paper)
It counts again, and its stop is put back. Day, week and peak: 373.32 USDT higher, alike; what \
it lost meanwhile is a loss.
[Position: /position SOL]""",
    ),
    (
        events.BooksDiffered(
            **WHO, symbol=SOL, ours=D("1.80"), venue=D("0.90"), done="ours resized to 0.90"
        ),
        Level.CRITICAL,
        """\
⚠ Books differ on SOL (paper): ours 1.80, venue 0.90
Ours resized to 0.90.
[Positions] [Orders] [Stop]""",
    ),
    (
        events.ReductionUnsaved(**WHO, symbol=SOL, order=SOL_SELL, waited=2 * SECOND),
        Level.CRITICAL,
        """\
⚠ Sent before it was saved: SOL sell 1.80 (paper)
Neither history nor the fallback journal took it in 2.0 s: a crash would forget it. What protects \
and what closes does not wait for the disk.
[Orders] [Status]""",
    ),
    (
        events.ReductionLate(**WHO, symbol=SOL, order=SOL_SELL, waited=SECOND * 0.3, others=0),
        Level.NOTICE,
        """\
⚠ Saved after it was sent: SOL sell 1.80 (paper)
It is saved, 0.3 s late: the disk was slow, or the desk was busy. What protects and what closes \
does not wait for that. Told once an hour.
[Orders] [Status]""",
    ),
    (
        events.ReductionLate(**WHO, symbol=SOL, order=SOL_SELL, waited=SECOND, others=4),
        Level.NOTICE,
        """\
⚠ Saved after it was sent: SOL sell 1.80 (paper)
It is saved, 1.0 s late: the disk was slow, or the desk was busy. What protects and what closes \
does not wait for that. 4 others since this was last told. Told once an hour.
[Orders] [Status]""",
    ),
    (
        events.ForeignOrderSeen(**WHO, symbol=SOL, order_id="web_123"),
        Level.URGENT,
        """\
⚠ An order that is not ours: SOL (paper)
Its id is web_123. Reported, untouched.
[Orders]""",
    ),
    (
        events.OrdersFound(
            **WHO, symbol=SOL, orders=3, held=D("3.20"), stop=D("138.20"), stop_made=False, lost=()
        ),
        Level.CRITICAL,
        """\
⚠ Found at the venue: 3 orders of SOL (paper)
Ours, and history lacked them. Taken over: long 3.20 SOL, as fills prove. Its stop is the one \
that rests, 138.20.
[Positions] [Orders] [Stop]""",
    ),
    (
        events.OrdersFound(
            **WHO,
            symbol=SOL,
            orders=1,
            held=D("-3.20"),
            stop=D("150.1"),
            stop_made=True,
            lost=("trailing stop", "time limit"),
        ),
        Level.CRITICAL,
        """\
⚠ Found at the venue: 1 order of SOL (paper)
Ours, and history lacked it. Taken over: short 3.20 SOL, as fills prove. No stop rested: one is \
set at 150.1. Lost, and not watched any more: trailing stop and time limit.
[Positions] [Orders] [Stop]""",
    ),
    (
        events.OrdersFound(
            **WHO, symbol=SOL, orders=2, held=D("0"), stop=None, stop_made=False, lost=()
        ),
        Level.URGENT,
        """\
⚠ Found at the venue: 2 orders of SOL (paper)
Ours, and history lacked them. Taken over: nothing, as fills prove.
[Positions] [Orders] [Stop]""",
    ),
    (
        events.OrdersUnproven(
            **WHO,
            symbol=SOL,
            what="SOL: our stop …4f6a8b rests, 3.2 at 138.2, and no fill proves that what it would "
            "close is ours",
        ),
        Level.CRITICAL,
        """\
⚠ Not proven to be ours: SOL (paper)
SOL: our stop …4f6a8b rests, 3.2 at 138.2, and no fill proves that what it would close is ours. \
Left alone. Entries wait, and it is not called flat, until an owner has looked and says \
/accept_books.
[Positions] [Orders] [Accept books: /accept_books]""",
    ),
    (
        events.OrdersAccepted(
            **WHO,
            what=("SOL: our stop …4f6a8b rests, and no fill proves what it would close",),
            by="anna, Telegram",
        ),
        Level.URGENT,
        """\
⚠ Not ours from now on: majors (paper), by anna
SOL: our stop …4f6a8b rests, and no fill proves what it would close.
Left alone: the desk does not watch, move or cancel it.
[Orders] [Status]""",
    ),
    (
        events.ForeignHoldingSeen(**WHO, symbol=SOL, quantity=D("3.20")),
        Level.NOTICE,
        """\
3.20 SOL on the account (paper) that are not ours
Left alone, and never sold. Said once.
[Positions]""",
    ),
    (
        events.FundingBooked(**WHO, symbol=SOL, amount=D("-0.31")),
        Level.INFO,
        "Funding paid on SOL (paper): 0.31 USDT",
    ),
    (
        events.TransferSeen(**WHO, amount=D("500"), quote="USDT"),
        Level.INFO,
        """\
500.00 USDT came in (paper)
It lies beside the money of this trader: equity, day and drawdown stay as they are.""",
    ),
    (
        events.LiquidationBooked(**WHO, symbol=SOL, amount=D("-12.40"), quote="USDT"),
        Level.CRITICAL,
        """\
⚠ Liquidation on SOL (paper): -12.40 USDT
The venue closed by force. It is booked as a loss.
[Positions] [Status] [Stop]""",
    ),
    (
        events.DustLeft(**WHO, symbol=SOL, quantity=D("0.004"), worth=D("0.81")),
        Level.NOTICE,
        """\
Dust left: 0.004 SOL (paper), 0.81 USDT
Too small for the venue to sell. It stays there, and left our books at the last price.""",
    ),
    (
        events.EntryGivenUp(
            **WHO, symbol=SOL, filled=D("0.40"), ordered=D("1.80"), why="the price has run 0.61 %"
        ),
        Level.NOTICE,
        """\
Entry given up: SOL (paper), 0.40 of 1.80 filled
The rest is not taken any more: the price has run 0.61 %.""",
    ),
    (
        events.ProtectionPaused(**WHO, symbol=SOL, quantity=D("0.90"), lasted=2.4 * SECOND),
        Level.URGENT,
        """\
⚠ SOL had no stop for 2.4 s (paper), while it was sold
A stop locks the coins, so it went first. 0.90 left.""",
    ),
    (
        events.CycleFailed(**WHO, reference="4f1c9a"),
        Level.URGENT,
        """\
⚠ Scan failed (paper), reference 4f1c9a
Exits and stops are tried again in the next scan.
[Status] [Stop]""",
    ),
    (
        events.CycleFailed(**WHO, reference="4f1c9a", protected=True),
        Level.URGENT,
        """\
⚠ Scan failed (paper), reference 4f1c9a
Exits and stops went on; no entries were decided at these candles.
[Status] [Stop]""",
    ),
    (
        events.ChatLost(
            at=NOW,
            chat="Telegram",
            why="its token is refused",
            silent=30 * SECOND,
            own=("telegram:111",),
        ),
        Level.URGENT,
        """\
⚠ Telegram lost 30 s ago: its token is refused
Commands and alerts there wait; trading goes on. They go out once the settings have a token that \
is taken.
[Status] [Stop]""",
    ),
    (
        events.ChatBack(at=NOW, chat="Telegram", gap=840 * SECOND, own=("telegram:111",)),
        Level.NOTICE,
        """\
✓ Telegram back after 14 min
Commands and alerts go there again.
[Status]""",
    ),
    (
        events.HistoryFailed(at=NOW, why="disk full"),
        Level.URGENT,
        """\
⚠ History is not being saved
Disk full. It is kept in memory and tried again; trading goes on.
[Status] [Stop]""",
    ),
    (
        events.HistoryLost(at=NOW, why="history.db was deleted", rescued="history-rescued-1.db"),
        Level.CRITICAL,
        """\
⚠ History lost; all of it is in history-rescued-1.db
history.db was deleted. No entries leave; exits and stops go on. \
Put it back where it was, or /shutdown and put the copy in its place.
[Status] [Stop]""",
    ),
    (
        events.HistoryLost(at=NOW, why="history.db was replaced", rescued=""),
        Level.CRITICAL,
        """\
⚠ History lost; no copy could be made yet
history.db was replaced. No entries leave; exits and stops go on. \
Put it back where it was, or /shutdown and put a backup in its place.
[Status] [Stop]""",
    ),
    (
        events.HistoryLost(at=NOW, why="history.db was damaged", rescued="", is_damaged=True),
        Level.CRITICAL,
        """\
⚠ History lost; no copy could be made yet
history.db was damaged. No entries leave; exits and stops go on. \
/shutdown and put a backup in its place.
[Status] [Stop]""",
    ),
    (
        events.FactRefused(
            at=NOW, why="history could not be written: a value is too large", what="1 order"
        ),
        Level.CRITICAL,
        """\
⚠ History refuses one change and saves the others
History could not be written: a value is too large. It holds 1 order; it is kept in memory and \
tried again each minute. Until it is saved, a restart asks the venue instead.
[Status] [Stop]""",
    ),
    (
        events.HistoryRecovered(at=NOW, waited=5 * SECOND, left=1),
        Level.NOTICE,
        """\
✓ History saves again after 5 s
What waited has been saved, but for 1 change.""",
    ),
    (
        events.HistoryRecovered(at=NOW, waited=134 * SECOND),
        Level.NOTICE,
        "✓ History saves again after 2 min 14 s\nWhat waited has been saved.",
    ),
    (
        events.DeskStopping(
            at=NOW, by="anna, Telegram", open_positions=(BTC, SOL), unprotected=(SOL,)
        ),
        Level.CRITICAL,
        """\
… Shutting down, by anna, Telegram
2 positions stay open: BTC and SOL. Unprotected while down: SOL. Chats go silent.""",
    ),
    (
        events.DeskStopping(at=NOW, by="the system", open_positions=(), unprotected=()),
        Level.NOTICE,
        "… Shutting down, by the system\nNo position is open. Chats go silent.",
    ),
    (
        events.StrangerSeen(at=NOW, who="99817", where="Telegram"),
        Level.NOTICE,
        "Stranger 99817 tried on Telegram\nNo answer, text not kept. Said once.",
    ),
    (
        events.LimitNear(**WHO, kind="day", lost=D("235.20"), limit=D("293.65"), quote="USDT"),
        Level.URGENT,
        """\
⚠ Daily loss at 80 % of its limit: -235.20 of -293.65 USDT
[Risk] [Stop]""",
    ),
    (
        events.PeriodEnded(
            **WHO,
            kind="day",
            first=NOW.date(),
            last=NOW.date(),
            profit=D("-65.56"),
            start=D("9788.40"),
            equity=D("9722.84"),
            quote="USDT",
            trades=DAY,
        ),
        Level.INFO,
        """\
Day 10 Oct (paper): -65.56 USDT (-0.67 %), equity 9,722.84
6 trades, 1 won. Best SOL +33.27, worst ETH -32.05, fees 7.32.
[Stats]""",
    ),
    (
        events.PeriodEnded(
            **WHO,
            kind="week",
            first=date(2025, 10, 6),
            last=date(2025, 10, 12),
            profit=D("-208.56"),
            start=D("9931.41"),
            equity=D("9722.85"),
            quote="USDT",
            trades=DAY,
        ),
        Level.INFO,
        """\
Week 6-12 Oct (paper): -208.56 USDT (-2.10 %), 6 trades, 1 won
Equity 9,722.85. Best SOL +33.27, worst ETH -32.05, fees 7.32.
[Stats: /stats week]""",
    ),
    (
        events.StillAlive(
            at=NOW, since=timedelta(hours=24), scans=96, errors=0, next_at=at("08:00")
        ),
        Level.INFO,
        "Alive 24 h: 96 scans, 0 errors. Next 08:00 UTC; silence means down.",
    ),
    (
        events.VenueLost(**WHO, silent=6 * SECOND),
        Level.URGENT,
        """\
⚠ Venue lost 6 s ago (paper)
Nothing reaches it now; what rests there stays and may fill. Asking on.
[Status] [Stop]""",
    ),
    (
        events.VenueLost(**WHO, silent=6 * SECOND, refused_until=at("20:57:10")),
        Level.URGENT,
        """\
⚠ Venue refuses us until 20:57:10 UTC (paper)
Too many requests. Nothing is sent to it before that; what rests there stays and may fill.
[Status] [Stop]""",
    ),
    (
        events.VenueBack(**WHO, gap=134 * SECOND),
        Level.NOTICE,
        """\
✓ Venue back after 2 min 14 s (paper)
Orders that had no answer are asked about, stops repaired.
[Status] [Orders]""",
    ),
    (
        events.ScanSlow(**WHO, seconds=312.0, limit=300.0),
        Level.NOTICE,
        "⚠ Slow scan: 312 s, limit 300 s. Exits ran on time.\n[Status]",
    ),
    (
        events.TraderCrashed(**WHO, reference="4f1c9a", again_in=5 * SECOND),
        Level.CRITICAL,
        """\
⚠ majors (paper) crashed, reference 4f1c9a
Positions stay guarded by their stops at the venue; no entries meanwhile. Started again in 5 s.
[Status] [Stop]""",
    ),
    (
        events.TraderRestarted(**WHO, after=7 * SECOND),
        Level.NOTICE,
        """\
✓ majors (paper) runs again, after 7 s
It goes on with the books it had; stops and exits are watched again.
[Status]""",
    ),
    (
        events.PriceReached(
            at=NOW, symbol=BTC, price=D("117050.0"), above=True, level=D("117000.0"), by="ben, x"
        ),
        Level.NOTICE,
        """\
BTC is at 117,050.0, above 117,000.0
Ben asked to be told; said once.
[Price: /price BTC] [Status]""",
    ),
    (
        events.RuleBroken(
            at=NOW, name="slow api", condition="api_p95 > 2 for 5m", value=D("3.1"), action="notify"
        ),
        Level.URGENT,
        """\
⚠ Rule slow api: now 3.1
api_p95 > 2 for 5m. Told only: nothing was paused or stopped.
[Status] [Stop]""",
    ),
    (
        events.RuleBroken(
            at=NOW, name="rejections", condition="rejections > 100", value=D("120"), action="pause"
        ),
        Level.URGENT,
        """\
⚠ Rule rejections: now 120
rejections > 100. Done: no new entries. Not done: resting entries, positions and stops stay.
[Status] [Stop] [Resume]""",
    ),
    (
        events.RuleBroken(
            at=NOW, name="prices", condition="majors.feed_ok == false", value=False, action="notify"
        ),
        Level.URGENT,
        """\
⚠ Rule prices: now false
majors.feed_ok == false. Told only: nothing was paused or stopped.
[Status] [Stop]""",
    ),
    (
        events.RuleRestored(
            at=NOW, name="slow api", condition="api_p95 > 2 for 5m", lasted=312 * SECOND
        ),
        Level.NOTICE,
        """\
✓ Rule slow api no longer holds, after 5 min
api_p95 > 2 for 5m. What it halted stays halted until /resume.
[Status]""",
    ),
    (
        events.AlertUnanswered(
            at=NOW, title="■ Halted majors (paper) by guard: day -3.01 %", said_at=at("20:35")
        ),
        Level.CRITICAL,
        """\
⚠ Nobody has acknowledged an alert for 6 min
20:35:00 UTC: ■ Halted majors (paper) by guard: day -3.01 %
[Acknowledge: /ack] [Status] [Stop]""",
    ),
    (
        events.SettingsReloaded(
            at=NOW,
            by="anna, Telegram",
            changes=("traders.majors.limits.risk_per_trade 0.003 to 0.0025",),
        ),
        Level.INFO,
        """\
Settings reloaded by anna: risk per trade 0.003 to 0.0025
traders.majors.limits.risk_per_trade. For new entries; what is open keeps its plan.""",
    ),
    (
        events.SettingsReloaded(
            at=NOW, by="anna, Telegram", changes=("alerts.drawdown 0.05 to 0.04", "limits.x 1 to 2")
        ),
        Level.INFO,
        """\
Settings reloaded by anna: 2 changes
alerts.drawdown 0.05 to 0.04
limits.x 1 to 2
For new entries; what is open keeps its plan.""",
    ),
    (
        events.SettingsReloaded(at=NOW, by="anna, Telegram", changes=()),
        Level.INFO,
        "Settings reloaded by anna: nothing has changed",
    ),
    (
        events.SettingsRefused(
            at=NOW, mistakes=("bot.toml 41: max_positions = 0, allowed 1 to 50",)
        ),
        Level.NOTICE,
        """\
✕ Settings refused, the old ones hold
bot.toml 41: max_positions = 0, allowed 1 to 50""",
    ),
    (
        events.UniverseChanged(
            **WHO,
            changes=(
                events.TierChange(symbol=SOL, before=None, after=1, why=""),
                events.TierChange(symbol=BTC, before=2, after=1, why=""),
                events.TierChange(symbol=LINK, before=3, after=None, why="volume 1.9 M < 2 M"),
            ),
            size=12,
        ),
        Level.INFO,
        """\
Universe (paper): 1 in, 1 out, 1 moved; 12 symbols now
In: SOL (tier 1).
Moved: BTC to tier 1.
Out: LINK, volume 1.9 M < 2 M. What is open there goes on to its exit.
[Universe]""",
    ),
    (
        events.SurveyFailed(**WHO, why="no answer in 4.0 s", age=timedelta(hours=3)),
        Level.NOTICE,
        """\
⚠ No survey of the market for 3 h (paper)
No answer in 4.0 s. Nothing that was only discovered is entered until there is one; exits go on.
[Universe] [Status]""",
    ),
    (
        events.SurveyRecovered(**WHO, size=12),
        Level.NOTICE,
        """\
✓ The market is surveyed again (paper)
12 symbols may be entered.
[Universe]""",
    ),
    (
        events.LoopLagged(at=NOW, seconds=1.2),
        Level.NOTICE,
        """\
⚠ Busy: no answer for 1.2 s
Words and scans waited so long. What protects rests at the venue.
[Status]""",
    ),
    (
        events.ClockJumped(at=NOW, by=-3600 * SECOND),
        Level.URGENT,
        """\
⚠ The machine's clock jumped 60 min back
Waits are measured by another clock and go on. Days, rests and ages follow this one: look whether \
it is right.
[Status] [Stop]""",
    ),
]


@pytest.mark.parametrize(
    ("event", "level", "text"), STORY, ids=[type(e).__name__ for e, _, _ in STORY]
)
def test_alerts_read_as_in_the_story(event: Event, level: Level, text: str) -> None:
    reply = told(event)

    reads(reply, text)
    assert reply.level is level


def test_every_announced_event_has_its_golden_text() -> None:
    seen = {type(event) for event, _, _ in STORY} | {events.HaltAdvanced}

    assert set(KINDS) - SILENT == seen


@pytest.mark.parametrize(
    ("trade", "title"),
    [
        (
            a_trade(90, reason=ExitReason.TIME, side=Side.BUY, symbol=BTC, profit=D("-14.26")),
            "Closed BTC long by time, 90 min (paper), -14.26 USDT (-1.46 %)",
        ),
        (
            a_trade(60, reason=ExitReason.STOP, side=Side.BUY, symbol=ETH, profit=D("-32.05")),
            "Closed ETH long by stop (paper), -32.05 USDT (-3.28 %)",
        ),
        (
            a_trade(60, reason=ExitReason.HAND, by="ben, Telegram", profit=D("-17.64")),
            "Closed SOL short by hand, ben (paper), -17.64 USDT (-1.80 %)",
        ),
        (
            a_trade(60, reason=ExitReason.FLATTEN, by="ben, Telegram"),
            "Closed SOL short by /flatten, ben (paper), +33.27 USDT (+3.40 %)",
        ),
        (
            a_trade(60, reason=ExitReason.TRAIL),
            "Closed SOL short by trailing stop (paper), +33.27 USDT (+3.40 %)",
        ),
        (
            a_trade(60, reason=ExitReason.EXTERNAL),
            "Closed SOL short outside the desk (paper), +33.27 USDT (+3.40 %)",
        ),
        (
            a_trade(60, reason=ExitReason.SIGNAL),
            "Closed SOL short by signal (paper), +33.27 USDT (+3.40 %)",
        ),
    ],
)
def test_a_close_says_how_it_came_about(trade: Trade, title: str) -> None:
    assert told(closed(trade, today=None)).title.replace("\u00a0", " ") == title
    assert "Today unknown." in told(closed(trade, today=None)).text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stop": None}, "No stop, target 225.28."),
        ({"stop": None, "target": None}, "No stop."),
        ({"target": None}, "Stop 187.20 risks 29.38."),
        ({"target": None, "placing": True}, "Stop 187.20, being placed, risks 29.38."),
        ({"ordered": D("4.00")}, "1.80 of 4.00 filled so far."),
        ({"equity": D("0")}, "unknown of equity"),
    ],
)
def test_an_opening_tells_only_what_there_is(changes: dict[str, Any], text: str) -> None:
    assert text in told(opened(**changes)).text


def test_an_entry_by_hand_has_no_confidence() -> None:
    assert told(opened(confidence=0)).text.endswith("1.33:1.")


@pytest.mark.parametrize(
    ("outcome", "role", "text"),
    [
        (OrderStatus.FILLED, OrderRole.EXIT, "it was filled"),
        (OrderStatus.OPEN, OrderRole.ENTRY, "the venue has it, its end is not told yet"),
        (OrderStatus.ABSENT, OrderRole.ENTRY, "the venue never had it; not sent again"),
        (OrderStatus.UNKNOWN, OrderRole.ENTRY, "it is unknown"),
    ],
)
def test_a_resolved_order_edits_its_own_message(
    outcome: OrderStatus, role: OrderRole, text: str
) -> None:
    order = replace(SOL_SELL, role=role)
    doubt = told(events.OrderUnknown(**WHO, symbol=SOL, order=order, waited=SECOND))
    solved = told(
        events.OrderResolved(**WHO, symbol=SOL, order=order, outcome=outcome, took=SECOND)
    )

    assert solved.title.endswith(text)
    assert doubt.story == solved.story != ""


@pytest.mark.parametrize(
    ("kind", "filled", "outcome", "text"),
    [
        (OrderType.LIMIT, "0", OrderStatus.OPEN, "it rests at the venue"),
        (OrderType.STOP, "0", OrderStatus.OPEN, "it rests at the venue"),
        (OrderType.LIMIT, "0.40", OrderStatus.OPEN, "it rests at the venue, 0.40 filled"),
        (OrderType.LIMIT, "1.80", OrderStatus.OPEN, "the venue has it, its end is not told yet"),
        (OrderType.MARKET, "0.40", OrderStatus.OPEN, "its end is not told yet, 0.40 filled"),
        (OrderType.MARKET, "1.80", OrderStatus.FILLED, "it was filled"),
        (OrderType.MARKET, "0.40", OrderStatus.EXPIRED, "it expired, 0.40 filled"),
        (OrderType.LIMIT, "0.40", OrderStatus.CANCELLED, "it was cancelled, 0.40 filled"),
    ],
)
def test_only_what_waits_for_a_price_rests_and_what_was_filled_is_told(
    kind: OrderType, filled: str, outcome: OrderStatus, text: str
) -> None:
    order = replace(SOL_SELL, type=kind, filled=D(filled))
    event = events.OrderResolved(**WHO, symbol=SOL, order=order, outcome=outcome, took=SECOND)

    assert told(event).title.endswith(text)


def test_a_live_desk_says_what_stays_on_the_venue() -> None:
    lost = told(replace(events.FeedLost(**WHO, silent=SECOND), mode=Mode.LIVE))

    assert lost.text == "No entries; stops stay on the venue."


NO_ENTRIES = "No entries there; exits go by the venue's own price."


@pytest.mark.parametrize(
    ("doubt", "title", "text"),
    [
        (
            PriceDoubt(kind=DoubtKind.DIFFER, symbols=(BTC,), why="of BTC/USDT: a 100, b 102"),
            "⚠ Sources differ about BTC (paper)",
            f"Of BTC/USDT: a 100, b 102. Nobody can tell who is right. {NO_ENTRIES}",
        ),
        (
            PriceDoubt(kind=DoubtKind.SILENT, source="okx", why="it does not answer"),
            "⚠ Source okx is silent (paper)",
            "It does not answer. The other sources go on.",
        ),
        (
            PriceDoubt(kind=DoubtKind.GAP, symbols=(BTC, ETH, SOL, XRP)),
            "⚠ Candles of BTC, ETH, SOL and 1 more could not be had (paper)",
            f"They are asked for again. {NO_ENTRIES}",
        ),
    ],
)
def test_each_doubt_about_prices_says_what_waits(doubt: PriceDoubt, title: str, text: str) -> None:
    reply = told(events.PricesDoubted(**WHO, doubt=doubt))

    assert (reply.title, reply.text) == (title, text)
    assert (reply.level is Level.URGENT) is doubt.blocks


@pytest.mark.parametrize("kind", DoubtKind)
def test_every_doubt_about_prices_has_its_words(kind: DoubtKind) -> None:
    doubt = PriceDoubt(kind=kind, source="okx", symbols=(BTC,))
    over = told(events.PricesCleared(**WHO, doubt=doubt, lasted=SECOND))

    assert told(events.PricesDoubted(**WHO, doubt=doubt)).text
    assert "again" in over.title or "any more" in over.title


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"kind": "week"}, "⚠ Weekly loss at 80 % of its limit: -235.20 of -293.65 USDT"),
        ({"kind": "drawdown"}, "⚠ Drawdown at 80 % of its limit: -235.20 of -293.65 USDT"),
        ({"lost": D("293.6")}, "⚠ Daily loss at 99 % of its limit: -293.60 of -293.65 USDT"),
    ],
)
def test_each_limit_that_comes_near_has_its_name(changes: dict[str, Any], title: str) -> None:
    near = events.LimitNear(**WHO, kind="day", lost=D("235.20"), limit=D("293.65"), quote="USDT")

    assert told(replace(near, **changes)).title.replace("\u00a0", " ") == title


def a_day(**changes: Any) -> events.PeriodEnded:
    event = events.PeriodEnded(
        **WHO,
        kind="day",
        first=NOW.date(),
        last=NOW.date(),
        profit=D("0"),
        start=D("9788.40"),
        equity=D("9788.40"),
        quote="USDT",
        trades=(),
    )
    return replace(event, **changes)


def test_a_day_without_trades_or_with_one() -> None:
    assert told(a_day()).text == "No trades."
    assert told(a_day(trades=DAY[:1])).text == "1 trade, 1 won. SOL +33.27, fees 1.22."
    assert "(unknown)" in told(a_day(start=D("0"))).title


def test_a_week_over_the_turn_of_a_month() -> None:
    week = a_day(kind="week", first=date(2025, 9, 29), last=date(2025, 10, 5))

    assert told(week).title.startswith("Week 29 Sep-5 Oct (paper): 0.00\u00a0USDT")


def test_many_mistakes_in_the_settings_stay_on_one_screen() -> None:
    mistakes = tuple(f"bot.toml {n}: {'x' * 200}" for n in range(9))

    reply = told(events.SettingsRefused(at=NOW, mistakes=mistakes))

    assert reply.text.endswith("And 4 more.")


def test_a_rule_that_stops_says_what_stays() -> None:
    rule = events.RuleBroken(at=NOW, name="r", condition="c > 1", value=D("2"), action="stop")

    assert "Done: entries blocked, cancels under way." in told(rule).text


# -- the stages of a halt -----------------------------------------------------------------

STAGES = (
    reached(Stage.REQUESTED, at("20:51:04")),
    reached(Stage.ENTRIES_BLOCKED, at("20:51:04")),
    reached(Stage.CANCELS_CONFIRMED, at("20:51:22"), "2/2"),
)


def advanced(stage: Stage, **changes: Any) -> events.HaltAdvanced:
    event = events.HaltAdvanced(
        **WHO,
        halt=a_halt(at=at("20:51:04"), stages=STAGES),
        reached=reached(stage, at("20:51:22"))[1],
        left_open=(BTC, ETH, SOL),
    )
    return replace(event, **changes)


def test_a_confirmed_stop_shows_its_stages() -> None:
    reply = told(advanced(Stage.CANCELS_CONFIRMED))

    reads(
        reply,
        """\
■ Stopped majors (paper), confirmed in 18 s
  UTC       stage
  20:51:04  requested, by ben
  20:51:04  entries blocked
  20:51:22  cancels confirmed, 2/2
Not done: 3 positions and stops stay.
[Positions] [Flatten]""",
    )
    assert (reply.level, reply.story) == (Level.NOTICE, "H17")


FLATTENED = tuple(
    a_trade(60, symbol=symbol, exit_price=D(price), profit=D(profit), reason=ExitReason.FLATTEN)
    for symbol, price, profit in (
        (BTC, "113206.4", "-16.45"),
        (ETH, "3848.55", "-18.43"),
        (SOL, "193.92", "-17.64"),
    )
)


def test_flat_says_that_entries_stay_blocked() -> None:
    reads(
        told(advanced(Stage.FLAT, left_open=(), closes=FLATTENED)),
        """\
✓ Flat: majors (paper), confirmed in 18 s
  BTC  113,206.4  -16.45
  ETH   3,848.55  -18.43
  SOL     193.92  -17.64
Done: -52.52 USDT after fees; protective stops cancelled.
Not done: entries stay blocked until /resume.
[Trades] [Resume]""",
    )


def test_flat_except_dust_and_not_flat() -> None:
    dust = told(advanced(Stage.FLAT_EXCEPT_DUST, left_open=(SOL,)))
    blocked = told(
        advanced(
            Stage.FLAT_BLOCKED,
            left_open=(SOL,),
            reached=reached(Stage.FLAT_BLOCKED, at("20:51:22"), "SOL: reduce-only rejected")[1],
        )
    )

    assert dust.title == "✓ Flat except dust: majors (paper), in 18\u00a0s"
    assert "Too small for the venue to take: SOL." in dust.text
    counted = reached(Stage.FLAT_EXCEPT_DUST, at("20:51:22"), "0.0006 BTC")[1]
    noted = told(advanced(Stage.FLAT_EXCEPT_DUST, left_open=(), reached=counted))
    assert "Too small for the venue to take: 0.0006 BTC." in noted.text
    assert blocked.text == (
        "SOL: reduce-only rejected. SOL is open. "
        "Entries stay blocked; it goes on as soon as that is possible."
    )
    # It needs a person, so it is a message of its own.
    assert (blocked.level, blocked.story) == (Level.CRITICAL, "")


def test_on_the_way_to_flat_nothing_says_that_positions_stay() -> None:
    halt = a_halt(verb=Verb.FLATTEN, stages=STAGES)

    assert describe(advanced(Stage.CANCELS_CONFIRMED, halt=halt)) is None


@pytest.mark.parametrize("stage", [Stage.REQUESTED, Stage.ENTRIES_BLOCKED])
def test_stages_that_were_told_already_are_silent(stage: Stage) -> None:
    assert describe(advanced(stage)) is None


def test_the_first_message_and_its_stages_are_one_story() -> None:
    engaged = told(events.HaltEngaged(**WHO, halt=a_halt()))

    assert engaged.story == told(advanced(Stage.CANCELS_CONFIRMED)).story == "H17"


def test_a_halt_of_all_keeps_one_message_per_trader() -> None:
    everyone = replace(advanced(Stage.CANCELS_CONFIRMED).halt, scope=EVERYONE)
    stories = {
        told(advanced(Stage.CANCELS_CONFIRMED, halt=everyone, trader=name)).story
        for name in ("majors", "alts")
    }
    engaged = told(replace(events.HaltEngaged(**WHO, halt=everyone), trader=EVERYONE))

    assert len(stories | {engaged.story}) == 3
    assert engaged.title == "■ Stopped all traders (paper), by ben, Telegram"


# -- bursts -------------------------------------------------------------------------------


def test_a_burst_is_one_message() -> None:
    burst = [("PositionOpened", told(opened()))] * 4
    burst += [("PositionClosed", told(closed(a_trade(23))))] * 4
    burst += [("StopMoved", Reply("SOL stop moved 224.87 to 218.32 (entry), on venue"))]

    reply = checked(fold(burst))

    assert shown(reply).split("\n")[0] == ("9 events in 10 s: 4 opened, 4 closed, 1 stop moved")
    assert "SOL stop moved" in reply.text
    assert reply.level is Level.NOTICE


def test_a_burst_does_not_hide_that_all_is_flat() -> None:
    burst = [("PositionClosed", told(closed(a_trade(23))))] * 3
    burst += [("HaltAdvanced", told(advanced(Stage.FLAT, left_open=())))]

    assert checked(fold(burst)).title.replace("\u00a0", " ") == (
        "4 events in 10 s: 3 closed, ✓ Flat: majors (paper), confirmed in 18 s"
    )


def test_all_that_a_burst_counts_by_name_is_an_event() -> None:
    assert set(COUNTED) <= {kind.__name__ for kind in KINDS}


def test_a_burst_counts_reports_and_the_like() -> None:
    burst = [(kind, Reply("x")) for kind in ("PeriodEnded", "ScanSlow", "ScanSlow", "LoopLagged")]

    assert fold(burst).title == "4 events in 10\u00a0s: 1 report, 2 slow scans, 1 loop lag"


def test_a_burst_of_other_things_counts_them() -> None:
    title = fold([("FeedLost", Reply("a")), ("FeedBack", Reply("b"))]).title

    assert title == "2 events in 10\u00a0s: 2 others"


def test_with_several_traders_an_alert_says_whose_it_is() -> None:
    named = describe_with_name(opened())
    already = describe_with_name(events.HaltEngaged(**WHO, halt=a_halt()))

    assert named is not None
    assert named.title == "Opened SOL long 1.80 at 203.52 (majors, paper)"
    assert already is not None
    assert already.title.count("majors") == 1
