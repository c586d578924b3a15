"""The desk in a terminal; or, without one, a line per event.

Nothing here makes the event loop wait.  A terminal belongs to a thread with a loop of its own
(prompt_toolkit reads, redraws and writes in it); without one a thread reads and a thread writes.
All are daemons and read from the descriptor itself, so none can hold up the end of the process.

An alert counts as told when it was written.  While the terminal or pipe is stalled `send` waits,
and once `ROOM` messages wait it raises `Stalled`: the outbox tries again later.  Answers beyond
that go to the log.  When nobody reads any more (a closed pipe, a lost terminal) everything goes to
the log and counts as told: it would otherwise wait for a reader who does not come back.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)
