"""The tables of the history, the same on SQLite and PostgreSQL.

Decimals are TEXT and summed in Python, so that nothing is rounded by a database.  Times are TEXT,
ISO 8601 in UTC with a fixed width, so that they sort.  `seq` keeps the order of writing, which
decides between rows of the same instant; the other columns stand in the order of the tuples that
`rows` makes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

ALIVE = "status IN ('intent', 'open', 'unknown')"
OPEN = "quantity <> '0'"
WAITING = "delivered_at IS NULL"
ACTIVE = "lifted_at IS NULL"
TOLD = "delivered_at IS NOT NULL"
REFUSED = "order_id = ''"
"""Predicates of the partial indexes: a query must use the very same words to profit."""


def _seq() -> Column[int]:
    # SQLite numbers rows by itself only where the type reads INTEGER.
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _text(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _maybe(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=True) for name in names]


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _partial(name: str, *columns: str | TextClause, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), info={"where": where})


@compiles(CreateIndex, "postgresql")
def _on_postgresql(create: CreateIndex, compiler: DDLCompiler, **options: Any) -> str:
    """Its own keyword on the index would load that whole dialect at every start on SQLite."""
    index = create.element
    if "where" in index.info:
        index.dialect_options["postgresql"]["where"] = text(index.info["where"])
    made: str = compiler.visit_create_index(create, **options)  # type: ignore[no-untyped-call]
    return made


orders = Table(
    "orders",
    metadata,
    _seq(),
    *_text("id", "trader", "symbol", "side", "type", "role", "quantity"),
    *_maybe("price", "stop_price"),
    _count("reduce_only"),
    *_text("reason", "by"),
    *_maybe("plan"),
    *_text("status", "filled"),
    *_maybe("average_price"),
    *_text("venue_id", "note", "created_at"),
    *_maybe("updated_at", "market_at"),
    _count("version"),
    UniqueConstraint("id"),
    Index("ix_orders_trader_created_at", "trader", "created_at"),
    _partial("ix_orders_alive", "trader", where=ALIVE),
)

fills = Table(
    "fills",
    metadata,
    _seq(),
    *_text("id", "order_id", "trader", "symbol", "side", "quantity", "price", "fee", "at"),
    # Some venues number their fills per symbol only.
    UniqueConstraint("trader", "symbol", "id"),
    Index("ix_fills_trader_symbol_at", "trader", "symbol", "at"),
    Index("ix_fills_order_id", "order_id"),
)

positions = Table(
    "positions",
    metadata,
    *_text("trader", "symbol", "id", "opened_at", "quantity", "average_price", "entered"),
    *_text("exited", "exit_value", "profit", "fees"),
    *_maybe("plan", "paced_from"),
    _count("version"),
    # One row for each position that ever was; versions count within it.  `opened_at` belongs to
    # the key because the rest of one order can open a second position after a stop.
    PrimaryKeyConstraint("trader", "symbol", "id", "opened_at"),
    _partial("ix_positions_open", "trader", where=OPEN),
)

trades = Table(
    "trades",
    metadata,
    _seq(),
    *_text("id", "trader", "symbol", "side", "quantity", "entry_price", "exit_price"),
    *_text("opened_at", "closed_at", "profit", "fees", "reason", "by"),
    *_maybe("rest_from", "paced_from"),
    # As for positions: one order may lead to two round trips.
    UniqueConstraint("trader", "id", "closed_at"),
    Index("ix_trades_trader_closed_at", "trader", "closed_at"),
)

decisions = Table(
    "decisions",
    metadata,
    _seq(),
    *_text("id", "trader", "symbol", "bar", "at", "side"),
    _count("approved"),
    *_text("reason", "signal"),
    _count("confidence"),
    *_text("quantity", "risk", "order_id"),
    UniqueConstraint("id"),
    Index("ix_decisions_trader_symbol_at", "trader", "symbol", "at"),
    _partial("ix_decisions_refused", "trader", "bar", where=REFUSED),
)

accounts = Table(
    "accounts",
    metadata,
    *_text("trader", "capital", "wallet", "peak", "day", "day_start", "week", "week_start"),
    *_maybe("cursor", "offset", "equal_at"),
    _count("version"),
    PrimaryKeyConstraint("trader"),
)

movements = Table(
    "movements",
    metadata,
    _seq(),
    *_text("trader", "id", "kind", "amount", "at"),
    *_maybe("symbol"),
    UniqueConstraint("trader", "id"),
)

equity = Table(
    "equity",
    metadata,
    *_text("trader", "at", "equity", "wallet", "exposure"),
    PrimaryKeyConstraint("trader", "at"),
)

halts = Table(
    "halts",
    metadata,
    *_text("id", "trader"),
    _count("number"),
    _count("verb"),
    *_text("by", "why", "at", "guard", "stages"),
    *_maybe("lifted_at"),
    *_text("lifted_by"),
    _count("version"),
    PrimaryKeyConstraint("id", "trader"),
    Index("ix_halts_number", "number"),
    _partial("ix_halts_active", "number", where=ACTIVE),
)

halt_blocks = Table(
    "halt_blocks",
    metadata,
    *_text("owner"),
    _count("first"),
    _count("last"),
    PrimaryKeyConstraint("owner", "first"),
    Index("ix_halt_blocks_last", "last"),
)

alerts = Table(
    "alerts",
    metadata,
    _seq(),
    *_text("id", "to"),
    _count("level"),
    *_text("kind", "at", "body"),
    *_maybe("delivered_at"),
    UniqueConstraint("id"),
    _partial("ix_alerts_waiting", text("level DESC"), "at", "seq", where=WAITING),
    _partial("ix_alerts_told", "delivered_at", where=TOLD),
)

words = Table(
    "words",
    metadata,
    _seq(),
    *_text("id", "at", "who", "role", "where", "said", "outcome", "answer"),
    UniqueConstraint("id"),
    Index("ix_words_at", "at"),
)

notes = Table("notes", metadata, *_text("name", "value"), PrimaryKeyConstraint("name"))
