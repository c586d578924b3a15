"""Objects with sensible defaults, so that a test states only what matters to it.

They fit together: at NOON the trader `majors` is long 1 BTC, bought at 100 with the stop at 95 and
the target at 110, on paper, out of 10,000 USDT.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from handlers.caller import Caller, Role
from handlers.message import Message
from trading.accounts.views import Closed, Cycle, HoldingView, Price, Scan, Swept, Ticket, View
from trading.model.halt import Halt, Latch, Verb
from trading.ports import Alert, AuditEntry, FeedState, Store
from trading.risk.limits import Limits
from trading.types import (
    AccountState,
    Decision,
    EquityPoint,
    ExitPlan,
    ExitReason,
    Fill,
    MarketRules,
    Mode,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Quote,
    Side,
    Signal,
    Symbol,
    Trade,
)

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
XRP = Symbol("XRP", "USDT")
ADA = Symbol("ADA", "USDT")
DOGE = Symbol("DOGE", "USDT")

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday."""

RULES = MarketRules(tick=Decimal("0.01"), lot=Decimal("0.001"), min_notional=Decimal(10))


def after(*, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
    """So long after NOON; negative: before it."""
    return NOON + timedelta(hours=hours, minutes=minutes, seconds=seconds)


# -- what the market and the strategy say ---------------------------------------------------


def a_quote(**changes: Any) -> Quote:
    return replace(Quote(symbol=BTC, price=Decimal(100), at=NOON), **changes)


def some_rules(**changes: Any) -> MarketRules:
    return replace(RULES, **changes)


def a_signal(**changes: Any) -> Signal:
    signal = Signal(
        symbol=BTC,
        side=Side.BUY,
        bar=NOON,
        price=Decimal(100),
        stop=Decimal(95),
        target=Decimal(110),
        confidence=62,
        reason="EMA 12 crossed above 48",
    )
    return replace(signal, **changes)


def a_decision(**changes: Any) -> Decision:
    """Approved; its id follows from trader, symbol and bar unless it is given."""
    decision = Decision(
        id="",
        trader="majors",
        symbol=BTC,
        bar=NOON,
        at=NOON,
        side=Side.BUY,
        approved=True,
        reason="size 1 risks 5.00 (0.05 %)",
        signal="EMA 12 crossed above 48",
        confidence=62,
        quantity=Decimal(1),
        risk=Decimal(5),
        order_id="o-1",
    )
    decision = replace(decision, **changes)
    key = f"{decision.trader}|{decision.symbol}|{decision.bar.isoformat()}"
    return decision if decision.id else replace(decision, id=key)


# -- orders and what becomes of them --------------------------------------------------------


def an_order(**changes: Any) -> Order:
    """An entry at market, written down and not yet sent."""
    order = Order(
        id="o-1",
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.MARKET,
        role=OrderRole.ENTRY,
        quantity=Decimal(1),
        created_at=NOON,
    )
    return replace(order, **changes)


def a_resting_entry(**changes: Any) -> Order:
    """A limit buy at 99 that rests at the venue."""
    defaults: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "price": Decimal(99),
        "status": OrderStatus.OPEN,
        "venue_id": "v-1",
    }
    return an_order(**(defaults | changes))


def a_stop_order(**changes: Any) -> Order:
    """The protective stop at 95 of one BTC, resting at the venue."""
    defaults: dict[str, Any] = {
        "id": "s-1",
        "side": Side.SELL,
        "type": OrderType.STOP,
        "role": OrderRole.PROTECT,
        "stop_price": Decimal(95),
        "reduce_only": True,
        "reason": ExitReason.STOP.value,
        "status": OrderStatus.OPEN,
        "venue_id": "v-2",
    }
    return an_order(**(defaults | changes))


def an_exit(**changes: Any) -> Order:
    """A reducing sale at market, by hand."""
    defaults: dict[str, Any] = {
        "id": "x-1",
        "side": Side.SELL,
        "role": OrderRole.EXIT,
        "reduce_only": True,
        "reason": ExitReason.HAND.value,
    }
    return an_order(**(defaults | changes))


def a_fill(**changes: Any) -> Fill:
    fill = Fill(
        id="f-1",
        order_id="o-1",
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(100),
        fee=Decimal("0.1"),
        at=NOON,
    )
    return replace(fill, **changes)


def a_report(**changes: Any) -> OrderReport:
    """What a venue says of `an_order` once it is filled."""
    report = OrderReport(
        order_id="o-1",
        status=OrderStatus.FILLED,
        venue_id="v-1",
        filled=Decimal(1),
        average_price=Decimal(100),
        fills=(a_fill(),),
    )
    return replace(report, **changes)


# -- positions and their plans --------------------------------------------------------------


def a_position(**changes: Any) -> Position:
    """Long 1 BTC at 100; a short has a negative `quantity`."""
    position = Position(
        trader="majors",
        symbol=BTC,
        quantity=Decimal(1),
        average_price=Decimal(100),
        opened_at=NOON,
        id="o-1",
        entered=Decimal(1),
        fees=Decimal("0.1"),
    )
    return replace(position, **changes)


def a_plan(**changes: Any) -> ExitPlan:
    plan = ExitPlan(
        side=Side.BUY,
        size=Decimal(1),
        entry=Decimal(100),
        stop=Decimal(95),
        target=Decimal(110),
    )
    return replace(plan, **changes)


def a_trade(**changes: Any) -> Trade:
    """A loss of 5.20 at the stop, an hour after it was opened."""
    trade = Trade(
        id="o-1",
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(1),
        entry_price=Decimal(100),
        exit_price=Decimal(95),
        opened_at=NOON,
        closed_at=after(hours=1),
        profit=Decimal("-5.2"),
        fees=Decimal("0.2"),
        reason=ExitReason.STOP,
    )
    return replace(trade, **changes)


# -- the account ----------------------------------------------------------------------------


def some_limits(**changes: Any) -> Limits:
    return replace(Limits(), **changes)


def an_account(**changes: Any) -> AccountState:
    account = AccountState(
        trader="majors",
        capital=Decimal(10_000),
        wallet=Decimal(10_000),
        peak=Decimal(10_000),
        day=NOON.date(),
        day_start=Decimal(10_000),
        week=date(2026, 1, 5),
        week_start=Decimal(10_000),
        cursor=NOON,
    )
    return replace(account, **changes)


def an_equity_point(**changes: Any) -> EquityPoint:
    point = EquityPoint(
        trader="majors",
        at=NOON,
        equity=Decimal(10_000),
        wallet=Decimal(10_000),
        exposure=Decimal(0),
    )
    return replace(point, **changes)


# -- what a desk shows of itself ------------------------------------------------------------


def a_holding(**changes: Any) -> HoldingView:
    """`a_position` seen at 102, a second ago: +2.00 USDT."""
    holding = HoldingView(
        position=a_position(),
        plan=a_plan(),
        rules=RULES,
        quote=a_quote(price=Decimal(102)),
        age=timedelta(seconds=1),
        stale=False,
        stop_on_venue=True,
    )
    return replace(holding, **changes)


def a_view(**changes: Any) -> View:
    """Flat, healthy, trading on paper, nothing has happened yet."""
    view = View(
        name="majors",
        mode=Mode.PAPER,
        quote="USDT",
        strategy="EMA cross",
        timeframe=timedelta(minutes=1),
        limits=Limits(),
        ready=True,
        as_of=NOON,
        market=NOON,
        replay_speed=None,
        equity=Decimal(10_000),
        known_equity=Decimal(10_000),
        known_equity_at=NOON,
        wallet=Decimal(10_000),
        open_profit=Decimal(0),
        today=Decimal(0),
        day_start=Decimal(10_000),
        week_start=Decimal(10_000),
        peak=Decimal(10_000),
        drawdown=Decimal(0),
        exposure=Decimal(0),
        exposures={},
        holdings=(),
        orders=(),
        halts=(),
        rest="",
        feed=FeedState.LIVE,
        price_age=timedelta(seconds=1),
        venue_silent=None,
        asked_at=None,
        day_ends_in=timedelta(hours=12),
        unsaved=0,
        symbol_rests=(),
        symbols=1,
        trades_today=0,
        last_look=None,
        last_cycle=Cycle(at=after(seconds=-10), seconds=0.04, bars=1, decisions=0),
        cycle_every=timedelta(minutes=1),
    )
    return replace(view, **changes)


def a_halt(**changes: Any) -> Halt:
    """H1: ben stopped every trader from Telegram."""
    halt = Halt(
        id="H1", scope="all", verb=Verb.STOP, by="ben, Telegram", why="news at 20:45", at=NOON
    )
    return replace(halt, **changes)


def a_sweep(**changes: Any) -> Swept:
    """Two entries rested, and both are proven to have ended."""
    swept = Swept(
        trader="majors",
        cancelled=2,
        total=2,
        unknown=0,
        resting=0,
        confirmed=True,
        seconds=0.8,
        tries=1,
        problem="",
    )
    return replace(swept, **changes)


def a_close(**changes: Any) -> Closed:
    """The one BTC sold by hand at 102."""
    closed = Closed(
        order=an_exit(
            status=OrderStatus.FILLED, filled=Decimal(1), average_price=Decimal(102), version=2
        ),
        symbol=BTC,
        asked=Decimal(1),
        quantity=Decimal(1),
        price=Decimal(102),
        profit=Decimal("1.898"),
        trade=None,
        left=Decimal(0),
        reason=ExitReason.HAND,
        known=True,
        problem="",
    )
    return replace(closed, **changes)


def a_scan(**changes: Any) -> Scan:
    """One bar, no signal."""
    cycle = Cycle(at=NOON, seconds=0.04, bars=1, decisions=0)
    return replace(Scan(cycle=cycle, decisions=()), **changes)


def a_price(**changes: Any) -> Price:
    """`a_quote`, a second old, which began the day at 98."""
    price = Price(
        symbol=BTC,
        rules=RULES,
        quote=a_quote(),
        age=timedelta(seconds=1),
        stale=False,
        day_open=Decimal(98),
    )
    return replace(price, **changes)


def a_ticket(**changes: Any) -> Ticket:
    """Two BTC at 100, the stop 2 % below."""
    ticket = Ticket(
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(2),
        price=Decimal(100),
        notional=Decimal(200),
        stop=Decimal(98),
        risk=Decimal(4),
        most=Decimal(2_000),
        bound="position size",
    )
    return replace(ticket, **changes)


# -- what is said ---------------------------------------------------------------------------


def a_caller(**changes: Any) -> Caller:
    """ben, an operator, on Telegram."""
    caller = Caller(
        user="telegram:111", name="ben", role=Role.OPERATOR, place="Telegram", chat="telegram:111"
    )
    return replace(caller, **changes)


def a_message(text: str = "/status", **changes: Any) -> Message:
    return replace(Message(caller=a_caller(), text=text, sent_at=NOON), **changes)


def an_alert(**changes: Any) -> Alert:
    alert = Alert(
        id="e-1|telegram:111",
        to="telegram:111",
        level=20,
        kind="PositionOpened",
        at=NOON,
        body='{"title": "BTC long opened"}',
    )
    return replace(alert, **changes)


def a_word(**changes: Any) -> AuditEntry:
    word = AuditEntry(
        id="telegram:1",
        at=NOON,
        who="telegram:111",
        role="operator",
        where="telegram:111",
        said="/status",
        outcome="done",
        answer="Trading (paper), nothing needs you",
    )
    return replace(word, **changes)


async def skip_used(latch: Latch, store: Store) -> None:
    """Let *latch* go on behind the numbers that halts in *store* have."""
    blocks = await store.halt_numbers("desk", after=latch.numbers.used)
    latch.numbers.skip(min(block.start for block in blocks if block) - 1)
