"""The SQL of a commit: which rows a change makes, how rows of a group merge, how they are written.

Every statement is an insert that may be repeated.  It is built once with SQLAlchemy, for one
dialect and a few numbers of rows, and then executed as text with one flat tuple.  Many rows in one
statement instead of `executemany`, because the driver lets go of Python's lock once per execution:
beside a busy event loop each time may be a wait, and `executemany` does so for every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Dialect, Table, and_, literal_column, or_
from sqlalchemy.dialects import sqlite

from storage import rows, schema
from storage.rows import Row
from trading.ports import Change

_SIZES = (64, 16, 4, 1)
"""Rows per statement: few enough to stay prepared, and far below any limit of parameters."""

Key = Any
if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Insert = sqlite.Insert | postgresql.Insert


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RowKind:
    """One sort of row: where it goes, what makes it the same row, and which of two stays."""

    table: Table
    columns: tuple[str, ...]
    key: Callable[[Row], Key]
    conflict: Callable[[Insert], Insert]
    wins: Callable[[Row, Row], bool]
    """Whether the first row, which came later, replaces the second in a group."""

    def merge(self, merged: dict[Key, Row], more: Iterable[Row]) -> None:
        key, wins = self.key, self.wins
        for row in more:
            name = key(row)
            old = merged.get(name)
            if old is None or wins(row, old):
                merged[name] = row

    def sql(self, dialect: Dialect, size: int) -> str:
        """Of one row as SQLAlchemy words it, then as many as *size* by repeating its parameters.

        Having it word 64 rows takes 40 ms, at the first fill of a crowd.  *dialect* must mark its
        parameters by place, all alike.
        """
        known = (self, dialect.name)
        if known not in _OF_ONE:
            _OF_ONE[known] = self._of_one(dialect)
        before, word, after = _OF_ONE[known].partition(" VALUES ")
        row, _, conflict = after.partition(") ")
        return f"{before}{word}{', '.join([row + ')'] * size)} {conflict}"

    def _of_one(self, dialect: Dialect) -> str:
        insert = _postgresql_insert() if dialect.name == "postgresql" else sqlite.insert
        one: dict[str, None] = dict.fromkeys(self.columns)
        statement = self.conflict(insert(self.table).inline().values(one))
        return str(statement.compile(dialect=dialect))


def _postgresql_insert() -> Callable[[Table], Insert]:
    from sqlalchemy.dialects import postgresql  # 0.1 s that a desk on SQLite need not wait

    return postgresql.insert


_OF_ONE: dict[tuple[RowKind, str], str] = {}
"""Statements of one row by what they write and in which dialect: worded once in a process."""


def _kind(
    table: Table,
    *key: str,
    conflict: Callable[[Insert, Table, Sequence[str]], Insert],
    wins: Callable[[Row, Row], bool],
    without: Sequence[str] = ("seq",),
) -> RowKind:
    columns = tuple(c.name for c in table.columns if c.name not in without)
    return RowKind(
        table=table,
        columns=columns,
        key=itemgetter(*(columns.index(name) for name in key)),
        conflict=lambda insert: conflict(insert, table, key),
        wins=wins,
    )


def _keep_first(insert: Insert, table: Table, key: Sequence[str]) -> Insert:
    return insert.on_conflict_do_nothing(index_elements=key)


def _take_last(insert: Insert, table: Table, key: Sequence[str]) -> Insert:
    return insert.on_conflict_do_update(index_elements=key, set_=_others(insert, table, key))


def _take_newer(insert: Insert, table: Table, key: Sequence[str]) -> Insert:
    return insert.on_conflict_do_update(
        index_elements=key,
        set_=_others(insert, table, key),
        where=insert.excluded.version > table.c.version,
    )


def _take_newer_or_closed(insert: Insert, table: Table, key: Sequence[str]) -> Insert:
    """At the same version, flat wins: nothing comes after it."""
    new, old = insert.excluded, table.c
    flat = and_(new.version == old.version, new.quantity == literal_column("'0'"))
    return insert.on_conflict_do_update(
        index_elements=key,
        set_=_others(insert, table, key),
        where=or_(new.version > old.version, flat),
    )


def _others(insert: Insert, table: Table, key: Sequence[str]) -> dict[str, Any]:
    return {c.name: insert.excluded[c.name] for c in table.columns if c.name not in {*key, "seq"}}


def _never(new: Row, old: Row) -> bool:
    return False


def _always(new: Row, old: Row) -> bool:
    return True


def _newer(new: Row, old: Row) -> bool:
    return new[-1] > old[-1]  # type: ignore[operator]  # the version, always an int


def _newer_or_closed(new: Row, old: Row) -> bool:
    return (new[-1], new[_QUANTITY] == "0") > (old[-1], old[_QUANTITY] == "0")


_QUANTITY = [c.name for c in schema.positions.columns].index("quantity")

ORDERS = _kind(schema.orders, "id", conflict=_take_newer, wins=_newer)
FILLS = _kind(schema.fills, "trader", "symbol", "id", conflict=_keep_first, wins=_never)
POSITIONS = _kind(
    schema.positions,
    *("trader", "symbol", "id", "opened_at"),
    conflict=_take_newer_or_closed,
    wins=_newer_or_closed,
)
TRADES = _kind(schema.trades, "trader", "id", "closed_at", conflict=_keep_first, wins=_never)
DECISIONS = _kind(schema.decisions, "id", conflict=_keep_first, wins=_never)
MOVEMENTS = _kind(schema.movements, "trader", "id", conflict=_keep_first, wins=_never)
ACCOUNTS = _kind(schema.accounts, "trader", conflict=_take_newer, wins=_newer)
EQUITY = _kind(schema.equity, "trader", "at", conflict=_keep_first, wins=_never)
HALTS = _kind(schema.halts, "id", "trader", conflict=_take_newer, wins=_newer)
ALERTS = _kind(
    schema.alerts,
    "id",
    conflict=_keep_first,
    wins=_never,
    without=("seq", "delivered_at"),
)
WORDS = _kind(schema.words, "id", conflict=_keep_first, wins=_never)
NOTES = _kind(schema.notes, "name", conflict=_take_last, wins=_always)

KINDS = (
    *(HALTS, ORDERS, FILLS, POSITIONS, TRADES, DECISIONS, ACCOUNTS, MOVEMENTS),
    *(EQUITY, ALERTS, WORDS, NOTES),
)


class Rows(NamedTuple):
    """What one change writes, ready for the database."""

    inserts: list[tuple[RowKind, list[Row]]]
    delivered: list[Row]
    """(when, alert id)"""


_SOURCES: tuple[tuple[str, RowKind, Callable[[Any], Row]], ...] = (
    ("orders", ORDERS, rows.order_row),
    ("fills", FILLS, rows.fill_row),
    ("positions", POSITIONS, rows.position_row),
    ("closed_positions", POSITIONS, rows.closed_position_row),
    ("trades", TRADES, rows.trade_row),
    ("decisions", DECISIONS, rows.decision_row),
    ("accounts", ACCOUNTS, rows.account_row),
    ("movements", MOVEMENTS, rows.movement_row),
    ("equity", EQUITY, rows.equity_row),
    ("halts", HALTS, rows.halt_row),
    ("alerts", ALERTS, rows.alert_row),
    ("audit", WORDS, rows.audit_row),
    ("notes", NOTES, rows.note_row),
)

_values_of: Callable[[Change], tuple[Sequence[Any], ...]] = attrgetter(
    *(name for name, _, _ in _SOURCES)
)


def rows_of(change: Change, *, now: str) -> Rows:
    """*now* is the wall time, as text, that delivered alerts are marked with."""
    inserts = [
        (kind, list(map(row_of, values)))
        for values, (_, kind, row_of) in zip(_values_of(change), _SOURCES, strict=True)
        if values
    ]
    return Rows(inserts, [(now, alert_id) for alert_id in change.delivered])


def readable(item: Rows) -> Rows:
    """The same with `?` for whatever cannot be written as UTF-8."""
    return Rows(
        [(kind, list(map(_readable, found))) for kind, found in item.inserts],
        list(map(_readable, item.delivered)),
    )


def _readable(row: Row) -> Row:
    return tuple(
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for value in row
    )


class Statements:
    """All of the above for one dialect, compiled when first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._sql: dict[tuple[RowKind, int], str] = {}
        self._mark = str(
            schema.alerts.update()
            .values(delivered_at=None)
            .where(schema.alerts.c.delivered_at.is_(None), schema.alerts.c.id == "")
            .compile(dialect=dialect)
        )

    def write(self, connection: Connection, group: Sequence[Rows]) -> None:
        """Execute what *group* needs within the open transaction."""
        merged: dict[RowKind, dict[Key, Row]] = {kind: {} for kind in KINDS}
        for item in group:
            for kind, more in item.inserts:
                kind.merge(merged[kind], more)
        for kind, found in merged.items():
            for chunk in _chunks(list(found.values())):
                sql = self._insert(kind, len(chunk))
                connection.exec_driver_sql(sql, tuple(chain.from_iterable(chunk)))
        delivered = [row for item in group for row in item.delivered]
        if delivered:
            connection.exec_driver_sql(self._mark, delivered)

    def _insert(self, kind: RowKind, size: int) -> str:
        sql = self._sql.get((kind, size))
        if sql is None:
            sql = self._sql[kind, size] = kind.sql(self._dialect, size)
        return sql


def _chunks(found: list[Row]) -> Iterator[list[Row]]:
    at = 0
    for size in _SIZES:
        while len(found) - at >= size:
            yield found[at : at + size]
            at += size
