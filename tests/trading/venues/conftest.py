"""Over sockets."""

from __future__ import annotations

from tests.loops import STEADY, Loops


def pytest_asyncio_loop_factories() -> Loops:
    return STEADY
