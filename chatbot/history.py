"""Where history is kept within a state folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from storage.store import SqlStore
from trading.clocks import Clock

HISTORY = "history.db"


@asynccontextmanager
async def history(folder: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(folder / HISTORY, clock=clock)
    try:
        yield store
    finally:
        await store.close()
