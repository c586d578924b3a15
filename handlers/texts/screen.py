"""How much of a phone's screen a reply takes: at most 15 lines of 38 columns, buttons included."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from handlers.reply import Column, Reply, Table

LINES, COLUMNS = 15, 38
TABLE_COLUMNS, TABLE_ROWS = 32, 8


def lines(reply: Reply) -> int:
    """Return how many lines *reply* takes once its prose is wrapped."""
    prose = [reply.title, *reply.prose.split("\n")] if reply.prose else [reply.title]
    rows = 0
    if reply.table:
        rows = len(reply.table.rows) + any(c.title for c in reply.table.columns)
    labels = " ".join(f"[{c.label.replace(' ', '_')}]" for c in reply.choices)
    return sum(map(_wrapped, prose)) + rows + (_wrapped(labels) if labels else 0)


def width(table: Table) -> int:
    """Return the columns that *table* takes, titles included."""
    cells = [tuple(c.title for c in table.columns), *table.rows]
    widest = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    return sum(widest) + sum(c.gap for c in table.columns[1:])


def narrow(table: Table) -> Table:
    """Draw the columns together if they are too wide for a phone."""
    if width(table) <= TABLE_COLUMNS:
        return table
    return replace(table, columns=tuple(replace(c, gap=1) for c in table.columns))


def a_table(columns: Sequence[Column], rows: Sequence[tuple[str, ...]]) -> Table | None:
    """A table that fits as well as it can; None without rows."""
    return narrow(Table(tuple(columns), tuple(rows))) if rows else None


def first_fitting(replies: Iterable[Reply], *, spare: int = 0) -> Reply:
    """Return the first that fits on one screen, or else the last.

    *spare*: lines that something else is to have, as `Only ben, here, for 60 s.`
    """
    reply = None
    for reply in replies:  # used after the loop
        if lines(reply) + spare <= LINES:
            break
    if reply is None:
        raise ValueError("nothing to choose from")
    return reply


def most_rows(build: Callable[[int], Reply], most: int, least: int) -> Reply | None:
    """Return `build(n)` for the largest n, *most* to *least*, with which it fits on one screen.

    None: with none it does.  A row less is a line less, so two are built at most.
    """
    reply = build(most)
    over = lines(reply) - LINES
    if over <= 0:
        return reply
    return build(most - over) if most - over >= least else None


def fitting(build: Callable[[int], Reply], rows: int, *, spare: int = 0) -> Reply:
    """Return `build(n)` for the largest n of rows with which the reply fits on one screen."""
    most = min(rows, TABLE_ROWS)
    counts = range(most, min(most, 1) - 1, -1)
    return first_fitting(map(build, counts), spare=spare)


def fitted(
    columns: Sequence[Column], rows: Sequence[tuple[str, ...]], *, spare: int
) -> Table | None:
    """A table without column *spare* if it would be too wide with it."""
    table = a_table(columns, rows)
    if table is None or width(table) <= TABLE_COLUMNS:
        return table
    kept = [i for i in range(len(columns)) if i != spare]
    return a_table([columns[i] for i in kept], [tuple(row[i] for i in kept) for row in rows])


@lru_cache(1024)  # of several drafts of a reply most lines are the same
def _wrapped(text: str) -> int:
    # A no-break space holds a number and its unit together, here as on a phone.
    return max(1, len(textwrap.wrap(text.replace("\u00a0", "_"), COLUMNS)))
