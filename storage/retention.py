"""What history forgets, and when.

Ended orders, fills, positions and trades are kept for ever, and so are decisions that led to an
order: they say why.  What is shown for a while only goes in small steps, each a short transaction,
so that a halt that comes meanwhile waits for one of them at most.

Two clocks judge.  What the market dated (equity, decisions) ages with the trader's own cursor: a
replay of 2021 lies years back by the wall, and is new all the same.  What people heard and said
ages by the wall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, select, text

from storage import schema
from storage.rows import instant

_ROWS = 250
"""Removed, or looked at, in one step: some 2 ms of work."""
_PAGES = 64
"""Given back to the disk in one step."""
_SPARE = 10
"""Free pages up to this part of the file stay: the next days need them again."""
_INCREMENTAL = 2

HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept."""

    detail: timedelta = timedelta(days=30)
    """Market time: equity at every bar, later one point an hour; and decisions that led to no
    order."""
    alerts: timedelta = timedelta(days=30)
    """Wall time since they were delivered; what still waits stays."""
    words: timedelta = timedelta(days=365)
    """Wall time."""


class Step(NamedTuple):
    removed: int
    done: bool


Chore = Callable[[Connection], Step]
"""One step of the work in an open transaction; called again until it is done."""


def hour_of(at: datetime) -> datetime:
    """The end of the hour that *at* lies in.  13:00 sharp ends one: a bar that closes then, too."""
    begun = (at - _INSTANT).replace(minute=0, second=0, microsecond=0)
    return begun + HOUR


def superfluous(times: Sequence[datetime]) -> list[datetime]:
    """Of *times*, in order, those that are not the last of their hour; the last of all stays."""
    return [at for at, later in pairwise(times) if hour_of(at) == hour_of(later)]


def chores(
    cursors: Mapping[str, datetime], now: datetime, keep: Retention
) -> Iterator[tuple[str, Chore]]:
    """What is to be done at wall time *now*, each with the table it is about.

    *cursors*: up to where each trader has come, in market time.
    """
    for trader, cursor in cursors.items():
        until = instant(cursor - keep.detail)
        yield "equity", _Thinning(trader, until).step
        yield "decisions", _forgetting(schema.decisions, _refused(trader, until))
    yield "alerts", _forgetting(schema.alerts, _told(instant(now - keep.alerts)))
    yield "words", _forgetting(schema.words, schema.words.c.at < instant(now - keep.words))


def cursors(connection: Connection) -> dict[str, datetime]:
    account = schema.accounts.c
    query = select(account.trader, account.cursor).where(account.cursor.is_not(None))
    found = connection.execute(query)
    return {trader: datetime.fromisoformat(cursor) for trader, cursor in found}


def give_back(connection: Connection) -> Step:
    """Let the disk have pages that are not soon needed.

    A file that was made before this was thought of keeps them, and uses them again.
    """

    def ask(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    spare = ask("freelist_count") - ask("page_count") // _SPARE
    if spare <= 0 or ask("auto_vacuum") != _INCREMENTAL:
        return Step(0, done=True)
    pages = min(spare, _PAGES)
    # The driver takes one step only, which frees one page, unless the rest is fetched.
    cursor: Any = connection.connection.cursor()
    try:
        cursor.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    finally:
        cursor.close()
    return Step(pages, done=spare <= _PAGES)


class _Thinning:
    """Walks along the equity of one trader, a page at a time."""

    def __init__(self, trader: str, until: str) -> None:
        self._trader = trader
        self._until = until
        self._past = ""

    def step(self, connection: Connection) -> Step:
        table = schema.equity
        mine = table.c.trader == self._trader
        found = connection.execute(self._page()).scalars().all()
        times = {datetime.fromisoformat(at): at for at in found}
        removed = [times[at] for at in superfluous(list(times))]
        if removed:
            connection.execute(delete(table).where(mine, table.c.at.in_(removed)))
        if len(found) < _ROWS:
            return Step(len(removed), done=True)
        self._past = found[-2]  # the last stands until it is known what follows it
        return Step(len(removed), done=False)

    def _page(self) -> Select[Any]:
        at = schema.equity.c.at
        query = select(at).where(schema.equity.c.trader == self._trader)
        return query.where(at > self._past, at <= self._until).order_by(at).limit(_ROWS)


def _refused(trader: str, until: str) -> ColumnElement[bool]:
    table = schema.decisions
    return (table.c.trader == trader) & (table.c.bar < until) & text(schema.REFUSED)


def _told(until: str) -> ColumnElement[bool]:
    return (schema.alerts.c.delivered_at < until) & text(schema.TOLD)


def _forgetting(table: Table, which: ColumnElement[bool]) -> Chore:
    return partial(_forget, table, which)


def _forget(table: Table, which: ColumnElement[bool], connection: Connection) -> Step:
    some = select(table.c.seq).where(which).limit(_ROWS)
    removed = connection.execute(delete(table).where(table.c.seq.in_(some))).rowcount
    return Step(removed, done=removed < _ROWS)
