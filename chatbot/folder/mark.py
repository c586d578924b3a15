"""One live desk of a mark per machine: a folder that was copied, or moved away and put back from a
copy, sends the same account the same orders as the desk that still runs on the other one.

The lock on a folder does not reach its copy.  What both have is the mark of their orders; it is
held as a name of the kernel's, which no file stands for, and which ends with its process.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from chatbot.folder.calling import behind
from trading.errors import Refused


class DeskMark:
    """Of the orders of one desk; nobody else's on this machine from `hold` to `release`."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._name = f"\0quarterdeck/{os.geteuid()}/{mark}"
        self._held: socket.socket | None = None

    def hold(self) -> None:
        """Raises `Refused` when another desk of this user has it."""
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(self._name)
            held.listen()
        except OSError:
            held.close()
            self._refuse_another()
            return  # a stranger took the name: that keeps nobody from their own desk
        self._held = held

    async def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _refuse_another(self) -> None:
        pid, uid = 0, os.geteuid()
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.setblocking(False)
            probe.connect(self._name)
            pid, uid = behind(probe)
        if uid == os.geteuid():
            raise Refused(
                f"Another live desk (pid {pid or 'unknown'}) sends orders with the mark"
                f" {self._mark}: it runs on a copy of this folder, or this is a copy of its."
                " Two would trade one account. Nothing was started."
            )
