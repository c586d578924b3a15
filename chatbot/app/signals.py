"""What asks the process to end: heard from its first moment on, obeyed where it can be.

Standard library only, and little of it: it listens before anything else is loaded.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""From systemd or `kill`, from a terminal that is closed, from Ctrl-C."""


class Cut(Exception):
    """A start that was asked to end before there was a desk."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(
            f"Ended by {number.name} before the desk had started. Nothing was sent; positions, "
            "what rests at a venue, and halts are as they were."
        )
        self.code = 128 + number
        """As shells tell a process that a signal has ended."""


class EndSignals:
    """Remembers the first signal, until somebody obeys; from then on each is passed to them."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self.obeyer: Callable[[str], None] | None = None
        """Whoever hears of each."""

    def listen(self) -> None:
        """What is ignored stays so: `nohup` means it."""
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hear)

    def check(self) -> None:
        """Raises `Cut` if the start was asked to end: to be called between its steps."""
        if self.asked is not None:
            raise Cut(self.asked)

    def obeyed_by(self, end: Callable[[str], None]) -> None:
        """*end* hears each signal by its name from now on, in the main thread, at any moment."""
        self.obeyer = end
        if self.asked is not None:
            end(self.asked.name)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.asked = self.asked or signal.Signals(number)
        if self.obeyer is not None:
            self.obeyer(signal.Signals(number).name)
