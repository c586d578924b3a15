"""Nothing that is asked at every start, or every day, walks through the whole of history."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from storage.store import SqlStore
from tests.contracts.builders import (
    BTC,
    ETH,
    NOON,
    a_plan,
    a_point,
    a_position,
    after,
    an_account,
    an_order,
)
from trading.clocks import ManualClock
from trading.ports import Change

SMALL = ("accounts", "halts", "alembic_version")
"""A row per trader, per halt in force, per database: looked through as a whole."""


class Asked:
    """A store in use, and every statement that it was made to ask."""

    def __init__(self, store: SqlStore, path: Path) -> None:
        self.store = store
        self._path = path
        self._statements: list[tuple[str, Any]] = []
        for engine in (store._writer._engine, store._readers):
            event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, *about: Any) -> None:
        _, _, statement, values, _, many = about
        if statement.startswith(("SELECT", "DELETE", "UPDATE", "INSERT")):
            self._statements.append((statement, values[0] if many else values))

    def plans(self) -> list[str]:
        """How SQLite carries them out, step by step."""
        assert self._statements
        with closing(sqlite3.connect(self._path)) as plain:
            return [
                step
                for statement, values in self._statements
                for *_, step in plain.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            ]

    def walks(self) -> list[str]:
        """Steps that look at every row of a table that grows for ever."""
        steps = [step for step in self.plans() if step.startswith("SCAN")]
        waiting = "SCAN alerts USING INDEX ix_alerts_waiting"  # what has not been told
        return [s for s in steps if s != waiting and s.split()[1] not in SMALL]


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    store = await SqlStore.open(tmp_path / "history.db", clock=ManualClock(NOON))
    await store.commit(
        Change(
            accounts=(an_account(cursor=NOON),),
            orders=(an_order("qd-1"), an_order("qd-2")),
            positions=((a_position(), a_plan()), (a_position(symbol=ETH), a_plan())),
            equity=(a_point(after(-60_000)), a_point(after(-59_999))),
        )
    )
    yield Asked(store, tmp_path / "history.db")
    await store.close()


async def test_a_start_finds_what_it_needs(asked: Asked) -> None:
    await asked.store.books("majors")
    await asked.store.halts()
    await asked.store.halt_numbers("desk", after=0)
    await asked.store.note("last_seen")
    await asked.store.order("qd-1")
    await asked.store.waiting_alerts(limit=100)
    assert asked.walks() == []


async def test_fills_are_found_by_order_and_by_when_a_position_was_opened(asked: Asked) -> None:
    """By the trader alone they would be all that there ever were."""
    await asked.store.books("majors")

    steps = {step for step in asked.plans() if " fills " in step}
    assert steps == {
        "SEARCH fills USING INDEX ix_fills_order_id (order_id=?)",
        "SEARCH fills USING INDEX ix_fills_trader_symbol_at (trader=? AND symbol=? AND at>?)",
    }


async def test_what_people_ask_for_is_found(asked: Asked) -> None:
    await asked.store.orders("majors", limit=8)
    await asked.store.trades("majors", limit=8)
    await asked.store.decisions("majors", BTC, limit=5)
    await asked.store.equity("majors", since=NOON)
    await asked.store.audit(limit=8)
    await asked.store.audited("tg-1")
    assert [s for s in asked.walks() if s != "SCAN words USING INDEX ix_words_at"] == []


async def test_what_is_old_is_found(asked: Asked) -> None:
    await asked.store.tidy(NOON)
    assert asked.walks() == []
