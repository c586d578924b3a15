"""Each trader has a halt of its own, under one id for people; numbers are reserved in blocks.

A desk-wide halt that is there becomes one for every trader that has noted a stage of it, and the
one that holds whoever comes later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ACTIVE = "lifted_at IS NULL"
_LIFTED = 1_000
"""As `TraderHalt.version` counts."""


def upgrade() -> None:
    _blocks()
    bind = op.get_bind()
    old = bind.execute(sa.text("SELECT * FROM halts ORDER BY number")).mappings().all()
    op.drop_table("halts")
    _halts()
    rows = [row for halt in old for row in _of_traders(dict(halt))]
    if rows:
        names = ", ".join(f'"{name}"' for name in rows[0])
        values = ", ".join(f":{name}" for name in rows[0])
        bind.execute(sa.text(f"INSERT INTO halts ({names}) VALUES ({values})"), rows)  # noqa: S608  # names of ours


def _of_traders(halt: dict[str, Any]) -> Iterator[dict[str, Any]]:
    noted = json.loads(halt.pop("stages"))
    for trader in dict.fromkeys([halt.pop("scope"), *(name for name, *_ in noted)]):
        own = [reached for name, *reached in noted if name == trader]
        lifted = 0 if halt["lifted_at"] is None else _LIFTED
        version = 1 + len(own) + lifted
        yield {**halt, "trader": trader, "stages": json.dumps(own), "version": version}


def _halts() -> None:
    op.create_table(
        "halts",
        *_texts("id", "trader"),
        *_counts("number", "verb"),
        *_texts("by", "why", "at", "guard", "stages"),
        *_texts("lifted_at", nullable=True),
        *_texts("lifted_by"),
        *_counts("version"),
        sa.PrimaryKeyConstraint("id", "trader", name=op.f("pk_halts")),
    )
    op.create_index("ix_halts_number", "halts", ["number"])
    clause = sa.text(_ACTIVE)
    op.create_index(
        "ix_halts_active", "halts", ["number"], sqlite_where=clause, postgresql_where=clause
    )


def _blocks() -> None:
    op.create_table(
        "halt_blocks",
        *_texts("owner"),
        *_counts("first", "last"),
        sa.PrimaryKeyConstraint("owner", "first", name=op.f("pk_halt_blocks")),
    )
    op.create_index("ix_halt_blocks_last", "halt_blocks", ["last"])


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def downgrade() -> None:
    raise NotImplementedError("going back would throw history away; restore a backup instead")
