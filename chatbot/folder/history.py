"""Where history is kept within a state folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from storage.examine import has_less
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
    """The newest copy that was made when the history was lost, where it is still needed.

    That is where the history is missing, or has less: what it had was in a file beside it.
    """
    copies = sorted(folder.glob(f"{RESCUED}*.db"))
    if not copies:
        return None
    history, newest = folder / HISTORY, copies[-1]
    return newest if not history.exists() or has_less(history, than=newest) else None


def loss(copy: Path) -> str:
    """What has become of the history that *copy* was rescued from."""
    if copy.with_name(HISTORY).exists():
        return f"lacks what was written last; all of it is in {copy.name}"
    return f"is gone; what it held is in {copy.name}"


def refuse_lost(folder: Path) -> None:
    """Raise `StoreError` where a desk would go on without what the copy of a lost history has."""
    copy = rescued_in(folder)
    if copy is not None:
        raise StoreError(
            f"{folder / HISTORY} {loss(copy)}. Put that in its place: {way_back(copy)}, or begin"
            " anew: quarterdeck run --fresh. Nothing was started"
        )


def way_back(copy: Path) -> str:
    """What puts the *copy* of a lost history in its place: without what is left of the lost one."""
    history = copy.with_name(HISTORY)
    left = [f"{history}{end}" for end in ("-wal", "-shm") if Path(f"{history}{end}").exists()]
    remove = f"rm {' '.join(left)} && " if left else ""
    return f"{remove}mv {copy} {history}"
