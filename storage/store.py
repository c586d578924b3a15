"""History in a database: durable when `commit` returns, on SQLite beside the desk."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, tzinfo
from itertools import groupby
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Row, Select, Table, create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

# AsyncEngine would do the same, and bring the ORM: 0.3 s and 5 MB at every start.
from sqlalchemy.util import greenlet_spawn

from storage import halt_blocks, retention, rows, schema, sums
from storage.groups import Groups
from storage.reports import Reports
from storage.retention import Retention, Step
from storage.sqlite import SqliteWriter, connect_to, reason, refuse_another, url_to_read
from storage.statements import Rows, rows_of
from trading.clocks import Clock
from trading.errors import StoreError
from trading.model.halt import Halt
from trading.model.halt_numbers import FEW
from trading.ports import (
    LONGEST_BAR,
    RECENT_TRADES,
    Alert,
    AuditEntry,
    Books,
    Change,
    Tidied,
    WritePriority,
    recent,
)
from trading.risk.allowed import LONGEST_REST
from trading.stats.daybook import DayBook
from trading.types import Decision, EquityPoint, Fill, Order, Position, Symbol, Trade

RECENT_MOVEMENTS = 2_000
KEPT = Retention()
_MOST = 256
"""Changes per transaction: some 10 ms of writing, which the next halt may have to wait."""

_TURN = 0.0001
"""Seconds that a thread may keep Python's lock while another waits for it."""

Value = TypeVar("Value")


class SqlStore:
    """The `Store` on SQLite.  Made by `open`."""

    def __init__(
        self, path: Path, *, clock: Clock, busy_timeout: float = 0.25, retry_for: float = 2.0
    ) -> None:
        attempts = max(1, round(retry_for / busy_timeout))
        _let_threads_in()
        self._clock = clock
        self._path = path
        self._writer = SqliteWriter(path, busy_timeout=busy_timeout, attempts=attempts)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._groups: Groups[Rows] = Groups(self._write, most=_MOST)
        self._closed = False
        url = url_to_read(path, "sqlite+aiosqlite")
        self._readers = create_engine(url, pool_size=2, max_overflow=2)
        refuse_another(self._readers, self._writer.gone)
        connect_to(self._readers, busy_timeout=busy_timeout, begin="BEGIN")
        self._reports = Reports(path, busy_timeout=busy_timeout, gone=self._writer.gone)
        self._summing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")
        """Of its own: halts do not wait for sums."""
        self._keeping: asyncio.Future[None] | None = None
        self._reading: set[asyncio.Future[Any]] = set()

    @classmethod
    async def open(
        cls,
        where: str | Path,
        *,
        clock: Clock,
        busy_timeout: float = 0.25,
        retry_for: float = 2.0,
    ) -> Self:
        """Open the history at *where*, a path or a `sqlite:///` URL, migrating it if need be.

        *busy_timeout* is how long SQLite waits for a lock at a time, *retry_for* how long a commit
        tries in all (both in seconds).  Raises `StoreError`.
        """
        store = cls(_path(where), clock=clock, busy_timeout=busy_timeout, retry_for=retry_for)
        try:
            await store._in_thread(store._writer.open)
        except BaseException:
            store._thread.shutdown(wait=False)
            raise
        return store

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        if self._closed:
            return
        if self._keeping is not None:
            await self._keeping
        self._closed = True
        await self._groups.drain()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._in_thread(self._writer.close)
        self._thread.shutdown(wait=False)
        await asyncio.get_running_loop().run_in_executor(self._summing, self._reports.close)
        self._summing.shutdown(wait=False)
        await greenlet_spawn(self._readers.dispose)

    def lost(self) -> str:
        """What has become of its file: moved away, replaced or damaged; empty if nothing."""
        return self._writer.gone()

    @property
    def is_damaged(self) -> bool:
        """It is lost, and putting it back would not help."""
        return self._writer.is_damaged

    async def rescue(self, target: Path) -> None:
        """Copy all that was ever written to *target*, whatever became of the file.

        What was refused since it was lost is in it, too.  Raises `StoreError`.
        """
        if self._closed:
            raise StoreError("history is closed")
        await self._in_thread(self._writer.rescue, target)

    def commit(
        self, change: Change, priority: WritePriority = WritePriority.REST
    ) -> Awaitable[None]:
        if self._closed:
            raise StoreError("history is closed")
        now = rows.instant(self._clock.now()) if change.delivered else ""
        return self._groups.put(rows_of(change, now=now), priority)

    async def books(self, trader: str) -> Books:
        return await self._read(lambda connection: _books(connection, trader))

    async def halts(self) -> Sequence[Halt]:
        parts = await self._all(_halts(), rows.halt_of)
        return [Halt.of(own) for _, own in groupby(parts, key=lambda part: part.id)]

    async def halt_numbers(self, owner: str, *, after: int) -> Sequence[range]:
        left = await self._step(lambda connection: halt_blocks.left(connection, owner, after))
        if len(left) >= FEW:
            return (left,)
        try:
            new = await self._step(lambda connection: halt_blocks.reserve(connection, owner, after))
        except StoreError:
            if not left:
                raise
            return (left,)
        return (left, new)

    async def orders(self, trader: str, *, limit: int) -> Sequence[Order]:
        table = schema.orders
        query = _of(table, trader).order_by(table.c.created_at.desc(), table.c.seq.desc())
        return await self._all(query.limit(limit), rows.order_of)

    async def order(self, order_id: str) -> Order | None:
        table = schema.orders
        return await self._one(_from(table).where(table.c.id == order_id), rows.order_of)

    async def fills(self, trader: str) -> Sequence[Fill]:
        table = schema.fills
        query = _of(table, trader).order_by(table.c.at, table.c.seq)
        return await self._all(query, rows.fill_of)

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> Sequence[Trade]:
        return await self._all(_trades(trader).limit(limit).offset(offset), rows.trade_of)

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> Sequence[Decision]:
        table = schema.decisions
        query = (
            _of(table, trader)
            .where(table.c.symbol == str(symbol))
            .order_by(table.c.at.desc(), table.c.seq.desc())
            .limit(limit)
        )
        return await self._all(query, rows.decision_of)

    async def decided(self, decision_id: str) -> Decision | None:
        table = schema.decisions
        return await self._one(_from(table).where(table.c.id == decision_id), rows.decision_of)

    async def equity(self, trader: str, *, since: datetime) -> Sequence[EquityPoint]:
        table = schema.equity
        query = _of(table, trader).where(table.c.at >= rows.instant(since)).order_by(table.c.at)
        return await self._all(query, rows.equity_of)

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        if self._closed:
            raise StoreError("history is closed")
        reading = asyncio.get_running_loop().run_in_executor(
            self._summing, self._reports.day_book, trader, zone
        )
        try:
            book = await reading
        except (SQLAlchemyError, ValueError, ArithmeticError) as error:
            self._writer.notice(error)
            raise StoreError(f"history could not be read: {reason(error)}") from error
        if not self._closed and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.ensure_future(self._keep_sums())
        return book

    async def _keep_sums(self) -> None:
        """Let the next start begin from the sums of now; without them it adds up more."""
        loop = asyncio.get_running_loop()
        with suppress(StoreError):
            kept = await loop.run_in_executor(self._summing, self._reports.to_keep)
            if kept is not None:
                await self.commit(Change(notes=((sums.NOTE, kept),)))

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        table = schema.alerts
        query = (
            _from(table)
            .where(text(schema.WAITING))
            .order_by(table.c.level.desc(), table.c.at, table.c.seq)
            .limit(limit)
        )
        return await self._all(query, rows.alert_of)

    async def alerts(self, to: str, *, limit: int) -> Sequence[Alert]:
        table = schema.alerts
        query = _from(table).where(table.c.to == to).order_by(table.c.seq.desc()).limit(limit)
        return await self._all(query, rows.alert_of)

    async def audit(self, *, limit: int) -> Sequence[AuditEntry]:
        table = schema.words
        query = _from(table).order_by(table.c.at.desc(), table.c.seq.desc()).limit(limit)
        return await self._all(query, rows.audit_entry_of)

    async def audited(self, message_id: str) -> AuditEntry | None:
        table = schema.words
        return await self._one(_from(table).where(table.c.id == message_id), rows.audit_entry_of)

    async def note(self, name: str) -> str | None:
        table = schema.notes
        query = select(table.c.value).where(table.c.name == name)
        return await self._read(lambda connection: connection.execute(query).scalar())

    async def tidy(self, now: datetime, *, keep: Retention = KEPT) -> Tidied:
        removed: Counter[str] = Counter()
        cursors = await self._step(retention.cursors)
        for table, chore in retention.chores(cursors, now, keep):
            removed[table] += await self._done(chore)
        await self._done(retention.give_back)
        await self._in_thread(self._writer.checkpoint)
        return Tidied(removed={t: n for t, n in removed.items() if n}, size=self.size())

    async def _done(self, chore: retention.Chore) -> int:
        """Step after step; what comes to be written meanwhile goes in between."""
        removed, step = 0, Step(0, done=False)
        while not step.done:
            step = await self._step(chore)
            removed += step.removed
        return removed

    async def _step(self, step: Callable[[Connection], Value]) -> Value:
        if self._closed:
            raise StoreError("history is closed")
        return await self._in_thread(self._writer.ask, step)

    def size(self) -> int:
        return sum(_bytes(self._path.with_name(self._path.name + end)) for end in ("", "-wal"))

    async def _all(
        self, query: Select[Any], value_of: Callable[[Row[Any]], Value]
    ) -> tuple[Value, ...]:
        return await self._read(lambda connection: _values(connection, query, value_of))

    async def _one(self, query: Select[Any], value_of: Callable[[Row[Any]], Value]) -> Value | None:
        found = await self._all(query.limit(1), value_of)
        return found[0] if found else None

    async def _read(self, ask: Callable[[Connection], Value]) -> Value:
        """Ask on a connection that only reads, within one snapshot.

        Whoever waits may be cancelled; a connection in the midst of an answer may not.
        """
        asking = asyncio.ensure_future(greenlet_spawn(self._ask, ask))
        self._reading.add(asking)
        asking.add_done_callback(self._has_read)
        try:
            return await asyncio.shield(asking)
        except (SQLAlchemyError, ValueError, KeyError, TypeError) as error:
            self._writer.notice(error)
            raise StoreError(f"history could not be read: {reason(error)}") from error

    def _has_read(self, asking: asyncio.Future[Any]) -> None:
        self._reading.discard(asking)
        if not asking.cancelled():
            asking.exception()  # told by whoever waits for it, if anybody still does

    def _ask(self, ask: Callable[[Connection], Value]) -> Value:
        with self._readers.connect() as connection:
            return ask(connection)

    def _write(self, group: Sequence[Rows]) -> Awaitable[Sequence[StoreError | None]]:
        return self._in_thread(self._writer.write, group)

    def _in_thread(self, call: Callable[..., Value], *args: object) -> Awaitable[Value]:
        return asyncio.get_running_loop().run_in_executor(self._thread, call, *args)


def _let_threads_in() -> None:
    """Have a busy event loop give the writer its turn.

    Python counts 5 ms of waiting anew whenever the lock changes hands, and a loop lets go of it in
    each of its rounds, too shortly for another thread to get it.  A loop with a round per
    millisecond and no rest was measured to keep a halt from the disk for 20 s; so, 0.3 s at most.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))


def _path(where: str | Path) -> Path:
    if isinstance(where, Path) or "://" not in where:
        return Path(where).absolute()
    url = make_url(where)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise StoreError(f"history on {url.get_backend_name()} is not built yet; name a file")
    return Path(url.database).absolute()


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _from(table: Table) -> Select[Any]:
    """Its rows as `rows` knows them: without `seq`."""
    return select(*(column for column in table.columns if column.name != "seq"))


def _of(table: Table, trader: str) -> Select[Any]:
    return _from(table).where(table.c.trader == trader)


def _halts() -> Select[Any]:
    halts = schema.halts.c
    return _from(schema.halts).where(text(schema.ACTIVE)).order_by(halts.number, halts.at, halts.id)


def _trades(trader: str) -> Select[Any]:
    table = schema.trades
    return _of(table, trader).order_by(table.c.closed_at.desc(), table.c.seq.desc())


def _values(
    connection: Connection, query: Select[Any], value_of: Callable[[Row[Any]], Value]
) -> tuple[Value, ...]:
    return tuple(value_of(row) for row in connection.execute(query))


def _books(connection: Connection, trader: str) -> Books:
    alive = _of(schema.orders, trader).where(text(schema.ALIVE)).order_by(schema.orders.c.seq)
    held = _of(schema.positions, trader).where(text(schema.OPEN))
    accounts = _values(connection, _of(schema.accounts, trader), rows.account_of)
    orders = _values(connection, alive, rows.order_of)
    positions = _values(connection, held.order_by(schema.positions.c.opened_at), rows.position_of)
    return Books(
        account=accounts[0] if accounts else None,
        orders=orders,
        positions=positions,
        recent_fills=_recent_fills(connection, orders, [position for position, _ in positions]),
        recent_trades=_recent_trades(connection, trader),
        recent_movements=_recent_movements(connection, trader),
    )


def _recent_trades(connection: Connection, trader: str) -> tuple[Trade, ...]:
    last = _values(connection, _trades(trader).limit(RECENT_TRADES), rows.trade_of)
    if len(last) < RECENT_TRADES:
        return last
    since = rows.instant(last[0].closed_at - LONGEST_REST - LONGEST_BAR)
    of_a_week = _trades(trader).where(schema.trades.c.closed_at >= since)
    found = max(last, _values(connection, of_a_week, rows.trade_of), key=len)
    return found[: recent(found)]


def _recent_movements(connection: Connection, trader: str) -> frozenset[str]:
    table = schema.movements
    query = select(table.c.id).where(table.c.trader == trader).order_by(table.c.seq.desc())
    return frozenset(connection.execute(query.limit(RECENT_MOVEMENTS)).scalars())


def _recent_fills(
    connection: Connection, orders: Sequence[Order], positions: Sequence[Position]
) -> frozenset[str]:
    """Ids of fills that may be told again: of orders alive, and since a position was opened.

    Asked one by one: of a join SQLite makes a walk through every fill that ever was.
    """
    fill = schema.fills.c
    queries = [select(fill.id).where(fill.order_id == order.id) for order in orders]
    for held in positions:
        mine = select(fill.id).where(fill.trader == held.trader, fill.symbol == str(held.symbol))
        queries.append(mine.where(fill.at >= rows.instant(held.opened_at)))
    return frozenset(f for query in queries for f in connection.execute(query).scalars())
