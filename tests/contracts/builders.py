"""Values to be kept: every field set, so that nothing is lost unnoticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from trading.model.halt import Halt, Reached, Stage, Verb
from trading.ports import Alert, AuditEntry
from trading.types import (
    AccountState,
    Decision,
    EquityPoint,
    ExitPlan,
    ExitReason,
    Fill,
    Movement,
    MovementKind,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    PartialExit,
    Position,
    Side,
    Symbol,
    Trade,
)

NOON = datetime(2021, 5, 19, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def an_order(order_id: str = "qd-1", **changes: object) -> Order:
    order = Order(
        id=order_id,
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.STOP,
        role=OrderRole.PROTECT,
        quantity=Decimal("0.10"),
        created_at=NOON,
        price=Decimal("38000.5"),
        stop_price=Decimal("37999.9"),
        reduce_only=True,
        reason="ema cross",
        by="ben, Telegram",
        plan=a_plan(),
        status=OrderStatus.OPEN,
        filled=Decimal("0.01"),
        average_price=Decimal("38000.55"),
        venue_id="v-9",
        note="accepted",
        updated_at=after(1),
        market_at=NOON,
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # replace checks the names


def a_fill(fill_id: str = "f-1", **changes: object) -> Fill:
    fill = Fill(
        id=fill_id,
        order_id="qd-1",
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal("38000.5"),
        fee=Decimal("3.80005"),
        at=NOON,
    )
    return replace(fill, **changes)  # type: ignore[arg-type]  # as above


def a_position(**changes: object) -> Position:
    position = Position(
        trader="majors",
        symbol=BTC,
        quantity=Decimal("0.075"),
        average_price=Decimal("38000.5"),
        opened_at=NOON,
        id="qd-1",
        entered=Decimal("0.1"),
        exited=Decimal("0.025"),
        exit_value=Decimal("975.01"),
        profit=Decimal("25.10"),
        fees=Decimal("4.77"),
        paced_from=after(1),
    )
    return replace(position, **changes)  # type: ignore[arg-type]  # as above


def a_plan(**changes: object) -> ExitPlan:
    plan = ExitPlan(
        side=Side.SELL,
        size=Decimal("0.100"),
        entry=Decimal("38000.5"),
        stop=Decimal(39000),
        target=Decimal("36000.0"),
        deadline=after(90),
        trail=Decimal("250.5"),
        best=Decimal("37800.1"),
        partials=(
            PartialExit(share=Decimal("0.25"), price=Decimal(37500), done=True),
            PartialExit(share=Decimal("0.25"), price=Decimal("37000.5")),
        ),
        break_even=True,
        confidence=72,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]  # as above


def a_trade(trade_id: str = "qd-1", **changes: object) -> Trade:
    trade = Trade(
        id=trade_id,
        trader="majors",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.1"),
        entry_price=Decimal("38000.5"),
        exit_price=Decimal("38500.25"),
        opened_at=NOON,
        closed_at=after(5),
        profit=Decimal("42.325"),
        fees=Decimal("7.65"),
        reason=ExitReason.HAND,
        by="ben, Telegram",
        rest_from=changes.get("closed_at", after(6)),  # type: ignore[arg-type]  # as below
        paced_from=after(1),
    )
    return replace(trade, **changes)  # type: ignore[arg-type]  # as above


def a_decision(decision_id: str = "majors|BTC/USDT|12:00", **changes: object) -> Decision:
    decision = Decision(
        id=decision_id,
        trader="majors",
        symbol=BTC,
        bar=NOON,
        at=NOON,
        side=Side.BUY,
        approved=True,
        reason="within limits",
        signal="ema cross",
        confidence=72,
        quantity=Decimal("0.1"),
        risk=Decimal("29.99"),
        order_id="qd-1",
    )
    return replace(decision, **changes)  # type: ignore[arg-type]  # as above


def an_account(**changes: object) -> AccountState:
    account = AccountState(
        trader="majors",
        capital=Decimal(10000),
        wallet=Decimal("10012.34"),
        peak=Decimal("10100.00"),
        day=date(2021, 5, 19),
        day_start=Decimal("9990.1"),
        week=date(2021, 5, 17),
        week_start=Decimal(10000),
        cursor=NOON,
        offset=Decimal("-12.5"),
        equal_at=NOON,
    )
    return replace(account, **changes)  # type: ignore[arg-type]  # as above


def a_movement(movement_id: str = "m-1", **changes: object) -> Movement:
    movement = Movement(
        id=movement_id,
        kind=MovementKind.FUNDING,
        amount=Decimal("-0.31"),
        at=NOON,
        symbol=BTC,
    )
    return replace(movement, **changes)  # type: ignore[arg-type]  # as above


def a_point(at: datetime = NOON, **changes: object) -> EquityPoint:
    point = EquityPoint(
        trader="majors",
        at=at,
        equity=Decimal("10050.5"),
        wallet=Decimal("10012.34"),
        exposure=Decimal("3800.05"),
    )
    return replace(point, **changes)  # type: ignore[arg-type]  # as above


def a_halt(number: int = 1, **changes: object) -> Halt:
    halt = Halt(
        id=f"H{number}",
        scope="all",
        verb=Verb.FLATTEN,
        by="ben, Telegram",
        why="news",
        at=NOON,
        guard="day",
        stages=(
            ("majors", Reached(stage=Stage.ENTRIES_BLOCKED, at=NOON)),
            ("minors", Reached(stage=Stage.ENTRIES_BLOCKED, at=NOON)),
            ("majors", Reached(stage=Stage.FLAT_BLOCKED, at=after(1), note="BTC/USDT: no market")),
        ),
    )
    return replace(halt, **changes)  # type: ignore[arg-type]  # as above


def an_alert(alert_id: str, level: int = 20, at: datetime = NOON) -> Alert:
    return Alert(
        id=alert_id, to="telegram:111", level=level, kind="PositionOpened", at=at, body="{}"
    )


def a_word(word_id: str = "tg-1", at: datetime = NOON, answer: str = "Stopped.") -> AuditEntry:
    return AuditEntry(
        id=word_id,
        at=at,
        who="ben",
        role="owner",
        where="telegram:111",
        said="/stop",
        outcome="done",
        answer=answer,
    )
