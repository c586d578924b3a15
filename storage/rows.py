"""Between the core's values and the tables' rows, both ways, and nowhere else.

A row is a tuple in the order of the table's columns (`schema`), without `seq`.  This is the hot
path of every commit, hence plain tuples and `str`: an enum goes through `str()`, which the driver
binds without asking its adapters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from storage.halt_json import stages_from_text, stages_to_text
from trading.common.text import clean
from trading.model.halt import TraderHalt, Verb
from trading.model.halt_numbers import halt_number
from trading.ports import Alert, AuditEntry
from trading.types import (
    AccountState,
    Decision,
    EquityPoint,
    ExitPlan,
    ExitReason,
    Fill,
    Movement,
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

Row = tuple[str | int | None, ...]
Columns = Sequence[Any]
"""What a database gives back: one row, in the order of its columns, without `seq`."""


@lru_cache(maxsize=512)  # each is written several times: of the bar, of the order
def instant(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds, always 32 characters.  Raises ValueError if naive."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError(f"{at!r} has no time zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _maybe_instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


_when: Callable[[str], datetime] = datetime.fromisoformat


def _maybe_when(text: str | None) -> datetime | None:
    return None if text is None else _when(text)


def order_row(order: Order) -> Row:
    price, stop_price, average = order.price, order.stop_price, order.average_price
    updated_at, market_at = order.updated_at, order.market_at
    return (
        order.id,
        order.trader,
        str(order.symbol),
        str(order.side),
        str(order.type),
        str(order.role),
        str(order.quantity),
        None if price is None else str(price),
        None if stop_price is None else str(stop_price),
        int(order.reduce_only),
        order.reason,
        order.by,
        None if order.plan is None else plan_text(order.plan),
        str(order.status),
        str(order.filled),
        None if average is None else str(average),
        order.venue_id,
        order.note,
        instant(order.created_at),
        None if updated_at is None else instant(updated_at),
        None if market_at is None else instant(market_at),
        order.version,
    )


def order_of(row: Columns) -> Order:
    return Order(
        id=row[0],
        trader=row[1],
        symbol=Symbol.parse(row[2]),
        side=Side(row[3]),
        type=OrderType(row[4]),
        role=OrderRole(row[5]),
        quantity=Decimal(row[6]),
        price=_decimal(row[7]),
        stop_price=_decimal(row[8]),
        reduce_only=bool(row[9]),
        reason=row[10],
        by=row[11],
        plan=None if row[12] is None else plan_of(row[12]),
        status=OrderStatus(row[13]),
        filled=Decimal(row[14]),
        average_price=_decimal(row[15]),
        venue_id=row[16],
        note=row[17],
        created_at=_when(row[18]),
        updated_at=_maybe_when(row[19]),
        market_at=_maybe_when(row[20]),
        version=row[21],
    )


def fill_row(fill: Fill) -> Row:
    return (
        fill.id,
        fill.order_id,
        fill.trader,
        str(fill.symbol),
        str(fill.side),
        str(fill.quantity),
        str(fill.price),
        str(fill.fee),
        instant(fill.at),
    )


def fill_of(row: Columns) -> Fill:
    return Fill(
        id=row[0],
        order_id=row[1],
        trader=row[2],
        symbol=Symbol.parse(row[3]),
        side=Side(row[4]),
        quantity=Decimal(row[5]),
        price=Decimal(row[6]),
        fee=Decimal(row[7]),
        at=_when(row[8]),
    )


def position_row(held: tuple[Position, ExitPlan]) -> Row:
    position, plan = held
    return _position_row(position, str(position.quantity), plan_text(plan))


def closed_position_row(position: Position) -> Row:
    """The row stays, empty: a late write of an older version must find something newer."""
    return _position_row(position, "0", None)


def _position_row(position: Position, quantity: str, plan: str | None) -> Row:
    return (
        position.trader,
        str(position.symbol),
        position.id,
        instant(position.opened_at),
        quantity,
        str(position.average_price),
        str(position.entered),
        str(position.exited),
        str(position.exit_value),
        str(position.profit),
        str(position.fees),
        plan,
        _maybe_instant(position.paced_from),
        position.version,
    )


def position_of(row: Columns) -> tuple[Position, ExitPlan]:
    position = Position(
        trader=row[0],
        symbol=Symbol.parse(row[1]),
        id=row[2],
        opened_at=_when(row[3]),
        quantity=Decimal(row[4]),
        average_price=Decimal(row[5]),
        entered=Decimal(row[6]),
        exited=Decimal(row[7]),
        exit_value=Decimal(row[8]),
        profit=Decimal(row[9]),
        fees=Decimal(row[10]),
        paced_from=_maybe_when(row[12]),
        version=row[13],
    )
    return position, plan_of(row[11])


def plan_text(plan: ExitPlan) -> str:
    """As JSON: written out, for nothing in it could need to be escaped."""
    parts = ",".join(f'["{p.share}","{p.price}",{_truth(p.done)}]' for p in plan.partials)
    return (
        f'{{"side":"{plan.side}","size":"{plan.size}","entry":"{plan.entry}",'
        f'"stop":{_quoted(plan.stop)},"target":{_quoted(plan.target)},'
        f'"deadline":{_quoted(_maybe_instant(plan.deadline))},'
        f'"trail":{_quoted(plan.trail)},"best":{_quoted(plan.best)},"partials":[{parts}],'
        f'"break_even":{_truth(plan.break_even)},"confidence":{plan.confidence}}}'
    )


def _quoted(value: Decimal | str | None) -> str:
    return "null" if value is None else f'"{value}"'


def _truth(value: bool) -> str:  # noqa: FBT001  # it is the value
    return "true" if value else "false"


def plan_of(text: str) -> ExitPlan:
    data = json.loads(text)
    return ExitPlan(
        side=Side(data["side"]),
        size=Decimal(data["size"]),
        entry=Decimal(data["entry"]),
        stop=_decimal(data["stop"]),
        target=_decimal(data["target"]),
        deadline=_maybe_when(data["deadline"]),
        trail=_decimal(data["trail"]),
        best=_decimal(data["best"]),
        partials=tuple(
            PartialExit(share=Decimal(share), price=Decimal(price), done=done)
            for share, price, done in data["partials"]
        ),
        break_even=data["break_even"],
        confidence=data["confidence"],
    )


def trade_row(trade: Trade) -> Row:
    return (
        trade.id,
        trade.trader,
        str(trade.symbol),
        str(trade.side),
        str(trade.quantity),
        str(trade.entry_price),
        str(trade.exit_price),
        instant(trade.opened_at),
        instant(trade.closed_at),
        str(trade.profit),
        str(trade.fees),
        str(trade.reason),
        trade.by,
        _maybe_instant(trade.rest_from),
        _maybe_instant(trade.paced_from),
    )


def trade_of(row: Columns) -> Trade:
    return Trade(
        id=row[0],
        trader=row[1],
        symbol=Symbol.parse(row[2]),
        side=Side(row[3]),
        quantity=Decimal(row[4]),
        entry_price=Decimal(row[5]),
        exit_price=Decimal(row[6]),
        opened_at=_when(row[7]),
        closed_at=_when(row[8]),
        profit=Decimal(row[9]),
        fees=Decimal(row[10]),
        reason=ExitReason(row[11]),
        by=row[12],
        rest_from=_maybe_when(row[13]),
        paced_from=_maybe_when(row[14]),
    )


def decision_row(decision: Decision) -> Row:
    return (
        decision.id,
        decision.trader,
        str(decision.symbol),
        instant(decision.bar),
        instant(decision.at),
        str(decision.side),
        int(decision.approved),
        decision.reason,
        decision.signal,
        decision.confidence,
        str(decision.quantity),
        str(decision.risk),
        decision.order_id,
    )


def decision_of(row: Columns) -> Decision:
    return Decision(
        id=row[0],
        trader=row[1],
        symbol=Symbol.parse(row[2]),
        bar=_when(row[3]),
        at=_when(row[4]),
        side=Side(row[5]),
        approved=bool(row[6]),
        reason=row[7],
        signal=row[8],
        confidence=row[9],
        quantity=Decimal(row[10]),
        risk=Decimal(row[11]),
        order_id=row[12],
    )


def account_row(account: AccountState) -> Row:
    return (
        account.trader,
        str(account.capital),
        str(account.wallet),
        str(account.peak),
        account.day.isoformat(),
        str(account.day_start),
        account.week.isoformat(),
        str(account.week_start),
        _maybe_instant(account.cursor),
        _text(account.offset),
        _maybe_instant(account.equal_at),
        account.version,
    )


def account_of(row: Columns) -> AccountState:
    return AccountState(
        trader=row[0],
        capital=Decimal(row[1]),
        wallet=Decimal(row[2]),
        peak=Decimal(row[3]),
        day=date.fromisoformat(row[4]),
        day_start=Decimal(row[5]),
        week=date.fromisoformat(row[6]),
        week_start=Decimal(row[7]),
        cursor=_maybe_when(row[8]),
        offset=_decimal(row[9]),
        equal_at=_maybe_when(row[10]),
        version=row[11],
    )


def movement_row(of: tuple[str, Movement]) -> Row:
    """With the trader whose account it moved."""
    trader, movement = of
    return (
        trader,
        movement.id,
        movement.kind.value,
        str(movement.amount),
        instant(movement.at),
        None if movement.symbol is None else str(movement.symbol),
    )


def equity_row(point: EquityPoint) -> Row:
    return (
        point.trader,
        instant(point.at),
        str(point.equity),
        str(point.wallet),
        str(point.exposure),
    )


def equity_of(row: Columns) -> EquityPoint:
    return EquityPoint(
        trader=row[0],
        at=_when(row[1]),
        equity=Decimal(row[2]),
        wallet=Decimal(row[3]),
        exposure=Decimal(row[4]),
    )


def halt_row(halt: TraderHalt) -> Row:
    return (
        halt.id,
        halt.trader,
        halt_number(halt.id),
        int(halt.verb),
        halt.by,
        halt.why,
        instant(halt.at),
        halt.guard,
        stages_to_text(halt.stages),
        _maybe_instant(halt.lifted_at),
        halt.lifted_by,
        halt.version,
    )


def halt_of(row: Columns) -> TraderHalt:
    return TraderHalt(
        id=row[0],
        trader=row[1],
        verb=Verb(row[3]),
        by=clean(row[4]),
        why=clean(row[5]),
        at=_when(row[6]),
        guard=row[7],
        stages=stages_from_text(row[8]),
        lifted_at=_maybe_when(row[9]),
        lifted_by=clean(row[10]),
    )


def alert_row(alert: Alert) -> Row:
    return (alert.id, alert.to, int(alert.level), alert.kind, instant(alert.at), alert.body)


def alert_of(row: Columns) -> Alert:
    return Alert(id=row[0], to=row[1], level=row[2], kind=row[3], at=_when(row[4]), body=row[5])


def audit_row(entry: AuditEntry) -> Row:
    return (
        entry.id,
        instant(entry.at),
        entry.who,
        entry.role,
        entry.where,
        entry.said,
        entry.outcome,
        entry.answer,
    )


def audit_entry_of(row: Columns) -> AuditEntry:
    return AuditEntry(
        id=row[0],
        at=_when(row[1]),
        who=clean(row[2]),
        role=row[3],
        where=clean(row[4]),
        said=clean(row[5]),
        outcome=row[6],
        answer=clean(row[7]),
    )


def note_row(note: tuple[str, str]) -> Row:
    return note
