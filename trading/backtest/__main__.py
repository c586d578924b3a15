"""A backtest in a process of its own: `python -m trading.backtest` reads one and tells how it goes.

It is started by the desk and talks to it alone, through its pipes: one pickled `Backtest` comes in,
and out come frames, each with its length before it: the share that is done, and at the end a
`Summary`, or the sentence that refuses.  It is nice, and its memory and processor time are bounded,
so that it cannot slow trading; when the desk goes away, its next frame ends it.
"""

from __future__ import annotations

import os
import pickle
import resource
import sys
from typing import BinaryIO

from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.result import Summary

NICE = 15
MEMORY = 2 * 1024**3
"""Bytes of address space, libraries included."""
PROCESSOR = 300
"""Seconds."""
POINTS = 300
"""Of the curve."""


def main() -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    out = sys.stdout.buffer
    try:
        test: Backtest = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the desk itself
        _tell(out, Summary.of(run(test, progress=lambda share: _tell(out, share)), points=POINTS))
    except ValueError as error:
        _tell(out, str(error))
    except MemoryError:
        _tell(out, "It needs more memory than a backtest beside a desk may have")


def _tell(out: BinaryIO, what: float | str | Summary) -> None:
    data = pickle.dumps(what)
    out.write(len(data).to_bytes(4, "big") + data)
    out.flush()


if __name__ == "__main__":
    main()
