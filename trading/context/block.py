"""Why a trader takes no entries although nobody halted it: it ends by itself, unlike a halt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EntryBlock:
    """Written by whoever finds a reason, asked right before each entry."""

    broken: str = ""
    """Its loops broke on our side and are started again: no entries until they run."""
    differs: str = ""
    """What our books and the venue's disagree about: no entries until they agree again."""

    @property
    def why(self) -> str:
        """The reason, as a clause; empty: entries are taken."""
        return self.broken or self.differs
