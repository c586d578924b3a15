"""Numbers for halts, at hand before they are needed: engaging a halt waits for nothing.

A block is reserved in the history beforehand, so that two processes on one history never make the
same number.  Where none is left, a halt is named by letters of this process and a count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

FEW = 50
"""With fewer left a block is reserved."""
BLOCK = 100


def halt_number(halt_id: str) -> int:
    """17 for `H17`; 0 for one that had to be named without a number."""
    return int(halt_id[1:]) if halt_id[1:].isdecimal() else 0


class HaltNumbers:
    def __init__(self, blocks: Iterable[range] = (), *, tag: str = "") -> None:
        """*tag*: three letters that no other process has, as far as luck goes."""
        self._blocks: deque[range] = deque()
        self._tag = tag
        self._tagged = 0
        self._end = 0
        self.used = 0
        """The highest number that a halt is known to have."""
        self.add(blocks)

    @property
    def few(self) -> bool:
        return sum(map(len, self._blocks)) < FEW

    def add(self, blocks: Iterable[range]) -> None:
        """Numbers that are ours; those that were added before do not count twice."""
        for block in blocks:
            fresh = range(max(block.start, self._end, self.used + 1), block.stop)
            if fresh:
                self._blocks.append(fresh)
                self._end = fresh.stop

    def skip(self, used: int) -> None:
        """Numbers up to *used* are taken: no halt is ever named like an earlier one."""
        self.used = max(self.used, used)
        while self._blocks and self._blocks[0].start <= self.used:
            left = range(self.used + 1, self._blocks.popleft().stop)
            if left:
                self._blocks.appendleft(left)

    def take(self) -> str:
        """The id of a new halt."""
        if not self._blocks:
            self._tagged += 1
            return f"H{self._tag}-{self._tagged}"
        number = self._blocks[0].start
        self.skip(number)
        return f"H{number}"
