"""What may be forgotten, and what a position was made of, is found without a search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _partial("ix_alerts_told", "alerts", "delivered_at", where="delivered_at IS NOT NULL")
    op.drop_index("ix_fills_trader_at", "fills")
    op.create_index("ix_fills_trader_symbol_at", "fills", ["trader", "symbol", "at"])
    _partial("ix_decisions_refused", "decisions", "trader", "bar", where="order_id = ''")


def _partial(name: str, table: str, *columns: str, where: str) -> None:
    op.create_index(
        name, table, [*columns], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def downgrade() -> None:
    raise NotImplementedError("going back would throw history away; restore a backup instead")
