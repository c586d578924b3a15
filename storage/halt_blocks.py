"""Blocks of numbers for halts: each belongs to one process, and no two overlap.

Asked within one transaction that writes, so that of two who ask at once one comes after the other.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from storage.schema import halt_blocks, halts
from trading.model.halt_numbers import BLOCK


def left(connection: Connection, owner: str, after: int) -> range:
    """What of the last block of *owner* no halt has had yet."""
    block = _last_block(connection, owner)
    return left_of(block, _highest(connection, block), after)


def reserve(connection: Connection, owner: str, after: int) -> range:
    """A new block."""
    new = next_block(_end(connection), _highest(connection), after)
    row = {"first": new.start, "owner": owner, "last": new.stop - 1}
    connection.execute(insert(halt_blocks).values(row))
    return new


def left_of(block: range, used: int, after: int) -> range:
    """What of *block* no halt has had yet, where *used* is the highest of its numbers in use."""
    return range(max(block.start, used + 1, after + 1), block.stop)


def next_block(end: int, used: int, after: int) -> range:
    """Behind the *end* of all blocks, and behind the highest number in use anywhere."""
    first = 1 + max(end, used, after)
    return range(first, first + BLOCK)


def _last_block(connection: Connection, owner: str) -> range:
    table = halt_blocks.c
    query = select(table.first, table.last).where(table.owner == owner)
    found = connection.execute(query.order_by(table.first.desc()).limit(1)).first()
    return range(0) if found is None else range(found.first, found.last + 1)


def _end(connection: Connection) -> int:
    return connection.execute(select(func.max(halt_blocks.c.last))).scalar() or 0


def _highest(connection: Connection, block: range | None = None) -> int:
    """The highest number that a halt has; of those in *block*, if one is given."""
    query = select(func.max(halts.c.number))
    if block is not None:
        query = query.where(halts.c.number >= block.start, halts.c.number < block.stop)
    return connection.execute(query).scalar() or 0
