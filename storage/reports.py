"""What is summed over the whole history: read once, then only what was written since.

Columns come glued together by the database, thousands of rows to a text.  The driver lets go of
Python's lock at each row it fetches, and beside a busy event loop each time may be a wait; and a
text is taken apart in a third of the time that as many rows take.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Text, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from storage import migrate, schema, sums
from storage.sqlite import connect_to, reason, refuse_another, url_to_read
from trading.errors import StoreError
from trading.stats.daybook import DayBook, EquityReading, floats_of
from trading.stats.ratios import Floats
from trading.stats.tally import RoundTrip

_ROWS = 2048
"""At a time: some 10 ms of work, and less than a megabyte."""
_GLUE = "\n"
_KEEP_AFTER = 2_000
"""Trades that are summed up anew at a start, at most: some 10 ms."""
_KEPT = select(schema.notes.c.value).where(schema.notes.c.name == sums.NOTE)
_TIMEOUT = 1.0
"""Seconds that another program may hold the database."""


class Reports:
    """The day books of all traders.  Everything here blocks, and belongs to one thread."""

    def __init__(
        self, path: Path, *, busy_timeout: float, gone: Callable[[], str] = lambda: ""
    ) -> None:
        """*gone* tells what has become of the file, if it is not the one that is written."""
        self._engine = create_engine(url_to_read(path, "sqlite"), pool_size=1, max_overflow=0)
        refuse_another(self._engine, gone)
        connect_to(self._engine, busy_timeout=busy_timeout, begin="BEGIN")
        self._zone: tzinfo | None = None
        self._books: dict[str, DayBook] = {}
        self._seq = 0
        """Of the last trade that was read; it only grows, so that a late trade is not missed."""
        self._last: sums.Last = ("", "", "")
        """That very trade, so that another history is not taken for this one."""
        self._kept = 0
        """Up to which `seq` the sums were handed out to be kept."""
        self._read_until: dict[str, str] = {}
        """The instant of the last equity that was read, by trader."""

    def close(self) -> None:
        self._engine.dispose()

    def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        """Everything of *trader* up to now, by days of *zone*; changing the zone reads it anew."""
        with self._engine.connect() as connection:
            if zone != self._zone:
                self._begin(connection, zone)
            self._add_trades(connection, zone)
            self._add_equity(connection, trader, zone)
        return self._books.get(trader) or DayBook(zone=zone)

    def to_keep(self) -> str | None:
        """The sums so far, as the note `sums.NOTE`, when enough has been added since the last."""
        if self._seq - self._kept < _KEEP_AFTER or self._zone is None:
            return None
        self._kept = self._seq
        kept = sums.Kept(zone=str(self._zone), seq=self._seq, last=self._last, books=self._books)
        return kept.dumped()

    def _begin(self, connection: Connection, zone: tzinfo) -> None:
        """From the sums that were kept, if they are of this history; else from nothing."""
        self._books, self._seq, self._kept = {}, 0, 0
        self._read_until.clear()
        note = connection.execute(_KEPT).scalar()
        kept = None if note is None else sums.loaded(note, zone)
        if kept is not None and _trade_at(connection, kept.seq) == kept.last:
            self._books, self._seq, self._last = dict(kept.books), kept.seq, kept.last
            self._kept = kept.seq
        self._zone = zone

    def _add_trades(self, connection: Connection, zone: tzinfo) -> None:
        """Of all traders at once: `seq` is common to them."""
        while found := _columns(connection, _trades_after(self._seq)):
            seqs, ids, traders, at, symbols, reasons, profits, fees = found
            whens, money = map(_when, at), (map(Decimal, profits), map(Decimal, fees))
            trips: dict[str, list[RoundTrip]] = {trader: [] for trader in set(traders)}
            made = map(RoundTrip, whens, symbols, reasons, *money)
            for trader, trip in zip(traders, made, strict=True):
                trips[trader].append(trip)
            for trader, those in trips.items():
                book = self._books.get(trader) or DayBook(zone=zone)
                self._books[trader] = book.after(those, ())
            newest = max(range(len(seqs)), key=lambda n: int(seqs[n]))
            self._seq = int(seqs[newest])
            self._last = (traders[newest], ids[newest], at[newest])

    def _add_equity(self, connection: Connection, trader: str, zone: tzinfo) -> None:
        while found := _columns(
            connection, _equity_after(trader, self._read_until.get(trader, ""))
        ):
            in_order = sorted(zip(*found, strict=True))  # texts of one width sort as their instants
            book = self._books.get(trader) or DayBook(zone=zone)
            self._books[trader] = book.read_on(*_curve(in_order), partial(_reading, in_order))
            self._read_until[trader] = in_order[-1][0]


def read_day_books(path: Path, traders: Iterable[str], zone: tzinfo) -> list[DayBook]:
    """Of a history that another process may have open.  Raises `StoreError`."""
    try:
        migrate.refuse_newer(path)
        with closing(Reports(path, busy_timeout=_TIMEOUT)) as reports:
            return [reports.day_book(trader, zone) for trader in traders]
    except (SQLAlchemyError, sqlite3.Error, ValueError, ArithmeticError) as error:
        raise StoreError(f"history could not be read: {reason(error)}") from error


def _trades_after(seq: int) -> Select[Any]:
    # All traders, so that the key itself is searched: with one of them SQLite prefers the index by
    # trader, and reads the whole of it each time.
    table = schema.trades.c
    names = ("id", "trader", "closed_at", "symbol", "reason", "profit", "fees")
    query = select(table.seq.cast(Text), *(table[name] for name in names))
    return query.where(table.seq > seq).order_by(table.seq).limit(_ROWS)


def _trade_at(connection: Connection, seq: int) -> tuple[Any, ...] | None:
    table = schema.trades.c
    query = select(table.trader, table.id, table.closed_at).where(table.seq == seq)
    found = connection.execute(query).one_or_none()
    return None if found is None else tuple(found)


def _equity_after(trader: str, instant: str) -> Select[Any]:
    table = schema.equity.c
    query = select(table.at, table.equity)
    query = query.where(table.trader == trader, table.at > instant)
    return query.order_by(table.at).limit(_ROWS)


_when = datetime.fromisoformat
_WITHOUT_ZONE = len("2021-05-19T12:00:00.000000")
"""Characters of an instant before its `+00:00`."""


def _reading(rows: Sequence[Sequence[str]], number: int) -> EquityReading:
    at, equity = rows[number]
    return EquityReading(_when(at), Decimal(equity))


def _curve(rows: Sequence[Sequence[str]]) -> tuple[Floats, Floats]:
    return floats_of([at[:_WITHOUT_ZONE] for at, _ in rows], [equity for _, equity in rows])


def _columns(connection: Connection, query: Select[Any]) -> list[list[str]]:
    """What *query* finds, column by column; empty if it finds nothing."""
    found = query.subquery()
    glued = select(*(func.aggregate_strings(column, _GLUE) for column in found.columns))
    texts = connection.execute(glued).one()
    return [] if texts[0] is None else [text.split(_GLUE) for text in texts]
