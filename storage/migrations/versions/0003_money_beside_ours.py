"""What lies at a venue beside our money, and each funding or transfer, once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXTS = ("trader", "capital", "wallet", "peak", "day", "day_start", "week", "week_start")


def upgrade() -> None:
    _accounts()
    op.create_table(
        "movements",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("trader", "id", "kind", "amount", "at")
        ),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_movements")),
        sa.UniqueConstraint("trader", "id", name=op.f("uq_movements_trader_id")),
    )


def _accounts() -> None:
    """Made anew with a row or two, so that SQLite and the code agree on every word of it.

    Accounts that are known already have nothing beside them: a difference stays one.
    """
    kept = op.get_bind().execute(sa.text("SELECT * FROM accounts")).mappings().all()
    op.drop_table("accounts")
    made = op.create_table(
        "accounts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("cursor", "offset", "equal_at")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("trader", name=op.f("pk_accounts")),
    )
    if kept:
        op.bulk_insert(made, [{**row, "offset": "0", "equal_at": None} for row in kept])


def downgrade() -> None:
    raise NotImplementedError("going back would throw history away; restore a backup instead")
