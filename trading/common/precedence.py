"""Who acts goes before what computes: threads beside the event loop rest while a stop is sent.

Python runs one thread at a time, and a write to a socket lets go of its lock: a scan that computes
beside the loop would get every other turn while a hundred cancels leave.  So whoever acts takes
precedence, and what computes for long asks between two pieces of its work whether it may go on.
There is one for the process, as there is one lock.
"""

from __future__ import annotations

import threading

LONGEST = 0.25
"""Seconds for which whatever computes is held up at most: exits wait for what it finds."""


class Precedence:
    def __init__(self, *, longest: float = LONGEST) -> None:
        self._longest = longest
        self._holders: set[object] = set()
        self._free = threading.Event()
        self._free.set()

    @property
    def is_taken(self) -> bool:
        return bool(self._holders)

    def is_taken_by(self, holder: object) -> bool:
        return holder in self._holders

    def take(self, holder: object) -> None:
        """From now on what computes rests, until `give_back`; in the loop's thread."""
        self._free.clear()
        self._holders.add(holder)

    def give_back(self, holder: object) -> None:
        """*holder* has done what was urgent; that it never began is no mistake."""
        self._holders.discard(holder)
        if not self._holders:
            self._free.set()

    def give_way(self) -> None:
        """Rest while somebody acts; called by threads, between two pieces of their work.

        Whoever has held up a thread for too long has lost it to all of them.
        """
        if self._holders and not self._free.wait(self._longest):
            self._holders.clear()
            self._free.set()


PRECEDENCE = Precedence()
