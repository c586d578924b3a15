"""What is kept beside history, for when that takes no writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from trading.model.halt import Halt


class Journal(Protocol):
    """An append-only file: each record is durable when `append` returns.

    The paper venue keeps its book in one; intents that the database did not take in time go to
    another.
    """

    async def append(self, *records: Mapping[str, object]) -> None: ...

    async def records(self) -> Sequence[Mapping[str, object]]:
        """All whole records, oldest first; a torn tail is left out."""
        ...

    async def rewrite(self, records: Sequence[Mapping[str, object]]) -> None:
        """Replace everything at once: after a crash either the old or the new is there."""
        ...

    async def drop(self, is_done: Callable[[Mapping[str, object]], bool]) -> None:
        """As `rewrite`, without the records that *is_done*; what is appended meanwhile stays.

        *is_done* may be called in another thread.
        """
        ...

    async def close(self) -> None: ...


class LatchFile(Protocol):
    """The preallocated file that keeps halts when the database cannot."""

    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        """Overwrite and sync, in a thread.  Raises `StoreError`."""
        ...
