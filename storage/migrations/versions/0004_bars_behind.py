"""Which bar an order was sent at, a trade rests from, and an entry counts to.

Rows that are there already have none: of those the moment of the fill counts, as before.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ALIVE = "status IN ('intent', 'open', 'unknown')"
_OPEN = "quantity <> '0'"


def upgrade() -> None:
    """Each table is made anew, so that SQLite and the code agree on every word of it."""
    _again("orders", _orders)
    _again("positions", _positions)
    _again("trades", _trades)


def _again(name: str, make: Callable[[], None]) -> None:
    bind = op.get_bind()
    columns = ", ".join(f'"{column["name"]}"' for column in sa.inspect(bind).get_columns(name))
    op.execute(f"CREATE TABLE kept AS SELECT * FROM {name}")  # noqa: S608  # names of ours
    op.drop_table(name)
    make()
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM kept")  # noqa: S608  # names of ours
    op.drop_table("kept")


def _orders() -> None:
    op.create_table(
        "orders",
        _seq(),
        *_texts("id", "trader", "symbol", "side", "type", "role", "quantity"),
        *_texts("price", "stop_price", nullable=True),
        sa.Column("reduce_only", sa.Integer(), nullable=False),
        *_texts("reason", "by"),
        *_texts("plan", nullable=True),
        *_texts("status", "filled"),
        *_texts("average_price", nullable=True),
        *_texts("venue_id", "note", "created_at"),
        *_texts("updated_at", "market_at", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_orders")),
        sa.UniqueConstraint("id", name=op.f("uq_orders_id")),
    )
    _partial("ix_orders_alive", "orders", where=_ALIVE)
    op.create_index("ix_orders_trader_created_at", "orders", ["trader", "created_at"])


def _positions() -> None:
    op.create_table(
        "positions",
        *_texts("trader", "symbol", "id", "opened_at", "quantity", "average_price", "entered"),
        *_texts("exited", "exit_value", "profit", "fees"),
        *_texts("plan", "paced_from", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("trader", "symbol", "id", "opened_at", name=op.f("pk_positions")),
    )
    _partial("ix_positions_open", "positions", where=_OPEN)


def _trades() -> None:
    op.create_table(
        "trades",
        _seq(),
        *_texts("id", "trader", "symbol", "side", "quantity", "entry_price", "exit_price"),
        *_texts("opened_at", "closed_at", "profit", "fees", "reason", "by"),
        *_texts("rest_from", "paced_from", nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trades")),
        sa.UniqueConstraint(
            "trader", "id", "closed_at", name=op.f("uq_trades_trader_id_closed_at")
        ),
    )
    op.create_index("ix_trades_trader_closed_at", "trades", ["trader", "closed_at"])


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _partial(name: str, table: str, *, where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, table, ["trader"], sqlite_where=clause, postgresql_where=clause)


def downgrade() -> None:
    raise NotImplementedError("going back would throw history away; restore a backup instead")
