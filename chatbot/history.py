"""Where history is kept within a state folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from storage.store import SqlStore
from trading.clocks import Clock
from trading.errors import StoreError

HISTORY = "history.db"
RESCUED = "history-rescued-"
"""What copies are called that a desk made when its history was taken away."""


@asynccontextmanager
async def history(folder: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    refuse_lost(folder)
    store = await SqlStore.open(folder / HISTORY, clock=clock)
    try:
        yield store
    finally:
        await store.close()


def rescued_in(folder: Path) -> Path | None:
    """The newest copy that was made when the history was lost, where it is still missing."""
    copies = sorted(folder.glob(f"{RESCUED}*.db"))
    return copies[-1] if copies and not (folder / HISTORY).exists() else None


def refuse_lost(folder: Path) -> None:
    """Raise `StoreError` where a new history would be begun beside the copy of a lost one."""
    copy = rescued_in(folder)
    if copy is not None:
        raise StoreError(
            f"{folder / HISTORY} is gone; what it held is in {copy.name}. Put that in its place:"
            f" {way_back(copy)}, or begin anew: quarterdeck run --fresh. Nothing was started"
        )


def way_back(copy: Path) -> str:
    """What puts the *copy* of a lost history in its place: without what is left of the lost one."""
    history = copy.with_name(HISTORY)
    left = [f"{history}{end}" for end in ("-wal", "-shm") if Path(f"{history}{end}").exists()]
    remove = f"rm {' '.join(left)} && " if left else ""
    return f"{remove}mv {copy} {history}"
