"""The same promises without a disk: for dry runs, backtests and tests."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Protocol, TypeVar

from storage.halt_blocks import left_of, next_block
from storage.retention import Retention, superfluous
from trading.clocks import Clock
from trading.errors import StoreError
from trading.model.halt import Halt, TraderHalt
from trading.model.halt_numbers import FEW, halt_number
from trading.ports import Alert, AuditEntry, Books, Change, Tidied, WritePriority, recent
from trading.stats.daybook import DayBook
from trading.types import (
    ZERO,
    AccountState,
    Decision,
    EquityPoint,
    ExitPlan,
    Fill,
    Movement,
    Order,
    Position,
    Symbol,
    Trade,
)

KEPT = Retention()


class _Owned(Protocol):
    @property
    def trader(self) -> str: ...


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Mine = TypeVar("Mine", bound=_Owned)
Counted = TypeVar("Counted", bound=_Versioned)


def _take_newer(kept: dict[Key, Counted], key: Key, value: Counted) -> None:
    old = kept.get(key)
    if old is None or value.version > old.version:
        kept[key] = value


class MemoryStore:
    """A `Store` that forgets.  `refuse` makes it fail as a full disk does, until `accept`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._refusal = ""
        self._orders: dict[str, Order] = {}
        self._fills: dict[tuple[str, Symbol, str], Fill] = {}
        self._positions: dict[tuple[str, Symbol, str, datetime], Position] = {}
        self._plans: dict[tuple[str, Symbol, str, datetime], ExitPlan] = {}
        self._trades: dict[tuple[str, str, datetime], Trade] = {}
        self._decisions: dict[str, Decision] = {}
        self._accounts: dict[str, AccountState] = {}
        self._movements: dict[tuple[str, str], Movement] = {}
        self._equity: dict[tuple[str, datetime], EquityPoint] = {}
        self._halts: dict[tuple[str, str], TraderHalt] = {}
        self._blocks: dict[str, range] = {}
        self._alerts: dict[str, Alert] = {}
        self._delivered: dict[str, datetime] = {}
        self._audit: dict[str, AuditEntry] = {}
        self._notes: dict[str, str] = {}

    def refuse(self, why: str) -> None:
        """From now on `commit` raises `StoreError` with *why*."""
        self._refusal = why

    def accept(self) -> None:
        self._refusal = ""

    async def close(self) -> None:
        self._refusal = "history is closed"

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        if self._refusal:
            raise StoreError(self._refusal)
        self._take_versioned(change)
        self._take_facts(change)
        self._take_said(change)

    def _take_versioned(self, change: Change) -> None:
        for order in change.orders:
            _take_newer(self._orders, order.id, order)
        for position, plan in change.positions:
            self._take_position(position, plan)
        for position in change.closed_positions:
            self._close_position(position)
        for account in change.accounts:
            _take_newer(self._accounts, account.trader, account)
        for halt in change.halts:
            _take_newer(self._halts, (halt.id, halt.trader), halt)

    def _take_position(self, position: Position, plan: ExitPlan) -> None:
        key = _position_key(position)
        old = self._positions.get(key)
        if old is None or position.version > old.version:
            self._positions[key], self._plans[key] = position, plan

    def _close_position(self, position: Position) -> None:
        """Keep it, empty: a late write of an older version must find something newer."""
        key = _position_key(position)
        old = self._positions.get(key)
        if old is None or position.version >= old.version:
            self._positions[key] = replace(position, quantity=ZERO)
            self._plans.pop(key, None)

    def _take_facts(self, change: Change) -> None:
        for fill in change.fills:
            self._fills.setdefault((fill.trader, fill.symbol, fill.id), fill)
        for trade in change.trades:
            self._trades.setdefault((trade.trader, trade.id, trade.closed_at), trade)
        for decision in change.decisions:
            self._decisions.setdefault(decision.id, decision)
        for trader, movement in change.movements:
            self._movements.setdefault((trader, movement.id), movement)
        for point in change.equity:
            self._equity.setdefault((point.trader, point.at), point)

    def _take_said(self, change: Change) -> None:
        for alert in change.alerts:
            self._alerts.setdefault(alert.id, alert)
        for alert_id in change.delivered:
            if alert_id in self._alerts:
                self._delivered.setdefault(alert_id, self._clock.now())
        for entry in change.audit:
            self._audit.setdefault(entry.id, entry)
        self._notes.update(change.notes)

    async def books(self, trader: str) -> Books:
        orders = tuple(o for o in _of(self._orders, trader) if o.is_alive)
        held = [key for key, p in self._positions.items() if p.quantity and p.trader == trader]
        positions = tuple(
            (self._positions[key], self._plans[key]) for key in sorted(held, key=lambda k: k[3])
        )
        trades = await self.trades(trader, limit=len(self._trades))
        return Books(
            account=self._accounts.get(trader),
            orders=orders,
            positions=positions,
            recent_fills=self._recent_fills(trader, orders, [p for p, _ in positions]),
            recent_trades=tuple(trades[: recent(trades)]),
            recent_movements=frozenset(m for owner, m in self._movements if owner == trader),
        )

    def _recent_fills(
        self, trader: str, orders: Sequence[Order], positions: Sequence[Position]
    ) -> frozenset[str]:
        alive = {order.id for order in orders}
        opened = {position.symbol: position.opened_at for position in positions}
        return frozenset(
            fill.id
            for fill in _of(self._fills, trader)
            if fill.order_id in alive or (fill.symbol in opened and fill.at >= opened[fill.symbol])
        )

    async def halts(self) -> Sequence[Halt]:
        parts: dict[str, list[TraderHalt]] = {}
        for part in self._halts.values():
            if part.lifted_at is None:
                parts.setdefault(part.id, []).append(part)
        halts = map(Halt.of, parts.values())
        return tuple(sorted(halts, key=lambda h: (halt_number(h.id), h.at, h.id)))

    async def halt_numbers(self, owner: str, *, after: int) -> Sequence[range]:
        used = [halt_number(halt_id) for halt_id, _ in self._halts]
        block = self._blocks.get(owner, range(0))
        left = left_of(block, max((n for n in used if n in block), default=0), after)
        if len(left) >= FEW or (left and self._refusal):
            return (left,)
        if self._refusal:
            raise StoreError(self._refusal)
        end = max((block.stop - 1 for block in self._blocks.values()), default=0)
        self._blocks[owner] = next_block(end, max(used, default=0), after)
        return (left, self._blocks[owner])

    async def orders(self, trader: str, *, limit: int) -> Sequence[Order]:
        return _newest(_of(self._orders, trader), lambda o: o.created_at)[:limit]

    async def order(self, order_id: str) -> Order | None:
        return self._orders.get(order_id)

    async def fills(self, trader: str) -> Sequence[Fill]:
        return tuple(sorted(_of(self._fills, trader), key=lambda f: f.at))

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> Sequence[Trade]:
        found = _newest(_of(self._trades, trader), lambda t: t.closed_at)
        return found[offset : offset + limit]

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> Sequence[Decision]:
        found = (d for d in _of(self._decisions, trader) if d.symbol == symbol)
        return _newest(found, lambda d: d.at)[:limit]

    async def decided(self, decision_id: str) -> Decision | None:
        return self._decisions.get(decision_id)

    async def equity(self, trader: str, *, since: datetime) -> Sequence[EquityPoint]:
        found = (p for p in _of(self._equity, trader) if p.at >= since)
        return tuple(sorted(found, key=lambda p: p.at))

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        return DayBook.of(_of(self._trades, trader), _of(self._equity, trader), zone)

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        waiting = (a for a in self._alerts.values() if a.id not in self._delivered)
        return tuple(sorted(waiting, key=lambda a: (-a.level, a.at))[:limit])

    async def alerts(self, to: str, *, limit: int) -> Sequence[Alert]:
        return _newest((a for a in self._alerts.values() if a.to == to), lambda a: a.at)[:limit]

    async def audit(self, *, limit: int) -> Sequence[AuditEntry]:
        return _newest(self._audit.values(), lambda w: w.at)[:limit]

    async def audited(self, message_id: str) -> AuditEntry | None:
        return self._audit.get(message_id)

    async def note(self, name: str) -> str | None:
        return self._notes.get(name)

    async def tidy(self, now: datetime, *, keep: Retention = KEPT) -> Tidied:
        if self._refusal:
            raise StoreError(self._refusal)
        old: dict[str, Sequence[Hashable]] = {
            "equity": [key for one in self._before(keep.detail) for key in self._thinned(*one)],
            "decisions": [key for one in self._before(keep.detail) for key in self._refused(*one)],
            "alerts": [key for key, at in self._delivered.items() if at < now - keep.alerts],
            "words": [key for key, entry in self._audit.items() if entry.at < now - keep.words],
        }
        tables = {"words": "_audit"}
        for name, keys in old.items():
            for key in keys:
                del getattr(self, tables.get(name, f"_{name}"))[key]
        for alert_id in old["alerts"]:
            del self._delivered[str(alert_id)]
        return Tidied(removed={name: len(keys) for name, keys in old.items() if keys}, size=0)

    def size(self) -> int:
        return 0

    def _before(self, detail: timedelta) -> Iterator[tuple[str, datetime]]:
        accounts = self._accounts.values()
        return ((a.trader, a.cursor - detail) for a in accounts if a.cursor is not None)

    def _thinned(self, trader: str, until: datetime) -> Iterator[Hashable]:
        times = sorted(p.at for p in _of(self._equity, trader) if p.at <= until)
        return ((trader, at) for at in superfluous(times))

    def _refused(self, trader: str, until: datetime) -> Iterator[Hashable]:
        mine = _of(self._decisions, trader)
        return (d.id for d in mine if not d.order_id and d.bar < until)


class MemoryJournal:
    """A `Journal` that forgets."""

    def __init__(self) -> None:
        self._records: list[Mapping[str, object]] = []

    async def append(self, *records: Mapping[str, object]) -> None:
        self._records.extend(dict(record) for record in records)

    async def records(self) -> Sequence[Mapping[str, object]]:
        return tuple(self._records)

    async def rewrite(self, records: Sequence[Mapping[str, object]]) -> None:
        self._records = [dict(record) for record in records]

    async def drop(self, is_done: Callable[[Mapping[str, object]], bool]) -> None:
        self._records = [record for record in self._records if not is_done(record)]

    async def close(self) -> None:
        pass


def _position_key(position: Position) -> tuple[str, Symbol, str, datetime]:
    return (position.trader, position.symbol, position.id, position.opened_at)


def _of(kept: Mapping[Key, Mine], trader: str) -> Iterator[Mine]:
    return (value for value in kept.values() if value.trader == trader)


def _newest(values: Iterable[Value], at: Callable[[Value], datetime]) -> tuple[Value, ...]:
    """Newest first; of the same instant, what was written last comes first."""
    return tuple(sorted(values, key=at)[::-1])
